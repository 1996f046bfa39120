//! `resetmon doctor`: what this kernel and these privileges allow, what is missing and what it costs. Gathers facts
//! (`gather`, `self_test`), judges them (`assess`), prints the findings (`print`). Whatever cannot be read is a finding,
//! never an error: only the output can fail.

pub mod assess;
pub mod facts;
pub mod finding;
pub mod reconcile;
pub mod snmp;

mod gather;
mod namespaces;
mod ports;
mod print;
mod self_test;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::ValueEnum;

use self::{
    assess::assess,
    facts::{Facts, Failure, SelfTest},
    finding::Verdict,
    self_test::Live,
};
use crate::{
    capture::Capture, config::DoctorConfig, kernel::error::KernelError, notice::Chain, output::Color,
    signals::Shutdown,
};

const DEGRADED: u8 = 1;
const UNUSABLE: u8 = 2;

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, in 100 columns
    #[default]
    Table,
    /// One JSON object
    Json,
}

/// Examines the host and writes what it finds to `to`. The exit code is 2 when resetmon cannot work here, and 1 when
/// something is missing and the configuration is strict.
pub async fn run(
    config: &DoctorConfig,
    color: Color,
    to: &mut impl Write,
    shutdown: &mut Shutdown,
) -> io::Result<ExitCode> {
    let findings = assess(&gather(config, shutdown).await);
    match config.format {
        Format::Table => print::table(&findings, color, to)?,
        Format::Json => print::json(&findings, to)?,
    }
    to.flush()?;
    Ok(match Verdict::of(&findings) {
        Verdict::Unusable => ExitCode::from(UNUSABLE),
        Verdict::Degraded if config.strict => ExitCode::from(DEGRADED),
        Verdict::Degraded | Verdict::Fine => ExitCode::SUCCESS,
    })
}

async fn gather(config: &DoctorConfig, shutdown: &mut Shutdown) -> Facts {
    let procfs = &config.capture.procfs;
    let mut facts = Facts {
        kernel: gather::kernel(),
        privileges: gather::privileges(procfs),
        host: gather::host(procfs, &config.listen, &config.socket),
        probes: Ok(Vec::new()),
        self_test: SelfTest::NoProbes,
        reconciliation: None,
    };
    let initial_pids = facts.privileges.initial_pids != Some(false);
    match Capture::start(&config.capture) {
        Err(error) => facts.probes = Err(failure(&error)),
        Ok(mut capture) => {
            facts.probes = Ok(capture.probes().statuses().to_vec());
            match self_test::run(&mut capture, procfs, config.window, initial_pids, shutdown).await {
                Ok(Live { self_test, reconciliation }) => {
                    facts.self_test = self_test;
                    facts.reconciliation = Some(reconciliation);
                }
                Err(error) => {
                    facts.self_test = SelfTest::NotMade(Chain(&error).to_string());
                    facts.reconciliation = Some(Err(failure(&error)));
                }
            }
        }
    }
    facts
}

fn failure(error: &KernelError) -> Failure {
    Failure {
        message: Chain(error).to_string(),
        advice: error.advice(),
        lacks_locked_memory: matches!(error, KernelError::LockedMemory { .. }),
    }
}
