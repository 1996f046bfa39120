//! Hold and cancel. `tcp_receive_reset` also fires when no RST came but data after a shutdown; the kernel then sends a
//! reset for the same socket at once. An unproven received reset is held for a moment: a refuting sent one takes its
//! place, otherwise it is let go as what it claims to be. Pure; time is that of the events.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    decode::{Claim, Decoded, SocketId},
    model::ResetEvent,
};

/// How long an unproven received reset is held. The refutation follows within microseconds on the same CPU, or as soon
/// as a preempted task runs again.
pub const HOLD: Duration = Duration::from_millis(20);

/// Most events held at once; the oldest is let go early beyond that.
pub const LIMIT: usize = 4096;

/// Unproven events that wait for their refutation, in order of time.
#[derive(Debug, Default)]
pub struct Hold {
    waiting: VecDeque<(Option<SocketId>, ResetEvent)>,
}

impl Hold {
    /// Takes one event; gives the event that may be told now, if there is one.
    pub fn take(&mut self, decoded: Decoded) -> Option<ResetEvent> {
        match decoded.claim {
            Claim::Stands => Some(decoded.event),
            Claim::Unproven => {
                self.waiting.push_back((decoded.socket, decoded.event));
                (self.waiting.len() > LIMIT)
                    .then(|| self.waiting.pop_front())
                    .flatten()
                    .map(|(_, event)| event)
            }
            Claim::Refutes => {
                // The latest one: an earlier event of the same address belongs to a socket that is gone.
                if let Some(at) = self.waiting.iter().rposition(|(socket, _)| *socket == decoded.socket) {
                    self.waiting.remove(at);
                }
                Some(decoded.event)
            }
        }
    }

    /// Events that have waited long enough at `now`, oldest first.
    pub fn release(&mut self, now: Timestamp) -> impl Iterator<Item = ResetEvent> + '_ {
        std::iter::from_fn(move || {
            let (_, oldest) = self.waiting.front()?;
            (now.duration_since(oldest.time) >= hold())
                .then(|| self.waiting.pop_front())
                .flatten()
                .map(|(_, event)| event)
        })
    }

    /// Everything that waits, oldest first: nothing more will come.
    pub fn finish(&mut self) -> impl Iterator<Item = ResetEvent> + '_ {
        self.waiting.drain(..).map(|(_, event)| event)
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn hold() -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(HOLD.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
