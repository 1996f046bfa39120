//! Reading `struct sock`. Timewait and request sockets are only a `sock_common`, so everything beyond the addresses is
//! behind [`FullSock`], which exists for full TCP sockets alone.

use aya_ebpf::helpers::{bpf_get_socket_cookie, bpf_skc_to_tcp_sock};
use resetmon_common::{
    members::ABSENT,
    wire::{RawAddress, RawClosed, RawResetEvent, RawTuple, mark},
};

use crate::globals::{
    CGROUP_KN, FILE_INODE, HAS_COOKIE, ICSK_LRCVTIME, ICSK_PROBES_OUT, ICSK_USER_TIMEOUT, INET_SPORT,
    INODE_INO, KERNFS_ID, NET_HASH_MIX, NET_INUM, SK_ACK_BACKLOG, SK_CGROUP, SK_CGROUP_DATA, SK_ERR, SK_INO,
    SK_LINGERTIME, SK_LOCK_OWNED, SK_MARK, SK_MAX_ACK_BACKLOG, SK_PROTOCOL, SK_SHUTDOWN, SK_SOCKET, SK_UID,
    SKC_DADDR, SKC_DPORT, SKC_FAMILY, SKC_FLAGS, SKC_NET, SKC_NUM, SKC_RCV_SADDR, SKC_STATE, SKC_V6_DADDR,
    SKC_V6_RCV_SADDR, SOCKET_FILE, TCP_BYTES_ACKED, TCP_BYTES_RECEIVED, TCP_BYTES_SENT, TCP_COPIED_SEQ,
    TCP_IS_MPTCP, TCP_KEEPALIVE_INTVL, TCP_KEEPALIVE_PROBES, TCP_KEEPALIVE_TIME, TCP_LINGER2, TCP_LSNDTIME,
    TCP_MDEV_US, TCP_PACKETS_OUT, TCP_RCV_NXT, TCP_RCV_TSTAMP, TCP_SND_NXT, TCP_SND_UNA, TCP_SRTT_US,
    TCP_TOTAL_RETRANS, TCP_WRITE_SEQ, has,
};
use crate::reach::{Probed, Reach, Typed, load};

/// `AF_INET`, `AF_INET6` and `IPPROTO_TCP` (`include/linux/socket.h`, `include/uapi/linux/in.h`).
pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;
pub(crate) const IPPROTO_TCP: u16 = 6;
/// Low bits of `sock_cgroup_data.val` (`include/linux/cgroup-defs.h`, up to 5.14): `is_data`, with which the rest is no
/// pointer but numbers of `net_prio` and `net_cls`, and `no_refcnt`, with which it is the root.
const CGROUP_FLAGS: u64 = 3;
/// The part of a v4-mapped IPv6 address before the IPv4 one, as a native word: `::ffff:`.
const V4_MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// `SHUTDOWN_MASK` (`include/net/sock.h`): set by close(2) before the state changes, not by an abort from outside.
pub(crate) const SHUTDOWN_MASK: u8 = 3;

/// TCP states (`include/net/tcp_states.h`).
pub(crate) mod state {
    pub(crate) const ESTABLISHED: u8 = 1;
    pub(crate) const SYN_SENT: u8 = 2;
    pub(crate) const SYN_RECV: u8 = 3;
    pub(crate) const FIN_WAIT1: u8 = 4;
    pub(crate) const FIN_WAIT2: u8 = 5;
    pub(crate) const TIME_WAIT: u8 = 6;
    pub(crate) const CLOSE: u8 = 7;
    pub(crate) const CLOSE_WAIT: u8 = 8;
    pub(crate) const LAST_ACK: u8 = 9;
    pub(crate) const LISTEN: u8 = 10;
    pub(crate) const CLOSING: u8 = 11;
    pub(crate) const NEW_SYN_RECV: u8 = 12;
}

/// Any socket that TCP hands to a tracepoint: full, timewait or request.
#[derive(Clone, Copy)]
pub(crate) struct Sock(*const u8);

impl Sock {
    /// A socket from a tracepoint's argument. Some verifiers remove a test for null there, so a socket without a
    /// family, which is what reading through null gives, counts as none as well.
    #[inline(always)]
    pub(crate) fn new(sk: *const u8) -> Option<Self> {
        if sk.is_null() {
            return None;
        }
        let sock = Self(sk);
        (sock.family() != 0).then_some(sock)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn family(self) -> u16 {
        // SAFETY: a tracepoint's socket; the member is in `sock_common`.
        unsafe { load(self.0, &SKC_FAMILY) }
    }

    #[inline(always)]
    pub(crate) fn state(self) -> u8 {
        // SAFETY: as for `family`.
        unsafe { load(self.0, &SKC_STATE) }
    }

    /// Inode number of the network namespace.
    #[inline(always)]
    pub(crate) fn netns(self) -> u32 {
        // SAFETY: as for `family`; the verifier knows `net` by its type.
        unsafe { Typed::load_through(self.0, &SKC_NET, &NET_INUM) }
    }

    /// Random number of the network namespace.
    #[inline(always)]
    pub(crate) fn netns_mix(self) -> u32 {
        // SAFETY: as for `netns`.
        unsafe { Typed::load_through(self.0, &SKC_NET, &NET_HASH_MIX) }
    }

    /// Writes the connection as the socket has it. `local_port` comes from `sock_common`.
    #[inline(always)]
    pub(crate) fn write_tuple(self, to: &mut RawTuple) {
        // SAFETY: as for `family`.
        unsafe { write_tuple::<Typed>(self.0, to) }
    }

    /// Whether the protocol is TCP; only for full sockets.
    #[inline(always)]
    pub(crate) fn is_tcp(self) -> bool {
        // SAFETY: as for `family`; `inet_sock_set_state` only sees full sockets.
        unsafe { load::<u16>(self.0, &SK_PROTOCOL) == IPPROTO_TCP }
    }

    /// Whether the local user holds the socket lock: in process context, at work on this socket. Only for full sockets.
    #[inline(always)]
    pub(crate) fn is_owned(self) -> bool {
        // SAFETY: as for `is_tcp`.
        unsafe { load::<i32>(self.0, &SK_LOCK_OWNED) != 0 }
    }

    /// `sk_shutdown`; only for full sockets.
    #[inline(always)]
    pub(crate) fn shutdown(self) -> u8 {
        // SAFETY: as for `is_tcp`.
        unsafe { load(self.0, &SK_SHUTDOWN) }
    }

    /// The full TCP socket, or none for timewait and request sockets.
    #[inline(always)]
    pub(crate) fn full(self) -> Option<FullSock> {
        // SAFETY: the helper takes any socket and answers null when it is not a full TCP one.
        let tcp = unsafe { bpf_skc_to_tcp_sock(self.0.cast_mut().cast()) }.cast::<u8>().cast_const();
        (!tcp.is_null()).then_some(FullSock { sock: self, tcp })
    }
}

/// Writes the connection as a socket has it.
///
/// # Safety
/// `sk` must point to a `sock_common`, in the form that this way takes.
#[inline(always)]
pub(crate) unsafe fn write_tuple<R: Reach>(sk: *const u8, to: &mut RawTuple) {
    // SAFETY: the caller's promise.
    unsafe {
        if SKC_V6_DADDR.load() != ABSENT && R::load::<u16>(sk, &SKC_FAMILY) == AF_INET6 {
            to.local_addr = R::load_pair(sk, &SKC_V6_RCV_SADDR);
            to.peer_addr = R::load_pair(sk, &SKC_V6_DADDR);
        } else {
            to.local_addr = v4_mapped(R::load(sk, &SKC_RCV_SADDR));
            to.peer_addr = v4_mapped(R::load(sk, &SKC_DADDR));
        }
        to.local_port = R::load(sk, &SKC_NUM);
        to.peer_port = u16::from_be(R::load(sk, &SKC_DPORT));
        to.netns = R::load_through(sk, &SKC_NET, &NET_INUM);
    }
}

/// A full TCP socket.
#[derive(Clone, Copy)]
pub(crate) struct FullSock {
    sock: Sock,
    tcp: *const u8,
}

impl FullSock {
    /// Source port, which outlives the unhashing at close, in host order.
    #[inline(always)]
    pub(crate) fn source_port(self) -> u16 {
        // SAFETY: `tcp` is a `tcp_sock`, which begins with an `inet_sock`.
        u16::from_be(unsafe { load(self.tcp, &INET_SPORT) })
    }

    /// Writes everything that only a full socket has.
    #[inline(always)]
    pub(crate) fn write(self, to: &mut RawResetEvent) {
        let sk = self.sock.0;
        // SAFETY: `sk` is a full `sock`.
        unsafe {
            to.marks |= mark::FULL_SOCKET;
            if self.sock.is_owned() {
                to.marks |= mark::OWNED;
            }
            if has(&HAS_COOKIE) {
                to.cookie = bpf_get_socket_cookie(sk.cast_mut().cast());
            }
            to.inode = self.inode(&mut to.marks);
            to.cgroup_id = self.cgroup_id();
            to.lingertime = load(sk, &SK_LINGERTIME);
            to.uid = load(sk, &SK_UID);
            to.so_mark = load(sk, &SK_MARK);
            to.sk_err = load(sk, &SK_ERR);
            to.sk_flags = load::<u64>(sk, &SKC_FLAGS) as u32;
            to.shutdown = self.sock.shutdown();
            to.ack_backlog = load(sk, &SK_ACK_BACKLOG);
            to.max_ack_backlog = load(sk, &SK_MAX_ACK_BACKLOG);
        }
        self.write_connection(to);
    }

    #[inline(always)]
    fn write_connection(self, to: &mut RawResetEvent) {
        let tcp = self.tcp;
        // SAFETY: `tcp` is a `tcp_sock`, which begins with an `inet_connection_sock`.
        unsafe {
            if load::<u8>(tcp, &TCP_IS_MPTCP) != 0 {
                to.marks |= mark::MPTCP;
            }
            to.bytes_sent = load(tcp, &TCP_BYTES_SENT);
            to.bytes_acked = load(tcp, &TCP_BYTES_ACKED);
            to.bytes_received = load(tcp, &TCP_BYTES_RECEIVED);
            to.snd_una = load(tcp, &TCP_SND_UNA);
            to.snd_nxt = load(tcp, &TCP_SND_NXT);
            to.write_seq = load(tcp, &TCP_WRITE_SEQ);
            to.rcv_nxt = load(tcp, &TCP_RCV_NXT);
            to.copied_seq = load(tcp, &TCP_COPIED_SEQ);
            to.packets_out = load(tcp, &TCP_PACKETS_OUT);
            to.srtt_us = load(tcp, &TCP_SRTT_US);
            to.mdev_us = load(tcp, &TCP_MDEV_US);
            to.total_retrans = load(tcp, &TCP_TOTAL_RETRANS);
            to.lsndtime = load(tcp, &TCP_LSNDTIME);
            to.lrcvtime = load(tcp, &ICSK_LRCVTIME);
            to.rcv_tstamp = load(tcp, &TCP_RCV_TSTAMP);
            to.user_timeout = load(tcp, &ICSK_USER_TIMEOUT);
            to.probes_out = load(tcp, &ICSK_PROBES_OUT);
            to.keepalive_time = load(tcp, &TCP_KEEPALIVE_TIME);
            to.keepalive_intvl = load(tcp, &TCP_KEEPALIVE_INTVL);
            to.keepalive_probes = load(tcp, &TCP_KEEPALIVE_PROBES);
            to.linger2 = load(tcp, &TCP_LINGER2);
        }
    }

    /// Id of the cgroup in the unified hierarchy that the socket was made in, or that its listener was; 0 when the socket
    /// has none.
    #[inline(always)]
    fn cgroup_id(self) -> u64 {
        let sk = self.sock.0;
        // SAFETY: a load from a full `sock`; what it points to is a `cgroup`, which the socket keeps.
        unsafe {
            if SK_CGROUP.load() != ABSENT {
                let cgroup: usize = load(sk, &SK_CGROUP);
                if cgroup == 0 {
                    return 0;
                }
                return Typed::load_through(cgroup as *const u8, &CGROUP_KN, &KERNFS_ID);
            }
            // Before 5.15 a number: a pointer, unless one of the low bits says that it is something else.
            let data: u64 = load(sk, &SK_CGROUP_DATA);
            if data == 0 || data & CGROUP_FLAGS != 0 {
                return 0;
            }
            Probed::load_through(data as *const u8, &CGROUP_KN, &KERNFS_ID)
        }
    }

    /// Writes what the socket has moved so far, and when it last did.
    #[inline(always)]
    pub(crate) fn write_traffic(self, to: &mut RawClosed) {
        // SAFETY: `tcp` is a `tcp_sock`.
        unsafe {
            to.bytes_sent = load(self.tcp, &TCP_BYTES_SENT);
            to.bytes_acked = load(self.tcp, &TCP_BYTES_ACKED);
            to.bytes_received = load(self.tcp, &TCP_BYTES_RECEIVED);
            to.lsndtime = load(self.tcp, &TCP_LSNDTIME);
            to.lrcvtime = load(self.tcp, &ICSK_LRCVTIME);
        }
    }

    /// Inode number in sockfs: what `/proc/PID/fd` shows as `socket:[N]`. 0 once the socket is orphaned, before it is
    /// accepted, and of a socket that no file refers to because the kernel itself uses it, which gets its mark.
    #[inline(always)]
    fn inode(self, marks: &mut u16) -> u64 {
        // SAFETY: typed loads from a full `sock`; null pointers on the way read zero.
        unsafe {
            let socket: usize = load(self.sock.0, &SK_SOCKET);
            if socket == 0 {
                return 0;
            }
            let file: usize = load(socket as *const u8, &SOCKET_FILE);
            if file == 0 {
                *marks |= mark::KERNEL;
                return 0;
            }
            if SK_INO.load() != ABSENT {
                return load(self.sock.0, &SK_INO);
            }
            Typed::load_through(file as *const u8, &FILE_INODE, &INODE_INO)
        }
    }
}

/// An IPv4 address, given in network order, as a v4-mapped IPv6 one.
#[inline(always)]
pub(crate) fn v4_mapped(address: u32) -> RawAddress {
    let (prefix, address) = (u64::from(V4_MAPPED), u64::from(address));
    [0, if cfg!(target_endian = "little") { prefix | address << 32 } else { prefix << 32 | address }]
}
