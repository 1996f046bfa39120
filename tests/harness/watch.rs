//! `resetmon watch` as a source of events.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::{Command, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, mpsc::channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{EVENT_LIMIT, LIMIT, Running, binary, endpoint, past, require_root, subset::differences};

/// Longer than an event is held back before it is told.
const HELD: Duration = Duration::from_millis(100);

/// A key that the harness adds to events: nanoseconds until it had read them.
const TOLD_AFTER: &str = "told_after_ns";

/// The key of what a diagnosis reads and users are not told.
const FACTS: &str = "facts";

/// An event that is told later than this after it happened, in nanoseconds, was not waited with on purpose.
const LATE: u64 = 50_000_000;

/// By so many nanoseconds an event's time, which is the kernel's, may be before this clock's.
const DIFFERENCE: u64 = 2_000_000;

/// Events that are shown of those which are not the one that was expected.
const NEAREST: usize = 5;

/// A watching process and the events it told since this value was made.
#[derive(Debug)]
pub struct Watch {
    process: Process,
    told: Arc<Told>,
    reader: Option<JoinHandle<()>>,
    /// Events before these are not this value's: by number, and by time.
    since: (usize, u64),
}

/// Whose the watching process is.
#[derive(Debug)]
enum Process {
    /// This value's: it ends with it.
    Own(Running),
    /// That of all tests which need nothing of their own: loading the probes is what takes longest.
    Shared(&'static Shared),
}

#[derive(Debug)]
struct Shared {
    process: Running,
    told: Arc<Told>,
}

impl Shared {
    fn get() -> &'static Self {
        static SHARED: OnceLock<Shared> = OnceLock::new();
        SHARED.get_or_init(|| {
            let (to, started) = channel();
            thread::spawn(move || {
                // Nobody drops a static: it is told when its parent ends. That is the thread, which therefore stays.
                let mut command = Command::new("setpriv");
                let (process, told, _reader) =
                    start(command.args(["--pdeathsig", "TERM"]).arg(binary()), &[]);
                drop(to.send(Self { process, told }));
                loop {
                    thread::park();
                }
            });
            started.recv().expect("a watch that starts")
        })
    }
}

fn start(command: &mut Command, arguments: &[&str]) -> (Running, Arc<Told>, JoinHandle<()>) {
    require_root();
    let mut process =
        Running::start(command.args(["watch", "-o", "json", "--standalone", "--facts"]).args(arguments));
    let output = process.take_output();
    let told = Arc::new(Told::default());
    past::remember(&told);
    let heard = Arc::clone(&told);
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // A line that is no JSON is kept as a string, which is no event and shows up in every failure.
            let mut event = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if let Some(at) = happened_at(&event) {
                event[TOLD_AFTER] = json!(now().saturating_sub(at));
            }
            heard.lock().push(event);
            heard.more.notify_all();
        }
    });
    process.wait_for("watching");
    (process, told, reader)
}

#[derive(Debug, Default)]
pub(crate) struct Told {
    events: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Told {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.events.lock().expect("no panic with the lock")
    }
}

impl Watch {
    /// Watches everything on this host; what happens from now on is seen. A network namespace of the test's has to be
    /// there already, since one that went before may have had its number.
    pub fn start() -> Self {
        let shared = Shared::get();
        let since = (shared.told.lock().len(), now().saturating_sub(DIFFERENCE));
        Self { process: Process::Shared(shared), told: Arc::clone(&shared.told), reader: None, since }
    }

    /// The same with further arguments, hence by a process of its own, in the current network namespace.
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
        let (process, told, reader) = start(command, arguments);
        Self { process: Process::Own(process), told, reader: Some(reader), since: (0, 0) }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.running().pid()
    }

    /// The first event that has everything in `expected`, waited for.
    #[track_caller]
    pub fn expect(&self, expected: &Value) -> Value {
        let found = self.wait_until(EVENT_LIMIT, |events| {
            self.own(events).find(|event| differences(expected, event).is_empty()).cloned()
        });
        found.unwrap_or_else(|| panic!("no event has\n  {expected}\n{}", self.near(expected)))
    }

    /// Every event so far that has everything in `expected`.
    pub fn matching(&self, expected: &Value) -> Vec<Value> {
        let events = self.told.lock();
        self.own(&events).filter(|event| differences(expected, event).is_empty()).cloned().collect()
    }

    /// Waits until there are `count` events that have everything in `expected`; there may be more.
    #[track_caller]
    pub fn expect_count(&self, expected: &Value, count: usize) {
        let enough = |events: &[Value]| {
            let matching = self.own(events).filter(|event| differences(expected, event).is_empty()).count();
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
        let process = self.process.own();
        process.signal(Signal::SIGINT);
        let status = process.wait();
        (status, process.said())
    }

    /// Waits for its end: how it ended, and the events it told.
    pub fn wait(mut self) -> (ExitStatus, Vec<Value>) {
        let status = self.process.own().wait();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        (status, self.told.lock().clone())
    }

    /// The events that have happened since this value was made.
    fn own<'a>(&self, events: &'a [Value]) -> impl Iterator<Item = &'a Value> {
        let (from, since) = self.since;
        events.iter().skip(from).filter(move |event| happened_at(event).is_none_or(|at| at >= since))
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
        let mut near: Vec<_> = self.own(&events).map(|event| (differences(expected, event), event)).collect();
        near.sort_by_key(|(differences, _)| differences.len());
        near.truncate(NEAREST);
        let near = near
            .iter()
            .map(|(differences, event)| format!("  {event}\n    {}\n", differences.join("\n    ")));
        format!(
            "{} events were seen, the nearest first:\n{}",
            self.own(&events).count(),
            near.collect::<String>()
        )
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln_said(self.process.running());
        }
        if let Process::Own(process) = &mut self.process
            && !process.is_over()
        {
            process.signal(Signal::SIGINT);
            process.wait();
        }
    }
}

impl Process {
    fn running(&self) -> &Running {
        match self {
            Self::Own(process) => process,
            Self::Shared(shared) => &shared.process,
        }
    }

    fn own(&mut self) -> &mut Running {
        match self {
            Self::Own(process) => process,
            Self::Shared(_) => {
                panic!("a watch that others use as well cannot be ended: start one with arguments")
            }
        }
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    u64::try_from(since_1970.as_nanos()).expect("a time before 2554")
}

/// An event came so late that its other end may not have been waited for: as on a machine where many want the processors.
pub fn is_told_late(event: &Value) -> bool {
    event[TOLD_AFTER].as_u64().is_some_and(|after| after > LATE)
}

/// An event as users are told it, without what the harness added and asked for.
pub fn as_told(event: Value) -> Value {
    without(FACTS, as_recorded(event))
}

/// An event as it was told to the harness.
pub(crate) fn as_recorded(event: Value) -> Value {
    without(TOLD_AFTER, event)
}

fn without(key: &str, mut event: Value) -> Value {
    if let Some(members) = event.as_object_mut() {
        members.remove(key);
    }
    event
}

/// When an event happened, as its id tells.
fn happened_at(event: &Value) -> Option<u64> {
    u64::from_str_radix(event["id"].as_str()?.get(..16)?, 16).ok()
}

#[expect(clippy::print_stderr, reason = "it belongs to the test's failure")]
fn eprintln_said(process: &Running) {
    eprintln!("watch said:\n{}", process.said());
}
