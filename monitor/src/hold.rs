//! Events that wait a moment for a word from the kernel, which follows within microseconds or not at all. A received
//! reset that is not proven waits to be refuted: `tcp_receive_reset` also fires when no RST came but data after a shutdown,
//! and a sent reset of the same socket follows. A reset whose owner is in doubt waits for the socket to be closed, which
//! tells who held it last. Pure; time is that of the kernel's events, since the host started.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use crate::{
    decode::{Claim, Closing, Decoded, SocketId},
    model::{FourTuple, ResetEvent},
    owner,
};

/// How long an event is held. The word follows on the same CPU, or as soon as a preempted task runs again.
pub const HOLD: Duration = Duration::from_millis(20);

/// How long an event is held in all, when it has been taken back.
pub const HOLD_AGAIN: Duration = Duration::from_millis(40);

/// Most events held at once; the oldest is let go early beyond that.
pub const LIMIT: usize = 4096;

/// Whether the owner of an event's socket is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It is, as far as it ever will be.
    Settled,
    /// Who closes the socket may be another one.
    InDoubt,
}

/// An event that is let go, and what it still lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct Released {
    /// The event.
    pub event: ResetEvent,
    /// When it happened.
    pub at: Duration,
    /// In doubt when the socket was not closed meanwhile.
    pub ownership: Ownership,
    socket: Option<SocketId>,
    is_last: bool,
}

/// Events that wait, in order of time.
#[derive(Debug, Default)]
pub struct Hold {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    socket: Option<SocketId>,
    event: ResetEvent,
    at: Duration,
    proven: bool,
    ownership: Ownership,
    due: Duration,
    is_last: bool,
}

impl Waiting {
    fn released(self) -> Released {
        let Self { socket, event, at, ownership, is_last, .. } = self;
        Released { event, at, ownership, socket, is_last }
    }
}

impl Hold {
    /// Takes one event; gives the event that may be told now, if there is one.
    pub fn take(&mut self, decoded: Decoded, ownership: Ownership) -> Option<Released> {
        if decoded.claim == Claim::Refutes {
            // The latest one: an earlier event of the same address belongs to a socket that is gone.
            let unproven = |waiting: &Waiting| !waiting.proven && waiting.socket == decoded.socket;
            if let Some(at) = self.waiting.iter().rposition(unproven) {
                self.waiting.remove(at);
            }
        }
        let proven = decoded.claim != Claim::Unproven;
        let Decoded { socket, event, at, .. } = decoded;
        let waiting = Waiting { socket, event, at, proven, ownership, due: at + HOLD, is_last: false };
        if proven && ownership == Ownership::Settled {
            return Some(waiting.released());
        }
        self.waiting.push_back(waiting);
        if self.waiting.len() > LIMIT { self.waiting.pop_front().map(Waiting::released) } else { None }
    }

    /// Takes back an event whose socket nobody has a descriptor of: it is being closed, and on a busy machine it takes a
    /// moment until who closes it is told. Gives the event back when it has been taken back before, or there is no room.
    pub fn take_back(&mut self, released: Released) -> Option<Released> {
        if released.is_last || self.waiting.len() >= LIMIT {
            return Some(released);
        }
        let Released { event, at, ownership, socket, .. } = released;
        let due = at + HOLD_AGAIN;
        // What is due earlier comes first.
        let place = self.waiting.partition_point(|waiting| waiting.due <= due);
        let waiting = Waiting { socket, event, at, proven: true, ownership, due, is_last: true };
        self.waiting.insert(place, waiting);
        None
    }

    /// A socket is closed: settles the events of it that wait, and gives those that wait for nothing else.
    pub fn close(&mut self, closing: &Closing) -> Vec<Released> {
        let mut told = Vec::new();
        let mut at = 0;
        while let Some(waiting) = self.waiting.get_mut(at) {
            if waiting.socket != Some(closing.socket) || waiting.ownership == Ownership::Settled {
                at += 1;
                continue;
            }
            owner::closed_by(&mut waiting.event, &closing.process);
            waiting.ownership = Ownership::Settled;
            if waiting.proven {
                told.extend(self.waiting.remove(at).map(Waiting::released));
            } else {
                at += 1;
            }
        }
        told
    }

    /// Events that have waited long enough at `now`, oldest first. What the kernel has told up to then must have been
    /// taken: an event that is released has waited in vain.
    pub fn release(&mut self, now: Duration) -> impl Iterator<Item = Released> + '_ {
        std::iter::from_fn(move || {
            let oldest = self.waiting.front()?;
            (oldest.due <= now).then(|| self.waiting.pop_front()).flatten().map(Waiting::released)
        })
    }

    /// Everything that waits, oldest first: nothing more will come.
    pub fn finish(&mut self) -> impl Iterator<Item = Released> + '_ {
        self.waiting.drain(..).map(|waiting| Released { is_last: true, ..waiting.released() })
    }

    /// How long after `now` the next event will have waited long enough; `None` when nothing waits.
    pub fn due_in(&self, now: Duration) -> Option<Duration> {
        self.waiting.front().map(|oldest| oldest.due.saturating_sub(now))
    }

    /// The connections of the events that wait, as the end sees them that the RST goes to.
    pub fn connections(&self) -> HashSet<FourTuple> {
        self.waiting.iter().map(|waiting| waiting.event.at_receiver()).collect()
    }
}

#[cfg(test)]
mod tests;
