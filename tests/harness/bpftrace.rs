//! bpftrace, for what other tools see of the same events, and for what a probe costs that does nothing.

use std::{
    io::{BufRead as _, BufReader},
    process::Command,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{LIMIT, Running, require_root};

/// Mounts the file system that tells where tracepoints are, for bpftrace alone: not every machine has it mounted.
const WITH_TRACEFS: &str = "
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing || exit
exec bpftrace -B line -e \"$1\"
";
/// What it prints when its probes are attached.
const READY: &str = "ready";

/// A running bpftrace, which ends with this value.
#[derive(Debug)]
pub struct Bpftrace {
    _process: Running,
    lines: Receiver<String>,
}

impl Bpftrace {
    /// Starts it with these probes; they are attached on return.
    pub fn start(probes: &str) -> Self {
        require_root();
        let script = format!("{probes}\nBEGIN {{ printf(\"{READY}\\n\"); }}");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", WITH_TRACEFS, "bpftrace", &script]);
        // Room for bursts: what its probes print waits here.
        command.env("BPFTRACE_PERF_RB_PAGES", "1024");
        let mut process = Running::start(&mut command);
        let output = process.take_output();
        let (to, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    break;
                }
            }
        });
        let deadline = Instant::now() + LIMIT;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line == READY => return Self { _process: process, lines },
                Ok(_) => {}
                Err(error) => panic!("bpftrace does not start: {error}; it said:\n{}", process.said()),
            }
        }
    }

    /// The next line it prints, if it does within this time.
    pub fn line(&self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }
}
