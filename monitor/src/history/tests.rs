//! Histories in folders of their own: what is written comes back, filters mean the same live and in SQL, limits hold, and
//! files that are no shards are left alone.

mod files;
mod rows;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    HistoryOptions,
    fault::HistoryError,
    reader::{History, Order, Range},
    store::Store,
};
use crate::{
    filter::{Filter, samples},
    input::Recorded,
    model::ResetEvent,
};

/// A folder for one history, gone with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("resetmon-history-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn options(&self) -> HistoryOptions {
        HistoryOptions { folder: self.0.clone(), max_bytes: 64 << 20, max_age: Duration::from_hours(7 * 24) }
    }

    fn store(&self) -> Store {
        Store::open(&self.options(), &"node1".into()).expect("a history")
    }

    /// Writes events and closes the history.
    fn write(&self, events: &[ResetEvent]) {
        let mut store = self.store();
        write(&mut store, events);
        store.close();
    }

    fn read(&self) -> Vec<Recorded> {
        let history = History::open(&self.0).expect("a history");
        let mut events = history.events(&Range::ALL, Order::Ascending, &Filter::everything());
        let read = events.by_ref().collect();
        let problems: Vec<_> = events.problems().iter().map(describe).collect();
        assert_eq!(problems, [] as [String; 0]);
        read
    }

    /// Names of its databases.
    fn shards(&self) -> Vec<String> {
        let entries =
            fs::read_dir(&self.0).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().expect("UTF-8")).collect();
        names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "db"));
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes events; every one must be written.
fn write(store: &mut Store, events: &[ResetEvent]) {
    let (written, result) = store.write(events, &mut |error| panic!("{}", describe(error)));
    result.unwrap_or_else(|error| panic!("{}", describe(&error)));
    assert_eq!(written, events.len() as u64);
}

/// An error with its causes.
fn describe(error: &impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The same event so much later.
fn later(event: &ResetEvent, by: Duration) -> ResetEvent {
    let by = SignedDuration::try_from(by).expect("a time span");
    ResetEvent { time: event.time + by, ..event.clone() }
}

/// The line that outputs have for an event.
fn line(event: &ResetEvent, host: &str) -> String {
    let mut line = Vec::new();
    crate::output::json::write(event, host, &mut line).expect("a line");
    String::from_utf8(line).expect("UTF-8")
}

fn lines(read: &[Recorded]) -> Vec<String> {
    read.iter().map(|recorded| line(&recorded.event, &recorded.host)).collect()
}

/// Something that was complained about, by the kind of fault.
type Faults = Vec<super::fault::Fault>;

/// Writes events into what may be in the way, and tells what was complained about.
fn write_hearing(store: &mut Store, events: &[ResetEvent]) -> Faults {
    let mut faults = Faults::new();
    let (written, result) = store.write(events, &mut |error: &HistoryError| faults.push(error.fault()));
    result.unwrap_or_else(|error| panic!("{}", describe(&error)));
    assert_eq!(written, events.len() as u64);
    faults
}

fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

fn unread_at(time: &str, sequence: u16) -> ResetEvent {
    ResetEvent { time: at(time), sequence, ..samples::unread() }
}

fn host(name: &str) -> Arc<str> {
    name.into()
}
