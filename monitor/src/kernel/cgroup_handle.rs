//! Opens a control group by its id, which the kernel takes for a file handle of the unified hierarchy: no walk through
//! the hierarchy, however large it is. Needs `CAP_DAC_READ_SEARCH`.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

/// `FILEID_KERNFS` (`include/linux/exportfs.h`, 5.5–7.x): the handle is the id of a `kernfs_node`.
const FILEID_KERNFS: i32 = 0xfe;

/// `struct file_handle` (`include/linux/fs.h`) with an id.
#[repr(C)]
struct FileHandle {
    bytes: u32,
    kind: i32,
    id: [u8; 8],
}

/// Opens the directory of the control group `id`, for its path only; `hierarchy` is any directory of the hierarchy.
pub fn open(hierarchy: BorrowedFd<'_>, id: u64) -> io::Result<OwnedFd> {
    let mut handle = FileHandle { bytes: 8, kind: FILEID_KERNFS, id: id.to_ne_bytes() };
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: the handle has as many bytes as it says, and the kernel writes nothing. A result that is not negative is a
    // new descriptor, which nobody else has.
    unsafe {
        let opened = libc::syscall(
            libc::SYS_open_by_handle_at,
            hierarchy.as_raw_fd(),
            (&raw mut handle).cast::<libc::c_void>(),
            flags,
        );
        let descriptor = i32::try_from(opened).ok().filter(|descriptor| *descriptor >= 0);
        descriptor.map(|descriptor| OwnedFd::from_raw_fd(descriptor)).ok_or_else(io::Error::last_os_error)
    }
}
