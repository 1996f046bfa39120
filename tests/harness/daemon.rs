//! Server programs of Debian's, run as anybody may run them: in the foreground, with a folder of their own for what they
//! write. Deliberately lacks what a service manager does: nothing is started but by a test.

use std::{
    env, fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{LIMIT, Netns, Running, process::PAUSE};

/// Whom servers run as that refuse to be root: nobody.
const UNPRIVILEGED: u32 = 65_534;

/// The state of a listener in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// A folder that goes with this value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder, which nobody owns and all may read.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("resetmon-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let folder = Self(path);
        chown(folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("a folder can be given away");
        // Whatever the caller's mask is: PostgreSQL refuses more, and others need to get through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a folder of one's own");
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file: its path.
    pub fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path.to_str().expect("the temporary folder has a plain name").to_owned()
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server, which ends with this value.
#[derive(Debug)]
pub struct Daemon {
    process: Running,
    end: Signal,
    /// Goes after the server.
    _folder: Folder,
}

impl Daemon {
    /// Starts a server in a network namespace, and waits until it listens at `port`. Signal `end` ends it with all of its
    /// processes.
    pub fn start(netns: &Netns, command: &mut Command, folder: Folder, port: u16, end: Signal) -> Self {
        // Of its own group, so that what it starts can be ended with it.
        command.current_dir(folder.path()).process_group(0);
        let process = netns.enter(|| Running::start(command));
        let mut daemon = Self { process, end, _folder: folder };
        let start = Instant::now();
        // Looked at from outside: a connection to find out would be one that the test did not mean.
        while !daemon.listens(port) {
            let in_time = start.elapsed() < LIMIT && !daemon.process.is_over();
            assert!(in_time, "nobody listens at port {port}; the server said:\n{}", daemon.process.said());
            thread::sleep(PAUSE);
        }
        daemon
    }

    /// Lets a program run unprivileged: some servers refuse anything else.
    pub fn unprivileged(command: &mut Command) -> &mut Command {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED)
    }

    /// Its process id: of the first process, where it has several.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    fn listens(&self, port: u16) -> bool {
        let sockets = fs::read_to_string(format!("/proc/{}/net/tcp", self.pid())).unwrap_or_default();
        sockets.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, state) = (words.next(), words.nth(1));
            local.is_some_and(|local| local.ends_with(&format!(":{port:04X}"))) && state == Some(LISTEN)
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.process.is_over() {
            self.process.signal(self.end);
            self.process.wait_within(LIMIT);
        }
        // Workers outlive a server that was killed. There may be none any more.
        let group = i32::try_from(self.pid()).expect("a process id");
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}
