//! Who owned a socket, how that is known, and how it ended.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

/// How the owner of a socket is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerFrom {
    /// It called connect(2).
    Connect,
    /// It accepted the connection.
    Accept,
    /// It called listen(2) on the socket or on the listener that the socket came from.
    Listen,
    /// It held the socket when the agent started.
    Seed,
    /// It was found by its open descriptor.
    Holder,
    /// It was the current task where the kernel proves that the current task is the owner.
    Current,
    /// The socket is gone; it was the last owner.
    Recent,
    /// There is no owner, or it is not known.
    None,
}

impl OwnerFrom {
    /// Every way, in the order of the variants.
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Accept,
        Self::Listen,
        Self::Seed,
        Self::Holder,
        Self::Current,
        Self::Recent,
        Self::None,
    ];

    /// As users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Accept => "accept",
            Self::Listen => "listen",
            Self::Seed => "seed",
            Self::Holder => "holder",
            Self::Current => "current",
            Self::Recent => "recent",
            Self::None => "none",
        }
    }
}

/// A process, identified by its id and its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Start, since boot.
    pub started: Duration,
    /// Start on the wall clock.
    pub start_time: Timestamp,
    /// Name of its main thread.
    pub comm: Arc<str>,
    /// Real user id.
    pub uid: u32,
    /// What `/proc` knows; `None` when the process was gone before it could be read.
    pub details: Option<Arc<ProcessDetails>>,
}

impl Process {
    /// Its name: what `/proc` says, else what the kernel had recorded.
    pub fn name(&self) -> &str {
        self.details.as_ref().map_or(&self.comm, |details| &details.comm)
    }
}

/// What `/proc` knows about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessDetails {
    /// Name of its main thread, as it is now.
    pub comm: Arc<str>,
    /// Path of its executable; `None` without permission to read it.
    pub exe: Option<Arc<str>>,
    /// Its arguments.
    pub cmdline: Option<Arc<[String]>>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It ended by itself, with this status.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
}
