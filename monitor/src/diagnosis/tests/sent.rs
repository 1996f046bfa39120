//! Rows for resets that this host sends.

use super::*;
use crate::{
    cause::Confidence::{Certain, Likely, Possible},
    model::{connection::AcceptQueue, process::Exit, segment::NetfilterHook},
};

/// A server that closes with a request unread.
pub(super) fn unread() -> ResetEvent {
    let figures = Figures { unread_bytes: 4096, ..figures() };
    ResetEvent {
        connection: Some(connection(Role::Server, figures)),
        ..active("TCP_ABORT_ON_CLOSE", TcpState::Established, closing())
    }
}

fn lingering() -> ResetEvent {
    let socket = Socket { linger: Some(Duration::ZERO), ..closing() };
    active("TCP_STATE", TcpState::Established, socket)
}

fn orphan() -> Socket {
    Socket { orphaned: true, ..closing() }
}

fn keeping_alive() -> Socket {
    Socket { keepalive: true, probes_out: 3, ..Socket::default() }
}

fn listener(length: u32) -> Socket {
    Socket {
        state_at_event: Some(TcpState::Listen),
        accept_queue: Some(AcceptQueue { length, limit: 4 }),
        ..Socket::default()
    }
}

fn at_listener(reason: &str, flags: u8, payload: u32, queue: u32) -> ResetEvent {
    ResetEvent { socket: Some(listener(queue)), ..answer(reason, Some(TcpState::Listen), flags, payload) }
}

/// Data behind the close of a socket that is still there.
fn behind_close(state: TcpState, idle: Duration, socket: Socket) -> ResetEvent {
    let connection = Connection { idle: Some(idle), ..connection(Role::Server, figures()) };
    ResetEvent {
        connection: Some(connection),
        socket: Some(socket),
        ..answer("TCP_ABORT_ON_DATA", Some(state), PSH_ACK, 300)
    }
}

fn time_wait(since: Duration, idle: Option<Duration>) -> ResetEvent {
    ResetEvent {
        gone: remains(false, since, idle),
        ..answer("TCP_TIMEWAIT_SOCKET", Some(TcpState::TimeWait), PSH_ACK, 300)
    }
}

fn no_socket(flags: u8, payload: u32) -> ResetEvent {
    answer("NO_SOCKET", None, flags, payload)
}

fn at_port(port: u16, event: ResetEvent) -> ResetEvent {
    let tuple = samples::bare(Direction::Sent, &format!("10.0.0.5:{port}"), "10.0.0.9:443").tuple;
    ResetEvent { tuple, ..event }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = at_ports();
    rows.extend(after_close());
    rows.extend(of_programs());
    rows.extend(of_handshakes());
    rows.extend(of_timers());
    rows.extend(of_others());
    rows
}

fn at_ports() -> Vec<Row> {
    vec![
        row("a SYN to a closed port", no_socket(SYN, 0), Cause::ClosedPort, Certain),
        row(
            "a SYN to a port whose listener is gone",
            ResetEvent { gone: remains(true, seconds(2), None), ..no_socket(SYN, 0) },
            Cause::ClosedPort,
            Certain,
        ),
        row("a SYN with data", no_socket(SYN, 10), Cause::ClosedPort, Certain),
        row(
            "a SYN-ACK that nobody waits for",
            at_port(40000, no_socket(SYN_ACK, 0)),
            Cause::CancelledConnect,
            Likely,
        ),
        row("data for a service that has restarted", no_socket(PSH_ACK, 10), Cause::StaleConnection, Likely),
        row(
            "the same, where the process is known to have ended",
            ResetEvent {
                gone: remains(false, seconds(2), Some(seconds(1))),
                exit: Some(Exit::Signal(9)),
                ..no_socket(PSH_ACK, 10)
            },
            Cause::StaleConnection,
            Likely,
        ),
        row(
            "an acknowledgement for a connection that was closed",
            ResetEvent { gone: remains(false, seconds(2), None), ..at_port(40000, no_socket(ACK, 0)) },
            Cause::StaleConnection,
            Likely,
        ),
        row(
            "data for an unknown client's port: translation may have been missed",
            at_port(40000, no_socket(PSH_ACK, 10)),
            Cause::StaleConnection,
            Possible,
        ),
        row("a packet for a listener", at_listener("TCP_FLAGS", ACK, 0, 0), Cause::StaleConnection, Likely),
        row("data for a listener", at_listener("TCP_FLAGS", PSH_ACK, 9, 0), Cause::StaleConnection, Likely),
        row("a packet without flags", no_socket(0, 0), Cause::StaleConnection, Likely),
    ]
}

fn after_close() -> Vec<Row> {
    let late = |name, event, confidence| row(name, event, Cause::LateData, confidence);
    let race = |name, event| row(name, event, Cause::KeepaliveRace, Likely);
    let half = Socket { receive_shutdown: true, send_shutdown: true, ..Socket::default() };
    let without_data = ResetEvent {
        trigger: no_socket(ACK, 0).trigger,
        ..behind_close(TcpState::FinWait1, seconds(5), Socket { linger2_negative: true, ..orphan() })
    };
    vec![
        late("data in TIME_WAIT", time_wait(milliseconds(5), Some(milliseconds(40))), Certain),
        late("data in TIME_WAIT, idle time unknown", time_wait(milliseconds(5), None), Likely),
        late(
            "data long after the close of an idle connection",
            time_wait(seconds(9), Some(seconds(5))),
            Likely,
        ),
        race(
            "data right after the close of an idle connection",
            time_wait(milliseconds(5), Some(seconds(5))),
        ),
        late("data behind a shutdown", behind_close(TcpState::FinWait2, milliseconds(8), half), Certain),
        late("data behind a close", behind_close(TcpState::FinWait1, milliseconds(8), orphan()), Certain),
        race(
            "data that crosses the close of an idle connection",
            behind_close(TcpState::FinWait1, seconds(5), orphan()),
        ),
        race(
            "data with the acknowledgement of the FIN of an idle connection",
            behind_close(TcpState::FinWait2, seconds(5), orphan()),
        ),
        late(
            "data behind a shutdown of unknown time",
            behind_close(TcpState::FinWait2, seconds(5), half),
            Possible,
        ),
        late(
            "data for a connection that is gone",
            ResetEvent {
                gone: remains(false, milliseconds(3), Some(milliseconds(1))),
                ..no_socket(PSH_ACK, 1448)
            },
            Likely,
        ),
        race(
            "data for an idle connection that is just gone",
            ResetEvent { gone: remains(false, milliseconds(3), Some(seconds(5))), ..no_socket(PSH_ACK, 300) },
        ),
        row(
            "the acknowledgement of the FIN of one that does not wait",
            without_data,
            Cause::OrphanTimeout,
            Certain,
        ),
        row(
            "a SYN in TIME_WAIT",
            ResetEvent { trigger: no_socket(SYN, 0).trigger, ..time_wait(seconds(1), None) },
            Cause::Unknown,
            Possible,
        ),
    ]
}

fn of_programs() -> Vec<Row> {
    let killed = |event| ResetEvent { exit: Some(Exit::Signal(9)), ..event };
    let open = Socket { state_at_event: Some(TcpState::Close), ..Socket::default() };
    let disconnected = |socket| active("TCP_STATE", TcpState::Established, socket);
    let never_accepted = || ResetEvent {
        acting: None,
        ..active(
            "TCP_STATE",
            TcpState::Established,
            Socket { send_shutdown: false, receive_shutdown: false, ..closing() },
        )
    };
    let aborted = active(
        "TCP_STATE",
        TcpState::Established,
        Socket { state_at_event: Some(TcpState::Established), ..Socket::default() },
    );
    vec![
        row("a close with data unread", unread(), Cause::CloseUnread, Certain),
        row(
            "a close with data unread and SO_LINGER 0",
            ResetEvent { socket: lingering().socket, ..unread() },
            Cause::CloseUnread,
            Certain,
        ),
        row("an end with data unread", killed(unread()), Cause::ProcessExit, Certain),
        row("an end with SO_LINGER 0", killed(lingering()), Cause::ProcessExit, Certain),
        row("exit(0)", ResetEvent { exit: Some(Exit::Code(0)), ..unread() }, Cause::ProcessExit, Certain),
        row("SO_LINGER 0", lingering(), Cause::LingerZero, Certain),
        row("connect(AF_UNSPEC)", disconnected(open), Cause::Disconnect, Certain),
        row(
            "connect(AF_UNSPEC) after the sending side was shut down",
            disconnected(Socket { send_shutdown: true, ..open }),
            Cause::Disconnect,
            Certain,
        ),
        row(
            "connect(AF_UNSPEC) with SO_LINGER 0",
            disconnected(Socket { linger: Some(Duration::ZERO), ..open }),
            Cause::Disconnect,
            Certain,
        ),
        row("connect(AF_UNSPEC) after shutdown(2)", disconnected(closing()), Cause::Disconnect, Certain),
        row(
            "connect(AF_UNSPEC) with data unsent",
            active("TCP_DISCONNECT_WITH_DATA", TcpState::LastAck, closing()),
            Cause::Disconnect,
            Certain,
        ),
        row(
            "ss -K",
            ResetEvent {
                actor: Some(samples::process(99, "ss")),
                acting: Some(samples::process(99, "ss")),
                ..aborted
            },
            Cause::SocketKilled,
            Certain,
        ),
        row("a listener closed with connections waiting", never_accepted(), Cause::ListenerClosed, Certain),
        row("the same by an end", killed(never_accepted()), Cause::ListenerClosed, Certain),
    ]
}

fn of_handshakes() -> Vec<Row> {
    let overflow = |queue| at_listener("INVALID_SYN", PSH_ACK, 100, queue);
    let syn_sent = |reason| answer(reason, Some(TcpState::SynSent), ACK, 0);
    vec![
        row("a full accept queue", overflow(5), Cause::AcceptOverflow, Certain),
        row("a full accept queue that is not any more", overflow(4), Cause::AcceptOverflow, Likely),
        row("a second SYN", at_listener("INVALID_SYN", SYN, 0, 0), Cause::InvalidSyn, Certain),
        row(
            "a second SYN and a full queue",
            at_listener("INVALID_SYN", SYN, 0, 5),
            Cause::InvalidSyn,
            Certain,
        ),
        row(
            "a second SYN to a child of TCP Fast Open",
            answer("INVALID_SYN", Some(TcpState::SynRecv), SYN, 0),
            Cause::InvalidSyn,
            Certain,
        ),
        row("an old acknowledgement", syn_sent("TCP_INVALID_ACK_SEQUENCE"), Cause::BadHandshakeAck, Certain),
        row("an old timestamp", syn_sent("TCP_RFC7323_PAWS"), Cause::BadHandshakeAck, Certain),
        row(
            "an old acknowledgement at the server",
            answer("TCP_OLD_ACK", Some(TcpState::SynRecv), ACK, 0),
            Cause::BadHandshakeAck,
            Certain,
        ),
        row(
            "an acknowledgement in a state that has no handshake",
            answer("TCP_OLD_ACK", Some(TcpState::Established), ACK, 0),
            Cause::Unknown,
            Possible,
        ),
    ]
}

fn of_timers() -> Vec<Row> {
    let orphaned = |reason, state, socket| active(reason, state, Socket { orphaned: true, ..socket });
    let linger2 = Socket { linger2_negative: true, ..closing() };
    vec![
        row(
            "probes without an answer",
            timed("TCP_KEEPALIVE_TIMEOUT", TcpState::Established, keeping_alive()),
            Cause::KeepaliveTimeout,
            Certain,
        ),
        row(
            "probes without an answer, the peer closed",
            timed("TCP_KEEPALIVE_TIMEOUT", TcpState::CloseWait, keeping_alive()),
            Cause::KeepaliveTimeout,
            Certain,
        ),
        row(
            "TCP_LINGER2 below zero",
            orphaned("TCP_ABORT_ON_LINGER", TcpState::FinWait2, linger2),
            Cause::OrphanTimeout,
            Certain,
        ),
        row(
            "the time in FIN_WAIT2 is over",
            timed("TCP_STATE", TcpState::FinWait2, orphan()),
            Cause::OrphanTimeout,
            Certain,
        ),
        row(
            "too many orphans at close(2)",
            orphaned("TCP_ABORT_ON_MEMORY", TcpState::Established, closing()),
            Cause::MemoryPressure,
            Certain,
        ),
        row(
            "too many orphans at a retransmission",
            timed("TCP_ABORT_ON_MEMORY", TcpState::FinWait1, orphan()),
            Cause::MemoryPressure,
            Certain,
        ),
    ]
}

fn of_others() -> Vec<Row> {
    let subflow = Socket { mptcp: true, state_at_event: Some(TcpState::Established), ..Socket::default() };
    vec![
        row(
            "reject with tcp reset",
            ResetEvent { netfilter_hook: Some(NetfilterHook::Input), reason: None, ..no_socket(SYN, 0) },
            Cause::FirewallReject,
            Certain,
        ),
        row(
            "a subflow with a reason of its own",
            timed("MPTCP_RST_EMIDDLEBOX", TcpState::Established, subflow),
            Cause::Mptcp,
            Certain,
        ),
        row(
            "a subflow that is closed",
            timed("TCP_ABORT_ON_CLOSE", TcpState::Established, subflow),
            Cause::Mptcp,
            Likely,
        ),
        row(
            "a subflow that may not join",
            ResetEvent {
                socket: Some(Socket { mptcp: true, ..listener(0) }),
                ..answer("MPTCP_RST_EPROHIBIT", Some(TcpState::Listen), SYN, 0)
            },
            Cause::Mptcp,
            Certain,
        ),
        row(
            "a reason that is new",
            active("TCP_WEATHER", TcpState::Established, closing()),
            Cause::Unknown,
            Possible,
        ),
        row(
            "a reason without a name",
            ResetEvent { reason: Some(Reason::Unknown(77)), ..unread() },
            Cause::Unknown,
            Possible,
        ),
        row(
            "a socket of which nothing is known",
            ResetEvent { socket: None, connection: None, acting: None, ..lingering() },
            Cause::Unknown,
            Possible,
        ),
    ]
}
