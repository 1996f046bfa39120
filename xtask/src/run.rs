//! Builds resetmon and becomes it, as root.
//!
//! Replaces this process, so that signals and the exit code are resetmon's own; stdout holds only what
//! resetmon prints.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, Network, say};
use crate::setup::{self, Needs};

/// Returns only when something fails.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    setup::setup(Needs::Build, Network::Online)?;
    say("building resetmon (release)");
    process::run(Network::Online.cargo("build")?.args(["--release", "--package", "resetmon"]))?;
    let binary = process::target_dir()?.join("release/resetmon");
    let mut command = if process::is_root() {
        Command::new(&binary)
    } else {
        say("starting it with sudo: loading BPF programs needs root");
        let mut sudo = Command::new("sudo");
        sudo.arg("--").arg(&binary);
        sudo
    };
    let error = command.args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))
}
