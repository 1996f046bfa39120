//! `nf_send_reset(struct net *net, struct sock *sk, struct sk_buff *oldskb, int hook)` and its twin `nf_send_reset6`
//! (`net/ipv4/netfilter/nf_reject_ipv4.c`, `net/ipv6/netfilter/nf_reject_ipv6.c`, 5.10–7.x): the firewall makes an RST in
//! answer to a packet it refuses. TCP has no part in it, so no tracepoint fires. Built in or in modules of those names.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use resetmon_common::{
    layout::{LOST_SENT, REASON_NETFILTER, sent_index},
    wire::{RawSegment, RawTuple, direction, hook},
};

use crate::{
    count::add_one,
    event,
    globals::NET_INUM,
    maps::{LOST, SENT},
    packet::{Packet, RST},
    reach::{Probed, Reach, Typed},
};

#[fentry(function = "nf_send_reset")]
fn nf_send_reset(ctx: FEntryContext) -> i32 {
    reject::<Typed>(ctx.arg(0), ctx.arg(2), ctx.arg(3));
    0
}

#[fentry(function = "nf_send_reset6")]
fn nf_send_reset6(ctx: FEntryContext) -> i32 {
    reject::<Typed>(ctx.arg(0), ctx.arg(2), ctx.arg(3));
    0
}

#[kprobe(function = "nf_send_reset")]
fn nf_send_reset_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(net), Some(skb), Some(hook)) = (ctx.arg(0), ctx.arg(2), ctx.arg(3)) {
        reject::<Probed>(net, skb, hook);
    }
    0
}

#[kprobe(function = "nf_send_reset6")]
fn nf_send_reset6_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(net), Some(skb), Some(hook)) = (ctx.arg(0), ctx.arg(2), ctx.arg(3)) {
        reject::<Probed>(net, skb, hook);
    }
    0
}

#[inline(always)]
fn reject<R: Reach>(net: *const u8, skb: *const u8, hook_number: u32) {
    let Some(packet) = Packet::<R>::new(skb) else { return };
    let (mut segment, mut tuple) = (RawSegment::default(), RawTuple::default());
    packet.write(&mut segment, &mut tuple);
    if segment.flags & RST != 0 {
        return; // An RST is never answered by one.
    }
    // SAFETY: the function's namespace.
    tuple.netns = unsafe { R::load(net, &NET_INUM) };
    add_one(&SENT, sent_index(REASON_NETFILTER, 0));

    let Some(mut entry) = event::reserve(direction::SENT) else {
        add_one(&LOST, LOST_SENT);
        return;
    };
    // SAFETY: `reserve` has written the whole event.
    let event = unsafe { entry.assume_init_mut() };
    event.netfilter_hook = hook_number as u8 + 1;
    event.segment = segment;
    event.tuple = if event.netfilter_hook >= hook::OUTPUT { seen_from_sender(tuple) } else { tuple };
    event::write_ids(event);
    entry.submit(0);
}

/// A packet on its way out was sent by this host's end.
#[inline(always)]
fn seen_from_sender(tuple: RawTuple) -> RawTuple {
    RawTuple {
        local_addr: tuple.peer_addr,
        peer_addr: tuple.local_addr,
        local_port: tuple.peer_port,
        peer_port: tuple.local_port,
        netns: tuple.netns,
    }
}
