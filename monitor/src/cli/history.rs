//! What the user typed about the history: what to keep, and what to ask of it.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::ArgAction;

use crate::{
    filter::flags::FilterFlags,
    history::{
        self,
        groups::{Field, Measure},
        limits,
    },
    output::Format,
    time_spec::TimeSpec,
};

/// What the agent keeps.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "History")]
pub struct HistoryArgs {
    /// Where the history is.
    #[command(flatten)]
    pub folder: HistoryFolder,
    /// Most bytes of the history on the disk, such as 512MiB; the oldest go first
    #[arg(
        long = "history.max-bytes",
        value_name = "BYTES",
        env = "RESETMON_HISTORY_MAX_BYTES",
        default_value = "512MiB",
        value_parser = limits::bytes
    )]
    pub max_bytes: u64,
    /// How long resets are kept, such as 7d or 12h
    #[arg(
        long = "history.max-age",
        value_name = "TIME",
        env = "RESETMON_HISTORY_MAX_AGE",
        default_value = "7d",
        value_parser = limits::age
    )]
    pub max_age: Duration,
    /// Keep no history
    #[arg(
        long,
        value_name = "BOOL",
        env = "RESETMON_NO_HISTORY",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = ArgAction::Set
    )]
    pub no_history: bool,
}

/// Where the history is.
#[derive(Debug, clap::Args)]
pub struct HistoryFolder {
    /// Folder of the history
    #[arg(
        long = "history-dir",
        value_name = "PATH",
        env = "RESETMON_HISTORY_DIR",
        default_value = history::DEFAULT_FOLDER
    )]
    pub path: PathBuf,
}

/// What `query --help` ends with.
pub(super) const QUERY_EXAMPLES: &str = "\
Examples:
  resetmon query --since -1h --unit nginx
  resetmon query --since yesterday --until today --cause close_unread -o json
  resetmon query --since '10 min ago' --group-by comm,cause
  resetmon query --histogram idle --peer 10.0.0.0/8
  resetmon query --history-dir ./copied-from-node1 -n 20";

/// Arguments of `query`.
#[derive(Debug, clap::Args)]
pub struct QueryArgs {
    /// Resets from this moment on, such as -1h, '10 min ago', today, 11:12, '2026-11-24 11:12', @1795518720
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<TimeSpec>,
    /// Resets up to this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<TimeSpec>,
    /// The newest N resets, or the N largest groups
    #[arg(short = 'n', long, value_name = "N")]
    pub count: Option<NonZeroUsize>,
    /// The newest first
    #[arg(short, long)]
    pub reverse: bool,
    /// Go on with what happens: begins with the last 10 unless told otherwise
    #[arg(short, long, conflicts_with_all = ["until", "reverse", "group_by", "histogram"])]
    pub follow: bool,
    /// Count resets by what they have in common: fields after commas, such as comm,cause
    #[arg(long, value_name = "FIELD", value_delimiter = ',', conflicts_with = "histogram")]
    pub group_by: Vec<Field>,
    /// Count resets by how long their connections were idle or established
    #[arg(long, value_name = "MEASURE", value_enum)]
    pub histogram: Option<Measure>,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Where the history is.
    #[command(flatten)]
    pub history: HistoryFolder,
    /// Which resets to show.
    #[command(flatten)]
    pub filter: FilterFlags,
}
