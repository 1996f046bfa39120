//! Which program gets which error from a reset.

use super::End;
use crate::{
    catalogue::{errnos, errnos_of_receiver},
    cause::Cause,
    model::{Direction, Errno, ResetEvent},
};

/// An error at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) errno: Errno,
    pub(super) end: End,
    /// It goes with the cause, and nobody has seen whether it happened.
    pub(super) is_presumed: bool,
}

/// The errors that an event's programs were told, and the one that is told usually to a receiver that is not here; `None`
/// where nobody can say.
pub(super) fn of_event(event: &ResetEvent) -> Option<Vec<Told>> {
    let seen = |end| move |errno| Told { errno, end, is_presumed: false };
    let other = event.counterpart.as_deref();
    let mut told: Vec<_> = event.errno.map(seen(End::This)).into_iter().collect();
    told.extend(other.and_then(|other| other.errno).map(seen(End::Other)));
    if event.direction == Direction::Sent && other.is_none() {
        match &event.diagnosis {
            Some(diagnosis) => {
                let usual = errnos_of_receiver(diagnosis.cause).first();
                told.extend(usual.map(|errno| Told { errno: *errno, end: End::Other, is_presumed: true }));
            }
            None if told.is_empty() => return None,
            None => {}
        }
    }
    Some(told)
}

/// The errors of a cause, each with the ends that may see it: the end that the cause lies with is this one.
pub(super) fn of_cause(cause: Cause) -> Vec<(Errno, Vec<End>)> {
    let here = errnos(cause);
    let there = if cause.is_of_sender() { errnos_of_receiver(cause) } else { &[] };
    let mut errors: Vec<(Errno, Vec<End>)> = Vec::new();
    let of_there = there.iter().map(|errno| (*errno, End::Other));
    for (errno, end) in of_there.chain(here.iter().map(|errno| (*errno, End::This))) {
        match errors.iter_mut().find(|(known, _)| *known == errno) {
            Some((_, ends)) => ends.push(end),
            None => errors.push((errno, vec![end])),
        }
    }
    errors
}
