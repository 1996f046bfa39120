//! What the agent knows of itself, shared by the loop that captures with those who are asked for it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::tell_probes;
use crate::{
    capture::Capture,
    history::recorder::Watcher,
    hub::Hub,
    kernel::{
        costs::{Measurement, ProgramCost, Programs},
        counters::{Counters, Counts},
        error::KernelError,
        status::ProbeStatus,
    },
    losses::{Losses, Place},
    metrics::{self, MetricsError, Sample, diagnosed::Diagnosed},
    model::ResetEvent,
    process_metrics::ProcessMetrics,
    reason::ReasonNames,
    socket::routes,
    web::Source,
};

/// How long a scrape waits for resets that are on their way: longer than the other end of one is waited for.
const SETTLING: Duration = Duration::from_millis(150);
/// From one look to the next, meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// What is known, and counted so far.
pub(super) struct AgentState {
    counters: Arc<Counters>,
    reasons: ReasonNames,
    drop_reasons: ReasonNames,
    probes: Mutex<Vec<ProbeStatus>>,
    diagnosed: Mutex<Diagnosed>,
    started: Instant,
    losses: Arc<Losses>,
    hub: Arc<Hub>,
    measured: Option<Measured>,
    history: Option<Watcher>,
    events_received: AtomicU64,
    lookups_skipped: AtomicU64,
    capturing: AtomicBool,
}

/// What the programs cost, which the kernel measures as long as this is there.
struct Measured {
    _wanted: Measurement,
    programs: Mutex<Programs>,
}

impl Measured {
    fn costs(&self) -> Vec<ProgramCost> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).costs()
    }
}

impl AgentState {
    /// What has been concluded, and the kernel's counts. Waits a moment for what is on its way, so that the sums agree where
    /// resets are not without a pause.
    fn settled(&self) -> Result<(Diagnosed, Counts), KernelError> {
        let until = Instant::now() + SETTLING;
        loop {
            // Before the kernel's counts: what has been concluded has been counted there.
            let diagnosed = {
                let mut diagnosed = self.diagnosed.lock().unwrap_or_else(PoisonError::into_inner);
                diagnosed.free_idle(self.started.elapsed());
                diagnosed.clone()
            };
            let counts = self.counters.read()?;
            if diagnosed.accounts_for(&counts) || Instant::now() >= until {
                return Ok((diagnosed, counts));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(super) fn new(
        capture: &Capture,
        measurement: Option<Measurement>,
        history: Option<Watcher>,
        losses: Arc<Losses>,
        hub: Arc<Hub>,
    ) -> Result<Self, MetricsError> {
        let measured =
            |wanted| Measured { _wanted: wanted, programs: Mutex::new(capture.probes().programs()) };
        Ok(Self {
            counters: capture.counters(),
            reasons: capture.probes().layout().reasons.clone(),
            drop_reasons: capture.probes().layout().drop_reasons.clone(),
            probes: Mutex::new(capture.probes().statuses().to_vec()),
            diagnosed: Mutex::new(Diagnosed::new()?),
            started: Instant::now(),
            losses,
            hub,
            measured: measurement.map(measured),
            history,
            events_received: AtomicU64::new(0),
            lookups_skipped: AtomicU64::new(0),
            capturing: AtomicBool::new(true),
        })
    }
}

impl AgentState {
    /// Takes over what the capture has done: these events, and what became of its probes.
    pub(super) fn follow(&self, capture: &Capture, events: &[ResetEvent]) {
        self.count(events);
        self.follow_probes(capture);
        self.events_received.store(capture.events_received(), Ordering::Relaxed);
        self.lookups_skipped.store(capture.lookups_skipped(), Ordering::Relaxed);
    }

    /// The capture has ended.
    pub(super) fn stop(&self) {
        self.capturing.store(false, Ordering::Relaxed);
    }

    fn count(&self, events: &[ResetEvent]) {
        let now = self.started.elapsed();
        let mut diagnosed = self.diagnosed.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            diagnosed.add(event, now);
        }
    }

    /// Takes over what has changed, which is rare: a module was loaded.
    fn follow_probes(&self, capture: &Capture) {
        let statuses = capture.probes().statuses();
        let mut known = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != statuses {
            *known = statuses.to_vec();
            tell_probes(statuses);
            if let Some(measured) = &self.measured {
                *measured.programs.lock().unwrap_or_else(PoisonError::into_inner) =
                    capture.probes().programs();
            }
        }
    }
}

impl Source for AgentState {
    fn metrics(&self) -> anyhow::Result<Vec<u8>> {
        let (diagnosed, counts) = self.settled()?;
        let costs = self.measured.as_ref().map(Measured::costs);
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sample = Sample {
            counts: &counts,
            diagnosed: &diagnosed,
            reasons: &self.reasons,
            events_received: self.events_received.load(Ordering::Relaxed),
            losses: &self.losses,
            costs: costs.as_deref(),
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

impl routes::Source for AgentState {
    fn status(&self) -> anyhow::Result<Value> {
        let counts = self.counters.read()?;
        let sent: u64 = counts.sent.iter().map(|count| count.count).sum::<u64>() + counts.missed_sent;
        let received = counts.received.iter().map(|(_, count)| count).sum::<u64>() + counts.missed_received;
        let lost: Map<String, Value> = [("ring_buffer", counts.lost())]
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
