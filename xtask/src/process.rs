//! Starting other programs: where the workspace is, what reaches the terminal, who becomes root.
//!
//! Everything said here goes to stderr, and a child's stdout with it: stdout belongs to the program that
//! `cargo xtask run` ends as. Deliberately lacks any knowledge of what is being built or installed.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use anyhow::{Context, Result, bail};

/// Tells the user one line of progress.
#[expect(clippy::print_stderr, reason = "progress of a developer's tool")]
pub(crate) fn say(message: &str) {
    eprintln!("xtask: {message}");
}

/// Shows a result as it is, over several lines perhaps.
#[expect(clippy::print_stderr, reason = "belongs to what is said around it")]
pub(crate) fn show(result: &str) {
    eprintln!("{result}");
}

/// The folder that holds the workspace's Cargo.toml.
pub(crate) fn workspace_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Where cargo puts what it builds; absolute, so that it means the same from every folder.
pub(crate) fn target_dir() -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => std::path::absolute(dir).context("CARGO_TARGET_DIR is not a usable path"),
        None => Ok(workspace_root().join("target")),
    }
}

/// A program without the variables that `cargo run` sets for the program it starts, nor those of
/// `.cargo/config.toml`: they describe this xtask, and a cargo or rustc further in takes them as its own.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (variable, _) in env::vars_os() {
        if variable.to_str().is_some_and(describes_the_outer_cargo) {
            command.env_remove(variable);
        }
    }
    command
}

fn describes_the_outer_cargo(variable: &str) -> bool {
    const NAMES: [&str; 5] =
        ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "RUSTC_BOOTSTRAP", "RUST_RECURSION_COUNT"];
    NAMES.contains(&variable) || variable.starts_with("CARGO_PKG_")
}

/// Whether something may be fetched; if not, what is missing is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Online,
    Offline,
}

impl Network {
    /// A cargo that works on this workspace.
    pub(crate) fn cargo(self, subcommand: &str) -> Result<Command> {
        let mut command = self.in_workspace("cargo")?;
        command.arg(subcommand);
        Ok(command)
    }

    /// A program that starts a cargo on this workspace.
    pub(crate) fn in_workspace(self, name: &str) -> Result<Command> {
        let mut command = program(name);
        command.current_dir(workspace_root());
        command.env("CARGO_TARGET_DIR", target_dir()?);
        if self == Self::Offline {
            // A variable and not an argument: it reaches the cargo that the build script starts too.
            command.env("CARGO_NET_OFFLINE", "true");
        }
        Ok(command)
    }
}

/// Runs a program whose output the user wants to follow.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    let status = command.stdout(io::stderr()).status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs a program for what it prints on stdout; its stderr is for the user.
pub(crate) fn run_for_output(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed what is not UTF-8"))
}

/// Runs a program whose output matters only when it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed: {}\n{}{}", output.status, stdout, stderr);
    }
    Ok(())
}

/// What a program prints, or nothing when it cannot be run or fails.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first file of that name in the folders of PATH.
pub(crate) fn find_in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// How this process can do something as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// It is root.
    Already,
    /// `sudo` works without asking for a password.
    Sudo,
    /// Only the user can do it.
    No,
}

impl Root {
    pub(crate) fn probe() -> Self {
        if is_root() {
            Self::Already
        } else if output_of(Command::new("sudo").args(["-n", "true"])).is_some() {
            Self::Sudo
        } else {
            Self::No
        }
    }

    /// The given command line as root, or an error that tells the user what to run.
    pub(crate) fn command(self, line: &[&str]) -> Result<Command> {
        let (first, rest) = line.split_first().context("an empty command line")?;
        let mut command = match self {
            Self::Already => program(first),
            Self::Sudo => {
                let mut sudo = program("sudo");
                sudo.args(["-n", first]);
                sudo
            }
            Self::No => bail!(
                "this needs root, and `sudo -n` does not work here; run it yourself, then try again:\n    \
                 sudo {}",
                line.join(" ")
            ),
        };
        command.args(rest);
        Ok(command)
    }
}

/// Whether this process runs as root: the owner of `/proc/self` is the effective user.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|myself| myself.uid() == 0)
}

fn command_line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_outer_cargo_are_told_from_the_users() {
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "RUSTC_BOOTSTRAP"] {
            assert!(describes_the_outer_cargo(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTUP_TOOLCHAIN", "PATH"] {
            assert!(!describes_the_outer_cargo(name), "{name}");
        }
    }

    #[test]
    fn without_root_the_error_holds_the_command() {
        let error = Root::No.command(&["apt-get", "install", "nftables"]).expect_err("not root");
        assert!(error.to_string().contains("sudo apt-get install nftables"), "{error}");
    }
}
