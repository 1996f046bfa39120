//! Control groups as systemd and container runtimes make them: real directories, with a process of the test in them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::require_root;

/// A control group, which goes with this value.
#[derive(Debug)]
pub struct Cgroup {
    hierarchy: PathBuf,
    path: String,
}

impl Cgroup {
    /// Makes a control group of the unified hierarchy, with those above it.
    pub fn new(path: &str) -> Self {
        Self::in_hierarchy(unified(), path)
    }

    /// Makes one of systemd's own hierarchy of version 1.
    pub fn version_1(path: &str) -> Self {
        Self::in_hierarchy(systemd_version_1(), path)
    }

    fn in_hierarchy(hierarchy: &Path, path: &str) -> Self {
        require_root();
        let group = Self { hierarchy: hierarchy.to_owned(), path: path.to_owned() };
        let _alone = group.alone();
        let made = fs::create_dir_all(group.directory());
        made.unwrap_or_else(|error| panic!("{path} cannot be made: {error}"));
        group
    }

    /// Its path in the hierarchy.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Moves a process here.
    pub fn take(&self, pid: u32) {
        move_to(&self.directory(), pid);
    }

    /// Moves a process to the root.
    pub fn release(&self, pid: u32) {
        move_to(&self.hierarchy, pid);
    }

    /// Moves the last process to the root, and removes this.
    pub fn abandon(self, pid: u32) {
        self.release(pid);
        let removed = fs::remove_dir(self.directory());
        removed.unwrap_or_else(|error| panic!("{} cannot be removed: {error}", self.path));
    }

    fn directory(&self) -> PathBuf {
        self.hierarchy.join(self.path.trim_start_matches('/'))
    }

    /// Others that make and remove the groups above, in other processes as well, wait.
    fn alone(&self) -> File {
        let file = File::open(&self.hierarchy).expect("a hierarchy");
        file.lock().expect("a lock on the hierarchy");
        file
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _alone = self.alone();
        let mut directory = self.directory();
        // As far up as they are empty. A process that has just been killed may still be there, as a zombie, and goes.
        while directory != self.hierarchy {
            if fs::remove_dir(&directory).is_err() && directory.exists() {
                break;
            }
            directory.pop();
        }
    }
}

/// 64 hexadecimal digits that no other test has.
pub fn container_id() -> String {
    format!("{:032x}{:08x}{:024x}", 0xfeed, process::id(), number())
}

/// The uid of a pod that no other test has.
pub fn pod_uid() -> String {
    format!("3e61c214-5fdb-4a3c-{:04x}-{:04x}{:08x}", number() & 0xffff, 0x7d6a, process::id())
}

/// A number that no other test of this process has.
fn number() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn move_to(directory: &Path, pid: u32) {
    let moved = fs::write(directory.join("cgroup.procs"), pid.to_string());
    moved.unwrap_or_else(|error| panic!("{pid} cannot be moved to {}: {error}", directory.display()));
}

fn unified() -> &'static Path {
    static MOUNT: OnceLock<PathBuf> = OnceLock::new();
    MOUNT.get_or_init(|| mount_of("cgroup2", "").expect("the unified hierarchy is mounted"))
}

/// Where that hierarchy is mounted. A host that does not have it gets it, for as long as the test program runs.
fn systemd_version_1() -> &'static Path {
    static MOUNT: OnceLock<PathBuf> = OnceLock::new();
    MOUNT.get_or_init(|| mount_of("cgroup", "name=systemd").unwrap_or_else(mount_systemd_version_1))
}

fn mount_systemd_version_1() -> PathBuf {
    let point = std::env::temp_dir().join(format!("resetmon-test-cgroup-{}", process::id()));
    fs::create_dir(&point).expect("a new directory");
    let mut mount = Command::new("mount");
    let mounted = mount.args(["-t", "cgroup", "-o", "none,name=systemd", "cgroup"]).arg(&point).output();
    let mounted = mounted.expect("mount can be run");
    assert!(mounted.status.success(), "mount failed: {}", String::from_utf8_lossy(&mounted.stderr));
    point
}

fn mount_of(kind: &str, option: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
    mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let is_it =
            fields[2] == kind && (option.is_empty() || fields[3].split(',').any(|have| have == option));
        is_it.then(|| PathBuf::from(fields[1]))
    })
}
