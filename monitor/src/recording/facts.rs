//! The object `facts`: what a diagnosis reads of an event and schema 1 does not have, or has rounded.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    diagnosis::Sight,
    model::{
        ResetEvent, TcpState,
        connection::{self, AcceptQueue},
        process::Process,
        segment::NetfilterHook,
    },
};

/// Of one event, and what was seen of its host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    sees_all_senders: bool,
    sees_firewall: bool,
    /// When the owner started, since boot.
    started: Option<Span>,
    acting: Option<Task>,
    netfilter_hook: Option<String>,
    connection: Option<Connection>,
    gone: Option<Gone>,
    socket: Option<Socket>,
    /// The counterpart in full, facts and all.
    pub(super) other_end: Option<Value>,
}

/// A name in the facts that nothing has.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not known")]
pub struct UnknownName(String);

/// A time: seconds, and the nanoseconds beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u64, u32)", into = "(u64, u32)")]
struct Span(Duration);

/// That it was at work is all that counts; who it was is for readers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Task {
    pid: u32,
    comm: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Connection {
    idle: Option<Span>,
    since_sent: Option<Span>,
    since_received: Option<Span>,
    since_acked: Option<Span>,
    handshake_ttl: Option<u8>,
    /// Of these three there are all or none.
    srtt: Option<Span>,
    rtt_deviation: Option<Span>,
    packets_out: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Gone {
    since: Span,
    idle: Option<Span>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the kernel's, none is a state")]
struct Socket {
    state_at_event: Option<String>,
    orphaned: bool,
    linger: Option<Span>,
    keepalive: bool,
    probes_out: u8,
    user_timeout: Option<Span>,
    linger2_negative: bool,
    receive_shutdown: bool,
    send_shutdown: bool,
    /// Length and limit.
    accept_queue: Option<(u32, u32)>,
    mptcp: bool,
}

impl Facts {
    /// Those of an event, without its other end.
    pub(super) fn new(event: &ResetEvent, sight: Sight) -> Self {
        Self {
            sees_all_senders: sight.all_senders,
            sees_firewall: sight.firewall,
            started: event.process.as_ref().map(|process| Span(process.started)),
            acting: event.acting.as_ref().map(Task::new),
            netfilter_hook: event.netfilter_hook.map(|hook| hook.as_str().to_owned()),
            connection: event.connection.as_ref().map(Connection::new),
            gone: event.gone.map(|gone| Gone { since: Span(gone.since), idle: gone.idle.map(Span) }),
            socket: event.socket.as_ref().map(Socket::new),
            other_end: None,
        }
    }

    pub(super) fn sight(&self) -> Sight {
        Sight { all_senders: self.sees_all_senders, firewall: self.sees_firewall }
    }

    /// Adds them to what schema 1 has of the event.
    pub(super) fn complete(self, event: &mut ResetEvent) -> Result<(), UnknownName> {
        if let (Some(process), Some(started)) = (&mut event.process, self.started) {
            process.started = started.0;
        }
        event.acting = self.acting.map(Task::process);
        event.netfilter_hook = self
            .netfilter_hook
            .map(|name| one_of(&NetfilterHook::ALL, NetfilterHook::as_str, name))
            .transpose()?;
        if let (Some(connection), Some(facts)) = (&mut event.connection, self.connection) {
            facts.complete(connection);
        }
        if let (Some(gone), Some(facts)) = (&mut event.gone, self.gone) {
            (gone.since, gone.idle) = (facts.since.0, duration(facts.idle));
        }
        let kernel = event.socket.is_some_and(|socket| socket.kernel);
        event.socket = self.socket.map(|socket| socket.complete(kernel)).transpose()?;
        Ok(())
    }
}

impl Task {
    fn new(process: &Process) -> Self {
        Self { pid: process.pid, comm: process.name().to_owned() }
    }

    fn process(self) -> Process {
        Process {
            pid: self.pid,
            started: Duration::ZERO,
            start_time: Timestamp::UNIX_EPOCH,
            comm: self.comm.into(),
            uid: 0,
            details: None,
        }
    }
}

impl Connection {
    fn new(connection: &connection::Connection) -> Self {
        let figures = connection.figures.as_ref();
        Self {
            idle: connection.idle.map(Span),
            since_sent: connection.since_sent.map(Span),
            since_received: connection.since_received.map(Span),
            since_acked: connection.since_acked.map(Span),
            handshake_ttl: connection.handshake_ttl,
            srtt: figures.map(|figures| Span(figures.srtt)),
            rtt_deviation: figures.map(|figures| Span(figures.rtt_deviation)),
            packets_out: figures.map(|figures| figures.packets_out),
        }
    }

    fn complete(self, connection: &mut connection::Connection) {
        connection.idle = duration(self.idle);
        connection.since_sent = duration(self.since_sent);
        connection.since_received = duration(self.since_received);
        connection.since_acked = duration(self.since_acked);
        connection.handshake_ttl = self.handshake_ttl;
        if let Some(figures) = &mut connection.figures {
            figures.srtt = duration(self.srtt).unwrap_or_default();
            figures.rtt_deviation = duration(self.rtt_deviation).unwrap_or_default();
            figures.packets_out = self.packets_out.unwrap_or_default();
        }
    }
}

impl Socket {
    fn new(socket: &connection::Socket) -> Self {
        Self {
            state_at_event: socket.state_at_event.map(|state| state.as_str().to_owned()),
            orphaned: socket.orphaned,
            linger: socket.linger.map(Span),
            keepalive: socket.keepalive,
            probes_out: socket.probes_out,
            user_timeout: socket.user_timeout.map(Span),
            linger2_negative: socket.linger2_negative,
            receive_shutdown: socket.receive_shutdown,
            send_shutdown: socket.send_shutdown,
            accept_queue: socket.accept_queue.map(|queue| (queue.length, queue.limit)),
            mptcp: socket.mptcp,
        }
    }

    fn complete(self, kernel: bool) -> Result<connection::Socket, UnknownName> {
        Ok(connection::Socket {
            state_at_event: self
                .state_at_event
                .map(|name| one_of(&TcpState::ALL, TcpState::as_str, name))
                .transpose()?,
            orphaned: self.orphaned,
            linger: duration(self.linger),
            keepalive: self.keepalive,
            probes_out: self.probes_out,
            user_timeout: duration(self.user_timeout),
            linger2_negative: self.linger2_negative,
            receive_shutdown: self.receive_shutdown,
            send_shutdown: self.send_shutdown,
            accept_queue: self.accept_queue.map(|(length, limit)| AcceptQueue { length, limit }),
            mptcp: self.mptcp,
            kernel,
            ..connection::Socket::default()
        })
    }
}

impl From<(u64, u32)> for Span {
    /// Nanoseconds beyond a second's are cut off rather than carried: nobody writes them.
    fn from((seconds, nanoseconds): (u64, u32)) -> Self {
        Self(Duration::new(seconds, nanoseconds.min(999_999_999)))
    }
}

impl From<Span> for (u64, u32) {
    fn from(Span(duration): Span) -> Self {
        (duration.as_secs(), duration.subsec_nanos())
    }
}

fn duration(span: Option<Span>) -> Option<Duration> {
    span.map(|span| span.0)
}

/// The one of `all` with this name.
fn one_of<T: Copy>(all: &[T], name: fn(T) -> &'static str, wanted: String) -> Result<T, UnknownName> {
    all.iter().copied().find(|one| name(*one) == wanted).ok_or(UnknownName(wanted))
}
