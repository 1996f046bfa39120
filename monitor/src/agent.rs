//! The daemon: captures without end, keeps the counts that metrics show, and stops cleanly.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::task::JoinSet;

use crate::{
    capture::Capture,
    config::AgentConfig,
    history::{
        HistoryOptions,
        recorder::{Recorder, Watcher},
    },
    kernel::{
        counters::Counters,
        error::KernelError,
        privilege::{self, KprobesNeed, Later},
        status::ProbeStatus,
    },
    metrics::{self, MetricsError, Sample, diagnosed::Diagnosed},
    model::ResetEvent,
    notice::{Chain, tell},
    process_metrics::ProcessMetrics,
    reason::ReasonNames,
    signals::Shutdown,
    web::{self, Source},
};

/// Why the agent ended early.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The kernel cannot be watched.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The metrics cannot be made.
    #[error("cannot make the metrics")]
    Metrics(#[from] MetricsError),
}

/// Runs until a signal or an error ends it.
pub async fn run(config: &AgentConfig, host: &Arc<str>, shutdown: &mut Shutdown) -> Result<(), AgentError> {
    let mut capture = Capture::start(&config.capture)?;
    tell_probes(capture.probes().statuses());
    drop_capabilities(&capture, &config.listen);
    let history = config.history.as_ref().and_then(|options| record(options, host));
    let state = Arc::new(AgentState::new(&capture, history.as_ref().map(Recorder::watcher))?);

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
        error = pump(&mut capture, &state, history.as_ref(), &config.listen) => Err(error),
        () = shutdown.requested() => Ok(()),
    };
    state.capturing.store(false, Ordering::Relaxed);
    let mut last = Vec::new();
    capture.finish(&mut last);
    state.pass_on(&mut last, history.as_ref());
    servers.shutdown().await;
    if history.is_some_and(|history| !history.finish()) {
        tell("the disk is too slow to write the last resets to the history");
    }
    Ok(ended?)
}

/// Begins the history, once capabilities are dropped: the thread that writes it needs none.
fn record(options: &HistoryOptions, host: &Arc<str>) -> Option<Recorder> {
    let without_capabilities = || {
        if let Err(error) = privilege::drop_all() {
            tell(Chain(&error));
        }
    };
    match Recorder::start(options.clone(), Arc::clone(host), without_capabilities, |message| tell(message)) {
        Ok(recorder) => Some(recorder),
        Err(error) => {
            tell(format_args!("cannot start the thread that writes the history, so there is none: {error}"));
            None
        }
    }
}

/// Gives up what is needed no longer: most once the probes are attached, the rest when none waits any more. An agent that cannot is no worse than one that does not try.
fn drop_capabilities(capture: &Capture, listen: &[SocketAddr]) {
    let later = Later {
        attaches: capture.probes().is_waiting(),
        kprobes: KprobesNeed::of_this_kernel(),
        listens_below_1024: listen.iter().any(|address| (1..1024).contains(&address.port())),
    };
    let counters = capture.counters();
    match privilege::drop_after_attach(later, || counters.read().is_ok()) {
        Ok(dropped) => tell(dropped),
        Err(error) => tell(Chain(&error)),
    }
}

/// Moves events until the capture fails.
async fn pump(
    capture: &mut Capture,
    state: &AgentState,
    history: Option<&Recorder>,
    listen: &[SocketAddr],
) -> KernelError {
    let mut events = Vec::new();
    let mut waited = capture.probes().is_waiting();
    loop {
        if let Err(error) = capture.next(&mut events).await {
            return error;
        }
        state.pass_on(&mut events, history);
        state.follow_probes(capture.probes().statuses());
        if waited && !capture.probes().is_waiting() {
            waited = false;
            drop_capabilities(capture, listen);
        }
        state.events_received.store(capture.events_received(), Ordering::Relaxed);
        state.lookups_skipped.store(capture.lookups_skipped(), Ordering::Relaxed);
    }
}

/// What the endpoint needs to know, shared with the loop.
struct AgentState {
    counters: Arc<Counters>,
    reasons: ReasonNames,
    drop_reasons: ReasonNames,
    probes: Mutex<Vec<ProbeStatus>>,
    diagnosed: Mutex<Diagnosed>,
    history: Option<Watcher>,
    events_received: AtomicU64,
    lookups_skipped: AtomicU64,
    capturing: AtomicBool,
}

impl AgentState {
    fn new(capture: &Capture, history: Option<Watcher>) -> Result<Self, MetricsError> {
        Ok(Self {
            counters: capture.counters(),
            reasons: capture.probes().layout().reasons.clone(),
            drop_reasons: capture.probes().layout().drop_reasons.clone(),
            probes: Mutex::new(capture.probes().statuses().to_vec()),
            diagnosed: Mutex::new(Diagnosed::new()?),
            history,
            events_received: AtomicU64::new(0),
            lookups_skipped: AtomicU64::new(0),
            capturing: AtomicBool::new(true),
        })
    }
}

impl AgentState {
    /// Counts events, then leaves them to the history.
    fn pass_on(&self, events: &mut Vec<ResetEvent>, history: Option<&Recorder>) {
        self.count(events);
        match history {
            Some(history) => history.record(events.drain(..)),
            None => events.clear(),
        }
    }

    fn count(&self, events: &[ResetEvent]) {
        let mut diagnosed = self.diagnosed.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            diagnosed.add(event);
        }
    }

    /// Takes over what has changed, which is rare: a module was loaded.
    fn follow_probes(&self, statuses: &[ProbeStatus]) {
        let mut known = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != statuses {
            *known = statuses.to_vec();
            tell_probes(statuses);
        }
    }
}

/// Says what is attached.
fn tell_probes(statuses: &[ProbeStatus]) {
    let attached: Vec<_> =
        statuses.iter().filter(|status| status.is_attached()).map(|status| status.name).collect();
    tell(format_args!("capturing resets with {}", attached.join(", ")));
}

impl Source for AgentState {
    fn metrics(&self) -> anyhow::Result<Vec<u8>> {
        // Before the kernel's counts: what has been concluded has been counted there.
        let diagnosed = self.diagnosed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counts = self.counters.read()?;
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sample = Sample {
            counts: &counts,
            diagnosed: &diagnosed,
            reasons: &self.reasons,
            events_received: self.events_received.load(Ordering::Relaxed),
            lookups_skipped: self.lookups_skipped.load(Ordering::Relaxed),
            drop_reasons: &self.drop_reasons,
            probes: &probes,
            history: self.history.as_ref().map(Watcher::status),
            process: ProcessMetrics::read().ok(),
        };
        Ok(metrics::encode(&sample)?)
    }

    fn ready(&self) -> Result<(), String> {
        if self.capturing.load(Ordering::Relaxed) { Ok(()) } else { Err("resetmon is stopping".to_owned()) }
    }
}
