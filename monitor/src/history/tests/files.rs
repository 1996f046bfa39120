//! Shards as files: which event goes where, how much is kept, who may write, and what is in the way.

use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection;

use super::*;
use crate::history::fault::Fault;

const NOON: &str = "2026-11-24T12:00:00Z";

#[test]
fn an_hour_is_a_file() {
    let folder = Folder::new();
    let late = unread_at("2026-11-24T11:59:59.9Z", 1);
    let events = [
        unread_at("2026-11-24T11:12:13Z", 0),
        unread_at(NOON, 2),
        late,
        unread_at("2026-11-24T12:30:00Z", 3),
    ];
    folder.write(&events);
    assert_eq!(folder.shards(), ["resets-20261124T111213.000Z.db", "resets-20261124T120000.000Z.db"]);
    // In order, though one came late.
    let sequences: Vec<_> = folder.read().iter().map(|recorded| recorded.event.sequence).collect();
    assert_eq!(sequences, [0, 1, 2, 3]);
    let history = History::open(&folder.0).expect("a history");
    assert_eq!(history.covered(), Some((events[0].time, events[3].time)));
    let sequences = |range: &Range, order| -> Vec<_> {
        let events = history.events(range, order, &Filter::everything());
        events.map(|recorded| recorded.event.sequence).collect()
    };
    assert_eq!(sequences(&Range::ALL, Order::Descending), [3, 2, 1, 0]);
    let range = Range { since: Some(events[2].time), until: Some(at(NOON)) };
    assert_eq!(sequences(&range, Order::Ascending), [1, 2]);
    let mode = |name: &str| fs::metadata(folder.0.join(name)).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode(&folder.shards()[0]), mode("")), (0o640, 0o750));
}

#[test]
fn many_pages_in_either_order() {
    let folder = Folder::new();
    let first = unread_at("2026-11-24T11:30:00Z", 0);
    let events: Vec<_> = (0..5_000_u16)
        .map(|sequence| ResetEvent { sequence, ..later(&first, Duration::from_secs(u64::from(sequence))) })
        .collect();
    folder.write(&events);
    assert_eq!(folder.shards().len(), 2);
    let history = History::open(&folder.0).expect("a history");
    let read = |order| -> Vec<_> {
        let events = history.events(&Range::ALL, order, &Filter::everything());
        events.map(|recorded| recorded.event.sequence).collect()
    };
    assert!(read(Order::Ascending).into_iter().eq(0..5_000));
    assert!(read(Order::Descending).into_iter().eq((0..5_000).rev()));
}

#[test]
fn a_clock_that_is_set_back_loses_nothing() {
    let folder = Folder::new();
    let times =
        ["2026-11-24T12:30:00Z", "2026-11-24T10:30:00Z", "2026-11-24T12:30:01Z", "2026-11-24T10:30:01Z"];
    let events: Vec<_> = times.iter().map(|time| unread_at(time, 0)).collect();
    folder.write(&events);
    // A shard that is there is taken up again.
    assert_eq!(folder.shards().len(), 2);
    let mut expected: Vec<_> = events.iter().map(|event| event.time).collect();
    expected.sort_unstable();
    let read: Vec<_> = folder.read().into_iter().map(|recorded| recorded.event.time).collect();
    assert_eq!(read, expected);
}

#[test]
fn the_next_agent_goes_on_in_the_same_file() {
    let folder = Folder::new();
    folder.write(&[unread_at(NOON, 0)]);
    folder.write(&[unread_at("2026-11-24T12:10:00Z", 1)]);
    assert_eq!(folder.shards().len(), 1);
    let mut store = Store::open(&folder.options(), &host("node2")).expect("a history");
    write(&mut store, &[unread_at("2026-11-24T12:20:00Z", 2)]);
    store.close();
    assert_eq!(folder.shards().len(), 2, "another host's events are apart");
    let hosts: Vec<_> = folder.read().iter().map(|recorded| recorded.host.to_string()).collect();
    assert_eq!(hosts, ["node1", "node1", "node2"]);
}

#[test]
fn what_is_too_much_goes_by_the_file() {
    let folder = Folder::new();
    let options = HistoryOptions { max_bytes: 4 << 20, ..folder.options() };
    let mut store = Store::open(&options, &host("node1")).expect("a history");
    let first = unread_at("2026-11-24T12:00:00Z", 0);
    let now = first.time.as_nanosecond().try_into().expect("in this age");
    let mut most = 0;
    for batch in 0..120_u64 {
        let event = |index| later(&first, Duration::from_micros(batch * 1_000_000 + index));
        write(&mut store, &(0..1_000).map(event).collect::<Vec<_>>());
        most = most.max(store.trim(now).bytes);
    }
    let size = store.trim(now);
    assert!((2 << 20..=4 << 20).contains(&most), "{most}");
    assert!(size.shards > 3, "{size:?}");
    store.close();
    let on_disk: u64 = fs::read_dir(&folder.0)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").metadata().expect("metadata").len())
        .sum();
    assert!(on_disk <= 4 << 20, "{on_disk}");
    let read = folder.read();
    assert_eq!(
        read.last().map(|recorded| recorded.event.time),
        Some(later(&first, Duration::from_micros(119_000_999)).time)
    );
    assert_eq!(
        size.oldest,
        read.first().and_then(|recorded| recorded.event.time.as_nanosecond().try_into().ok())
    );
}

#[test]
fn what_is_too_old_goes_by_the_file() {
    let folder = Folder::new();
    let mut store = folder.store();
    for day in 10..20 {
        write(&mut store, &[unread_at(&format!("2026-11-{day}T12:00:00Z"), 0)]);
    }
    let now = at("2026-11-19T13:30:00Z").as_nanosecond().try_into().expect("in this age");
    let size = store.trim(now);
    assert_eq!(size.shards, 7);
    let oldest = at("2026-11-13T12:00:00Z").as_nanosecond().try_into().ok();
    assert_eq!(size.oldest, oldest);
}

#[test]
fn one_writes_at_a_time() {
    let folder = Folder::new();
    let mut first = folder.store();
    write(&mut first, &[unread_at(NOON, 0)]);
    let error = Store::open(&folder.options(), &host("node1")).expect_err("locked");
    assert_eq!(error.fault(), Fault::Locked);
    // Who reads needs no lock.
    assert_eq!(folder.read().len(), 1);
    first.close();
    folder.store().close();
}

#[test]
fn a_folder_that_cannot_be_made_is_a_fault() {
    let options = HistoryOptions { folder: "/proc/history".into(), ..Folder::new().options() };
    let error = Store::open(&options, &host("node1")).expect_err("no folder");
    assert_eq!(error.fault(), Fault::Folder);
    assert!(describe(&error).contains("/proc/history"), "{}", describe(&error));
}

/// What stands in the way is left alone, named once, and what is beside it is written and read.
fn check_in_the_way(spoil: impl Fn(&Path), fault: Fault, words: &str) {
    let folder = Folder::new();
    folder.write(&[unread_at(NOON, 0), unread_at("2026-11-24T13:00:00Z", 0)]);
    let path = folder.0.join(&folder.shards()[1]);
    spoil(&path);
    let spoiled = fs::read(&path).expect("the file");
    let mut store = folder.store();
    let events = [unread_at("2026-11-24T13:10:00Z", 1)];
    assert_eq!(write_hearing(&mut store, &events), [fault], "{words}");
    assert_eq!(write_hearing(&mut store, &[unread_at("2026-11-24T13:20:00Z", 2)]), []);
    store.close();
    assert_eq!(fs::read(&path).expect("the file"), spoiled, "{words}");
    assert_eq!(folder.shards().len(), 3);
    let history = History::open(&folder.0).expect("a history");
    let mut read = history.events(&Range::ALL, Order::Ascending, &Filter::everything());
    let sequences: Vec<_> = read.by_ref().map(|recorded| recorded.event.sequence).collect();
    assert_eq!(sequences, [0, 1, 2], "{words}");
    let problems: Vec<_> = read.problems().iter().map(describe).collect();
    assert!(problems.len() == 1 && problems[0].contains(words), "{problems:?}");
}

#[test]
fn foreign_files() {
    check_in_the_way(|path| fs::write(path, "not a database").expect("a file"), Fault::Foreign, "no shard");
    check_in_the_way(|path| fs::write(path, "").expect("a file"), Fault::Foreign, "no shard");
    let of_another_program = |path: &Path| {
        fs::remove_file(path).expect("the file");
        let database = Connection::open(path).expect("a database");
        database.execute_batch("CREATE TABLE bookmarks(url)").expect("a table");
    };
    check_in_the_way(of_another_program, Fault::Foreign, "no shard");
}

#[test]
fn newer_files() {
    let newer = |path: &Path| {
        let database = Connection::open(path).expect("a database");
        database.pragma_update(None, "user_version", 2).expect("a version");
    };
    check_in_the_way(newer, Fault::Newer, "has version 2 of the history, and this resetmon reads version 1");
}

#[test]
fn damaged_files() {
    let damaged = |path: &Path| {
        let mut bytes = fs::read(path).expect("the file");
        bytes[100..].fill(0xa5);
        fs::write(path, bytes).expect("the file");
    };
    check_in_the_way(damaged, Fault::Damaged, "malformed");
    let cut = |path: &Path| {
        let bytes = fs::read(path).expect("the file");
        fs::write(path, &bytes[..4096]).expect("the file");
    };
    check_in_the_way(cut, Fault::Damaged, "malformed");
}

#[test]
fn a_file_that_is_no_shard_is_not_removed() {
    let folder = Folder::new();
    fs::create_dir_all(&folder.0).expect("a folder");
    let path = folder.0.join("resets-20200101T000000.000Z.db");
    fs::write(&path, "dear diary").expect("a file");
    let mut store = folder.store();
    store.trim(at(NOON).as_nanosecond().try_into().expect("in this age"));
    assert!(path.exists());
}

#[test]
fn what_was_not_closed_is_read_and_sealed_later() {
    let folder = Folder::new();
    let mut store = folder.store();
    write(&mut store, &[unread_at(NOON, 0)]);
    // As kill -9 leaves it: the log is there, and the lock is gone with the process.
    let copy = Folder::new();
    fs::create_dir_all(&copy.0).expect("a folder");
    for entry in fs::read_dir(&folder.0).expect("a folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, copy.0.join(path.file_name().expect("a name"))).expect("a copy");
    }
    assert!(
        fs::read_dir(&copy.0)
            .expect("a folder")
            .any(|entry| { entry.expect("an entry").path().to_string_lossy().ends_with("-wal") })
    );
    assert_eq!(copy.read().len(), 1);
    copy.store().close();
    assert!(
        !fs::read_dir(&copy.0)
            .expect("a folder")
            .any(|entry| { entry.expect("an entry").path().to_string_lossy().contains("-wal") })
    );
    assert_eq!(copy.read().len(), 1);
    store.close();
}

#[test]
fn shards_that_go_while_they_are_read_end_nothing() {
    let folder = Folder::new();
    let events: Vec<_> = (10..20).map(|hour| unread_at(&format!("2026-11-24T{hour}:30:00Z"), hour)).collect();
    folder.write(&events);
    let history = History::open(&folder.0).expect("a history");
    let mut read = history.events(&Range::ALL, Order::Descending, &Filter::everything());
    let first: Vec<_> = read.by_ref().take(3).map(|recorded| recorded.event.sequence).collect();
    assert_eq!(first, [19, 18, 17]);
    let mut store = folder.store();
    let now = at("2026-12-01T17:30:00Z").as_nanosecond().try_into().expect("in this age");
    assert_eq!(store.trim(now).shards, 3);
    write(&mut store, &[unread_at("2026-11-24T20:30:00Z", 20)]);
    assert_eq!(read.by_ref().map(|recorded| recorded.event.sequence).collect::<Vec<_>>(), [] as [u16; 0]);
    assert!(read.problems().is_empty());
    // Who asks anew sees what is there.
    let again = History::open(&folder.0).expect("a history");
    assert_eq!(again.events(&Range::ALL, Order::Ascending, &Filter::everything()).count(), 4);
}

#[test]
fn no_folder_is_an_error() {
    let error = History::open(&Folder::new().0).expect_err("no folder");
    assert!(error.is_gone());
}
