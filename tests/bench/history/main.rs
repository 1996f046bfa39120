//! How fast a history is written, through the agent's own queue and thread, and how fast it is asked, beside the same
//! statements in the shell of `SQLite`, in turns. Fails when that is slower than wanted.

mod ask;
mod load;

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use crate::ask::{Answer, Question};

/// Events that are written.
const EVENTS: u64 = 10_000_000;
/// How often each question is asked.
const ROUNDS: usize = 5;
/// Events that shall be written in a second.
const WANTED_RATE: f64 = 100_000.0;
/// How long the newest twenty may take.
const WANTED_NEWEST: Duration = Duration::from_millis(50);
/// How much longer than the shell of `SQLite` counting may take.
const WANTED_RATIO: f64 = 1.2;

const USAGE: &str = "\
usage: history [--events N] [--rounds N] [--folder PATH]
  --events N     events that are written (10000000)
  --rounds N     how often each question is asked (5)
  --folder PATH  where; has to be missing, and is removed (in the folder for temporary files)";

struct Options {
    events: u64,
    rounds: usize,
    folder: PathBuf,
}

/// A folder that goes with this value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let folder = Folder(options.folder.clone());
    let written = load::write(&folder.0, options.events);
    let mut output = io::stdout().lock();
    let size = written.bytes / options.events;
    let _ = writeln!(
        output,
        "{} events written, {:.0} in a second; the thread that writes takes {:.2} µs of the processor for one, which has \
         {size} bytes\n\n| question | rows | resetmon | sqlite3 | ratio |\n|---|--:|--:|--:|--:|",
        options.events, written.rate, written.processor_us
    );
    let mut is_good = written.rate >= WANTED_RATE;
    for question in Question::ALL {
        let Answer { rows, own, shell, ratio } = question.ask(&folder.0, &written, options.rounds);
        let _ = writeln!(
            output,
            "| {} | {rows} | {:.1} ms | {:.1} ms | {ratio:.2} |",
            question.name(),
            own.as_secs_f64() * 1e3,
            shell.as_secs_f64() * 1e3
        );
        is_good &= match question {
            Question::Newest => own <= WANTED_NEWEST,
            Question::Groups => ratio <= WANTED_RATIO,
            Question::Process => true,
        };
    }
    let _ = writeln!(
        output,
        "\nwanted: {WANTED_RATE} events in a second, the newest 20 in {} ms, groups in {WANTED_RATIO} of what sqlite3 takes",
        WANTED_NEWEST.as_millis()
    );
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Option<Options> {
    let folder = env::temp_dir().join(format!("resetmon-bench-history-{}", std::process::id()));
    let mut options = Options { events: EVENTS, rounds: ROUNDS, folder };
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let value = arguments.next()?;
        match argument.as_str() {
            "--events" => options.events = value.parse().ok().filter(|events| *events > 0)?,
            "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
            "--folder" => {
                options.folder = Some(value.into()).filter(|folder: &PathBuf| !Path::exists(folder))?;
            }
            _ => return None,
        }
    }
    Some(options)
}

/// The middle one.
fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("times can be compared"));
    values[values.len() / 2]
}
