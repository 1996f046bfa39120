//! Tasks. Whether the current one has anything to do with a socket is for the caller to know: in softirq it has not.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_current_uid_gid};
use resetmon_common::wire::{PF_EXITING, RawTask};

use crate::{
    globals::{
        CRED_UID, TASK_COMM, TASK_EXIT_CODE, TASK_FLAGS, TASK_GROUP_LEADER, TASK_PID, TASK_REAL_CRED,
        TASK_START_BOOTTIME, TASK_TGID,
    },
    reach::{Probed, Reach as _, probe_read},
};

/// Ids of the current task.
#[inline(always)]
pub(crate) fn current_ids() -> (u32, u32) {
    let id = bpf_get_current_pid_tgid();
    ((id >> 32) as u32, id as u32)
}

/// `task_struct.flags` of the current task.
#[inline(always)]
pub(crate) fn flags_of_current() -> u32 {
    // SAFETY: the helper takes no arguments.
    let task = unsafe { bpf_get_current_task() };
    probe_read(task + u64::from(TASK_FLAGS.load()))
}

/// Writes the current task in full, named and dated by its group leader.
#[inline(always)]
pub(crate) fn write_current(to: &mut RawTask) {
    // SAFETY: the helper takes no arguments.
    let task = unsafe { bpf_get_current_task() };
    (to.tgid, to.tid) = current_ids();
    to.uid = bpf_get_current_uid_gid() as u32;
    write_names(task, to);
}

/// Writes any task, likewise.
#[inline(always)]
pub(crate) fn write(task: *const u8, to: &mut RawTask) {
    // SAFETY: a task that the iterator holds.
    unsafe {
        to.tgid = Probed::load(task, &TASK_TGID);
        to.tid = Probed::load(task, &TASK_PID);
        to.uid = Probed::load_through(task, &TASK_REAL_CRED, &CRED_UID);
    }
    write_names(task as u64, to);
}

/// Id of a task's process, and when that started.
#[inline(always)]
pub(crate) fn process(task: *const u8) -> (u32, u64) {
    // SAFETY: a task that the caller was given.
    unsafe {
        let started = Probed::load_through(task, &TASK_GROUP_LEADER, &TASK_START_BOOTTIME);
        (Probed::load(task, &TASK_TGID), started)
    }
}

/// Whether a task is the first of its process, which then has its id.
#[inline(always)]
pub(crate) fn is_leader(task: *const u8) -> bool {
    // SAFETY: a task that the caller was given.
    unsafe { Probed::load::<u32>(task, &TASK_PID) == Probed::load::<u32>(task, &TASK_TGID) }
}

#[inline(always)]
fn write_names(task: u64, to: &mut RawTask) {
    let leader: u64 = probe_read(task + u64::from(TASK_GROUP_LEADER.load()));
    to.flags = probe_read(task + u64::from(TASK_FLAGS.load()));
    to.start_time = probe_read(leader + u64::from(TASK_START_BOOTTIME.load()));
    to.comm = probe_read(leader + u64::from(TASK_COMM.load()));
}

/// Low half of the exit code of the current task, whose flags these are, when it is ending. `do_exit()` sets it before
/// it closes files (`kernel/exit.c`, 5.10–7.x).
#[inline(always)]
pub(crate) fn exit_code_of_current(flags: u32) -> Option<u16> {
    if flags & PF_EXITING == 0 {
        return None;
    }
    // SAFETY: the helper takes no arguments.
    let task = unsafe { bpf_get_current_task() };
    Some(probe_read::<u32>(task + u64::from(TASK_EXIT_CODE.load())) as u16)
}
