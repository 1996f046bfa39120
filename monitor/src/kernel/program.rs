//! What the kernel tells of a loaded program through its descriptor: how often it was skipped, how often it ran, and for
//! how long.

use std::{os::fd::RawFd, time::Duration};

/// Figures of a program since it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProgramFigures {
    /// How often it was skipped because it would have interrupted itself (5.12 and later).
    pub(super) recursion_misses: u64,
    /// How often it ran, while somebody wanted to know.
    pub(super) runs: u64,
    /// How long it ran then.
    pub(super) run_time: Duration,
}

impl ProgramFigures {
    /// Reads the figures of a program of this process; what a kernel does not tell is 0.
    pub(super) fn read(program: RawFd) -> Self {
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{program}")).unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let figure = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            let value = lines.find(|(found, _)| *found == name).map(|(_, value)| value.trim());
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        Self {
            recursion_misses: figure("recursion_misses"),
            runs: figure("run_cnt"),
            run_time: Duration::from_nanos(figure("run_time_ns")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let text = "pos:\t0\nprog_type:\t26\nrun_time_ns:\t1500\nrun_cnt:\t3\nrecursion_misses:\t2\n";
        let expected = ProgramFigures { recursion_misses: 2, runs: 3, run_time: Duration::from_nanos(1500) };
        assert_eq!(ProgramFigures::parse(text), expected);
        assert_eq!(ProgramFigures::parse("pos:\t0\n"), ProgramFigures::default());
    }
}
