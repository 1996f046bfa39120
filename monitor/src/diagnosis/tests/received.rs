//! Rows for resets that come to this host from elsewhere.

use super::*;
use crate::cause::Confidence::{Certain, Likely, Possible};

/// A connection that has not moved data for a time, in either direction.
fn resting(role: Role, idle: Duration) -> Connection {
    Connection {
        idle: Some(idle),
        since_sent: Some(idle + milliseconds(4)),
        since_received: Some(idle),
        since_acked: Some(idle),
        ..connection(role, figures())
    }
}

/// A connection whose last data went out a moment ago.
fn sending(role: Role, since_heard: Duration, figures: Figures) -> Connection {
    Connection {
        idle: Some(milliseconds(4)),
        since_sent: Some(milliseconds(4)),
        since_received: Some(since_heard),
        since_acked: Some(since_heard),
        ..connection(role, figures)
    }
}

fn request() -> Figures {
    Figures { unacked_bytes: 300, ..figures() }
}

fn first_request() -> Figures {
    Figures { bytes_received: 0, unacked_bytes: 300, ..figures() }
}

fn upload() -> Figures {
    Figures { bytes_sent: 2 << 20, bytes_received: 0, unacked_bytes: 500_000, ..figures() }
}

fn established(connection: Connection) -> ResetEvent {
    hit(TcpState::Established, connection)
}

fn with_ttl(ttl: u8, event: ResetEvent) -> ResetEvent {
    ResetEvent { rst: samples::refused().rst.map(|rst| Segment { ttl, ..rst }), ..event }
}

fn closed(state: TcpState) -> ResetEvent {
    let socket =
        Some(Socket { orphaned: true, receive_shutdown: true, send_shutdown: true, ..Socket::default() });
    ResetEvent { socket, ..hit(state, connection(Role::Client, request())) }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = by_state();
    rows.extend(of_idle_connections());
    rows.extend(of_busy_connections());
    rows.extend(from_the_path());
    rows
}

fn by_state() -> Vec<Row> {
    let half_open = |figures| {
        let socket = Some(Socket { send_shutdown: true, ..Socket::default() });
        ResetEvent { socket, ..hit(TcpState::FinWait2, connection(Role::Client, figures)) }
    };
    let by_nobody = |event: ResetEvent| ResetEvent { socket: None, ..event };
    vec![
        row("refused", hit(TcpState::SynSent, Connection::default()), Cause::ConnectionRefused, Certain),
        row("given up", hit(TcpState::SynRecv, Connection::default()), Cause::RefusedInHandshake, Certain),
        row(
            "writing to a peer that closed",
            hit(TcpState::CloseWait, connection(Role::Client, request())),
            Cause::ResetAfterPeerClose,
            Certain,
        ),
        row(
            "a peer that closed and then reset",
            hit(TcpState::CloseWait, connection(Role::Client, figures())),
            Cause::ResetAfterPeerClose,
            Possible,
        ),
        row("after close, FIN_WAIT1", closed(TcpState::FinWait1), Cause::ResetAfterClose, Certain),
        row("after close, FIN_WAIT2", closed(TcpState::FinWait2), Cause::ResetAfterClose, Certain),
        row("after both closed", closed(TcpState::LastAck), Cause::ResetAfterClose, Certain),
        row("an orphan that is not closed", closed(TcpState::Established), Cause::ResetAfterClose, Certain),
        row(
            "FIN_WAIT2 of an unknown program",
            by_nobody(closed(TcpState::FinWait2)),
            Cause::ResetAfterClose,
            Likely,
        ),
        row(
            "a client that has sent all and still reads",
            half_open(figures()),
            Cause::PeerResetResponse,
            Likely,
        ),
        row("the same without an answer", half_open(first_request()), Cause::PeerResetRequest, Likely),
        row(
            "a listener, which takes no resets",
            by_nobody(hit(TcpState::Listen, Connection::default())),
            Cause::Unknown,
            Possible,
        ),
        row(
            "nothing known but the ends",
            samples::bare(Direction::Received, LOCAL, PEER),
            Cause::Unknown,
            Possible,
        ),
    ]
}

fn of_idle_connections() -> Vec<Row> {
    let idle =
        |name, connection, confidence| row(name, established(connection), Cause::PeerIdleTimeout, confidence);
    let client = |seconds_idle| resting(Role::Client, seconds(seconds_idle));
    let waiting =
        Connection { since_sent: Some(seconds(30)), since_received: Some(seconds(40)), ..client(30) };
    let untouched = Figures { bytes_sent: 0, bytes_acked: 0, bytes_received: 0, ..figures() };
    let unused = |idle| Connection { figures: Some(untouched), ..client(idle) };
    vec![
        idle("idle for 350 s", client(350), Likely),
        idle("idle for almost 350 s", client(344), Likely),
        idle("idle for 240 s", client(240), Likely),
        idle("idle for 100 s, at a client", client(100), Likely),
        idle("idle for 3 s", client(3), Possible),
        idle("idle for 100 s with a request at the server", resting(Role::Server, seconds(100)), Possible),
        idle("unused for 60 s", unused(60), Likely),
        idle("unused for 100 s", unused(100), Possible),
        row("unused for 3 s", established(unused(3)), Cause::PeerResetEarly, Likely),
        row("waiting for an answer for 30 s", established(waiting), Cause::PeerResetRequest, Likely),
        idle(
            "waiting for an answer for 60 s",
            Connection { since_sent: Some(seconds(60)), since_received: Some(seconds(70)), ..client(60) },
            Likely,
        ),
    ]
}

fn of_busy_connections() -> Vec<Row> {
    let untouched = Figures { bytes_sent: 0, bytes_acked: 0, bytes_received: 0, ..figures() };
    let after = |since, figures| established(sending(Role::Client, since, figures));
    let race = |name, event, confidence| row(name, event, Cause::PeerKeepaliveRace, confidence);
    let stream = Figures { bytes_received: 10, bytes_sent: 1 << 20, unacked_bytes: 20_000, ..figures() };
    let long_lived = Figures { bytes_sent: 1 << 20, unacked_bytes: 300, ..figures() };
    let acked_lately =
        Connection { since_acked: Some(milliseconds(8)), ..sending(Role::Client, seconds(9), upload()) };
    let late_answer =
        Connection { since_sent: Some(seconds(3)), ..sending(Role::Client, seconds(9), request()) };
    vec![
        race("a request after 5 s", after(seconds(5), request()), Likely),
        race("the first request, after 5 s", after(seconds(5), first_request()), Likely),
        race(
            "a server that sends after 5 s",
            established(sending(Role::Server, seconds(5), request())),
            Possible,
        ),
        row("a request after 100 ms", after(milliseconds(100), request()), Cause::PeerResetRequest, Likely),
        row("the first request", after(milliseconds(8), first_request()), Cause::PeerResetRequest, Likely),
        row(
            "a request long ago, not acknowledged",
            established(late_answer),
            Cause::PeerResetRequest,
            Likely,
        ),
        row(
            "a request that was acknowledged",
            after(seconds(5), Figures { unacked_bytes: 0, ..figures() }),
            Cause::PeerResetRequest,
            Likely,
        ),
        row(
            "a request on an old connection",
            after(milliseconds(8), long_lived),
            Cause::PeerResetRequest,
            Likely,
        ),
        row(
            "in the middle of an answer",
            established(connection(Role::Client, figures())),
            Cause::PeerResetResponse,
            Likely,
        ),
        row(
            "in the middle of a request, at the server",
            established(connection(Role::Server, figures())),
            Cause::PeerResetResponse,
            Possible,
        ),
        row("an upload", after(milliseconds(8), upload()), Cause::PeerResetUpload, Likely),
        row(
            "an upload to a peer that only acknowledges",
            established(acked_lately),
            Cause::PeerResetUpload,
            Likely,
        ),
        row("an upload after some answer", after(milliseconds(8), stream), Cause::PeerResetUpload, Likely),
        row(
            "right after the handshake",
            established(connection(Role::Client, untouched)),
            Cause::PeerResetEarly,
            Likely,
        ),
        row(
            "a health check",
            established(connection(Role::Server, untouched)),
            Cause::PeerResetEarly,
            Likely,
        ),
    ]
}

fn from_the_path() -> Vec<Row> {
    let busy = || sending(Role::Client, milliseconds(100), first_request());
    let far = Connection {
        since_sent: Some(milliseconds(4)),
        figures: Some(Figures { srtt: milliseconds(200), packets_out: 1, ..first_request() }),
        ..busy()
    };
    let body = Connection {
        since_sent: Some(milliseconds(4)),
        figures: Some(Figures { srtt: milliseconds(200), packets_out: 70, ..first_request() }),
        ..busy()
    };
    let rest = resting(Role::Client, seconds(350));
    vec![
        row("another TTL", with_ttl(57, established(busy())), Cause::Injected, Possible),
        row("the same TTL", with_ttl(64, established(busy())), Cause::PeerResetRequest, Likely),
        row("another TTL, and sooner than can be", with_ttl(57, established(far)), Cause::Injected, Likely),
        row("sooner than can be", established(far), Cause::Injected, Possible),
        row("soon after the last of many segments", established(body), Cause::PeerResetRequest, Likely),
        row(
            "another TTL at the end of an idle time",
            with_ttl(57, established(rest)),
            Cause::PeerIdleTimeout,
            Likely,
        ),
        row(
            "another TTL after a pause",
            with_ttl(57, established(sending(Role::Client, seconds(400), request()))),
            Cause::PeerKeepaliveRace,
            Likely,
        ),
        row(
            "another TTL of a refusal",
            with_ttl(57, hit(TcpState::SynSent, Connection { handshake_ttl: None, ..busy() })),
            Cause::ConnectionRefused,
            Certain,
        ),
    ]
}
