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
/// `inet_csk_accept()` has four parameters (before 6.10), not two.
#[unsafe(no_mangle)]
pub(crate) static ACCEPT_HAS_FOUR: Global<u8> = Global::new(0);
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
