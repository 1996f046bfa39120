//! How long it takes to find the owners of sockets that are older than resetmon, on a host with many open ones: asks
//! `resetmon doctor`, which does what the agent does at its start.

use std::{
    env,
    io::{self, Write as _},
    process::{Command, ExitCode},
};

use resetmon_tests::{Netns, Script, binary};
use serde_json::Value;

/// Processes, and sockets of each.
const PROCESSES: usize = 10;
const SOCKETS: usize = 10_000;
/// How often it is asked.
const TIMES: usize = 5;
/// The most that it may take, in milliseconds, in the median.
const MOST: f64 = 2_000.0;

const OPEN: &str = "
import resource
count = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
kept = [socket.socket(socket.AF_INET6 if number % 2 else socket.AF_INET) for number in range(count)]
say('open')
sys.stdin.read()
";

fn main() -> ExitCode {
    // Cargo says that it is a benchmark.
    if env::args().skip(1).any(|argument| argument != "--bench") {
        let _ = writeln!(io::stderr(), "usage: seed");
        return ExitCode::from(2);
    }
    let netns = Netns::new();
    let count = SOCKETS.to_string();
    let open = |_| Script::start(&netns, OPEN, &[&count]);
    let scripts: Vec<Script> = (0..PROCESSES).map(open).collect();
    for script in &scripts {
        assert_eq!(script.line(), "open");
    }
    let mut output = io::stdout().lock();
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let (sockets, took) = seeded();
        assert!(sockets >= PROCESSES * SOCKETS, "{sockets} sockets were found");
        times.push(took);
        let _ = writeln!(output, "{sockets} sockets in {took:.0} ms");
    }
    times.sort_by(f64::total_cmp);
    if times[TIMES / 2] < MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many sockets `resetmon doctor` gave owners, and the milliseconds that it took.
fn seeded() -> (usize, f64) {
    let output = Command::new(binary()).args(["doctor", "-o", "json"]).output().expect("doctor can be run");
    let report: Value = serde_json::from_slice(&output.stdout).expect("doctor writes JSON");
    let findings = report["findings"].as_array().expect("a list");
    let values = findings.iter().filter_map(|finding| finding["value"].as_str());
    let found = values.into_iter().find_map(|value| {
        let (sockets, rest) = value.strip_prefix("iter, ")?.split_once(" sockets in ")?;
        Some((sockets.parse().ok()?, rest.split(' ').next()?.parse().ok()?))
    });
    found.unwrap_or_else(|| panic!("doctor tells nothing of sockets: {report}"))
}
