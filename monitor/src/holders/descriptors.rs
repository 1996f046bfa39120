//! Reads from `/proc` which sockets a process has open, and which processes may have them too.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use jiff::Timestamp;
use rustix::{
    fs::{CWD, Dir, Mode, OFlags, openat, readlinkat},
    io::Errno,
};

use crate::model::process::Process;

/// Processes with more descriptors are not looked at: who connected or accepted is taken to hold its socket still.
const MOST_DESCRIPTORS: usize = 4096;

/// Where the unified hierarchy of control groups is mounted, alone or beside others.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The sockets of a process.
pub(super) enum Sockets {
    /// By their inodes, in order.
    All(Vec<u64>),
    /// The process is gone.
    Gone,
    /// Permission is lacking, or there are too many descriptors.
    NotKnown,
}

/// A mounted procfs.
pub(super) struct Procfs(pub(super) PathBuf);

impl Procfs {
    pub(super) fn sockets(&self, pid: u32) -> Sockets {
        let path = self.0.join(format!("{pid}/fd"));
        let folder =
            match openat(CWD, &path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(folder) => folder,
                Err(Errno::NOENT | Errno::SRCH) => return Sockets::Gone,
                Err(_) => return Sockets::NotKnown,
            };
        let Ok(entries) = Dir::read_from(&folder) else { return Sockets::NotKnown };
        let mut inodes = Vec::new();
        let mut target = Vec::new();
        for (count, entry) in entries.enumerate() {
            let Ok(entry) = entry else { return Sockets::NotKnown };
            if count >= MOST_DESCRIPTORS {
                return Sockets::NotKnown;
            }
            let Ok(link) = readlinkat(&folder, entry.file_name(), target) else {
                target = Vec::new();
                continue;
            };
            inodes.extend(socket_inode(link.to_bytes()));
            target = link.into_bytes();
        }
        inodes.sort_unstable();
        Sockets::All(inodes)
    }

    /// The children of a process; `None` when it is gone.
    pub(super) fn children(&self, pid: u32) -> Option<Vec<u32>> {
        let threads = fs::read_dir(self.0.join(format!("{pid}/task"))).ok()?;
        let lists =
            threads.filter_map(Result::ok).map(|thread| fs::read_to_string(thread.path().join("children")));
        Some(lists.filter_map(Result::ok).flat_map(|list| numbers(&list)).collect())
    }

    /// Every process.
    pub(super) fn processes(&self) -> BTreeSet<u32> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// The processes of the control group that a process is in, by the unified hierarchy; nobody in its root, which is
    /// everybody's.
    pub(super) fn same_group(&self, pid: u32) -> BTreeSet<u32> {
        let groups = fs::read_to_string(self.0.join(format!("{pid}/cgroup"))).unwrap_or_default();
        let path = groups.lines().find_map(|line| line.strip_prefix("0::/")).filter(|path| !path.is_empty());
        let lists = path.into_iter().flat_map(|path| {
            UNIFIED.iter().map(move |mount| PathBuf::from(mount).join(path).join("cgroup.procs"))
        });
        lists.filter_map(|list| fs::read_to_string(list).ok()).flat_map(|list| numbers(&list)).collect()
    }

    /// The process itself, if it is still there.
    pub(super) fn process(&self, pid: u32, boot: Timestamp) -> Option<Process> {
        let entry = procfs::process::Process::new_with_root(self.0.join(pid.to_string())).ok()?;
        let stat = entry.stat().ok()?;
        let status = entry.status().ok()?;
        let ticks = procfs::ticks_per_second().max(1);
        let nanoseconds = u128::from(stat.starttime) * 1_000_000_000 / u128::from(ticks);
        let started = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let start_time = boot.checked_add(started).unwrap_or(boot);
        Some(Process { pid, started, start_time, comm: stat.comm.into(), uid: status.ruid, details: None })
    }
}

/// The inode in a descriptor's target, `socket:[4711]`.
pub(super) fn socket_inode(target: &[u8]) -> Option<u64> {
    let inode = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inode).ok()?.parse().ok()
}

fn numbers(list: &str) -> Vec<u32> {
    list.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}
