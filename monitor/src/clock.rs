//! The system's clocks, read here only: when the host started, on the wall clock, and how long a tick is.

use std::{io, time::Duration};

use jiff::{SignedDuration, Timestamp};
use nix::{
    sys::time::TimeSpec,
    time::{ClockId, clock_getres, clock_gettime},
};

/// Differences below this are jitter or slewing; beyond it somebody has set the clock.
const STEP: SignedDuration = SignedDuration::from_millis(1);

/// How often two clocks are read in turn until nothing has come between.
const TRIES: usize = 8;

/// What may come between, at most, for them to be told apart by a [`STEP`].
const AT_ONCE: SignedDuration = SignedDuration::from_micros(100);

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

    /// How long ago the host started: the clock that the kernel's events are stamped with, which nobody can set.
    pub fn since_boot(&self) -> Duration {
        // The clock is always there (`clock_gettime(2)`): it was read to make this.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }
}

/// The wall clock less the time since boot. Both are read again where this thread was interrupted in between: that would
/// look as if somebody had set the clock.
fn boot() -> io::Result<Timestamp> {
    let mut best: Option<(SignedDuration, Timestamp)> = None;
    for _ in 0..TRIES {
        let before = Timestamp::now();
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
        let between = Timestamp::now().duration_since(before).abs();
        let boot = before.checked_sub(duration(since_boot)).map_err(io::Error::other)?;
        if best.is_none_or(|(least, _)| between < least) {
            best = Some((between, boot));
        }
        if between <= AT_ONCE {
            break;
        }
    }
    best.map(|(_, boot)| boot).ok_or_else(|| io::ErrorKind::Other.into())
}

fn duration(time: TimeSpec) -> SignedDuration {
    SignedDuration::new(time.tv_sec(), i32::try_from(time.tv_nsec()).unwrap_or(0))
}
