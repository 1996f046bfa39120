//! The daemon: captures without end, keeps the counts that metrics show, tells events live, and stops cleanly.

mod live;
mod state;

use std::{io, net::SocketAddr, pin::pin, sync::Arc};

use self::{
    live::{Live, Outlet},
    state::AgentState,
};
use crate::{
    capture::Capture,
    config::{AgentConfig, arguments::ArgumentsError},
    history::{HistoryOptions, recorder::Recorder},
    hub::Hub,
    kernel::{
        costs::Measurement,
        error::KernelError,
        privilege::{self, KprobesNeed, Later},
        status::ProbeStatus,
    },
    losses::Losses,
    metrics::MetricsError,
    model::ResetEvent,
    notice::{Chain, tell},
    signals::{HangUp, Shutdown},
    socket::Socket,
    web::{Endpoint, Server, config::WebConfigError, settings::Settings},
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
    Thread(#[source] io::Error),
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
    host: Arc<str>,
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
    // Whose group it is may be nobody's to decide any more once the capabilities are gone.
    let socket = Socket::bind(&config.socket);
    drop_capabilities(&capture, &config.listen);
    let history = config.history.as_ref().and_then(|options| record(options, &host));
    let losses = Arc::new(Losses::default());
    let hub = Arc::new(Hub::new(host, Arc::clone(&losses)));
    let state = Arc::new(AgentState::new(
        &capture,
        measurement,
        history.as_ref().map(Recorder::watcher),
        Arc::clone(&losses),
        Arc::clone(&hub),
    )?);
    let (counters, path) = (capture.counters(), config.socket.clone());
    let outlet = Outlet { hub, losses, counters, source: state.clone(), path, socket };
    let live = Live::start(outlet).map_err(AgentError::Thread)?;

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
    let mut last = Vec::new();
    let ended = {
        let mut pumping = pin!(pump(&mut capture, &state, &live, history.as_ref(), &config.listen));
        loop {
            tokio::select! {
                error = &mut pumping => break Err(error),
                () = shutdown.requested() => break Ok(()),
                () = hang_up.came() => match reload(config, &settings, read_again()) {
                    Ok(()) => {}
                    Err(error) => tell(format_args!("{}; nothing has changed", Chain(&error))),
                },
            }
        }
    };
    state.stop();
    capture.finish(&mut last);
    pass_on(&mut last, &capture, &state, &live, history.as_ref());
    live.end();
    server.stop();
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
async fn pump(
    capture: &mut Capture,
    state: &AgentState,
    live: &Live,
    history: Option<&Recorder>,
    listen: &[SocketAddr],
) -> KernelError {
    let mut events = Vec::new();
    let mut waited = capture.probes().is_waiting();
    loop {
        if let Err(error) = capture.next(&mut events).await {
            return error;
        }
        pass_on(&mut events, capture, state, live, history);
        if waited && !capture.probes().is_waiting() {
            waited = false;
            drop_capabilities(capture, listen);
        }
    }
}

/// Hands events to all who want them.
fn pass_on(
    events: &mut Vec<ResetEvent>,
    capture: &Capture,
    state: &AgentState,
    live: &Live,
    history: Option<&Recorder>,
) {
    state.follow(capture, events);
    live.tell(events);
    match history {
        Some(history) => history.record(events.drain(..)),
        None => events.clear(),
    }
}

/// Says what is attached.
fn tell_probes(statuses: &[ProbeStatus]) {
    let attached: Vec<_> =
        statuses.iter().filter(|status| status.is_attached()).map(|status| status.name).collect();
    tell(format_args!("capturing resets with {}", attached.join(", ")));
}
