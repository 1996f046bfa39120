//! The two processes of the demo, and the playing of a scenario by them.

use std::{fmt, net::SocketAddr};

use anyhow::{Context as _, Result};

use super::{
    scenarios::{Outcome, Scenario, Who},
    verdict::name,
};
use crate::actor::process::Actor;

/// A client and a server.
#[derive(Debug)]
pub(super) struct Pair {
    client: Actor,
    server: Actor,
}

/// Process ids of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pids {
    pub(super) client: u32,
    pub(super) server: u32,
}

/// A command that did not come to what it must.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    who: &'static str,
    command: String,
    answer: String,
}

impl Obstacle {
    pub(super) fn is_permission(&self) -> bool {
        matches!(self.answer.as_str(), "error EPERM" | "error EACCES")
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered `{}` to `{}`", self.who, self.answer, self.command)
    }
}

impl Pair {
    /// Starts both processes, from the running executable. Needs a runtime with I/O and time.
    pub(super) fn start() -> Result<Self> {
        Ok(Self { client: Actor::start(name(Who::Client))?, server: Actor::start(name(Who::Server))? })
    }

    pub(super) fn pids(&self) -> Pids {
        Pids { client: self.client.pid(), server: self.server.pid() }
    }

    /// Carries out the steps of a scenario; answers the server's address.
    pub(super) async fn play(&mut self, scenario: &Scenario) -> Result<Result<SocketAddr, Obstacle>> {
        let mut server: Option<SocketAddr> = None;
        for step in scenario.steps {
            let address = server.map(|server| server.to_string()).unwrap_or_default();
            let command = step.command.replace("{server}", &address);
            let actor = self.actor(step.who);
            let answer = actor.ask(&command).await?;
            let as_expected = match step.outcome {
                Outcome::Done => answer.starts_with("ok"),
                Outcome::Fails(errno) => answer.strip_prefix("error ") == Some(errno),
            };
            if !as_expected {
                return Ok(Err(Obstacle { who: actor.name(), command, answer }));
            }
            server = server.or_else(|| answer.strip_prefix("ok ")?.parse().ok());
        }
        Ok(Ok(server.context("a scenario without a server")?))
    }

    /// Closes what a scenario left open.
    pub(super) async fn clear(&mut self) -> Result<()> {
        for actor in [&mut self.client, &mut self.server] {
            // There may be nothing to close.
            actor.ask("close").await?;
            actor.ask("close-listener").await?;
        }
        Ok(())
    }

    /// Ends both processes.
    pub(super) async fn finish(mut self) -> Result<()> {
        for actor in [&mut self.client, &mut self.server] {
            actor.finish().await?;
        }
        Ok(())
    }

    fn actor(&mut self, who: Who) -> &mut Actor {
        match who {
            Who::Client => &mut self.client,
            Who::Server => &mut self.server,
        }
    }
}
