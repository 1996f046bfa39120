//! The causes of a reset, by name. Names are stable: dashboards and filters use them. Lacks the rules that
//! tell causes apart, and their texts (`catalogue`).

use std::str::FromStr;

use crate::{model::Direction, spelling};

/// Why a connection was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// A SYN came to a port where nobody listens.
    ClosedPort,
    /// SYNs of one peer came to many closed ports.
    PortScan,
    /// A segment came for a connection that this host does not know, or no longer.
    StaleConnection,
    /// A segment skipped address translation and reached a host that has no such connection.
    ConntrackBypass,
    /// A SYN-ACK came after the program had given up connecting.
    CancelledConnect,
    /// Data came after the program had closed the connection.
    LateData,
    /// Data came just as the program closed an idle connection.
    KeepaliveRace,
    /// The program closed with received data unread.
    CloseUnread,
    /// The program ended, and the kernel closed its connections.
    ProcessExit,
    /// The program closed with `SO_LINGER` 0, which asks for a reset.
    LingerZero,
    /// The program disconnected the socket with connect(2) to `AF_UNSPEC`.
    Disconnect,
    /// Somebody other than the owner destroyed the socket.
    SocketKilled,
    /// The listener closed while the connection waited to be accepted.
    ListenerClosed,
    /// The accept queue was full, and `tcp_abort_on_overflow` is set.
    AcceptOverflow,
    /// A second, different SYN came during the handshake.
    InvalidSyn,
    /// An acknowledgement during the handshake belonged to another connection.
    BadHandshakeAck,
    /// No answer came to keepalive probes.
    KeepaliveTimeout,
    /// The peer did not close its side in time after this end had closed.
    OrphanTimeout,
    /// The kernel had no memory left for the closed connection.
    MemoryPressure,
    /// A firewall rule made the reset.
    FirewallReject,
    /// Multipath TCP ended a subflow.
    Mptcp,
    /// The answer to our SYN was a reset.
    ConnectionRefused,
    /// The peer reset the connection before the handshake was complete.
    RefusedInHandshake,
    /// The peer, or a box on the way, ended a connection that had been idle.
    PeerIdleTimeout,
    /// Our data after a pause met a connection that the peer had already ended.
    PeerKeepaliveRace,
    /// The peer reset the connection instead of answering a request.
    PeerResetRequest,
    /// The peer reset the connection in the middle of its answer.
    PeerResetResponse,
    /// The peer reset the connection while we were sending it much data.
    PeerResetUpload,
    /// The peer reset the connection before any data.
    PeerResetEarly,
    /// The peer had closed; we kept writing.
    ResetAfterPeerClose,
    /// The program had closed the connection already.
    ResetAfterClose,
    /// Somebody between the ends sent the reset in the peer's name.
    Injected,
    /// Nothing fits.
    Unknown,
}

impl Cause {
    /// Every cause, in the order of the variants.
    pub const ALL: [Self; 33] = [
        Self::ClosedPort,
        Self::PortScan,
        Self::StaleConnection,
        Self::ConntrackBypass,
        Self::CancelledConnect,
        Self::LateData,
        Self::KeepaliveRace,
        Self::CloseUnread,
        Self::ProcessExit,
        Self::LingerZero,
        Self::Disconnect,
        Self::SocketKilled,
        Self::ListenerClosed,
        Self::AcceptOverflow,
        Self::InvalidSyn,
        Self::BadHandshakeAck,
        Self::KeepaliveTimeout,
        Self::OrphanTimeout,
        Self::MemoryPressure,
        Self::FirewallReject,
        Self::Mptcp,
        Self::ConnectionRefused,
        Self::RefusedInHandshake,
        Self::PeerIdleTimeout,
        Self::PeerKeepaliveRace,
        Self::PeerResetRequest,
        Self::PeerResetResponse,
        Self::PeerResetUpload,
        Self::PeerResetEarly,
        Self::ResetAfterPeerClose,
        Self::ResetAfterClose,
        Self::Injected,
        Self::Unknown,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClosedPort => "closed_port",
            Self::PortScan => "port_scan",
            Self::StaleConnection => "stale_connection",
            Self::ConntrackBypass => "conntrack_bypass",
            Self::CancelledConnect => "cancelled_connect",
            Self::LateData => "late_data",
            Self::KeepaliveRace => "keepalive_race",
            Self::CloseUnread => "close_unread",
            Self::ProcessExit => "process_exit",
            Self::LingerZero => "linger_zero",
            Self::Disconnect => "disconnect",
            Self::SocketKilled => "socket_killed",
            Self::ListenerClosed => "listener_closed",
            Self::AcceptOverflow => "accept_overflow",
            Self::InvalidSyn => "invalid_syn",
            Self::BadHandshakeAck => "bad_handshake_ack",
            Self::KeepaliveTimeout => "keepalive_timeout",
            Self::OrphanTimeout => "orphan_timeout",
            Self::MemoryPressure => "memory_pressure",
            Self::FirewallReject => "firewall_reject",
            Self::Mptcp => "mptcp",
            Self::ConnectionRefused => "connection_refused",
            Self::RefusedInHandshake => "refused_in_handshake",
            Self::PeerIdleTimeout => "peer_idle_timeout",
            Self::PeerKeepaliveRace => "peer_keepalive_race",
            Self::PeerResetRequest => "peer_reset_request",
            Self::PeerResetResponse => "peer_reset_response",
            Self::PeerResetUpload => "peer_reset_upload",
            Self::PeerResetEarly => "peer_reset_early",
            Self::ResetAfterPeerClose => "reset_after_peer_close",
            Self::ResetAfterClose => "reset_after_close",
            Self::Injected => "injected",
            Self::Unknown => "unknown",
        }
    }

    /// The directions that this cause is told from by the event alone.
    pub const fn directions(self) -> &'static [Direction] {
        match self {
            Self::ClosedPort
            | Self::PortScan
            | Self::StaleConnection
            | Self::ConntrackBypass
            | Self::CancelledConnect
            | Self::LateData
            | Self::KeepaliveRace
            | Self::CloseUnread
            | Self::ProcessExit
            | Self::LingerZero
            | Self::Disconnect
            | Self::SocketKilled
            | Self::ListenerClosed
            | Self::AcceptOverflow
            | Self::InvalidSyn
            | Self::BadHandshakeAck
            | Self::KeepaliveTimeout
            | Self::OrphanTimeout
            | Self::MemoryPressure
            | Self::Mptcp => &[Direction::Sent],
            Self::ConnectionRefused
            | Self::RefusedInHandshake
            | Self::PeerIdleTimeout
            | Self::PeerKeepaliveRace
            | Self::PeerResetRequest
            | Self::PeerResetResponse
            | Self::PeerResetUpload
            | Self::PeerResetEarly
            | Self::ResetAfterPeerClose
            | Self::ResetAfterClose
            | Self::Injected => &[Direction::Received],
            Self::FirewallReject | Self::Unknown => &[Direction::Sent, Direction::Received],
        }
    }

    /// Whether an event of this direction can have the cause. A received reset takes any of a sender's causes
    /// where its sender is known.
    pub fn fits(self, direction: Direction) -> bool {
        direction == Direction::Received || self.directions().contains(&direction)
    }

    /// Whether the cause lies with the sender of the reset and is seen there alone, so that the end which
    /// received it sees it from the other side.
    pub fn is_of_sender(self) -> bool {
        self.directions() == [Direction::Sent]
    }
}

impl FromStr for Cause {
    type Err = UnknownCause;

    /// Reads a name in any case, with `-` for `_` if need be.
    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        let name = text.trim().to_ascii_lowercase().replace('-', "_");
        let named = Self::ALL.into_iter().find(|cause| cause.as_str() == name);
        named.ok_or_else(|| UnknownCause { nearest: nearest(&name) })
    }
}

/// Text that names no cause. Does not repeat the text: whoever asked for the name shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.hint())]
pub struct UnknownCause {
    /// The cause that may have been meant.
    pub nearest: Option<Cause>,
}

impl UnknownCause {
    fn hint(self) -> String {
        match self.nearest {
            Some(cause) => format!("there is no such cause; did you mean {}?", cause.as_str()),
            None => format!("a cause is one of {}", Cause::ALL.map(Cause::as_str).join(", ")),
        }
    }
}

/// How much a diagnosis is to be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confidence {
    /// The kernel's facts leave no other reading.
    Certain,
    /// The signals fit, and the known confusions are excluded.
    Likely,
    /// The signals fit; so may another cause.
    Possible,
}

impl Confidence {
    /// Every confidence, the highest first.
    pub const ALL: [Self; 3] = [Self::Certain, Self::Likely, Self::Possible];

    /// As users write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// The cause that was meant, if a slip of the hand explains the name.
fn nearest(name: &str) -> Option<Cause> {
    let name = spelling::nearest(name, Cause::ALL.map(Cause::as_str))?;
    Cause::ALL.into_iter().find(|cause| cause.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_listed_once_under_its_name() {
        // The last variant is the last of the list, so none can be missing from it.
        assert_eq!(Cause::ALL.last(), Some(&Cause::Unknown));
        for (index, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, index, "{cause:?}");
            assert_eq!(cause.as_str().parse(), Ok(cause));
            let variant = format!("{cause:?}");
            assert_eq!(cause.as_str().replace('_', ""), variant.to_ascii_lowercase());
            let words = variant.chars().filter(char::is_ascii_uppercase).count();
            assert_eq!(cause.as_str().split('_').count(), words, "{cause:?}");
        }
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        let check = |text: &str, expected: Result<Cause, Option<Cause>>| {
            assert_eq!(text.parse::<Cause>().map_err(|error| error.nearest), expected, "{text}");
        };
        check("close_unread", Ok(Cause::CloseUnread));
        check("Close-Unread", Ok(Cause::CloseUnread));
        check(" mptcp ", Ok(Cause::Mptcp));
        check("close_unred", Err(Some(Cause::CloseUnread)));
        check("keepalive_timeouts", Err(Some(Cause::KeepaliveTimeout)));
        check("conection_refused", Err(Some(Cause::ConnectionRefused)));
        check("", Err(None));
        check("weather", Err(None));
        check("الطقس", Err(None));
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let check = |text: &str, expected: &str| {
            let message = text.parse::<Cause>().expect_err("not a cause").to_string();
            assert!(message.contains(expected), "{text}: {message}");
        };
        check("port_scam", "did you mean port_scan?");
        check("weather", "one of closed_port, port_scan, stale_connection");
        check("weather", "injected, unknown");
    }

    #[test]
    fn directions_hold_for_sender_and_receiver() {
        let check = |cause: Cause, sent: bool, received: bool, is_of_sender: bool| {
            assert_eq!(cause.fits(Direction::Sent), sent, "{cause:?}");
            assert_eq!(cause.fits(Direction::Received), received, "{cause:?}");
            assert_eq!(cause.is_of_sender(), is_of_sender, "{cause:?}");
        };
        check(Cause::CloseUnread, true, true, true);
        check(Cause::ConnectionRefused, false, true, false);
        check(Cause::FirewallReject, true, true, false);
        check(Cause::Unknown, true, true, false);
    }
}
