//! The two ways to kernel memory: plain loads, where the verifier knows what a pointer points to, and the helper that
//! probes any address, where it does not (kprobes, packet bytes). Both read zero where memory cannot be read.

use core::mem::MaybeUninit;

use aya_ebpf::{Global, helpers::generated::bpf_probe_read_kernel};
use resetmon_common::members::ABSENT;

/// A way to the members of kernel objects.
pub(crate) trait Reach {
    /// Reads at a byte offset of a kernel object.
    ///
    /// # Safety
    /// `object` must be a pointer to the struct for which `offset` was looked up, in the form that this way takes.
    unsafe fn read<T: Copy + Default>(object: *const u8, offset: usize) -> T;

    /// Loads a member of a kernel object; zero where this kernel does not have it.
    ///
    /// # Safety
    /// As for [`Reach::read`].
    #[inline(always)]
    unsafe fn load<T: Copy + Default>(object: *const u8, offset: &Global<u32>) -> T {
        let offset = offset.load();
        if offset == ABSENT {
            return T::default();
        }
        // SAFETY: the caller's promise.
        unsafe { Self::read(object, offset as usize) }
    }

    /// Loads a member that points to another object, and a member of that; zero where a pointer is null.
    ///
    /// # Safety
    /// As for [`Reach::read`], for both objects.
    #[inline(always)]
    unsafe fn load_through<T: Copy + Default>(
        object: *const u8,
        pointer: &Global<u32>,
        offset: &Global<u32>,
    ) -> T {
        // SAFETY: the caller's promise.
        unsafe {
            let target: usize = Self::load(object, pointer);
            if target == 0 {
                return T::default();
            }
            Self::load(target as *const u8, offset)
        }
    }

    /// Loads sixteen bytes, as two words; zero where this kernel does not have them.
    ///
    /// # Safety
    /// As for [`Reach::read`].
    #[inline(always)]
    unsafe fn load_pair(object: *const u8, offset: &Global<u32>) -> [u64; 2] {
        let offset = offset.load();
        if offset == ABSENT {
            return [0; 2];
        }
        // SAFETY: the caller's promise; the member has sixteen bytes.
        unsafe { [Self::read(object, offset as usize), Self::read(object, offset as usize + 8)] }
    }
}

/// Plain loads through pointers that the verifier knows by their type; it checks every access.
pub(crate) struct Typed;

impl Reach for Typed {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(object: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise; the verifier checks type and bounds when the program is loaded.
        unsafe { object.add(offset).cast::<T>().read_volatile() }
    }
}

/// Reads by a helper, from any address.
pub(crate) struct Probed;

impl Reach for Probed {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(object: *const u8, offset: usize) -> T {
        probe_read(object as u64 + offset as u64)
    }
}

/// Copies `size_of::<T>()` bytes of kernel memory; zeros where it cannot be read.
#[inline(always)]
pub(crate) fn probe_read<T: Copy + Default>(from: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the source and writes all of `value`, zeros on a fault; zeros are a value of what is read.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from as *const _);
        value.assume_init()
    }
}

/// [`Typed`]'s way, which most programs take.
///
/// # Safety
/// As for [`Reach::load`].
#[inline(always)]
pub(crate) unsafe fn load<T: Copy + Default>(object: *const u8, offset: &Global<u32>) -> T {
    // SAFETY: the caller's promise.
    unsafe { Typed::load(object, offset) }
}
