//! Everything that touches the kernel, and the only room that knows aya: type information, probes, events, counters,
//! clocks. What the bytes mean is decided elsewhere.
#![expect(
    unsafe_code,
    reason = "asking for bpf(2), and giving memory back to the system, have no safe interface"
)]

pub mod btf;
pub mod layout;
pub mod reasons;

pub mod error;
mod locked_memory;
pub mod privilege;

mod optional;
pub mod probes;
pub mod selection;
pub mod status;

#[cfg(feature = "bpf-log")]
mod log;

pub mod counters;
pub mod events;
