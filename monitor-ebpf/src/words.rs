//! Zeroing and copying word by word. What the compiler makes of the assignment of a struct, on this target, is a call of a
//! loop over its bytes: eight times the work at each event, and most of the verifier's when the programs are loaded.

/// Zeroes a value.
///
/// # Safety
/// `to` must be valid for writes, and zeros a value of the type.
#[inline(always)]
pub(crate) unsafe fn zero<T>(to: *mut T) {
    const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>().is_multiple_of(8)) };
    let words = to.cast::<u64>();
    for at in 0..size_of::<T>() / 8 {
        // SAFETY: within the value; volatile, so that the loop is left as it is.
        unsafe { words.add(at).write_volatile(0) };
    }
}

/// Copies a value.
#[inline(always)]
pub(crate) fn copy<T: Copy>(from: &T, to: &mut T) {
    // SAFETY: references, hence valid and apart; every part of a value of ours is written, padding included.
    unsafe {
        if align_of::<T>().is_multiple_of(8) {
            copy_as::<T, u64>(from, to);
        } else {
            copy_as::<T, u32>(from, to);
        }
    }
}

#[inline(always)]
unsafe fn copy_as<T, W>(from: *const T, to: *mut T) {
    const { assert!(size_of::<T>().is_multiple_of(4) && align_of::<T>().is_multiple_of(4)) };
    let (from, to) = (from.cast::<W>(), to.cast::<W>());
    for at in 0..size_of::<T>() / size_of::<W>() {
        // SAFETY: as above.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
}
