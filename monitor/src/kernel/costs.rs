//! How often the BPF programs ran and for how long. The kernel measures that of every program on the host as long as
//! somebody wants to know, which costs a little at each run, so it has to be asked for.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use aya::sys::{Stats, enable_stats};

use super::{error::KernelError, program::ProgramFigures};

/// The kernel measures as long as this is kept.
#[derive(Debug)]
pub struct Measurement {
    _wanted: OwnedFd,
}

impl Measurement {
    /// Begins to measure (5.8 and later; needs `CAP_SYS_ADMIN`).
    pub fn begin() -> Result<Self, KernelError> {
        enable_stats(Stats::RunTime).map(|wanted| Self { _wanted: wanted }).map_err(KernelError::Measure)
    }
}

/// Programs whose costs can be read, also once they are detached.
#[derive(Debug, Default)]
pub struct Programs {
    pub(super) loaded: Vec<(String, OwnedFd)>,
}

/// What a program has cost so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// Its name.
    pub name: String,
    /// How often it ran while the kernel measured.
    pub runs: u64,
    /// For how long.
    pub run_time: Duration,
}

impl Programs {
    /// What each has cost.
    pub fn costs(&self) -> Vec<ProgramCost> {
        let cost = |(name, program): &(String, OwnedFd)| {
            let ProgramFigures { runs, run_time, .. } = ProgramFigures::read(program.as_raw_fd());
            ProgramCost { name: name.clone(), runs, run_time }
        };
        self.loaded.iter().map(cost).collect()
    }
}
