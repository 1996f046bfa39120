//! One TCP reset and its parts, in the terms of the kernel and the RFCs. Values only: no I/O, no clock, and no
//! serialisation — `output::json` owns the schema.

pub mod connection;
pub mod diagnosis;
pub mod process;
pub mod segment;
pub mod workload;

use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc};

use jiff::Timestamp;

use self::{
    connection::{Connection, Gone, Socket},
    diagnosis::Diagnosis,
    process::{Exit, OwnerFrom, Process},
    segment::{NetfilterHook, Segment},
    workload::{CgroupId, Workload},
};

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
    /// The connection or listener that was there before; `None` when the socket is there, or nothing is remembered.
    pub gone: Option<Gone>,
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
    /// Who made the reset happen when that was not the owner: it destroyed the socket from outside.
    pub actor: Option<Process>,
    /// Further processes that hold the socket.
    pub other_holders: Vec<Process>,
    /// How the owner ended, when its end caused the reset.
    pub exit: Option<Exit>,
    /// Id of the socket's control group; once the socket is gone, that of its last owner.
    pub cgroup_id: Option<CgroupId>,
    /// Control group of the socket: its path below the root of the hierarchy.
    pub cgroup: Option<Arc<str>>,
    /// What runs in that control group.
    pub workload: Option<Arc<Workload>>,
    /// The event of the other end, when that is on this host as well; it has no counterpart itself.
    pub counterpart: Option<Arc<ResetEvent>>,
    /// Name that the events of both ends share: that of the earlier one.
    pub incident: Option<EventId>,
    /// Why it happened; `None` as long as nobody has thought about it.
    pub diagnosis: Option<Arc<Diagnosis>>,
}

impl ResetEvent {
    /// A reset of which nothing is known but when it was, its place among others, which way the RST went, and between whom.
    pub fn bare(time: Timestamp, sequence: u16, direction: Direction, tuple: FourTuple) -> Self {
        Self {
            time,
            sequence,
            direction,
            reason: None,
            state: None,
            tuple,
            netns: None,
            errno: None,
            process: None,
            owner_from: OwnerFrom::None,
            connection: None,
            gone: None,
            trigger: None,
            rst: None,
            netfilter_hook: None,
            socket: None,
            acting: None,
            actor: None,
            other_holders: Vec::new(),
            exit: None,
            cgroup_id: None,
            cgroup: None,
            workload: None,
            counterpart: None,
            incident: None,
            diagnosis: None,
        }
    }

    /// Name of this event, unique on its host and in order of time.
    pub fn id(&self) -> EventId {
        // Times before 1970 do not happen on a host that runs this; they would only share an id.
        let nanoseconds = u64::try_from(self.time.as_nanosecond()).unwrap_or(0);
        EventId::new(nanoseconds, self.sequence)
    }

    /// The connection as the end sees it that the RST goes to: the same for the events of both ends. The firewall answers
    /// whoever sent the packet: for a packet on its way out that is the local end itself.
    pub fn at_receiver(&self) -> FourTuple {
        let FourTuple { local, peer } = self.tuple;
        let goes_back =
            matches!(self.netfilter_hook, Some(NetfilterHook::Output | NetfilterHook::Postrouting));
        match self.direction {
            Direction::Sent if !goes_back => FourTuple { local: peer, peer: local },
            Direction::Sent | Direction::Received => self.tuple,
        }
    }
}

/// Name of an event: nanoseconds since 1970 and a sequence number, written as 20 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    nanoseconds: u64,
    sequence: u16,
}

impl EventId {
    /// The name of the event of this nanosecond since 1970 with this sequence number.
    pub fn new(nanoseconds: u64, sequence: u16) -> Self {
        Self { nanoseconds, sequence }
    }

    /// Nanoseconds from 1970 to the event.
    pub fn nanoseconds(self) -> u64 {
        self.nanoseconds
    }

    /// When the event happened.
    pub fn time(self) -> Timestamp {
        // The largest number of nanoseconds is a day in 2554.
        Timestamp::from_nanosecond(self.nanoseconds.into()).unwrap_or_default()
    }

    /// What tells it apart from others of the same nanosecond.
    pub fn sequence(self) -> u16 {
        self.sequence
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:04x}", self.nanoseconds, self.sequence)
    }
}

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let is_id = text.len() == 20 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let (nanoseconds, sequence) = text.split_at_checked(16).filter(|_| is_id).ok_or(NoEventId)?;
        let nanoseconds = u64::from_str_radix(nanoseconds, 16).map_err(|_| NoEventId)?;
        let sequence = u16::from_str_radix(sequence, 16).map_err(|_| NoEventId)?;
        Ok(Self { nanoseconds, sequence })
    }
}

/// Text that is no [`EventId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 20 hexadecimal digits")]
pub struct NoEventId;

/// Which way an RST went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// This host's stack sent it (`tcp_send_reset`).
    Sent,
    /// It hit a local socket (`tcp_receive_reset`).
    Received,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Sent, Self::Received];

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
