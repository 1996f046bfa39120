//! resetmon and its kernel tests as static programs: they run on a system that has no libraries, or others.

use std::env::consts::ARCH;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::arch::Arch;
use crate::process::{self, Network, program};

/// Programs that need nothing of the system they run on.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) resetmon: PathBuf,
    pub(crate) kernel_tests: PathBuf,
}

impl Binaries {
    pub(crate) fn build(arch: Arch, network: Network) -> Result<Self> {
        // A folder of its own: other flags in the same one would make each build think that the other's is stale.
        let target = process::target_dir()?.join("kernel-test");
        let mut build = network.cargo("build")?;
        // Optimised, for an emulated processor runs them.
        build.args([
            "--release",
            "--target",
            &arch.target(),
            "--package",
            "resetmon",
            "--package",
            "resetmon-tests",
        ]);
        build.args(["--features", "resetmon-tests/kernel", "--bin", "resetmon", "--test", "kernel"]);
        build.args(["--message-format", "json-render-diagnostics"]);
        build.env("CARGO_TARGET_DIR", &target);
        // A variable that is for this target alone: what runs during the build is not static. The others would win.
        build.env(format!("CARGO_TARGET_{}_RUSTFLAGS", arch.variable()), "-Ctarget-feature=+crt-static");
        if arch.name() != ARCH {
            let compiler = format!("{}-gcc", arch.gnu());
            build.env(format!("CARGO_TARGET_{}_LINKER", arch.variable()), &compiler);
            // For what C sources crates bring.
            build.env(format!("CC_{}", arch.target().replace('-', "_")), &compiler);
        }
        build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let messages = process::run_for_output(&mut build)?;
        let find = |kind: &str, name: &str| {
            let mut found = messages.lines().filter_map(|message| executable(message, kind, name));
            found.next_back().map(PathBuf::from).with_context(|| format!("the build left no {kind} {name}"))
        };
        Ok(Self { resetmon: find("bin", "resetmon")?, kernel_tests: find("test", "kernel")? })
    }

    /// The names of all kernel tests; this machine has to be able to run them.
    pub(crate) fn tests(&self) -> Result<Vec<String>> {
        let list =
            process::run_for_output(program(&self.kernel_tests).args(["--list", "--format", "terse"]))?;
        Ok(listed(&list))
    }
}

/// Reads a test program's list of its tests: `refused::ipv4: test`.
pub(crate) fn listed(list: &str) -> Vec<String> {
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The path in one of cargo's messages, if it is about this program. Such a path holds nothing that JSON escapes.
fn executable<'a>(message: &'a str, kind: &str, name: &str) -> Option<&'a str> {
    let target = format!(r#""target":{{"kind":["{kind}"],"crate_types":["bin"],"name":"{name}","#);
    let message = message.contains(&target).then_some(message)?;
    let (_, rest) = message.split_once(r#""executable":""#)?;
    rest.split_once('"').map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_in_messages() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(executable(message, "test", "kernel"), expected, "{message}");
        };
        let message = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"crate_types":["bin"],"name":"kernel","src_path":"/s"},"executable":"/t/kernel-1","fresh":true}"#;
        check(message, Some("/t/kernel-1"));
        check(&message.replace("\"kernel\"", "\"other\""), None);
        check(&message.replace("[\"test\"]", "[\"bin\"]"), None);
        check(&message.replace("\"/t/kernel-1\"", "null"), None);
    }
}
