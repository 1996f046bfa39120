//! How long a diagnosis takes: nothing but the rules and what they remember, on events that were recorded.

use std::time::{Duration, Instant};

use resetmon::{diagnosis::Diagnoser, recording};
use serde_json::Value;

/// How often each is made.
const ROUNDS: usize = 10_000;

/// Of one variant.
pub(crate) struct Pace<'a> {
    pub(crate) variant: &'a str,
    pub(crate) median: Duration,
}

/// Every variant whose event is recorded with what a diagnosis reads.
pub(crate) fn measure(lines: &[Value]) -> Vec<Pace<'_>> {
    let recorded = lines.iter().filter(|line| line["event"]["facts"].is_object());
    recorded
        .map(|line| Pace { variant: line["variant"].as_str().unwrap_or("?"), median: median(line) })
        .collect()
}

fn median(line: &Value) -> Duration {
    let read =
        |event| recording::read(event).unwrap_or_else(|error| panic!("no recording: {error:?}\n{event}"));
    let meant = read(&line["event"]);
    let mut diagnoser = Diagnoser::new(meant.sight);
    for event in line["past"].as_array().into_iter().flatten() {
        diagnoser.explain(&mut read(event).event);
    }
    let mut event = meant.event;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            diagnoser.explain(&mut event);
            start.elapsed()
        })
        .collect();
    *times.select_nth_unstable(ROUNDS / 2).1
}
