//! Installs what is missing to build resetmon, and for `--tests` to test it; a second run changes nothing.
//!
//! The rule for the BPF compiler, the same as in `monitor/build.rs`: the rustup toolchain named `bpf` when
//! there is one, else `nightly`. `bpf` has to bring a built `core` for `bpfel-unknown-none`; `nightly` builds
//! it from the component rust-src. `bpf-linker` has to use the LLVM of that compiler, or a newer one.
//!
//! This file does what a build needs, `setup/test_tools.rs` what tests and benchmarks need beyond that;
//! `setup/probe.rs` looks and `setup/plan.rs` decides. Deliberately lacks upgrades and removals: what works is
//! left alone.

mod apt;
mod plan;
mod probe;
mod test_tools;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{self, Network, program, say};
use apt::Apt;
use plan::{LinkerPlan, ToolchainPlan};
pub(crate) use probe::Compiler;

/// The linker's version; newer ones may drop the LLVM that Debian's compiler uses.
const BPF_LINKER_VERSION: &str = "0.13.0";
/// Debian's compiler, and `core` for the BPF target built by it.
const DEBIAN_COMPILER: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// How much to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Build,
    BuildAndTests,
    /// Beyond the usual tests, those on emulated processors of that kind.
    BuildAndTestsOnAarch64,
    BuildAndBenchmarks,
}

pub(crate) fn setup(needs: Needs, network: Network) -> Result<()> {
    let start = Instant::now();
    let mut apt = Apt::new(network);
    let compiler = compiler(&mut apt)?;
    linker(&compiler, &mut apt)?;
    match needs {
        Needs::Build => {}
        Needs::BuildAndTests | Needs::BuildAndTestsOnAarch64 => test_tools::install(&compiler, &mut apt)?,
        Needs::BuildAndBenchmarks => test_tools::install_for_benchmarks(&mut apt)?,
    }
    if needs == Needs::BuildAndTestsOnAarch64 {
        test_tools::install_for_aarch64(&mut apt)?;
    }
    say(&format!("setup done in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

/// The compiler that the build chooses; an error when there is none.
pub(crate) fn bpf_compiler() -> Result<Compiler> {
    let toolchains = probe::toolchains()?;
    plan::usable(&toolchains).cloned().context("no compiler for BPF; run `cargo xtask setup`")
}

/// Sees to it that there is a compiler for BPF, and returns it.
fn compiler(apt: &mut Apt) -> Result<Compiler> {
    let toolchains = probe::toolchains()?;
    if let Some(compiler) = plan::usable(&toolchains) {
        say(&format!("BPF compiler: {compiler}"));
        return Ok(compiler.clone());
    }
    apt.need_network("a compiler for BPF")?;
    match plan::toolchain(&toolchains, &apt.debian_compiler(&DEBIAN_COMPILER)) {
        ToolchainPlan::Debian => {
            apt.install(&DEBIAN_COMPILER)?;
            say("BPF compiler: naming Debian's rustc `bpf` in rustup");
            process::run_quietly(program("rustup").args(["toolchain", "link", "bpf", "/usr"]))?;
        }
        ToolchainPlan::Nightly { because } => {
            say(&format!("BPF compiler: installing nightly with rust-src, since {because}"));
            let install = ["toolchain", "install", "nightly", "--profile", "minimal"];
            process::run(program("rustup").args(install).args(["--component", "rust-src"]))?;
        }
        ToolchainPlan::Blocked { because } => bail!("{because}"),
    }
    let compiler = bpf_compiler().context("installed, but cannot be used for bpfel-unknown-none")?;
    say(&format!("BPF compiler: {compiler}"));
    Ok(compiler)
}

/// Sees to it that bpf-linker can read what `compiler` writes.
fn linker(compiler: &Compiler, apt: &mut Apt) -> Result<()> {
    if let Some(found) = probe::linker().filter(|found| found.reads(compiler)) {
        say(&format!("bpf-linker: {found}"));
        return Ok(());
    }
    apt.need_network("a bpf-linker that fits")?;
    match plan::linker(compiler, &probe::linker_sources()) {
        LinkerPlan::BuildWithDebian { llvm } => {
            apt.install(&[&format!("llvm-{llvm}-dev")])?;
            build_linker(llvm, Path::new(&format!("/usr/lib/llvm-{llvm}")))?;
        }
        LinkerPlan::Build { llvm, prefix } => build_linker(llvm, &prefix)?,
        LinkerPlan::Download => {
            say("bpf-linker: downloading the released binary with cargo-binstall");
            let version = format!("bpf-linker@{BPF_LINKER_VERSION}");
            process::run(program("cargo").args(["binstall", "--no-confirm", "--force", &version]))?;
        }
        LinkerPlan::Blocked { because } => bail!("{because}"),
    }
    let found = probe::linker().context("bpf-linker cannot be run; see `bpf-linker --version`")?;
    if !found.reads(compiler) {
        bail!("bpf-linker at {found} does not fit {compiler}; remove it, or put the other first in PATH");
    }
    say(&format!("bpf-linker: {found}"));
    Ok(())
}

/// Builds the linker against a shared LLVM: optimising it would triple the time and gain nothing, for its
/// work is done inside that library.
fn build_linker(llvm: u32, prefix: &Path) -> Result<()> {
    say(&format!("bpf-linker: building {BPF_LINKER_VERSION} with LLVM {llvm} (about a minute)"));
    let mut install = program("cargo");
    install.args([
        "install",
        "bpf-linker",
        "--version",
        BPF_LINKER_VERSION,
        "--locked",
        "--force",
        "--debug",
    ]);
    install.args(["--no-default-features", "--features", &format!("llvm-{llvm}")]);
    install.env("LLVM_PREFIX", prefix);
    // Settings for building the workspace say nothing about how to build a tool of the machine.
    for variable in
        ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC"]
    {
        install.env_remove(variable);
    }
    process::run(&mut install).context("cannot build bpf-linker")
}
