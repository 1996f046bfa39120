//! Why this host sent a reset.

use super::Rule;
use crate::{
    cause::{
        Cause,
        Confidence::{self, Certain, Likely, Possible},
    },
    diagnosis::{
        evidence as e,
        facts::{Facts, PAUSE},
        mechanism::{Mechanism, Source},
    },
};

pub(super) const RULES: &[Rule] = &[
    Rule { cause: Cause::FirewallReject, fits: firewall_reject, evidence: &[e::firewall, e::trigger] },
    Rule { cause: Cause::Mptcp, fits: mptcp, evidence: &[e::reason, e::mptcp, e::state] },
    Rule {
        cause: Cause::ClosedPort,
        fits: closed_port,
        evidence: &[e::trigger, e::listened_until, e::exit, e::scan],
    },
    Rule {
        cause: Cause::ConntrackBypass,
        fits: conntrack_bypass,
        evidence: &[e::elsewhere, e::no_socket, e::trigger],
    },
    Rule { cause: Cause::CancelledConnect, fits: cancelled_connect, evidence: &[e::no_socket, e::trigger] },
    Rule {
        cause: Cause::StaleConnection,
        fits: stale_after_reset,
        evidence: &[e::sent_after_reset, e::trigger, e::no_socket, e::since_close],
    },
    Rule {
        cause: Cause::KeepaliveRace,
        fits: keepalive_race,
        evidence: &[e::idle_before_close, e::since_close, e::trigger, e::reason, e::state],
    },
    Rule {
        cause: Cause::LateData,
        fits: late_data,
        evidence: &[e::trigger, e::since_close, e::idle_before_close, e::reason, e::state],
    },
    Rule {
        cause: Cause::LateData,
        fits: late_after_own_reset,
        evidence: &[e::own_reset, e::trigger, e::no_socket, e::state],
    },
    Rule {
        cause: Cause::StaleConnection,
        fits: stale_connection,
        evidence: &[
            e::trigger,
            e::no_socket,
            e::state,
            e::since_close,
            e::listened_until,
            e::exit,
            e::nothing_remembered,
        ],
    },
    Rule {
        cause: Cause::ProcessExit,
        fits: process_exit,
        evidence: &[e::exit, e::unread, e::linger_zero, e::burst, e::reason, e::state],
    },
    Rule { cause: Cause::CloseUnread, fits: close_unread, evidence: &[e::unread, e::reason, e::state] },
    Rule { cause: Cause::LingerZero, fits: linger_zero, evidence: &[e::linger_zero, e::reason, e::state] },
    Rule { cause: Cause::Disconnect, fits: disconnect, evidence: &[e::not_shut_down, e::reason, e::state] },
    Rule { cause: Cause::SocketKilled, fits: socket_killed, evidence: &[e::actor, e::reason, e::state] },
    Rule {
        cause: Cause::ListenerClosed,
        fits: listener_closed,
        evidence: &[e::never_accepted, e::actor, e::exit, e::burst, e::reason, e::state],
    },
    Rule {
        cause: Cause::AcceptOverflow,
        fits: accept_overflow,
        evidence: &[e::accept_queue, e::trigger, e::reason],
    },
    Rule { cause: Cause::InvalidSyn, fits: invalid_syn, evidence: &[e::trigger, e::reason, e::state] },
    Rule {
        cause: Cause::BadHandshakeAck,
        fits: bad_handshake_ack,
        evidence: &[e::reason, e::state, e::trigger],
    },
    Rule {
        cause: Cause::KeepaliveTimeout,
        fits: keepalive_timeout,
        evidence: &[e::probes, e::user_timeout, e::idle, e::reason, e::state],
    },
    Rule {
        cause: Cause::OrphanTimeout,
        fits: orphan_timeout,
        evidence: &[e::orphaned, e::linger2, e::reason, e::state],
    },
    Rule {
        cause: Cause::MemoryPressure,
        fits: memory_pressure,
        evidence: &[e::orphaned, e::unacked_if_any, e::reason, e::state],
    },
];

fn when(holds: bool, confidence: Confidence) -> Option<Confidence> {
    holds.then_some(confidence)
}

fn firewall_reject(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::Firewall).map(|_| Certain)
}

/// Without a reason, or with one of TCP's own, it is known only that the socket is a subflow.
fn mptcp(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::Mptcp)?;
    let named = facts.event.reason.as_ref().is_some_and(|reason| reason.to_string().starts_with("MPTCP_"));
    Some(if named { Certain } else { Likely })
}

fn closed_port(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::NoSocket)?;
    when(facts.wants_connection(), Certain)
}

/// That another namespace has the connection is known only when something was told of it before.
fn conntrack_bypass(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::NoSocket)?;
    facts.past.elsewhere?;
    let expected = facts.brings_data() || facts.grants_connection();
    when(expected && facts.since_close().is_none(), Likely)
}

/// That the client of this host asked for it is not known: others can ask in its name.
fn cancelled_connect(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::NoSocket)?;
    when(facts.grants_connection(), Likely)
}

/// The peer does not know of the reset that came in its name: the next sign that it did not send it.
fn stale_after_reset(facts: &Facts<'_>) -> Option<Confidence> {
    let unknown_here = facts.is_made_by(&[Mechanism::NoSocket, Mechanism::Stray]);
    when(unknown_here && facts.past.reset_received.is_some(), Likely)
}

fn keepalive_race(facts: &Facts<'_>) -> Option<Confidence> {
    let idle = facts.idle_before_close()?;
    let crosses = facts.crosses_close()?;
    when(comes_after_close(facts) && facts.brings_data() && idle >= PAUSE && crosses, Likely)
}

/// The neighbour `keepalive_race` is excluded where the idle time before the close is known to be short, or the data to
/// have come long after it.
fn late_data(facts: &Facts<'_>) -> Option<Confidence> {
    if !comes_after_close(facts) || facts.wants_connection() {
        return None;
    }
    let busy = facts.idle_before_close().map(|idle| idle < PAUSE);
    let confidence = match (busy, facts.crosses_close()) {
        _ if !facts.brings_data() => Possible,
        (Some(true), _) => Certain,
        (None, _) | (_, Some(false)) => Likely,
        (Some(false), _) => Possible,
    };
    // Of a connection that is gone altogether its state at the end is not known.
    Some(if facts.made_by(Mechanism::NoSocket).is_some() {
        confidence_at_most(confidence, Likely)
    } else {
        confidence
    })
}

/// What was on its way when this end reset the connection: of several packets each is answered, by the listener if there
/// is one.
fn late_after_own_reset(facts: &Facts<'_>) -> Option<Confidence> {
    let unknown_here = facts.is_made_by(&[Mechanism::NoSocket, Mechanism::Stray]);
    when(unknown_here && !facts.wants_connection() && facts.past.reset_sent.is_some(), Likely)
}

/// A packet for a connection that this end had closed, and that had not ended with its process.
fn comes_after_close(facts: &Facts<'_>) -> bool {
    let gone = facts.made_by(Mechanism::NoSocket).is_some()
        && facts.since_close().is_some()
        && facts.event.exit.is_none()
        && facts.brings_data();
    gone || facts.is_made_by(&[Mechanism::AbortOnData, Mechanism::TimeWait])
}

fn confidence_at_most(confidence: Confidence, limit: Confidence) -> Confidence {
    if confidence == Certain { limit } else { confidence }
}

/// At an ephemeral port of which nothing is remembered it may as well be a packet that missed its translation.
fn stale_connection(facts: &Facts<'_>) -> Option<Confidence> {
    if facts.made_by(Mechanism::Stray).is_some() {
        return Some(Likely);
    }
    facts.made_by(Mechanism::NoSocket)?;
    let certain_port = facts.event.gone.is_some() || !facts.is_at_ephemeral_port();
    let fits = facts.trigger().is_some_and(|trigger| !trigger.flags.syn());
    when(fits, if certain_port { Likely } else { Possible })
}

fn process_exit(facts: &Facts<'_>) -> Option<Confidence> {
    facts.event.exit?;
    when(facts.is_made_by(&[Mechanism::AbortOnClose, Mechanism::LingerZero]), Certain)
}

fn close_unread(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::AbortOnClose)?;
    let unread = facts.figures().is_some_and(|figures| figures.unread_bytes > 0);
    Some(if unread { Certain } else { Likely })
}

fn linger_zero(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::LingerZero).map(|_| Certain)
}

/// Without a reason, what shuts both sides down and then disconnects could be a close of a kind not known yet.
fn disconnect(facts: &Facts<'_>) -> Option<Confidence> {
    let source = facts.made_by(Mechanism::Disconnect)?;
    let open = facts.socket().is_some_and(|socket| !(socket.receive_shutdown && socket.send_shutdown));
    Some(if open || source == Source::Told { Certain } else { Likely })
}

fn socket_killed(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::Abort).map(|_| Certain)
}

fn listener_closed(facts: &Facts<'_>) -> Option<Confidence> {
    facts.made_by(Mechanism::UnacceptedChild).map(|_| Certain)
}

/// Without a reason, a stray packet that meets a full queue looks the same.
fn accept_overflow(facts: &Facts<'_>) -> Option<Confidence> {
    let source = facts.made_by(Mechanism::AcceptOverflow)?;
    let queue = facts.socket().and_then(|socket| socket.accept_queue);
    let full = queue.is_some_and(|queue| queue.length > queue.limit);
    Some(match source {
        Source::Told if full => Certain,
        Source::Told => Likely,
        Source::Derived => Possible,
    })
}

fn invalid_syn(facts: &Facts<'_>) -> Option<Confidence> {
    let source = facts.made_by(Mechanism::InvalidSyn)?;
    Some(if source == Source::Told { Certain } else { Likely })
}

fn bad_handshake_ack(facts: &Facts<'_>) -> Option<Confidence> {
    let source = facts.made_by(Mechanism::BadAck)?;
    Some(if source == Source::Told { Certain } else { Likely })
}

/// Nothing else resets a socket that is in use from a timer.
fn keepalive_timeout(facts: &Facts<'_>) -> Option<Confidence> {
    let source = facts.made_by(Mechanism::Keepalive)?;
    let in_use = facts.socket().is_some_and(|socket| !socket.orphaned);
    Some(if in_use || source == Source::Told { Certain } else { Likely })
}

fn orphan_timeout(facts: &Facts<'_>) -> Option<Confidence> {
    if facts.made_by(Mechanism::Linger2).is_some() {
        return Some(Certain);
    }
    let source = facts.made_by(Mechanism::FinWait2Timer)?;
    Some(if source == Source::Told { Certain } else { Likely })
}

/// Without a reason, what is left when all else is excluded.
fn memory_pressure(facts: &Facts<'_>) -> Option<Confidence> {
    let source = facts.made_by(Mechanism::Memory)?;
    Some(if source == Source::Told { Certain } else { Likely })
}
