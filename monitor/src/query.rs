//! `resetmon query`: what the history knows. Reads the folder itself, while an agent writes it, after one has, or a copy of
//! one. Answers with what there is, and says which time that covers.

mod counts;

use std::{
    collections::HashMap,
    error::Error,
    io::{self, Write},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    config::{QueryConfig, Question},
    history::{
        fault::HistoryError,
        groups,
        reader::{History, Order, Range},
    },
    input::Recorded,
    model::EventId,
    notice::{Chain, tell},
    output::{Context, Printer},
    signals::Shutdown,
};

/// From one look for new events to the next.
const PAUSE: Duration = Duration::from_millis(250);
/// So much later than others that were told already an event may be written, and still be told.
const LATE: SignedDuration = SignedDuration::from_secs(3);
/// Events that following begins with.
const BEGIN_WITH: usize = 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// There is no history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The answer cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

impl QueryError {
    /// What the user can do about it.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::History(error) => Some(advice(error)),
            Self::Output(_) => None,
        }
    }

    /// Whether privileges are missing.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::History(error) if error.is_permission())
    }
}

/// What to do about a history that cannot be read.
pub fn advice(error: &HistoryError) -> &'static str {
    if error.is_permission() {
        "the history is for root and the group of its folder: run this with sudo, or become a member"
    } else {
        "`resetmon agent` writes a history to /var/lib/resetmon; --history-dir names another folder"
    }
}

/// Answers on `to`.
pub fn run(config: &QueryConfig, context: Context, to: &mut impl Write) -> Result<(), QueryError> {
    let history = History::open(&config.folder)?;
    tell_covered(&history, &context.zone);
    match &config.question {
        Question::Events => {
            let mut printer = Printer::new(config.format, context, to);
            printer.header()?;
            show(config, &history, config.limit, &mut printer, |_| {})?;
            printer.flush()?;
        }
        Question::Groups(fields) => {
            let (mut groups, problems) = groups::groups(&history, &config.range, &config.filter, fields);
            tell_problems(&problems);
            groups.truncate(config.limit.unwrap_or(usize::MAX));
            if config.order == Order::Descending {
                groups.reverse();
            }
            counts::write_groups(&groups, fields, config.format, &context, to)?;
            to.flush()?;
        }
        Question::Histogram(measure) => {
            let (histogram, problems) = groups::histogram(&history, &config.range, &config.filter, *measure);
            tell_problems(&problems);
            counts::write_histogram(&histogram, *measure, config.format, to)?;
            to.flush()?;
        }
    }
    Ok(())
}

/// Says of which time something is known.
pub fn tell_covered(history: &History, zone: &TimeZone) {
    match covered(history, zone) {
        Some(covered) => tell(format_args!("history covers {covered}")),
        None => tell("the history has no resets so far"),
    }
}

/// Of which time something is known, in words.
pub fn covered(history: &History, zone: &TimeZone) -> Option<String> {
    let (from, to) = history.covered()?;
    let shown = |time: Timestamp| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    Some(format!("{} to {}", shown(from), shown(to)))
}

/// Writes the events that are asked for, the newest of them where there is a limit.
fn show(
    config: &QueryConfig,
    history: &History,
    limit: Option<usize>,
    printer: &mut Printer<impl Write>,
    mut seen: impl FnMut(&Recorded),
) -> io::Result<()> {
    let mut print = |recorded: &Recorded| {
        seen(recorded);
        printer.recorded(recorded)
    };
    let order = if limit.is_some() { Order::Descending } else { config.order };
    let mut events = history.events(&config.range, order, &config.filter);
    let mut limited = events.by_ref().take(limit.unwrap_or(usize::MAX));
    if order == config.order {
        limited.try_for_each(|recorded| print(&recorded))?;
    } else {
        let newest: Vec<_> = limited.collect();
        newest.iter().rev().try_for_each(print)?;
    }
    tell_problems(&events.problems());
    Ok(())
}

/// Answers on `to`, and goes on with what is written until a signal comes.
pub async fn follow(
    config: &QueryConfig,
    context: Context,
    to: &mut impl Write,
    shutdown: &mut Shutdown,
) -> Result<(), QueryError> {
    let history = History::open(&config.folder)?;
    tell_covered(&history, &context.zone);
    let mut printer = Printer::new(config.format, context, to);
    printer.header()?;
    tokio::select! {
        followed = go_on(config, &history, &mut printer) => followed,
        () = shutdown.requested() => Ok(()),
    }
}

/// Goes on for ever.
async fn go_on(
    config: &QueryConfig,
    history: &History,
    printer: &mut Printer<impl Write>,
) -> Result<(), QueryError> {
    let mut told = Told { newest: Timestamp::now(), ids: HashMap::new() };
    // What is there now is told with the beginning or not at all.
    for recorded in history.events(&told.late(config.range.since), Order::Ascending, &config.filter) {
        told.is_new(&recorded);
    }
    let limit = config.limit.or(config.range.since.is_none().then_some(BEGIN_WITH));
    show(config, history, limit, printer, |recorded| {
        told.is_new(recorded);
    })?;
    loop {
        printer.flush()?;
        tokio::time::sleep(PAUSE).await;
        let history = History::open(&config.folder)?;
        let range = told.late(config.range.since);
        let mut events = history.events(&range, Order::Ascending, &config.filter);
        for recorded in events.by_ref() {
            if told.is_new(&recorded) {
                printer.recorded(&recorded)?;
            }
        }
        tell_problems(&events.problems());
        told.forget();
    }
}

/// What was told lately, so that nothing is told twice and nothing that was written late is left out.
struct Told {
    newest: Timestamp,
    ids: HashMap<EventId, Timestamp>,
}

impl Told {
    fn is_new(&mut self, recorded: &Recorded) -> bool {
        self.newest = self.newest.max(recorded.event.time);
        self.ids.insert(recorded.event.id(), recorded.event.time).is_none()
    }

    /// Where what is not told yet may be.
    fn late(&self, since: Option<Timestamp>) -> Range {
        let late = self.newest - LATE;
        Range { since: Some(since.map_or(late, |since| since.max(late))), until: None }
    }

    fn forget(&mut self) {
        let from = self.newest - LATE;
        self.ids.retain(|_, time| *time >= from);
    }
}

fn tell_problems(problems: &[impl Error]) {
    for problem in problems {
        tell(Chain(problem));
    }
}
