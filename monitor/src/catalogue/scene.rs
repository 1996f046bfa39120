//! Who had which part in a reset, and the numbers that its evidence has: what the sentences about it are made of.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::{
    cause::Cause,
    model::{
        Direction, Errno, ResetEvent,
        connection::AcceptQueue,
        diagnosis::{Diagnosis, Evidence},
        process::{Exit, Process},
    },
};

/// A reset with both its ends.
pub(super) struct Scene<'a> {
    event: &'a ResetEvent,
    diagnosis: &'a Diagnosis,
}

/// One end: its process, or where nobody knows that its address. Of an actor only the name and the id may be known.
#[derive(Clone, Copy)]
pub(super) enum Party<'a> {
    Process(&'a Process),
    Named(&'a str, u32),
    Address(SocketAddr),
}

impl fmt::Display for Party<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(process) => write!(f, "{}[{}]", process.name(), process.pid),
            Self::Named(name, pid) => write!(f, "{name}[{pid}]"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl<'a> Scene<'a> {
    pub(super) fn new(event: &'a ResetEvent, diagnosis: &'a Diagnosis) -> Self {
        Self { event, diagnosis }
    }

    pub(super) fn cause(&self) -> Cause {
        self.diagnosis.cause
    }

    /// The end that sent the reset.
    pub(super) fn sender(&self) -> Party<'a> {
        self.party(Direction::Sent)
    }

    /// The end that the reset went to.
    pub(super) fn receiver(&self) -> Party<'a> {
        self.party(Direction::Received)
    }

    /// The address of the end that sent the reset.
    pub(super) fn sender_address(&self) -> SocketAddr {
        self.address(Direction::Sent)
    }

    /// The process at the receiving end and its error, where both are known.
    pub(super) fn told(&self) -> Option<(Party<'a>, Errno)> {
        self.told_at(Direction::Received)
    }

    /// The same of the sending end.
    pub(super) fn told_sender(&self) -> Option<(Party<'a>, Errno)> {
        self.told_at(Direction::Sent)
    }

    /// Who acted on the socket of another.
    pub(super) fn actor(&self) -> Option<Party<'a>> {
        let process = self.end(Direction::Sent).and_then(|end| end.actor.as_ref());
        process.map(Party::Process).or_else(|| {
            self.find(|one| match one {
                Evidence::Actor { comm, pid } => Some(Party::Named(comm, *pid)),
                _ => None,
            })
        })
    }

    pub(super) fn unread(&self) -> Option<u32> {
        self.find(|one| if let Evidence::UnreadBytes(bytes) = one { Some(*bytes) } else { None })
    }

    pub(super) fn unacked(&self) -> Option<u32> {
        self.find(|one| if let Evidence::UnackedBytes(bytes) = one { Some(*bytes) } else { None })
    }

    pub(super) fn bytes_sent(&self) -> Option<u64> {
        self.find(|one| if let Evidence::BytesSent(bytes) = one { Some(*bytes) } else { None })
    }

    pub(super) fn bytes_received(&self) -> Option<u64> {
        self.find(|one| if let Evidence::BytesReceived(bytes) = one { Some(*bytes) } else { None })
    }

    /// Payload of the packet that the reset answers.
    pub(super) fn late_bytes(&self) -> Option<u32> {
        self.find(|one| if let Evidence::Trigger { bytes, .. } = one { Some(*bytes) } else { None })
    }

    pub(super) fn idle(&self) -> Option<Duration> {
        self.find(|one| match one {
            Evidence::Idle(idle) | Evidence::KnownTimer { idle, .. } => Some(*idle),
            _ => None,
        })
    }

    pub(super) fn idle_before_close(&self) -> Option<Duration> {
        self.find(|one| if let Evidence::IdleBeforeClose(idle) = one { Some(*idle) } else { None })
    }

    pub(super) fn pause(&self) -> Option<Duration> {
        self.find(|one| if let Evidence::Pause(pause) = one { Some(*pause) } else { None })
    }

    pub(super) fn exit(&self) -> Option<Exit> {
        self.find(|one| if let Evidence::Exit(exit) = one { Some(*exit) } else { None })
    }

    pub(super) fn probes(&self) -> Option<u8> {
        self.find(|one| if let Evidence::KeepaliveProbes(probes) = one { Some(*probes) } else { None })
    }

    pub(super) fn queue(&self) -> Option<AcceptQueue> {
        self.find(|one| if let Evidence::AcceptQueue(queue) = one { Some(*queue) } else { None })
    }

    /// A program listened on the port not long ago.
    pub(super) fn listened(&self) -> bool {
        self.diagnosis.evidence.iter().any(|one| matches!(one, Evidence::ListenedUntil(_)))
    }

    fn find<T>(&self, value: impl Fn(&'a Evidence) -> Option<T>) -> Option<T> {
        self.diagnosis.evidence.iter().find_map(value)
    }

    fn end(&self, direction: Direction) -> Option<&'a ResetEvent> {
        if self.event.direction == direction { Some(self.event) } else { self.event.counterpart.as_deref() }
    }

    fn party(&self, direction: Direction) -> Party<'a> {
        // Who listened at the port once has to do with who asks for it now, and with nothing else.
        let listened = |end: &&ResetEvent| end.gone.is_some_and(|gone| gone.was_listener);
        let end = self.end(direction).filter(|end| self.cause() == Cause::ClosedPort || !listened(end));
        let process = end.and_then(|end| end.process.as_ref());
        process.map_or_else(|| Party::Address(self.address(direction)), Party::Process)
    }

    fn address(&self, direction: Direction) -> SocketAddr {
        let tuple = self.event.tuple;
        if self.event.direction == direction { tuple.local } else { tuple.peer }
    }

    fn told_at(&self, direction: Direction) -> Option<(Party<'a>, Errno)> {
        let end = self.end(direction)?;
        Some((end.process.as_ref().map(Party::Process)?, end.errno?))
    }
}
