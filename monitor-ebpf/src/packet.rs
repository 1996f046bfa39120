//! Reading the packet that provoked a reset: its headers, and the connection it belongs to, turned round so that it is
//! seen from this host.

use resetmon_common::wire::{RawTrigger, RawTuple};

use crate::{
    globals::{NET_DEVICE_NET, NET_INUM, SKB_DEV, SKB_HEAD, SKB_NETWORK_HEADER, SKB_TRANSPORT_HEADER, load},
    sock::v4_mapped,
    task::probe_read,
};

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

/// A packet that the kernel has located headers in.
#[derive(Clone, Copy)]
pub(crate) struct Packet(*const u8);

impl Packet {
    /// The packet of a tracepoint's argument, if there is one.
    #[inline(always)]
    pub(crate) fn new(skb: *const u8) -> Option<Self> {
        (!skb.is_null()).then_some(Self(skb))
    }

    /// Writes the trigger's headers and the connection's addresses and ports.
    #[inline(always)]
    pub(crate) fn write(self, trigger: &mut RawTrigger, tuple: &mut RawTuple) {
        // SAFETY: the tracepoint's `sk_buff`, which the verifier knows by its type.
        let (head, network, transport) = unsafe {
            (
                load::<u64>(self.0, &SKB_HEAD),
                u64::from(load::<u16>(self.0, &SKB_NETWORK_HEADER)),
                u64::from(load::<u16>(self.0, &SKB_TRANSPORT_HEADER)),
            )
        };
        let tcp: TcpHeader = probe_read(head + transport);
        tuple.local_port = u16::from_be(tcp.destination);
        tuple.peer_port = u16::from_be(tcp.source);
        trigger.seq = u32::from_be(tcp.seq);
        trigger.ack = u32::from_be(tcp.ack);
        trigger.window = u16::from_be(tcp.window);
        trigger.flags = tcp.flags;

        let version: u8 = probe_read::<u8>(head + network) >> 4;
        trigger.ip_version = version;
        let end_of_packet = if version == 6 {
            let ip: Ipv6Header = probe_read(head + network);
            trigger.ttl = ip.hop_limit;
            tuple.local_addr = ip.destination;
            tuple.peer_addr = ip.source;
            40 + u32::from(u16::from_be(ip.payload_length))
        } else {
            let ip: Ipv4Header = probe_read(head + network);
            trigger.ttl = ip.ttl;
            trigger.ip_id = u16::from_be(ip.id);
            tuple.local_addr = v4_mapped(ip.destination);
            tuple.peer_addr = v4_mapped(ip.source);
            u32::from(u16::from_be(ip.total_length))
        };
        let headers = (transport - network) as u32 + u32::from(tcp.data_offset >> 4) * 4;
        trigger.payload = end_of_packet.saturating_sub(headers);
    }

    /// Inode number of the network namespace of the receiving device; 0 where TCP has cleared the device already.
    #[inline(always)]
    pub(crate) fn netns(self) -> u32 {
        // SAFETY: as in `write`; null pointers on the way read zero.
        unsafe {
            let device: usize = load(self.0, &SKB_DEV);
            if device == 0 {
                return 0;
            }
            let net: usize = load(device as *const u8, &NET_DEVICE_NET);
            if net == 0 {
                return 0;
            }
            load(net as *const u8, &NET_INUM)
        }
    }
}
