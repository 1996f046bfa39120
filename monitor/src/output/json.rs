//! One reset as JSON, schema 1: the one object that every command, the socket and every exporter use. Every key is
//! always there, in this order; what is not known is `null`, never a guess. A new key may come, none goes or changes
//! its meaning, without a new schema number.

use std::{
    fmt::{self, Display},
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::escape::escape_in_json;
use crate::{
    catalogue::{self, Language},
    model::{
        Errno, EventId, Reason, ResetEvent, TcpState,
        connection::{Connection, Figures, Gone, Role},
        diagnosis::Diagnosis,
        process::{Exit, Process},
        segment::{NetfilterHook, Segment, TcpFlags},
        workload::Workload,
    },
};

/// Version of the object's shape.
pub const SCHEMA: u32 = 1;

/// Its texts are in one language, whatever the user's: programs read them.
const LANGUAGE: Language = Language::English;

/// The object: a view of an event in the terms of the schema.
#[derive(Clone, Debug, Serialize)]
pub struct Reset<'a> {
    pub(super) schema: u32,
    #[serde(serialize_with = "as_text")]
    pub(super) id: EventId,
    pub(super) time: Time,
    pub(super) host: &'a str,
    pub(super) direction: &'static str,
    pub(super) kernel_reason: Option<KernelReason<'a>>,
    pub(super) state: Option<&'static str>,
    pub(super) family: &'static str,
    pub(super) local: End,
    pub(super) peer: End,
    pub(super) netns: Option<u32>,
    pub(super) errno: Option<&'static str>,
    pub(super) process: Option<Owner<'a>>,
    pub(super) owner_from: &'static str,
    pub(super) other_holders: Vec<Owner<'a>>,
    pub(super) kernel_socket: bool,
    pub(super) exit: Option<Ended>,
    pub(super) actor: Option<Owner<'a>>,
    pub(super) workload: Option<Group<'a>>,
    pub(super) cgroup: Option<&'a str>,
    pub(super) connection: Option<Measures>,
    pub(super) gone: Option<Remains>,
    pub(super) trigger: Option<Packet>,
    pub(super) rst: Option<Header>,
    pub(super) counterpart: Option<OtherEnd<'a>>,
    pub(super) incident: Option<Incident>,
    pub(super) cause: Option<&'static str>,
    pub(super) confidence: Option<&'static str>,
    pub(super) evidence: Option<Vec<String>>,
    pub(super) summary: Option<String>,
    pub(super) advice: Option<&'static str>,
}

/// A moment, in RFC 3339 with nanoseconds, in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(Timestamp);

/// The name that both ends' events share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incident(EventId);

/// A name, or the number of a reason that has none.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum KernelReason<'a> {
    Named(&'a str),
    Unknown(u32),
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct End {
    pub(super) addr: IpAddr,
    pub(super) port: u16,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Owner<'a> {
    pub(super) pid: u32,
    pub(super) comm: &'a str,
    pub(super) exe: Option<&'a str>,
    pub(super) cmdline: Option<&'a [String]>,
    pub(super) uid: u32,
    pub(super) start_time: Time,
}

/// How the owner ended: by itself with a status, or by a signal.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Ended {
    pub(super) kind: &'static str,
    pub(super) value: u8,
}

/// What is remembered of a socket that is gone.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Remains {
    pub(super) was: &'static str,
    pub(super) closed_us: u64,
}

/// What runs in the socket's control group.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Group<'a> {
    pub(super) kind: &'static str,
    pub(super) name: Option<&'a str>,
    pub(super) container_id: Option<&'a str>,
    pub(super) pod_uid: Option<&'a str>,
}

/// The event of the other end, in short: all of it has that id.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct OtherEnd<'a> {
    #[serde(serialize_with = "as_text")]
    pub(super) id: EventId,
    pub(super) direction: &'static str,
    pub(super) kernel_reason: Option<KernelReason<'a>>,
    pub(super) state: Option<&'static str>,
    pub(super) netns: Option<u32>,
    pub(super) errno: Option<&'static str>,
    pub(super) process: Option<Owner<'a>>,
    pub(super) owner_from: &'static str,
    pub(super) cause: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Measures {
    pub(super) role: Option<&'static str>,
    pub(super) age_us: Option<u64>,
    pub(super) idle_us: Option<u64>,
    pub(super) since_sent_us: Option<u64>,
    pub(super) since_received_us: Option<u64>,
    pub(super) bytes_sent: Option<u64>,
    pub(super) bytes_acked: Option<u64>,
    pub(super) bytes_received: Option<u64>,
    pub(super) unacked_bytes: Option<u32>,
    pub(super) unread_bytes: Option<u32>,
    pub(super) srtt_us: Option<u64>,
    pub(super) retransmits: Option<u32>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Packet {
    #[serde(serialize_with = "as_text")]
    pub(super) flags: TcpFlags,
    pub(super) payload_bytes: u32,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) ttl: u8,
    pub(super) ip_id: Option<u16>,
    pub(super) netfilter_hook: Option<&'static str>,
}

/// The header of a received RST.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Header {
    pub(super) ttl: u8,
    #[serde(serialize_with = "as_text")]
    pub(super) flags: TcpFlags,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
}

/// Writes an event as one line.
pub fn write(event: &ResetEvent, host: &str, to: &mut impl Write) -> io::Result<()> {
    write_value(&Reset::new(event, host), to)?;
    to.write_all(b"\n")
}

/// Writes a value as JSON without line breaks and without characters that are unsafe on a terminal.
pub(crate) fn write_value(value: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(to, TerminalSafe);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

impl<'a> Reset<'a> {
    /// The object for an event of a host.
    pub fn new(event: &'a ResetEvent, host: &'a str) -> Self {
        let diagnosis = event.diagnosis.as_deref();
        Self {
            schema: SCHEMA,
            id: event.id(),
            time: Time(event.time),
            host,
            direction: event.direction.as_str(),
            kernel_reason: event.reason.as_ref().map(KernelReason::new),
            state: event.state.map(TcpState::as_str),
            family: event.tuple.family().as_str(),
            local: End::new(event.tuple.local),
            peer: End::new(event.tuple.peer),
            netns: event.netns,
            errno: event.errno.map(Errno::as_str),
            process: event.process.as_ref().map(Owner::new),
            owner_from: event.owner_from.as_str(),
            other_holders: event.other_holders.iter().map(Owner::new).collect(),
            kernel_socket: event.socket.is_some_and(|socket| socket.kernel),
            exit: event.exit.map(Ended::new),
            actor: event.actor.as_ref().map(Owner::new),
            workload: event.workload.as_deref().map(Group::new),
            cgroup: event.cgroup.as_deref(),
            connection: event.connection.as_ref().map(|connection| Measures::new(connection, event.gone)),
            gone: event.gone.map(Remains::new),
            trigger: event.trigger.as_ref().map(|trigger| Packet::new(trigger, event.netfilter_hook)),
            rst: event.rst.as_ref().map(Header::new),
            counterpart: event.counterpart.as_deref().map(OtherEnd::new),
            incident: event.incident.map(Incident),
            cause: diagnosis.map(|diagnosis| diagnosis.cause.as_str()),
            confidence: diagnosis.map(|diagnosis| diagnosis.confidence.as_str()),
            evidence: diagnosis.map(evidence),
            summary: diagnosis.map(|diagnosis| catalogue::summary(event, diagnosis, LANGUAGE)),
            advice: diagnosis
                .map(|diagnosis| catalogue::advice(diagnosis.cause, event.direction, LANGUAGE).here),
        }
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Incident {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'a> KernelReason<'a> {
    fn new(reason: &'a Reason) -> Self {
        match reason {
            Reason::Named(name) => Self::Named(name),
            Reason::Unknown(number) => Self::Unknown(*number),
        }
    }
}

impl Display for KernelReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Unknown(number) => write!(f, "{number}"),
        }
    }
}

impl End {
    fn new(end: SocketAddr) -> Self {
        Self { addr: end.ip(), port: end.port() }
    }
}

impl<'a> Owner<'a> {
    fn new(process: &'a Process) -> Self {
        let details = process.details.as_deref();
        Self {
            pid: process.pid,
            comm: process.name(),
            exe: details.and_then(|details| details.exe.as_deref()),
            cmdline: details.and_then(|details| details.cmdline.as_deref()),
            uid: process.uid,
            start_time: Time(process.start_time),
        }
    }
}

impl Ended {
    fn new(exit: Exit) -> Self {
        match exit {
            Exit::Code(value) => Self { kind: "status", value },
            Exit::Signal(value) => Self { kind: "signal", value },
        }
    }
}

impl Remains {
    fn new(gone: Gone) -> Self {
        let was = if gone.was_listener { "listener" } else { "connection" };
        Self { was, closed_us: microseconds(gone.since) }
    }
}

impl<'a> Group<'a> {
    fn new(workload: &'a Workload) -> Self {
        Self {
            kind: workload.kind.as_str(),
            name: workload.name.as_deref(),
            container_id: workload.container_id.as_deref(),
            pod_uid: workload.pod_uid.as_deref(),
        }
    }
}

impl<'a> OtherEnd<'a> {
    fn new(event: &'a ResetEvent) -> Self {
        Self {
            id: event.id(),
            direction: event.direction.as_str(),
            kernel_reason: event.reason.as_ref().map(KernelReason::new),
            state: event.state.map(TcpState::as_str),
            netns: event.netns,
            errno: event.errno.map(Errno::as_str),
            process: event.process.as_ref().map(Owner::new),
            owner_from: event.owner_from.as_str(),
            cause: event.diagnosis.as_ref().map(|diagnosis| diagnosis.cause.as_str()),
        }
    }
}

impl Measures {
    fn new(connection: &Connection, gone: Option<Gone>) -> Self {
        let figures = connection.figures.as_ref();
        let bytes = |of_figures: fn(&Figures) -> u64, of_gone: fn(&Gone) -> u64| {
            figures.map(of_figures).or_else(|| gone.as_ref().map(of_gone))
        };
        Self {
            role: connection.role.map(Role::as_str),
            age_us: connection.age.map(microseconds),
            idle_us: connection.idle.map(microseconds),
            since_sent_us: connection.since_sent.map(microseconds),
            since_received_us: connection.since_received.map(microseconds),
            bytes_sent: bytes(|figures| figures.bytes_sent, |gone| gone.bytes_sent),
            bytes_acked: bytes(|figures| figures.bytes_acked, |gone| gone.bytes_acked),
            bytes_received: bytes(|figures| figures.bytes_received, |gone| gone.bytes_received),
            unacked_bytes: figures.map(|figures| figures.unacked_bytes),
            unread_bytes: figures.map(|figures| figures.unread_bytes),
            srtt_us: figures.and_then(super::srtt).map(microseconds),
            retransmits: figures.map(|figures| figures.retransmits),
        }
    }
}

impl Header {
    fn new(rst: &Segment) -> Self {
        Self { ttl: rst.ttl, flags: rst.flags, seq: rst.seq, ack: rst.ack, window: rst.window }
    }
}

impl Packet {
    fn new(trigger: &Segment, hook: Option<NetfilterHook>) -> Self {
        Self {
            flags: trigger.flags,
            payload_bytes: trigger.payload_bytes,
            seq: trigger.seq,
            ack: trigger.ack,
            window: trigger.window,
            ttl: trigger.ttl,
            ip_id: trigger.ip_id,
            netfilter_hook: hook.map(NetfilterHook::as_str),
        }
    }
}

/// Compact JSON with more escapes than JSON asks for: it means the same to a parser, and nothing to a terminal.
struct TerminalSafe;

impl serde_json::ser::Formatter for TerminalSafe {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(escape_in_json(fragment).as_bytes())
    }
}

fn evidence(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.evidence.iter().map(|fact| catalogue::evidence(fact, LANGUAGE)).collect()
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
