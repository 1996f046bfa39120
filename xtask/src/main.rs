//! `cargo xtask`: install what a build needs, run resetmon, test it, lint it.
//!
//! Holds the command line only; each command is a file of its own.

mod bench;
mod kernel_test;
mod lint;
mod process;
mod record;
mod reference;
mod run;
mod setup;
mod steps;
mod test;
mod tidy;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use bench::Benchmark;
use kernel_test::{Arch, Series, Tests};
use process::Network;
use setup::Needs;
use steps::Steps;

/// Everything a developer, or CI, does with resetmon
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing to build resetmon; changes nothing when nothing is missing
    Setup {
        /// Also install what the tests need
        #[arg(long)]
        tests: bool,
    },
    /// Build resetmon and run it as root, installing what that needs
    Run {
        /// What resetmon is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "demo")]
        arguments: Vec<OsString>,
    },
    /// Run every check and test, the kernel tests as root and on other kernels as well
    Test {
        /// Fetch nothing: what is missing is an error, but for kernels, which are skipped
        #[arg(long)]
        offline: bool,
    },
    /// Run the kernel tests alone
    KernelTest {
        #[command(subcommand)]
        place: Place,
        /// Fetch nothing
        #[arg(long, global = true)]
        offline: bool,
    },
    /// Make the data of the replay tests anew: what kernel tests are told, as root, of the variants that this kernel makes
    Record {
        /// A record of the corpus, instead of making one
        record: Option<PathBuf>,
    },
    /// Measure what is promised, as root: prints a table, and fails when the promise is not kept
    Bench {
        #[command(subcommand)]
        benchmark: Benchmark,
    },
    /// Write manual pages and completions into the target folder, for packages
    Reference {
        /// Fetch nothing
        #[arg(long)]
        offline: bool,
    },
    /// Check format, warnings, the BPF object and the layout
    Lint,
}

/// Where kernel tests are run
#[derive(Debug, Subcommand)]
enum Place {
    /// On the running kernel, as root, and after them those with programs that people use
    Local,
    /// On Debian's newest kernel of each series, in virtual machines
    Vm {
        /// Which series [default: all of them]
        series: Vec<Series>,
        /// The emulated processor
        #[arg(long, value_enum, default_value_t)]
        arch: Arch,
    },
}

impl Place {
    fn test(self, network: Network) -> Result<()> {
        let needs = match self {
            Self::Vm { arch: Arch::Aarch64, .. } => Needs::BuildAndTestsOnAarch64,
            _ => Needs::BuildAndTests,
        };
        setup::setup(needs, network)?;
        let table = match self {
            Self::Local => {
                kernel_test::conclude(&kernel_test::local(Tests::Kernel, network)?)?;
                kernel_test::local(Tests::Programs, network)?
            }
            Self::Vm { series, arch } => {
                let series = if series.is_empty() { Series::all() } else { series };
                kernel_test::vm(&series, arch, network)?
            }
        };
        kernel_test::conclude(&table)
    }
}

fn main() -> ExitCode {
    match dispatch(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Setup { tests: false } => setup::setup(Needs::Build, Network::Online),
        Command::Setup { tests: true } => setup::setup(Needs::BuildAndTests, Network::Online),
        Command::Run { arguments } => run::run(&arguments),
        Command::Test { offline } => test::test(network(offline)),
        Command::KernelTest { place, offline } => place.test(network(offline)),
        Command::Bench { benchmark } => benchmark.run(),
        Command::Reference { offline } => reference::reference(network(offline)),
        Command::Record { record } => record::record(record),
        Command::Lint => {
            let mut steps = Steps::new();
            lint::lint(&mut steps, Network::Online)?;
            steps.summarise();
            Ok(())
        }
    }
}

fn network(offline: bool) -> Network {
    if offline { Network::Offline } else { Network::Online }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_follows_run_is_resetmons() {
        let check = |line: &[&str], expected: &[&str]| {
            let args = Args::try_parse_from([&["xtask", "run"], line].concat()).expect("a valid line");
            let Command::Run { arguments } = args.command else { panic!("{line:?} is not `run`") };
            assert_eq!(arguments, expected, "{line:?}");
        };
        check(&[], &["demo"]);
        check(&["watch", "-o", "json", "-n", "2"], &["watch", "-o", "json", "-n", "2"]);
        check(&["--", "watch", "-n", "2"], &["watch", "-n", "2"]);
        check(&["watch", "--help"], &["watch", "--help"]);
        check(&["watch", "--", "x"], &["watch", "--", "x"]);
    }

    #[test]
    fn series_of_kernels() {
        let check = |line: &[&str], expected: Option<&[&str]>| {
            let args = Args::try_parse_from([&["xtask", "kernel-test", "vm"], line].concat());
            let named = args.ok().map(|args| match args.command {
                Command::KernelTest { place: Place::Vm { series, .. }, .. } => {
                    series.into_iter().map(Series::name).collect()
                }
                other => panic!("{line:?} is {other:?}"),
            });
            assert_eq!(named, expected.map(<[&str]>::to_vec), "{line:?}");
        };
        check(&[], Some(&[]));
        check(&["5.10", "7", "--offline"], Some(&["5.10", "7"]));
        check(&["--arch", "aarch64", "6.12"], Some(&["6.12"]));
        check(&["--arch", "arm64"], Some(&[]));
        check(&["--arch", "riscv64"], None);
        check(&["5.11"], None);
    }
}
