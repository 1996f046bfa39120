//! Facts as evidence: each function gives one, with its numbers, if the event has it. Rules list those that speak for them.

use std::time::Duration;

use super::{facts::Facts, mechanism::Mechanism};
use crate::model::diagnosis::Evidence;

/// Gives one fact.
pub(super) type Fact = fn(&Facts<'_>) -> Option<Evidence>;

pub(super) fn reason(facts: &Facts<'_>) -> Option<Evidence> {
    facts.event.reason.clone().map(Evidence::KernelReason)
}

pub(super) fn state(facts: &Facts<'_>) -> Option<Evidence> {
    facts.event.state.map(Evidence::State)
}

pub(super) fn no_socket(facts: &Facts<'_>) -> Option<Evidence> {
    facts.event.state.is_none().then_some(Evidence::NoSocket)
}

pub(super) fn trigger(facts: &Facts<'_>) -> Option<Evidence> {
    facts.trigger().map(|trigger| Evidence::Trigger { flags: trigger.flags, bytes: trigger.payload_bytes })
}

pub(super) fn unread(facts: &Facts<'_>) -> Option<Evidence> {
    let bytes = facts.figures()?.unread_bytes;
    (bytes > 0).then_some(Evidence::UnreadBytes(bytes))
}

/// That nothing is unacknowledged counts as well.
pub(super) fn unacked(facts: &Facts<'_>) -> Option<Evidence> {
    facts.figures().map(|figures| Evidence::UnackedBytes(figures.unacked_bytes))
}

pub(super) fn unacked_if_any(facts: &Facts<'_>) -> Option<Evidence> {
    unacked(facts).filter(|evidence| *evidence != Evidence::UnackedBytes(0))
}

pub(super) fn sent(facts: &Facts<'_>) -> Option<Evidence> {
    facts.figures().map(|figures| Evidence::BytesSent(figures.bytes_sent))
}

pub(super) fn received(facts: &Facts<'_>) -> Option<Evidence> {
    facts.figures().map(|figures| Evidence::BytesReceived(figures.bytes_received))
}

/// With the name of the timer, where it is a known one.
pub(super) fn idle(facts: &Facts<'_>) -> Option<Evidence> {
    let known = facts.known_timer().map(|(idle, name)| Evidence::KnownTimer { idle, name });
    known.or_else(|| facts.connection()?.idle.map(Evidence::Idle))
}

pub(super) fn peers_timer(facts: &Facts<'_>) -> Option<Evidence> {
    facts.past.same_idle.map(|(idle, times)| Evidence::PeersTimer { idle, times })
}

pub(super) fn idle_before_close(facts: &Facts<'_>) -> Option<Evidence> {
    facts.idle_before_close().map(Evidence::IdleBeforeClose)
}

pub(super) fn since_sent(facts: &Facts<'_>) -> Option<Evidence> {
    let any = facts.figures()?.bytes_sent > 0;
    facts.connection()?.since_sent.filter(|_| any).map(Evidence::SinceSent)
}

pub(super) fn since_received(facts: &Facts<'_>) -> Option<Evidence> {
    let any = facts.figures()?.bytes_received > 0;
    facts.connection()?.since_received.filter(|_| any).map(Evidence::SinceReceived)
}

pub(super) fn pause(facts: &Facts<'_>) -> Option<Evidence> {
    facts.pause_before_sending().map(Evidence::Pause)
}

pub(super) fn round_trip(facts: &Facts<'_>) -> Option<Evidence> {
    let round_trip = facts.figures()?.srtt;
    (round_trip > Duration::ZERO).then_some(Evidence::RoundTrip(round_trip))
}

pub(super) fn since_close(facts: &Facts<'_>) -> Option<Evidence> {
    facts.since_close().map(Evidence::SinceClose)
}

pub(super) fn listened_until(facts: &Facts<'_>) -> Option<Evidence> {
    facts.event.gone.filter(|gone| gone.was_listener).map(|gone| Evidence::ListenedUntil(gone.since))
}

pub(super) fn nothing_remembered(facts: &Facts<'_>) -> Option<Evidence> {
    facts.since_close().is_none().then_some(Evidence::NothingRemembered)
}

pub(super) fn ttl(facts: &Facts<'_>) -> Option<Evidence> {
    facts.other_ttl().map(|(handshake, rst)| Evidence::TtlDiffers { handshake, rst })
}

pub(super) fn faster_than_round_trip(facts: &Facts<'_>) -> Option<Evidence> {
    let (after, round_trip) = facts.faster_than_round_trip()?;
    Some(Evidence::FasterThanRoundTrip { after, round_trip })
}

pub(super) fn sent_after_reset(facts: &Facts<'_>) -> Option<Evidence> {
    facts.past.reset_received.map(Evidence::PeerSentAfterReset)
}

pub(super) fn own_reset(facts: &Facts<'_>) -> Option<Evidence> {
    facts.past.reset_sent.map(Evidence::OwnReset)
}

pub(super) fn has_sent_after_reset(facts: &Facts<'_>) -> Option<Evidence> {
    let times = facts.past.sent_after_reset;
    (times > 0).then_some(Evidence::PeerHasSentAfterReset(times))
}

pub(super) fn accept_queue(facts: &Facts<'_>) -> Option<Evidence> {
    facts.socket()?.accept_queue.map(Evidence::AcceptQueue)
}

pub(super) fn probes(facts: &Facts<'_>) -> Option<Evidence> {
    let probes = facts.socket()?.probes_out;
    (probes > 0).then_some(Evidence::KeepaliveProbes(probes))
}

pub(super) fn user_timeout(facts: &Facts<'_>) -> Option<Evidence> {
    facts.socket()?.user_timeout.map(Evidence::UserTimeout)
}

pub(super) fn linger_zero(facts: &Facts<'_>) -> Option<Evidence> {
    (facts.socket()?.linger == Some(Duration::ZERO)).then_some(Evidence::LingerZero)
}

pub(super) fn linger2(facts: &Facts<'_>) -> Option<Evidence> {
    facts.socket()?.linger2_negative.then_some(Evidence::Linger2Negative)
}

pub(super) fn not_shut_down(facts: &Facts<'_>) -> Option<Evidence> {
    let socket = facts.socket()?;
    (!socket.receive_shutdown && !socket.send_shutdown).then_some(Evidence::NotShutDown)
}

pub(super) fn orphaned(facts: &Facts<'_>) -> Option<Evidence> {
    facts.socket()?.orphaned.then_some(Evidence::Orphaned)
}

pub(super) fn never_accepted(facts: &Facts<'_>) -> Option<Evidence> {
    facts.is_made_by(&[Mechanism::UnacceptedChild]).then_some(Evidence::NeverAccepted)
}

pub(super) fn exit(facts: &Facts<'_>) -> Option<Evidence> {
    facts.event.exit.map(Evidence::Exit)
}

pub(super) fn burst(facts: &Facts<'_>) -> Option<Evidence> {
    let times = facts.past.ended_with;
    (times > 0).then_some(Evidence::Burst(times))
}

pub(super) fn actor(facts: &Facts<'_>) -> Option<Evidence> {
    let actor = facts.event.actor.as_ref()?;
    Some(Evidence::Actor { comm: actor.name().into(), pid: actor.pid })
}

pub(super) fn scan(facts: &Facts<'_>) -> Option<Evidence> {
    facts.past.scan.map(|(ports, within)| Evidence::PortScan { ports, within })
}

pub(super) fn firewall(facts: &Facts<'_>) -> Option<Evidence> {
    facts.event.netfilter_hook.map(Evidence::Firewall)
}

pub(super) fn no_local_sender(facts: &Facts<'_>) -> Option<Evidence> {
    facts.other.is_none().then_some(Evidence::NoLocalSender)
}

pub(super) fn mptcp(facts: &Facts<'_>) -> Option<Evidence> {
    facts.socket()?.mptcp.then_some(Evidence::Mptcp)
}

pub(super) fn elsewhere(facts: &Facts<'_>) -> Option<Evidence> {
    let netns = facts.past.elsewhere?;
    Some(Evidence::OtherNamespace { netns, peer: facts.event.tuple.peer })
}
