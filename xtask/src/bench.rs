//! Benchmarks of what is promised: who is named and why, what a connection costs, how long a start takes, how fast a history
//! is written and read. Each is a program of
//! the tests' package; this builds it and resetmon for real use, and starts it as root.
//!
//! Deliberately lacks any figure: what is wanted is known to the benchmark, which fails when it is not so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::kernel_test::{self, run_programs_as_root};
use crate::process::{self, Network, say};
use crate::setup::{self, Needs};

/// What is measured
#[derive(Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// Whether the right process is named, in thousands of resets on a busy machine
    Attribution {
        /// What the benchmark is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// What a connection costs more with resetmon
    Connections {
        /// What the benchmark is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Whether the right cause is told of every variant of the corpus, and how long a diagnosis takes
    Diagnosis {
        /// A record of the corpus, instead of making one
        record: Option<PathBuf>,
    },
    /// How fast a history is written, and asked beside the shell of `SQLite`
    History {
        /// What the benchmark is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// How long owners of open sockets are searched for at the start
    Seed,
}

impl Benchmark {
    pub(crate) fn run(self) -> Result<()> {
        let (name, arguments) = match self {
            Self::Attribution { arguments } => ("attribution", arguments),
            Self::Connections { arguments } => ("connections", arguments),
            Self::Diagnosis { record } => return diagnosis(record),
            Self::History { arguments } => ("history", arguments),
            Self::Seed => ("seed", Vec::new()),
        };
        let network = Network::Online;
        setup::setup(Needs::BuildAndBenchmarks, network)?;
        run(name, &arguments, &build(network)?, network)
    }
}

/// Judges the corpus, which the kernel tests make.
fn diagnosis(record: Option<PathBuf>) -> Result<()> {
    let network = Network::Online;
    setup::setup(Needs::BuildAndTests, network)?;
    let binary = build(network)?;
    let record = match record {
        Some(record) => std::path::absolute(&record).context("the record has no usable path")?,
        None => kernel_test::corpus(&binary, network)?,
    };
    run("diagnosis", &[record.into()], &binary, network)
}

/// The binary for real use.
fn build(network: Network) -> Result<PathBuf> {
    say("building resetmon (release)");
    process::run(network.cargo("build")?.args(["--release", "--package", "resetmon"]))?;
    Ok(process::target_dir()?.join("release/resetmon"))
}

fn run(name: &str, arguments: &[OsString], binary: &Path, network: Network) -> Result<()> {
    let mut cargo = network.cargo("bench")?;
    cargo.args(["--package", "resetmon-tests", "--bench", name, "--"]).args(arguments);
    cargo.env("RESETMON", binary);
    run_programs_as_root(&mut cargo)?;
    // Its table goes to standard output.
    let status = cargo.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the benchmark `{name}` failed: {status}");
    }
    Ok(())
}
