//! Everything that is checked without running resetmon: format, clippy, the BPF object, the layout.
//!
//! Deliberately lacks fixes: `cargo fmt` and `cargo clippy --fix` are there for that.

use std::env::consts::ARCH;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSymbol};

use crate::process::{self, Network, say};
use crate::setup;
use crate::steps::Steps;
use crate::tidy;

/// The BPF object's file name in the build script's output folder.
const BPF_OBJECT: &str = "resetmon-ebpf";

pub(crate) fn lint(steps: &mut Steps, network: Network) -> Result<()> {
    steps.step("tidy", || tidy::tidy(&process::workspace_root()))?;
    steps.step("rustfmt", || process::run(network.cargo("fmt")?.args(["--all", "--check"])))?;
    steps.step("clippy", || {
        let mut clippy = network.cargo("clippy")?;
        clippy.args(["--all-targets", "--features", "resetmon-tests/kernel", "--", "-D", "warnings"]);
        process::run(&mut clippy)
    })?;
    steps.step("clippy for the BPF programs", || bpf_clippy(network))?;
    let mut object = PathBuf::new();
    steps.step("build", || {
        object = built_object(network)?;
        Ok(())
    })?;
    steps.step("the BPF object cannot panic", || {
        let bytes = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
        check_symbols(&symbols(&bytes)?).with_context(|| format!("in {}", object.display()))
    })
}

/// Clippy has to be of the compiler that has `core` for BPF; the workspace's own knows the host alone.
/// Where that compiler brings no clippy, its own warnings are what can be had.
fn bpf_clippy(network: Network) -> Result<()> {
    let compiler = setup::bpf_compiler()?;
    let channel = compiler.channel.name();
    let subcommand = if compiler.has_clippy() {
        "clippy"
    } else {
        say(&format!("toolchain `{channel}` has no clippy: checking for rustc's own warnings only"));
        "check"
    };
    let mut cargo = network.in_workspace("rustup")?;
    cargo.args(["run", channel, "cargo", subcommand]);
    cargo.args(["--release", "--package", BPF_OBJECT, "--all-features"]);
    cargo.args(["--target", "bpfel-unknown-none"]);
    cargo.args(compiler.core_arguments());
    // The flags of the real build, less those for the linker; clippy's warnings are subject to -D as well.
    let flags = format!("--cfg=bpf_target_arch=\"{ARCH}\"\u{1f}-Dwarnings");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags);
    // Another compiler in the same folder would make each think that the other's work is stale.
    cargo.env("CARGO_TARGET_DIR", process::target_dir()?.join("bpf-lint"));
    process::run(&mut cargo)
}

/// Builds resetmon, and finds the BPF object that went into it: cargo tells which output folder is the
/// current one, for old ones stay beside it.
fn built_object(network: Network) -> Result<PathBuf> {
    let mut build = network.cargo("build")?;
    build.args(["--package", "resetmon", "--message-format", "json-render-diagnostics"]);
    let messages = process::run_for_output(&mut build)?;
    let objects = messages.lines().filter_map(out_dir).map(|folder| PathBuf::from(folder).join(BPF_OBJECT));
    objects.into_iter().find(|object| object.is_file()).context("the build left no BPF object")
}

/// The output folder in one of cargo's messages, if it is about a build script that ran. Such a path holds
/// nothing that JSON escapes.
fn out_dir(message: &str) -> Option<&str> {
    let fields = message.contains(r#""reason":"build-script-executed""#).then_some(message)?;
    let (_, rest) = fields.split_once(r#""out_dir":""#)?;
    rest.split_once('"').map(|(folder, _)| folder)
}

fn symbols(elf: &[u8]) -> Result<Vec<&str>> {
    let file: ElfFile64 = ElfFile64::parse(elf).context("the BPF object is not ELF")?;
    file.symbols().map(|symbol| symbol.name().context("a symbol's name is not text")).collect()
}

/// A panic that is left in the object is a bounds check that the compiler could not prove; the kernel refuses
/// the program it is in.
fn check_symbols(names: &[&str]) -> Result<()> {
    // A stripped object would pass without having been looked at.
    ensure!(names.iter().any(|name| !name.is_empty()), "the BPF object has no symbols to check");
    let panics: Vec<&str> = names.iter().copied().filter(|name| name.contains("panic")).collect();
    if !panics.is_empty() {
        bail!("the BPF programs may panic: {}", panics.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_folders_in_messages() {
        let check =
            |message: &str, expected: Option<&str>| assert_eq!(out_dir(message), expected, "{message}");
        check(r#"{"reason":"build-script-executed","env":[],"out_dir":"/t/out"}"#, Some("/t/out"));
        check(r#"{"reason":"compiler-artifact","out_dir":"/t/out"}"#, None);
        check(r#"{"reason":"build-script-executed","env":[]}"#, None);
        check("", None);
    }

    #[test]
    fn symbols_of_the_object() {
        let check = |names: &[&str], expected: bool| {
            assert_eq!(check_symbols(names).is_ok(), expected, "{names:?}");
        };
        check(&["", "tcp_send_reset", "memcpy"], true);
        check(&["tcp_send_reset", "_ZN4core9panicking18panic_bounds_check17h0E"], false);
        check(&[""], false);
        check(&[], false);
    }
}
