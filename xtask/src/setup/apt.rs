//! Debian's packages: asks apt-get for what is missing, as root, without a terminal.
//!
//! Deliberately lacks removals, upgrades and recommended packages.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::plan::{self, DebianCompiler};
use super::probe;
use crate::process::{self, Network, Root, say};

/// Asked by packages whether they may start their services (invoke-rc.d(8)).
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// The answer "no", whatever is asked.
const FORBIDS: &str = "#!/bin/sh\nexit 101\n";
/// There while systemd runs the machine.
const SYSTEMD: &str = "/run/systemd/system";

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
        match self.missing(packages)? {
            missing if missing.is_empty() => Ok(()),
            missing => self.install_missing(&missing),
        }
    }

    /// The same with packages that have a service of their name: it does not run now, nor after the next boot. One that is
    /// installed already is the user's own and stays as it is.
    pub(super) fn install_without_starting(&mut self, packages: &[&str]) -> Result<()> {
        let missing = self.missing(packages)?;
        if missing.is_empty() {
            return Ok(());
        }
        let has_policy = Path::new(POLICY).exists();
        if !has_policy {
            self.forbid_starting()?;
        }
        let installed = self.install_missing(&missing);
        if !has_policy {
            process::run_quietly(&mut self.root().command(&["rm", "-f", POLICY])?)?;
        }
        installed?;
        if Path::new(SYSTEMD).exists() {
            let disable = [&["systemctl", "disable", "--now", "--quiet"], &missing[..]].concat();
            process::run_quietly(&mut self.root().command(&disable)?)?;
        }
        Ok(())
    }

    fn forbid_starting(&self) -> Result<()> {
        let policy = process::target_dir()?.join("policy-rc.d");
        fs::write(&policy, FORBIDS).with_context(|| format!("cannot write {}", policy.display()))?;
        let path = policy.to_str().context("the target folder's path is not UTF-8")?;
        process::run_quietly(&mut self.root().command(&["install", "-m", "755", path, POLICY])?)
    }

    /// Those of the packages that have to be installed, and may be.
    fn missing<'a>(&self, packages: &[&'a str]) -> Result<Vec<&'a str>> {
        let missing = plan::missing(packages, &probe::installed(packages));
        if missing.is_empty() {
            say(&format!("packages: {} installed", packages.join(" ")));
        } else {
            self.need_network(&missing.join(" "))?;
        }
        Ok(missing)
    }

    fn install_missing(&mut self, missing: &[&str]) -> Result<()> {
        let mut line = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "--yes"];
        line.extend(["--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]);
        line.extend(missing);
        let mut install = self.root().command(&line)?;
        self.update();
        say(&format!("packages: installing {}", missing.join(" ")));
        process::run_quietly(&mut install)
    }
}
