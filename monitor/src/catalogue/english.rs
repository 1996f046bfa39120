//! The texts in English.

pub(super) mod evidence;
pub(super) mod facts;
pub(super) mod summary;

mod active;
mod passive;
mod received;

use super::Texts;
use crate::cause::Cause;

/// The texts of a cause in English.
pub(super) fn texts(cause: Cause) -> &'static Texts {
    match cause {
        Cause::ClosedPort => &passive::CLOSED_PORT,
        Cause::PortScan => &passive::PORT_SCAN,
        Cause::StaleConnection => &passive::STALE_CONNECTION,
        Cause::ConntrackBypass => &passive::CONNTRACK_BYPASS,
        Cause::CancelledConnect => &passive::CANCELLED_CONNECT,
        Cause::LateData => &passive::LATE_DATA,
        Cause::KeepaliveRace => &passive::KEEPALIVE_RACE,
        Cause::AcceptOverflow => &passive::ACCEPT_OVERFLOW,
        Cause::InvalidSyn => &passive::INVALID_SYN,
        Cause::BadHandshakeAck => &passive::BAD_HANDSHAKE_ACK,
        Cause::FirewallReject => &passive::FIREWALL_REJECT,
        Cause::CloseUnread => &active::CLOSE_UNREAD,
        Cause::ProcessExit => &active::PROCESS_EXIT,
        Cause::LingerZero => &active::LINGER_ZERO,
        Cause::Disconnect => &active::DISCONNECT,
        Cause::SocketKilled => &active::SOCKET_KILLED,
        Cause::ListenerClosed => &active::LISTENER_CLOSED,
        Cause::KeepaliveTimeout => &active::KEEPALIVE_TIMEOUT,
        Cause::OrphanTimeout => &active::ORPHAN_TIMEOUT,
        Cause::MemoryPressure => &active::MEMORY_PRESSURE,
        Cause::Mptcp => &active::MPTCP,
        Cause::ConnectionRefused => &received::CONNECTION_REFUSED,
        Cause::RefusedInHandshake => &received::REFUSED_IN_HANDSHAKE,
        Cause::PeerIdleTimeout => &received::PEER_IDLE_TIMEOUT,
        Cause::PeerKeepaliveRace => &received::PEER_KEEPALIVE_RACE,
        Cause::PeerResetRequest => &received::PEER_RESET_REQUEST,
        Cause::PeerResetResponse => &received::PEER_RESET_RESPONSE,
        Cause::PeerResetUpload => &received::PEER_RESET_UPLOAD,
        Cause::PeerResetEarly => &received::PEER_RESET_EARLY,
        Cause::ResetAfterPeerClose => &received::RESET_AFTER_PEER_CLOSE,
        Cause::ResetAfterClose => &received::RESET_AFTER_CLOSE,
        Cause::Injected => &received::INJECTED,
        Cause::Unknown => &received::UNKNOWN,
    }
}
