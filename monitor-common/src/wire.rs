//! Wire types, written by BPF and read by user space on the same machine: native byte order unless said otherwise,
//! integers only, explicit padding, sizes asserted at compile time. Zero stands for "not known" throughout.

use core::mem::{offset_of, size_of};

#[cfg(feature = "zerocopy")]
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A task of the kernel, taken while it was the current one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "zerocopy", derive(FromBytes, IntoBytes, Immutable, KnownLayout))]
pub struct RawTask {
    /// When the process started, in nanoseconds since boot (`task_struct.start_boottime` of the group leader).
    pub start_time: u64,
    /// Process id (thread group id) in the initial pid namespace.
    pub tgid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Real user id.
    pub uid: u32,
    /// `task_struct.flags`.
    pub flags: u32,
    /// Name of the group leader, NUL-padded.
    pub comm: [u8; 16],
}

/// `PF_EXITING` in `task_struct.flags` (`include/linux/sched.h`, 5.10–7.x): the task is ending.
pub const PF_EXITING: u32 = 0x0000_0004;

/// `PF_KTHREAD` in `task_struct.flags` (`include/linux/sched.h`, 5.10–7.x): the task is a kernel thread.
pub const PF_KTHREAD: u32 = 0x0020_0000;

/// How an owner became known; zero is "there is none".
pub mod origin {
    /// The task called connect(2).
    pub const CONNECT: u8 = 1;
    /// The task called listen(2); accepted children inherit the record.
    pub const LISTEN: u8 = 2;
    /// The task was at work on the socket under its lock: it closed it, shut it down or read it.
    pub const ACTED: u8 = 3;
    /// The task accepted the connection.
    pub const ACCEPT: u8 = 4;
    /// The task held a descriptor of the socket when resetmon started.
    pub const SEED: u8 = 5;
}

/// Who owns a socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "zerocopy", derive(FromBytes, IntoBytes, Immutable, KnownLayout))]
pub struct RawOwner {
    /// The owning task.
    pub task: RawTask,
    /// Id of the task's cgroup in the unified hierarchy.
    pub cgroup_id: u64,
    /// Network namespace of the socket: inode number of `/proc/PID/ns/net`.
    pub netns: u32,
    /// One of [`origin`].
    pub origin: u8,
    /// One of [`role`].
    pub role: u8,
    /// Explicit padding.
    pub reserved: [u8; 2],
}

/// Which end of a connection a socket is.
pub mod role {
    /// It connected.
    pub const CLIENT: u8 = 1;
    /// It listens or was accepted.
    pub const SERVER: u8 = 2;
}

/// Values of [`RawSocketRecord::unproven_fate`]: what became of a call of `tcp_receive_reset` that is not proven.
pub mod receipt {
    /// It was told to user space and counted.
    pub const TOLD: u8 = 0;
    /// It was counted; its event was lost.
    pub const LOST: u8 = 1;
    /// The packet was seen and is no RST: it was neither told nor does it count.
    pub const DISPROVEN: u8 = 2;
}

/// Bits of [`RawSocketRecord::marks`] and [`RawClosed::marks`].
pub mod trace {
    /// A reset that hit the socket was told: who closes it may be asked for.
    pub const TOLD: u8 = 1;
    /// The owner was ending when it closed the socket; `exit_code` says how.
    pub const EXITED: u8 = 2;
    /// This was a listener.
    pub const LISTENER: u8 = 4;
    /// The socket was destroyed from outside, so who closes it is not who held it.
    pub const ABORTED: u8 = 8;
}

/// What is remembered of a socket while it lives.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RawSocketRecord {
    /// Its owner.
    pub owner: RawOwner,
    /// When it became ESTABLISHED, in nanoseconds since boot.
    pub established_at: u64,
    /// State that it left last for CLOSE.
    pub state_before_close: u8,
    /// State in which `tcp_receive_reset` fired without proof of an RST.
    pub unproven_receive: u8,
    /// What became of that call: one of [`receipt`].
    pub unproven_fate: u8,
    /// TTL or hop limit of the peer's packet that completed the handshake.
    pub handshake_ttl: u8,
    /// Low half of `task_struct.exit_code` of the owner, with [`trace::EXITED`].
    pub exit_code: u16,
    /// Bits of [`trace`].
    pub marks: u8,
    /// Explicit padding.
    pub reserved: u8,
}

/// A message in the ring buffer: the socket of a reset that was told is closed. Who closes it is the last that held it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "zerocopy", derive(FromBytes, IntoBytes, Immutable, KnownLayout))]
pub struct RawClosing {
    /// Address of the `struct sock`, as in [`RawResetEvent::socket`].
    pub socket: u64,
    /// Who closes it.
    pub task: RawTask,
}

/// An IPv6 address, or a v4-mapped IPv4 one: sixteen bytes in network order, as two native words.
pub type RawAddress = [u64; 2];

/// A connection; ports in host order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "zerocopy", derive(FromBytes, IntoBytes, Immutable, KnownLayout))]
pub struct RawTuple {
    /// Address of this end.
    pub local_addr: RawAddress,
    /// Address of the other end.
    pub peer_addr: RawAddress,
    /// Port of this end.
    pub local_port: u16,
    /// Port of the other end.
    pub peer_port: u16,
    /// Network namespace of the socket.
    pub netns: u32,
}

/// What is remembered of a connection after its end.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RawClosed {
    /// Its last owner.
    pub owner: RawOwner,
    /// When it became ESTABLISHED, in nanoseconds since boot.
    pub established_at: u64,
    /// When it was closed, in nanoseconds since boot.
    pub closed_at: u64,
    /// `tcp_sock.bytes_sent`.
    pub bytes_sent: u64,
    /// `tcp_sock.bytes_acked`.
    pub bytes_acked: u64,
    /// `tcp_sock.bytes_received`.
    pub bytes_received: u64,
    /// `tcp_sock.lsndtime`.
    pub lsndtime: u32,
    /// `icsk_ack.lrcvtime`.
    pub lrcvtime: u32,
    /// As in [`RawSocketRecord`].
    pub exit_code: u16,
    /// Bits of [`trace`].
    pub marks: u8,
    /// Explicit padding.
    pub reserved: u8,
    /// As in [`RawResetEvent`].
    pub netns_mix: u32,
}

/// What is remembered of a socket by a probe that cannot use socket storage (kprobes), by the socket's address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RawNote {
    /// Who accepted it; of origin 0 when that was not seen.
    pub owner: RawOwner,
    /// When this was noted, in nanoseconds since boot: an older note than the connection is of another socket.
    pub noted_at: u64,
    /// As in [`RawSocketRecord`].
    pub handshake_ttl: u8,
    /// Explicit padding.
    pub reserved: [u8; 7],
}

/// The packet with which `tcp_reset()` was called, until `tcp_receive_reset` fires inside it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RawArrival {
    /// Address of the socket; 0 when nothing arrives.
    pub socket: u64,
    /// The packet's header.
    pub packet: RawSegment,
    /// Explicit padding.
    pub reserved: u32,
}

/// Headers of a TCP segment.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "zerocopy", derive(FromBytes, IntoBytes, Immutable, KnownLayout))]
pub struct RawSegment {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Payload bytes, from the IP length.
    pub payload: u32,
    /// Window, not scaled.
    pub window: u16,
    /// IPv4 identification; 0 for IPv6.
    pub ip_id: u16,
    /// TCP flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
    pub flags: u8,
    /// IPv4 TTL or IPv6 hop limit.
    pub ttl: u8,
    /// IP version, 4 or 6; 0 when there was no packet, or none that could be seen.
    pub ip_version: u8,
    /// Explicit padding.
    pub reserved: u8,
}

/// A message in the ring buffer that is no event: something has changed that user space may wait for.
pub const WAKE: u64 = u64::MAX;

/// [`RawCgroup::tag`]: no event begins like this.
pub const CGROUP_MADE: u64 = u64::MAX - 1;

/// Room for the path of a control group, with a zero at its end.
pub const CGROUP_PATH: usize = 496;

/// A message in the ring buffer that is no event: a control group was made in the unified hierarchy.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "zerocopy", derive(FromBytes, IntoBytes, Immutable, KnownLayout))]
pub struct RawCgroup {
    /// [`CGROUP_MADE`].
    pub tag: u64,
    /// Its id.
    pub id: u64,
    /// Its path, NUL-terminated; cut where it is too long.
    pub path: [u8; CGROUP_PATH],
}

/// Bits of [`RawResetEvent::marks`].
pub mod mark {
    /// The tracepoint gave a reason.
    pub const HAS_REASON: u16 = 1;
    /// The socket is a full one: fields beyond the addresses are valid.
    pub const FULL_SOCKET: u16 = 2;
    /// `owner` is the last owner of a connection that is closed.
    pub const CLOSED: u16 = 4;
    /// `tcp_receive_reset` in a state in which it also fires for data after a shutdown.
    pub const UNPROVEN: u16 = 8;
    /// The reset answers data after a shutdown: `tcp_receive_reset` fired just before for this very socket.
    pub const REFUTES_RECEIVE: u16 = 16;
    /// A subflow of MPTCP.
    pub const MPTCP: u16 = 32;
    /// The RST itself was seen.
    pub const PROVEN: u16 = 128;
    /// The kernel itself uses the socket: no file refers to it.
    pub const KERNEL: u16 = 256;
    /// The owner ended, and its end closed the socket; `exit_code` says how.
    pub const EXITED: u16 = 512;
    /// With [`CLOSED`]: it was a listener, not a connection.
    pub const LISTENER: u16 = 1024;
    /// The local user held the socket lock (`sk_lock.owned`): current was at work on the socket.
    pub const OWNED: u16 = 64;
}

/// Values of [`RawResetEvent::netfilter_hook`]: the hook's number (`enum nf_inet_hooks`) plus one.
pub mod hook {
    /// Before routing.
    pub const PREROUTING: u8 = 1;
    /// To this host.
    pub const INPUT: u8 = 2;
    /// Through this host.
    pub const FORWARD: u8 = 3;
    /// From this host.
    pub const OUTPUT: u8 = 4;
    /// After routing.
    pub const POSTROUTING: u8 = 5;
}

/// Values of [`RawResetEvent::direction`].
pub mod direction {
    /// This host's stack sent an RST.
    pub const SENT: u8 = 1;
    /// An RST reached a local socket.
    pub const RECEIVED: u8 = 2;
}

/// One reset as a BPF program saw it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "zerocopy", derive(FromBytes, IntoBytes, Immutable, KnownLayout))]
pub struct RawResetEvent {
    /// Nanoseconds since boot (`CLOCK_BOOTTIME`).
    pub time: u64,
    /// Address of the `struct sock`; tells sockets apart, nothing else.
    pub socket: u64,
    /// Socket cookie.
    pub cookie: u64,
    /// Inode number of the socket in sockfs.
    pub inode: u64,
    /// When the connection became ESTABLISHED, in nanoseconds since boot.
    pub established_at: u64,
    /// When the connection was closed, with [`mark::CLOSED`], in nanoseconds since boot.
    pub closed_at: u64,
    /// `tcp_sock.bytes_sent`.
    pub bytes_sent: u64,
    /// `tcp_sock.bytes_acked`.
    pub bytes_acked: u64,
    /// `tcp_sock.bytes_received`.
    pub bytes_received: u64,
    /// `sk_lingertime` in ticks.
    pub lingertime: u64,
    /// Id of the socket's cgroup in the unified hierarchy.
    pub cgroup_id: u64,
    /// The owner of the socket.
    pub owner: RawOwner,
    /// The current task; only `tgid` and `tid` unless [`mark::OWNED`].
    pub current: RawTask,
    /// The connection, seen from the local socket.
    pub tuple: RawTuple,
    /// The packet that provoked a sent reset, or the RST that was received, where a probe could see it.
    pub segment: RawSegment,
    /// Number in `enum sk_rst_reason`, with [`mark::HAS_REASON`].
    pub reason: u32,
    /// `sk_uid`.
    pub uid: u32,
    /// `sk_mark`.
    pub so_mark: u32,
    /// `sk_err`.
    pub sk_err: i32,
    /// Low half of the kernel's jiffies at the event: the base of `lsndtime`, `lrcvtime` and `rcv_tstamp`.
    pub jiffies: u32,
    /// `tcp_sock.snd_una`.
    pub snd_una: u32,
    /// `tcp_sock.snd_nxt`.
    pub snd_nxt: u32,
    /// `tcp_sock.write_seq`.
    pub write_seq: u32,
    /// `tcp_sock.rcv_nxt`.
    pub rcv_nxt: u32,
    /// `tcp_sock.copied_seq`.
    pub copied_seq: u32,
    /// `tcp_sock.packets_out`.
    pub packets_out: u32,
    /// `tcp_sock.srtt_us`: eighths of microseconds.
    pub srtt_us: u32,
    /// `tcp_sock.mdev_us`: quarters of microseconds.
    pub mdev_us: u32,
    /// `tcp_sock.total_retrans`.
    pub total_retrans: u32,
    /// `tcp_sock.lsndtime`: jiffies at the last data sent.
    pub lsndtime: u32,
    /// `icsk_ack.lrcvtime`: jiffies at the last data received.
    pub lrcvtime: u32,
    /// `tcp_sock.rcv_tstamp`: jiffies at the last acknowledgement received.
    pub rcv_tstamp: u32,
    /// `icsk_user_timeout` in milliseconds.
    pub user_timeout: u32,
    /// `tcp_sock.keepalive_time` in ticks; 0 means the namespace's default.
    pub keepalive_time: u32,
    /// `tcp_sock.keepalive_intvl` in ticks; 0 means the namespace's default.
    pub keepalive_intvl: u32,
    /// `tcp_sock.linger2` in ticks.
    pub linger2: i32,
    /// `sk_ack_backlog`: length of a listener's accept queue.
    pub ack_backlog: u32,
    /// `sk_max_ack_backlog`: limit of a listener's accept queue.
    pub max_ack_backlog: u32,
    /// Low half of `sk_flags`.
    pub sk_flags: u32,
    /// `sk_family`: 2 for `AF_INET`, 10 for `AF_INET6`, 0 when there is no socket.
    pub family: u16,
    /// Bits of [`mark`].
    pub marks: u16,
    /// One of [`direction`].
    pub direction: u8,
    /// TCP state before the reset; 0 when there is no socket.
    pub state: u8,
    /// TCP state at the tracepoint.
    pub state_at_event: u8,
    /// `sk_shutdown`.
    pub shutdown: u8,
    /// `tcp_sock.keepalive_probes`; 0 means the namespace's default.
    pub keepalive_probes: u8,
    /// `icsk_probes_out`: keepalive or window probes without an answer.
    pub probes_out: u8,
    /// TTL or hop limit of the peer's packet that completed the handshake.
    pub handshake_ttl: u8,
    /// One of [`hook`], when the firewall made the reset.
    pub netfilter_hook: u8,
    /// Low half of `task_struct.exit_code`, with [`mark::EXITED`].
    pub exit_code: u16,
    /// Explicit padding.
    pub reserved: [u8; 2],
    /// `net.hash_mix`: a random number of the network namespace, made with it (`include/net/netns/hash.h`, 5.10–7.x), where the
    /// inode number is given again once a namespace is gone.
    pub netns_mix: u32,
}

/// Bit of `SOCK_DEAD` in `sk_flags` (`include/net/sock.h`, `enum sock_flags`, 5.10–7.x): no process holds the socket.
pub const SOCK_DEAD: u32 = 0;
/// Bit of `SOCK_KEEPOPEN` in `sk_flags`: `SO_KEEPALIVE` is set.
pub const SOCK_KEEPOPEN: u32 = 3;
/// Bit of `SOCK_LINGER` in `sk_flags`: `SO_LINGER` is set.
pub const SOCK_LINGER: u32 = 4;

const _: () = {
    assert!(size_of::<RawTask>() == 40);
    assert!(size_of::<RawOwner>() == 56);
    assert!(size_of::<RawSocketRecord>() == 72);
    assert!(size_of::<RawTuple>() == 40);
    assert!(size_of::<RawClosing>() == 48);
    assert!(size_of::<RawClosed>() == 112);
    assert!(size_of::<RawSegment>() == 20);
    assert!(size_of::<RawNote>() == 72);
    assert!(size_of::<RawArrival>() == 32);
    assert!(size_of::<RawCgroup>() == 512);
    assert!(size_of::<RawResetEvent>() == 360);
    assert!(offset_of!(RawResetEvent, owner) == 88);
    assert!(offset_of!(RawResetEvent, tuple) == 184);
    assert!(offset_of!(RawResetEvent, segment) == 224);
    assert!(offset_of!(RawResetEvent, reason) == 244);
    assert!(offset_of!(RawResetEvent, family) == 340);
};
