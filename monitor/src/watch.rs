//! The live view: captures with probes of its own and writes what matches, until enough is shown, a signal comes or
//! nobody reads any more.

use std::io::{self, Write};

use crate::{
    capture::Capture,
    config::WatchConfig,
    diagnosis::Sight,
    kernel::error::KernelError,
    model::{Direction, ResetEvent},
    notice::tell,
    output::{Context, Printer},
    signals::Shutdown,
};

/// Why watching ended early.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The kernel cannot be watched.
    #[error(transparent)]
    Kernel(#[from] KernelError),
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
                tell(view.summary(capture.counters().read()?.lost()));
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
            self.shown += 1;
            self.sent += u64::from(event.direction == Direction::Sent);
        }
        self.printer.flush()
    }

    fn summary(&self, lost: u64) -> String {
        let mut parts = vec![
            format!("{} resets", self.shown),
            format!("{} sent", self.sent),
            format!("{} received", self.shown - self.sent),
        ];
        if self.not_matching > 0 {
            parts.push(format!("{} did not match", self.not_matching));
        }
        if lost > 0 {
            parts.push(format!("the details of {lost} were lost (--ring-buffer-bytes makes more room)"));
        }
        parts.join(", ")
    }
}
