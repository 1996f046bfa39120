//! The live part: with the probes attached, makes one reset on loopback between two processes of its own, and compares
//! all that is seen for a while with the kernel's counters. The server closes an accepted connection with `SO_LINGER` set
//! to 0: every kernel tells that at both ends.

use std::{path::Path, time::Duration};

use anyhow::Result;
use tokio::time::{Instant, timeout_at};

use super::{
    facts::{Failure, Seen, SelfTest},
    namespaces,
    reconcile::{MOST_WITNESSED, Reconciliation, Witnessed, reconcile},
};
use crate::{
    actor::process::Actor,
    capture::Capture,
    kernel::error::KernelError,
    model::{Direction, FourTuple, ResetEvent, TcpState},
    notice::Chain,
    signals::Shutdown,
};

/// Events that have not come by then do not come.
const LATEST: Duration = Duration::from_secs(2);

/// How long is waited for events of the window after its end, longer than an unproven one is held.
const SETTLE: Duration = Duration::from_millis(200);

/// What the live part found.
pub(super) struct Live {
    pub(super) self_test: SelfTest,
    pub(super) reconciliation: Result<Reconciliation, Failure>,
}

/// Runs it for `window`, or longer where the self-test takes longer, or shorter where a signal comes.
pub(super) async fn run(
    capture: &mut Capture,
    procfs: &Path,
    window: Duration,
    initial_pids: bool,
    shutdown: &mut Shutdown,
) -> Result<Live, KernelError> {
    let mut seen = Observations::default();
    let lost_before = capture.counters().read()?.lost();
    let at_start = namespaces::snapshot(procfs);
    let end = Instant::now() + window;
    let self_test = match play().await {
        Ok(scene) => {
            seen.observe(capture, Instant::now() + LATEST, Some(&scene)).await?;
            scene.judge(&seen.of_self_test, initial_pids)
        }
        Err(error) => SelfTest::NotMade(Chain(error.as_ref()).to_string()),
    };
    tokio::select! {
        observed = seen.observe(capture, end, None) => observed?,
        // The window ends early; what was seen is compared all the same.
        () = shutdown.requested() => {}
    }
    let at_end = namespaces::snapshot(procfs);
    seen.observe(capture, Instant::now() + SETTLE, None).await?;
    let lost = capture.counters().read()?.lost().saturating_sub(lost_before);

    let reconciliation = match (at_start, at_end) {
        _ if seen.witnessed.len() >= MOST_WITNESSED => {
            Err(Failure::of("too many resets happen at once to compare them"))
        }
        (Ok(start), Ok(end)) => Ok(Reconciliation {
            own: namespaces::own(procfs),
            lost,
            ..reconcile(&start, &end, &seen.witnessed)
        }),
        (Err(error), _) | (_, Err(error)) => Err(Failure::of(&error.to_string())),
    };
    Ok(Live { self_test, reconciliation })
}

/// What was seen so far.
#[derive(Default)]
struct Observations {
    witnessed: Vec<Witnessed>,
    of_self_test: Vec<ResetEvent>,
}

impl Observations {
    /// Captures until `until`, or until both ends of `scene` were seen.
    async fn observe(
        &mut self,
        capture: &mut Capture,
        until: Instant,
        scene: Option<&Scene>,
    ) -> Result<(), KernelError> {
        let mut events = Vec::new();
        while scene.is_none() || self.of_self_test.len() < 2 {
            let Ok(captured) = timeout_at(until, capture.next(&mut events)).await else { break };
            captured?;
            for event in events.drain(..) {
                if self.witnessed.len() < MOST_WITNESSED {
                    self.witnessed.extend(Witnessed::of(&event));
                }
                if scene.is_some_and(|scene| scene.is_of(&event)) {
                    self.of_self_test.push(event);
                }
            }
        }
        Ok(())
    }
}

/// Who played, and at which addresses.
struct Scene {
    server: Actor,
    client: Actor,
    at_server: FourTuple,
}

async fn play() -> Result<Scene> {
    let mut server = Actor::start("doctor-server")?;
    let mut client = Actor::start("doctor-client")?;
    let server_at = server.expect("listen 127.0.0.1:0", "ok").await?.parse()?;
    let client_at = client.expect(&format!("connect {server_at}"), "ok").await?.parse()?;
    server.expect("accept", "ok").await?;
    server.expect("linger 0", "ok").await?;
    server.expect("close", "ok").await?;
    client.expect("recv 1", "error ECONNRESET").await?;
    Ok(Scene { server, client, at_server: FourTuple { local: server_at, peer: client_at } })
}

impl Scene {
    fn is_of(&self, event: &ResetEvent) -> bool {
        let FourTuple { local, peer } = self.at_server;
        let tuple = match event.direction {
            Direction::Sent => self.at_server,
            Direction::Received => FourTuple { local: peer, peer: local },
        };
        event.tuple == tuple
    }

    fn judge(&self, events: &[ResetEvent], initial_pids: bool) -> SelfTest {
        let owner = |actor: &Actor| Owner { name: actor.name(), pid: initial_pids.then_some(actor.pid()) };
        SelfTest::Made {
            sent: owner(&self.server).judge(events, Direction::Sent),
            received: owner(&self.client).judge(events, Direction::Received),
        }
    }
}

/// Who owns an end.
struct Owner {
    name: &'static str,
    /// As the kernel knows it; `None` in another pid namespace.
    pid: Option<u32>,
}

impl Owner {
    fn judge(&self, events: &[ResetEvent], direction: Direction) -> Seen {
        let fits =
            |event: &&ResetEvent| event.direction == direction && event.state == Some(TcpState::Established);
        let Some(event) = events.iter().find(fits) else { return Seen::Nothing };
        let found = event.process.as_ref().map(|process| (process.pid, &*process.comm));
        match (found, self.pid) {
            (Some((pid, _)), Some(expected)) if pid == expected => Seen::Right,
            (Some((_, name)), None) if name == self.name => Seen::RightName,
            (found, _) => {
                let found = found.map_or_else(
                    || "no process".to_owned(),
                    |(pid, name)| format!("{}[{pid}]", name.escape_default()),
                );
                let expected = self.pid.map(|pid| format!("[{pid}]")).unwrap_or_default();
                Seen::Wrong(format!("{found} instead of {}{expected}", self.name))
            }
        }
    }
}
