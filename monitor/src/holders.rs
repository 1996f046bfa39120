//! Which processes hold a socket: looked up among the open descriptors in `/proc`, near the presumed owner first, then
//! everywhere. What it may cost is bounded: so much time a second, and so many descriptors a process.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use rustix::{
    fs::{CWD, Dir, Mode, OFlags, openat, readlinkat},
    io::Errno,
};

use crate::{model::process::Process, owner::Holders as Answer};

/// Look-ups may take one part in so many of a processor's time.
const SHARE: u32 = 5;
/// How much of it may be saved up.
const MOST_SAVED: Duration = Duration::from_millis(250);
/// Processes with more descriptors are not looked at: who connected or accepted is taken to hold its socket still.
const MOST_DESCRIPTORS: usize = 4096;
/// Children of the presumed owner that are looked at when it holds the socket itself.
const MOST_CHILDREN: usize = 16;
/// Processes whose descriptors are remembered.
const MOST_REMEMBERED: usize = 256;

/// Where the unified hierarchy of control groups is mounted, alone or beside others.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Looks up who holds sockets.
pub struct Holders {
    procfs: PathBuf,
    remembered: HashMap<u32, Snapshot>,
    budget: Budget,
    skipped: u64,
}

/// The sockets that a process held at one moment.
struct Snapshot {
    at: Timestamp,
    sockets: Sockets,
}

enum Sockets {
    /// By their inodes.
    All(HashSet<u64>),
    /// The process is gone.
    Gone,
    /// Permission is lacking, or there are too many descriptors.
    NotKnown,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// At the presumed owner and its children.
    Near,
    /// At every process.
    Everywhere,
}

impl Holders {
    /// Looks in the procfs that is mounted there.
    pub fn new(procfs: PathBuf) -> Self {
        Self { procfs, remembered: HashMap::new(), budget: Budget::new(Instant::now()), skipped: 0 }
    }

    /// Look-ups that were not made, or not to their end, for lack of time.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Who holds the socket with this inode at the moment of an event, or since.
    pub fn look(
        &mut self,
        inode: u64,
        owner: Option<&Process>,
        since: Timestamp,
        boot: Timestamp,
        scope: Scope,
    ) -> Answer {
        let start = used();
        if !self.budget.allows(Instant::now()) {
            self.skipped += 1;
            return self.unknown(owner);
        }
        let search = Search { inode, since, boot, deadline: start + self.budget.left };
        let answer = match scope {
            Scope::Near => self.near(&search, owner),
            Scope::Everywhere => self.everywhere(&search, owner),
        };
        let end = used();
        self.budget.spend(end.saturating_sub(start));
        self.skipped += u64::from(end >= search.deadline);
        answer
    }

    fn near(&mut self, search: &Search, owner: Option<&Process>) -> Answer {
        let Some(presumed) = owner else { return Answer::Nobody };
        let mut found = Found::default();
        self.ask(presumed.pid, search, &mut found);
        let children = self.children(presumed.pid);
        if found.holders.is_empty() || children.len() <= MOST_CHILDREN {
            for child in children {
                self.ask(child, search, &mut found);
            }
        }
        self.answer(found, owner)
    }

    /// First in the owner's control group, which ends the search if anybody holds the socket there.
    fn everywhere(&mut self, search: &Search, owner: Option<&Process>) -> Answer {
        let mut found = Found::default();
        let same = owner.map(|owner| self.same_group(owner.pid)).unwrap_or_default();
        self.ask_all(&same, search, &mut found);
        if found.holders.is_empty() {
            let others = self.processes().into_iter().filter(|pid| !same.contains(pid));
            self.ask_all(&others.collect(), search, &mut found);
        }
        self.answer(found, owner)
    }

    fn answer(&self, found: Found, owner: Option<&Process>) -> Answer {
        match (found.holders.is_empty(), found.incomplete) {
            (false, _) => Answer::Found(found.holders),
            (true, false) => Answer::Nobody,
            (true, true) => self.unknown(owner),
        }
    }

    fn unknown(&self, owner: Option<&Process>) -> Answer {
        let has_children = owner.is_some_and(|owner| !self.children(owner.pid).is_empty());
        Answer::Unknown { has_children }
    }

    fn ask_all(&mut self, pids: &BTreeSet<u32>, search: &Search, found: &mut Found) {
        for &pid in pids {
            if used() >= search.deadline {
                found.incomplete = true;
                break;
            }
            self.ask(pid, search, found);
        }
    }

    fn ask(&mut self, pid: u32, search: &Search, found: &mut Found) {
        if self.remembered.get(&pid).is_none_or(|snapshot| snapshot.at < search.since) {
            if self.remembered.len() >= MOST_REMEMBERED {
                self.remembered.clear();
            }
            let at = Timestamp::now();
            let sockets = self.sockets(pid);
            self.remembered.insert(pid, Snapshot { at, sockets });
        }
        match self.remembered.get(&pid).map(|snapshot| &snapshot.sockets) {
            Some(Sockets::All(inodes)) if inodes.contains(&search.inode) => {
                found.holders.extend(self.process(pid, search.boot));
            }
            Some(Sockets::NotKnown) => found.incomplete = true,
            _ => {}
        }
    }

    fn sockets(&self, pid: u32) -> Sockets {
        let path = self.procfs.join(format!("{pid}/fd"));
        let folder =
            match openat(CWD, &path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(folder) => folder,
                Err(Errno::NOENT | Errno::SRCH) => return Sockets::Gone,
                Err(_) => return Sockets::NotKnown,
            };
        let Ok(entries) = Dir::read_from(&folder) else { return Sockets::NotKnown };
        let mut inodes = HashSet::new();
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
        Sockets::All(inodes)
    }

    fn children(&self, pid: u32) -> Vec<u32> {
        let Ok(threads) = fs::read_dir(self.procfs.join(format!("{pid}/task"))) else { return Vec::new() };
        let lists =
            threads.filter_map(Result::ok).map(|thread| fs::read_to_string(thread.path().join("children")));
        lists.filter_map(Result::ok).flat_map(|list| numbers(&list)).collect()
    }

    fn processes(&self) -> BTreeSet<u32> {
        let entries = fs::read_dir(&self.procfs).into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// The processes of the control group that a process is in, by the unified hierarchy; nobody in its root, which is
    /// everybody's.
    fn same_group(&self, pid: u32) -> BTreeSet<u32> {
        let groups = fs::read_to_string(self.procfs.join(format!("{pid}/cgroup"))).unwrap_or_default();
        let path = groups.lines().find_map(|line| line.strip_prefix("0::/")).filter(|path| !path.is_empty());
        let lists = path.into_iter().flat_map(|path| {
            UNIFIED.iter().map(move |mount| PathBuf::from(mount).join(path).join("cgroup.procs"))
        });
        lists.filter_map(|list| fs::read_to_string(list).ok()).flat_map(|list| numbers(&list)).collect()
    }

    fn process(&self, pid: u32, boot: Timestamp) -> Option<Process> {
        let entry = procfs::process::Process::new_with_root(self.procfs.join(pid.to_string())).ok()?;
        let stat = entry.stat().ok()?;
        let status = entry.status().ok()?;
        let ticks = procfs::ticks_per_second().max(1);
        let nanoseconds = u128::from(stat.starttime) * 1_000_000_000 / u128::from(ticks);
        let started = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let start_time = boot.checked_add(started).unwrap_or(boot);
        Some(Process { pid, started, start_time, comm: stat.comm.into(), uid: status.ruid, details: None })
    }
}

/// What is looked for.
struct Search {
    inode: u64,
    since: Timestamp,
    boot: Timestamp,
    /// By the thread's own time.
    deadline: Duration,
}

/// Who was found so far.
#[derive(Default)]
struct Found {
    holders: Vec<Process>,
    incomplete: bool,
}

/// The inode in a descriptor's target, `socket:[4711]`.
fn socket_inode(target: &[u8]) -> Option<u64> {
    let inode = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inode).ok()?.parse().ok()
}

fn numbers(list: &str) -> Vec<u32> {
    list.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Processor time that this thread has used: on a busy machine it is less than what goes by.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Processor time that may be spent: a share of the time that goes by.
#[derive(Debug)]
struct Budget {
    left: Duration,
    at: Instant,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { left: MOST_SAVED, at: now }
    }

    /// Whether there is time left at `now`.
    fn allows(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.at) / SHARE;
        self.left = (self.left + earned).min(MOST_SAVED);
        self.at = now;
        !self.left.is_zero()
    }

    fn spend(&mut self, spent: Duration) {
        self.left = self.left.saturating_sub(spent);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        os::fd::AsRawFd as _,
        path::PathBuf,
        process::Command,
        sync::Arc,
        time::{Duration, Instant},
    };

    use jiff::Timestamp;

    use super::{Budget, Holders, MOST_SAVED, Scope, socket_inode};
    use crate::{model::process::Process, owner::Holders as Answer};

    fn process(pid: u32) -> Process {
        Process {
            pid,
            started: Duration::ZERO,
            start_time: Timestamp::UNIX_EPOCH,
            comm: Arc::from("?"),
            uid: 0,
            details: None,
        }
    }

    fn inode(socket: &TcpListener) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("a descriptor");
        socket_inode(link.to_str().expect("UTF-8").as_bytes()).expect("a socket")
    }

    fn pids(answer: Answer) -> Vec<u32> {
        let Answer::Found(holders) = answer else { panic!("{answer:?}") };
        holders.iter().map(|holder| holder.pid).collect()
    }

    #[test]
    fn holders_are_found() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let inode = inode(&socket);
        let mut holders = Holders::new(PathBuf::from("/proc"));
        let mut look = |owner: Option<u32>, scope| {
            let owner = owner.map(process);
            holders.look(inode, owner.as_ref(), Timestamp::now(), Timestamp::UNIX_EPOCH, scope)
        };
        let this = std::process::id();
        assert_eq!(pids(look(Some(this), Scope::Near)), [this]);
        assert_eq!(look(None, Scope::Near), Answer::Nobody);
        // A child that has nothing of its parent's but standard input and output.
        let mut child = Command::new("sleep").arg("100").spawn().expect("a child");
        assert_eq!(look(Some(child.id()), Scope::Near), Answer::Nobody);
        assert_eq!(pids(look(Some(child.id()), Scope::Everywhere)), [this]);
        child.kill().expect("to end it");
        child.wait().expect("its end");
        assert_eq!(look(Some(child.id()), Scope::Near), Answer::Nobody);
        drop(socket);
        assert_eq!(look(Some(this), Scope::Near), Answer::Nobody);
    }

    #[test]
    fn what_was_seen_before_the_event_does_not_count() {
        let mut holders = Holders::new(PathBuf::from("/proc"));
        let this = process(std::process::id());
        let before = Timestamp::now();
        let mut look =
            |inode, since| holders.look(inode, Some(&this), since, Timestamp::UNIX_EPOCH, Scope::Near);
        assert_eq!(look(1, before), Answer::Nobody);
        let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let inode = inode(&socket);
        assert_eq!(look(inode, before), Answer::Nobody);
        assert_eq!(pids(look(inode, Timestamp::now())), [this.pid]);
    }

    #[test]
    fn descriptors_of_sockets() {
        let check = |target: &str, expected| assert_eq!(socket_inode(target.as_bytes()), expected);
        check("socket:[4711]", Some(4711));
        check("socket:[]", None);
        check("socket:[4711", None);
        check("pipe:[4711]", None);
        check("/tmp/socket:[4711]", None);
    }

    #[test]
    fn time_is_bounded() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        assert!(budget.allows(start));
        budget.spend(MOST_SAVED * 2);
        assert!(!budget.allows(start));
        assert!(budget.allows(start + Duration::from_millis(10)));
        assert_eq!(budget.left, Duration::from_millis(2));
        assert!(budget.allows(start + Duration::from_hours(1)));
        assert_eq!(budget.left, MOST_SAVED);
    }
}
