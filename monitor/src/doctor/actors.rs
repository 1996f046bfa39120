//! A process that makes traffic as it is told (`crate::actor`), started from the running executable. Every answer is
//! waited for with a limit.

use std::{env, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Longer than an actor waits for anything.
const LIMIT: Duration = Duration::from_secs(10);

/// One process; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Actor {
    /// The name it runs under.
    pub(super) name: &'static str,
    /// Its process id, in this pid namespace.
    pub(super) pid: u32,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Actor {
    /// Starts one. Needs a runtime with I/O and time.
    pub(super) fn start(name: &'static str) -> Result<Self> {
        let executable = env::current_exe().context("cannot tell the running executable")?;
        let mut child = Command::new(executable)
            .args(["actor", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (Some(pid), Some(commands), Some(answers)) =
            (child.id(), child.stdin.take(), child.stdout.take())
        else {
            bail!("{name} ended at once");
        };
        Ok(Self { name, pid, commands, answers: BufReader::new(answers).lines(), _child: child })
    }

    /// Has it carry out a command; gives its answer.
    pub(super) async fn ask(&mut self, command: &str) -> Result<String> {
        let line = format!("{command}\n");
        self.commands.write_all(line.as_bytes()).await.with_context(|| format!("{} is gone", self.name))?;
        let answer = timeout(LIMIT, self.answers.next_line()).await;
        let answer = answer.with_context(|| format!("{} does not answer `{command}`", self.name))??;
        answer.with_context(|| format!("{} ended at `{command}`", self.name))
    }

    /// Has it carry out a command whose answer must begin with `expected`; gives the rest.
    pub(super) async fn expect(&mut self, command: &str, expected: &str) -> Result<String> {
        let answer = self.ask(command).await?;
        match answer.strip_prefix(expected) {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => bail!("{} answered `{answer}` to `{command}`", self.name),
        }
    }
}
