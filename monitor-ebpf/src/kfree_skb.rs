//! `kfree_skb(struct sk_buff *skb, void *location, enum skb_drop_reason reason[, struct sock *rx_sk])`
//! (`include/trace/events/skb.h`; the reason came with 5.17): RSTs that the kernel dropped instead of resetting a socket —
//! answered by a challenge ACK, out of window, or meant for a listener. Every dropped packet passes here, so this is
//! only attached when asked for.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::layout::IGNORED_SLOTS;

use crate::{count::add_one, maps::IGNORED, packet::Packet, reach::Typed};

#[btf_tracepoint(function = "kfree_skb")]
fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    let Some(packet) = Packet::<Typed>::new(ctx.arg(0)) else { return 0 };
    if packet.is_rst() {
        let reason: u32 = ctx.arg(2);
        add_one(&IGNORED, if reason < IGNORED_SLOTS { reason } else { IGNORED_SLOTS - 1 });
    }
    0
}
