//! Evidence in English.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{
    catalogue::numbers::{self, Unit, grouped, signal},
    model::{TcpState, diagnosis::Evidence, process::Exit},
};

/// A fact, as part of a list.
pub(in crate::catalogue) fn text(fact: &Evidence) -> String {
    match fact {
        Evidence::SenderIsHere => "the end that sent the reset is on this host".to_owned(),
        Evidence::KernelReason(reason) => format!("the kernel's reason is {reason}"),
        Evidence::State(state) => format!("the state was {}", TcpState::as_str(*state)),
        Evidence::NoSocket => "no socket had a part in it".to_owned(),
        Evidence::Trigger { flags, bytes: 0 } => {
            format!("it answers a packet with the flags {flags} and no data")
        }
        Evidence::Trigger { flags, bytes: payload } => {
            format!("it answers a packet with the flags {flags} and {} of data", bytes(*payload))
        }
        Evidence::UnreadBytes(unread) => format!("{} had come and not been read", bytes(*unread)),
        Evidence::UnackedBytes(0) => "nothing was unacknowledged".to_owned(),
        Evidence::UnackedBytes(unacked) => format!("{} not acknowledged", bytes(*unacked)),
        Evidence::BytesSent(0) => "nothing had been sent".to_owned(),
        Evidence::BytesSent(sent) => format!("{} sent so far", bytes(*sent)),
        Evidence::BytesReceived(0) => "nothing had been received".to_owned(),
        Evidence::BytesReceived(received) => format!("{} received so far", bytes(*received)),
        Evidence::Idle(idle) => format!("idle for {}", duration(*idle)),
        Evidence::IdleBeforeClose(idle) => format!("idle for {} before the close", duration(*idle)),
        Evidence::KnownTimer { idle, name } => {
            format!("idle for {}, the idle timeout of {name}", duration(*idle))
        }
        Evidence::PeersTimer { idle, times } => {
            format!("the peer has reset {} after {} idle before", connections(*times), duration(*idle))
        }
        Evidence::SinceSent(since) => format!("data was last sent {} before the reset", duration(*since)),
        Evidence::SinceReceived(since) => format!("data last came {} before the reset", duration(*since)),
        Evidence::Pause(pause) => {
            format!("nothing had come from the peer for {} when data was sent", duration(*pause))
        }
        Evidence::RoundTrip(time) => format!("a round trip takes {}", duration(*time)),
        Evidence::SinceClose(since) => format!("the connection was closed {} before", duration(*since)),
        Evidence::ListenedUntil(since) => {
            format!("a program listened on the port until {} before", duration(*since))
        }
        Evidence::NothingRemembered => "nothing is remembered of such a connection".to_owned(),
        Evidence::TtlDiffers { handshake, rst } => {
            format!("the TTL of the RST is {rst}, and was {handshake} in the handshake")
        }
        Evidence::FasterThanRoundTrip { after, round_trip } => format!(
            "the RST came {} after the last data, and a round trip takes {}",
            duration(*after),
            duration(*round_trip)
        ),
        Evidence::PeerSentAfterReset(since) => {
            format!("a RST in the peer's name came {} before, and the peer went on sending", duration(*since))
        }
        Evidence::OwnReset(since) => format!("this end had reset the connection {} before", duration(*since)),
        Evidence::PeerHasSentAfterReset(times) => {
            format!("on {} before, the peer went on sending after a RST in its name", connections(*times))
        }
        Evidence::AcceptQueue(queue) => {
            let (length, limit) = (grouped(queue.length.into()), grouped(queue.limit.into()));
            format!("{length} in the accept queue, whose limit is {limit}")
        }
        Evidence::KeepaliveProbes(1) => "1 keepalive probe had no answer".to_owned(),
        Evidence::KeepaliveProbes(probes) => format!("{probes} keepalive probes had no answer"),
        Evidence::UserTimeout(timeout) => format!("TCP_USER_TIMEOUT is {}", duration(*timeout)),
        Evidence::LingerZero => "SO_LINGER is set to 0 s".to_owned(),
        Evidence::Linger2Negative => "TCP_LINGER2 is negative".to_owned(),
        Evidence::NotShutDown => "neither side had been shut down".to_owned(),
        Evidence::Orphaned => "the program had closed the connection".to_owned(),
        Evidence::NeverAccepted => "no program had accepted the connection".to_owned(),
        Evidence::Exit(how) => format!("the process ended with {}", exit(*how)),
        Evidence::Burst(times) => {
            format!("{} of the process had been reset at its end before", connections(*times))
        }
        Evidence::Actor { comm, pid } => format!("{comm}[{pid}] did it, and is not the owner"),
        Evidence::PortScan { ports, within } => {
            format!("the peer tried {} closed ports within {}", grouped((*ports).into()), duration(*within))
        }
        Evidence::Firewall(hook) => format!("the firewall made it in the hook {}", hook.as_str()),
        Evidence::NoLocalSender => {
            "both ends are on this host, and no socket of it sent the reset".to_owned()
        }
        Evidence::Mptcp => "the socket is a subflow of Multipath TCP".to_owned(),
        Evidence::OtherNamespace { netns, peer } => {
            format!("packets of {peer} for the same port were seen in the network namespace {netns}")
        }
        Evidence::Told(words) => words.as_ref().to_owned(),
    }
}

/// So many bytes.
pub(super) fn bytes(number: impl Into<u64>) -> String {
    match number.into() {
        1 => "1 byte".to_owned(),
        number => format!("{} bytes", grouped(number)),
    }
}

/// A time, as exact as it was measured.
fn duration(duration: Duration) -> String {
    with_unit(numbers::measured(duration))
}

/// A time, as exact as a sentence needs it.
pub(super) fn about(duration: Duration) -> String {
    with_unit(numbers::rounded(duration))
}

/// A moment, by its distance from another one.
pub(in crate::catalogue) fn offset(at: SignedDuration) -> String {
    let distance = match at.unsigned_abs() {
        Duration::ZERO => return "0".to_owned(),
        short if short < Duration::from_millis(1) => format!("{} µs", short.as_micros()),
        distance => duration(distance),
    };
    if at.is_negative() { format!("{distance} before") } else { format!("{distance} after") }
}

fn with_unit((number, unit): (String, Unit)) -> String {
    match unit {
        Unit::Milliseconds => format!("{number} ms"),
        Unit::Seconds => format!("{number} s"),
    }
}

/// How a process ended.
pub(super) fn exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(number) => match signal(number) {
            Some(name) => format!("signal {number} ({name})"),
            None => format!("signal {number}"),
        },
    }
}

fn connections(times: u32) -> String {
    match times {
        1 => "1 connection".to_owned(),
        times => format!("{} connections", grouped(times.into())),
    }
}
