//! The shape of one shard in SQL: its tables, and the view `resets` for whoever opens it with `sqlite3`. The version is in
//! `PRAGMA user_version`; any change of a table needs a new one.

use std::fmt::Write as _;

use super::columns::Column;

/// Version of the shape that this resetmon writes and reads.
pub(super) const VERSION: u32 = 1;

/// Marks a database as a shard of resetmon: `RSTM`.
pub(super) const APPLICATION_ID: u32 = 0x5253_544d;

/// What rows have in common stands once in a shard, perhaps twice: numbers are given anew when an agent starts. Nothing
/// but time is indexed, and time is the key of a row, so that there is no second tree to be written.
const DICTIONARIES: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE strings(id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE processes(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, started INTEGER NOT NULL, uid INTEGER NOT NULL,
  comm TEXT NOT NULL, exe TEXT, cmdline TEXT);
CREATE TABLE workloads(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT, container_id TEXT, pod_uid TEXT,
  short_name TEXT, label TEXT NOT NULL);
";

/// Everything that makes an empty database a shard.
pub(super) fn create() -> String {
    let mut columns = String::from("key INTEGER PRIMARY KEY");
    for column in &Column::ALL[1..] {
        // Without a type a column takes what it is given.
        let _ = write!(columns, ", {}", column.as_str());
    }
    format!(
        "PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {VERSION};\n{DICTIONARIES}\
         CREATE TABLE events({columns});\n{}",
        view()
    )
}

/// Stores a row: a parameter a column.
pub(super) fn insert() -> String {
    let parameters = vec!["?"; Column::ALL.len()].join(", ");
    format!("INSERT INTO events VALUES ({parameters})")
}

/// Names of all columns, for a query that reads rows back.
pub(super) fn all_columns() -> String {
    Column::ALL.map(Column::as_str).join(", ")
}

/// One row an event, in the words that other outputs have for it.
fn view() -> String {
    let time = "(e.key - e.shift)";
    let word = |column: &str| format!("(SELECT text FROM strings WHERE id = e.{column}) AS {column}");
    let columns = [
        format!("printf('%016x%04x', {time}, e.sequence) AS id"),
        format!(
            "strftime('%Y-%m-%dT%H:%M:%S', {time} / 1000000000, 'unixepoch') || \
             printf('.%09dZ', {time} % 1000000000) AS time"
        ),
        word("direction"),
        "CASE WHEN e.reason < 0 THEN -1 - e.reason ELSE (SELECT text FROM strings WHERE id = e.reason) END AS reason"
            .to_owned(),
        word("state"),
        address("local_addr"),
        "e.local_port".to_owned(),
        address("peer_addr"),
        "e.peer_port".to_owned(),
        "e.netns".to_owned(),
        word("errno"),
        "p.pid, p.comm, p.exe, p.cmdline, p.uid".to_owned(),
        word("owner_from"),
        "w.label AS workload, w.container_id".to_owned(),
        word("cgroup"),
        word("role"),
        "e.age_us, e.idle_us, e.bytes_sent, e.bytes_acked, e.bytes_received".to_owned(),
        "e.unacked_bytes, e.unread_bytes, e.srtt_us, e.retransmits".to_owned(),
        "CASE WHEN e.incident_time IS NOT NULL THEN printf('%016x%04x', e.incident_time, e.incident_sequence) END \
         AS incident"
            .to_owned(),
        word("cause"),
        word("confidence"),
    ];
    format!(
        "CREATE VIEW resets AS SELECT\n  {}\nFROM events e LEFT JOIN processes p ON p.id = e.process LEFT JOIN \
         workloads w ON w.id = e.workload;\n",
        columns.join(",\n  ")
    )
}

/// An IPv4 address is a number, an IPv6 address sixteen bytes.
fn address(column: &str) -> String {
    let byte = |shift: u32| format!("(e.{column} >> {shift}) & 255");
    let bytes = [24, 16, 8, 0].map(byte).join(", ");
    let group = |group: usize| format!("substr(hex(e.{column}), {}, 4)", 4 * group + 1);
    let groups = [0, 1, 2, 3, 4, 5, 6, 7].map(group).join(" || ':' || ");
    format!(
        "CASE typeof(e.{column}) WHEN 'integer' THEN printf('%d.%d.%d.%d', {bytes}) ELSE lower({groups}) END AS {column}"
    )
}
