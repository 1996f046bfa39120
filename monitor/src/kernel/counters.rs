//! The exact counters, kept by the BPF programs per CPU and summed here.

use std::{
    os::fd::RawFd,
    sync::{Mutex, PoisonError},
};

use aya::maps::{MapData, MapError, PerCpuArray};
use resetmon_common::layout::{
    IGNORED_SLOTS, LOST_RECEIVED, LOST_REFUTED, LOST_SENT, MAP_IGNORED, MAP_LOST, MAP_RECEIVED,
    MAP_REMEMBERED, MAP_SENT, REASON_NETFILTER, REASON_OTHER, REASON_UNAVAILABLE, REASONS, REMEMBERED_NEW,
    REMEMBERED_REFUSED, Receipt, STATES, received_index, sent_index,
};

use super::{error::KernelError, program::ProgramFigures};
use crate::model::TcpState;

type CounterMap = PerCpuArray<MapData, u64>;

/// Counter maps of attached probes.
pub struct Counters {
    sent: CounterMap,
    received: CounterMap,
    lost: CounterMap,
    ignored: CounterMap,
    remembered: Remembered,
    missed: Missed,
    /// What was told last: counts never go back, although a call may be refuted between two readings.
    told: Mutex<Told>,
}

/// What the map of closed connections and listeners was given, and how many it has room for. The kernel does not tell what
/// it evicts: that is what does not fit.
pub(super) struct Remembered {
    pub(super) given: CounterMap,
    pub(super) room: u32,
}

impl Remembered {
    fn forgotten(&self) -> Result<u64, KernelError> {
        let read = |slot| sum(&self.given, MAP_REMEMBERED, slot);
        Ok(read(REMEMBERED_NEW)?.saturating_sub(u64::from(self.room)) + read(REMEMBERED_REFUSED)?)
    }
}

/// Descriptors of the programs that count. The kernel skips a program that interrupts itself on the same CPU (a softirq
/// in process context) and says how often it did so (5.12 and later; before, it skips none).
#[derive(Clone, Copy, Debug)]
pub(super) struct Missed {
    pub(super) tcp_send_reset: RawFd,
    pub(super) tcp_receive_reset: RawFd,
}

#[derive(Default)]
struct Told {
    received: [u64; STATES as usize],
    lost_received: u64,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Resets sent; those that never happened are left out.
    pub sent: Vec<SentCount>,
    /// Resets received, by state; those that never happened are left out.
    pub received: Vec<(Option<TcpState>, u64)>,
    /// Resets sent whose event found no room in the ring buffer, or whose program the kernel skipped.
    pub lost_sent: u64,
    /// Resets received, likewise.
    pub lost_received: u64,
    /// Resets sent whose program the kernel skipped: nothing is known of them but that they happened.
    pub missed_sent: u64,
    /// Calls of `tcp_receive_reset` whose program the kernel skipped, likewise.
    pub missed_received: u64,
    /// RSTs that the kernel ignored, by its number for why; those that never happened are left out.
    pub ignored: Vec<(u32, u64)>,
    /// Closed connections and listeners that were forgotten to make room for others, at least.
    pub forgotten: u64,
}

/// How often a reset was sent for one reason in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentCount {
    /// The reason.
    pub reason: CountedReason,
    /// The state before; `None` without a socket.
    pub state: Option<TcpState>,
    /// How often.
    pub count: u64,
}

/// The reason of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedReason {
    /// A number of `enum sk_rst_reason`.
    Number(u32),
    /// The firewall made it.
    Netfilter,
    /// A number too large for the table.
    Other,
    /// This kernel tells none.
    Unavailable,
}

impl Counts {
    /// All resets.
    pub fn total(&self) -> u64 {
        let sent: u64 = self.sent.iter().map(|sent| sent.count).sum();
        let received: u64 = self.received.iter().map(|(_, count)| count).sum();
        sent + received + self.missed_sent + self.missed_received
    }

    /// Resets that are counted and of which there is no event.
    pub fn lost(&self) -> u64 {
        self.lost_sent + self.lost_received
    }
}

impl Counters {
    pub(super) fn new(
        sent: CounterMap,
        received: CounterMap,
        lost: CounterMap,
        ignored: CounterMap,
        remembered: Remembered,
        missed: Missed,
    ) -> Self {
        Self { sent, received, lost, ignored, remembered, missed, told: Mutex::default() }
    }

    /// Reads all counters.
    pub fn read(&self) -> Result<Counts, KernelError> {
        let (missed_sent, missed_received) =
            (misses(self.missed.tcp_send_reset), misses(self.missed.tcp_receive_reset));
        let lost = |slot| sum(&self.lost, MAP_LOST, slot);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Counts {
            received: self.read_received(&mut told)?,
            sent: self.read_sent()?,
            lost_sent: lost(LOST_SENT)? + missed_sent,
            lost_received: self.read_lost_received(&mut told)? + missed_received,
            missed_sent,
            missed_received,
            ignored: self.read_ignored()?,
            forgotten: self.remembered.forgotten()?,
        })
    }

    fn read_ignored(&self) -> Result<Vec<(u32, u64)>, KernelError> {
        let counts = (0..IGNORED_SLOTS).map(|reason| Ok((reason, sum(&self.ignored, MAP_IGNORED, reason)?)));
        counts.filter(|count| !matches!(count, Ok((_, 0)))).collect()
    }

    fn read_sent(&self) -> Result<Vec<SentCount>, KernelError> {
        let mut counts = Vec::new();
        for reason in 0..REASONS {
            for state in 0..STATES {
                let count = sum(&self.sent, MAP_SENT, sent_index(reason, state))?;
                if count != 0 {
                    counts.push(SentCount { reason: counted(reason), state: tcp_state(state), count });
                }
            }
        }
        Ok(counts)
    }

    /// Calls that were refuted are no receipts. They are read after all calls, so that a difference is never too large
    /// for long, and what was told is the lower bound, so that it is never taken back.
    fn read_received(&self, told: &mut Told) -> Result<Vec<(Option<TcpState>, u64)>, KernelError> {
        let read = |receipt, state| sum(&self.received, MAP_RECEIVED, received_index(receipt, state));
        let mut seen = [0; STATES as usize];
        for (seen, state) in seen.iter_mut().zip(0..) {
            *seen = read(Receipt::Seen, state)?;
        }
        let mut counts = Vec::new();
        for ((seen, told), state) in seen.into_iter().zip(&mut told.received).zip(0..) {
            *told = (*told).max(seen.saturating_sub(read(Receipt::Refuted, state)?));
            if *told != 0 {
                counts.push((tcp_state(state), *told));
            }
        }
        Ok(counts)
    }

    fn read_lost_received(&self, told: &mut Told) -> Result<u64, KernelError> {
        let read = |slot| sum(&self.lost, MAP_LOST, slot);
        let received = read(LOST_RECEIVED)?;
        told.lost_received = told.lost_received.max(received.saturating_sub(read(LOST_REFUTED)?));
        Ok(told.lost_received)
    }
}

fn misses(program: RawFd) -> u64 {
    ProgramFigures::read(program).recursion_misses
}

fn sum(map: &CounterMap, name: &'static str, slot: u32) -> Result<u64, KernelError> {
    let values = map.get(&slot, 0).map_err(|source: MapError| KernelError::Map { name, source })?;
    Ok(values.iter().sum())
}

fn counted(reason: u32) -> CountedReason {
    match reason {
        REASON_NETFILTER => CountedReason::Netfilter,
        REASON_OTHER => CountedReason::Other,
        REASON_UNAVAILABLE => CountedReason::Unavailable,
        number => CountedReason::Number(number),
    }
}

fn tcp_state(slot: u32) -> Option<TcpState> {
    u8::try_from(slot).ok().and_then(TcpState::from_number)
}
