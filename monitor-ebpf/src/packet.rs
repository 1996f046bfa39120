//! Reading a packet: its headers, and the connection it belongs to, seen from its receiver.

use core::marker::PhantomData;

use resetmon_common::wire::{RawSegment, RawTuple};

use crate::{
    globals::{
        NET_DEVICE_NET, NET_HASH_MIX, NET_INUM, SKB_DEV, SKB_HEAD, SKB_NETWORK_HEADER, SKB_TRANSPORT_HEADER,
    },
    reach::{Reach, probe_read},
    sock::v4_mapped,
};

/// `sk_buff.transport_header` of a packet whose transport header is not known (`include/linux/skbuff.h`).
const NO_HEADER: u64 = 0xffff;
const IPPROTO_TCP: u8 = 6;

/// An IPv4 header without options (RFC 791), words in network order.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Ipv4Header {
    version_and_length: u8,
    service: u8,
    total_length: u16,
    id: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    source: u32,
    destination: u32,
}

/// A fixed IPv6 header (RFC 8200), words in network order.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Ipv6Header {
    version_and_flow: u32,
    payload_length: u16,
    next_header: u8,
    hop_limit: u8,
    source: [u64; 2],
    destination: [u64; 2],
}

/// A TCP header without options (RFC 9293), words in network order.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct TcpHeader {
    source: u16,
    destination: u16,
    seq: u32,
    ack: u32,
    data_offset: u8,
    flags: u8,
    window: u16,
}

/// Flag of an RST in a TCP header.
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// A packet that the kernel has located headers in.
pub(crate) struct Packet<R> {
    skb: *const u8,
    reach: PhantomData<R>,
}

impl<R> Clone for Packet<R> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Packet<R> {}

impl<R: Reach> Packet<R> {
    /// The packet of a hook's argument, if there is one.
    #[inline(always)]
    pub(crate) fn new(skb: *const u8) -> Option<Self> {
        (!skb.is_null()).then_some(Self { skb, reach: PhantomData })
    }

    /// Writes the headers, and the connection's addresses and ports as the receiver of the packet sees them.
    #[inline(always)]
    pub(crate) fn write(self, segment: &mut RawSegment, tuple: &mut RawTuple) {
        // SAFETY: the hook's `sk_buff`, in the form that `R` takes.
        let (head, network, transport) = unsafe {
            (
                R::load::<u64>(self.skb, &SKB_HEAD),
                u64::from(R::load::<u16>(self.skb, &SKB_NETWORK_HEADER)),
                u64::from(R::load::<u16>(self.skb, &SKB_TRANSPORT_HEADER)),
            )
        };
        let tcp: TcpHeader = probe_read(head + transport);
        tuple.local_port = u16::from_be(tcp.destination);
        tuple.peer_port = u16::from_be(tcp.source);
        segment.seq = u32::from_be(tcp.seq);
        segment.ack = u32::from_be(tcp.ack);
        segment.window = u16::from_be(tcp.window);
        segment.flags = tcp.flags;

        let version: u8 = probe_read::<u8>(head + network) >> 4;
        segment.ip_version = version;
        let end_of_packet = if version == 6 {
            let ip: Ipv6Header = probe_read(head + network);
            segment.ttl = ip.hop_limit;
            tuple.local_addr = ip.destination;
            tuple.peer_addr = ip.source;
            40 + u32::from(u16::from_be(ip.payload_length))
        } else {
            let ip: Ipv4Header = probe_read(head + network);
            segment.ttl = ip.ttl;
            segment.ip_id = u16::from_be(ip.id);
            tuple.local_addr = v4_mapped(ip.destination);
            tuple.peer_addr = v4_mapped(ip.source);
            u32::from(u16::from_be(ip.total_length))
        };
        let headers = (transport - network) as u32 + u32::from(tcp.data_offset >> 4) * 4;
        segment.payload = end_of_packet.saturating_sub(headers);
    }

    /// TTL or hop limit.
    #[inline(always)]
    pub(crate) fn ttl(self) -> u8 {
        let network = self.network_header();
        // The TTL is byte 8 of an IPv4 header, the hop limit byte 7 of an IPv6 one.
        let header: [u8; 9] = probe_read(network);
        if header[0] >> 4 == 6 { header[7] } else { header[8] }
    }

    /// Whether this is a TCP segment with the flag RST. For packets of which nothing is known yet.
    #[inline(always)]
    pub(crate) fn is_rst(self) -> bool {
        // SAFETY: as in `write`.
        let (head, transport) = unsafe {
            (R::load::<u64>(self.skb, &SKB_HEAD), u64::from(R::load::<u16>(self.skb, &SKB_TRANSPORT_HEADER)))
        };
        if transport == NO_HEADER {
            return false;
        }
        // The protocol is byte 9 of an IPv4 header, the next header byte 6 of an IPv6 one.
        let header: [u8; 10] = probe_read(self.network_header());
        let protocol = match header[0] >> 4 {
            4 => header[9],
            6 => header[6],
            _ => return false,
        };
        protocol == IPPROTO_TCP && probe_read::<TcpHeader>(head + transport).flags & RST != 0
    }

    /// Inode number and random number of the network namespace of the receiving device; zeros where TCP has cleared the
    /// device already.
    #[inline(always)]
    pub(crate) fn netns(self) -> (u32, u32) {
        // SAFETY: as in `write`.
        unsafe {
            let device: usize = R::load(self.skb, &SKB_DEV);
            if device == 0 {
                return (0, 0);
            }
            let net: usize = R::load(device as *const u8, &NET_DEVICE_NET);
            if net == 0 {
                return (0, 0);
            }
            let net = net as *const u8;
            (R::load(net, &NET_INUM), R::load(net, &NET_HASH_MIX))
        }
    }

    #[inline(always)]
    fn network_header(self) -> u64 {
        // SAFETY: as in `write`.
        unsafe {
            R::load::<u64>(self.skb, &SKB_HEAD) + u64::from(R::load::<u16>(self.skb, &SKB_NETWORK_HEADER))
        }
    }
}
