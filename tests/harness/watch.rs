//! `resetmon watch` as a source of events.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::{Command, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{EVENT_LIMIT, LIMIT, Running, binary, endpoint, require_root, subset::differences};

/// Longer than an event is held back before it is told.
const HELD: Duration = Duration::from_millis(100);

/// A key that the harness adds to events: nanoseconds until it had read them.
pub const TOLD_AFTER: &str = "told_after_ns";

/// A watching process and the events it told so far.
#[derive(Debug)]
pub struct Watch {
    process: Running,
    told: Arc<Told>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Told {
    events: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.events.lock().expect("no panic with the lock")
    }
}

impl Watch {
    /// Starts watching everything on this host, in the current network namespace; probes are attached on return.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::run(&mut Command::new(binary()), arguments)
    }

    /// The same with no capability but these, in the form of setpriv(1): `+bpf,+perfmon`.
    pub fn bounded(capabilities: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-all", &format!("--bounding-set=-all,{capabilities}")]).arg(binary());
        Self::run(&mut command, arguments)
    }

    fn run(command: &mut Command, arguments: &[&str]) -> Self {
        require_root();
        let mut process = Running::start(command.args(["watch", "-o", "json"]).args(arguments));
        let output = process.take_output();
        let told = Arc::new(Told::default());
        let heard = Arc::clone(&told);
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A line that is no JSON is kept as a string, which is no event and shows up in every failure.
                let mut event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if let Some(after) = told_after(&event) {
                    event[TOLD_AFTER] = json!(after);
                }
                heard.lock().push(event);
                heard.more.notify_all();
            }
        });
        process.wait_for("watching");
        Self { process, told, reader: Some(reader) }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The first event that has everything in `expected`, waited for.
    #[track_caller]
    pub fn expect(&self, expected: &Value) -> Value {
        let found = self.wait_until(EVENT_LIMIT, |events| {
            events.iter().find(|event| differences(expected, event).is_empty()).cloned()
        });
        found.unwrap_or_else(|| panic!("no event has\n  {expected}\n{}", self.near(expected)))
    }

    /// Every event so far that has everything in `expected`.
    pub fn matching(&self, expected: &Value) -> Vec<Value> {
        let events = self.told.lock();
        events.iter().filter(|event| differences(expected, event).is_empty()).cloned().collect()
    }

    /// Waits until there are `count` events that have everything in `expected`; there may be more.
    #[track_caller]
    pub fn expect_count(&self, expected: &Value, count: usize) {
        let enough = |events: &[Value]| {
            let matching = events.iter().filter(|event| differences(expected, event).is_empty()).count();
            (matching >= count).then_some(())
        };
        let reached = self.wait_until(LIMIT, enough);
        assert!(reached.is_some(), "{} of {count} events have\n  {expected}", self.matching(expected).len());
    }

    /// No event that has everything in `unwanted` has come, nor does one come that was under way.
    #[track_caller]
    pub fn expect_none(&self, unwanted: &Value) {
        self.settle();
        let found = self.matching(unwanted);
        assert!(found.is_empty(), "{} events have\n  {unwanted}\n{found:#?}", found.len());
    }

    /// Waits until every reset that has happened is told: makes one more, and waits for that.
    #[track_caller]
    pub fn settle(&self) {
        thread::sleep(HELD);
        let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let closed = closed.expect("a port where nobody listens");
        let refused = TcpStream::connect_timeout(&closed, EVENT_LIMIT);
        assert!(refused.is_err(), "somebody listens on {closed}");
        let process = json!({"pid": std::process::id()});
        self.expect(&json!({"direction": "received", "peer": endpoint(closed), "process": process}));
    }

    /// Interrupts it as Ctrl-C does: how it ended, and what it said on standard error.
    pub fn interrupt(mut self) -> (ExitStatus, String) {
        self.process.signal(Signal::SIGINT);
        let status = self.process.wait();
        (status, self.process.said())
    }

    /// Waits for its end: how it ended, and the events it told.
    pub fn wait(mut self) -> (ExitStatus, Vec<Value>) {
        let status = self.process.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        (status, self.told.lock().clone())
    }

    fn wait_until<T>(&self, limit: Duration, mut look: impl FnMut(&[Value]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut events = self.told.lock();
        loop {
            let found = look(&events);
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || left.is_zero() {
                return found;
            }
            events = self.told.more.wait_timeout(events, left).expect("no panic with the lock").0;
        }
    }

    /// What came instead: the events, the nearest first, with what they lack.
    fn near(&self, expected: &Value) -> String {
        let events = self.told.lock();
        let mut near: Vec<_> = events.iter().map(|event| (differences(expected, event), event)).collect();
        near.sort_by_key(|(differences, _)| differences.len());
        let near = near
            .iter()
            .map(|(differences, event)| format!("  {event}\n    {}\n", differences.join("\n    ")));
        format!("{} events were seen, the nearest first:\n{}", events.len(), near.collect::<String>())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln_said(&self.process);
        }
        if !self.process.is_over() {
            self.process.signal(Signal::SIGINT);
            self.process.wait();
        }
    }
}

/// How long ago an event happened, which its id tells.
fn told_after(event: &Value) -> Option<u64> {
    let at = u64::from_str_radix(event["id"].as_str()?.get(..16)?, 16).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(u64::try_from(now.as_nanos()).ok()?.saturating_sub(at))
}

#[expect(clippy::print_stderr, reason = "it belongs to the test's failure")]
fn eprintln_said(process: &Running) {
    eprintln!("watch said:\n{}", process.said());
}
