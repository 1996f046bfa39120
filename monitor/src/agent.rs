//! The daemon: captures without end, keeps the counts that metrics show, and stops cleanly.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::{
    capture::Capture,
    config::{AgentConfig, arguments::ArgumentsError},
    kernel::{
        costs::{Measurement, ProgramCost, Programs},
        counters::Counters,
        error::KernelError,
        privilege::{self, KprobesNeed, Later},
        status::ProbeStatus,
    },
    losses::Losses,
    metrics::{self, MetricsError, Sample, diagnosed::Diagnosed},
    model::ResetEvent,
    notice::{Chain, tell},
    process_metrics::ProcessMetrics,
    reason::ReasonNames,
    signals::{HangUp, Shutdown},
    web::{Endpoint, Server, Source, config::WebConfigError, settings::Settings},
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
    /// The web configuration cannot be used.
    #[error(transparent)]
    Web(#[from] WebConfigError),
    /// The signal that asks to reload cannot be caught.
    #[error("cannot catch signals")]
    Signals(#[source] io::Error),
    /// The endpoint cannot be served.
    #[error("cannot start the thread that serves metrics")]
    Serve(#[source] io::Error),
}

/// Whether an agent could run like this, as far as that can be told without starting it.
pub fn check(config: &AgentConfig) -> Result<(), AgentError> {
    config.capture.probes.check()?;
    Settings::load(config.web_config.clone())?;
    Ok(())
}

/// Why the configuration was not taken over.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    /// It cannot be read.
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    /// The web configuration cannot be used.
    #[error(transparent)]
    Web(#[from] WebConfigError),
}

/// Runs until a signal or an error ends it. `read_again` reads the configuration as it is then.
pub async fn run(
    config: &AgentConfig,
    shutdown: &mut Shutdown,
    read_again: impl Fn() -> Result<AgentConfig, ArgumentsError>,
) -> Result<(), AgentError> {
    let mut hang_up = HangUp::new().map_err(AgentError::Signals)?;
    // What is wrong with it is told before anything is attached.
    let settings = Arc::new(Settings::load(config.web_config.clone())?);
    let mut capture = Capture::start(&config.capture)?;
    tell_probes(capture.probes().statuses());
    let measurement = config.measures_programs.then(Measurement::begin).and_then(|begun| match begun {
        Ok(measurement) => Some(measurement),
        Err(error) => {
            tell(Chain(&error));
            None
        }
    });
    drop_capabilities(&capture, &config.listen);
    let state = Arc::new(AgentState::new(&capture, measurement)?);

    let endpoint = Endpoint {
        listen: config.listen.clone(),
        path: config.telemetry_path.clone(),
        settings: Arc::clone(&settings),
        source: state.clone(),
    };
    let counters = capture.counters();
    let listens_below_1024 = is_below_1024(&config.listen);
    let server = Server::start(endpoint, move || {
        let later = Later { listens_below_1024, ..Later::default() };
        if let Err(error) = privilege::drop_in_thread(later, || counters.read().is_ok()) {
            tell(Chain(&error));
        }
    })
    .map_err(AgentError::Serve)?;
    let mut pumping = pin!(pump(&mut capture, &state, &config.listen));
    let ended = loop {
        tokio::select! {
            error = &mut pumping => break Err(error),
            () = shutdown.requested() => break Ok(()),
            () = hang_up.came() => match reload(config, &settings, read_again()) {
                Ok(()) => {}
                Err(error) => tell(format_args!("{}; nothing has changed", Chain(&error))),
            },
        }
    };
    state.capturing.store(false, Ordering::Relaxed);
    server.stop();
    Ok(ended?)
}

/// Takes over what can be changed while it runs, and says what cannot.
fn reload(
    running: &AgentConfig,
    settings: &Settings,
    wanted: Result<AgentConfig, ArgumentsError>,
) -> Result<(), ReloadError> {
    let wanted = wanted?;
    settings.move_to(wanted.web_config.clone())?;
    tell("the configuration was read again");
    let fixed = running.fixed_differences(&wanted);
    if !fixed.is_empty() {
        tell(format_args!("a restart is needed for {}", fixed.join(", ")));
    }
    Ok(())
}

/// Gives up what is needed no longer: most once the probes are attached, the rest when none waits any more. An agent that cannot is no worse than one that does not try.
fn drop_capabilities(capture: &Capture, listen: &[SocketAddr]) {
    let later = Later {
        attaches: capture.probes().is_waiting(),
        kprobes: KprobesNeed::of_this_kernel(),
        listens_below_1024: is_below_1024(listen),
    };
    let counters = capture.counters();
    match privilege::drop_after_attach(later, || counters.read().is_ok()) {
        Ok(dropped) => tell(dropped),
        Err(error) => tell(Chain(&error)),
    }
}

fn is_below_1024(listen: &[SocketAddr]) -> bool {
    listen.iter().any(|address| (1..1024).contains(&address.port()))
}

/// Moves events until the capture fails.
async fn pump(capture: &mut Capture, state: &AgentState, listen: &[SocketAddr]) -> KernelError {
    let mut events = Vec::new();
    let mut waited = capture.probes().is_waiting();
    loop {
        if let Err(error) = capture.next(&mut events).await {
            return error;
        }
        state.count(&events);
        events.clear();
        state.follow_probes(capture);
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
    losses: Losses,
    measured: Option<Measured>,
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
    fn new(capture: &Capture, measurement: Option<Measurement>) -> Result<Self, MetricsError> {
        let measured =
            |wanted| Measured { _wanted: wanted, programs: Mutex::new(capture.probes().programs()) };
        Ok(Self {
            counters: capture.counters(),
            reasons: capture.probes().layout().reasons.clone(),
            drop_reasons: capture.probes().layout().drop_reasons.clone(),
            probes: Mutex::new(capture.probes().statuses().to_vec()),
            diagnosed: Mutex::new(Diagnosed::new()?),
            started: Instant::now(),
            losses: Losses::default(),
            measured: measurement.map(measured),
            events_received: AtomicU64::new(0),
            lookups_skipped: AtomicU64::new(0),
            capturing: AtomicBool::new(true),
        })
    }
}

impl AgentState {
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

/// Says what is attached.
fn tell_probes(statuses: &[ProbeStatus]) {
    let attached: Vec<_> =
        statuses.iter().filter(|status| status.is_attached()).map(|status| status.name).collect();
    tell(format_args!("capturing resets with {}", attached.join(", ")));
}

impl Source for AgentState {
    fn metrics(&self) -> anyhow::Result<Vec<u8>> {
        // Before the kernel's counts: what has been concluded has been counted there.
        let diagnosed = {
            let mut diagnosed = self.diagnosed.lock().unwrap_or_else(PoisonError::into_inner);
            diagnosed.free_idle(self.started.elapsed());
            diagnosed.clone()
        };
        let costs = self.measured.as_ref().map(Measured::costs);
        let counts = self.counters.read()?;
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
            process: ProcessMetrics::read().ok(),
        };
        Ok(metrics::encode(&sample)?)
    }

    fn ready(&self) -> Result<(), String> {
        if self.capturing.load(Ordering::Relaxed) { Ok(()) } else { Err("resetmon is stopping".to_owned()) }
    }
}
