//! The kernel tests on the running kernel, and those with programs, which have no other place.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use super::table::{Column, Results, Table};
use super::verdict::Verdict;
use super::{binaries, folder};
use crate::process::{self, Network, Root, program, say};

const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// Which tests: the target of cargo's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tests {
    /// They need no more than a small system, and are run on every kernel.
    Kernel,
    /// They need servers that are installed, which an image has not.
    Programs,
}

impl Tests {
    fn target(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Programs => "programs",
        }
    }
}

/// Tests the binary that was built last, and shows how it goes. Only the test program runs as root; cargo does not, so
/// that it leaves no files of root's behind.
pub(super) fn local(tests: Tests, network: Network) -> Result<Table> {
    let skips = folder()?.join("local.skips");
    // It is there before root writes to it, so it stays the caller's.
    fs::write(&skips, "").with_context(|| format!("cannot write {}", skips.display()))?;
    let names = names(tests, network)?;
    let mut build = network.cargo("build")?;
    process::run(build.args(["--package", "resetmon"]))?;
    let mut cargo = cargo_test(tests, network)?;
    cargo.env("RESETMON", process::target_dir()?.join("debug/resetmon"));
    cargo.env("RESETMON_SKIPS", &skips);
    run_programs_as_root(&mut cargo)?;
    let (output, status) = followed(&mut cargo)?;
    let skips = fs::read_to_string(&skips).with_context(|| format!("cannot read {}", skips.display()))?;
    let release = fs::read_to_string(RELEASE).with_context(|| format!("cannot read {RELEASE}"))?;
    let verdict = Verdict::of(told(&output, &skips, status).as_bytes());
    let results = Results::Run {
        release: release.trim().to_owned(),
        outcomes: verdict.outcomes,
        trouble: verdict.trouble,
    };
    Ok(Table { tests: names, columns: vec![Column { name: "local".to_owned(), results }] })
}

/// Makes the corpus with that binary: the file with what was told of each variant. Tests may fail, as they do when a
/// variant is told another cause than it should; who reads the file sees that.
pub(super) fn corpus(binary: &Path, network: Network) -> Result<PathBuf> {
    let record = folder()?.join("corpus.jsonl");
    fs::write(&record, "").with_context(|| format!("cannot write {}", record.display()))?;
    for tests in [Tests::Kernel, Tests::Programs] {
        let mut cargo = cargo_test(tests, network)?;
        cargo.arg("--no-fail-fast").env("RESETMON", binary).env("RESETMON_CORPUS", &record);
        run_programs_as_root(&mut cargo)?;
        if let Err(error) = process::run(&mut cargo) {
            say(&format!("not all of these tests passed: {error:#}"));
        }
    }
    Ok(record)
}

/// What they are called.
pub(super) fn names(tests: Tests, network: Network) -> Result<Vec<String>> {
    let list =
        process::run_for_output(cargo_test(tests, network)?.args(["--", "--list", "--format", "terse"]))?;
    Ok(binaries::listed(&list))
}

fn cargo_test(tests: Tests, network: Network) -> Result<Command> {
    let mut cargo = network.cargo("test")?;
    cargo.args(["--package", "resetmon-tests"]);
    cargo.args(["--features", "kernel", "--test", tests.target()]);
    Ok(cargo)
}

/// Runs tests and shows what they say as it comes; returns it, and how they ended.
fn followed(tests: &mut Command) -> Result<(String, ExitStatus)> {
    let mut child = tests.stdout(Stdio::piped()).spawn().context("cannot start the tests")?;
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().context("the output is piped")?).split(b'\n') {
        let line = line.context("cannot read what the tests say")?;
        let line = String::from_utf8_lossy(&line);
        process::show(&line);
        said.push_str(&line);
        said.push('\n');
    }
    let status = child.wait().context("cannot wait for the tests")?;
    Ok((said, status))
}

/// The same as a guest's console says it.
fn told(output: &str, skips: &str, status: ExitStatus) -> String {
    let exit = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
    let told = skips.lines().map(str::to_owned).chain([format!("exit {exit}")]);
    told.fold(output.to_owned(), |text, line| text + "kernel-test: " + &line + "\n")
}

/// Has cargo start as root what it builds.
pub(crate) fn run_programs_as_root(cargo: &mut Command) -> Result<()> {
    match Root::probe() {
        Root::Already => {}
        Root::Sudo => {
            cargo.env(runner_variable(&host()?), "sudo -nE");
        }
        Root::No => bail!("this needs root; run it as root, or allow sudo without a password"),
    }
    Ok(())
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
    use super::super::verdict::Outcome;
    use super::*;

    #[test]
    fn what_is_told_is_a_verdict() {
        use std::os::unix::process::ExitStatusExt;
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let verdict = |raw| {
            let told = told(output, "skipped a: needs x (since 6.10)\n", ExitStatus::from_raw(raw));
            Verdict::of(told.as_bytes())
        };
        let failed = verdict(101 << 8);
        assert_eq!(failed.trouble, None);
        let skipped = Outcome::Skipped { because: "needs x (since 6.10)".into() };
        let expected = [("a", skipped), ("b", Outcome::Failed)];
        assert_eq!(failed.outcomes, expected.map(|(test, outcome)| (test.to_owned(), outcome)).into());
        assert!(verdict(0).trouble.is_some(), "a test failed, and cargo says none did");
    }

    #[test]
    fn runner_of_a_target() {
        let variable = runner_variable("x86_64-unknown-linux-gnu");
        assert_eq!(variable, "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER");
    }
}
