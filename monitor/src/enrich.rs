//! What only `/proc` knows about a process: executable, arguments, the name it has now. Read once a second at most, and
//! remembered for a minute after the process is gone, since resets arrive after an exit. A process is its id and its
//! start, so a reused id is never mistaken for the process that had it before.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hashlink::LruCache;
use procfs::process::Process as ProcEntry;

use crate::model::{
    ResetEvent,
    process::{Process, ProcessDetails},
};

/// Processes that are remembered.
const LIMIT: usize = 4096;
/// For how long what was read counts as fresh.
const FRESH: Duration = Duration::from_secs(1);
/// For how long it is remembered once the process is gone.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Reads processes from procfs.
pub struct Enricher {
    root: PathBuf,
    known: LruCache<Identity, Known>,
}

/// Id and start, in the ticks in which `/proc` tells it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    pid: u32,
    start: u64,
}

struct Known {
    details: Arc<ProcessDetails>,
    read_at: Instant,
    /// The name that the kernel had told by then.
    told: Arc<str>,
}

impl Known {
    /// Not old, and the process has taken no other name since, as execve(2) gives one.
    fn is_fresh(&self, process: &Process, now: Instant) -> bool {
        let is_named_so = process.comm == self.details.comm || process.comm == self.told;
        is_named_so && now.duration_since(self.read_at) < FRESH
    }
}

impl Enricher {
    /// An enricher that reads the procfs mounted at `root`; an error when there is none.
    pub fn new(root: PathBuf) -> io::Result<Self> {
        std::fs::metadata(root.join("self/stat"))?;
        Ok(Self { root, known: LruCache::new(LIMIT) })
    }

    /// Adds to an event what `/proc` knows about its processes.
    pub fn enrich(&mut self, event: &mut ResetEvent) {
        let processes = event.process.iter_mut().chain(&mut event.acting).chain(&mut event.actor);
        for process in processes.chain(&mut event.other_holders) {
            self.enrich_process(process);
        }
    }

    /// Adds to a process what `/proc` knows about it, and has not told before.
    pub fn enrich_process(&mut self, process: &mut Process) {
        if process.details.is_none() {
            process.details = self.details(process);
        }
    }

    fn details(&mut self, process: &Process) -> Option<Arc<ProcessDetails>> {
        let identity = Identity { pid: process.pid, start: start_in_ticks(process.started) };
        let now = Instant::now();
        if let Some(known) = self.known.get(&identity)
            && known.is_fresh(process, now)
        {
            return Some(Arc::clone(&known.details));
        }
        if let Some(details) = self.read(identity) {
            let details = Arc::new(details);
            let told = Arc::clone(&process.comm);
            self.known.insert(identity, Known { details: Arc::clone(&details), read_at: now, told });
            return Some(details);
        }
        let known = self.known.get(&identity).filter(|known| now.duration_since(known.read_at) < REMEMBERED);
        known.map(|known| Arc::clone(&known.details))
    }

    fn read(&self, identity: Identity) -> Option<ProcessDetails> {
        let entry = ProcEntry::new_with_root(self.root.join(identity.pid.to_string())).ok()?;
        // First what an exiting process loses first. Zombies and kernel threads have no arguments.
        let exe = entry.exe().ok().map(|exe| Arc::from(exe.to_string_lossy()));
        let cmdline = entry.cmdline().ok().filter(|arguments| !arguments.is_empty()).map(Arc::from);
        let stat = entry.stat().ok()?;
        if stat.starttime.abs_diff(identity.start) > 1 {
            return None;
        }
        Some(ProcessDetails { comm: Arc::from(stat.comm), exe, cmdline })
    }
}

/// `/proc/PID/stat` tells the start in ticks of `sysconf(_SC_CLK_TCK)`, rounded down.
pub(crate) fn start_in_ticks(started: Duration) -> u64 {
    let nanoseconds_per_tick = 1_000_000_000 / procfs::ticks_per_second().max(1);
    u64::try_from(started.as_nanos()).unwrap_or(u64::MAX) / nanoseconds_per_tick
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        path::PathBuf,
        process::{Command, Stdio},
        sync::Arc,
        thread,
        time::Duration,
    };

    use jiff::Timestamp;

    use super::Enricher;
    use crate::model::process::Process;

    fn this_process(start_offset: u64) -> Process {
        started(&procfs::process::Process::myself().expect("/proc/self"), start_offset)
    }

    fn started(entry: &procfs::process::Process, start_offset: u64) -> Process {
        let ticks = entry.stat().expect("stat").starttime + start_offset;
        Process {
            pid: entry.pid().cast_unsigned(),
            started: Duration::from_nanos(ticks * (1_000_000_000 / procfs::ticks_per_second())),
            start_time: Timestamp::UNIX_EPOCH,
            comm: Arc::from("?"),
            uid: 0,
            details: None,
        }
    }

    #[test]
    fn reads_this_process() {
        let mut enricher = Enricher::new(PathBuf::from("/proc")).expect("procfs");
        let process = this_process(0);
        let details = enricher.details(&process).expect("details of this process");
        assert_eq!(details.exe.as_deref(), std::env::current_exe().expect("exe").to_str());
        let arguments: Vec<String> = std::env::args().collect();
        assert_eq!(details.cmdline.as_deref(), Some(arguments.as_slice()));
    }

    /// What was read before execve(2) is of another program, however little time has passed.
    #[test]
    fn a_process_that_has_become_another_program_is_read_again() {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", "read line; exec sleep 30"]).stdin(Stdio::piped());
        let mut child = shell.spawn().expect("a shell");
        let entry = procfs::process::Process::new(child.id().cast_signed()).expect("its entry");
        let process = |comm: &str| Process { comm: Arc::from(comm), ..started(&entry, 0) };
        let mut enricher = Enricher::new(PathBuf::from("/proc")).expect("procfs");
        let before = enricher.details(&process("sh")).expect("details");
        child.stdin.take().expect("a pipe").write_all(b"\n").expect("it reads");
        while entry.stat().expect("stat").comm == "sh" {
            thread::yield_now();
        }
        let after = enricher.details(&process("sleep")).expect("details");
        child.kill().and_then(|()| child.wait()).expect("it can be ended");
        assert_eq!((&*before.comm, &*after.comm), ("sh", "sleep"));
        assert_ne!(before.exe, after.exe);
    }

    #[test]
    fn does_not_mistake_a_reused_pid() {
        let mut enricher = Enricher::new(PathBuf::from("/proc")).expect("procfs");
        let process = this_process(5000);
        assert_eq!(enricher.details(&process), None);
    }

    #[test]
    fn says_when_there_is_no_procfs() {
        let error = Enricher::new(PathBuf::from("/nonexistent")).err().map(|error| error.kind());
        assert_eq!(error, Some(std::io::ErrorKind::NotFound));
    }
}
