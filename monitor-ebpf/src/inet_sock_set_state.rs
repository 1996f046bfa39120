//! `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)` (`include/trace/events/sock.h`,
//! 5.10–7.x): who owns a socket, when it was established, and the state it left. Only connect, listen and the closing
//! transitions under the socket's lock run in the owner's context; everything else is softirq, where current is
//! whoever was on the CPU.

use aya_ebpf::{helpers::bpf_ktime_get_boot_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::wire::{origin, role};

use crate::{
    log::log,
    record,
    sock::{SHUTDOWN_MASK, Sock, state},
};

#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    let new = ctx.arg::<u32>(2) as u8;
    if matches!(new, state::FIN_WAIT2 | state::CLOSE_WAIT | state::CLOSING) {
        return 0;
    }
    let sk: *const u8 = ctx.arg(0);
    let Some(sock) = Sock::new(sk) else { return 0 };
    if !sock.is_tcp() {
        return 0;
    }
    let old = ctx.arg::<u32>(1) as u8;
    log!(&ctx, "inet_sock_set_state {} -> {}", old, new);
    match new {
        state::SYN_SENT => own(sock, origin::CONNECT, role::CLIENT),
        state::LISTEN => own(sock, origin::LISTEN, role::SERVER),
        state::SYN_RECV => record::inherit(sock),
        state::ESTABLISHED => established(sock, old),
        state::FIN_WAIT1 | state::LAST_ACK if sock.is_owned() => closed_by_current(sock),
        state::CLOSE => closed(sock, old),
        _ => {}
    }
    0
}

#[inline(always)]
fn own(sock: Sock, origin: u8, role: u8) {
    let Some(record) = record::get_or_create(sock) else { return };
    record::own(&mut record.owner, sock.netns(), origin, role);
    record.established_at = 0;
    record.marks = 0;
    if origin == origin::LISTEN {
        record::remember_listener(sock, &record.owner);
    }
}

#[inline(always)]
fn established(sock: Sock, old: u8) {
    let Some(record) = record::get_or_create(sock) else { return };
    // SAFETY: the helper takes no arguments.
    record.established_at = unsafe { bpf_ktime_get_boot_ns() };
    if old == state::SYN_RECV {
        record.owner.role = role::SERVER;
        if record.owner.origin == origin::SEED {
            // Of the listener, which hands down its record.
            record.owner.origin = origin::LISTEN;
        }
    }
}

#[inline(always)]
fn closed_by_current(sock: Sock) {
    if let Some(record) = record::get_or_create(sock) {
        record::closed_by_current(record, sock);
    }
}

#[inline(always)]
fn closed(sock: Sock, old: u8) {
    let Some(record) = record::get_or_create(sock) else { return };
    record.state_before_close = old;
    match old {
        state::LISTEN => {
            if sock.is_owned() {
                record::closed_by_current(record, sock);
            }
            record::remember_closed_listener(sock, record);
            record::forget_listener(sock);
        }
        // After LAST_ACK both ends have closed and know of it: nothing is sent to this one any more that it would reset.
        state::CLOSE | state::SYN_SENT | state::LAST_ACK => {}
        _ => {
            if sock.is_owned() && sock.shutdown() == SHUTDOWN_MASK {
                record::closed_by_current(record, sock);
            }
            record::remember_closed(sock, record);
        }
    }
}
