//! Events on their way to the thread that writes them. Bounded: what finds no room is not kept, and is counted, so that a
//! slow disk costs neither memory nor the capture's time.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::model::ResetEvent;

/// Events that may wait.
pub const CAPACITY: usize = 16_384;
/// So many are worth writing before their time.
const BATCH: usize = 1_000;
/// So long an event waits for others at most.
const PATIENCE: Duration = Duration::from_millis(250);

/// Where events wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    events: Vec<ResetEvent>,
    is_closed: bool,
}

/// Why somebody was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// There may be more.
    Open,
    /// These were the last.
    Closed,
}

impl Queue {
    /// Takes in what there is room for, and tells how many events found none.
    pub(super) fn push(&self, events: impl Iterator<Item = ResetEvent>) -> u64 {
        let mut waiting = self.lock();
        let before = waiting.events.len();
        let mut lost = 0;
        for event in events {
            if waiting.events.len() < CAPACITY && !waiting.is_closed {
                waiting.events.push(event);
            } else {
                lost += 1;
            }
        }
        let after = waiting.events.len();
        drop(waiting);
        if after > 0 && (before == 0 || (before < BATCH && after >= BATCH)) {
            self.changed.notify_one();
        }
        lost
    }

    /// Nothing comes any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Events that wait.
    pub(super) fn len(&self) -> usize {
        self.lock().events.len()
    }

    /// Waits until there is something to be written, or `idle` has passed, and puts it into `to`, which is empty.
    pub(super) fn take(&self, idle: Duration, to: &mut Vec<ResetEvent>) -> Woken {
        let mut waiting = self.wait(self.lock(), idle, |waiting| !waiting.events.is_empty());
        if !waiting.events.is_empty() {
            waiting = self.wait(waiting, PATIENCE, |waiting| waiting.events.len() >= BATCH);
        }
        // Nobody waits while many are moved.
        std::mem::swap(&mut waiting.events, to);
        if waiting.is_closed { Woken::Closed } else { Woken::Open }
    }

    fn wait<'a>(
        &'a self,
        mut waiting: MutexGuard<'a, Waiting>,
        limit: Duration,
        is_enough: impl Fn(&Waiting) -> bool,
    ) -> MutexGuard<'a, Waiting> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || waiting.is_closed || is_enough(&waiting) {
                return waiting;
            }
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::samples;

    #[test]
    fn what_finds_no_room_is_counted() {
        let queue = Queue::default();
        let events = |count| std::iter::repeat_with(samples::unread).take(count);
        assert_eq!(queue.push(events(CAPACITY - 1)), 0);
        assert_eq!(queue.push(events(3)), 2);
        let mut taken = Vec::new();
        assert_eq!(queue.take(Duration::ZERO, &mut taken), Woken::Open);
        assert_eq!((taken.len(), queue.len()), (CAPACITY, 0));
        queue.close();
        taken.clear();
        assert_eq!(queue.push(events(2)), 2);
        assert_eq!(queue.take(Duration::from_mins(1), &mut taken), Woken::Closed);
    }
}
