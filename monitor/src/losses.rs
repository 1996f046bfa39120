//! Events that user space let go of rather than wait, counted at the place where it happened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where an event can be lost once the kernel has handed it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There were more than are looked at in a second.
    RateLimit,
    /// The queue between capture and outputs was full.
    Queue,
    /// The history could not keep up, or not write.
    History,
    /// A client that follows the events read too slowly.
    Subscriber,
}

impl Place {
    /// Every place, in the order of the variants.
    pub const ALL: [Self; 4] = [Self::RateLimit, Self::Queue, Self::History, Self::Subscriber];

    /// As metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Queue => "queue",
            Self::History => "history",
            Self::Subscriber => "subscriber",
        }
    }
}

/// How many were lost where, shared by all who may lose some.
#[derive(Debug, Default)]
pub struct Losses([AtomicU64; Place::ALL.len()]);

impl Losses {
    /// So many more were lost here.
    pub fn add(&self, place: Place, events: u64) {
        self.0[place as usize].fetch_add(events, Ordering::Relaxed);
    }

    /// How many were lost there so far.
    pub fn at(&self, place: Place) -> u64 {
        self.0[place as usize].load(Ordering::Relaxed)
    }
}
