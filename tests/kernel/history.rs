//! The history of a running agent: what it keeps of real resets, how it is asked, what is left after `kill -9`, and what a
//! folder does to it that is full, cannot be written or is another agent's.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::Signal,
};
use resetmon_tests::{Actor, Agent, Family, LIMIT, Netns, Scene, Watch, as_told, binary};
use serde_json::{Value, json};

use crate::host;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A folder for a history, gone with this value; perhaps a file system of its own.
struct Folder {
    path: PathBuf,
    is_mounted: bool,
}

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("resetmon-test-history-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder");
        Self { path, is_mounted: false }
    }

    /// The same with so many bytes of room.
    fn with_room(bytes: u64) -> Self {
        let mut folder = Self::new();
        let options = format!("size={bytes},mode=750");
        mount(Some("tmpfs"), &folder.path, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .expect("a tmpfs");
        folder.is_mounted = true;
        folder
    }

    fn remount(&self, flags: MsFlags) {
        mount(None::<&str>, &self.path, None::<&str>, MsFlags::MS_REMOUNT | flags, None::<&str>)
            .expect("a remount");
    }

    fn as_str(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = umount2(&self.path, MntFlags::MNT_DETACH);
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn agent(folder: &Folder) -> Agent {
    Agent::start(&["--history-dir", folder.as_str()])
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).env("LC_ALL", "C").env_remove("RESETMON_LANG").output().expect("the product runs")
}

/// Events that a query of the history gives.
fn query(folder: &Folder, arguments: &[&str]) -> Vec<Value> {
    let output = run(&[&["query", "--history-dir", folder.as_str(), "-o", "json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The first thing that is there in time.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} does not come");
        thread::sleep(PAUSE);
    }
}

/// Somebody whose connections are refused, and the port where nobody listens.
fn refused() -> (Netns, Actor, String) {
    let netns = Netns::new();
    let mut actor = netns.actor("test-refused");
    let address = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    (netns, actor, format!("connect {address}"))
}

fn is_written(agent: &Agent, at_least: u64) -> Option<()> {
    (agent.metrics().sum("resetmon_history_events_written_total", &[]) >= at_least).then_some(())
}

/// What each observer takes for itself: when, by its own clocks, and in what order.
const OBSERVED: [&str; 8] =
    ["id", "time", "incident", "start_time", "age_us", "idle_us", "since_sent_us", "since_received_us"];

/// An event without what depends on who observes it, and when that one looked at the clock.
fn without_observer(mut event: Value) -> Value {
    for pointer in ["", "/process", "/connection", "/counterpart", "/counterpart/process"] {
        let members = event.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
        for key in OBSERVED {
            members.remove(key);
        }
    }
    event
}

#[test]
fn tells_what_was_told_live() {
    let _host = host::shared();
    let folder = Folder::new();
    let agent = agent(&folder);
    let mut scene = Scene::connected(Family::Ipv4);
    scene.client.run("send 1000");
    scene.server.run("await 1000");
    scene.server.run("close");
    scene.client.run("await-error");
    let told = as_told(scene.expect_at_server(json!({"direction": "sent", "cause": "close_unread"})));
    let pid = scene.server.pid().to_string();

    let found = wait_for("the reset in the history", || query(&folder, &["--pid", &pid]).into_iter().next());
    // Two observers of one reset took the time of the boot by themselves, and count events by themselves.
    assert_eq!(without_observer(found.clone()), without_observer(told.clone()));
    let keys = |event: &Value| event.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&found), keys(&told));

    let id = found["id"].as_str().expect("an id");
    let both = query(&folder, &["--port", &found["peer"]["port"].to_string(), "--since", "-1h"]);
    assert_eq!(both.iter().filter(|event| event["netns"] == found["netns"]).count(), 2, "{both:?}");
    let explained = run(&["explain", id, "-o", "json", "--history-dir", folder.as_str()]);
    let explained: Value = serde_json::from_slice(&explained.stdout).expect("JSON");
    assert_eq!(explained["event"], found);
    let text = run(&["explain", "last", "--history-dir", folder.as_str()]);
    assert!(text.status.success() && !text.stdout.is_empty(), "{}", String::from_utf8_lossy(&text.stderr));
    let unknown = run(&["explain", "000000000000000000ff", "--history-dir", folder.as_str()]);
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(1), "{said}");
    assert!(said.contains("no reset 000000000000000000ff in the history, which covers 2"), "{said}");

    let groups = query(&folder, &["--group-by", "comm,cause", "--pid", &pid]);
    assert_eq!(groups[0]["comm"], scene.server.name());
    assert_eq!(groups[0]["count"], 1);
    assert_eq!(groups[0]["last_seen"], found["time"]);

    let metrics = agent.metrics();
    assert!(metrics.sum("resetmon_history_bytes", &[]) > 4_096);
    assert!(metrics.sum("resetmon_history_shards", &[]) >= 1);
    assert_eq!(metrics.sum("resetmon_events_lost_total", &[("where", "history")]), 0);
    assert_eq!(metrics.sum("resetmon_history_faults_total", &[]), 0);
    assert!(metrics.has("resetmon_history_oldest_timestamp_seconds", &[]));

    let (status, said) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    let names: Vec<_> =
        fs::read_dir(&folder.path).expect("a folder").map(|entry| entry.expect("one").path()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains(".db-")), "closed cleanly: {names:?}");
    assert_eq!(query(&folder, &["--pid", &pid]), [found]);
}

#[test]
fn a_reset_just_before_the_end_is_kept() {
    let _host = host::shared();
    let folder = Folder::new();
    let agent = agent(&folder);
    let (_netns, mut actor, connect) = refused();
    let watch = Watch::start();
    for _ in 0..20 {
        actor.fails(&connect, "ECONNREFUSED");
    }
    let of_actor = json!({"direction": "received", "process": {"pid": actor.pid()}});
    watch.expect_count(&of_actor, 20);
    let (status, said) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(query(&folder, &["--received", "--pid", &actor.pid().to_string()]).len(), 20);
}

#[test]
fn a_kill_costs_the_last_second_at_most() {
    let _host = host::shared();
    let folder = Folder::new();
    let mut process = Agent::spawn("127.0.0.1:0", &["--history-dir", folder.as_str()]);
    process.wait_for("http://");
    let (_netns, mut actor, connect) = refused();
    let begin = Instant::now();
    let mut before = 0;
    while begin.elapsed() < Duration::from_secs(3) {
        actor.fails(&connect, "ECONNREFUSED");
        before += u32::from(begin.elapsed() < Duration::from_secs(2));
        // Others have events to be told as well.
        thread::sleep(Duration::from_millis(5));
    }
    process.signal(Signal::SIGKILL);
    process.wait();
    let pid = actor.pid().to_string();
    let kept = query(&folder, &["--received", "--pid", &pid]);
    assert!(kept.len() >= before as usize, "{} kept, {before} were more than a second old", kept.len());

    // The next agent goes on with it.
    let next = agent(&folder);
    actor.fails(&connect, "ECONNREFUSED");
    wait_for("one more", || {
        (query(&folder, &["--received", "--pid", &pid]).len() == kept.len() + 1).then_some(())
    });
    let (status, said) = next.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn a_full_disk_stops_only_the_history() {
    let _host = host::shared();
    let folder = Folder::with_room(1 << 20);
    let agent = agent(&folder);
    let (_netns, mut actor, connect) = refused();
    actor.fails(&connect, "ECONNREFUSED");
    wait_for("the history", || is_written(&agent, 1));
    let filler = folder.path.join("filler");
    let no_more = fs::write(&filler, vec![1; 1 << 20]).expect_err("less room than that");
    assert_eq!(no_more.kind(), std::io::ErrorKind::StorageFull);
    let full = [("kind", "full")];
    wait_for("the fault", || {
        actor.fails(&connect, "ECONNREFUSED");
        (agent.metrics().sum("resetmon_history_faults_total", &full) > 0).then_some(())
    });
    let lost = || agent.metrics().sum("resetmon_events_lost_total", &[("where", "history")]);
    let received = || agent.metrics().sum("resetmon_events_received_total", &[]);
    let (before, lost_before) = (received(), lost());
    actor.fails(&connect, "ECONNREFUSED");
    wait_for("the capture", || (received() > before).then_some(()));
    wait_for("the count", || (lost() > lost_before).then_some(()));

    fs::remove_file(&filler).expect("the filler");
    let written = agent.metrics().sum("resetmon_history_events_written_total", &[]);
    wait_for("the history again", || {
        actor.fails(&connect, "ECONNREFUSED");
        is_written(&agent, written + 1)
    });
    let (status, said) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(said.matches("capturing goes on without history").count(), 1, "{said}");
    assert_eq!(said.matches("the history is written again").count(), 1, "{said}");
    assert!(!query(&folder, &["--pid", &actor.pid().to_string()]).is_empty());
}

#[test]
fn a_disk_that_is_read_only_stops_only_the_history() {
    let _host = host::shared();
    let folder = Folder::with_room(4 << 20);
    folder.remount(MsFlags::MS_RDONLY);
    let agent = agent(&folder);
    let read_only = [("kind", "read_only")];
    wait_for("the fault", || {
        (agent.metrics().sum("resetmon_history_faults_total", &read_only) > 0).then_some(())
    });
    folder.remount(MsFlags::empty());
    let (_netns, mut actor, connect) = refused();
    wait_for("the history", || {
        actor.fails(&connect, "ECONNREFUSED");
        is_written(&agent, 1)
    });
    let (status, said) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(said.matches("--no-history").count(), 1, "{said}");
}

#[test]
fn a_folder_that_is_missing_is_made_where_it_can_be() {
    let _host = host::shared();
    let folder = Folder::new();
    let inner = folder.path.join("a/b");
    let agent = Agent::start(&["--history-dir", inner.to_str().expect("UTF-8")]);
    wait_for("the folder", || inner.is_dir().then_some(()));
    assert_eq!(fs::metadata(&inner).expect("a folder").permissions().mode() & 0o777, 0o750);
    agent.terminate();

    let agent = Agent::start(&["--history-dir", "/proc/no/such"]);
    let fault = [("kind", "folder")];
    wait_for("the fault", || {
        (agent.metrics().sum("resetmon_history_faults_total", &fault) > 0).then_some(())
    });
    let (status, said) = agent.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(
        said.contains("cannot make the folder /proc/no/such") && said.contains("--history-dir"),
        "{said}"
    );
    assert!(!Path::new("/proc/no").exists());
}

#[test]
fn the_second_agent_has_no_history() {
    let _host = host::shared();
    let folder = Folder::new();
    let first = agent(&folder);
    wait_for("the lock", || folder.path.join("lock").exists().then_some(()));
    // Its owner has it a moment after the file is there.
    thread::sleep(PAUSE);
    let second = agent(&folder);
    let locked = [("kind", "locked")];
    wait_for("the fault", || {
        (second.metrics().sum("resetmon_history_faults_total", &locked) > 0).then_some(())
    });
    let (_netns, mut actor, connect) = refused();
    wait_for("what the first has written", || {
        actor.fails(&connect, "ECONNREFUSED");
        is_written(&first, 1)
    });
    assert_eq!(second.metrics().sum("resetmon_history_events_written_total", &[]), 0);
    let (status, said) = second.terminate();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(said.matches("another agent writes the history in").count(), 1, "{said}");
    first.terminate();
}

#[test]
fn who_follows_sees_each_reset_once() {
    let _host = host::shared();
    let folder = Folder::new();
    let agent = agent(&folder);
    let (_netns, mut actor, connect) = refused();
    actor.fails(&connect, "ECONNREFUSED");
    let pid = actor.pid().to_string();
    wait_for("the first", || (query(&folder, &["--received", "--pid", &pid]).len() == 1).then_some(()));
    let mut command = Command::new(binary());
    command.args([
        "query",
        "-f",
        "-o",
        "json",
        "--received",
        "--pid",
        &pid,
        "--history-dir",
        folder.as_str(),
    ]);
    let mut following = resetmon_tests::Running::start(&mut command);
    following.wait_for("history covers");
    for _ in 0..10 {
        actor.fails(&connect, "ECONNREFUSED");
        thread::sleep(PAUSE);
    }
    wait_for("all of them", || (query(&folder, &["--received", "--pid", &pid]).len() == 11).then_some(()));
    // Long enough for several looks.
    thread::sleep(Duration::from_secs(2));
    let output = following.take_output();
    following.signal(Signal::SIGINT);
    let status = following.wait();
    assert_eq!(status.code(), Some(0), "{}", following.said());
    let text = std::io::read_to_string(output).expect("UTF-8");
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
    let seen: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(ids(&seen), ids(&query(&folder, &["--received", "--pid", &pid])));
    agent.terminate();
}

/// Whoever is in the group of the folder reads, and nobody else; neither can write.
#[test]
fn the_group_may_read() {
    let _host = host::shared();
    let folder = Folder::new();
    fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o750)).expect("its permissions");
    let agent = agent(&folder);
    let (_netns, mut actor, connect) = refused();
    let pid = actor.pid().to_string();
    let read_as = |group: &str| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "65534", "--regid", group, "--clear-groups", "--inh-caps=-all"])
            .arg(copy_of_binary());
        command.args(["query", "-o", "json", "--received", "--pid", &pid, "--history-dir", folder.as_str()]);
        let output = command.output().expect("setpriv(1), of the package util-linux");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).lines().count(), output.stderr)
    };
    actor.fails(&connect, "ECONNREFUSED");
    wait_for("the reset", || (query(&folder, &["--received", "--pid", &pid]).len() == 1).then_some(()));
    let (code, count, said) = read_as("0");
    assert_eq!((code, count), (Some(0), 1), "while it is written: {}", String::from_utf8_lossy(&said));
    let (code, count, said) = read_as("65534");
    let said = String::from_utf8_lossy(&said);
    assert_eq!((code, count), (Some(4), 0), "{said}");
    assert!(said.contains("sudo"), "{said}");
    agent.terminate();
    let (code, count, said) = read_as("0");
    assert_eq!((code, count), (Some(0), 1), "after: {}", String::from_utf8_lossy(&said));
    fs::remove_file(copy_of_binary()).expect("the copy");
}

/// The product where anybody may run it.
fn copy_of_binary() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let copy = std::env::temp_dir().join(format!("resetmon-test-binary-{}", std::process::id()));
        fs::copy(binary(), &copy).expect("a copy");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("its permissions");
        copy
    })
}

#[test]
fn without_a_history_there_is_an_error() {
    let output = run(&["query", "--history-dir", "/nonexistent/history"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/nonexistent/history") && said.contains("--history-dir"), "{said}");
}
