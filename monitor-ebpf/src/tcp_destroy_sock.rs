//! `tcp_destroy_sock(struct sock *sk)` (`include/trace/events/tcp.h`, 5.10–7.x): forgets the record of a socket where
//! records are kept by address. Not attached where socket storage does that.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::record;

#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tcp_destroy_sock(ctx: BtfTracePointContext) -> i32 {
    record::forget(ctx.arg(0));
    0
}
