//! The system's clocks, read here only: when the host started, on the wall clock, and how long a tick is.

use std::{io, time::Duration};

use jiff::{SignedDuration, Timestamp};
use nix::{
    sys::time::TimeSpec,
    time::{ClockId, clock_getres, clock_gettime},
};

/// Differences below this are jitter or slewing; beyond it somebody has set the clock.
const STEP: SignedDuration = SignedDuration::from_millis(1);

/// Turns times since boot into times of the wall clock.
#[derive(Clone, Debug)]
pub struct Clock {
    boot: Timestamp,
    tick: Duration,
}

impl Clock {
    /// Reads the clocks for the first time.
    pub fn new() -> io::Result<Self> {
        // The resolution of the coarse clocks is one tick (`kernel/time/posix-timers.c`, 5.10–7.x).
        let tick = Duration::from(clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)?);
        Ok(Self { boot: boot()?, tick })
    }

    /// When the host started, on the wall clock as it is now. Stays the same until the clock is set, so that the start
    /// of a process reads the same in every event.
    pub fn boot(&mut self) -> Timestamp {
        if let Ok(now) = boot()
            && now.duration_since(self.boot).abs() >= STEP
        {
            self.boot = now;
        }
        self.boot
    }

    /// Length of one jiffy.
    pub fn tick(&self) -> Duration {
        self.tick
    }

    /// Now, on the wall clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

fn boot() -> io::Result<Timestamp> {
    let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let now = Timestamp::now();
    now.checked_sub(duration(since_boot)).map_err(io::Error::other)
}

fn duration(time: TimeSpec) -> SignedDuration {
    SignedDuration::new(time.tv_sec(), i32::try_from(time.tv_nsec()).unwrap_or(0))
}
