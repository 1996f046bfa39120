//! An actor as a process of its own, started from the running executable, and the talk with it. Every answer is waited
//! for with a limit.

use std::{env, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Longer than an actor waits for anything.
const LIMIT: Duration = Duration::from_secs(30);

/// One actor; it ends when this is dropped.
#[derive(Debug)]
pub struct Actor {
    name: &'static str,
    pid: u32,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Actor {
    /// Starts one. Needs a runtime with I/O and time.
    pub fn start(name: &'static str) -> Result<Self> {
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
        Ok(Self { name, pid, commands, answers: BufReader::new(answers).lines(), child })
    }

    /// The name it runs under.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id, in this pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Has it carry out a command; gives its answer.
    pub async fn ask(&mut self, command: &str) -> Result<String> {
        let line = format!("{command}\n");
        self.commands.write_all(line.as_bytes()).await.with_context(|| format!("{} is gone", self.name))?;
        let answer = timeout(LIMIT, self.answers.next_line()).await;
        let answer = answer.with_context(|| format!("{} does not answer `{command}`", self.name))??;
        answer.with_context(|| format!("{} ended at `{command}`", self.name))
    }

    /// Has it carry out a command whose answer must begin with `expected`; gives the rest.
    pub async fn expect(&mut self, command: &str, expected: &str) -> Result<String> {
        let answer = self.ask(command).await?;
        match answer.strip_prefix(expected) {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => bail!("{} answered `{answer}` to `{command}`", self.name),
        }
    }

    /// Has it exit, and waits for its end.
    pub async fn finish(&mut self) -> Result<()> {
        self.ask("exit").await?;
        let ended = timeout(LIMIT, self.child.wait()).await;
        ended.with_context(|| format!("{} does not end", self.name))??;
        Ok(())
    }
}
