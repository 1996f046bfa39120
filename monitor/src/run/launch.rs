//! Starting a command so that it can be watched from before its first instruction: resetmon starts itself, waits at a gate
//! until it is followed, then gives up its rights and becomes the command. Process id and start stay the same.

use std::{
    fs::File,
    io::{self, PipeWriter, Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::unistd::{self, Gid, Uid, setgroups, setresgid, setresuid};
use procfs::process::Process;
use rustix::io::{FdFlags, fcntl_setfd};
use tokio::process::Child;

use super::user::{Identity, OF_SUDO};
use crate::{cli::LaunchArgs, exit::Exit, notice::tell};

/// As shells have them.
const CANNOT_EXECUTE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// A process that waits at its gate.
pub(super) struct Launched {
    pub(super) child: Child,
    pub(super) pid: u32,
    /// When it started, since boot.
    pub(super) started: Duration,
    gate: PipeWriter,
}

impl Launched {
    /// Starts one, in this process group and with these three streams. Needs a runtime.
    pub(super) fn start(
        command: &[std::ffi::OsString],
        identity: Option<&Identity>,
        procfs: &Path,
    ) -> Result<Self> {
        let (waits, gate) = io::pipe().context("cannot make a pipe")?;
        // This end is for the child as well; the other is not, so that it notices when this process ends.
        fcntl_setfd(&waits, FdFlags::empty()).context("cannot hand down a pipe")?;
        let mut launcher = Command::new("/proc/self/exe");
        launcher.arg0("resetmon").arg("launch").arg("--gate").arg(waits.as_raw_fd().to_string());
        if let Some(identity) = identity {
            let groups: Vec<String> = identity.groups.iter().map(Gid::to_string).collect();
            launcher.arg(format!("--uid={}", identity.uid)).arg(format!("--gid={}", identity.gid));
            launcher.arg(format!("--groups={}", groups.join(",")));
            for name in OF_SUDO {
                launcher.env_remove(name);
            }
            launcher.envs(identity.variables.iter().map(|(name, value)| (name, value)));
        }
        launcher.arg("--").args(command);
        let child = tokio::process::Command::from(launcher).spawn().context("cannot start a process")?;
        let Some(pid) = child.id() else { bail!("the process ended at once") };
        let started = started(procfs, pid).context("cannot tell when the command's process started")?;
        Ok(Self { child, pid, started, gate })
    }

    /// Lets it become the command.
    pub(super) fn open_gate(&mut self) -> Result<()> {
        self.gate.write_all(b"!").context("the command's process does not wait")
    }
}

fn started(procfs: &Path, pid: u32) -> Result<Duration> {
    let stat = Process::new_with_root(procfs.join(pid.to_string()))?.stat()?;
    let tick = 1_000_000_000 / procfs::ticks_per_second().max(1);
    Ok(Duration::from_nanos(stat.starttime.saturating_mul(tick)))
}

/// Waits at the gate, then becomes the command; comes back only when that cannot be.
pub fn become_command(args: &LaunchArgs) -> ExitCode {
    // Without the byte whoever shall watch is gone.
    if wait_at(args.gate).is_err() {
        return ExitCode::FAILURE;
    }
    if let Some((uid, gid)) = args.uid.zip(args.gid)
        && let Err(error) = become_user(uid, gid, &args.groups)
    {
        tell(format_args!(
            "cannot run the command as user {uid}, which needs CAP_SETUID and CAP_SETGID: {error}"
        ));
        return Exit::NoPermission.into();
    }
    let Some((program, arguments)) = args.command.split_first() else { return ExitCode::FAILURE };
    let error = Command::new(program).args(arguments).exec();
    let name = program.to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound {
        tell(format_args!("there is no command {name:?}"));
        return ExitCode::from(NOT_FOUND);
    }
    tell(format_args!("cannot execute {name:?}: {error}"));
    ExitCode::from(CANNOT_EXECUTE)
}

/// Waits for a byte on an inherited descriptor, and leaves nothing of it to the command.
fn wait_at(gate: i32) -> io::Result<()> {
    let mut waits = File::open(format!("/proc/self/fd/{gate}"))?;
    unistd::close(gate)?;
    waits.read_exact(&mut [0])
}

/// Gives up all other rights: those of root go with the last of the user ids.
fn become_user(uid: u32, gid: u32, groups: &[u32]) -> nix::Result<()> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}
