//! All tests, in the order in which a failure is cheapest to learn of; the last ones need root and a kernel.
//!
//! What CI runs: no check of the project lives anywhere else. Deliberately lacks retries and silent skips.

use std::mem::take;

use anyhow::Result;

use crate::kernel_test::{self, Arch, Series, Table, Tests};
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
    let mut table = Table::default();
    steps.step("kernel tests on this kernel", || {
        table = kernel_test::local(Tests::Kernel, network)?;
        // What has failed here is told at once: it is of no use to wait for other kernels.
        if table.counts().failed == 0 { Ok(()) } else { kernel_test::conclude(&table) }
    })?;
    let mut programs = Table::default();
    steps.step("tests with programs on this kernel", || {
        programs = kernel_test::local(Tests::Programs, network)?;
        kernel_test::conclude(&programs)
    })?;
    steps.step("kernel tests in virtual machines", || {
        table = take(&mut table).beside(kernel_test::vm(&Series::all(), Arch::default(), network)?);
        kernel_test::conclude(&table)
    })?;
    steps.summarise();
    process::show(&format!("kernel tests: {}\nwith programs: {}", table.counts(), programs.counts()));
    Ok(())
}
