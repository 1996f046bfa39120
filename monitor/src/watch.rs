//! The live view: follows the agent's events, or captures with probes of its own where there is no agent, and writes what
//! matches, until enough is shown, a signal comes or nobody reads any more.

use std::io::{self, Write};

use serde_json::Value;

use crate::{
    capture::Capture,
    client::{Client, ClientError, Lines},
    config::WatchConfig,
    diagnosis::Sight,
    input::{self, InvalidEvent},
    kernel::error::KernelError,
    model::{Direction, ResetEvent},
    notice::tell,
    output::{Context, Format, Printer},
    signals::Shutdown,
    socket::routes::{EVENTS, LOST},
};

/// Why watching ended early.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The kernel cannot be watched.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The agent cannot be asked.
    #[error(transparent)]
    Agent(#[from] ClientError),
    /// The agent has ended.
    #[error("the agent has ended")]
    AgentEnded,
    /// What the agent tells is no JSON.
    #[error("the agent tells something that is no JSON")]
    Syntax(#[from] serde_json::Error),
    /// What the agent tells is no event.
    #[error("the agent tells something that is no event")]
    Event(#[from] InvalidEvent),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

/// Shows resets on `to` until the configuration or the user says that it is enough.
pub async fn run(
    config: &WatchConfig,
    context: Context,
    to: impl Write,
    shutdown: &mut Shutdown,
) -> Result<(), WatchError> {
    match reach(config).await? {
        Some(lines) => follow(lines, config, context, to, shutdown).await,
        None => capture(config, context, to, shutdown).await,
    }
}

/// The agent's events; `None` where there is no agent, or it shall not be asked.
async fn reach(config: &WatchConfig) -> Result<Option<Lines>, WatchError> {
    if config.standalone {
        return Ok(None);
    }
    match Client::connect(&config.socket).await {
        Ok(client) => Ok(Some(client.get(EVENTS, &[("filter", &config.filter.to_string())]).await?)),
        Err(ClientError::NoAgent { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn follow(
    mut lines: Lines,
    config: &WatchConfig,
    context: Context,
    to: impl Write,
    shutdown: &mut Shutdown,
) -> Result<(), WatchError> {
    let mut view = View::new(config, context, to, Sight::default());
    view.start()?;
    tell("watching for resets through the agent; Ctrl-C ends");
    let mut lost = 0;
    while !view.is_full() {
        tokio::select! {
            line = lines.next() => {
                let line = line?.ok_or(WatchError::AgentEnded)?;
                let object: Value = serde_json::from_slice(&line)?;
                if object["kind"] == LOST {
                    lost += object["count"].as_u64().unwrap_or(0);
                } else {
                    view.pass_on(&line, &object)?;
                }
            }
            () = shutdown.requested() => {
                tell(view.summary(&format!("{lost} were lost, since they were not read in time"), lost));
                break;
            }
        }
    }
    Ok(())
}

async fn capture(
    config: &WatchConfig,
    context: Context,
    to: impl Write,
    shutdown: &mut Shutdown,
) -> Result<(), WatchError> {
    let mut capture = Capture::start(&config.capture)?;
    let mut view = View::new(config, context, to, capture.sight());
    view.start()?;
    tell("watching for resets; Ctrl-C ends");

    let mut events = Vec::new();
    while !view.is_full() {
        tokio::select! {
            captured = capture.next(&mut events) => captured?,
            () = shutdown.requested() => {
                capture.finish(&mut events);
                view.show(&mut events)?;
                let lost = capture.counters().read()?.lost();
                let more = "(--ring-buffer-bytes makes more room)";
                tell(view.summary(&format!("the details of {lost} were lost {more}"), lost));
                break;
            }
        }
        view.show(&mut events)?;
    }
    if let Some(error) = capture.undecodable() {
        tell(format_args!("some events could not be read, which is a defect worth reporting: {error}"));
    }
    Ok(())
}

/// What has been shown, and how.
struct View<'a, W> {
    config: &'a WatchConfig,
    printer: Printer<W>,
    sight: Sight,
    shown: u64,
    sent: u64,
    not_matching: u64,
}

impl<'a, W: Write> View<'a, W> {
    fn new(config: &'a WatchConfig, context: Context, to: W, sight: Sight) -> Self {
        let printer = Printer::new(config.format, context, to);
        Self { config, printer, sight, shown: 0, sent: 0, not_matching: 0 }
    }

    fn start(&mut self) -> io::Result<()> {
        self.printer.header()?;
        self.printer.flush()
    }

    fn is_full(&self) -> bool {
        self.config.limit.is_some_and(|limit| self.shown >= limit)
    }

    fn show(&mut self, events: &mut Vec<ResetEvent>) -> io::Result<()> {
        for event in events.drain(..) {
            if self.is_full() {
                break;
            }
            if !self.config.filter.matches(&event) {
                self.not_matching += 1;
                continue;
            }
            if self.config.facts {
                self.printer.recording(&event, self.sight)?;
            } else {
                self.printer.event(&event)?;
            }
            self.count(&event);
        }
        self.printer.flush()
    }

    /// Shows an event as the agent wrote it.
    fn pass_on(&mut self, line: &[u8], object: &Value) -> Result<(), WatchError> {
        let recorded = input::recorded(object)?;
        if self.config.format == Format::Json {
            self.printer.line(line)?;
        } else {
            self.printer.event(&recorded.event)?;
        }
        self.count(&recorded.event);
        Ok(self.printer.flush()?)
    }

    fn count(&mut self, event: &ResetEvent) {
        self.shown += 1;
        self.sent += u64::from(event.direction == Direction::Sent);
    }

    /// `fate` says what became of those that were lost, if any were.
    fn summary(&self, fate: &str, lost: u64) -> String {
        let mut parts = vec![
            format!("{} resets", self.shown),
            format!("{} sent", self.sent),
            format!("{} received", self.shown - self.sent),
        ];
        if self.not_matching > 0 {
            parts.push(format!("{} did not match", self.not_matching));
        }
        if lost > 0 {
            parts.push(fate.to_owned());
        }
        parts.join(", ")
    }
}
