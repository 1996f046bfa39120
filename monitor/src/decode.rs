//! Wire bytes → [`ResetEvent`]. Total: any bytes give an event or an error. Knows how the kernel's fields become what a
//! user relies on — state, errno, unread and unacknowledged bytes — and nothing of how they were captured. Whose the
//! socket is, as far as the kernel tells, is read in `owner`.

mod owner;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use resetmon_common::wire::{
    CGROUP_MADE, RawAddress, RawCgroup, RawClosing, RawOwner, RawResetEvent, RawSegment, RawTask, SOCK_DEAD,
    SOCK_KEEPOPEN, SOCK_LINGER, direction, hook, mark, role,
};
use zerocopy::FromBytes as _;

use crate::{
    model::{
        Direction, Errno, FourTuple, ResetEvent, TcpState,
        connection::{AcceptQueue, Connection, Figures, Gone, Role, SequenceNumbers, Socket},
        process::Process,
        segment::{NetfilterHook, Segment, TcpFlags},
        workload::CgroupId,
    },
    reason::ReasonNames,
};

/// Reads the news of a control group: its id, and its path unless that was too long. None when the bytes are no such news.
pub fn cgroup_made(bytes: &[u8]) -> Option<(CgroupId, Option<String>)> {
    let made = RawCgroup::read_from_bytes(bytes).ok().filter(|made| made.tag == CGROUP_MADE)?;
    let end = made.path.iter().position(|byte| *byte == 0).unwrap_or(made.path.len());
    let is_whole = made.path.starts_with(b"/") && end + 1 < made.path.len();
    let path = is_whole.then(|| String::from_utf8_lossy(&made.path[..end]).into_owned());
    Some((CgroupId(made.id), path))
}

/// What the bytes mean on this host.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// Names of reset reasons on this kernel.
    pub reasons: ReasonNames,
    /// Length of the kernel's tick: one jiffy.
    pub tick: Duration,
}

/// An event and what is needed to tell whether it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The event.
    pub event: ResetEvent,
    /// When it happened, since the host started.
    pub at: Duration,
    /// Identity of the socket in the kernel; `None` when there was none.
    pub socket: Option<SocketId>,
    /// Whether the kernel's word is final.
    pub claim: Claim,
}

/// Identity of a socket while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(u64);

/// Whether `tcp_receive_reset` meant an RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What the event says is so.
    Stands,
    /// A received reset that may have been data after a shutdown.
    Unproven,
    /// A sent reset that shows the unproven received one of the same socket to be no RST.
    Refutes,
}

/// Bytes that are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Wrong length.
    #[error("an event of {got} bytes where {expected} were expected", expected = size_of::<RawResetEvent>())]
    Size {
        /// Length of the bytes.
        got: usize,
    },
    /// Neither sent nor received.
    #[error("an event with the unknown direction {0}")]
    Direction(u8),
}

/// The end of a socket that was reset: who closed it was the last to hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// Identity of the socket.
    pub socket: SocketId,
    /// Who closed it.
    pub process: Process,
}

impl Decoder {
    /// Reads the message that a socket is closed; `None` when the bytes are none.
    pub fn closing(&self, bytes: &[u8], boot: Timestamp) -> Option<Closing> {
        let raw = RawClosing::read_from_bytes(bytes).ok()?;
        Some(Closing { socket: SocketId(raw.socket), process: process(&raw.task, boot) })
    }

    /// Reads one event. `boot` is when the host started, on the wall clock as it is now.
    pub fn decode(&self, bytes: &[u8], boot: Timestamp, sequence: u16) -> Result<Decoded, DecodeError> {
        let raw =
            RawResetEvent::read_from_bytes(bytes).map_err(|_| DecodeError::Size { got: bytes.len() })?;
        let direction = match raw.direction {
            direction::SENT => Direction::Sent,
            direction::RECEIVED => Direction::Received,
            other => return Err(DecodeError::Direction(other)),
        };
        Ok(Decoded {
            at: Duration::from_nanos(raw.time),
            socket: (raw.socket != 0).then_some(SocketId(raw.socket)),
            claim: claim(raw.marks),
            event: Reading { raw: &raw, direction, decoder: self, boot }.event(sequence),
        })
    }
}

/// The control group of the socket, or of its last owner.
fn cgroup(raw: &RawResetEvent) -> Option<CgroupId> {
    [raw.cgroup_id, raw.owner.cgroup_id].into_iter().find(|id| *id != 0).map(CgroupId)
}

fn claim(marks: u16) -> Claim {
    match (marks & mark::UNPROVEN != 0, marks & mark::REFUTES_RECEIVE != 0) {
        (true, _) => Claim::Unproven,
        (_, true) => Claim::Refutes,
        _ => Claim::Stands,
    }
}

/// One raw event and the context to read it in.
struct Reading<'a> {
    raw: &'a RawResetEvent,
    direction: Direction,
    decoder: &'a Decoder,
    boot: Timestamp,
}

impl Reading<'_> {
    fn event(&self, sequence: u16) -> ResetEvent {
        let raw = self.raw;
        let (process, owner_from) = self.owner();
        ResetEvent {
            time: after(self.boot, raw.time),
            sequence,
            direction: self.direction,
            reason: self.has(mark::HAS_REASON).then(|| self.decoder.reasons.reason(raw.reason)),
            state: self.state(),
            tuple: FourTuple::new(
                (address(raw.tuple.local_addr), raw.tuple.local_port),
                (address(raw.tuple.peer_addr), raw.tuple.peer_port),
            ),
            netns: (raw.tuple.netns != 0).then_some(raw.tuple.netns),
            errno: self.errno(),
            process,
            owner_from,
            connection: self.connection(),
            gone: self.gone(),
            trigger: self.trigger(),
            rst: self.rst(),
            netfilter_hook: netfilter_hook(raw.netfilter_hook),
            socket: self.is_full().then(|| self.socket()),
            acting: self.acting(),
            actor: self.actor(),
            other_holders: Vec::new(),
            exit: self.exit(),
            cgroup_id: cgroup(raw),
            cgroup: None,
            workload: None,
            counterpart: None,
            incident: None,
            diagnosis: None,
        }
    }

    fn has(&self, mark: u16) -> bool {
        self.raw.marks & mark != 0
    }

    fn has_flag(&self, bit: u32) -> bool {
        self.raw.sk_flags & (1 << bit) != 0
    }

    fn is_full(&self) -> bool {
        self.has(mark::FULL_SOCKET)
    }

    /// No packet provoked the reset: it is the socket's own doing.
    fn is_active(&self) -> bool {
        self.raw.segment.ip_version == 0
    }

    fn trigger(&self) -> Option<Segment> {
        (self.direction == Direction::Sent).then(|| segment(&self.raw.segment)).flatten()
    }

    fn rst(&self) -> Option<Segment> {
        (self.direction == Direction::Received).then(|| segment(&self.raw.segment)).flatten()
    }

    fn state(&self) -> Option<TcpState> {
        TcpState::from_number(self.raw.state)
    }

    fn state_at_event(&self) -> Option<TcpState> {
        TcpState::from_number(self.raw.state_at_event)
    }

    fn ticks(&self, ticks: u32) -> Duration {
        self.decoder.tick * ticks
    }

    /// What the application's next call returns: `tcp_reset()` and its neighbours in `net/ipv4/tcp*.c`, 5.10–7.x.
    fn errno(&self) -> Option<Errno> {
        if !self.is_full() || self.has_flag(SOCK_DEAD) {
            return None;
        }
        match self.direction {
            Direction::Received => errno_of_tcp_reset(self.state()?),
            Direction::Sent if self.has(mark::REFUTES_RECEIVE) => errno_of_tcp_reset(self.state()?),
            Direction::Sent if !self.is_active() || self.has(mark::MPTCP) => None,
            Direction::Sent => self.errno_of_active_reset(),
        }
    }

    fn errno_of_active_reset(&self) -> Option<Errno> {
        let owned = self.has(mark::OWNED);
        if self.state_at_event() == Some(TcpState::Close) {
            // tcp_disconnect() by connect(AF_UNSPEC) leaves ECONNRESET on a socket that stays open; after close(2),
            // which shuts both sides first, nobody is left to be told.
            return (owned && self.raw.shutdown == 0).then_some(Errno::ConnectionReset);
        }
        if owned {
            return Some(Errno::ConnectionAborted); // tcp_abort()
        }
        self.has_flag(SOCK_KEEPOPEN).then_some(Errno::TimedOut) // tcp_keepalive_timer()
    }

    fn process(&self, task: &RawTask) -> Process {
        process(task, self.boot)
    }

    fn gone(&self) -> Option<Gone> {
        let raw = self.raw;
        self.has(mark::CLOSED).then(|| Gone {
            was_listener: self.has(mark::LISTENER),
            since: self.since_closed(),
            idle: (!self.has(mark::LISTENER))
                .then(|| Some(self.since_data()?.saturating_sub(self.since_closed())))
                .flatten(),
            bytes_sent: raw.bytes_sent,
            bytes_acked: raw.bytes_acked,
            bytes_received: raw.bytes_received,
        })
    }

    fn connection(&self) -> Option<Connection> {
        let raw = self.raw;
        let connected = self.is_full() && self.state() != Some(TcpState::Listen);
        let was_connected = self.has(mark::CLOSED) && !self.has(mark::LISTENER);
        // Before the handshake is complete the stamps are of no data.
        let moves = connected && !matches!(self.state(), None | Some(TcpState::SynSent | TcpState::SynRecv));
        (connected || was_connected).then(|| Connection {
            role: role_of(&raw.owner),
            age: (raw.established_at != 0)
                .then(|| Duration::from_nanos(raw.time.saturating_sub(raw.established_at))),
            handshake_ttl: (raw.handshake_ttl != 0).then_some(raw.handshake_ttl),
            idle: moves.then(|| self.since_data()).flatten(),
            since_sent: moves.then(|| self.since(raw.lsndtime)).flatten(),
            since_received: moves.then(|| self.since(raw.lrcvtime)).flatten(),
            since_acked: moves.then(|| self.since(raw.rcv_tstamp)).flatten(),
            figures: connected.then(|| self.figures()),
        })
    }

    /// Time since the later of the last data sent and received.
    fn since_data(&self) -> Option<Duration> {
        let stamps = [self.raw.lsndtime, self.raw.lrcvtime];
        stamps.into_iter().filter_map(|stamp| self.since(stamp)).min()
    }

    /// Time since a stamp in the kernel's ticks; one of zero is "never".
    fn since(&self, stamp: u32) -> Option<Duration> {
        (stamp != 0).then(|| self.ticks(self.raw.jiffies.wrapping_sub(stamp)))
    }

    fn since_closed(&self) -> Duration {
        Duration::from_nanos(self.raw.time.saturating_sub(self.raw.closed_at))
    }

    fn figures(&self) -> Figures {
        let raw = self.raw;
        Figures {
            bytes_sent: raw.bytes_sent,
            bytes_acked: raw.bytes_acked,
            bytes_received: raw.bytes_received,
            unacked_bytes: sequence_distance(raw.write_seq, raw.snd_una)
                .saturating_sub(self.own_flags_in_flight()),
            unread_bytes: sequence_distance(raw.rcv_nxt, raw.copied_seq).saturating_sub(self.fin_received()),
            srtt: Duration::from_nanos(u64::from(raw.srtt_us) * 1000 / 8),
            rtt_deviation: Duration::from_nanos(u64::from(raw.mdev_us) * 1000 / 4),
            retransmits: raw.total_retrans,
            packets_out: raw.packets_out,
        }
    }

    /// Sequence numbers that an unacknowledged SYN or FIN of ours takes up.
    fn own_flags_in_flight(&self) -> u32 {
        match self.state() {
            Some(
                TcpState::SynSent
                | TcpState::SynRecv
                | TcpState::FinWait1
                | TcpState::LastAck
                | TcpState::Closing,
            ) => 1,
            _ => 0,
        }
    }

    /// Sequence numbers that a FIN of the peer takes up.
    fn fin_received(&self) -> u32 {
        match self.state() {
            Some(TcpState::CloseWait | TcpState::LastAck | TcpState::Closing | TcpState::TimeWait) => 1,
            _ => 0,
        }
    }

    fn socket(&self) -> Socket {
        let raw = self.raw;
        Socket {
            cookie: (raw.cookie != 0).then_some(raw.cookie),
            inode: (raw.inode != 0).then_some(raw.inode),
            uid: raw.uid,
            mark: raw.so_mark,
            state_at_event: self.state_at_event(),
            orphaned: self.has_flag(SOCK_DEAD),
            linger: self
                .has_flag(SOCK_LINGER)
                .then(|| self.ticks(u32::try_from(raw.lingertime).unwrap_or(u32::MAX))),
            keepalive: self.has_flag(SOCK_KEEPOPEN),
            keepalive_time: (raw.keepalive_time != 0).then(|| self.ticks(raw.keepalive_time)),
            keepalive_interval: (raw.keepalive_intvl != 0).then(|| self.ticks(raw.keepalive_intvl)),
            keepalive_probes: (raw.keepalive_probes != 0).then_some(raw.keepalive_probes),
            probes_out: raw.probes_out,
            user_timeout: (raw.user_timeout != 0).then(|| Duration::from_millis(u64::from(raw.user_timeout))),
            linger2_negative: raw.linger2 < 0,
            receive_shutdown: raw.shutdown & 1 != 0,
            send_shutdown: raw.shutdown & 2 != 0,
            error: raw.sk_err,
            accept_queue: (self.state_at_event() == Some(TcpState::Listen))
                .then_some(AcceptQueue { length: raw.ack_backlog, limit: raw.max_ack_backlog }),
            mptcp: self.has(mark::MPTCP),
            kernel: self.is_of_kernel(),
            sequence: self.sequence(),
        }
    }

    fn sequence(&self) -> Option<SequenceNumbers> {
        let raw = self.raw;
        (self.state_at_event() != Some(TcpState::Listen)).then(|| SequenceNumbers {
            snd_una: raw.snd_una,
            snd_nxt: raw.snd_nxt,
            rcv_nxt: (self.state() != Some(TcpState::SynSent)).then_some(raw.rcv_nxt),
        })
    }
}

fn process(task: &RawTask, boot: Timestamp) -> Process {
    Process {
        pid: task.tgid,
        started: Duration::from_nanos(task.start_time),
        start_time: after(boot, task.start_time),
        comm: comm(&task.comm),
        uid: task.uid,
        details: None,
    }
}

/// `sk_err` that `tcp_reset()` sets, by the state before.
fn errno_of_tcp_reset(state: TcpState) -> Option<Errno> {
    match state {
        TcpState::SynSent => Some(Errno::ConnectionRefused),
        TcpState::CloseWait => Some(Errno::BrokenPipe),
        TcpState::Close => None,
        _ => Some(Errno::ConnectionReset),
    }
}

fn role_of(owner: &RawOwner) -> Option<Role> {
    match owner.role {
        role::CLIENT => Some(Role::Client),
        role::SERVER => Some(Role::Server),
        _ => None,
    }
}

fn segment(raw: &RawSegment) -> Option<Segment> {
    (raw.ip_version != 0).then_some(Segment {
        flags: TcpFlags(raw.flags),
        payload_bytes: raw.payload,
        seq: raw.seq,
        ack: raw.ack,
        window: raw.window,
        ttl: raw.ttl,
        ip_id: (raw.ip_version == 4).then_some(raw.ip_id),
    })
}

/// The sixteen bytes of an address, v4-mapped ones made IPv4.
fn address(words: RawAddress) -> IpAddr {
    let mut bytes = [0; 16];
    for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(bytes).to_canonical()
}

fn netfilter_hook(raw: u8) -> Option<NetfilterHook> {
    match raw {
        hook::PREROUTING => Some(NetfilterHook::Prerouting),
        hook::INPUT => Some(NetfilterHook::Input),
        hook::FORWARD => Some(NetfilterHook::Forward),
        hook::OUTPUT => Some(NetfilterHook::Output),
        hook::POSTROUTING => Some(NetfilterHook::Postrouting),
        _ => None,
    }
}

/// How far one sequence number is ahead of another; 0 when it is behind.
fn sequence_distance(ahead: u32, behind: u32) -> u32 {
    let distance = ahead.wrapping_sub(behind);
    if distance > u32::MAX / 2 { 0 } else { distance }
}

/// The name in a NUL-padded buffer; bytes that are no UTF-8 become replacement characters.
fn comm(bytes: &[u8; 16]) -> Arc<str> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into()
}

/// A moment some nanoseconds after the host's start; the start itself where that is beyond all calendars.
fn after(boot: Timestamp, nanoseconds: u64) -> Timestamp {
    let nanoseconds = i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    boot.checked_add(SignedDuration::from_nanos(nanoseconds)).unwrap_or(boot)
}

#[cfg(test)]
mod tests;
