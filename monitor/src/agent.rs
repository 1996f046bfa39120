//! The daemon: captures without end, keeps the counts that metrics show, and stops cleanly.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::task::JoinSet;

use crate::{
    capture::Capture,
    config::AgentConfig,
    kernel::{counters::Counters, error::KernelError},
    metrics::{self, Sample},
    notice::{Chain, tell},
    process_metrics::ProcessMetrics,
    reason::ReasonNames,
    signals::Shutdown,
    web::{self, Source},
};

/// Runs until a signal or an error ends it.
pub async fn run(config: &AgentConfig, shutdown: &mut Shutdown) -> Result<(), KernelError> {
    let mut capture = Capture::start(&config.capture)?;
    tell(format_args!("capturing resets with {}", capture.probes().attached().join(", ")));
    let state = Arc::new(AgentState::new(&capture));

    let mut servers = JoinSet::new();
    for address in config.listen.iter().copied() {
        let source: Arc<dyn Source> = state.clone();
        servers.spawn(async move {
            if let Err(error) = web::serve(address, source).await {
                tell(format_args!("serving on {address} ended: {}", Chain(&error)));
            }
        });
    }
    let ended = tokio::select! {
        error = pump(&mut capture, &state) => Err(error),
        () = shutdown.requested() => Ok(()),
    };
    state.capturing.store(false, Ordering::Relaxed);
    servers.shutdown().await;
    ended
}

/// Moves events until the capture fails.
async fn pump(capture: &mut Capture, state: &AgentState) -> KernelError {
    let mut events = Vec::new();
    loop {
        if let Err(error) = capture.next(&mut events).await {
            return error;
        }
        events.clear();
        state.events_received.store(capture.events_received(), Ordering::Relaxed);
    }
}

/// What the endpoint needs to know, shared with the loop.
struct AgentState {
    counters: Arc<Counters>,
    reasons: ReasonNames,
    probes: Vec<&'static str>,
    events_received: AtomicU64,
    capturing: AtomicBool,
}

impl AgentState {
    fn new(capture: &Capture) -> Self {
        Self {
            counters: capture.counters(),
            reasons: capture.probes().layout().reasons.clone(),
            probes: capture.probes().attached().to_vec(),
            events_received: AtomicU64::new(0),
            capturing: AtomicBool::new(true),
        }
    }
}

impl Source for AgentState {
    fn metrics(&self) -> anyhow::Result<Vec<u8>> {
        let counts = self.counters.read()?;
        let sample = Sample {
            counts: &counts,
            reasons: &self.reasons,
            events_received: self.events_received.load(Ordering::Relaxed),
            probes: &self.probes,
            process: ProcessMetrics::read().ok(),
        };
        Ok(metrics::encode(&sample)?)
    }

    fn ready(&self) -> Result<(), String> {
        if self.capturing.load(Ordering::Relaxed) { Ok(()) } else { Err("resetmon is stopping".to_owned()) }
    }
}
