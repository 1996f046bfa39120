//! The BPF object: programs that observe resets and socket states, count, and copy what the kernel knows into one
//! wire event. They never decide why a reset happened, and never touch a packet or a socket.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![expect(internal_features, reason = "the only atomic add that the BPF target has is an intrinsic")]
#![expect(unsafe_code, reason = "BPF programs read kernel memory through pointers that the verifier checks")]
#![expect(clippy::inline_always, reason = "one function a program: calls cost stack, which is scarce")]
#![expect(clippy::needless_pass_by_value, reason = "the macros of the hooks pass contexts by value")]
#![expect(clippy::cast_possible_truncation, reason = "helpers answer in u64 what fits in less")]

mod globals;
mod log;
mod maps;

mod count;
mod event;
mod packet;
mod reach;
mod record;
mod sock;
mod task;

mod inet_sock_set_state;
mod tcp_destroy_sock;
mod tcp_receive_reset;
mod tcp_send_reset;

mod task_file;

mod cgroup_mkdir;
mod inet_csk_accept;
mod kfree_skb;
mod module_load;
mod nf_send_reset;
mod sched_process_fork;
mod tcp_init_transfer;
mod tcp_reset;
mod tcp_v4_send_reset;
mod words;

/// Never reached: the build refuses an object that holds a panic. The compiler wants one all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
