//! `tcp_v4_send_reset(const struct sock *sk, struct sk_buff *skb)` and its twin `tcp_v6_send_reset` (`net/ipv4/tcp_ipv4.c`,
//! `net/ipv6/tcp_ipv6.c`, 5.10–6.9): before 6.10 the tracepoint is silent when there is no full socket, that is for closed
//! ports and `TIME_WAIT`. Where it tells those as well, these are not attached. A refusal for a wrong MD5 signature, after
//! which the function sends nothing, is not seen here.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use resetmon_common::{
    layout::{LOST_SENT, REASON_UNAVAILABLE, sent_index},
    wire::{RawSegment, RawTuple, direction},
};

use crate::{
    count::add_one,
    event,
    globals::{NET_HASH_MIX, NET_INUM, SKC_FAMILY, SKC_NET, SKC_STATE},
    maps::{LOST, SENT},
    packet::{Packet, RST},
    reach::{Probed, Reach, Typed},
    sock::state,
};

#[fentry(function = "tcp_v4_send_reset")]
fn tcp_v4_send_reset(ctx: FEntryContext) -> i32 {
    answer::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[fentry(function = "tcp_v6_send_reset")]
fn tcp_v6_send_reset(ctx: FEntryContext) -> i32 {
    answer::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[kprobe(function = "tcp_v4_send_reset")]
fn tcp_v4_send_reset_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(sk), Some(skb)) = (ctx.arg(0), ctx.arg(1)) {
        answer::<Probed>(sk, skb);
    }
    0
}

#[kprobe(function = "tcp_v6_send_reset")]
fn tcp_v6_send_reset_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(sk), Some(skb)) = (ctx.arg(0), ctx.arg(1)) {
        answer::<Probed>(sk, skb);
    }
    0
}

/// The socket of a call, as far as the tracepoint leaves it to this probe.
#[derive(Clone, Copy, Default)]
struct Remains {
    socket: u64,
    family: u16,
    state: u8,
    netns: u32,
    netns_mix: u32,
}

#[inline(always)]
fn answer<R: Reach>(sk: *const u8, skb: *const u8) {
    let Some(packet) = Packet::<R>::new(skb) else { return };
    let mut remains = Remains::default();
    if !read_remains::<R>(sk, &mut remains) {
        return;
    }
    let (mut segment, mut tuple) = (RawSegment::default(), RawTuple::default());
    packet.write(&mut segment, &mut tuple);
    if segment.flags & RST != 0 {
        return; // An RST is never answered by one.
    }
    if remains.netns == 0 {
        (remains.netns, remains.netns_mix) = packet.netns();
    }
    tuple.netns = remains.netns;
    add_one(&SENT, sent_index(REASON_UNAVAILABLE, u32::from(remains.state)));

    let Some(mut entry) = event::reserve(direction::SENT) else {
        add_one(&LOST, LOST_SENT);
        return;
    };
    // SAFETY: `reserve` has written the whole event.
    let event = unsafe { entry.assume_init_mut() };
    event.socket = remains.socket;
    event.family = remains.family;
    event.state = remains.state;
    event.state_at_event = remains.state;
    event.segment = segment;
    event.tuple = tuple;
    event.netns_mix = remains.netns_mix;
    event::write_tasks(event, None);
    entry.submit(0);
}

/// Writes what is left of the socket: nothing, or one in `TIME_WAIT`. False where the tracepoint fires by itself.
#[inline(always)]
fn read_remains<R: Reach>(sk: *const u8, remains: &mut Remains) -> bool {
    if sk.is_null() {
        return true;
    }
    // SAFETY: the function's socket; all of these are in `sock_common`.
    unsafe {
        remains.state = R::load(sk, &SKC_STATE);
        if remains.state == 0 {
            // Reading through null gives this where the verifier has removed the test for it.
            return true;
        }
        remains.socket = sk as u64;
        remains.family = R::load(sk, &SKC_FAMILY);
        remains.netns = R::load_through(sk, &SKC_NET, &NET_INUM);
        remains.netns_mix = R::load_through(sk, &SKC_NET, &NET_HASH_MIX);
    }
    remains.state == state::TIME_WAIT || remains.state == state::NEW_SYN_RECV
}
