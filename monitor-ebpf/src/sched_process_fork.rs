//! `sched_process_fork(struct task_struct *parent, struct task_struct *child)` (`include/trace/events/sched.h`, 5.10–7.x),
//! called by `kernel_clone()` before the child runs: a child belongs to the command that its parent belongs to, whatever
//! becomes of the parent. Attached only while a command is watched.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::layout::tree_key;

use crate::{
    count::add_one,
    maps::{TREE, TREE_LOST},
    task,
};

#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    let parent: *const u8 = ctx.arg(0);
    let child: *const u8 = ctx.arg(1);
    let (tgid, started) = task::process(parent);
    if TREE.get_ptr(tree_key(tgid, started)).is_none() || !task::is_leader(child) {
        return 0;
    }
    let (tgid, started) = task::process(child);
    if TREE.insert(tree_key(tgid, started), 1, 0).is_err() {
        add_one(&TREE_LOST, 0);
    }
    0
}
