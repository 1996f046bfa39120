//! `tcp_receive_reset(struct sock *sk)` (`include/trace/events/tcp.h`, 5.10–7.x), the first statement of `tcp_reset()`:
//! the socket is still in its old state. It fires as well when no RST came but data after a shutdown; such a call is
//! marked as unproven, and `tcp_send_reset` refutes it a moment later.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::{
    layout::{LOST_RECEIVED, Receipt, received_index},
    wire::{RawSocketRecord, direction, mark},
};

use crate::{
    count::add_one,
    event,
    log::log,
    maps::{LOST, RECEIVED},
    record,
    sock::{Sock, state},
};

/// `RCV_SHUTDOWN` (`include/net/sock.h`).
const RCV_SHUTDOWN: u8 = 1;

#[btf_tracepoint(function = "tcp_receive_reset")]
fn tcp_receive_reset(ctx: BtfTracePointContext) -> i32 {
    let Some(sock) = Sock::new(ctx.arg(0)) else { return 0 };
    let state = sock.state();
    log!(&ctx, "tcp_receive_reset in state {}", state);
    add_one(&RECEIVED, received_index(Receipt::Seen, u32::from(state)));

    let unproven = may_be_data_after_shutdown(sock, state);
    let record = if unproven { record::get_or_create(sock) } else { record::get(sock) };
    let written = write(sock, state, unproven, record.as_deref());
    if !written {
        add_one(&LOST, LOST_RECEIVED);
    }
    if unproven && let Some(record) = record {
        record.unproven_receive = state;
        record.unproven_lost = u8::from(!written);
    }
    0
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
fn write(sock: Sock, state: u8, unproven: bool, record: Option<&RawSocketRecord>) -> bool {
    let Some(mut entry) = event::reserve(direction::RECEIVED) else { return false };
    // SAFETY: `reserve` has written the whole event.
    let event = unsafe { entry.assume_init_mut() };
    event::write_sock(event, sock, sock.full());
    event.state = state;
    if unproven {
        event.marks |= mark::UNPROVEN;
    }
    event::write_tasks(event, record);
    entry.submit(0);
    true
}
