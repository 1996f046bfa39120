//! All tests, in the order in which a failure is cheapest to learn of; the last ones need root and a kernel.
//!
//! What CI runs: no check of the project lives anywhere else. Deliberately lacks retries and silent skips.

use anyhow::Result;

use crate::kernel_test::{self, Series};
use crate::lint;
use crate::process::{self, Network};
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
    steps.step("kernel tests", || kernel_test::local(network))?;
    let mut counts = None;
    steps.step("kernel tests in virtual machines", || {
        counts = Some(kernel_test::vm(&Series::all(), network)?);
        Ok(())
    })?;
    steps.summarise();
    if let Some(counts) = counts {
        process::show(&counts.to_string());
    }
    Ok(())
}
