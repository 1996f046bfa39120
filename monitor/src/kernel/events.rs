//! The ring buffer: waits for events and hands out their bytes. Every batch is bounded, so that whoever shares the
//! thread gets its turn during a flood.

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

use super::error::KernelError;

/// Most events of one batch.
const BATCH: usize = 1024;

/// What a batch has left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: what comes next has happened after it.
    Nothing,
    /// There may be more.
    More,
}

/// Events from the kernel, in the order in which their programs reserved room.
pub struct EventStream {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl EventStream {
    /// Wraps the ring buffer; needs a runtime.
    pub(super) fn new(ring: RingBuf<MapData>) -> Result<Self, KernelError> {
        // SAFETY: the map's descriptor belongs to `ring`, which keeps it open and the same until it is dropped.
        unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map(|ring| Self { ring })
            .map_err(|error| KernelError::Events(error.into()))
    }

    /// Waits for events and hands the bytes of each to `each`. Loses nothing when it is dropped while it waits.
    pub async fn batch(&mut self, mut each: impl FnMut(&[u8])) -> Result<Rest, KernelError> {
        let mut ready = self.ring.readable_mut().await.map_err(KernelError::Events)?;
        for _ in 0..BATCH {
            let Some(bytes) = ready.get_inner_mut().next() else {
                // Only a ring buffer that has been emptied wakes up again.
                ready.clear_ready();
                return Ok(Rest::Nothing);
            };
            each(&bytes);
        }
        Ok(Rest::More)
    }

    /// Hands out what is there, without waiting: at most one batch.
    pub fn rest(&mut self, mut each: impl FnMut(&[u8])) -> Rest {
        for _ in 0..BATCH {
            let Some(bytes) = self.ring.get_mut().next() else { return Rest::Nothing };
            each(&bytes);
        }
        Rest::More
    }
}
