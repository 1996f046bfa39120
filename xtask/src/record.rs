//! Makes the data of the replay tests: runs the kernel tests for a record of the corpus, and has the replay tests take from
//! it what they need.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::kernel_test;
use crate::process::{self, Network};
use crate::setup::{self, Needs};

/// From that record, or else from a new one.
pub(crate) fn record(record: Option<PathBuf>) -> Result<()> {
    let network = Network::Online;
    let record = match record {
        Some(record) => std::path::absolute(&record).context("the record has no usable path")?,
        None => made(network)?,
    };
    let mut cargo = network.cargo("test")?;
    cargo.args(["--package", "resetmon-tests", "--test", "replay", "--", "--ignored", "--exact", "record"]);
    process::run(cargo.env("RESETMON_CORPUS", record))
}

fn made(network: Network) -> Result<PathBuf> {
    setup::setup(Needs::BuildAndTests, network)?;
    process::run(network.cargo("build")?.args(["--package", "resetmon"]))?;
    kernel_test::corpus(&process::target_dir()?.join("debug/resetmon"), network)
}
