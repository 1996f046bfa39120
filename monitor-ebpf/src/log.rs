//! Log statements for whoever works on the BPF programs. Without the feature `log`, hence in every release, they are
//! nothing at all: one statement would triple a program.

/// Logs at level debug.
#[cfg(feature = "log")]
macro_rules! log {
    ($ctx:expr, $($argument:tt)+) => { aya_log_ebpf::debug!($ctx, $($argument)+) };
}

/// Logs nothing.
#[cfg(not(feature = "log"))]
macro_rules! log {
    ($ctx:expr, $($argument:tt)+) => {};
}

pub(crate) use log;
