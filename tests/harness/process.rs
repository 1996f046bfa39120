//! A process of the product while it runs: what it says on standard error, how it is ended. Ended with the test that
//! started it, by its own id.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::LIMIT;

/// Between two looks at what cannot be waited for.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// The variable that names the agent's socket.
const SOCKET: &str = "RESETMON_SOCKET";

/// A path for a socket that nobody has yet.
pub(crate) fn fresh_socket() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("resetmon-test-{}-{number}.sock", std::process::id()))
}

/// A child process and what it said so far on standard error.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    said: Arc<Said>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Running {
    /// Starts `command` with all of its three streams piped. Unless the command says otherwise the agent's socket is one of
    /// its own, so that it finds no agent but its own, and none finds it.
    pub fn start(command: &mut Command) -> Self {
        if !command.get_envs().any(|(name, _)| name == SOCKET) {
            command.env(SOCKET, fresh_socket());
        }
        let name = format!("{command:?}");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let errors = child.stderr.take().expect("stderr is piped");
        let said = Arc::new(Said::default());
        let heard = Arc::clone(&said);
        let listener = thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                heard.lines.lock().expect("no panic with the lock").push(line);
                heard.more.notify_all();
            }
        });
        Self { name, child, said, listener: Some(listener) }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input; dropping it ends the input.
    pub fn take_input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("the input is taken once")
    }

    /// Its standard output.
    pub fn take_output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("the output is taken once")
    }

    /// What it said on standard error so far.
    pub fn said(&self) -> String {
        self.said.lines.lock().expect("no panic with the lock").join("\n")
    }

    /// The first line on standard error that contains `text`, waited for.
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let ended = self.is_over();
            if ended {
                self.hear_all();
            }
            let lines = self.said.lines.lock().expect("no panic with the lock");
            let found = lines.iter().find(|line| line.contains(text)).cloned();
            if let Some(line) = found {
                return line;
            }
            let in_time = !ended && Instant::now() < deadline;
            assert!(in_time, "{} did not say {text:?}; it said:\n{}", self.name, lines.join("\n"));
            drop(self.said.more.wait_timeout(lines, PAUSE));
        }
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Sends it a signal; it must not have ended.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process id");
        kill(Pid::from_raw(pid), signal)
            .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }

    /// Waits until it has ended and everything that it said is heard.
    pub fn wait(&mut self) -> ExitStatus {
        let ended = self.wait_within(LIMIT);
        let status = ended.unwrap_or_else(|| panic!("{} does not end; it said:\n{}", self.name, self.said()));
        self.hear_all();
        status
    }

    /// Hears the rest of what a process said that has ended.
    fn hear_all(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.join().expect("a listener does not panic");
        }
    }

    pub(crate) fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait().expect("a child can be waited for");
            if ended.is_some() || Instant::now() > deadline {
                return ended;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over() {
            // A child that has not been waited for keeps its id.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
