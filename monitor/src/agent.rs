//! The daemon: captures without end, keeps the counts that metrics show, tells events live, and stops cleanly.

mod live;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use self::live::Live;
use crate::{
    capture::Capture,
    config::AgentConfig,
    hub::Hub,
    kernel::{
        counters::Counters,
        error::KernelError,
        privilege::{self, KprobesNeed, Later},
        status::ProbeStatus,
    },
    losses::{Losses, Place},
    metrics::{self, MetricsError, Sample, diagnosed::Diagnosed},
    model::ResetEvent,
    notice::{Chain, tell},
    process_metrics::ProcessMetrics,
    reason::ReasonNames,
    signals::Shutdown,
    socket::routes,
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
    /// The thread that serves the socket cannot be started.
    #[error("cannot start the thread that serves the socket")]
    Thread(#[source] std::io::Error),
}

/// Runs until a signal or an error ends it.
pub async fn run(config: &AgentConfig, host: Arc<str>, shutdown: &mut Shutdown) -> Result<(), AgentError> {
    let mut capture = Capture::start(&config.capture)?;
    tell_probes(capture.probes().statuses());
    drop_capabilities(&capture, &config.listen);
    let losses = Arc::new(Losses::default());
    let hub = Arc::new(Hub::new(host, Arc::clone(&losses)));
    let state = Arc::new(AgentState::new(&capture, Arc::clone(&losses), Arc::clone(&hub))?);
    let live = Live::start(config.socket.clone(), hub, losses, state.clone()).map_err(AgentError::Thread)?;

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
        error = pump(&mut capture, &state, &live, &config.listen) => Err(error),
        () = shutdown.requested() => Ok(()),
    };
    state.capturing.store(false, Ordering::Relaxed);
    live.end();
    servers.shutdown().await;
    Ok(ended?)
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
async fn pump(capture: &mut Capture, state: &AgentState, live: &Live, listen: &[SocketAddr]) -> KernelError {
    let mut events = Vec::new();
    let mut waited = capture.probes().is_waiting();
    loop {
        if let Err(error) = capture.next(&mut events).await {
            return error;
        }
        state.count(&events);
        live.tell(&events);
        events.clear();
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
    started: Instant,
    losses: Arc<Losses>,
    hub: Arc<Hub>,
    events_received: AtomicU64,
    lookups_skipped: AtomicU64,
    capturing: AtomicBool,
}

impl AgentState {
    fn new(capture: &Capture, losses: Arc<Losses>, hub: Arc<Hub>) -> Result<Self, MetricsError> {
        Ok(Self {
            counters: capture.counters(),
            reasons: capture.probes().layout().reasons.clone(),
            drop_reasons: capture.probes().layout().drop_reasons.clone(),
            probes: Mutex::new(capture.probes().statuses().to_vec()),
            diagnosed: Mutex::new(Diagnosed::new()?),
            started: Instant::now(),
            losses,
            hub,
            events_received: AtomicU64::new(0),
            lookups_skipped: AtomicU64::new(0),
            capturing: AtomicBool::new(true),
        })
    }
}

impl AgentState {
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
            process: ProcessMetrics::read().ok(),
        };
        Ok(metrics::encode(&sample)?)
    }

    fn ready(&self) -> Result<(), String> {
        if self.capturing.load(Ordering::Relaxed) { Ok(()) } else { Err("resetmon is stopping".to_owned()) }
    }
}

impl routes::Source for AgentState {
    fn status(&self) -> anyhow::Result<Value> {
        let counts = self.counters.read()?;
        let sent: u64 = counts.sent.iter().map(|count| count.count).sum::<u64>() + counts.missed_sent;
        let received = counts.received.iter().map(|(_, count)| count).sum::<u64>() + counts.missed_received;
        let lost: Map<String, Value> = [("ring_buffer", counts.lost)]
            .into_iter()
            .chain(Place::ALL.map(|place| (place.as_str(), self.losses.at(place))))
            .map(|(place, count)| (place.to_owned(), count.into()))
            .collect();
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let probes: Vec<Value> = probes
            .iter()
            .map(|status| {
                json!({
                    "name": status.name,
                    "attached": status.is_attached(),
                    "state": status.outcome.to_string(),
                    "gives": status.gives,
                })
            })
            .collect();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "uptime_seconds": self.started.elapsed().as_secs_f64(),
            "capturing": self.capturing.load(Ordering::Relaxed),
            "resets": {"sent": sent, "received": received},
            "events": {"received": self.events_received.load(Ordering::Relaxed), "lost": lost},
            "followers": self.hub.followers(),
            "probes": probes,
        }))
    }
}
