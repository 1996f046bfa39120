//! The limit on locked memory, against which some kernels count BPF maps and programs (before 5.11): where they need more,
//! the kernel answers as if they were forbidden. Deliberately lacks raising the limit, which loading tries by itself.

use std::{io, ptr};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// The limit in bytes, if that may be why a kernel that counts BPF against it has just refused something.
pub(super) fn in_the_way() -> Option<u64> {
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK).ok()?;
    (limit != RLIM_INFINITY && bpf_is_allowed()).then_some(limit)
}

/// Whether bpf(2) is allowed at all. Where it is, a command without attributes is wrong for lack of these; where a seccomp
/// filter or a user namespace forbids it, it does not come to that.
fn bpf_is_allowed() -> bool {
    const BPF_MAP_CREATE: libc::c_int = 0;
    let (attributes, size) = (ptr::null::<libc::c_void>(), 0_usize);
    // SAFETY: of attributes whose size is zero the kernel reads nothing.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, attributes, size) };
    answer >= 0 || io::Error::last_os_error().raw_os_error() != Some(libc::EPERM)
}
