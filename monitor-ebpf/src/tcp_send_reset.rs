//! `tcp_send_reset(const struct sock *sk, const struct sk_buff *skb[, const enum sk_rst_reason reason])`
//! (`include/trace/events/tcp.h`; the reason came with 6.10). With a packet the reset answers that packet, and `sk` may
//! be null, a timewait socket or a listener; without one the reset is the socket's own doing.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::{
    layout::{LOST_REFUTED, LOST_SENT, REASON_UNAVAILABLE, Receipt, received_index, sent_index},
    wire::{RawSocketRecord, direction, mark, receipt, trace},
};

use crate::{
    count::add_one,
    event,
    globals::{HAS_REASON, REASON_ABORT_ON_DATA, has},
    log::log,
    maps::{LOST, RECEIVED, SENT},
    packet::Packet,
    reach::Typed,
    record,
    sock::{Sock, state},
};

/// What the tracepoint was called with.
#[derive(Clone, Copy)]
struct Call {
    sock: Option<Sock>,
    packet: Option<Packet<Typed>>,
    reason: u32,
}

#[btf_tracepoint(function = "tcp_send_reset")]
fn tcp_send_reset(ctx: BtfTracePointContext) -> i32 {
    let call = Call {
        sock: Sock::new(ctx.arg(0)),
        packet: Packet::new(ctx.arg(1)),
        reason: if has(&HAS_REASON) { ctx.arg(2) } else { REASON_UNAVAILABLE },
    };
    let record = call.sock.filter(|sock| sock.full().is_some()).and_then(record::get_even_destroyed);
    let state = state_before(call, record.as_deref());
    log!(&ctx, "tcp_send_reset in state {} for reason {}", state, call.reason);
    add_one(&SENT, sent_index(call.reason, u32::from(state)));
    let refuted = record.as_deref().map_or(0, |record| refutes(call, record));
    let disproven = record.as_deref().is_some_and(|record| record.unproven_fate == receipt::DISPROVEN);
    if refuted != 0 && !disproven {
        add_one(&RECEIVED, received_index(Receipt::Refuted, u32::from(refuted)));
    }
    if !write(call, state, refuted != 0, record.as_deref()) {
        add_one(&LOST, LOST_SENT);
    }
    let Some(record) = record else { return 0 };
    record.marks |= trace::TOLD;
    if call.aborts() {
        record.marks |= trace::ABORTED;
    }
    if refuted != 0 {
        if record.unproven_fate == receipt::LOST {
            add_one(&LOST, LOST_REFUTED);
        }
        record.unproven_receive = 0;
    }
    0
}

impl Call {
    /// `tcp_abort()` destroys a socket from outside: with its lock, and without changing its state before the reset.
    #[inline(always)]
    fn aborts(self) -> bool {
        self.packet.is_none() && self.sock.is_some_and(|sock| sock.is_owned() && sock.state() != state::CLOSE)
    }
}

/// The state before the reset: a socket that resets on close, or that `tcp_reset()` has just closed, reads CLOSE.
#[inline(always)]
fn state_before(call: Call, record: Option<&RawSocketRecord>) -> u8 {
    let Some(sock) = call.sock else { return 0 };
    match (sock.state(), record) {
        (state::CLOSE, Some(record)) if record.state_before_close != 0 => record.state_before_close,
        (state, _) => state,
    }
}

/// The state of a preceding `tcp_receive_reset` that this call exposes as no RST, or 0: the socket is closed, the reset
/// answers a packet, and where the kernel tells reasons this is the one.
#[inline(always)]
fn refutes(call: Call, record: &RawSocketRecord) -> u8 {
    let reason_fits = !has(&HAS_REASON) || call.reason == REASON_ABORT_ON_DATA.load();
    let closed = call.sock.is_some_and(|sock| sock.state() == state::CLOSE);
    if call.packet.is_some() && closed && reason_fits { record.unproven_receive } else { 0 }
}

#[inline(always)]
fn write(call: Call, state: u8, refutes: bool, record: Option<&RawSocketRecord>) -> bool {
    let Some(mut entry) = event::reserve(direction::SENT) else { return false };
    // SAFETY: `reserve` has written the whole event.
    let event = unsafe { entry.assume_init_mut() };
    if let Some(sock) = call.sock {
        event::write_sock(event, sock, sock.full());
    }
    if let Some(packet) = call.packet {
        packet.write(&mut event.segment, &mut event.tuple);
        if call.sock.is_none() {
            (event.tuple.netns, event.netns_mix) = packet.netns();
        }
    }
    event.state = state;
    if has(&HAS_REASON) {
        event.marks |= mark::HAS_REASON;
        event.reason = call.reason;
    }
    if refutes {
        event.marks |= mark::REFUTES_RECEIVE;
    }
    event::write_tasks(event, record);
    entry.submit(0);
    true
}
