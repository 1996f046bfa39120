//! What the user typed. What it means is settled in `config`.

pub mod history;

use std::{ffi::OsString, net::SocketAddr, num::NonZeroU64, os::fd::RawFd, path::PathBuf};

use clap::{ArgAction, ArgMatches, ColorChoice, Parser, Subcommand, parser::ValueSource};
use clap_complete::Shell;
use resetmon_common::layout::DEFAULT_RING_BYTES;

use self::history::{HistoryArgs, HistoryFolder, QUERY_EXAMPLES, QueryArgs};
use crate::{
    catalogue::Language,
    explain::Subject,
    filter::flags::FilterFlags,
    kernel::selection::ProbeSelection,
    output::{Format, explain},
    socket,
    web::pages::TelemetryPath,
};

/// Tells you who reset your TCP connection, which process it hit, and why.
#[derive(Debug, Parser)]
#[command(name = "resetmon", version, disable_help_subcommand = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

impl Args {
    /// Settles what depends on what was typed rather than on its value: who says how to capture wants to capture.
    pub fn settle(&mut self, matches: &ArgMatches) {
        if let (Command::Watch(watch), Some((_, matches))) = (&mut self.command, matches.subcommand()) {
            watch.standalone |= CaptureArgs::are_in(matches);
        }
    }
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show resets as they happen
    Watch(Box<WatchArgs>),
    /// Ask the history: what happened since, until, to whom, how often
    #[command(after_help = QUERY_EXAMPLES)]
    Query(Box<QueryArgs>),
    /// Run a command and report, when it ends, every reset that hit it or what it started, and why
    Run(Box<RunArgs>),
    /// Run as a daemon: capture resets and export metrics to Prometheus
    Agent(AgentArgs),
    /// Make a few real resets on loopback and show how they look: the first five minutes
    Demo(DemoArgs),
    /// Tell what this kernel and these privileges allow, what is missing and what it costs
    Doctor(DoctorArgs),
    /// Explain one reset in full, or a cause by its name
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// List the causes of resets, one a line
    Causes(CausesArgs),
    /// Write what makes a shell complete the command line
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write a manual page as roff: of resetmon, or of one of its commands
    #[command(after_help = MAN_EXAMPLES)]
    Man(ManArgs),
    /// Make TCP traffic as told on standard input; serves demo and tests
    #[command(hide = true)]
    Actor(ActorArgs),
    /// Become a command once told to; serves run
    #[command(hide = true)]
    Launch(LaunchArgs),
}

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Stop after N resets
    #[arg(short = 'n', long, value_name = "N")]
    pub count: Option<NonZeroU64>,
    /// Write JSON with everything that a diagnosis reads; serves tests
    #[arg(long, hide = true, requires = "standalone")]
    pub facts: bool,
    /// Capture with probes of its own, even where there is an agent to ask
    #[arg(long)]
    pub standalone: bool,
    /// Where the agent is asked.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Which resets to show.
    #[command(flatten)]
    pub filter: FilterFlags,
    /// How to capture.
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Write every reset to this file as well, as it happens
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// Format of that file
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t = Format::Json,
        requires = "output_file"
    )]
    pub output: Format,
    /// Say nothing when there were no resets
    #[arg(short, long)]
    pub quiet: bool,
    /// In which language to report.
    #[command(flatten)]
    pub language: LanguageArgs,
    /// User to run the command as, by name or number; unless given, it is who called sudo
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Which resets to report.
    #[command(flatten)]
    pub filter: FilterFlags,
    /// How to capture.
    #[command(flatten)]
    pub capture: CaptureArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Arguments of `launch`.
#[derive(Debug, clap::Args)]
pub struct LaunchArgs {
    /// Descriptor from which a byte comes when it is time
    #[arg(long)]
    pub gate: RawFd,
    /// User to become
    #[arg(long, requires = "gid")]
    pub uid: Option<u32>,
    /// Group to become a member of
    #[arg(long, requires = "uid")]
    pub gid: Option<u32>,
    /// Further groups
    #[arg(long, value_delimiter = ',')]
    pub groups: Vec<u32>,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Arguments of `agent`.
#[derive(Debug, clap::Args)]
pub struct AgentArgs {
    /// Address to serve metrics on; may be given more than once
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS:PORT",
        env = "RESETMON_WEB_LISTEN_ADDRESS",
        value_delimiter = ',',
        default_value = "127.0.0.1:19119"
    )]
    pub listen: Vec<SocketAddr>,
    /// Where other commands ask.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Path under which metrics are served
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        env = "RESETMON_WEB_TELEMETRY_PATH",
        default_value = "/metrics"
    )]
    pub telemetry_path: TelemetryPath,
    /// File with certificates, headers and users, in the format of Prometheus' exporter-toolkit; changes need no restart
    #[arg(long = "web.config.file", value_name = "FILE", env = "RESETMON_WEB_CONFIG_FILE")]
    pub web_config: Option<PathBuf>,
    /// Export how often the BPF programs run and for how long; makes the kernel measure all of the host
    #[arg(
        long,
        value_name = "BOOL",
        env = "RESETMON_BPF_STATS",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = ArgAction::Set
    )]
    pub bpf_stats: bool,
    /// What to keep.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// Where more settings are.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Tell whether the configuration is right, and do nothing else
    #[arg(long)]
    pub check_config: bool,
    /// How to capture.
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// Where more settings are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfigArgs {
    /// File with settings: every key is the name of a flag of the agent [default: /etc/resetmon/config.toml, if it is
    /// there]
    #[arg(long = "config", id = "config", value_name = "FILE", env = "RESETMON_CONFIG")]
    pub file: Option<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// In which language.
    #[command(flatten)]
    pub language: LanguageArgs,
    /// How to capture.
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// What `explain --help` ends with.
const EXPLAIN_EXAMPLES: &str = "\
Examples:
  resetmon explain close_unread
  resetmon explain peer_idle_timeout --lang ar
  resetmon explain last
  resetmon explain - < resets.json
  resetmon watch -o json -n 1 | resetmon explain -";

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// A cause (`resetmon causes` lists them), `-` for events as JSON on standard input, and of the history `last` or the id of
    /// an event
    pub what: Subject,
    /// Where the history is.
    #[command(flatten)]
    pub history: HistoryFolder,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = explain::Format::Table)]
    pub output: explain::Format,
    /// In which language.
    #[command(flatten)]
    pub language: LanguageArgs,
}

/// Arguments of `causes`.
#[derive(Debug, clap::Args)]
pub struct CausesArgs {
    /// Format of the output: json has all that is known of each cause
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = explain::Format::Table)]
    pub output: explain::Format,
    /// In which language.
    #[command(flatten)]
    pub language: LanguageArgs,
}

/// What `completions --help` ends with.
const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  resetmon completions bash > /usr/share/bash-completion/completions/resetmon
  resetmon completions fish > ~/.config/fish/completions/resetmon.fish
  . <(resetmon completions bash)";

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// What `man --help` ends with.
const MAN_EXAMPLES: &str = "\
Examples:
  resetmon man watch | man -l -
  resetmon man > /usr/local/share/man/man1/resetmon.1";

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Which command; without one, the main page is written
    pub command: Option<String>,
    /// List the commands that have a page, one a line
    #[arg(long, conflicts_with = "command")]
    pub list: bool,
}

/// In which language.
#[derive(Debug, clap::Args)]
pub struct LanguageArgs {
    /// Language of the texts; without it that of the locale, else English
    #[arg(long = "lang", value_name = "LANG", env = "RESETMON_LANG", value_enum)]
    pub language: Option<Language>,
}

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = crate::doctor::Format::Table)]
    pub output: crate::doctor::Format,
    /// Exit with 1 when something is missing, even if resetmon works without it
    #[arg(long)]
    pub strict: bool,
    /// How long to compare what the probes see with the kernel's own counters
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Where more settings are.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Address that the agent shall serve metrics on
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS:PORT",
        env = "RESETMON_WEB_LISTEN_ADDRESS",
        value_delimiter = ',',
        default_value = "127.0.0.1:19119"
    )]
    pub listen: Vec<SocketAddr>,
    /// Where the agent is asked.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// How to capture.
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// Arguments of `actor`.
#[derive(Debug, clap::Args)]
pub struct ActorArgs {
    /// Name to run under
    pub name: String,
}

/// Where the agent is asked.
#[derive(Debug, clap::Args)]
pub struct SocketArgs {
    /// The agent's socket
    #[arg(long, value_name = "PATH", env = "RESETMON_SOCKET", default_value = socket::DEFAULT_PATH)]
    pub socket: PathBuf,
}

/// How to capture.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Capture")]
pub struct CaptureArgs {
    /// Size of the ring buffer between kernel and user space: a power of two
    #[arg(long, value_name = "BYTES", env = "RESETMON_RING_BUFFER_BYTES", default_value_t = DEFAULT_RING_BYTES)]
    pub ring_buffer_bytes: u32,
    /// Optional probes to try: default, all, none, or names after commas, -NAME to leave one out, NAME:fentry or
    /// NAME:kprobe to choose how
    #[arg(
        long,
        value_name = "LIST",
        env = "RESETMON_PROBES",
        default_value = "default",
        allow_hyphen_values = true
    )]
    pub probes: ProbeSelection,
    /// Where procfs is mounted
    #[arg(long = "path.procfs", value_name = "PATH", env = "RESETMON_PATH_PROCFS", default_value = "/proc")]
    pub procfs: PathBuf,
}

impl CaptureArgs {
    /// Whether any was typed.
    fn are_in(matches: &ArgMatches) -> bool {
        ["ring_buffer_bytes", "probes", "procfs"]
            .into_iter()
            .any(|argument| matches.value_source(argument) == Some(ValueSource::CommandLine))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Args, Command, RunArgs};
    use crate::{catalogue::Language, output::Format};

    fn run(arguments: &[&str]) -> Result<Box<RunArgs>, String> {
        let all = ["resetmon", "run"].iter().chain(arguments);
        match Args::try_parse_from(all).map_err(|error| error.to_string())?.command {
            Command::Run(run) => Ok(run),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_command_is_taken_as_it_is() {
        let run = run(&["--quiet", "--port", "443", "--", "pytest", "-x", "--quiet", "--", "a b"]);
        let run = run.expect("arguments");
        assert_eq!(run.command, ["pytest", "-x", "--quiet", "--", "a b"]);
        assert!(run.quiet && run.output_file.is_none() && run.user.is_none());
    }

    #[test]
    fn moments_may_begin_with_a_hyphen() {
        let query = |arguments: &[&str]| {
            let all = ["resetmon", "query"].iter().chain(arguments);
            Args::try_parse_from(all).map_err(|error| error.to_string())
        };
        assert!(query(&["--since", "-1h", "--until=-10 min", "-r", "-n", "20"]).is_ok());
        let error = query(&["--since", "-1x"]).expect_err("no moment");
        assert!(error.contains("at character 3: expected a unit"), "{error}");
        let error = query(&["--group-by", "comm,weather"]).expect_err("no field");
        assert!(error.contains("one of direction, cause, "), "{error}");
        assert!(query(&["-f", "--until", "now"]).is_err());
    }

    #[test]
    fn a_file_has_a_format() {
        let json = run(&["--output-file", "x", "--", "true"]).expect("arguments");
        assert_eq!(json.output, Format::Json);
        let csv = run(&["-o", "csv", "--output-file", "x", "--lang", "ar", "--", "true"]).expect("arguments");
        assert_eq!((csv.output, csv.language.language), (Format::Csv, Some(Language::Arabic)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |arguments: &[&str], expected: &str| {
            let error = run(arguments).expect_err("not enough");
            assert!(error.contains(expected), "{arguments:?}: {error}");
        };
        check(&[], "<COMMAND>");
        check(&["--"], "<COMMAND>");
        check(&["pytest"], "--");
        check(&["-o", "json", "--", "true"], "--output-file");
        check(&["--lang", "xx", "--", "true"], "ar");
    }
}
