//! What this machine has: toolchains, linker, packages.
//!
//! Only looks, and is quick about it; deliberately lacks decisions.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use super::plan::{DebianCompiler, LINKER_LLVM, LinkerSources};
use crate::process::{find_in_path, output_of, program};

/// The two rustup toolchains that the build knows how to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Linked by hand; brings a built `core`.
    Bpf,
    /// rustup's own; builds `core` itself.
    Nightly,
}

impl Channel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bpf => "bpf",
            Self::Nightly => "nightly",
        }
    }
}

/// One of the two toolchains, as rustup lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    pub(crate) channel: Channel,
    pub(crate) path: PathBuf,
    /// Nothing when its rustc cannot be run, as when the folder behind a link is gone.
    pub(crate) compiler: Option<Compiler>,
}

/// What a toolchain's rustc says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler {
    pub(crate) channel: Channel,
    /// The release, as rustc tells it.
    pub(crate) release: String,
    /// The major version of the LLVM inside.
    pub(crate) llvm: u32,
    /// Whether it is the one from Debian's packages.
    pub(crate) is_debians: bool,
    /// Whether `core` for BPF is there, in the form this channel needs.
    pub(crate) has_core: bool,
}

impl Compiler {
    /// Whether clippy can be run on what this compiler compiles.
    pub(crate) fn has_clippy(&self) -> bool {
        let mut clippy = program("rustup");
        clippy.args(["run", self.channel.name(), "cargo", "clippy", "--version"]);
        output_of(&mut clippy).is_some()
    }

    /// What cargo has to be told to have `core`.
    pub(crate) fn core_arguments(&self) -> &'static [&'static str] {
        match self.channel {
            Channel::Bpf => &[],
            Channel::Nightly => &["-Zbuild-std=core"],
        }
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "toolchain `{}` (rustc {}, LLVM {})", self.channel.name(), self.release, self.llvm)
    }
}

/// The toolchains that are there, of the two that matter.
pub(crate) fn toolchains() -> Result<Vec<Toolchain>> {
    let list = output_of(program("rustup").args(["toolchain", "list", "--verbose"]))
        .context("rustup is needed and cannot be run; install it as https://rustup.rs says")?;
    let listed = list.lines().filter_map(listed_toolchain);
    Ok(listed
        .map(|(channel, path)| Toolchain { channel, path: path.into(), compiler: compiler(channel, path) })
        .collect())
}

/// Reads `bpf /usr` or `nightly-x86_64-unknown-linux-gnu (active, default) /root/.rustup/toolchains/…`.
fn listed_toolchain(line: &str) -> Option<(Channel, &Path)> {
    let path = Path::new(&line[line.find('/')?..]);
    let name = line.split_whitespace().next()?;
    // `nightly-2026-01-01-…` is a pinned release, which `rustup run nightly` does not mean.
    let is_host = |rest: &str| {
        rest.strip_prefix('-').is_some_and(|host| host.starts_with(|first: char| first.is_ascii_alphabetic()))
    };
    match name.strip_prefix("nightly") {
        Some(rest) if rest.is_empty() || is_host(rest) => Some((Channel::Nightly, path)),
        _ => (name == "bpf").then_some((Channel::Bpf, path)),
    }
}

fn compiler(channel: Channel, path: &Path) -> Option<Compiler> {
    let rustc = |arguments: &[&str]| {
        output_of(program("rustup").args(["run", channel.name(), "rustc"]).args(arguments))
    };
    let version = rustc(&["-vV"])?;
    let has_core = match channel {
        Channel::Bpf => {
            let libdir = rustc(&["--print", "target-libdir", "--target", "bpfel-unknown-none"])?;
            has_built_core(Path::new(libdir.trim()))
        }
        Channel::Nightly => path.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file(),
    };
    let release = field(&version, "release: ")?.to_owned();
    let llvm = major(field(&version, "LLVM version: ")?)?;
    let is_debians = path == Path::new("/usr") && !installed(&["rustc-web"]).is_empty();
    Some(Compiler { channel, release, llvm, is_debians, has_core })
}

fn has_built_core(libdir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(libdir) else {
        return false;
    };
    entries.filter_map(Result::ok).any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.trim().parse().ok()
}

/// A bpf-linker that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linker {
    pub(crate) path: PathBuf,
    /// The major version of the LLVM it loads. A linker with LLVM inside does not tell.
    pub(crate) llvm: Option<u32>,
}

impl Linker {
    /// Whether it can read the bitcode that `compiler` writes. Debian's pair is kept equal, since both come
    /// from one place; LLVM reads the bitcode of older releases, so elsewhere a newer one will do. One that
    /// does not tell is trusted: the build fails at once where that is wrong.
    pub(crate) fn reads(&self, compiler: &Compiler) -> bool {
        match self.llvm {
            Some(llvm) if compiler.is_debians => llvm == compiler.llvm,
            Some(llvm) => llvm >= compiler.llvm,
            None => true,
        }
    }
}

impl fmt::Display for Linker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.llvm {
            Some(llvm) => write!(f, "{path} (LLVM {llvm})"),
            None => write!(f, "{path} (LLVM inside, version unknown)"),
        }
    }
}

/// The bpf-linker that a build would use: rustup adds cargo's folder behind PATH.
pub(crate) fn linker() -> Option<Linker> {
    let path = find_in_path("bpf-linker").or_else(|| Some(cargo_home()?.join("bin/bpf-linker")))?;
    output_of(Command::new(&path).arg("--version"))?;
    let libraries = output_of(Command::new("ldd").arg(&path)).unwrap_or_default();
    Some(Linker { path, llvm: loaded_llvm(&libraries) })
}

fn cargo_home() -> Option<PathBuf> {
    let set = env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

/// Reads `libLLVM.so.22.1 => …` or `libLLVM-22.so => …` in the output of ldd.
fn loaded_llvm(ldd: &str) -> Option<u32> {
    let library = ldd.split_whitespace().find_map(|word| word.strip_prefix("libLLVM"))?;
    let version = library.strip_prefix(".so.").or_else(|| library.strip_prefix('-'))?;
    major(version)
}

/// An LLVM with what is needed to link against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Llvm {
    pub(crate) major: u32,
    pub(crate) prefix: PathBuf,
}

/// The LLVM that `llvm-config` in PATH speaks of.
fn llvm_config() -> Option<Llvm> {
    let ask = |question: &str| output_of(Command::new("llvm-config").arg(question));
    Some(Llvm { major: major(&ask("--version")?)?, prefix: PathBuf::from(ask("--prefix")?.trim()) })
}

/// Where a linker could come from.
pub(crate) fn linker_sources() -> LinkerSources {
    LinkerSources {
        llvm_config: llvm_config(),
        debian_llvm: LINKER_LLVM.into_iter().filter(|llvm| apt_offers(&format!("llvm-{llvm}-dev"))).collect(),
        has_binstall: find_in_path("cargo-binstall").is_some(),
    }
}

fn apt_offers(package: &str) -> bool {
    output_of(Command::new("apt-cache").args(["show", "--no-all-versions", package])).is_some()
}

/// Which of the packages are installed.
pub(crate) fn installed(packages: &[&str]) -> Vec<String> {
    // dpkg-query fails when it does not know one of the names, and still prints the others.
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status} ${Package}\n"])
        .args(packages)
        .output();
    let printed =
        query.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    printed.lines().filter_map(|line| line.strip_prefix("installed ")).map(str::to_owned).collect()
}

/// Whether Debian's packages can be installed beside what is there.
pub(crate) fn debian_compiler(packages: &[&str]) -> DebianCompiler {
    if !packages.iter().all(|package| apt_offers(package)) {
        return DebianCompiler::NotOffered;
    }
    // apt would remove these to make room.
    match installed(&["rustc", "rustup"]).into_iter().next() {
        Some(package) => DebianCompiler::Excluded { by: package },
        None => DebianCompiler::Offered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_rustup() {
        let check = |line: &str, expected: Option<(Channel, &str)>| {
            let expected = expected.map(|(channel, path)| (channel, Path::new(path)));
            assert_eq!(listed_toolchain(line), expected, "{line}");
        };
        check("bpf /usr", Some((Channel::Bpf, "/usr")));
        check("bpf\t/usr", Some((Channel::Bpf, "/usr")));
        check("bpf-old /usr", None);
        check("nightly (default) /n", Some((Channel::Nightly, "/n")));
        check(
            "nightly-x86_64-unknown-linux-gnu (active, default) /a b/n",
            Some((Channel::Nightly, "/a b/n")),
        );
        check("nightly-2026-01-01-x86_64-unknown-linux-gnu /n", None);
        check("stable-x86_64-unknown-linux-gnu /s", None);
        check("no installed toolchains", None);
    }

    #[test]
    fn llvm_of_a_linker() {
        let check = |ldd: &str, expected: Option<u32>| assert_eq!(loaded_llvm(ldd), expected, "{ldd}");
        check("\tlinux-vdso.so.1 (0x1)\n\tlibLLVM.so.22.1 => /usr/lib/libLLVM.so.22.1 (0x2)\n", Some(22));
        check("\tlibLLVM-14.so.1 => /lib/libLLVM-14.so.1 (0x2)\n", Some(14));
        check("\tlibc.so.6 => /lib/libc.so.6 (0x2)\n", None);
        check("", None);
    }

    #[test]
    fn version_fields() {
        let text = "binary: rustc\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(field(text, "release: "), Some("1.96.0"));
        assert_eq!(field(text, "LLVM version: ").and_then(major), Some(22));
        assert_eq!(field(text, "host: "), None);
    }
}
