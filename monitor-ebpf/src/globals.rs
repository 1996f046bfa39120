//! Frozen globals that user space sets before loading: offsets of kernel struct members, and what the running kernel
//! offers. The verifier folds them, so a branch on an absent feature or member costs nothing and is never checked.

use aya_ebpf::Global;
use resetmon_common::members::ABSENT;

/// The tracepoint `tcp_send_reset` has a third argument, the reason (6.10 and later, and where it was backported).
#[unsafe(no_mangle)]
pub(crate) static HAS_REASON: Global<u8> = Global::new(0);
/// Tracing programs may use socket storage (5.11 and later).
#[unsafe(no_mangle)]
pub(crate) static HAS_SK_STORAGE: Global<u8> = Global::new(0);
/// Tracing programs may ask for a socket's cookie (5.12 and later).
#[unsafe(no_mangle)]
pub(crate) static HAS_COOKIE: Global<u8> = Global::new(0);
/// Number of `SK_RST_REASON_TCP_ABORT_ON_DATA` on this kernel; meaningless without `HAS_REASON`.
#[unsafe(no_mangle)]
pub(crate) static REASON_ABORT_ON_DATA: Global<u32> = Global::new(u32::MAX);

macro_rules! offsets {
    ($($global:ident: $structure:literal $path:literal $size:literal $need:ident;)*) => {
        $(#[unsafe(no_mangle)] pub(crate) static $global: Global<u32> = Global::new(ABSENT);)*
    };
}
resetmon_common::kernel_members!(offsets);

/// Whether the running kernel has the feature.
#[inline(always)]
pub(crate) fn has(feature: &Global<u8>) -> bool {
    feature.load() != 0
}

/// Loads a member of a kernel object that the verifier knows by its type; zero where this kernel does not have it.
///
/// # Safety
/// `object` must be a pointer to the struct for which `offset` was looked up, of a type the verifier tracks; a fault
/// reads zero.
#[inline(always)]
pub(crate) unsafe fn load<T: Copy + Default>(object: *const u8, offset: &Global<u32>) -> T {
    // SAFETY: the caller's promise.
    unsafe { load_part(object, offset, 0) }
}

/// Loads an IPv6 address, as two words.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_address(object: *const u8, offset: &Global<u32>) -> [u64; 2] {
    // SAFETY: the caller's promise; an address has sixteen bytes.
    unsafe { [load_part(object, offset, 0), load_part(object, offset, 8)] }
}

#[inline(always)]
unsafe fn load_part<T: Copy + Default>(object: *const u8, offset: &Global<u32>, part: usize) -> T {
    let offset = offset.load();
    if offset == ABSENT {
        return T::default();
    }
    // SAFETY: the caller's promise; the verifier checks type and bounds when the program is loaded.
    unsafe { object.add(offset as usize + part).cast::<T>().read_volatile() }
}
