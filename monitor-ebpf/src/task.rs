//! Tasks. Whether the current one has anything to do with a socket is for the caller to know: in softirq it has not.

use aya_ebpf::{
    Global,
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_current_uid_gid,
        generated::bpf_get_current_task_btf,
    },
};
use resetmon_common::wire::{PF_EXITING, RawTask};

use crate::{
    globals::{
        CRED_UID, HAS_SK_STORAGE, TASK_COMM, TASK_EXIT_CODE, TASK_FLAGS, TASK_GROUP_LEADER, TASK_PID,
        TASK_REAL_CRED, TASK_START_BOOTTIME, TASK_TGID, has,
    },
    reach::{Probed, Reach, Typed},
    words,
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
    of_current(&TASK_FLAGS)
}

/// Loads a member of the current task. Where programs may use socket storage they also get the task by its type (5.11).
#[inline(always)]
fn of_current<T: Copy + Default>(member: &Global<u32>) -> T {
    // SAFETY: the helpers take no arguments and give the running task.
    unsafe {
        if has(&HAS_SK_STORAGE) {
            Typed::load(bpf_get_current_task_btf().cast::<u8>(), member)
        } else {
            Probed::load(bpf_get_current_task() as *const u8, member)
        }
    }
}

/// Writes the current task in full, named and dated by its group leader.
#[inline(always)]
pub(crate) fn write_current(to: &mut RawTask) {
    (to.tgid, to.tid) = current_ids();
    to.uid = bpf_get_current_uid_gid() as u32;
    // SAFETY: as in `of_current`.
    unsafe {
        if has(&HAS_SK_STORAGE) {
            write_names::<Typed>(bpf_get_current_task_btf().cast::<u8>(), to);
        } else {
            write_names::<Probed>(bpf_get_current_task() as *const u8, to);
        }
    }
}

/// Writes any task, likewise.
#[inline(always)]
pub(crate) fn write(task: *const u8, to: &mut RawTask) {
    // SAFETY: a task that the iterator holds.
    unsafe {
        to.tgid = Probed::load(task, &TASK_TGID);
        to.tid = Probed::load(task, &TASK_PID);
        to.uid = Probed::load_through(task, &TASK_REAL_CRED, &CRED_UID);
        write_names::<Probed>(task, to);
    }
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

/// # Safety
/// `task` must be a task, in the form that this way takes.
#[inline(always)]
unsafe fn write_names<R: Reach>(task: *const u8, to: &mut RawTask) {
    // SAFETY: the caller's promise.
    unsafe {
        let leader = R::load::<usize>(task, &TASK_GROUP_LEADER) as *const u8;
        to.flags = R::load(task, &TASK_FLAGS);
        to.start_time = R::load(leader, &TASK_START_BOOTTIME);
        words::write_bytes(R::load_pair(leader, &TASK_COMM), &mut to.comm);
    }
}

/// Low half of the exit code of the current task, whose flags these are, when it is ending. `do_exit()` sets it before
/// it closes files (`kernel/exit.c`, 5.10–7.x).
#[inline(always)]
pub(crate) fn exit_code_of_current(flags: u32) -> Option<u16> {
    if flags & PF_EXITING == 0 {
        return None;
    }
    Some(of_current::<u32>(&TASK_EXIT_CODE) as u16)
}
