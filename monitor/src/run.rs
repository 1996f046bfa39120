//! `resetmon run`: runs a command unchanged, watches it and everything that it starts from before its first instruction,
//! and reports on standard error what resets they met, once it has ended. Ends as the command did; a capture that fails
//! midway is told, and does not stop the command.

pub mod launch;
mod sink;
pub mod user;

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::time::{Instant, timeout_at};

use self::{launch::Launched, sink::Sink, user::Identity};
use crate::{
    capture::Capture,
    config::RunConfig,
    filter::Filter,
    kernel::{error::KernelError, tree::ProcessTree},
    model::{ResetEvent, process::Process},
    notice::{Chain, tell},
    output::{Context, report::Report},
    signals::Relay,
};

/// How long after the end of the command events that are under way are waited for.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// Runs the command and reports; its own end is the exit code.
pub async fn run(config: &RunConfig, context: Context) -> Result<ExitCode> {
    let identity = Identity::find(config.user.as_deref(), |name| std::env::var_os(name))?;
    let mut capture = Capture::start(&config.capture)?;
    let tree = capture.take_tree()?;
    let sink = match &config.file {
        Some(path) => Some(Sink::create(path, config.format, context.clone(), identity.as_ref())?),
        None => None,
    };
    let mut watched = Watched { tree, filter: &config.filter, sink, report: Report::default(), other: 0 };
    let mut launched = Launched::start(&config.command, identity.as_ref(), &config.capture.procfs)?;
    watched.tree.follow(launched.pid, launched.started)?;
    let mut relay = Relay::new().context("cannot catch signals")?;
    launched.open_gate()?;

    let status = attend(&mut launched, &mut relay, &mut capture, &mut watched).await?;
    settle(&mut capture, &mut watched).await;
    watched.conclude(config, &context, &capture);
    Ok(ExitCode::from(exit_code(status)))
}

/// Waits for the end of the command, and does what there is to do meanwhile.
async fn attend(
    launched: &mut Launched,
    relay: &mut Relay,
    capture: &mut Capture,
    watched: &mut Watched<'_>,
) -> Result<ExitStatus> {
    let mut events = Vec::new();
    let mut is_watching = true;
    loop {
        tokio::select! {
            status = launched.child.wait() => return status.context("cannot wait for the command"),
            signal = relay.next() => {
                if let Some(pid) = launched.child.id()
                    && let Err(error) = Relay::pass(signal, pid)
                {
                    tell(format_args!("cannot pass {signal} on to the command: {error}"));
                }
            }
            captured = capture.next(&mut events), if is_watching => {
                is_watching = watched.take(captured, &mut events);
            }
        }
    }
}

/// Takes what is still under way.
async fn settle(capture: &mut Capture, watched: &mut Watched<'_>) {
    let until = Instant::now() + UNDER_WAY;
    let mut events = Vec::new();
    while let Ok(captured) = timeout_at(until, capture.next(&mut events)).await {
        if !watched.take(captured, &mut events) {
            return;
        }
    }
    capture.finish(&mut events);
    watched.take(Ok(()), &mut events);
}

/// As a shell has it: the command's own, or 128 and the signal that ended it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// The command's processes, and what happened to them.
struct Watched<'a> {
    tree: ProcessTree,
    filter: &'a Filter,
    sink: Option<Sink>,
    report: Report,
    /// Events of the command that did not match the filter.
    other: u64,
}

impl Watched<'_> {
    /// Keeps what is the command's; whether there is more to come.
    fn take(&mut self, captured: Result<(), KernelError>, events: &mut Vec<ResetEvent>) -> bool {
        let kept = captured.and_then(|()| events.drain(..).try_for_each(|event| self.keep(&event)));
        if let Err(error) = &kept {
            tell(format_args!("resets are not watched any more: {}", Chain(error)));
        }
        if let Some(sink) = &mut self.sink
            && let Err(error) = sink.flush()
        {
            tell(format_args!("cannot write {}: {error}", sink.path().display()));
            self.sink = None;
        }
        kept.is_ok()
    }

    fn keep(&mut self, event: &ResetEvent) -> Result<(), KernelError> {
        if !self.is_of_command(event)? {
            return Ok(());
        }
        if !self.filter.matches(event) {
            self.other += 1;
            return Ok(());
        }
        self.report.add(event);
        if let Some(sink) = &mut self.sink {
            sink.write(event);
        }
        Ok(())
    }

    /// Whether one of the command's processes owns the socket, or holds it as well.
    fn is_of_command(&self, event: &ResetEvent) -> Result<bool, KernelError> {
        let mut holders = event.process.iter().chain(&event.other_holders);
        let found = holders.find_map(|Process { pid, started, .. }| match self.tree.has(*pid, *started) {
            Ok(false) => None,
            other => Some(other),
        });
        found.unwrap_or(Ok(false))
    }

    /// Says what there is to say.
    fn conclude(&self, config: &RunConfig, context: &Context, capture: &Capture) {
        if !(self.report.is_empty() && config.is_quiet) {
            let mut text = Vec::new();
            // Memory takes everything, and nobody is left to be told when standard error is closed.
            let _ = self.report.write(&name(&config.command), config.language, context, &mut text);
            let _ = io::stderr().lock().write_all(&text);
        }
        if self.other > 0 {
            tell(format_args!("{} more did not match the filter", self.other));
        }
        match capture.counters().read() {
            Ok(counts) if counts.lost() > 0 => tell(format_args!(
                "the details of {} resets of this host were lost (--ring-buffer-bytes makes more room)",
                counts.lost()
            )),
            Ok(_) => {}
            Err(error) => tell(Chain(&error)),
        }
        match self.tree.lost() {
            Ok(0) => {}
            Ok(lost) => tell(format_args!("{lost} processes of the command were too many to follow")),
            Err(error) => tell(Chain(&error)),
        }
        if let Some(error) = capture.undecodable() {
            tell(format_args!("some events could not be read, which is a defect worth reporting: {error}"));
        }
    }
}

/// What a command is called, in one word.
fn name(command: &[OsString]) -> String {
    let program = command.first().map_or(OsStr::new(""), OsString::as_os_str);
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

/// The same command line by way of sudo, as one types it.
pub fn with_sudo(arguments: impl IntoIterator<Item = OsString>) -> String {
    let words = arguments.into_iter().map(|argument| quoted(&argument.to_string_lossy()));
    ["sudo".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, os::unix::process::ExitStatusExt as _, process::ExitStatus};

    use super::{exit_code, name, with_sudo};

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        let check = |wait_status: i32, expected: u8| {
            assert_eq!(exit_code(ExitStatus::from_raw(wait_status)), expected, "{wait_status:#x}");
        };
        check(0, 0);
        check(3 << 8, 3);
        check(255 << 8, 255);
        check(9, 137);
        check(15, 143);
        // With a core dump.
        check(0x8b, 139);
    }

    #[test]
    fn a_command_is_called_by_its_program() {
        let check = |program: &str, expected: &str| assert_eq!(name(&[OsString::from(program)]), expected);
        check("pytest", "pytest");
        check("/usr/bin/python3", "python3");
        check("..", "..");
        assert_eq!(name(&[]), "");
    }

    #[test]
    fn the_command_line_can_be_pasted() {
        let check = |arguments: &[&str], expected: &str| {
            assert_eq!(with_sudo(arguments.iter().map(OsString::from)), expected);
        };
        check(&["resetmon", "run", "--", "pytest", "-x"], "sudo resetmon run -- pytest -x");
        check(&["resetmon", "run", "--", "sh", "-c", "a; b"], "sudo resetmon run -- sh -c 'a; b'");
        check(&["resetmon", "it's", ""], r"sudo resetmon 'it'\''s' ''");
    }
}
