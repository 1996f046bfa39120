//! The unified hierarchy of control groups as it is mounted: where, and the path of a group by its id. By file handle
//! where the privileges allow it, else by a walk through the directories, which is rare and bounded.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::DirEntryExt as _,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{kernel::cgroup_handle, workload::rooted};

/// Between two walks.
const PAUSE: Duration = Duration::from_secs(1);

/// One mount of the unified hierarchy.
pub(super) struct Hierarchy {
    mount: Mount,
    directory: File,
    /// Where the kernel tells the path of an open descriptor.
    descriptors: PathBuf,
    has_handles: bool,
    walked_at: Option<Instant>,
}

/// Where which part of the hierarchy is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// The group that is mounted: its path in the hierarchy, `/` for all of it.
    root: String,
    point: PathBuf,
}

/// What is known of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its path.
    Path(String),
    /// No group has it any more.
    Gone,
    /// Only a walk can tell.
    Walk,
}

impl Hierarchy {
    /// The hierarchy as this process sees it, by the procfs mounted at `procfs`; the mount that shows most of it.
    pub(super) fn find(procfs: &Path) -> Option<Self> {
        let text = fs::read_to_string(procfs.join("self/mountinfo")).ok()?;
        let mut mounts = mounts(&text);
        // What another mount covers does not look like a control group.
        mounts.retain(|mount| mount.point.join("cgroup.controllers").exists());
        let mount = mounts.into_iter().min_by_key(|mount| mount.root.len())?;
        Some(Self {
            directory: File::open(&mount.point).ok()?,
            mount,
            descriptors: procfs.join("self/fd"),
            has_handles: true,
            walked_at: None,
        })
    }

    /// The path of a group.
    pub(super) fn path(&mut self, id: u64) -> Found {
        if !self.has_handles {
            return Found::Walk;
        }
        match self.path_by_handle(id) {
            Ok(path) => Found::Path(self.mount.path_of(&path)),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESTALE | libc::ENOENT)) => Found::Gone,
            Err(_) => {
                self.has_handles = false;
                Found::Walk
            }
        }
    }

    fn path_by_handle(&self, id: u64) -> io::Result<PathBuf> {
        let opened = cgroup_handle::open(self.directory.as_fd(), id)?;
        fs::read_link(self.descriptors.join(opened.as_raw_fd().to_string()))
    }

    /// Tells id and path of every group, the upper ones first and no more than `limit`; not again within a second.
    pub(super) fn walk(&mut self, limit: usize, each: impl FnMut(u64, String)) {
        if self.walked_at.is_some_and(|walked_at| walked_at.elapsed() < PAUSE) {
            return;
        }
        walk(&self.mount, limit, each);
        self.walked_at = Some(Instant::now());
    }
}

impl Mount {
    /// The path in the hierarchy of a directory in the file system. One above what is mounted has no path in the file
    /// system, and the kernel tells it from the hierarchy's root.
    fn path_of(&self, directory: &Path) -> String {
        let inside = directory.strip_prefix(&self.point);
        let (root, below) = inside.map_or(("", directory), |below| (self.root.trim_end_matches('/'), below));
        let below = below.to_string_lossy();
        let below = below.trim_start_matches('/');
        let path = if below.is_empty() { root.to_owned() } else { format!("{root}/{below}") };
        rooted(&path).to_owned()
    }
}

/// The mounts of the unified hierarchy in the text of a `mountinfo`.
fn mounts(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

/// Reads `35 24 0:30 ROOT POINT OPTIONS … - cgroup2 SOURCE OPTIONS`.
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    if after.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = before.split(' ').skip(3);
    let root = rooted(fields.next()?).to_owned();
    Some(Mount { root, point: PathBuf::from(fields.next()?) })
}

/// The inode number of a group's directory is its id.
fn walk(mount: &Mount, limit: usize, mut each: impl FnMut(u64, String)) {
    let mut left = limit;
    let mut waiting = VecDeque::from([mount.point.clone()]);
    while let Some(directory) = waiting.pop_front() {
        // A group may go during the walk.
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if left == 0 {
                return;
            }
            left -= 1;
            let path = entry.path();
            each(entry.ino(), mount.path_of(&path));
            waiting.push_back(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

    use super::{Mount, mounts, walk};

    fn at(root: &str, point: &str) -> Mount {
        Mount { root: root.to_owned(), point: PathBuf::from(point) }
    }

    #[test]
    fn mounts_are_found() {
        let check = |text: &str, expected: &[Mount]| assert_eq!(mounts(text), expected, "{text}");
        let unified = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        check(unified, &[at("/", "/sys/fs/cgroup")]);
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        check(hybrid, &[at("/", "/sys/fs/cgroup/unified")]);
        let bound = "41 31 0:38 /system.slice/a.scope /mnt/part rw - cgroup2 none rw\n\
                     42 31 0:38 /../.. /mnt/all rw - cgroup2 none rw\n";
        check(bound, &[at("/system.slice/a.scope", "/mnt/part"), at("/", "/mnt/all")]);
        check("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\nnonsense\n - cgroup2\n", &[]);
    }

    #[test]
    fn paths_in_the_hierarchy() {
        let check = |mount: &Mount, directory: &str, expected: &str| {
            assert_eq!(mount.path_of(directory.as_ref()), expected, "{directory}");
        };
        let all = at("/", "/sys/fs/cgroup");
        check(&all, "/sys/fs/cgroup", "/");
        check(&all, "/sys/fs/cgroup/a.slice/b.service", "/a.slice/b.service");
        check(&all, "/sys/fs/cgroup/a.slice (deleted)", "/a.slice");
        let part = at("/docker/1", "/cgroup");
        check(&part, "/cgroup", "/docker/1");
        check(&part, "/cgroup/init.scope", "/docker/1/init.scope");
        check(&part, "/system.slice/sshd.service", "/system.slice/sshd.service");
    }

    #[test]
    fn a_walk_is_bounded_and_tells_upper_groups_first() {
        let root = std::env::temp_dir().join(format!("resetmon-walk-{}", std::process::id()));
        for directory in ["a/a1/a2", "b"] {
            fs::create_dir_all(root.join(directory)).expect("a directory");
        }
        fs::write(root.join("cgroup.procs"), "").expect("a file");
        let told = |limit| {
            let mut told = Vec::new();
            let mount = Mount { root: "/top".into(), point: root.clone() };
            walk(&mount, limit, |id, path| told.push((path, id)));
            told
        };
        let all = told(10);
        let mut paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        paths[..2].sort_unstable();
        assert_eq!(paths, ["/top/a", "/top/b", "/top/a/a1", "/top/a/a1/a2"]);
        for (path, id) in &all {
            let directory = root.join(path.strip_prefix("/top/").expect("below the root"));
            assert_eq!(fs::metadata(&directory).expect("a directory").ino(), *id, "{path}");
        }
        assert_eq!(told(3).len(), 3);
        assert_eq!(told(0).len(), 0);
        fs::remove_dir_all(&root).expect("the test's own directory");
    }
}
