//! In which control group a reset's socket is, and what runs there. The socket's own group says; where that tells
//! nothing, the group of its owner does: what opens sockets for others sits at the root, and runtimes that use version 1
//! leave their containers in one group of the unified hierarchy. Groups are remembered after their end, since
//! resets arrive after it.

mod hierarchy;

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hashlink::LruCache;
use procfs::process::Process as ProcEntry;

use self::hierarchy::{Found, Hierarchy};
use crate::{
    enrich::start_in_ticks,
    model::{
        ResetEvent,
        process::Process,
        workload::{CgroupId, Workload},
    },
    workload::{self, Detail},
};

/// Control groups that are remembered, and the most that one walk looks at.
const LIMIT: usize = 8192;
/// Processes whose control group is remembered.
const PROCESS_LIMIT: usize = 4096;
/// For how long what was read of a process counts as fresh.
const FRESH: Duration = Duration::from_secs(1);
/// Id of the root of the unified hierarchy, which is there whether mounted or not (5.5–7.x).
const ROOT: u64 = 1;

/// Finds control groups.
pub struct Cgroups {
    procfs: PathBuf,
    hierarchy: Option<Hierarchy>,
    /// A path stays the same as long as its group lives, and no id is used again.
    groups: LruCache<u64, Group>,
    processes: LruCache<Identity, Seen>,
    has_version_1: bool,
}

/// A control group.
#[derive(Clone, Debug)]
struct Group {
    path: Arc<str>,
    workload: Arc<Workload>,
    detail: Detail,
}

/// Id and start, in the ticks in which `/proc` tells it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    pid: u32,
    start: u64,
}

struct Seen {
    group: Group,
    read_at: Instant,
}

impl Group {
    fn new(path: &str) -> Self {
        let workload = workload::workload(path);
        Self { path: path.into(), detail: Detail::of(path, &workload), workload: Arc::new(workload) }
    }
}

impl Cgroups {
    /// Learns the control groups that there are, as the procfs mounted at `procfs` shows them.
    pub fn new(procfs: PathBuf) -> Self {
        let own = fs::read_to_string(procfs.join("self/cgroup")).unwrap_or_default();
        let mut cgroups = Self {
            hierarchy: Hierarchy::find(&procfs),
            groups: LruCache::new(LIMIT),
            processes: LruCache::new(PROCESS_LIMIT),
            has_version_1: own.lines().any(|line| !line.starts_with("0::")),
            procfs,
        };
        cgroups.walk();
        cgroups.groups.insert(ROOT, Group::new("/"));
        cgroups
    }

    /// Adds to an event its control group and what runs there, as far as its owner is known; anew when that changes.
    pub fn place(&mut self, event: &mut ResetEvent) {
        let group = self.group_of(event.cgroup_id, event.process.as_ref());
        (event.cgroup, event.workload) = group.map(|group| (group.path, group.workload)).unzip();
    }

    /// Remembers a group that was made, by its path if that is at hand.
    pub fn remember(&mut self, id: CgroupId, path: Option<&str>) {
        match path {
            Some(path) => drop(self.groups.insert(id.0, Group::new(path))),
            None => drop(self.group(id)),
        }
    }

    fn group_of(&mut self, id: Option<CgroupId>, owner: Option<&Process>) -> Option<Group> {
        let of_socket = id.and_then(|id| self.group(id));
        let enough = if self.has_version_1 { Detail::Container } else { Detail::Unit };
        let told = of_socket.as_ref().map(|group| group.detail);
        if told >= Some(enough) {
            return of_socket;
        }
        let of_owner = owner.and_then(|owner| self.group_of_process(owner));
        of_owner.filter(|group| Some(group.detail) > told).or(of_socket)
    }

    fn group(&mut self, CgroupId(id): CgroupId) -> Option<Group> {
        if let Some(group) = self.groups.get(&id) {
            return Some(group.clone());
        }
        match self.hierarchy.as_mut()?.path(id) {
            Found::Path(path) => {
                let group = Group::new(&path);
                self.groups.insert(id, group.clone());
                Some(group)
            }
            Found::Gone => None,
            Found::Walk => {
                self.walk();
                self.groups.get(&id).cloned()
            }
        }
    }

    fn walk(&mut self) {
        let Self { hierarchy, groups, .. } = self;
        let Some(hierarchy) = hierarchy else { return };
        hierarchy.walk(LIMIT, |id, path| {
            // What is known is only marked as seen.
            if groups.get(&id).is_none() {
                groups.insert(id, Group::new(&path));
            }
        });
    }

    fn group_of_process(&mut self, process: &Process) -> Option<Group> {
        let identity = Identity { pid: process.pid, start: start_in_ticks(process.started) };
        let now = Instant::now();
        if let Some(seen) = self.processes.get(&identity)
            && now.duration_since(seen.read_at) < FRESH
        {
            return Some(seen.group.clone());
        }
        if let Some(path) = self.path_of_process(identity) {
            let group = Group::new(&path);
            self.processes.insert(identity, Seen { group: group.clone(), read_at: now });
            return Some(group);
        }
        self.processes.get(&identity).map(|seen| seen.group.clone())
    }

    fn path_of_process(&self, identity: Identity) -> Option<String> {
        let directory = self.procfs.join(identity.pid.to_string());
        let text = fs::read_to_string(directory.join("cgroup")).ok()?;
        // Read after the text: it is of this process if that is there now.
        let start = ProcEntry::new_with_root(directory).ok()?.stat().ok()?.starttime;
        let is_it = start.abs_diff(identity.start) <= 1;
        is_it.then(|| workload::path_of_process(&text).map(str::to_owned)).flatten()
    }
}
