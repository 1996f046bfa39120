//! What tests and benchmarks need beyond the build: programs they drive, clippy for the BPF side, virtual machines.
//!
//! Deliberately lacks anything that leaves a service running.

use anyhow::Result;

use super::apt::Apt;
use super::probe::{Channel, Compiler};
use crate::process::{self, program, say};

/// Traffic, network namespaces, firewall rules, clients of the agent, certificates for both, who else reads the history.
const DRIVEN_BY_TESTS: [&str; 7] =
    ["python3", "python3-requests", "iproute2", "nftables", "curl", "openssl", "sqlite3"];
/// Servers that tests run by themselves, each with the name of its service.
const SERVERS: [&str; 5] = ["nginx", "haproxy", "postgresql", "redis-server", "prometheus"];
/// Traffic, network namespaces, and what other tools show.
const DRIVEN_BY_BENCHMARKS: [&str; 5] = ["python3", "iproute2", "util-linux", "bpftrace", "sqlite3"];
/// Other kernels: an emulator, what is in the guest, Debian's keys, and what Debian compresses modules with.
const FOR_VIRTUAL_MACHINES: [&str; 5] =
    ["qemu-system-x86", "busybox-static", "util-linux", "debian-archive-keyring", "xz-utils"];
/// An emulator, and what links programs for it.
const FOR_AARCH64: [&str; 3] = ["qemu-system-arm", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
const AARCH64: &str = "aarch64-unknown-linux-gnu";
const DEBIAN_CLIPPY: &str = "rust-web-clippy";

pub(super) fn install(compiler: &Compiler, apt: &mut Apt) -> Result<()> {
    if compiler.channel == Channel::Nightly {
        nightly_clippy(compiler, apt)?;
    }
    if !apt.exists {
        say(
            "tests: no apt-get; they need python3 with requests, ip, nft, curl, openssl, sqlite3, nginx, HAProxy, PostgreSQL, \
             Redis and Prometheus where Debian has them, and QEMU",
        );
        return Ok(());
    }
    let mut packages = [&DRIVEN_BY_TESTS[..], &FOR_VIRTUAL_MACHINES].concat();
    if compiler.is_debians {
        packages.push(DEBIAN_CLIPPY);
    }
    apt.install(&packages)?;
    apt.install_without_starting(&SERVERS)
}

/// What it takes to build for aarch64 and to emulate it.
pub(super) fn install_for_aarch64(apt: &mut Apt) -> Result<()> {
    if apt.exists {
        apt.install(&FOR_AARCH64)?;
    } else {
        say(
            "tests: no apt-get; aarch64 needs qemu-system-aarch64 and a cross compiler, aarch64-linux-gnu-gcc",
        );
    }
    let rustup = |arguments: &[&str]| {
        let mut rustup = program("rustup");
        rustup.args(arguments).current_dir(process::workspace_root());
        rustup
    };
    let installed = process::output_of(&mut rustup(&["target", "list", "--installed"])).unwrap_or_default();
    if installed.lines().any(|target| target == AARCH64) {
        say(&format!("Rust's target: {AARCH64} installed"));
        return Ok(());
    }
    apt.need_network(&format!("Rust's target {AARCH64}"))?;
    say(&format!("Rust's target: adding {AARCH64}"));
    process::run_quietly(&mut rustup(&["target", "add", AARCH64]))
}

/// What benchmarks start.
pub(super) fn install_for_benchmarks(apt: &mut Apt) -> Result<()> {
    if apt.exists {
        return apt.install(&DRIVEN_BY_BENCHMARKS);
    }
    say(&format!("benchmarks: no apt-get; they need {}", DRIVEN_BY_BENCHMARKS.join(", ")));
    Ok(())
}

/// Clippy for the BPF programs has to come from where their compiler does. A compiler that somebody linked by
/// hand may have none; lint does without it then.
fn nightly_clippy(nightly: &Compiler, apt: &Apt) -> Result<()> {
    if nightly.has_clippy() {
        return Ok(());
    }
    apt.need_network("clippy for nightly")?;
    say("clippy: adding the component to nightly");
    process::run_quietly(program("rustup").args(["component", "add", "clippy", "--toolchain", "nightly"]))
}
