//! Everything that touches the kernel, and the only room that knows aya: type information, probes, events, counters,
//! clocks. What the bytes mean is decided elsewhere.
#![expect(unsafe_code, reason = "system calls and library functions without a safe interface")]

pub mod btf;
pub mod layout;
pub mod reasons;

pub mod error;
mod locked_memory;
pub mod privilege;

pub mod cgroup_handle;

mod optional;
pub mod probes;
pub mod seed;
pub mod selection;
pub mod status;

#[cfg(feature = "bpf-log")]
mod log;

pub mod costs;
pub mod counters;
pub mod events;
mod program;
pub mod tree;
