//! One line of an actor's script. Deliberately lacks placeholders: addresses come in as they are.

use std::{
    net::{Shutdown, SocketAddr},
    str::{FromStr, SplitWhitespace},
};

use nix::errno::Errno;

/// What an actor can be told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Listen { at: SocketAddr, backlog: Option<u16>, dual: bool },
    Connect { to: SocketAddr, from: Option<SocketAddr> },
    Accept,
    Send(usize),
    Receive(usize),
    AwaitBytes(usize),
    AwaitFin,
    AwaitError,
    Shutdown(Shutdown),
    Linger(u8),
    Keepalive { idle: u32, interval: u32, count: u32 },
    SilentClose,
    Close,
    CloseListener,
    Exit,
}

impl FromStr for Command {
    type Err = Errno;

    fn from_str(line: &str) -> Result<Self, Errno> {
        let mut words = line.split_whitespace();
        let command = match words.next() {
            Some("listen") => listen(&mut words)?,
            Some("connect") => connect(&mut words)?,
            Some("accept") => Self::Accept,
            Some("send") => Self::Send(value(&mut words)?),
            Some("recv") => Self::Receive(value(&mut words)?),
            Some("await") => Self::AwaitBytes(value(&mut words)?),
            Some("await-fin") => Self::AwaitFin,
            Some("await-error") => Self::AwaitError,
            Some("shutdown") => Self::Shutdown(match words.next() {
                Some("read") => Shutdown::Read,
                Some("write") => Shutdown::Write,
                Some("both") => Shutdown::Both,
                _ => return Err(Errno::EINVAL),
            }),
            Some("linger") => Self::Linger(value(&mut words)?),
            Some("keepalive") => Self::Keepalive {
                idle: value(&mut words)?,
                interval: value(&mut words)?,
                count: value(&mut words)?,
            },
            Some("silent-close") => Self::SilentClose,
            Some("close") => Self::Close,
            Some("close-listener") => Self::CloseListener,
            Some("exit") => Self::Exit,
            _ => return Err(Errno::EINVAL),
        };
        words.next().map_or(Ok(command), |_| Err(Errno::EINVAL))
    }
}

fn listen(words: &mut SplitWhitespace<'_>) -> Result<Command, Errno> {
    let at = value(words)?;
    let mut backlog = None;
    let mut dual = false;
    while let Some(word) = words.next() {
        match word {
            "backlog" => backlog = Some(value(words)?),
            "dual" => dual = true,
            _ => return Err(Errno::EINVAL),
        }
    }
    Ok(Command::Listen { at, backlog, dual })
}

fn connect(words: &mut SplitWhitespace<'_>) -> Result<Command, Errno> {
    let to = value(words)?;
    let from = match words.next() {
        Some("from") => Some(value(words)?),
        Some(_) => return Err(Errno::EINVAL),
        None => None,
    };
    Ok(Command::Connect { to, from })
}

fn value<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Result<T, Errno> {
    words.next().and_then(|word| word.parse().ok()).ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command, Errno>) {
        assert_eq!(line.parse(), expected, "{line}");
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn commands_are_read() {
        let (local, any) = (address("127.0.0.1:0"), address("[::]:80"));
        check("listen 127.0.0.1:0", Ok(Command::Listen { at: local, backlog: None, dual: false }));
        check("listen [::]:80 backlog 4 dual", Ok(Command::Listen { at: any, backlog: Some(4), dual: true }));
        check("connect [::]:80", Ok(Command::Connect { to: any, from: None }));
        check("connect [::]:80 from 127.0.0.1:0", Ok(Command::Connect { to: any, from: Some(local) }));
        check("  send  12 ", Ok(Command::Send(12)));
        check("await 3", Ok(Command::AwaitBytes(3)));
        check("shutdown both", Ok(Command::Shutdown(Shutdown::Both)));
        check("keepalive 1 2 3", Ok(Command::Keepalive { idle: 1, interval: 2, count: 3 }));
        check("exit", Ok(Command::Exit));
    }

    #[test]
    fn anything_else_is_refused() {
        for line in [
            "",
            "dance",
            "listen",
            "listen 127.0.0.1",
            "listen 127.0.0.1:0 backlog",
            "listen 127.0.0.1:0 triple",
            "connect 127.0.0.1:80 to 127.0.0.1:0",
            "connect 127.0.0.1:80 from",
            "send",
            "send -1",
            "send 1 2",
            "linger 256",
            "shutdown",
            "shutdown all",
            "close now",
        ] {
            check(line, Err(Errno::EINVAL));
        }
    }
}
