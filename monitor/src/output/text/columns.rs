//! The columns of `table` and `wide`: header, width, and the text of a cell. What is not known is `-`.

use std::{net::SocketAddr, time::Duration};

use jiff::fmt::strtime;

use super::{shorten_end, shorten_middle};
use crate::{
    cause::{Cause, Confidence},
    model::{
        Direction, Errno, ResetEvent, TcpState,
        connection::{Connection, Figures},
        diagnosis::Diagnosis,
        process::Process,
        segment::Segment,
    },
    output::{Context, escape::escape, srtt},
};

/// A column of text.
pub(super) struct Column {
    /// Its name.
    pub(super) header: &'static str,
    /// How wide it is, or at least is.
    pub(super) width: usize,
    /// Where the text stands.
    pub(super) align: Align,
    /// Its colour.
    pub(super) paint: Paint,
    /// The text for an event, in so much room.
    pub(super) cell: fn(&ResetEvent, &Context, room: usize) -> String,
}

/// On which side of its column a text stands.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Right,
}

/// What the colour of a text means.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    /// Nothing.
    Plain,
    /// Of less interest.
    Dim,
    /// Which way the RST went.
    Direction,
}

/// The widths of these and the blanks between them add up to 120.
#[rustfmt::skip] // A column a line.
pub(super) const TABLE: [Column; 7] = [
    left("TIME", 12, |event, context, _| time(event, context, "%H:%M:%S%.3f")).painted(Paint::Dim),
    DIRECTION,
    left("PROCESS", 21, |event, _, room| process(event.process.as_ref(), room)),
    left("LOCAL", 21, |event, _, room| end(event.tuple.local, room)),
    left("PEER", 21, |event, _, room| peer(event, room)),
    CAUSE,
    left("ERROR", 12, |event, _, _| known(event.errno.map(Errno::as_str))),
];

/// Widths for what is common; more pushes the rest of the line.
#[rustfmt::skip] // A column a line.
pub(super) const WIDE: [Column; 30] = [
    left("TIME", 35, |event, context, _| time(event, context, "%Y-%m-%dT%H:%M:%S%.9f%:z")).painted(Paint::Dim),
    DIRECTION,
    left("PROCESS", 22, |event, _, room| process(event.process.as_ref(), room)),
    left("WORKLOAD", 23, |event, _, _| known(event.workload.as_ref())),
    left("OWNER", 7, |event, _, _| event.owner_from.as_str().to_owned()),
    left("LOCAL", 21, |event, _, room| end(event.tuple.local, room)),
    left("PEER", 21, |event, _, room| end(event.tuple.peer, room)),
    left("PEER_PROCESS", 22, |event, _, room| process(peer_process(event), room)),
    CAUSE,
    left("CONFIDENCE", 10, |event, _, _| known(event.diagnosis.as_ref().map(|of| of.confidence.as_str()))),
    left("STATE", 12, |event, _, _| known(event.state.map(TcpState::as_str))),
    left("REASON", 25, |event, _, _| known(reason(event))),
    left("ERRNO", 12, |event, _, _| known(event.errno.map(Errno::as_str))),
    left("NETNS", 10, |event, _, _| known(event.netns)),
    left("ROLE", 6, |event, _, _| connection(event, |of| of.role.map(|role| role.as_str().to_owned()))),
    right("AGE", 7, |event, _, _| connection(event, |of| of.age.map(duration))),
    right("IDLE", 7, |event, _, _| connection(event, |of| of.idle.map(duration))),
    right("BYTES_SENT", 10, |event, _, _| figure(event, |of| Some(of.bytes_sent.to_string()))),
    right("ACKED", 10, |event, _, _| figure(event, |of| Some(of.bytes_acked.to_string()))),
    right("RECEIVED", 10, |event, _, _| figure(event, |of| Some(of.bytes_received.to_string()))),
    right("UNACKED", 7, |event, _, _| figure(event, |of| Some(of.unacked_bytes.to_string()))),
    right("UNREAD", 7, |event, _, _| figure(event, |of| Some(of.unread_bytes.to_string()))),
    right("SRTT", 7, |event, _, _| figure(event, |of| srtt(of).map(duration))),
    right("RETRANS", 7, |event, _, _| figure(event, |of| Some(of.retransmits.to_string()))),
    left("FLAGS/LEN/TTL", 13, |event, _, _| known(event.trigger.as_ref().or(event.rst.as_ref()).map(packet))),
    right("HS_TTL", 6, |event, _, _| connection(event, |of| of.handshake_ttl.map(|ttl| ttl.to_string()))),
    left("ID", 20, |event, _, _| event.id().to_string()),
    left("INCIDENT", 20, |event, _, _| known(event.incident)),
    right("UID", 5, |event, _, _| known(event.process.as_ref().map(|process| process.uid))),
    left("EXE", 3, |event, _, _| known(event.process.as_ref().and_then(executable))),
];

const DIRECTION: Column =
    left("DIR", 4, |event, _, _| direction(event.direction).to_owned()).painted(Paint::Direction);
const CAUSE: Column = left("CAUSE", 23, |event, _, _| known(event.diagnosis.as_deref().map(cause)));

const fn left(
    header: &'static str,
    width: usize,
    cell: fn(&ResetEvent, &Context, usize) -> String,
) -> Column {
    Column { header, width, align: Align::Left, paint: Paint::Plain, cell }
}

const fn right(
    header: &'static str,
    width: usize,
    cell: fn(&ResetEvent, &Context, usize) -> String,
) -> Column {
    Column { header, width, align: Align::Right, paint: Paint::Plain, cell }
}

impl Column {
    const fn painted(self, paint: Paint) -> Self {
        Self { paint, ..self }
    }
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn connection(event: &ResetEvent, text: fn(&Connection) -> Option<String>) -> String {
    known(event.connection.as_ref().and_then(text))
}

fn figure(event: &ResetEvent, text: fn(&Figures) -> Option<String>) -> String {
    known(event.connection.as_ref().and_then(|connection| connection.figures.as_ref()).and_then(text))
}

fn time(event: &ResetEvent, context: &Context, format: &str) -> String {
    let time = event.time.to_zoned(context.zone.clone());
    known(strtime::format(format, &time).ok())
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Sent => "sent",
        Direction::Received => "recv",
    }
}

/// A short name must not cost the process id.
fn process(process: Option<&Process>, room: usize) -> String {
    let Some(process) = process else {
        return known(None::<&str>);
    };
    let pid = format!("[{}]", process.pid);
    let name = shorten_end(escape(process.name()), room.saturating_sub(pid.len()));
    format!("{name}{pid}")
}

/// The owner of the other end's socket, when that is on this host.
fn peer_process(event: &ResetEvent) -> Option<&Process> {
    event.counterpart.as_ref()?.process.as_ref()
}

/// The other end: who it is where that is known, since its address is this host's. Who listened at a port before it was
/// closed is not.
fn peer(event: &ResetEvent, room: usize) -> String {
    let address = event.tuple.peer;
    let has_socket = event.counterpart.as_ref().is_some_and(|other| other.state.is_some());
    let Some(owner) = peer_process(event).filter(|_| has_socket) else {
        return end(address, room);
    };
    let port = format!(":{}", address.port());
    format!("{}{port}", process(Some(owner), room.saturating_sub(port.len())))
}

fn executable(process: &Process) -> Option<&str> {
    process.details.as_ref()?.exe.as_deref()
}

/// An address and port; of a long address the network and the host are left.
fn end(end: SocketAddr, room: usize) -> String {
    let address = end.ip().to_string();
    let port = format!(":{}", end.port());
    let room = room.saturating_sub(port.len());
    if end.is_ipv4() {
        format!("{}{port}", shorten_middle(&address, room))
    } else {
        format!("[{}]{port}", shorten_middle(&address, room.saturating_sub("[]".len())))
    }
}

/// The cause, with a question mark where another one may fit as well.
fn cause(diagnosis: &Diagnosis) -> String {
    let in_doubt = diagnosis.confidence == Confidence::Possible && diagnosis.cause != Cause::Unknown;
    let doubt = if in_doubt { "?" } else { "" };
    format!("{}{doubt}", diagnosis.cause.as_str())
}

/// The kernel's reason, or the firewall's hook.
fn reason(event: &ResetEvent) -> Option<String> {
    let firewall = || event.netfilter_hook.map(|hook| format!("netfilter {}", hook.as_str()));
    event.reason.as_ref().map(ToString::to_string).or_else(firewall)
}

fn packet(segment: &Segment) -> String {
    let flags = segment.flags.to_string();
    let flags = if flags.is_empty() { "-" } else { &flags };
    format!("{flags}/{}/{}", segment.payload_bytes, segment.ttl)
}

/// Three or four digits and a unit, cut off rather than rounded.
fn duration(duration: Duration) -> String {
    let microseconds = duration.as_micros();
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0 if microseconds < 1000 => format!("{microseconds}us"),
        0 => format!("{}.{}ms", microseconds / 1000, microseconds / 100 % 10),
        1..1000 => format!("{seconds}.{}s", microseconds / 100_000 % 10),
        1000..360_000 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::filter::samples;

    #[test]
    fn a_peer_on_this_host_is_named() {
        let server = Some(Arc::new(samples::unread()));
        let joined = ResetEvent { counterpart: server, ..samples::refused() };
        assert_eq!(peer(&joined, 21), "nginx[900]:443");
        assert_eq!(peer(&joined, 12), "ng…[900]:443");
        let closed = Some(Arc::new(ResetEvent { state: None, ..samples::unread() }));
        let unknown = Some(Arc::new(ResetEvent { process: None, ..samples::unread() }));
        for counterpart in [closed, unknown] {
            assert_eq!(peer(&ResetEvent { counterpart, ..samples::refused() }, 21), "10.0.0.9:443");
        }
        assert_eq!(peer(&samples::refused(), 21), "10.0.0.9:443");
    }

    #[test]
    fn every_cause_fits_its_column() {
        for cause in Cause::ALL {
            let diagnosis = Diagnosis { cause, confidence: Confidence::Possible, evidence: Vec::new() };
            assert!(self::cause(&diagnosis).len() <= CAUSE.width, "{cause:?}");
        }
    }

    #[test]
    fn durations() {
        let check = |seconds: u64, microseconds: u32, expected: &str| {
            assert_eq!(duration(Duration::new(seconds, microseconds * 1000)), expected);
        };
        check(0, 0, "0us");
        check(0, 820, "820us");
        check(0, 999_999, "999.9ms");
        check(0, 4_000, "4.0ms");
        check(350, 12_000, "350.0s");
        check(999, 999_999, "999.9s");
        check(3600, 0, "1h00m");
        check(270_000, 0, "75h00m");
        check(360_000, 0, "4d04h");
        check(u64::MAX, 0, "213503982334601d07h");
    }
}
