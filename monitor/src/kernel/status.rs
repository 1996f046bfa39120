//! What became of each probe.

use std::fmt;

use super::seed::Seeded;

/// One probe and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeStatus {
    /// Name of the hook, as the kernel names it.
    pub name: &'static str,
    /// Whether resetmon works without it.
    pub need: ProbeNeed,
    /// What became of it.
    pub outcome: Outcome,
    /// What it gives, hence what is lost without it: a clause such as "who accepted a connection".
    pub gives: &'static str,
}

/// Whether resetmon works without a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeNeed {
    /// Nothing works without it.
    Required,
    /// Tried at start; something is lost without it.
    Optional,
    /// On a busy path, so only tried when asked for.
    OptIn,
}

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is attached.
    Attached(Mechanism),
    /// It has run, once.
    Ran(Seeded),
    /// It will be attached when the kernel module that has the function is loaded.
    Waiting {
        /// Name of the module.
        module: &'static str,
    },
    /// This kernel needs no such probe: a required one tells as much.
    NotNeeded,
    /// Nobody asked for it.
    NotAsked,
    /// It cannot be attached, for this reason.
    Missing(String),
}

/// How a probe is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// To a tracepoint, with typed arguments.
    TpBtf,
    /// To a tracepoint, with arguments as they are.
    RawTp,
    /// To the entry of a function, by a trampoline.
    Fentry,
    /// To the return of a function, by a trampoline.
    Fexit,
    /// To the entry of a function, by a breakpoint or ftrace.
    Kprobe,
    /// To the return of a function, likewise.
    Kretprobe,
    /// To nothing: it visits what there is, once.
    Iterator,
}

impl Mechanism {
    /// As the kernel's documentation writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf",
            Self::RawTp => "raw_tp",
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
            Self::Iterator => "iter",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached(mechanism) => f.write_str(mechanism.as_str()),
            Self::Ran(seeded) => {
                let (sockets, took) = (seeded.sockets, seeded.took.as_secs_f64() * 1000.0);
                let rest = if seeded.complete { "" } else { ", and was stopped" };
                write!(f, "{}, {sockets} sockets in {took:.1} ms{rest}", Mechanism::Iterator.as_str())
            }
            Self::Waiting { module } => write!(f, "waiting for module {module}"),
            Self::NotNeeded => f.write_str("not needed"),
            Self::NotAsked => f.write_str("not asked for"),
            Self::Missing(reason) => write!(f, "missing: {reason}"),
        }
    }
}

impl ProbeStatus {
    /// Whether it is attached, or has done its work.
    pub fn is_attached(&self) -> bool {
        matches!(self.outcome, Outcome::Attached(_) | Outcome::Ran(_))
    }
}
