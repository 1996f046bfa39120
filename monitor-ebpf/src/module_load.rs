//! `module_load(struct module *mod)` (`include/trace/events/module.h`, 5.10–7.x): wakes user space, which may wait for the
//! module that has a function it wants to probe. Attached only while it waits.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use resetmon_common::wire::WAKE;

use crate::maps::EVENTS;

#[btf_tracepoint(function = "module_load")]
fn module_load(_ctx: BtfTracePointContext) -> i32 {
    // Without room there are events to read, and reading them looks for modules as well.
    let _ = EVENTS.output::<u64>(WAKE, 0);
    0
}
