//! `cgroup_mkdir(struct cgroup *cgrp, const char *path)` (`include/trace/events/cgroup.h`, 5.10–7.x): tells user space id and
//! path of a new control group, so that a reset can be placed when its group is gone. A raw tracepoint, since verifiers
//! before 5.17 refuse the path as an argument with a type.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel_str, macros::raw_tracepoint, programs::RawTracePointContext,
};
use resetmon_common::wire::{CGROUP_MADE, CGROUP_PATH, RawCgroup};

use crate::{
    globals::{CGROUP_KN, CGROUP_ROOT, KERNFS_ID, ROOT_HIERARCHY_ID},
    maps::EVENTS,
    reach::{Probed, Reach as _},
    words,
};

#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
fn cgroup_mkdir(ctx: RawTracePointContext) -> i32 {
    let cgroup: *const u8 = ctx.arg(0);
    let path: *const u8 = ctx.arg(1);
    // SAFETY: the tracepoint's control group; 0 is the number of the unified hierarchy, and no id.
    let (hierarchy, id) = unsafe {
        let hierarchy: i32 = Probed::load_through(cgroup, &CGROUP_ROOT, &ROOT_HIERARCHY_ID);
        (hierarchy, Probed::load_through::<u64>(cgroup, &CGROUP_KN, &KERNFS_ID))
    };
    if hierarchy != 0 || id == 0 {
        return 0;
    }
    // Without room the group is looked up when a reset asks for it.
    let Some(mut entry) = EVENTS.reserve::<RawCgroup>(0) else { return 0 };
    // SAFETY: room for one message, of which zeros are one; the helper writes no more than the path has room for, and ends
    // it with a zero.
    unsafe {
        words::zero(entry.as_mut_ptr());
        let made = entry.assume_init_mut();
        (made.tag, made.id) = (CGROUP_MADE, id);
        bpf_probe_read_kernel_str(made.path.as_mut_ptr().cast(), CGROUP_PATH as u32, path.cast());
    }
    entry.submit(0);
    0
}
