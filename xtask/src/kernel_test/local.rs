//! The kernel tests on the running kernel.

use std::fs;

use anyhow::{Context, Result, bail};

use super::{folder, verdict};
use crate::process::{self, Network, Root, program, say};

/// Tests the binary that was built last. Only the test program runs as root; cargo does not, so that it leaves no
/// files of root's behind.
pub(crate) fn local(network: Network) -> Result<()> {
    let skips = folder()?.join("local.skips");
    // It is there before root writes to it, so it stays the caller's.
    fs::write(&skips, "").with_context(|| format!("cannot write {}", skips.display()))?;
    let mut build = network.cargo("build")?;
    process::run(build.args(["--package", "resetmon"]))?;
    let mut cargo = network.cargo("test")?;
    cargo.args(["--package", "resetmon-tests"]);
    cargo.args(["--features", "kernel", "--test", "kernel"]);
    cargo.env("RESETMON", process::target_dir()?.join("debug/resetmon"));
    cargo.env("RESETMON_SKIPS", &skips);
    match Root::probe() {
        Root::Already => {}
        Root::Sudo => {
            cargo.env(runner_variable(&host()?), "sudo -nE");
        }
        Root::No => bail!("the kernel tests need root; run this as root, or allow sudo without a password"),
    }
    let tested = process::run(&mut cargo);
    let skips = fs::read_to_string(&skips).with_context(|| format!("cannot read {}", skips.display()))?;
    for (test, because) in skips.lines().filter_map(verdict::skip) {
        say(&format!("skipped on this kernel: {test}: {because}"));
    }
    tested
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
