//! Questions to the history: as users ask them, and as the same statements in the shell of `SQLite`, one shard after the other.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use resetmon::{
    filter::{Filter, Test},
    history::{
        groups::{Field, statement},
        sql::where_clause,
    },
};
use resetmon_tests::binary;

use crate::{
    load::{PROCESSES, Written, pid},
    median,
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// The newest twenty.
    Newest,
    /// Everything of one process.
    Process,
    /// How many by name of the process and cause.
    Groups,
}

/// How long it took, in the median.
pub(crate) struct Answer {
    pub(crate) rows: usize,
    pub(crate) own: Duration,
    pub(crate) shell: Duration,
    /// Of the times of each round.
    pub(crate) ratio: f64,
}

impl Question {
    pub(crate) const ALL: [Self; 3] = [Self::Newest, Self::Process, Self::Groups];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Newest => "`-n 20`",
            Self::Process => "one process in 24 h",
            Self::Groups => "`--group-by comm,cause` of everything",
        }
    }

    /// Asks both, in turns.
    pub(crate) fn ask(self, folder: &Path, written: &Written, rounds: usize) -> Answer {
        let script = self.script(folder);
        let mut times = Vec::new();
        let mut rows = 0;
        for round in 0..rounds {
            let own = || {
                let mut command = Command::new(binary());
                command.arg("query").arg("--history-dir").arg(folder).args(self.arguments(written));
                timed(&mut command, "")
            };
            let shell = || timed(&mut Command::new("sqlite3"), &script);
            // Each goes first as often as the other.
            let ((own, lines), (shell, of_shell)) = if round % 2 == 0 {
                (own(), shell())
            } else {
                let first = shell();
                (own(), first)
            };
            if self != Self::Groups {
                assert_eq!(lines, of_shell, "both give the same rows");
            }
            rows = lines;
            times.push((own, shell));
        }
        let ratio = |(own, shell): &(Duration, Duration)| own.as_secs_f64() / shell.as_secs_f64();
        Answer {
            rows,
            own: median(times.iter().map(|(own, _)| *own).collect()),
            shell: median(times.iter().map(|(_, shell)| *shell).collect()),
            ratio: median(times.iter().map(ratio).collect()),
        }
    }

    fn arguments(self, written: &Written) -> Vec<OsString> {
        let words: &[&str] = match self {
            Self::Newest => &["-n", "20"],
            Self::Process => {
                &["--pid", &pid(PROCESSES / 2).to_string(), "--since", &written.since.to_string()]
            }
            Self::Groups => &["--group-by", "comm,cause"],
        };
        words.iter().chain(&["-o", "json"]).map(OsString::from).collect()
    }

    /// The same for the shell.
    fn script(self, folder: &Path) -> String {
        let bounds = format!("{} AND {}", i64::MIN, i64::MAX);
        let of_process = where_clause(&Filter::Test(Test::Pid(pid(PROCESSES / 2)))).0;
        let of_process = of_process.replace('?', &pid(PROCESSES / 2).to_string());
        let (order, condition, limit) = match self {
            Self::Newest => ("DESC", "1".to_owned(), " LIMIT 20"),
            Self::Process | Self::Groups => ("ASC", of_process, ""),
        };
        let statement = match self {
            Self::Groups => statement(&[Field::Comm, Field::Cause], "1").replacen(
                "BETWEEN ? AND ?",
                &format!("BETWEEN {bounds}"),
                1,
            ),
            Self::Newest | Self::Process => {
                format!(
                    "SELECT * FROM events WHERE key BETWEEN {bounds} AND {condition} ORDER BY key {order}{limit}"
                )
            }
        };
        let mut shards = shards(folder);
        if self == Self::Newest {
            shards = shards.split_off(shards.len() - 1);
        }
        let mut script = String::new();
        for shard in shards {
            let _ = writeln!(script, ".open --readonly {}\n{statement};", shard.display());
        }
        script
    }
}

fn shards(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut shards: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "db")).collect();
    shards.sort();
    shards
}

/// How long a command takes from its start to its end, and how many lines it writes.
fn timed(command: &mut Command, input: &str) -> (Duration, usize) {
    let start = Instant::now();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("resetmon and sqlite3 are there");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the script is read");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    let elapsed = start.elapsed();
    (elapsed, output.stdout.split(|byte| *byte == b'\n').count() - 1)
}
