//! Network namespaces of the tests' own: nothing outside them sees their traffic, and they go when their last user
//! does.

use std::{
    fs::File,
    os::unix::fs::MetadataExt as _,
    process::{self, Command},
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

use crate::{Actor, require_root};

/// A network namespace whose loopback is up.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

impl Netns {
    /// Makes a network namespace; the calling thread stays in its own.
    pub fn new() -> Self {
        require_root();
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
            run_ip(&["link", "set", "lo", "up"]);
            File::open("/proc/thread-self/ns/net").expect("the new network namespace")
        };
        Self {
            file: thread::scope(|scope| scope.spawn(make).join())
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }

    /// Two network namespaces, joined by a pair of interfaces with these addresses, each with a prefix length.
    pub fn joined(first: &[&str], second: &[&str]) -> (Self, Self) {
        let (one, two) = (Self::new(), Self::new());
        one.join(("test0", first), &two, ("test1", second));
        (one, two)
    }

    /// Joins this one to another, by an interface with addresses in each.
    pub fn join(&self, here: (&str, &[&str]), other: &Self, there: (&str, &[&str])) {
        self.ip(&["link", "add", here.0, "type", "veth", "peer", "name", there.0]);
        self.ip(&["link", "set", there.0, "netns", &other.path()]);
        for (netns, (interface, addresses)) in [(self, here), (other, there)] {
            for address in addresses {
                // Without `nodad` an IPv6 address cannot be used for its first second.
                let nodad: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
                netns.ip(&[&["address", "add", address, "dev", interface], nodad].concat());
            }
            netns.ip(&["link", "set", interface, "up"]);
        }
    }

    /// Runs `work` in this network namespace, on a thread of its own. Processes that it starts are born there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let worker = || {
            setns(&self.file, CloneFlags::CLONE_NEWNET).expect("a network namespace to enter");
            work()
        };
        thread::scope(|scope| scope.spawn(worker).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// An actor in this network namespace.
    pub fn actor(&self, name: &str) -> Actor {
        self.enter(|| Actor::start(name))
    }

    /// Its inode number, by which events name it.
    pub fn inode(&self) -> u64 {
        self.file.metadata().expect("an open namespace").ino()
    }

    /// Runs ip(8) in this network namespace.
    pub fn ip(&self, arguments: &[&str]) {
        self.enter(|| run_ip(arguments));
    }

    /// Runs a program in this network namespace; it must succeed.
    pub fn run(&self, program: &str, arguments: &[&str]) {
        self.enter(|| run(program, arguments));
    }

    fn path(&self) -> String {
        use std::os::fd::AsRawFd as _;
        format!("/proc/{}/fd/{}", process::id(), self.file.as_raw_fd())
    }
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

fn run_ip(arguments: &[&str]) {
    run("ip", arguments);
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(
        output.status.success(),
        "{program} {} failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
