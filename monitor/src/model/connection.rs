//! What the kernel knows about a connection and its socket at the reset.

use std::time::Duration;

use super::TcpState;

/// Which end of a connection a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It connected.
    Client,
    /// It was accepted.
    Server,
}

impl Role {
    /// Both roles.
    pub const ALL: [Self; 2] = [Self::Client, Self::Server];

    /// As users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Figures of a connection at its reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Which end the local socket is.
    pub role: Option<Role>,
    /// Time since it became ESTABLISHED.
    pub age: Option<Duration>,
    /// Time since the last data in either direction, in the kernel's ticks.
    pub idle: Option<Duration>,
    /// Time since this end last sent data, or the handshake if it sent none.
    pub since_sent: Option<Duration>,
    /// Time since data last came, or the handshake if none came.
    pub since_received: Option<Duration>,
    /// Time since the peer last acknowledged anything.
    pub since_acked: Option<Duration>,
    /// TTL or hop limit of the peer's packet that completed the handshake, where a probe saw it.
    pub handshake_ttl: Option<u8>,
    /// What only a socket that still exists can tell.
    pub figures: Option<Figures>,
}

/// Counters of a TCP socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Payload bytes sent, with retransmissions.
    pub bytes_sent: u64,
    /// Payload bytes that the peer acknowledged.
    pub bytes_acked: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Bytes that the application wrote and the peer has not acknowledged.
    pub unacked_bytes: u32,
    /// Bytes received and not read by the application.
    pub unread_bytes: u32,
    /// Smoothed round-trip time; zero before the first sample.
    pub srtt: Duration,
    /// Mean deviation of the round-trip time.
    pub rtt_deviation: Duration,
    /// Segments retransmitted in the connection's life.
    pub retransmits: u32,
    /// Segments in flight.
    pub packets_out: u32,
}

/// What the kernel knows about a full socket beyond its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the kernel's, none is a state")]
pub struct Socket {
    /// Socket cookie, as `ss -e` shows it; `None` on kernels that do not give it.
    pub cookie: Option<u64>,
    /// Inode in sockfs; `None` when no descriptor refers to the socket.
    pub inode: Option<u64>,
    /// User id of the socket.
    pub uid: u32,
    /// `SO_MARK`.
    pub mark: u32,
    /// State at the tracepoint: often CLOSE already.
    pub state_at_event: Option<TcpState>,
    /// No process holds it (`SOCK_DEAD`).
    pub orphaned: bool,
    /// `SO_LINGER` with its time.
    pub linger: Option<Duration>,
    /// `SO_KEEPALIVE` is set.
    pub keepalive: bool,
    /// Time before the first keepalive probe, where set by `TCP_KEEPIDLE`.
    pub keepalive_time: Option<Duration>,
    /// Time between keepalive probes, where set by `TCP_KEEPINTVL`.
    pub keepalive_interval: Option<Duration>,
    /// Keepalive probes before giving up, where set by `TCP_KEEPCNT`.
    pub keepalive_probes: Option<u8>,
    /// Probes that had no answer.
    pub probes_out: u8,
    /// `TCP_USER_TIMEOUT`.
    pub user_timeout: Option<Duration>,
    /// `TCP_LINGER2` is negative: no `FIN_WAIT2`.
    pub linger2_negative: bool,
    /// The application shut down its receiving side, or the peer sent a FIN.
    pub receive_shutdown: bool,
    /// The application shut down its sending side.
    pub send_shutdown: bool,
    /// Error number on the socket.
    pub error: i32,
    /// Connections waiting to be accepted, of a listener.
    pub accept_queue: Option<AcceptQueue>,
    /// The socket is a subflow of MPTCP.
    pub mptcp: bool,
    /// The kernel itself uses the socket (NFS, say): no process has a descriptor of it.
    pub kernel: bool,
    /// Where its two streams are; `None` of a listener.
    pub sequence: Option<SequenceNumbers>,
}

/// Sequence numbers of a connection, in the terms of RFC 9293.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceNumbers {
    /// The first one sent that the peer has not acknowledged.
    pub snd_una: u32,
    /// The next one to be sent.
    pub snd_nxt: u32,
    /// The next one expected from the peer; `None` before its SYN has come.
    pub rcv_nxt: Option<u32>,
}

/// Connections of a listener that nobody has accepted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptQueue {
    /// How many there are.
    pub length: u32,
    /// How many there may be.
    pub limit: u32,
}

/// What is remembered of a socket that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// It was a listener, and the reset is for its port; else it was the connection itself.
    pub was_listener: bool,
    /// Time since it was closed.
    pub since: Duration,
    /// How long no data had moved when it was closed; `None` of a listener.
    pub idle: Option<Duration>,
    /// Payload bytes sent, with retransmissions.
    pub bytes_sent: u64,
    /// Payload bytes that the peer had acknowledged.
    pub bytes_acked: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
}
