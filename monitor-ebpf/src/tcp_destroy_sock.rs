//! `tcp_destroy_sock(struct sock *sk)` (`include/trace/events/tcp.h`, 5.10–7.x), called in process context when close(2) or
//! an exit releases a socket that is in CLOSE already, as one is that was reset. Who closes it was the last to hold it, and
//! user space is told of that. Everything else ends here in softirq, and costs a
//! look at the lock. Also forgets the record of a socket where records are kept by address.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::wire::{PF_KTHREAD, RawClosing, RawTask, trace};

use crate::{maps::EVENTS, record, sock::Sock, task};

#[btf_tracepoint(function = "tcp_destroy_sock")]
fn tcp_destroy_sock(ctx: BtfTracePointContext) -> i32 {
    let sk: *const u8 = ctx.arg(0);
    if let Some(sock) = Sock::new(sk)
        && sock.is_owned()
    {
        tell_who_closes(sock);
    }
    record::forget(sk);
    0
}

#[inline(always)]
fn tell_who_closes(sock: Sock) {
    let Some(record) = record::get(sock) else { return };
    if record.marks & trace::TOLD == 0 {
        return;
    }
    let mut task = RawTask::default();
    task::write_current(&mut task);
    if task.flags & PF_KTHREAD != 0 {
        return;
    }
    // Without room the owner that was told has to do.
    let _ = EVENTS.output::<RawClosing>(RawClosing { socket: sock.as_ptr() as u64, task }, 0);
}
