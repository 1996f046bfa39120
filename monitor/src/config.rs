//! What the user meant: validated, with defaults and environment resolved. Made from [`crate::cli`] in one place.

pub mod arguments;
pub(crate) mod file;

use std::{ffi::OsString, net::SocketAddr, os::fd::AsFd, path::PathBuf, time::Duration};

use jiff::Zoned;
use rustix::termios::tcgetwinsize;

use crate::{
    capture::CaptureOptions,
    catalogue::Language,
    cli::{AgentArgs, CaptureArgs, DoctorArgs, LanguageArgs, RunArgs, WatchArgs, history::QueryArgs},
    filter::{Filter, parse::ParseError},
    history::{
        HistoryOptions,
        groups::{Field, Measure},
        reader::{Order, Range},
    },
    kernel::probes::ProbeOptions,
    output::Format,
    time_spec::TimeSpec,
    web::pages::TelemetryPath,
};

/// What the user typed has no meaning.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The filter.
    #[error("cannot read the filter")]
    Filter(#[from] ParseError),
}

/// What `watch` shall do.
#[derive(Debug)]
pub struct WatchConfig {
    /// How to capture.
    pub capture: CaptureOptions,
    /// Which resets to show.
    pub filter: Filter,
    /// Format of the output.
    pub format: Format,
    /// Whether each is written with everything that a diagnosis reads, whatever the format.
    pub facts: bool,
    /// Stop after so many resets.
    pub limit: Option<u64>,
    /// Where the agent is asked.
    pub socket: PathBuf,
    /// Whether it is not asked.
    pub standalone: bool,
}

/// What `run` shall do.
#[derive(Debug)]
pub struct RunConfig {
    /// How to capture.
    pub capture: CaptureOptions,
    /// Which resets to report.
    pub filter: Filter,
    /// Where to write each reset as well.
    pub file: Option<PathBuf>,
    /// Format of that file.
    pub format: Format,
    /// Whether nothing is said when there is nothing to report.
    pub is_quiet: bool,
    /// Language of the report.
    pub language: Language,
    /// User to run the command as, unless it is who called sudo.
    pub user: Option<String>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
}

/// What the agent shall do.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// How to capture.
    pub capture: CaptureOptions,
    /// Where to serve metrics.
    pub listen: Vec<SocketAddr>,
    /// Where other commands ask.
    pub socket: PathBuf,
    /// Under which path.
    pub telemetry_path: TelemetryPath,
    /// The file that says how that is protected.
    pub web_config: Option<PathBuf>,
    /// Whether the kernel shall measure what the BPF programs cost.
    pub measures_programs: bool,
    /// What history to keep; `None` for none.
    pub history: Option<HistoryOptions>,
}

/// What `query` shall do.
#[derive(Debug)]
pub struct QueryConfig {
    /// Where the history is.
    pub folder: PathBuf,
    /// Which time is asked for.
    pub range: Range,
    /// Which resets.
    pub filter: Filter,
    /// How many at most.
    pub limit: Option<usize>,
    /// In which order.
    pub order: Order,
    /// Format of the output.
    pub format: Format,
    /// What to tell about them.
    pub question: Question,
}

/// What `query` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Each reset.
    Events,
    /// How many have the same values.
    Groups(Vec<Field>),
    /// How many are how large.
    Histogram(Measure),
}

/// What `doctor` shall do.
#[derive(Debug)]
pub struct DoctorConfig {
    /// How to capture.
    pub capture: CaptureOptions,
    /// Format of the output.
    pub format: crate::doctor::Format,
    /// Whether something that is missing makes it fail.
    pub strict: bool,
    /// For how long counters are compared.
    pub window: Duration,
    /// Where the agent shall serve metrics.
    pub listen: Vec<SocketAddr>,
    /// The agent's socket.
    pub socket: PathBuf,
}

impl LanguageArgs {
    /// The language that was asked for, else that of the user's locale, else English.
    pub fn resolved(&self) -> Language {
        self.language.unwrap_or_else(|| language_of(|name| std::env::var(name).ok()))
    }
}

/// The language of the first variable of the locale that is set, as setlocale(3) takes them.
fn language_of(variable: impl Fn(&str) -> Option<String>) -> Language {
    let locale =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|locale| !locale.is_empty());
    locale.and_then(|locale| Language::from_locale(&locale)).unwrap_or_default()
}

/// Columns that lines may have: as `COLUMNS` says, else as many as the terminal has, else as the oldest ones had.
pub fn columns(terminal: impl AsFd) -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal = || tcgetwinsize(terminal).ok().map(|size| usize::from(size.ws_col));
    asked.or_else(of_terminal).filter(|columns| *columns > 0).unwrap_or(80)
}

impl From<&DoctorArgs> for DoctorConfig {
    fn from(args: &DoctorArgs) -> Self {
        Self {
            capture: (&args.capture).into(),
            format: args.output,
            strict: args.strict,
            window: Duration::from_secs(args.seconds),
            listen: args.listen.clone(),
            socket: args.socket.socket.clone(),
        }
    }
}

impl From<&CaptureArgs> for CaptureOptions {
    fn from(args: &CaptureArgs) -> Self {
        Self {
            probes: ProbeOptions {
                ring_bytes: args.ring_buffer_bytes,
                selection: args.probes.clone(),
                ..ProbeOptions::default()
            },
            procfs: args.procfs.clone(),
        }
    }
}

impl AgentConfig {
    /// Names of the flags that are set differently in the other one, and mean something at the start only.
    pub fn fixed_differences(&self, other: &Self) -> Vec<&'static str> {
        let (probes, others) = (&self.capture.probes, &other.capture.probes);
        let differences = [
            ("web.listen-address", self.listen != other.listen),
            ("web.telemetry-path", self.telemetry_path != other.telemetry_path),
            ("socket", self.socket != other.socket),
            ("history-dir, history.max-bytes, history.max-age or no-history", self.history != other.history),
            ("bpf-stats", self.measures_programs != other.measures_programs),
            ("ring-buffer-bytes", probes.ring_bytes != others.ring_bytes),
            ("probes", probes.selection != others.selection),
            ("path.procfs", self.capture.procfs != other.capture.procfs),
        ];
        differences.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

impl TryFrom<&WatchArgs> for WatchConfig {
    type Error = ConfigError;

    fn try_from(args: &WatchArgs) -> Result<Self, ConfigError> {
        Ok(Self {
            capture: (&args.capture).into(),
            filter: args.filter.filter()?,
            format: args.output,
            facts: args.facts,
            limit: args.count.map(Into::into),
            socket: args.socket.socket.clone(),
            standalone: args.standalone,
        })
    }
}

impl TryFrom<&RunArgs> for RunConfig {
    type Error = ConfigError;

    fn try_from(args: &RunArgs) -> Result<Self, ConfigError> {
        let mut capture = CaptureOptions::from(&args.capture);
        capture.probes.follows_processes = true;
        Ok(Self {
            capture,
            filter: args.filter.filter()?,
            file: args.output_file.clone(),
            format: args.output,
            is_quiet: args.quiet,
            language: args.language.resolved(),
            user: args.user.clone(),
            command: args.command.clone(),
        })
    }
}

impl From<&AgentArgs> for AgentConfig {
    fn from(args: &AgentArgs) -> Self {
        let history = HistoryOptions {
            folder: args.history.folder.path.clone(),
            max_bytes: args.history.max_bytes,
            max_age: args.history.max_age,
        };
        Self {
            capture: (&args.capture).into(),
            listen: args.listen.clone(),
            socket: args.socket.socket.clone(),
            telemetry_path: args.telemetry_path.clone(),
            web_config: args.web_config.clone(),
            measures_programs: args.bpf_stats,
            history: (!args.history.no_history).then_some(history),
        }
    }
}

impl QueryConfig {
    /// What the arguments mean at this moment, in this zone.
    pub fn new(args: &QueryArgs, now: &Zoned) -> Result<Self, ConfigError> {
        let question = match args.histogram {
            Some(measure) => Question::Histogram(measure),
            None if args.group_by.is_empty() => Question::Events,
            None => Question::Groups(args.group_by.clone()),
        };
        let resolve = |time: Option<TimeSpec>| time.map(|time| time.resolve(now));
        Ok(Self {
            folder: args.history.path.clone(),
            range: Range { since: resolve(args.since), until: resolve(args.until) },
            filter: args.filter.filter()?,
            limit: args.count.map(Into::into),
            order: if args.reverse { Order::Descending } else { Order::Ascending },
            format: args.output,
            question,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_chooses_the_language() {
        let check = |variables: &[(&str, &str)], expected: Language| {
            let value = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(language_of(value), expected, "{variables:?}");
        };
        check(&[], Language::English);
        check(&[("LANG", "ar_EG.UTF-8")], Language::Arabic);
        check(&[("LANG", "ar_EG.UTF-8"), ("LC_ALL", "C")], Language::English);
        check(&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "ar")], Language::Arabic);
        check(&[("LANG", "ar"), ("LC_ALL", "")], Language::Arabic);
        check(&[("LANG", "ar"), ("LC_ALL", "de_DE.UTF-8")], Language::English);
        let chosen = LanguageArgs { language: Some(Language::Arabic) };
        assert_eq!(chosen.resolved(), Language::Arabic);
    }
}
