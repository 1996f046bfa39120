//! How often the right cause is told, and how long that takes: judges a record of the corpus, which the kernel tests have
//! made for real, and makes each diagnosis again many times. Fails when any variant has got another cause or confidence
//! than it should, or when a diagnosis takes too long.

mod matrix;
mod pace;

use std::{
    env, fs,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use serde_json::Value;

use crate::matrix::Judged;

/// What a diagnosis may take, in the median.
const MOST: Duration = Duration::from_micros(2);

fn main() -> ExitCode {
    // Cargo says that it is a benchmark.
    let arguments: Vec<_> = env::args_os().skip(1).filter(|argument| argument != "--bench").collect();
    let [path] = arguments.as_slice() else {
        say(
            "usage: diagnosis RECORD\n  RECORD is the file that kernel tests have written to RESETMON_CORPUS",
        );
        return ExitCode::from(2);
    };
    let record = fs::read_to_string(path).expect("the record of the corpus");
    let line = |line| serde_json::from_str(line).expect("a line of the record is JSON");
    let lines: Vec<Value> = record.lines().map(line).collect();
    let mut judged: Vec<_> = lines.iter().map(Judged::new).collect();
    judged.sort_by(|one, other| one.variant.cmp(other.variant));
    let mut paces = pace::measure(&lines);
    paces.sort_by_key(|pace| pace.median);

    let mut output = io::stdout().lock();
    let _ = output.write_all(matrix::of_variants(&judged).as_bytes());
    let _ = output.write_all(matrix::of_causes(&judged).as_bytes());
    let wrong = judged.iter().filter(|one| !one.is_right()).count();
    let _ = writeln!(output, "\n{} variants, {wrong} wrong", judged.len());
    let (Some(middle), Some(last)) = (paces.get(paces.len() / 2), paces.last()) else {
        say("there is nothing to be diagnosed");
        return ExitCode::FAILURE;
    };
    let _ = writeln!(
        output,
        "a diagnosis takes {} ns in the median, at most {} ns ({}); wanted: {} ns",
        middle.median.as_nanos(),
        last.median.as_nanos(),
        last.variant,
        MOST.as_nanos(),
    );
    if wrong == 0 && middle.median < MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stderr, reason = "it is not the result")]
fn say(line: &str) {
    eprintln!("{line}");
}
