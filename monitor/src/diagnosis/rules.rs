//! The table of rules: of those for an event's direction the first that fits wins, so the more special ones come first. A
//! rule for every cause that one event can show; `port_scan` is one of many events, which each of them has as evidence.

mod received;
mod sent;

use super::{
    evidence::{self, Fact},
    facts::Facts,
};
use crate::{
    cause::{Cause, Confidence},
    model::Direction,
};

/// When an event has a cause.
pub(super) struct Rule {
    /// The cause.
    pub(super) cause: Cause,
    /// How far the cause is to be relied on, if the event can have it.
    pub(super) fits: fn(&Facts<'_>) -> Option<Confidence>,
    /// The facts that speak for it.
    pub(super) evidence: &'static [Fact],
}

/// The rules for events of this direction.
pub(super) fn rules(direction: Direction) -> &'static [Rule] {
    match direction {
        Direction::Sent => sent::RULES,
        Direction::Received => received::RULES,
    }
}

/// What there is to say of an event that no rule fits.
pub(super) const WHAT_WAS_SEEN: &[Fact] = &[
    evidence::reason,
    evidence::state,
    evidence::no_socket,
    evidence::trigger,
    evidence::unread,
    evidence::unacked_if_any,
    evidence::idle,
    evidence::ttl,
    evidence::exit,
    evidence::mptcp,
];
