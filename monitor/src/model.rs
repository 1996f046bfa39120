//! One TCP reset and its parts, in the terms of the kernel and the RFCs. Values only: no I/O, no clock, and no
//! serialisation — `output::json` owns the schema.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;

/// One RST that this host sent, or that reached one of its sockets.
#[derive(Clone, Debug, PartialEq)]
pub struct ResetEvent {
    /// When it happened.
    pub time: Timestamp,
    /// Tells events of the same nanosecond apart.
    pub sequence: u16,
    /// Which way the RST went.
    pub direction: Direction,
    /// Why the kernel sent it; `None` for received resets and on kernels that do not tell.
    pub reason: Option<Reason>,
    /// TCP state before the reset; `None` when there was no socket.
    pub state: Option<TcpState>,
    /// The connection, seen from the local socket.
    pub tuple: FourTuple,
    /// Network namespace of the socket: inode number of `/proc/PID/ns/net`.
    pub netns: Option<u32>,
    /// What the application's next call on the socket returns; `None` when nobody is told.
    pub errno: Option<Errno>,
    /// The owner of the socket.
    pub process: Option<Process>,
    /// How the owner is known.
    pub owner_from: OwnerFrom,
    /// Figures of the connection; `None` when there was none.
    pub connection: Option<Connection>,
    /// The packet that a sent reset answers.
    pub trigger: Option<Segment>,
    /// The received RST, where a probe saw it.
    pub rst: Option<Segment>,
    /// Where the firewall made the reset; `None` when TCP made it.
    pub netfilter_hook: Option<NetfilterHook>,
    /// What else the kernel knows about the socket; `None` unless it was a full one.
    pub socket: Option<Socket>,
    /// The task that was at work on the socket at the reset, under its lock.
    pub acting: Option<Process>,
}

impl ResetEvent {
    /// Name of this event, unique on its host and in order of time.
    pub fn id(&self) -> EventId {
        // Times before 1970 do not happen on a host that runs this; they would only share an id.
        let nanoseconds = u64::try_from(self.time.as_nanosecond()).unwrap_or(0);
        EventId { nanoseconds, sequence: self.sequence }
    }
}

/// Name of an event: nanoseconds since 1970 and a sequence number, written as 20 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    nanoseconds: u64,
    sequence: u16,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:04x}", self.nanoseconds, self.sequence)
    }
}

/// Which way an RST went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// This host's stack sent it (`tcp_send_reset`).
    Sent,
    /// It hit a local socket (`tcp_receive_reset`).
    Received,
}

impl Direction {
    /// As users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }
}

/// A member of the kernel's `enum sk_rst_reason`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its name on the running kernel, without the prefix `SK_RST_REASON_`.
    Named(Arc<str>),
    /// A number that the running kernel's type information does not name.
    Unknown(u32),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.pad(name),
            Self::Unknown(number) => write!(f, "{number}"),
        }
    }
}

/// A TCP state (`include/net/tcp_states.h`, the same numbers from 5.10 to 7.x).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TcpState {
    /// Data can flow.
    Established = 1,
    /// Our SYN is out.
    SynSent,
    /// A SYN came and was answered.
    SynRecv,
    /// We closed; our FIN is not acknowledged.
    FinWait1,
    /// We closed; our FIN is acknowledged.
    FinWait2,
    /// Both closed; old segments may still arrive.
    TimeWait,
    /// No connection.
    Close,
    /// The peer closed; we have not.
    CloseWait,
    /// Both closed; our FIN is not acknowledged.
    LastAck,
    /// Waiting for connections.
    Listen,
    /// Both closed at once.
    Closing,
    /// A connection request that is not yet a full socket.
    NewSynRecv,
    /// Bound and inactive.
    BoundInactive,
}

impl TcpState {
    /// Every state, in order of its number.
    pub const ALL: [Self; 13] = [
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
        Self::NewSynRecv,
        Self::BoundInactive,
    ];

    /// The state with this number in the kernel.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The kernel's name, without the prefix `TCP_`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::NewSynRecv => "NEW_SYN_RECV",
            Self::BoundInactive => "BOUND_INACTIVE",
        }
    }
}

/// Both ends of a connection, seen from the local socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FourTuple {
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
}

impl FourTuple {
    /// A tuple of addresses and ports.
    pub fn new(local: impl Into<SocketAddr>, peer: impl Into<SocketAddr>) -> Self {
        Self { local: local.into(), peer: peer.into() }
    }

    /// Address family of the packets.
    pub fn family(&self) -> Family {
        if self.peer.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }
}

/// Address family of the packets on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IP version 4, also through an IPv6 socket with v4-mapped addresses.
    Ipv4,
    /// IP version 6.
    Ipv6,
}

impl Family {
    /// As users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// An error that a reset leaves on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errno {
    /// Connection reset by peer.
    ConnectionReset,
    /// Connection refused.
    ConnectionRefused,
    /// Broken pipe: the peer had closed, then reset.
    BrokenPipe,
    /// Connection timed out: keepalive gave up.
    TimedOut,
    /// Software caused connection abort: destroyed from outside.
    ConnectionAborted,
}

impl Errno {
    /// Every error, in the order of the variants.
    pub const ALL: [Self; 5] = [
        Self::ConnectionReset,
        Self::ConnectionRefused,
        Self::BrokenPipe,
        Self::TimedOut,
        Self::ConnectionAborted,
    ];

    /// The name in `<errno.h>`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionReset => "ECONNRESET",
            Self::ConnectionRefused => "ECONNREFUSED",
            Self::BrokenPipe => "EPIPE",
            Self::TimedOut => "ETIMEDOUT",
            Self::ConnectionAborted => "ECONNABORTED",
        }
    }
}

/// How the owner of a socket is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerFrom {
    /// It called connect(2).
    Connect,
    /// It accepted the connection.
    Accept,
    /// It called listen(2) on the socket or on the listener that the socket came from.
    Listen,
    /// It held the socket when the agent started.
    Seed,
    /// It was found by its open descriptor.
    Holder,
    /// It was the current task where the kernel proves that the current task is the owner.
    Current,
    /// The socket is gone; it was the last owner.
    Recent,
    /// There is no owner, or it is not known.
    None,
}

impl OwnerFrom {
    /// As users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Accept => "accept",
            Self::Listen => "listen",
            Self::Seed => "seed",
            Self::Holder => "holder",
            Self::Current => "current",
            Self::Recent => "recent",
            Self::None => "none",
        }
    }
}

/// A process, identified by its id and its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Start, since boot.
    pub started: Duration,
    /// Start on the wall clock.
    pub start_time: Timestamp,
    /// Name of its main thread.
    pub comm: Arc<str>,
    /// Real user id.
    pub uid: u32,
    /// What `/proc` knows; `None` when the process was gone before it could be read.
    pub details: Option<Arc<ProcessDetails>>,
}

/// What `/proc` knows about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessDetails {
    /// Name of its main thread, as it is now.
    pub comm: Arc<str>,
    /// Path of its executable; `None` without permission to read it.
    pub exe: Option<Arc<str>>,
    /// Its arguments.
    pub cmdline: Option<Arc<[String]>>,
}

/// Which end of a connection a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It connected.
    Client,
    /// It was accepted.
    Server,
}

impl Role {
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

/// The place in netfilter where a packet was refused with a reset (`enum nf_inet_hooks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetfilterHook {
    /// Before routing.
    Prerouting,
    /// A packet to this host.
    Input,
    /// A packet that this host forwards: neither end is here.
    Forward,
    /// A packet from this host.
    Output,
    /// After routing.
    Postrouting,
}

impl NetfilterHook {
    /// As nft(8) writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

/// TCP header flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl fmt::Display for TcpFlags {
    /// One letter a flag, in the order of tcpdump; `.` is ACK's letter there, `A` here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LETTERS: [(u8, char); 8] =
            [(1, 'F'), (2, 'S'), (4, 'R'), (8, 'P'), (16, 'A'), (32, 'U'), (64, 'E'), (128, 'C')];
        LETTERS.iter().filter(|(bit, _)| self.0 & bit != 0).try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

/// Header of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// TCP flags.
    pub flags: TcpFlags,
    /// Payload bytes.
    pub payload_bytes: u32,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window, not scaled.
    pub window: u16,
    /// IPv4 TTL or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
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
}

/// Connections of a listener that nobody has accepted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptQueue {
    /// How many there are.
    pub length: u32,
    /// How many there may be.
    pub limit: u32,
}
