//! What made the kernel send a reset, in one enum for kernels that tell reasons for all resets (6.12), for some (6.10) and
//! for none. One reason can stand for several mechanisms (`TCP_STATE` for five), and without a reason the socket tells
//! them apart (`net/ipv4/tcp*.c`, 5.10–7.x). Lacks what they mean to people: that is for the rules.

use std::{cmp::Ordering, time::Duration};

use crate::model::{
    Reason, ResetEvent, TcpState,
    connection::Socket,
    segment::{Segment, TcpFlags},
};

/// What made the kernel send a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// A rule of netfilter.
    Firewall,
    /// A packet for which there is no socket.
    NoSocket,
    /// A packet for a connection of which only `TIME_WAIT` is left.
    TimeWait,
    /// Data behind a shutdown of the receiving side.
    AbortOnData,
    /// A packet for a listener that belongs to no handshake.
    Stray,
    /// A SYN in the middle of a handshake.
    InvalidSyn,
    /// The last packet of a handshake, and no room in the accept queue.
    AcceptOverflow,
    /// An acknowledgement that does not fit a handshake.
    BadAck,
    /// Multipath TCP.
    Mptcp,
    /// close(2) with data unread.
    AbortOnClose,
    /// close(2) with `SO_LINGER` 0.
    LingerZero,
    /// connect(2) to `AF_UNSPEC`.
    Disconnect,
    /// The close of a listener with connections that nobody accepted.
    UnacceptedChild,
    /// `tcp_abort()`: the socket is destroyed from outside.
    Abort,
    /// Keepalive probes without an answer.
    Keepalive,
    /// `TCP_LINGER2` is negative: there is no waiting in `FIN_WAIT2`.
    Linger2,
    /// The time in `FIN_WAIT2` is over.
    FinWait2Timer,
    /// No memory for an orphan.
    Memory,
}

/// Where a mechanism is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The kernel's reason, with the socket's help where that stands for several.
    Told,
    /// The socket and the packet alone.
    Derived,
}

/// What made the kernel send this reset; `None` when that cannot be told.
pub(super) fn mechanism(event: &ResetEvent) -> Option<(Mechanism, Source)> {
    if event.netfilter_hook.is_some() {
        return Some((Mechanism::Firewall, Source::Told));
    }
    match &event.reason {
        Some(Reason::Named(name)) if &**name != "NOT_SPECIFIED" => Some((told(name, event)?, Source::Told)),
        Some(Reason::Unknown(_)) => None,
        _ => Some((derived(event)?, Source::Derived)),
    }
}

impl TcpFlags {
    /// SYN is set.
    pub(super) fn syn(self) -> bool {
        self.0 & 2 != 0
    }

    /// ACK is set.
    pub(super) fn ack(self) -> bool {
        self.0 & 16 != 0
    }
}

fn told(reason: &str, event: &ResetEvent) -> Option<Mechanism> {
    let trigger = event.trigger.as_ref();
    match reason {
        "NO_SOCKET" => Some(Mechanism::NoSocket),
        "TCP_TIMEWAIT_SOCKET" => Some(Mechanism::TimeWait),
        "TCP_ABORT_ON_DATA" => Some(behind_shutdown(event)),
        "TCP_FLAGS" => (event.state == Some(TcpState::Listen)).then_some(Mechanism::Stray),
        "INVALID_SYN" => match trigger {
            Some(trigger) if trigger.flags.syn() => Some(Mechanism::InvalidSyn),
            Some(_) if event.state == Some(TcpState::Listen) => Some(Mechanism::AcceptOverflow),
            _ => None,
        },
        "TCP_INVALID_ACK_SEQUENCE"
        | "TCP_TOO_OLD_ACK"
        | "TCP_ACK_UNSENT_DATA"
        | "TCP_OLD_ACK"
        | "TCP_RFC7323_PAWS" => is_in_handshake(event.state).then_some(Mechanism::BadAck),
        "TCP_ABORT_ON_CLOSE" => {
            let of_subflow = event.socket.as_ref().is_some_and(|socket| socket.mptcp && !is_closed(socket));
            Some(if of_subflow { Mechanism::Mptcp } else { Mechanism::AbortOnClose })
        }
        "TCP_ABORT_ON_LINGER" => Some(Mechanism::Linger2),
        "TCP_ABORT_ON_MEMORY" => Some(Mechanism::Memory),
        "TCP_KEEPALIVE_TIMEOUT" => Some(Mechanism::Keepalive),
        "TCP_STATE" => state_alone(event, event.socket.as_ref()?),
        "TCP_DISCONNECT_WITH_DATA" => disconnected(event, event.socket.as_ref()?),
        _ => reason.starts_with("MPTCP_RST_").then_some(Mechanism::Mptcp),
    }
}

fn derived(event: &ResetEvent) -> Option<Mechanism> {
    match (&event.trigger, &event.socket) {
        (Some(trigger), _) => answered(event, trigger),
        (None, Some(socket)) => by_itself(event, socket),
        (None, None) => None,
    }
}

/// A reset in answer to a packet.
fn answered(event: &ResetEvent, trigger: &Segment) -> Option<Mechanism> {
    match event.state {
        None => Some(Mechanism::NoSocket),
        Some(TcpState::TimeWait) => Some(Mechanism::TimeWait),
        Some(TcpState::Listen) => match (trigger.flags.syn(), trigger.flags.ack()) {
            // A listener of Multipath TCP may as well have refused a subflow.
            (true, false) => (!is_mptcp(event)).then_some(Mechanism::InvalidSyn),
            (false, true) => match room_in_queue(event) {
                Ordering::Less => Some(Mechanism::AcceptOverflow),
                // Somebody may have accepted just now.
                Ordering::Equal => None,
                Ordering::Greater => Some(Mechanism::Stray),
            },
            // With a handshake under way this is an invalid SYN, without one a stray packet.
            (true, true) | (false, false) => None,
        },
        Some(TcpState::SynRecv) if trigger.flags.syn() => Some(Mechanism::InvalidSyn),
        state if is_in_handshake(state) => Some(Mechanism::BadAck),
        Some(
            TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Closing,
        ) => Some(behind_shutdown(event)),
        Some(_) => None,
    }
}

/// A reset without a packet.
fn by_itself(event: &ResetEvent, socket: &Socket) -> Option<Mechanism> {
    if socket.mptcp {
        return Some(Mechanism::Mptcp);
    }
    let acting = event.acting.is_some();
    if is_closed(socket) {
        return match (socket.orphaned, acting) {
            (true, true) if socket.linger2_negative && event.state == Some(TcpState::FinWait2) => {
                Some(Mechanism::Linger2)
            }
            (true, true) => Some(Mechanism::Memory),
            (true, false) => None,
            (false, true) if is_shut_down(socket) && unread(event) > 0 => Some(Mechanism::AbortOnClose),
            (false, _) => disconnected(event, socket),
        };
    }
    match (socket.orphaned, acting) {
        (_, true) => Some(Mechanism::Abort),
        (true, false) if event.state == Some(TcpState::FinWait2) => Some(Mechanism::FinWait2Timer),
        // Keepalive leaves a connection alone that has data on its way.
        (true, false) if socket.keepalive && packets_out(event) == 0 => Some(Mechanism::Keepalive),
        (true, false) => Some(Mechanism::Memory),
        (false, false) => socket.keepalive.then_some(Mechanism::Keepalive),
    }
}

/// The reason that says only that the state asks for a reset.
fn state_alone(event: &ResetEvent, socket: &Socket) -> Option<Mechanism> {
    if socket.orphaned {
        return Some(Mechanism::FinWait2Timer);
    }
    if is_closed(socket) {
        return disconnected(event, socket);
    }
    if socket.mptcp {
        return Some(Mechanism::Mptcp);
    }
    event.acting.is_some().then_some(Mechanism::Abort)
}

/// `tcp_disconnect()`: close(2), which shuts both sides down before, connect(2), or the close of a listener, which works on
/// its children without their locks.
fn disconnected(event: &ResetEvent, socket: &Socket) -> Option<Mechanism> {
    if event.acting.is_none() {
        return (!socket.orphaned).then_some(Mechanism::UnacceptedChild);
    }
    let lingers = socket.linger == Some(Duration::ZERO);
    Some(if is_shut_down(socket) && lingers { Mechanism::LingerZero } else { Mechanism::Disconnect })
}

/// Data after a shutdown; or, without data, the acknowledgement of the FIN of an orphan that is not to wait.
fn behind_shutdown(event: &ResetEvent) -> Mechanism {
    let without_data = event.trigger.is_some_and(|trigger| trigger.payload_bytes == 0);
    let waits = event.socket.as_ref().is_none_or(|socket| !(socket.orphaned && socket.linger2_negative));
    if without_data && !waits { Mechanism::Linger2 } else { Mechanism::AbortOnData }
}

fn is_mptcp(event: &ResetEvent) -> bool {
    event.socket.as_ref().is_some_and(|socket| socket.mptcp)
}

fn is_closed(socket: &Socket) -> bool {
    socket.state_at_event == Some(TcpState::Close)
}

fn is_shut_down(socket: &Socket) -> bool {
    socket.receive_shutdown && socket.send_shutdown
}

fn is_in_handshake(state: Option<TcpState>) -> bool {
    matches!(state, Some(TcpState::SynSent | TcpState::SynRecv | TcpState::NewSynRecv))
}

/// The limit of the accept queue against its length, which is beyond the limit when it is full.
fn room_in_queue(event: &ResetEvent) -> Ordering {
    let queue = event.socket.as_ref().and_then(|socket| socket.accept_queue);
    queue.map_or(Ordering::Greater, |queue| queue.limit.cmp(&queue.length))
}

fn unread(event: &ResetEvent) -> u32 {
    let figures = event.connection.and_then(|connection| connection.figures);
    figures.map_or(0, |figures| figures.unread_bytes)
}

fn packets_out(event: &ResetEvent) -> u32 {
    let figures = event.connection.and_then(|connection| connection.figures);
    figures.map_or(0, |figures| figures.packets_out)
}
