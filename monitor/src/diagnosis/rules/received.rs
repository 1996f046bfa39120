//! Why a reset came to this host, where its sender is not here: what the connection was doing tells.

use super::Rule;
use crate::{
    cause::{
        Cause,
        Confidence::{self, Certain, Likely, Possible},
    },
    diagnosis::{
        evidence as e,
        facts::{Facts, LONG_IDLE},
    },
    model::TcpState,
};

pub(super) const RULES: &[Rule] = &[
    Rule { cause: Cause::ConntrackBypass, fits: conntrack_bypass, evidence: &[e::elsewhere, e::state] },
    Rule {
        cause: Cause::FirewallReject,
        fits: firewall_reject,
        evidence: &[e::no_local_sender, e::state, e::ttl],
    },
    Rule { cause: Cause::ConnectionRefused, fits: connection_refused, evidence: &[e::state] },
    Rule { cause: Cause::RefusedInHandshake, fits: refused_in_handshake, evidence: &[e::state] },
    Rule {
        cause: Cause::ResetAfterClose,
        fits: reset_after_close,
        evidence: &[e::state, e::orphaned, e::unacked_if_any],
    },
    Rule {
        cause: Cause::ResetAfterPeerClose,
        fits: reset_after_peer_close,
        evidence: &[e::state, e::unacked],
    },
    Rule {
        cause: Cause::Injected,
        fits: injected_by_two_signs,
        evidence: &[e::ttl, e::faster_than_round_trip, e::has_sent_after_reset, e::state],
    },
    Rule {
        cause: Cause::PeerIdleTimeout,
        fits: peer_idle_timeout,
        evidence: &[e::idle, e::peers_timer, e::unacked, e::probes, e::ttl],
    },
    Rule {
        cause: Cause::PeerKeepaliveRace,
        fits: peer_keepalive_race,
        evidence: &[e::pause, e::since_sent, e::round_trip, e::unacked, e::ttl],
    },
    Rule {
        cause: Cause::Injected,
        fits: injected,
        evidence: &[e::ttl, e::faster_than_round_trip, e::has_sent_after_reset, e::state],
    },
    Rule { cause: Cause::PeerResetEarly, fits: peer_reset_early, evidence: &[e::sent, e::received, e::idle] },
    Rule {
        cause: Cause::PeerResetUpload,
        fits: peer_reset_upload,
        evidence: &[e::sent, e::unacked, e::received, e::since_received],
    },
    Rule {
        cause: Cause::PeerResetRequest,
        fits: peer_reset_request,
        evidence: &[e::sent, e::since_sent, e::received, e::since_received, e::unacked],
    },
    Rule {
        cause: Cause::PeerResetResponse,
        fits: peer_reset_response,
        evidence: &[e::received, e::since_received, e::sent, e::unacked],
    },
];

fn when(holds: bool, confidence: Confidence) -> Option<Confidence> {
    holds.then_some(confidence)
}

/// Who asks and who answers is known of a client; of a server's peer it is guessed that it behaves like one.
fn if_client(facts: &Facts<'_>) -> Confidence {
    if facts.is_client() { Likely } else { Possible }
}

/// This host has reset the connection itself, in the name of a namespace that has it.
fn conntrack_bypass(facts: &Facts<'_>) -> Option<Confidence> {
    facts.past.elsewhere?;
    when(facts.is_open(), Likely)
}

/// An event of the sender can also have been lost, or somebody can have made the packet.
fn firewall_reject(facts: &Facts<'_>) -> Option<Confidence> {
    let seen = facts.sight.all_senders && !facts.sight.firewall;
    when(seen && facts.is_peer_local() && facts.other.is_none() && !facts.is_closed_by_owner(), Possible)
}

fn connection_refused(facts: &Facts<'_>) -> Option<Confidence> {
    when(facts.is_in(&[TcpState::SynSent]), Certain)
}

fn refused_in_handshake(facts: &Facts<'_>) -> Option<Confidence> {
    when(facts.is_in(&[TcpState::SynRecv, TcpState::NewSynRecv]), Certain)
}

/// Without the socket's flags, `FIN_WAIT` may be that of a program that still reads.
fn reset_after_close(facts: &Facts<'_>) -> Option<Confidence> {
    let sure = facts.socket().is_some() || !facts.is_in(&[TcpState::FinWait1, TcpState::FinWait2]);
    when(facts.is_closed_by_owner(), if sure { Certain } else { Likely })
}

/// With nothing on the way, what was written has arrived, or nothing was.
fn reset_after_peer_close(facts: &Facts<'_>) -> Option<Confidence> {
    let writes = facts.figures().is_some_and(|figures| figures.unacked_bytes > 0);
    when(facts.is_in(&[TcpState::CloseWait]), if writes { Certain } else { Possible })
}

fn injected_by_two_signs(facts: &Facts<'_>) -> Option<Confidence> {
    when(facts.is_open() && facts.signs_of_injection() >= 2, Likely)
}

/// Proxies and load balancers change TTLs too, and answer for a peer: the rules before this one know their ways.
fn injected(facts: &Facts<'_>) -> Option<Confidence> {
    let sign = facts.other_ttl().is_some() || facts.faster_than_round_trip().is_some();
    when(facts.is_open() && sign, Possible)
}

/// An idle time that has a name, or that the peer has shown before, tells most. Else a client that waits for an answer does
/// not rest, nor does a new connection.
fn peer_idle_timeout(facts: &Facts<'_>) -> Option<Confidence> {
    if !facts.is_in(&[TcpState::Established]) {
        return None;
    }
    let idle = facts.rests()?;
    if facts.known_timer().is_some() || facts.past.same_idle.is_some() {
        return Some(Likely);
    }
    let waits = facts.is_client() && facts.waits_for_answer();
    let is_long = idle >= LONG_IDLE;
    match (waits, facts.is_untouched(), is_long) {
        (true, _, _) | (_, true, false) => None,
        (_, true, true) | (_, _, false) => Some(Possible),
        (false, false, true) => {
            Some(if facts.is_server() && !facts.waits_for_answer() { Possible } else { Likely })
        }
    }
}

fn peer_keepalive_race(facts: &Facts<'_>) -> Option<Confidence> {
    facts.pause_before_sending()?;
    when(facts.is_in(&[TcpState::Established]), if_client(facts))
}

fn peer_reset_early(facts: &Facts<'_>) -> Option<Confidence> {
    when(facts.is_in(&[TcpState::Established]) && facts.is_untouched(), Likely)
}

fn peer_reset_upload(facts: &Facts<'_>) -> Option<Confidence> {
    when(facts.is_open() && facts.uploads(), if_client(facts))
}

fn peer_reset_request(facts: &Facts<'_>) -> Option<Confidence> {
    when(facts.is_open() && facts.waits_for_answer(), if_client(facts))
}

fn peer_reset_response(facts: &Facts<'_>) -> Option<Confidence> {
    let received = facts.figures().is_some_and(|figures| figures.bytes_received > 0);
    when(facts.is_open() && received && !facts.waits_for_answer(), if_client(facts))
}
