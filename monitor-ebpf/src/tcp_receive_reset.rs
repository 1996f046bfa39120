//! `tcp_receive_reset(struct sock *sk)` (`include/trace/events/tcp.h`, 5.10–7.x), the first statement of `tcp_reset()`:
//! the socket is still in its old state. It fires as well when no RST came but data after a shutdown. Where a probe on
//! `tcp_reset()` saw the packet, that is known at once; else such a call is marked as unproven, and `tcp_send_reset`
//! refutes it a moment later.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::{
    layout::{LOST_RECEIVED, Receipt, received_index},
    wire::{RawSegment, RawSocketRecord, direction, mark, receipt, trace},
};

use crate::{
    count::add_one,
    event,
    log::log,
    maps::{ARRIVAL, LOST, RECEIVED},
    packet::RST,
    record,
    sock::{Sock, state},
    words,
};

/// `RCV_SHUTDOWN` (`include/net/sock.h`).
const RCV_SHUTDOWN: u8 = 1;

#[btf_tracepoint(function = "tcp_receive_reset")]
fn tcp_receive_reset(ctx: BtfTracePointContext) -> i32 {
    let Some(sock) = Sock::new(ctx.arg(0)) else { return 0 };
    let state = sock.state();
    log!(&ctx, "tcp_receive_reset in state {}", state);
    add_one(&RECEIVED, received_index(Receipt::Seen, u32::from(state)));

    let arrived = take_arrival(sock);
    let in_doubt = may_be_data_after_shutdown(sock, state);
    let record = record::get_or_create(sock);
    let fate = match arrived {
        Some(packet) if packet.flags & RST == 0 => {
            add_one(&RECEIVED, received_index(Receipt::Refuted, u32::from(state)));
            receipt::DISPROVEN
        }
        _ => tell(sock, state, in_doubt, arrived, record.as_deref()),
    };
    let Some(record) = record else { return 0 };
    record.marks |= trace::TOLD;
    if in_doubt {
        record.unproven_receive = if arrived.is_some() && fate != receipt::DISPROVEN { 0 } else { state };
        record.unproven_fate = fate;
    }
    0
}

/// The packet that `tcp_reset()` was called with on this CPU for this socket, if a probe saw it. By reference: verifiers
/// before 6.2 refuse the copies that an optional value makes of its unwritten half.
#[inline(always)]
fn take_arrival(sock: Sock) -> Option<&'static RawSegment> {
    let arrival = ARRIVAL.get_ptr_mut(0)?;
    // SAFETY: a map value of this CPU; a nested call has taken its own before this one goes on.
    unsafe {
        if (*arrival).socket != sock.as_ptr() as u64 {
            return None;
        }
        (*arrival).socket = 0;
        Some(&(*arrival).packet)
    }
}

/// Tells user space of the reset.
#[inline(always)]
fn tell(
    sock: Sock,
    state: u8,
    in_doubt: bool,
    arrived: Option<&RawSegment>,
    record: Option<&RawSocketRecord>,
) -> u8 {
    if write(sock, state, in_doubt, arrived, record) {
        return receipt::TOLD;
    }
    add_one(&LOST, LOST_RECEIVED);
    receipt::LOST
}

/// The states in which `tcp_rcv_state_process()` calls `tcp_reset()` for data behind a shutdown.
#[inline(always)]
fn may_be_data_after_shutdown(sock: Sock, state: u8) -> bool {
    let behind = matches!(
        state,
        state::FIN_WAIT1 | state::FIN_WAIT2 | state::CLOSE_WAIT | state::LAST_ACK | state::CLOSING
    );
    behind && sock.shutdown() & RCV_SHUTDOWN != 0
}

#[inline(always)]
fn write(
    sock: Sock,
    state: u8,
    in_doubt: bool,
    arrived: Option<&RawSegment>,
    record: Option<&RawSocketRecord>,
) -> bool {
    let Some(mut entry) = event::reserve(direction::RECEIVED) else { return false };
    // SAFETY: `reserve` has written the whole event.
    let event = unsafe { entry.assume_init_mut() };
    event::write_sock(event, sock, sock.full());
    event.state = state;
    if let Some(packet) = arrived {
        words::copy(packet, &mut event.segment);
        event.marks |= mark::PROVEN;
    } else if in_doubt {
        event.marks |= mark::UNPROVEN;
    }
    event::write_tasks(event, record);
    entry.submit(0);
    true
}
