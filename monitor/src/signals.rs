//! The signals that ask a command to end, and those that are meant for a command that is run.

use std::{fs::File, io};

use nix::{
    sys::signal::{self, kill},
    unistd::{Pid, getpgrp, tcgetpgrp},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, caught from the moment this is made.
pub struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

impl Shutdown {
    /// Catches the signals; needs a runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits until one of them comes.
    pub async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGHUP, which asks a daemon to read its configuration again, caught from the moment this is made.
pub struct HangUp(Signal);

impl HangUp {
    /// Catches the signal; needs a runtime.
    pub fn new() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits until it comes.
    pub async fn came(&mut self) {
        self.0.recv().await;
    }
}

/// Passes on signals to a command that is run, from the moment this is made, and outlives them.
pub struct Relay {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hang_up: Signal,
    user1: Signal,
    user2: Signal,
}

impl Relay {
    /// Catches the signals; needs a runtime. What is started before inherits what is ignored now, as under nohup.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for a signal that the command has not been sent as well.
    pub async fn next(&mut self) -> signal::Signal {
        loop {
            let signal = tokio::select! {
                _ = self.interrupt.recv() => signal::Signal::SIGINT,
                _ = self.quit.recv() => signal::Signal::SIGQUIT,
                _ = self.terminate.recv() => signal::Signal::SIGTERM,
                _ = self.hang_up.recv() => signal::Signal::SIGHUP,
                _ = self.user1.recv() => signal::Signal::SIGUSR1,
                _ = self.user2.recv() => signal::Signal::SIGUSR2,
            };
            let is_of_terminal = matches!(signal, signal::Signal::SIGINT | signal::Signal::SIGQUIT);
            if !is_of_terminal || !is_in_foreground() {
                return signal;
            }
        }
    }

    /// Passes one on to a process that has not been waited for.
    pub fn pass(signal: signal::Signal, to: u32) -> io::Result<()> {
        let pid = i32::try_from(to).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }
}

/// Whether the keys of a terminal send their signals to this process group, hence to the command as well.
fn is_in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}
