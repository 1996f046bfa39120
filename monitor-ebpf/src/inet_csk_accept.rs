//! `inet_csk_accept()` (`net/ipv4/inet_connection_sock.c`): `(struct sock *sk, int flags, int *err, bool kern)` before
//! 6.10, `(struct sock *sk, struct proto_accept_arg *arg)` since. Its return value is the accepted socket, and current is
//! the process that accepted it. Kernel threads accept as well, but what they own is no process.

use aya_ebpf::{
    EbpfContext as _,
    macros::{fexit, kretprobe},
    programs::{FExitContext, RetProbeContext},
};
use resetmon_common::wire::{PF_KTHREAD, RawOwner, origin, role};

use crate::{
    globals::{ACCEPT_HAS_FOUR, NET_INUM, SKC_NET, has},
    reach::{Probed, Reach as _},
    record,
    sock::Sock,
};

#[fexit(function = "inet_csk_accept")]
fn inet_csk_accept(ctx: FExitContext) -> i32 {
    // One load each: a load from a chosen address is refused, since the context must be read at constant offsets.
    let accepted: *const u8 = if has(&ACCEPT_HAS_FOUR) { returned::<4>(&ctx) } else { returned::<2>(&ctx) };
    let Some(sock) = Sock::new(accepted) else { return 0 };
    let owner = acceptor(sock.netns());
    if owner.task.flags & PF_KTHREAD == 0
        && let Some(record) = record::get_or_create(sock)
    {
        record.owner = owner;
    }
    0
}

#[kretprobe(function = "inet_csk_accept")]
fn inet_csk_accept_kretprobe(ctx: RetProbeContext) -> u32 {
    let accepted: *const u8 = ctx.ret();
    if accepted.is_null() {
        return 0;
    }
    // SAFETY: a socket that the function has returned.
    let owner = acceptor(unsafe { Probed::load_through(accepted, &SKC_NET, &NET_INUM) });
    if owner.task.flags & PF_KTHREAD == 0 {
        record::add_note(accepted as u64, |note| note.owner = owner);
    }
    0
}

/// The return value, which follows the parameters.
#[inline(always)]
fn returned<const PARAMETERS: usize>(ctx: &FExitContext) -> *const u8 {
    let value: *const u8;
    // SAFETY: one load from the context, which has a word for each parameter and one for the return value.
    unsafe {
        core::arch::asm!(
            "{value} = *(u64 *)({ctx} + {offset})",
            value = out(reg) value,
            ctx = in(reg) ctx.as_ptr(),
            offset = const PARAMETERS * 8,
            options(pure, readonly, nostack),
        );
    }
    value
}

#[inline(always)]
fn acceptor(netns: u32) -> RawOwner {
    let mut owner = RawOwner::default();
    record::own(&mut owner, netns, origin::ACCEPT, role::SERVER);
    owner
}
