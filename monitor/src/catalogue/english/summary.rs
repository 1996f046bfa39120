//! What happened to whom, in one sentence of English for each cause.

use super::evidence::{about, bytes, exit};
use crate::{
    catalogue::scene::{Party, Scene},
    cause::Cause,
    model::Errno,
};

/// The sentence, without a full stop.
pub(in crate::catalogue) fn sentence(scene: &Scene<'_>) -> String {
    let mut sentence = what_happened(scene);
    for told in [scene.told_sender(), scene.told()].into_iter().flatten() {
        sentence.push_str(&got(told));
    }
    sentence
}

fn got((who, errno): (Party<'_>, Errno)) -> String {
    format!("; {who} got {}", errno.as_str())
}

#[expect(clippy::too_many_lines, reason = "an arm a cause: split, the compiler would not miss one")]
fn what_happened(scene: &Scene<'_>) -> String {
    let (sender, receiver, at) = (scene.sender(), scene.receiver(), scene.sender_address());
    match scene.cause() {
        Cause::ClosedPort if scene.listened() => {
            format!("{receiver} tried to connect to {at}, where {sender} had stopped listening")
        }
        Cause::ClosedPort => format!("{receiver} tried to connect to {at}, where nobody listens"),
        Cause::PortScan => format!("{receiver} is trying many closed ports of {}", at.ip()),
        Cause::StaleConnection => format!("{receiver} used a connection to {at} that is not known there"),
        Cause::ConntrackBypass => {
            format!(
                "a packet between {receiver} and {at} skipped address translation, and the host reset the connection"
            )
        }
        Cause::CancelledConnect => format!("{receiver} accepted a connection that {sender} no longer wanted"),
        Cause::LateData => {
            format!("{receiver} sent {} after {sender} had closed the connection", late(scene))
        }
        Cause::KeepaliveRace => format!(
            "{receiver} sent {} just as {sender} closed the connection{}",
            late(scene),
            scene.idle_before_close().map(|idle| format!(", idle for {}", about(idle))).unwrap_or_default()
        ),
        Cause::CloseUnread => format!(
            "{sender} closed the connection with {} unread, so the kernel reset it",
            scene.unread().map_or_else(|| "data".to_owned(), bytes)
        ),
        Cause::ProcessExit => format!(
            "{sender} ended{} with the connection to {receiver} open",
            scene.exit().map(|how| format!(" ({})", exit(how))).unwrap_or_default()
        ),
        Cause::LingerZero => {
            format!("{sender} closed the connection to {receiver} with SO_LINGER 0, which resets it")
        }
        Cause::Disconnect => {
            format!("{sender} disconnected its socket from {receiver}, which resets the connection")
        }
        Cause::SocketKilled => match scene.actor() {
            Some(actor) => format!("{actor} destroyed the connection of {sender} to {receiver}"),
            None => format!("the connection of {sender} to {receiver} was destroyed from outside"),
        },
        Cause::ListenerClosed => match scene.actor() {
            Some(actor) => format!(
                "{actor} closed the listener of {sender} before the connection of {receiver} was accepted"
            ),
            None => format!("{sender} stopped listening before it had accepted the connection of {receiver}"),
        },
        Cause::AcceptOverflow => format!(
            "the accept queue of {sender} was full{}, so the connection of {receiver} was reset",
            scene.queue().map(|queue| format!(" ({} of {})", queue.length, queue.limit)).unwrap_or_default()
        ),
        Cause::InvalidSyn => format!("a second SYN of {receiver} came during its handshake with {sender}"),
        Cause::BadHandshakeAck => {
            format!("{receiver} sent an acknowledgement that does not fit its handshake with {sender}")
        }
        Cause::KeepaliveTimeout => match scene.probes() {
            Some(probes) => format!("{receiver} did not answer {sender} ({probes} keepalive probes)"),
            None => format!("{receiver} did not answer the keepalive probes of {sender}"),
        },
        Cause::OrphanTimeout => {
            format!("{receiver} did not close its side in time after {sender} had closed the connection")
        }
        Cause::MemoryPressure => {
            format!(
                "the kernel had no memory left for the connection of {sender} to {receiver}, which was closed already"
            )
        }
        Cause::FirewallReject => format!("a firewall rule reset the connection of {receiver} to {at}"),
        Cause::Mptcp => format!("Multipath TCP ended a subflow of {sender} to {receiver}"),
        Cause::ConnectionRefused => format!("{sender} refused the connection of {receiver}"),
        Cause::RefusedInHandshake => format!("{sender} broke off its handshake with {receiver}"),
        Cause::PeerIdleTimeout => format!(
            "{sender} reset an idle connection of {receiver}{}",
            scene.idle().map(|idle| format!(" after {}", about(idle))).unwrap_or_default()
        ),
        Cause::PeerKeepaliveRace => format!(
            "{receiver} sent data after a pause{}, and {sender} answered with a reset",
            scene.pause().map(|pause| format!(" of {}", about(pause))).unwrap_or_default()
        ),
        Cause::PeerResetRequest => {
            let sent = scene
                .bytes_sent()
                .map_or_else(|| "what it had sent".to_owned(), |sent| format!("its {}", bytes(sent)));
            format!("{sender} reset the connection of {receiver} instead of answering {sent}")
        }
        Cause::PeerResetResponse => {
            let after = scene
                .bytes_received()
                .map(|received| format!(" after {}", bytes(received)))
                .unwrap_or_default();
            format!("{sender} reset the connection of {receiver} while its data was coming{after}")
        }
        Cause::PeerResetUpload => {
            let sent = scene.bytes_sent().map_or_else(String::new, |sent| format!(" {}", bytes(sent)));
            let unacked = scene.unacked().map(|unacked| format!(", {} not acknowledged", bytes(unacked)));
            format!(
                "{sender} reset the connection while {receiver} was sending it{sent}{}",
                unacked.unwrap_or_default()
            )
        }
        Cause::PeerResetEarly => format!("{sender} reset a new connection of {receiver} before any data"),
        Cause::ResetAfterPeerClose => {
            format!("{receiver} kept writing after {sender} had closed the connection")
        }
        Cause::ResetAfterClose => format!("{sender} reset a connection that {receiver} had closed already"),
        Cause::Injected => format!(
            "a RST in the name of {sender} hit {receiver}, and seems to come from the path between them"
        ),
        Cause::Unknown => format!("{sender} reset the connection with {receiver}, and no known cause fits"),
    }
}

fn late(scene: &Scene<'_>) -> String {
    scene.late_bytes().filter(|bytes| *bytes > 0).map_or_else(|| "a packet".to_owned(), bytes)
}
