//! `tcp_reset(struct sock *sk, struct sk_buff *skb)` (`net/ipv4/tcp_input.c`, 5.11–7.x; before, without the packet): the
//! header of a received RST, and whether it was one at all. `tcp_receive_reset` fires inside, on the same CPU.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use resetmon_common::wire::{RawArrival, RawTuple};

use crate::{
    maps::ARRIVAL,
    packet::Packet,
    reach::{Probed, Reach, Typed},
};

#[fentry(function = "tcp_reset")]
fn tcp_reset(ctx: FEntryContext) -> i32 {
    arrive::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[kprobe(function = "tcp_reset")]
fn tcp_reset_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(sk), Some(skb)) = (ctx.arg(0), ctx.arg(1)) {
        arrive::<Probed>(sk, skb);
    }
    0
}

#[inline(always)]
fn arrive<R: Reach>(sk: *const u8, skb: *const u8) {
    let Some(arrival) = ARRIVAL.get_ptr_mut(0) else { return };
    let Some(packet) = Packet::<R>::new(skb) else { return };
    let mut new = RawArrival { socket: sk as u64, ..RawArrival::default() };
    packet.write(&mut new.packet, &mut RawTuple::default());
    // SAFETY: a map value of this CPU.
    unsafe { *arrival = new };
}
