//! The thread that writes the history. Whatever is wrong with the disk or the folder, the capture goes on: it is said once
//! what is wrong and what to do, counted, and tried again at a slow pace; what comes meanwhile is lost, and counted.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    HistoryOptions,
    fault::{Fault, HistoryError},
    queue::{CAPACITY, Queue, Woken},
    span::nanoseconds,
    store::{Size, Store},
};
use crate::model::ResetEvent;

/// From a fault to the next try.
const RETRY: Duration = Duration::from_secs(5);
/// How often limits are looked after when nothing happens.
const IDLE: Duration = Duration::from_secs(5);
/// How long the end waits for the disk.
const LAST: Duration = Duration::from_secs(5);

/// The history of a running agent.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    ended: mpsc::Receiver<()>,
}

/// What others may know of it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Watcher(Arc<Shared>);

/// How a history is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Events that are in it since the start.
    pub written: u64,
    /// Events that are not.
    pub lost: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its files.
    pub shards: u64,
    /// The oldest event in it.
    pub oldest: Option<Timestamp>,
    /// What went wrong, by the kinds of [`Fault::ALL`].
    pub faults: [u64; Fault::ALL.len()],
    /// Events that wait.
    pub waiting: u64,
    /// Events that may wait.
    pub capacity: u64,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Queue,
    written: AtomicU64,
    lost: AtomicU64,
    faults: [AtomicU64; Fault::ALL.len()],
    size: Mutex<Size>,
}

impl Recorder {
    /// Starts to write the history of a host. `prepare` has run on the thread when this returns; what goes wrong later is told
    /// by `tell`.
    pub fn start(
        options: HistoryOptions,
        host: Arc<str>,
        prepare: impl FnOnce() + Send + 'static,
        tell: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (end, ended) = mpsc::channel();
        let (ready, started) = mpsc::channel();
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("history".to_owned()).spawn(move || {
            prepare();
            let _ = ready.send(());
            Writer { shared: of_thread, options, host, tell, store: None, again: None, told: None }.run();
            let _ = end.send(());
        })?;
        // It ends early only by a panic, which is told.
        let _ = started.recv();
        Ok(Self { shared, ended })
    }

    /// Hands over events; what finds no room is lost.
    pub fn record(&self, events: impl Iterator<Item = ResetEvent>) {
        let lost = self.shared.queue.push(events);
        self.shared.lost.fetch_add(lost, Ordering::Relaxed);
    }

    /// Whom to ask how it is.
    pub fn watcher(&self) -> Watcher {
        Watcher(Arc::clone(&self.shared))
    }

    /// Writes what waits and closes the history; whether that was done in time.
    pub fn finish(self) -> bool {
        self.shared.queue.close();
        self.ended.recv_timeout(LAST).is_ok()
    }
}

impl Watcher {
    /// How it is now.
    pub fn status(&self) -> Status {
        let size = *self.0.size.lock().unwrap_or_else(PoisonError::into_inner);
        Status {
            written: self.0.written.load(Ordering::Relaxed),
            lost: self.0.lost.load(Ordering::Relaxed),
            bytes: size.bytes,
            shards: size.shards,
            oldest: size.oldest.and_then(|oldest| Timestamp::from_nanosecond(oldest.into()).ok()),
            faults: std::array::from_fn(|kind| self.0.faults[kind].load(Ordering::Relaxed)),
            waiting: self.0.queue.len() as u64,
            capacity: CAPACITY as u64,
        }
    }
}

/// The thread's own.
struct Writer<T> {
    shared: Arc<Shared>,
    options: HistoryOptions,
    host: Arc<str>,
    tell: T,
    store: Option<Store>,
    /// When to try again, after a fault.
    again: Option<Instant>,
    /// The fault that was told and is not mended.
    told: Option<Fault>,
}

impl<T: Fn(&str)> Writer<T> {
    fn run(mut self) {
        self.open();
        let mut events = Vec::new();
        loop {
            let woken = self.shared.queue.take(IDLE, &mut events);
            if self.store.is_none() && self.again.is_none_or(|again| Instant::now() >= again) {
                self.open();
            }
            self.write(&events);
            events.clear();
            self.trim();
            if woken == Woken::Closed {
                break;
            }
        }
        if let Some(store) = self.store {
            store.close();
        }
    }

    fn open(&mut self) {
        match Store::open(&self.options, &self.host) {
            Ok(store) => {
                self.store = Some(store);
                self.trim();
            }
            Err(error) => self.suffer(&error),
        }
    }

    fn write(&mut self, events: &[ResetEvent]) {
        let Some(store) = &mut self.store else {
            self.shared.lost.fetch_add(events.len() as u64, Ordering::Relaxed);
            return;
        };
        if events.is_empty() {
            return;
        }
        let (shared, tell) = (&self.shared, &self.tell);
        let (written, result) = store.write(events, &mut |error| {
            count(shared, error);
            tell(&sentence(error));
        });
        shared.written.fetch_add(written, Ordering::Relaxed);
        shared.lost.fetch_add(events.len() as u64 - written, Ordering::Relaxed);
        match result {
            Ok(()) => {
                if self.told.take().is_some() {
                    (self.tell)("the history is written again");
                }
                self.again = None;
            }
            Err(error) => self.suffer(&error),
        }
    }

    fn trim(&mut self) {
        let Some(store) = &mut self.store else { return };
        let now = nanoseconds(Timestamp::now()).unwrap_or_default();
        *self.shared.size.lock().unwrap_or_else(PoisonError::into_inner) = store.trim(now);
    }

    /// Gives up for a while.
    fn suffer(&mut self, error: &HistoryError) {
        self.store = None;
        self.again = Some(Instant::now() + RETRY);
        count(&self.shared, error);
        let fault = error.fault();
        if self.told.replace(fault) != Some(fault) {
            (self.tell)(&sentence(error));
        }
    }
}

fn count(shared: &Shared, error: &HistoryError) {
    shared.faults[error.fault() as usize].fetch_add(1, Ordering::Relaxed);
}

/// What is wrong, and what to do.
fn sentence(error: &HistoryError) -> String {
    let reason = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    let goes_on = if error.is_of_file() {
        "the history goes on in another file"
    } else {
        "capturing goes on without history, which is tried again every 5 s"
    };
    format!("{error}{reason}; {goes_on} ({})", error.fault().advice())
}
