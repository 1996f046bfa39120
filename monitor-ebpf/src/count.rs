//! Exact counters: incremented on every event before anything can be lost. Atomic, because a program in process
//! context can be interrupted by another one on the same CPU.

use aya_ebpf::maps::PerCpuArray;

/// Adds one to a slot of the current CPU.
#[inline(always)]
pub(crate) fn add_one(counters: &PerCpuArray<u64>, slot: u32) {
    if let Some(counter) = counters.get_ptr_mut(slot) {
        // SAFETY: the pointer comes from a map look-up and is not null.
        unsafe {
            core::intrinsics::atomic_xadd::<u64, u64, { core::intrinsics::AtomicOrdering::Relaxed }>(
                counter, 1,
            );
        }
    }
}
