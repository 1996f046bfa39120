//! Which processes hold a socket: looked up among the open descriptors in `/proc`, near the presumed owner first, then
//! everywhere. What it may cost is bounded: so much time a second, and so many descriptors a process. What was read
//! serves all events that happened before, so it is cheaper to ask late than at once, and for many.

mod budget;
mod descriptors;
mod memory;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

use self::{
    budget::{Budget, MOST_SAVED, used},
    descriptors::{Procfs, Sockets},
    memory::Memory,
};
use crate::{model::process::Process, owner::Holders as Answer};

/// What is kept of the budget for events that have waited, and cannot be asked about again.
const RESERVED: Duration = MOST_SAVED.checked_div(2).expect("two is not zero");
/// An event that comes later than this has others behind it: asking for all of them is put off until they are read.
const LATE: SignedDuration = SignedDuration::from_millis(10);
/// Children of the presumed owner that are looked at when it holds the socket itself.
const MOST_CHILDREN: usize = 16;
/// Sockets of processes that are remembered, and children and neighbours.
const MOST_REMEMBERED: usize = 131_072;

/// Looks up who holds sockets.
pub struct Holders {
    procfs: Procfs,
    sockets: Memory<Sockets>,
    children: Memory<Option<Vec<u32>>>,
    groups: Memory<BTreeSet<u32>>,
    all: Option<(Timestamp, Arc<BTreeSet<u32>>)>,
    budget: Budget,
    skipped: u64,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// At the presumed owner and its children, if that is cheap.
    Near,
    /// There, and then at every process.
    Everywhere,
}

impl Holders {
    /// Looks in the procfs that is mounted there.
    pub fn new(procfs: PathBuf) -> Self {
        Self {
            procfs: Procfs(procfs),
            sockets: Memory::new(MOST_REMEMBERED),
            children: Memory::new(MOST_REMEMBERED),
            groups: Memory::new(MOST_REMEMBERED),
            all: None,
            budget: Budget::new(Instant::now()),
            skipped: 0,
        }
    }

    /// Look-ups that did not come to their end for lack of time, and will not be made again.
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
        let left = self.budget.left(Instant::now());
        let may_use = match scope {
            Scope::Near if Timestamp::now().duration_since(since) > LATE => Duration::ZERO,
            Scope::Near => left.saturating_sub(RESERVED),
            Scope::Everywhere => left,
        };
        let search = Search { inode, since, boot, deadline: start + may_use };
        let mut found = Found::default();
        self.near(&search, owner, &mut found);
        if scope == Scope::Everywhere && found.holders.is_empty() {
            self.everywhere(&search, owner, &mut found);
        }
        self.budget.spend(used().saturating_sub(start));
        self.skipped += u64::from(scope == Scope::Everywhere && found.ran_out);
        found.answer(scope)
    }

    fn near(&mut self, search: &Search, owner: Option<&Process>, found: &mut Found) {
        let Some(owner) = owner else { return };
        found.may_be_anothers = self.ask(owner.pid, search, found) == Some(false);
        let children = self.children(owner.pid, search.since);
        let children = children.as_deref();
        found.may_be_anothers |= children.is_none_or(|children| !children.is_empty());
        if found.holders.is_empty() || children.is_some_and(|children| children.len() <= MOST_CHILDREN) {
            for &child in children.into_iter().flatten() {
                self.ask(child, search, found);
            }
        }
    }

    /// First in the owner's control group, which ends the search if anybody holds the socket there.
    fn everywhere(&mut self, search: &Search, owner: Option<&Process>, found: &mut Found) {
        let same = owner.map(|owner| self.same_group(owner.pid, search.since)).unwrap_or_default();
        self.ask_all(same.iter(), search, found);
        if found.holders.is_empty() {
            let all = self.all(search.since);
            self.ask_all(all.difference(&same), search, found);
        }
    }

    fn ask_all<'a>(&mut self, pids: impl Iterator<Item = &'a u32>, search: &Search, found: &mut Found) {
        for &pid in pids {
            self.ask(pid, search, found);
        }
    }

    /// Whether a process holds the socket, if that is known. What was read before costs nothing.
    fn ask(&mut self, pid: u32, search: &Search, found: &mut Found) -> Option<bool> {
        let sockets = match self.sockets.get(pid, search.since) {
            Some(sockets) => sockets,
            None if used() >= search.deadline => {
                found.ran_out = true;
                return None;
            }
            None => self.read_sockets(pid, search.since),
        };
        let holds = match &*sockets {
            Sockets::All(inodes) => inodes.binary_search(&search.inode).is_ok(),
            Sockets::Gone => false,
            Sockets::NotKnown => {
                found.unreadable = true;
                return None;
            }
        };
        if holds && !found.holders.iter().any(|holder| holder.pid == pid) {
            found.holders.extend(self.procfs.process(pid, search.boot));
        }
        Some(holds)
    }

    fn read_sockets(&mut self, pid: u32, since: Timestamp) -> Arc<Sockets> {
        let at = Timestamp::now();
        let sockets = self.procfs.sockets(pid);
        let weight = if let Sockets::All(inodes) = &sockets { 1 + inodes.len() } else { 1 };
        self.sockets.put(pid, at, since, sockets, weight)
    }

    fn children(&mut self, pid: u32, since: Timestamp) -> Arc<Option<Vec<u32>>> {
        self.children.get(pid, since).unwrap_or_else(|| {
            let at = Timestamp::now();
            let children = self.procfs.children(pid);
            let weight = 1 + children.as_ref().map_or(0, Vec::len);
            self.children.put(pid, at, since, children, weight)
        })
    }

    fn same_group(&mut self, pid: u32, since: Timestamp) -> Arc<BTreeSet<u32>> {
        self.groups.get(pid, since).unwrap_or_else(|| {
            let at = Timestamp::now();
            let group = self.procfs.same_group(pid);
            let weight = 1 + group.len();
            self.groups.put(pid, at, since, group, weight)
        })
    }

    fn all(&mut self, since: Timestamp) -> Arc<BTreeSet<u32>> {
        match &self.all {
            Some((at, all)) if *at >= since => Arc::clone(all),
            _ => {
                let at = Timestamp::now();
                let all = Arc::new(self.procfs.processes());
                self.all = Some((at, Arc::clone(&all)));
                all
            }
        }
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
    /// Time was lacking for some.
    ran_out: bool,
    /// Permission was lacking for some.
    unreadable: bool,
    may_be_anothers: bool,
}

impl Found {
    /// A look at once that was not finished will be made again, and may find more holders then.
    fn answer(self, scope: Scope) -> Answer {
        let is_last = scope == Scope::Everywhere || !self.ran_out;
        if is_last && !self.holders.is_empty() {
            Answer::Found(self.holders)
        } else if self.ran_out || self.unreadable {
            Answer::Unknown { may_be_anothers: self.may_be_anothers }
        } else {
            Answer::Nobody
        }
    }
}

#[cfg(test)]
mod tests;
