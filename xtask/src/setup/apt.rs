//! Debian's packages: asks apt-get for what is missing, as root, without a terminal.
//!
//! Deliberately lacks removals, upgrades and recommended packages.

use std::cell::OnceCell;

use anyhow::{Result, bail};

use super::plan::{self, DebianCompiler};
use super::probe;
use crate::process::{self, Network, Root, say};

/// apt-get, and what this run has done with it already.
pub(super) struct Apt {
    pub(super) exists: bool,
    root: OnceCell<Root>,
    network: Network,
    updated: bool,
}

impl Apt {
    pub(super) fn new(network: Network) -> Self {
        Self {
            exists: process::find_in_path("apt-get").is_some(),
            root: OnceCell::new(),
            network,
            updated: false,
        }
    }

    /// Asked only when something is missing: a failed `sudo` leaves a line in the machine's log.
    pub(super) fn root(&self) -> Root {
        *self.root.get_or_init(Root::probe)
    }

    /// An error when `what` is missing and must not be fetched.
    pub(super) fn need_network(&self, what: &str) -> Result<()> {
        match self.network {
            Network::Online => Ok(()),
            Network::Offline => bail!("{what} is missing, and --offline installs nothing"),
        }
    }

    /// What Debian offers, asked of fresh lists where they can be had.
    pub(super) fn debian_compiler(&mut self, compiler: &[&str]) -> DebianCompiler {
        if !self.exists {
            return DebianCompiler::NotOffered;
        }
        if self.root() != Root::No {
            self.update();
        }
        probe::debian_compiler(compiler)
    }

    /// Refreshes the lists once a run. A source that cannot be reached is no reason to stop: the packages may
    /// come from another, and installing them says so if not.
    pub(super) fn update(&mut self) {
        if self.updated {
            return;
        }
        self.updated = true;
        say("apt-get update");
        let update = self.root().command(&["apt-get", "-qq", "update"]);
        if let Err(error) = update.and_then(|mut update| process::run_quietly(&mut update)) {
            say(&format!("going on with the lists as they are: {error}"));
        }
    }

    /// Installs those of the packages that are missing.
    pub(super) fn install(&mut self, packages: &[&str]) -> Result<()> {
        let missing = plan::missing(packages, &probe::installed(packages));
        if missing.is_empty() {
            say(&format!("packages: {} installed", packages.join(" ")));
            return Ok(());
        }
        self.need_network(&missing.join(" "))?;
        let mut line = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "--yes"];
        line.extend(["--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]);
        line.extend(&missing);
        let mut install = self.root().command(&line)?;
        self.update();
        say(&format!("packages: installing {}", missing.join(" ")));
        process::run_quietly(&mut install)
    }
}
