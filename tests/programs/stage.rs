//! Where programs meet: a network namespace that is watched from outside.

use std::{fs, path::PathBuf, sync::RwLockReadGuard};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use resetmon_tests::{Netns, Script, Watch, corpus::judge, host};
use serde_json::{Value, json};

/// Somewhere to run programs, and what was seen there.
pub(crate) struct Stage {
    _host: RwLockReadGuard<'static, ()>,
    pub(crate) netns: Netns,
    pub(crate) watch: Watch,
}

/// A process as events have it: who it is, and by what name.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) pid: u32,
    pub(crate) comm: &'a str,
}

impl Stage {
    pub(crate) fn new() -> Self {
        // First, so that no other namespace of the watch's life has its number.
        let (guard, netns) = (host::shared(), Netns::new());
        Self { _host: guard, watch: Watch::start(), netns }
    }

    /// A Python program that is given these arguments.
    pub(crate) fn python(&self, code: &str, arguments: &[&str]) -> Script {
        Script::start(&self.netns, code, arguments)
    }

    /// One reset was sent by one program and received by the other, both with this cause: the two events.
    #[track_caller]
    pub(crate) fn judge(&self, how: &str, ends: [Who<'_>; 2], cause: &str, confidence: &str) -> [Value; 2] {
        let [sender, receiver] = ends;
        [("sent", sender, ""), ("received", receiver, " received")].map(|(direction, who, suffix)| {
            let process = json!({"pid": who.pid, "comm": who.comm});
            let expected = json!({"direction": direction, "netns": self.netns.inode(), "process": process});
            self.judge_one(&format!("{how}{suffix}"), &expected, cause, confidence)
        })
    }

    /// The event that has everything in `expected` has this cause, and so has the other end's.
    #[track_caller]
    pub(crate) fn judge_one(&self, how: &str, expected: &Value, cause: &str, confidence: &str) -> Value {
        let event = self.watch.expect(expected);
        // Of what a file may be called.
        let how = how.replace(|character: char| !character.is_ascii_alphanumeric(), "_").to_lowercase();
        judge(&format!("{cause}/{how}"), &event, cause, confidence);
        assert_eq!(event["counterpart"]["cause"], cause, "{event}");
        event
    }

    /// So many resets were sent here, and received here, and no more.
    #[track_caller]
    pub(crate) fn expect_total(&self, count: usize) {
        self.watch.settle();
        for direction in ["sent", "received"] {
            let events = self.watch.matching(&json!({"direction": direction, "netns": self.netns.inode()}));
            assert_eq!(events.len(), count, "resets {direction}: {events:#?}");
        }
    }
}

/// Sends a signal to a process that is no child of the test's.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    kill(process, signal).unwrap_or_else(|error| panic!("cannot signal process {pid}: {error}"));
}

/// A Python program as events have it.
pub(crate) fn python(script: &Script) -> Who<'static> {
    Who { pid: script.pid(), comm: "python3" }
}

/// The only child of a process; one that it starts is waited for by those who know that it must be there.
pub(crate) fn only_child(pid: u32) -> u32 {
    let path = PathBuf::from(format!("/proc/{pid}/task/{pid}/children"));
    let children = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let children: Vec<_> = children.split_whitespace().collect();
    let [child] = children[..] else { panic!("process {pid} has not one child but {children:?}") };
    child.parse().expect("a process id")
}
