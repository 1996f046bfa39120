//! A scripted maker of traffic: one listener and one connection, driven by a command a line and answering a line each.
//! The demo and the kernel tests make their resets with two of these, so that either end has a process of its own.
//!
//! ```text
//! listen ADDR:PORT [backlog N] [dual]      → ok ADDR:PORT   `dual` lets an IPv6 listener serve IPv4 as well
//! connect ADDR:PORT [from ADDR:PORT]       → ok ADDR:PORT   the local end
//! accept                                   → ok ADDR:PORT   the peer
//! send N · recv N                          → ok N           recv stops early at the end of the stream
//! await N · await-fin                      → ok             until N bytes, or the end of the stream, can be read
//! await-error                              → ok ERRNO       what the next call would have returned
//! shutdown read|write|both · linger SECONDS · keepalive IDLE INTERVAL COUNT
//! close · close-listener · silent-close    → ok             the last one sends neither FIN nor RST
//! exit                                     → ok
//! ```
//!
//! A command that fails answers `error ERRNO`: EAGAIN when nothing came in time, EINVAL for what is no command. Every
//! command is bounded in time. Deliberately lacks any knowledge of what its traffic is for.

mod command;
mod ends;
pub mod process;

use std::{
    fmt, fs,
    io::{self, BufRead, Write},
    net::SocketAddr,
};

use nix::errno::Errno;

use self::{command::Command, ends::Ends};

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    Count(usize),
    Address(SocketAddr),
    Found(Errno),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "ok"),
            Self::Count(count) => write!(f, "ok {count}"),
            Self::Address(address) => write!(f, "ok {address}"),
            Self::Found(errno) => write!(f, "ok {errno:?}"),
        }
    }
}

/// Takes the process name `name` and carries out `commands` until `exit` or their end.
pub fn run(name: &str, commands: impl BufRead, answers: impl Write) -> io::Result<()> {
    fs::write("/proc/self/comm", name)?;
    serve(commands, answers)
}

fn serve(commands: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    let mut ends = Ends::default();
    for line in commands.lines() {
        let command = line?.parse();
        let result = command.and_then(|command: Command| ends.carry_out(&command));
        match result {
            Ok(answer) => writeln!(answers, "{answer}")?,
            Err(errno) => writeln!(answers, "error {errno:?}")?,
        }
        answers.flush()?;
        if command == Ok(Command::Exit) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::serve;

    fn check(commands: &str, expected: &str) {
        let mut answers = Vec::new();
        serve(commands.as_bytes(), &mut answers).expect("answers in memory");
        assert_eq!(String::from_utf8(answers).expect("text"), expected);
    }

    #[test]
    fn every_line_is_answered() {
        check(
            "dance\n\nclose\nclose-listener\naccept\n",
            "error EINVAL\nerror EINVAL\nerror ENOTCONN\nerror EBADF\nerror EBADF\n",
        );
    }

    #[test]
    fn exit_is_the_last() {
        check("exit\nclose\n", "ok\n");
    }

    #[test]
    fn there_is_one_listener() {
        let listen = "listen 127.0.0.1:0\n";
        let mut answers = Vec::new();
        serve([listen, listen].concat().as_bytes(), &mut answers).expect("answers in memory");
        let answers = String::from_utf8(answers).expect("text");
        let (first, second) = answers.split_once('\n').expect("two answers");
        assert!(first.starts_with("ok 127.0.0.1:") && !first.ends_with(":0"), "{first}");
        assert_eq!(second, "error EISCONN\n");
    }
}
