//! `cargo xtask`: install what a build needs, run resetmon, test it, lint it.
//!
//! Holds the command line only; each command is a file of its own.

mod lint;
mod process;
mod run;
mod setup;
mod steps;
mod test;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    /// Run every check and test, the kernel tests as root
    Test {
        /// Fetch nothing: what is missing is an error
        #[arg(long)]
        offline: bool,
    },
    /// Check format, warnings, the BPF object and the layout
    Lint,
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
        Command::Test { offline: false } => test::test(Network::Online),
        Command::Test { offline: true } => test::test(Network::Offline),
        Command::Lint => {
            let mut steps = Steps::new();
            lint::lint(&mut steps, Network::Online)?;
            steps.summarise();
            Ok(())
        }
    }
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
}
