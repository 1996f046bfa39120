//! Programs in Python, for what actors cannot do: fork, pass descriptors, share listeners. A script prints a line when
//! it has come somewhere, and reads one where it has to wait.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    process::{ChildStdin, Command},
    sync::mpsc::{Receiver, channel},
    thread,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{LIMIT, Netns, Running};

/// Debian's own: its modules are in the images of virtual machines as well.
const PYTHON: &str = "/usr/bin/python3";

/// What every script begins with. A child that calls `outlive` ends with the process that started the script.
const PRELUDE: &str = "
import os, signal, socket, sys, threading, time
life, alive = os.pipe()
def say(*words): print(*words, flush=True)
def wait(): return sys.stdin.readline().strip()
def fork():
    pid = os.fork()
    if pid == 0: os.close(alive)
    return pid
def outlive():
    os.read(life, 1)
    os._exit(0)
def family(address): return socket.AF_INET6 if ':' in address else socket.AF_INET
def listen(address, port=0, **options):
    return socket.create_server((address, port), family=family(address), **options)
def connect(address, port):
    return socket.create_connection((address, int(port)))
";

/// A running script, which ends with this value.
#[derive(Debug)]
pub struct Script {
    process: Running,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Script {
    /// Starts a script in a network namespace.
    pub fn start(netns: &Netns, code: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(PYTHON);
        command.arg("-c").arg(format!("{PRELUDE}{code}")).args(arguments);
        // Of its own group, so that what it starts can be ended with it.
        command.process_group(0);
        let mut process = netns.enter(|| Running::start(&mut command));
        let output = process.take_output();
        let (to, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    break;
                }
            }
        });
        Self { input: process.take_input(), process, lines }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The next line it prints, waited for.
    #[track_caller]
    pub fn line(&self) -> String {
        let line = self.lines.recv_timeout(LIMIT);
        line.unwrap_or_else(|_| panic!("the script prints nothing; it said:\n{}", self.process.said()))
    }

    /// The next line, which is a number.
    #[track_caller]
    pub fn number<T: std::str::FromStr>(&self) -> T {
        let line = self.line();
        line.parse().unwrap_or_else(|_| panic!("the script printed {line:?} where a number was expected"))
    }

    /// Lets it go on.
    pub fn tell(&mut self, line: &str) {
        let told = writeln!(self.input, "{line}");
        told.unwrap_or_else(|error| panic!("the script does not listen: {error}\n{}", self.process.said()));
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Running {
        &mut self.process
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Children that serve for ever would outlive the test. There may be none any more.
        let group = i32::try_from(self.pid()).expect("a process id");
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}
