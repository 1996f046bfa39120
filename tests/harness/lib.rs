//! What the tests of the running product stand on: network namespaces, processes that make traffic, and the product
//! itself, started and read as a user would. Deliberately lacks any code of the product: it is judged from outside.
//!
//! A failure here panics with what was seen. Nothing is tried again.

#![expect(clippy::missing_panics_doc, reason = "panicking is how a test says that something is wrong")]

mod actor;
mod agent;
mod bpftrace;
mod cgroup;
pub mod corpus;
mod daemon;
mod family;
mod feature;
mod foreign;
pub mod host;
mod metrics;
mod module;
mod netns;
mod past;
mod process;
mod scene;
mod script;
mod subset;
mod watch;

use std::{env, path::PathBuf, time::Duration};

pub use self::{
    actor::Actor,
    agent::{Agent, Following, Response, ask, get},
    bpftrace::Bpftrace,
    cgroup::{Cgroup, container_id, pod_uid},
    daemon::{Daemon, Folder},
    family::Family,
    feature::{
        Feature, Version, kernel_reason, kprobes_need_admin, owner_from_accept, owner_from_close,
        perfmon_sees_resets_without_socket, reason_label, requires, requires_absent, requires_lack_of,
        requires_probe, requires_probe_by, sees_resets_without_socket,
    },
    foreign::Abroad,
    metrics::Metrics,
    module::Absent,
    netns::Netns,
    process::Running,
    scene::{Scene, endpoint},
    script::Script,
    watch::{Watch, as_told, is_told_late},
};

/// Within this time what must happen has happened. Probes are loaded in less than one second; the machine may be busy.
pub const LIMIT: Duration = Duration::from_mins(1);

/// Within this time an event that must come has come. On an emulated processor a watch can be held up for a while, as by a
/// probe that it attaches to a module which has just come.
pub const EVENT_LIMIT: Duration = Duration::from_secs(45);

/// The kernel tests were asked for, so not being able to run them is a failure.
pub fn require_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "these tests load BPF programs and make network namespaces: run them as root"
    );
}

/// Size of a page of memory in bytes.
pub fn page_size() -> i64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok().flatten().expect("pages have a size")
}

/// The binary under test: `RESETMON` in the environment, else the one that cargo built beside this test.
pub fn binary() -> PathBuf {
    let path = env::var_os("RESETMON").map_or_else(beside_this_test, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no binary {}: build it with `cargo build -p resetmon`, or name another in RESETMON",
        path.display()
    );
    path
}

fn beside_this_test() -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    test.ancestors().nth(2).expect("a test is in target/PROFILE/deps").join("resetmon")
}
