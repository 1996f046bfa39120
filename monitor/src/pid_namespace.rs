//! Whose process ids a procfs shows. The kernel tells those of the initial pid namespace, so in a container without it
//! the ids of events are not those of its `/proc`.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use procfs::process::Process;
use resetmon_common::wire::PF_KTHREAD;

use crate::notice::tell;

/// Inode number of the initial pid namespace (`PROC_PID_INIT_INO`, `include/linux/proc_ns.h`, 3.8 and later).
const INITIAL: u64 = 0xEFFF_FFFC;

/// Process id of kthreadd in the initial pid namespace, where every kernel thread lives.
const KTHREADD: &str = "2";

/// Whether this process is in the initial pid namespace; `None` when that cannot be read.
pub fn is_initial(procfs: &Path) -> Option<bool> {
    fs::metadata(procfs.join("self/ns/pid")).ok().map(|namespace| namespace.ino() == INITIAL)
}

/// Whether the ids in a procfs are those that the kernel tells; `None` when that cannot be read.
///
/// `self/ns/pid` is the namespace of the reader, whatever procfs shows it, and not even root may always look at that of
/// process 1. Kernel threads may be seen by everybody, unless `hidepid` hides them: then the reader's has to do.
pub fn shows_host(procfs: &Path) -> Option<bool> {
    let kthreadd = Process::new_with_root(procfs.join(KTHREADD)).and_then(|entry| entry.stat());
    match kthreadd {
        Ok(stat) if stat.flags & PF_KTHREAD != 0 => Some(true),
        _ => is_initial(procfs),
    }
}

/// Warns when process ids will not be those of this procfs.
pub fn tell_unless_host(procfs: &Path) {
    if shows_host(procfs) == Some(false) {
        tell(format_args!(
            "process ids are those of the host, which are not the ones in {}: executables, arguments and who holds \
             a socket will be missing. Run it in the host's pid namespace (docker run --pid=host; in a \
             pod, hostPID: true), or mount the host's /proc and name it by --path.procfs",
            procfs.display()
        ));
    }
}
