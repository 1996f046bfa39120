//! The current task. Whether it has anything to do with a socket is for the caller to know: in softirq it has not.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_current_uid_gid};
use resetmon_common::wire::RawTask;

use crate::{
    globals::{TASK_COMM, TASK_FLAGS, TASK_GROUP_LEADER, TASK_START_BOOTTIME},
    reach::probe_read,
};

/// Ids of the current task.
#[inline(always)]
pub(crate) fn current_ids() -> (u32, u32) {
    let id = bpf_get_current_pid_tgid();
    ((id >> 32) as u32, id as u32)
}

/// Writes the current task in full, named and dated by its group leader.
#[inline(always)]
pub(crate) fn write_current(to: &mut RawTask) {
    // SAFETY: the helper takes no arguments.
    let task = unsafe { bpf_get_current_task() };
    let leader: u64 = probe_read(task + u64::from(TASK_GROUP_LEADER.load()));
    (to.tgid, to.tid) = current_ids();
    to.uid = bpf_get_current_uid_gid() as u32;
    to.flags = probe_read(task + u64::from(TASK_FLAGS.load()));
    to.start_time = probe_read(leader + u64::from(TASK_START_BOOTTIME.load()));
    to.comm = probe_read(leader + u64::from(TASK_COMM.load()));
}
