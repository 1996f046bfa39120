//! `resetmon demo`: makes real resets on loopback between two processes of its own and shows what is known of each.
//! Compares what came with what must come, so that it is a check of this host as well. Deliberately lacks a fallback:
//! without probes there is nothing to show.

mod pair;
mod scenarios;
mod verdict;

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::time::{Instant, timeout_at};

use self::{
    pair::{Obstacle, Pair},
    scenarios::{SCENARIOS, Scenario},
    verdict::Judge,
};
use crate::{
    capture::{Capture, CaptureOptions},
    catalogue::{self, Language},
    model::{Direction, ResetEvent},
    output::{Context, Format, Printer, page::bidi},
    pid_namespace,
};

/// Events that have not come by then do not come.
const LATEST: Duration = Duration::from_secs(2);

/// How long one waits for events that must not come, longer than an unproven one is held.
const SETTLE: Duration = Duration::from_millis(100);

/// Plays every scenario and shows it on `to`; fails when something was not as it must be.
pub async fn run(
    options: &CaptureOptions,
    context: Context,
    language: Language,
    to: &mut impl Write,
) -> Result<ExitCode> {
    let mut stage = Stage::new(options)?;
    let mut tally = Tally::default();
    Printer::new(Format::Table, context.clone(), &mut *to).header()?;
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        writeln!(to, "\n{}. {}", index + 1, scenario.title)?;
        to.flush()?;
        let outcome = stage.play(scenario).await?;
        outcome.show(&context, language, to)?;
        tally.add(&outcome);
    }
    stage.pair.finish().await?;
    writeln!(to, "\n{}", tally.summary())?;
    to.flush()?;
    Ok(if tally.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The two actors, and who watches them.
struct Stage {
    pair: Pair,
    capture: Capture,
    judge: Judge,
    netns: Option<u32>,
    seen: Vec<ResetEvent>,
}

impl Stage {
    fn new(options: &CaptureOptions) -> Result<Self> {
        let netns = fs::metadata("/proc/self/ns/net").context("cannot tell the own network namespace")?.ino();
        // The probes first: without permission for them nothing is started in vain.
        let capture = Capture::start(options)?;
        let pair = Pair::start()?;
        let tells_all_senders = capture.probes().see_resets_without_socket();
        let knows_pids = pid_namespace::is_initial(&options.procfs) != Some(false);
        let judge = Judge { pids: pair.pids(), knows_pids, tells_all_senders };
        Ok(Self { pair, capture, judge, netns: u32::try_from(netns).ok(), seen: Vec::new() })
    }

    async fn play(&mut self, scenario: &Scenario) -> Result<Outcome> {
        let outcome = match self.pair.play(scenario).await? {
            Ok(server) => {
                let events = self.events(scenario, server).await?;
                let problems = self.judge.problems(scenario.events, &events);
                Outcome::Played { events, problems }
            }
            Err(obstacle) => Outcome::Stopped(obstacle),
        };
        self.pair.clear().await?;
        Ok(outcome)
    }

    /// The events of connections to `server`, once they are complete and for a moment longer.
    async fn events(&mut self, scenario: &Scenario, server: SocketAddr) -> Result<Vec<ResetEvent>> {
        let latest = Instant::now() + LATEST;
        let mut until = latest;
        let mut events = Vec::new();
        while let Ok(captured) = timeout_at(until, self.capture.next(&mut self.seen)).await {
            captured?;
            events.extend(self.seen.drain(..).filter(|event| is_of(event, server, self.netns)));
            if until == latest && self.judge.is_complete(scenario.events, &events) {
                until = latest.min(Instant::now() + SETTLE);
            }
        }
        events.sort_by_key(|event| (event.time, event.sequence));
        Ok(events)
    }
}

/// Whether an event is of a connection to `server` in the network namespace `netns`.
fn is_of(event: &ResetEvent, server: SocketAddr, netns: Option<u32>) -> bool {
    let server = SocketAddr::new(server.ip().to_canonical(), server.port());
    let here = event.netns.is_none() || netns.is_none() || event.netns == netns;
    here && (event.tuple.local == server || event.tuple.peer == server)
}

/// How a scenario went.
enum Outcome {
    Played { events: Vec<ResetEvent>, problems: Vec<String> },
    Stopped(Obstacle),
}

impl Outcome {
    fn show(&self, context: &Context, language: Language, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Played { events, problems } => {
                let mut printer = Printer::new(Format::Table, context.clone(), &mut *to);
                events.iter().try_for_each(|event| printer.event(event))?;
                if let Some(summary) = summary(events, language) {
                    writeln!(to, "=> {summary}")?;
                }
                problems.iter().try_for_each(|problem| writeln!(to, "{problem}"))
            }
            Self::Stopped(obstacle) if obstacle.is_permission() => {
                writeln!(to, "skipped: {obstacle}; it needs CAP_NET_ADMIN")
            }
            Self::Stopped(obstacle) => writeln!(to, "failed: {obstacle}"),
        }
    }
}

/// What happened, by the end that knows best.
fn summary(events: &[ResetEvent], language: Language) -> Option<String> {
    let sender = events.iter().find(|event| event.direction == Direction::Sent);
    let event = sender.or(events.first())?;
    let summary = catalogue::summary(event, event.diagnosis.as_deref()?, language);
    Some(bidi::sentence(&format!("{summary}."), language).into_owned())
}

/// How all scenarios went.
#[derive(Debug, Default)]
struct Tally {
    scenarios: usize,
    skipped: usize,
    resets: usize,
    problems: usize,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        self.scenarios += 1;
        match outcome {
            Outcome::Played { events, problems } => {
                self.resets += events.iter().filter(|event| event.direction == Direction::Sent).count();
                self.problems += problems.len();
            }
            Outcome::Stopped(obstacle) if obstacle.is_permission() => self.skipped += 1,
            Outcome::Stopped(_) => self.problems += 1,
        }
    }

    fn summary(&self) -> String {
        let Self { scenarios, skipped, resets, problems } = self;
        let skipped = if *skipped == 0 { String::new() } else { format!(" ({skipped} skipped)") };
        let verdict = match problems {
            0 => "every end, process and cause as expected".to_owned(),
            1 => "1 problem, named above".to_owned(),
            _ => format!("{problems} problems, named above"),
        };
        format!("{scenarios} scenarios{skipped}, {resets} resets sent: {verdict}")
    }
}
