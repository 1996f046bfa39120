//! What tests and benchmarks need beyond the build: programs they drive, clippy for the BPF side, promtool, virtual machines.
//!
//! Deliberately lacks anything that leaves a service running.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::apt::Apt;
use super::probe::{Channel, Compiler};
use crate::process::{self, program, say};

/// Traffic, network namespaces, firewall rules, who else reads the history.
const DRIVEN_BY_TESTS: [&str; 5] = ["python3", "python3-requests", "iproute2", "nftables", "sqlite3"];
/// Servers that tests run by themselves, each with the name of its service.
const SERVERS: [&str; 4] = ["nginx", "haproxy", "postgresql", "redis-server"];
/// Traffic, network namespaces, and what other tools show.
const DRIVEN_BY_BENCHMARKS: [&str; 5] = ["python3", "iproute2", "util-linux", "bpftrace", "sqlite3"];
/// Other kernels: an emulator, what is in the guest, Debian's keys, and what Debian compresses modules with.
const FOR_VIRTUAL_MACHINES: [&str; 5] =
    ["qemu-system-x86", "busybox-static", "util-linux", "debian-archive-keyring", "xz-utils"];
/// An emulator, and what links programs for it.
const FOR_AARCH64: [&str; 3] = ["qemu-system-arm", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
const AARCH64: &str = "aarch64-unknown-linux-gnu";
const DEBIAN_CLIPPY: &str = "rust-web-clippy";
/// Debian only has promtool inside its server package.
const PROMTOOL: &str = "/usr/local/bin/promtool";

pub(super) fn install(compiler: &Compiler, apt: &mut Apt) -> Result<()> {
    if compiler.channel == Channel::Nightly {
        nightly_clippy(compiler, apt)?;
    }
    if !apt.exists {
        say(
            "tests: no apt-get; they need python3 with requests, ip, nft, sqlite3, nginx, HAProxy, PostgreSQL and Redis where \
             Debian has them, QEMU and, for one of them, promtool",
        );
        return Ok(());
    }
    let mut packages = [&DRIVEN_BY_TESTS[..], &FOR_VIRTUAL_MACHINES].concat();
    if compiler.is_debians {
        packages.push(DEBIAN_CLIPPY);
    }
    apt.install(&packages)?;
    apt.install_without_starting(&SERVERS)?;
    promtool(apt)
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

/// Takes promtool alone out of Debian's package: installing the package starts a server on a machine with
/// systemd, and pulls in a dozen packages for its pages.
fn promtool(apt: &mut Apt) -> Result<()> {
    let installed = Path::new(PROMTOOL).is_file().then(|| PathBuf::from(PROMTOOL));
    if let Some(found) = process::find_in_path("promtool").or(installed) {
        say(&format!("promtool: {}", found.display()));
        return Ok(());
    }
    apt.need_network("promtool")?;
    say(&format!("promtool: taking it out of Debian's package prometheus, to {PROMTOOL}"));
    apt.update();
    let folder = process::target_dir()?.join("promtool");
    let unpacked = folder.join("unpacked");
    if folder.exists() {
        // Left by a run that failed half-way, perhaps with an older package.
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot create {}", folder.display()))?;
    process::run_quietly(program("apt-get").args(["-qq", "download", "prometheus"]).current_dir(&folder))?;
    let package = only_package(&folder)?;
    process::run_quietly(program("dpkg-deb").arg("--extract").args([&package, &unpacked]))?;
    let tool = unpacked.join("usr/bin/promtool");
    let tool = tool.to_str().context("the target folder's path is not UTF-8")?;
    process::run_quietly(&mut apt.root().command(&["install", "-m", "755", tool, PROMTOOL])?)?;
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

fn only_package(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")
}
