//! The sockets of an actor and what is done with them. Deliberately lacks threads: one blocking call at a time, each
//! with a limit.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        socket::{
            AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, listen,
            setsockopt, socket, sockopt,
        },
        time::{TimeVal, TimeValLike as _},
    },
};

use super::{Answer, command::Command};

/// The longest that one call waits, in seconds.
const LIMIT_SECONDS: u8 = 20;

/// Between two looks at what cannot be waited for.
const PAUSE: Duration = Duration::from_millis(1);

const CHUNK: usize = 16 * 1024;

/// More than a receive buffer holds by default.
const MOST_PEEKED: usize = 16 * 1024 * 1024;

/// What an actor holds.
#[derive(Debug, Default)]
pub(super) struct Ends {
    listener: Option<TcpListener>,
    connection: Option<TcpStream>,
}

impl Ends {
    /// Does what `command` says.
    pub(super) fn carry_out(&mut self, command: &Command) -> Result<Answer, Errno> {
        match *command {
            Command::Listen { at, backlog, dual } => self.listen(at, backlog, dual),
            Command::Connect { to, from } => self.connect(to, from),
            Command::Accept => self.accept(),
            Command::Send(count) => send(self.connection()?, count),
            Command::Receive(count) => receive(self.connection()?, count),
            Command::AwaitBytes(count) => await_bytes(self.connection()?, count),
            Command::AwaitFin => await_fin(self.connection()?),
            Command::AwaitError => await_error(self.connection()?),
            Command::Shutdown(how) => shutdown(self.connection()?, how),
            Command::Linger(seconds) => linger(self.connection()?, seconds),
            Command::Keepalive { idle, interval, count } => {
                keepalive(self.connection()?, idle, interval, count)
            }
            Command::SilentClose => self.silent_close(),
            Command::Close => self.connection.take().map(|_| Answer::Done).ok_or(Errno::ENOTCONN),
            Command::CloseListener => self.listener.take().map(|_| Answer::Done).ok_or(Errno::EBADF),
            Command::Exit => {
                *self = Self::default();
                Ok(Answer::Done)
            }
        }
    }

    fn connection(&self) -> Result<&TcpStream, Errno> {
        self.connection.as_ref().ok_or(Errno::ENOTCONN)
    }

    fn listen(&mut self, at: SocketAddr, backlog: Option<u16>, dual: bool) -> Result<Answer, Errno> {
        if self.listener.is_some() {
            return Err(Errno::EISCONN);
        }
        let socket = new_socket(at)?;
        if at.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6V6Only, &!dual)?;
        }
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        bind_to(&socket, at)?;
        listen(&socket, backlog.map_or(Ok(Backlog::MAXCONN), Backlog::new)?)?;
        let listener = TcpListener::from(socket);
        let bound = listener.local_addr().map_err(errno)?;
        self.listener = Some(listener);
        Ok(Answer::Address(bound))
    }

    fn connect(&mut self, to: SocketAddr, from: Option<SocketAddr>) -> Result<Answer, Errno> {
        if self.connection.is_some() {
            return Err(Errno::EISCONN);
        }
        let socket = new_socket(to)?;
        if let Some(from) = from {
            setsockopt(&socket, sockopt::ReuseAddr, &true)?;
            bind_to(&socket, from)?;
        }
        connect_to(&socket, to)?;
        let connection = TcpStream::from(socket);
        let local = connection.local_addr().map_err(errno)?;
        self.connection = Some(connection);
        Ok(Answer::Address(local))
    }

    fn accept(&mut self) -> Result<Answer, Errno> {
        if self.connection.is_some() {
            return Err(Errno::EISCONN);
        }
        let listener = self.listener.as_ref().ok_or(Errno::EBADF)?;
        let (connection, peer) = listener.accept().map_err(errno)?;
        limit(connection.as_fd())?;
        self.connection = Some(connection);
        Ok(Answer::Address(peer))
    }

    /// A socket under repair is closed without a word to its peer.
    fn silent_close(&mut self) -> Result<Answer, Errno> {
        setsockopt(self.connection()?, sockopt::TcpRepair, &1)?;
        self.connection = None;
        Ok(Answer::Done)
    }
}

fn new_socket(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, SockProtocol::Tcp)?;
    limit(socket.as_fd())?;
    Ok(socket)
}

/// Bounds every call that can wait: connect(2) and write(2) by one timeout, accept(2) and read(2) by the other.
fn limit(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let limit = TimeVal::seconds(LIMIT_SECONDS.into());
    setsockopt(&socket, sockopt::SendTimeout, &limit)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &limit)
}

fn bind_to(socket: &OwnedFd, address: SocketAddr) -> Result<(), Errno> {
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))
}

fn connect_to(socket: &OwnedFd, address: SocketAddr) -> Result<(), Errno> {
    connect(socket.as_raw_fd(), &SockaddrStorage::from(address))
}

fn send(mut connection: &TcpStream, count: usize) -> Result<Answer, Errno> {
    let deadline = deadline();
    let chunk = [b'.'; CHUNK];
    let mut left = count;
    while left > 0 {
        left -= connection.write(&chunk[..left.min(CHUNK)]).map_err(errno)?;
        in_time(deadline)?;
    }
    Ok(Answer::Count(count))
}

fn receive(mut connection: &TcpStream, count: usize) -> Result<Answer, Errno> {
    let deadline = deadline();
    let mut chunk = [0; CHUNK];
    let mut got = 0;
    while got < count && in_time(deadline).is_ok() {
        match connection.read(&mut chunk[..(count - got).min(CHUNK)]).map_err(errno) {
            Ok(0) => break,
            Ok(bytes) => got += bytes,
            Err(Errno::EAGAIN) if got > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Answer::Count(got))
}

fn await_bytes(connection: &TcpStream, count: usize) -> Result<Answer, Errno> {
    let deadline = deadline();
    if count > MOST_PEEKED {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; count];
    while connection.peek(&mut bytes).map_err(errno)? < count {
        pause(deadline)?;
    }
    Ok(Answer::Done)
}

fn await_fin(connection: &TcpStream) -> Result<Answer, Errno> {
    let wanted = PollFlags::from_bits_retain(libc::POLLRDHUP);
    let mut polled = [PollFd::new(connection.as_fd(), wanted)];
    let count = poll(&mut polled, PollTimeout::from(u16::from(LIMIT_SECONDS) * 1000))?;
    // A reset ends the stream too, but leaves an error.
    match connection.take_error().map_err(errno)? {
        Some(error) => Err(errno(error)),
        None if count == 0 => Err(Errno::EAGAIN),
        None => Ok(Answer::Done),
    }
}

fn await_error(connection: &TcpStream) -> Result<Answer, Errno> {
    let deadline = deadline();
    loop {
        if let Some(error) = connection.take_error().map_err(errno)? {
            return Ok(Answer::Found(errno(error)));
        }
        pause(deadline)?;
    }
}

fn shutdown(connection: &TcpStream, how: Shutdown) -> Result<Answer, Errno> {
    connection.shutdown(how).map_err(errno)?;
    Ok(Answer::Done)
}

fn linger(connection: &TcpStream, seconds: u8) -> Result<Answer, Errno> {
    if seconds > LIMIT_SECONDS {
        return Err(Errno::EINVAL);
    }
    let linger = libc::linger { l_onoff: 1, l_linger: seconds.into() };
    setsockopt(&connection, sockopt::Linger, &linger)?;
    Ok(Answer::Done)
}

fn keepalive(connection: &TcpStream, idle: u32, interval: u32, count: u32) -> Result<Answer, Errno> {
    setsockopt(&connection, sockopt::TcpKeepIdle, &idle)?;
    setsockopt(&connection, sockopt::TcpKeepInterval, &interval)?;
    setsockopt(&connection, sockopt::TcpKeepCount, &count)?;
    setsockopt(&connection, sockopt::KeepAlive, &true)?;
    Ok(Answer::Done)
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(LIMIT_SECONDS.into())
}

fn in_time(deadline: Instant) -> Result<(), Errno> {
    if Instant::now() < deadline { Ok(()) } else { Err(Errno::EAGAIN) }
}

fn pause(deadline: Instant) -> Result<(), Errno> {
    in_time(deadline)?;
    thread::sleep(PAUSE);
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
