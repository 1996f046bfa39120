//! Zeroing and copying word by word. What the compiler makes of the assignment of a struct, on this target, is a call of a
//! loop over its bytes: eight times the work at each event, and most of the verifier's when the programs are loaded.

use core::mem::MaybeUninit;

use resetmon_common::wire::RawAddress;

/// Room on the stack for a value, zeroed. To be written through, and never moved, which would be such a loop again.
pub(crate) struct Room<T>(MaybeUninit<T>);

impl<T: Copy + Default> Room<T> {
    /// For values of which zeros are the default.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// Zeroes the value and gives it.
    #[inline(always)]
    pub(crate) fn zeroed(&mut self) -> &mut T {
        // SAFETY: all of our types are integers, of which zeros are values.
        unsafe {
            zero(self.0.as_mut_ptr());
            self.0.assume_init_mut()
        }
    }
}

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

/// Makes an address that of nobody.
#[inline(always)]
pub(crate) fn clear(address: &mut RawAddress) {
    // SAFETY: a reference, hence valid; zeros are an address.
    unsafe { zero(address) };
}

/// Writes bytes that were read as two words.
#[inline(always)]
#[expect(clippy::cast_ptr_alignment, reason = "the verifier refuses what is not aligned")]
pub(crate) fn write_bytes(words: [u64; 2], to: &mut [u8; 16]) {
    let to = to.as_mut_ptr().cast::<u64>();
    // SAFETY: as long as the bytes, which begin at a multiple of eight in every type of ours.
    unsafe {
        to.write_volatile(words[0]);
        to.add(1).write_volatile(words[1]);
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
