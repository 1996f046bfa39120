//! The shell of `SQLite`, as Debian has it: opens the history while the agent writes it, and after.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{Agent, Family, Folder, LIMIT, Netns, host};
use serde_json::Value;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What the shell answers, each row an object.
fn sqlite3(shard: &Path, statement: &str) -> Vec<Value> {
    let mut command = Command::new("sqlite3");
    // A shard that was just made is locked for a moment.
    let output = command
        .args(["-readonly", "-json", "-cmd", ".timeout 5000"])
        .arg(shard)
        .arg(statement)
        .output()
        .expect("sqlite3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{statement}: {said}");
    // No rows are no output.
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    if text.is_empty() { Vec::new() } else { serde_json::from_str(&text).expect("JSON") }
}

fn shards(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "db")).collect()
}

/// Rows of all shards: the hour may just have ended.
fn rows(folder: &Path, statement: &str) -> Vec<Value> {
    shards(folder).iter().flat_map(|shard| sqlite3(shard, statement)).collect()
}

#[test]
fn the_shell_reads_what_is_written() {
    let _host = host::shared();
    let folder = Folder::new();
    // The thread that writes has no capability, so the folder is to be its own.
    chown(folder.path(), Some(0), Some(0)).expect("root's folder");
    let history = folder.path().join("history");
    let agent = Agent::start(&["--history-dir", history.to_str().expect("UTF-8")]);
    let netns = Netns::new();
    let mut actor = netns.actor("test-refused");
    let address = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    let statement = format!("SELECT * FROM resets WHERE pid = {} AND direction = 'received'", actor.pid());
    let begin = Instant::now();
    for count in 1..=5 {
        actor.fails(&format!("connect {address}"), "ECONNREFUSED");
        while !history.is_dir() || rows(&history, &statement).len() < count {
            assert!(begin.elapsed() < LIMIT, "reset {count} is not in the history");
            thread::sleep(PAUSE);
        }
    }
    let live = rows(&history, &statement);
    let row = &live[0];
    let text = |value: &str| Value::from(value);
    for (column, expected) in [
        ("peer_addr", text("127.0.0.1")),
        ("peer_port", address.port().into()),
        ("cause", text("closed_port")),
        ("errno", text("ECONNREFUSED")),
        ("comm", text("test-refused")),
        ("state", text("SYN_SENT")),
        ("role", text("client")),
    ] {
        assert_eq!(row[column], expected, "{column} of {row}");
    }
    // The id is the one that `resetmon explain` takes, and the time is as in JSON.
    let mut query = Command::new(resetmon_tests::binary());
    query.args(["explain", row["id"].as_str().expect("an id"), "-o", "json", "--history-dir"]).arg(&history);
    let explained = query.output().expect("the product runs");
    let explained: Value = serde_json::from_slice(&explained.stdout).expect("JSON");
    assert_eq!(explained["event"]["time"], row["time"]);
    assert_eq!(explained["event"]["incident"], row["incident"]);

    let (status, said) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(rows(&history, &statement), live);
    let version = rows(&history, "SELECT user_version FROM pragma_user_version");
    assert!(version.iter().all(|row| row["user_version"] == 1), "{version:?}");
    let sound = rows(&history, "SELECT integrity_check FROM pragma_integrity_check");
    assert!(sound.iter().all(|row| row["integrity_check"] == "ok"), "{sound:?}");
}
