//! Why the kernel cannot be watched, and what to do about it.

use std::{io, path::PathBuf};

use super::{layout::LayoutError, privilege::Missing};

/// An error at the border to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Not enough privileges.
    #[error("loading BPF programs needs {missing}, which this process does not have")]
    Permission {
        /// What is missing.
        missing: Missing,
    },
    /// The capabilities are there and the kernel refuses all the same.
    #[error("the kernel forbids {operation} although CAP_BPF and CAP_PERFMON are there")]
    Forbidden {
        /// What was tried.
        operation: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The capabilities are there, and this kernel counts BPF against a limit that is too low.
    #[error(
        "{operation} needs more locked memory than the {limit} bytes that this process may have (RLIMIT_MEMLOCK)"
    )]
    LockedMemory {
        /// What was tried.
        operation: String,
        /// The limit, which could not be raised.
        limit: u64,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No type information.
    #[error("cannot read the type information of kernel {release} in {}", path.display())]
    NoBtf {
        /// Where it should be.
        path: PathBuf,
        /// `uname -r`.
        release: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Type information that lacks what the programs need.
    #[error("kernel {release} cannot be watched")]
    Layout {
        /// `uname -r`.
        release: String,
        /// What is missing.
        source: LayoutError,
    },
    /// The kernel refuses a required probe.
    #[error("kernel {release} refuses the required probe {probe}; its verifier's log is in {}", log.display())]
    ProbeRefused {
        /// The probe.
        probe: &'static str,
        /// `uname -r`.
        release: String,
        /// The file with the verifier's words.
        log: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A probe cannot be attached or looked up.
    #[error("the required probe {probe} cannot be attached")]
    Attach {
        /// The probe.
        probe: &'static str,
        /// What went wrong.
        source: aya::programs::ProgramError,
    },
    /// The BPF object cannot be set up.
    #[error("the BPF object cannot be set up on this kernel")]
    Object(#[source] aya::EbpfError),
    /// A map is not what it should be.
    #[error("the BPF map {name} cannot be used")]
    Map {
        /// Its name.
        name: &'static str,
        /// What went wrong.
        source: aya::maps::MapError,
    },
    /// The size of the ring buffer is not one the kernel takes.
    #[error("a ring buffer of {got} bytes is not possible")]
    RingSize {
        /// What was asked for.
        got: u32,
        /// Size of a page in bytes.
        page: u32,
    },
    /// Reading events failed.
    #[error("cannot wait for events of the ring buffer")]
    Events(#[source] io::Error),
    /// The kernel does not measure what programs cost.
    #[error("the kernel does not measure what BPF programs cost, which needs 5.8 and CAP_SYS_ADMIN")]
    Measure(#[source] aya::sys::SyscallError),
    /// A clock cannot be read.
    #[error("cannot read the system's clocks")]
    Clock(#[source] io::Error),
    /// `/proc` cannot be read.
    #[error("cannot read the process file system in {}", path.display())]
    Procfs {
        /// Where it should be.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl KernelError {
    /// Whether more privileges would help.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Permission { .. } | Self::Forbidden { .. } | Self::LockedMemory { .. })
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::Permission { .. } => {
                "run it as root (sudo resetmon …), or give the binary the capabilities: \
                 setcap cap_bpf,cap_perfmon+ep /path/to/resetmon"
            }
            Self::Forbidden { .. } => {
                "a container's seccomp filter, a user namespace or kernel lockdown forbids bpf(2): run resetmon \
                 outside of the container, or allow bpf(2) there"
            }
            Self::LockedMemory { .. } => {
                "kernels before 5.11 count BPF maps as locked memory: raise the limit as root (ulimit -l unlimited; in a \
                 unit, LimitMEMLOCK=infinity), or let resetmon raise it: setcap cap_bpf,cap_perfmon,cap_sys_resource+ep \
                 /path/to/resetmon"
            }
            Self::NoBtf { .. } => {
                "resetmon needs a kernel of 5.10 or later that was built with CONFIG_DEBUG_INFO_BTF=y; the kernels of \
                 current distributions are"
            }
            Self::Layout { .. } => "please report it with the version of the kernel",
            Self::ProbeRefused { .. } => "please report it with that log",
            Self::RingSize { page, .. } => {
                return Some(format!("give a power of two that is at least one page, {page} bytes"));
            }
            Self::Procfs { .. } => "mount procfs there, or name the place where it is with --path.procfs",
            Self::Attach { .. }
            | Self::Object(_)
            | Self::Map { .. }
            | Self::Events(_)
            | Self::Measure(_)
            | Self::Clock(_) => {
                return None;
            }
        };
        Some(advice.to_owned())
    }
}
