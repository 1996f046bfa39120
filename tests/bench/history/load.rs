//! A day of resets, as a busy host has it, written as the agent writes it.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use resetmon::{
    history::{HistoryOptions, queue, recorder::Recorder},
    input::Events,
    model::ResetEvent,
};

/// Resets of every kind that make up most of what hosts see, as `resetmon watch -o json` writes them.
const RESETS: &str = include_str!("resets.ndjson");
/// Time from the first event to the last.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Events that are handed over at once, as out of the ring buffer.
const HANDED: u64 = 256;
/// Processes and peers of the host.
pub(crate) const PROCESSES: u64 = 500;
const PEERS: u64 = 2_000;
const ROOM: u64 = 64 << 30;

/// What was written.
pub(crate) struct Written {
    /// Events in a second.
    pub(crate) rate: f64,
    /// Microseconds of the processor for an event.
    pub(crate) processor_us: f64,
    /// On the disk.
    pub(crate) bytes: u64,
    /// The first event's time.
    pub(crate) since: Timestamp,
}

/// Writes so many events.
pub(crate) fn write(folder: &Path, events: u64) -> Written {
    let options =
        HistoryOptions { folder: folder.to_owned(), max_bytes: ROOM, max_age: Duration::from_hours(24 * 7) };
    let fail = |message: &str| panic!("{message}");
    let recorder = Recorder::start(options, "node1".into(), || {}, fail).expect("a thread");
    let watcher = recorder.watcher();
    let since = Timestamp::now() - DAY;
    let day = Day::new(since, events);
    let start = Instant::now();
    for first in (0..events).step_by(usize::try_from(HANDED).expect("a small number")) {
        while watcher.status().waiting > queue::CAPACITY as u64 - HANDED {
            thread::sleep(Duration::from_micros(100));
        }
        recorder.record((first..events.min(first + HANDED)).map(|index| day.event(index)));
    }
    while watcher.status().written + watcher.status().lost < events {
        thread::sleep(Duration::from_micros(100));
    }
    let elapsed = start.elapsed();
    let processor_us =
        processor_time().as_secs_f64() * 1e6 / u32::try_from(events).map_or(f64::MAX, f64::from);
    assert_eq!(watcher.status().written, events, "nothing is lost");
    let bytes = watcher.status().bytes;
    assert!(recorder.finish(), "the history is closed");
    Written {
        rate: f64::from(u32::try_from(events).unwrap_or(u32::MAX)) / elapsed.as_secs_f64(),
        processor_us,
        bytes,
        since,
    }
}

/// What the thread that writes has taken of the processor.
fn processor_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("threads").map(|task| task.expect("a thread").path());
    let of_history = |task: &std::path::PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == "history")
    };
    let task = tasks.into_iter().find(of_history).expect("the thread that writes");
    let times = fs::read_to_string(task.join("schedstat")).expect("its times");
    let nanoseconds = times.split(' ').next().and_then(|time| time.parse().ok()).expect("a time");
    Duration::from_nanos(nanoseconds)
}

/// Events of one day, each made of one of the kinds with values of its own.
struct Day {
    kinds: Vec<ResetEvent>,
    since: Timestamp,
    step: SignedDuration,
}

impl Day {
    fn new(since: Timestamp, events: u64) -> Self {
        let mut from = Events::new(RESETS.as_bytes());
        let kinds = std::iter::from_fn(|| from.read().expect("events")).map(|recorded| recorded.event);
        let step = DAY / i32::try_from(events).expect("fewer events");
        Self { kinds: kinds.collect(), since, step }
    }

    fn event(&self, index: u64) -> ResetEvent {
        // No two values go in step with each other.
        let random = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let part = |shift: u32, of: u64| (random >> shift) % of;
        let mut event =
            self.kinds[usize::try_from(part(60, self.kinds.len() as u64)).expect("small")].clone();
        event.time = self.since + self.step * i32::try_from(index).expect("fewer events");
        event.sequence = u16::try_from(index % 65_536).expect("small");
        let peer = u32::try_from(part(20, PEERS)).expect("small");
        event.tuple.peer.set_ip(std::net::Ipv4Addr::from_bits(0x0a00_0000 + peer).into());
        event.tuple.peer.set_port(u16::try_from(part(30, 28_000)).expect("small") + 32_768);
        if let Some(process) = &mut event.process {
            process.pid = pid(part(40, PROCESSES));
        }
        if let Some(connection) = &mut event.connection {
            connection.idle = connection.idle.map(|_| Duration::from_micros(part(10, 400_000_000)));
            connection.age = connection.age.map(|_| Duration::from_micros(part(12, 4_000_000_000)));
        }
        event
    }
}

/// The id of a process.
pub(crate) fn pid(number: u64) -> u32 {
    u32::try_from(number).expect("small") + 1_000
}
