//! `tcp_init_transfer(struct sock *sk, int bpf_op, struct sk_buff *skb)` (`net/ipv4/tcp_input.c`, 5.10–7.x): once a
//! connection, with the peer's packet that completes the handshake. Its TTL is what an RST of the peer must match.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};

use crate::{
    packet::Packet,
    reach::{Probed, Typed},
    record,
    sock::Sock,
};

#[fentry(function = "tcp_init_transfer")]
fn tcp_init_transfer(ctx: FEntryContext) -> i32 {
    let Some(packet) = Packet::<Typed>::new(ctx.arg(2)) else { return 0 };
    if let Some(sock) = Sock::new(ctx.arg(0))
        && let Some(record) = record::get_or_create(sock)
    {
        record.handshake_ttl = packet.ttl();
    }
    0
}

#[kprobe(function = "tcp_init_transfer")]
fn tcp_init_transfer_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(sk), Some(skb)) = (ctx.arg::<*const u8>(0), ctx.arg(2))
        && let Some(packet) = Packet::<Probed>::new(skb)
    {
        let ttl = packet.ttl();
        record::add_note(sk as u64, |note| note.handshake_ttl = ttl);
    }
    0
}
