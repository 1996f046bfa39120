//! All tests, in the order in which a failure is cheapest to learn of; the last ones need root and a kernel.
//!
//! What CI runs: no check of the project lives anywhere else. Deliberately lacks retries and silent skips.

use anyhow::{Context, Result, bail};

use crate::lint;
use crate::process::{self, Network, Root, program};
use crate::setup::{self, Needs};
use crate::steps::Steps;

pub(crate) fn test(network: Network) -> Result<()> {
    let mut steps = Steps::new();
    steps.step("setup", || setup::setup(Needs::BuildAndTests, network))?;
    lint::lint(&mut steps, network)?;
    steps.step("tests without root", || process::run(&mut network.cargo("test")?))?;
    steps.step("the pure part builds without the kernel's", || {
        let mut check = network.cargo("check")?;
        check.args(["--package", "resetmon", "--no-default-features"]);
        process::run(&mut check)
    })?;
    steps.step("kernel tests", || kernel_tests(network))?;
    steps.summarise();
    Ok(())
}

/// Tests the binary that lint has built. Only the test program runs as root; cargo does not, so that it
/// leaves no files of root's behind.
fn kernel_tests(network: Network) -> Result<()> {
    let mut cargo = network.cargo("test")?;
    cargo.args(["--package", "resetmon-tests"]);
    cargo.args(["--features", "kernel", "--test", "kernel"]);
    cargo.env("RESETMON", process::target_dir()?.join("debug/resetmon"));
    match Root::probe() {
        Root::Already => {}
        Root::Sudo => {
            cargo.env(runner_variable(&host()?), "sudo -nE");
        }
        Root::No => bail!("the kernel tests need root; run this as root, or allow sudo without a password"),
    }
    process::run(&mut cargo)
}

fn host() -> Result<String> {
    let version = process::output_of(program("rustc").arg("-vV")).context("rustc cannot be run")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not tell its host")
}

/// The variable by which cargo is told how to start the programs of a target.
fn runner_variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runner_of_a_target() {
        let variable = runner_variable("x86_64-unknown-linux-gnu");
        assert_eq!(variable, "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER");
    }
}
