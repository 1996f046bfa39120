//! Network namespaces of the host, and TCP's counters in each: found by the processes that live in them. A namespace that
//! no process is in, or none that may be looked at, is not found.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{
    reconcile::{Reading, Snapshot},
    snmp::TcpCounters,
};

/// Inode of the network namespace of this process.
pub(super) fn own(procfs: &Path) -> Option<u32> {
    inode(&procfs.join("self/ns/net"))
}

/// Reads the counters of every namespace that can be found; an error when not even the own ones can be read.
pub(super) fn snapshot(procfs: &Path) -> io::Result<Snapshot> {
    let mut snapshot = Snapshot::new();
    let this = procfs.join("self");
    let own =
        inode(&this.join("ns/net")).ok_or_else(|| io::Error::other("cannot tell the network namespace"))?;
    snapshot.insert(own, read(&this)?);
    for process in processes(procfs) {
        let Some(netns) = inode(&process.join("ns/net")) else { continue };
        if snapshot.contains_key(&netns) {
            continue;
        }
        // It may have ended or moved since.
        if let Ok(reading) = read(&process)
            && inode(&process.join("ns/net")) == Some(netns)
        {
            snapshot.insert(netns, reading);
        }
    }
    Ok(snapshot)
}

/// The folder of every process.
pub(super) fn processes(procfs: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(procfs).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        .map(|entry| entry.path())
}

fn read(process: &Path) -> io::Result<Reading> {
    let path = process.join("net/snmp");
    let begun = Timestamp::now();
    let text = fs::read_to_string(&path)?;
    let ended = Timestamp::now();
    let none = || io::Error::other(format!("{} has no counters of TCP", path.display()));
    let counters = TcpCounters::parse(&text).ok_or_else(none)?;
    Ok(Reading { counters, begun, ended })
}

fn inode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().and_then(|namespace| u32::try_from(namespace.ino()).ok())
}
