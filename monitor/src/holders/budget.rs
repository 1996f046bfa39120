//! What looking at descriptors may cost: a share of a processor, some of which can be saved up.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Look-ups may take one part in so many of a processor's time.
const SHARE: u32 = 5;
/// How much of it may be saved up.
pub(super) const MOST_SAVED: Duration = Duration::from_millis(250);

/// Processor time that may be spent: a share of the time that goes by.
#[derive(Debug)]
pub(super) struct Budget {
    left: Duration,
    at: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: MOST_SAVED, at: now }
    }

    /// How much there is at `now`.
    pub(super) fn left(&mut self, now: Instant) -> Duration {
        let earned = now.saturating_duration_since(self.at) / SHARE;
        self.left = (self.left + earned).min(MOST_SAVED);
        self.at = now;
        self.left
    }

    pub(super) fn spend(&mut self, spent: Duration) {
        self.left = self.left.saturating_sub(spent);
    }
}

/// Processor time that this thread has used: on a busy machine it is less than what goes by.
pub(super) fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
