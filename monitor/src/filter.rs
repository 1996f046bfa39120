//! Which resets a user wants to see: tests on one event, and how they are combined. Pure: the same tree serves live
//! matching and queries of the history, and knows nothing of either. It is written as it is read (`print`, `parse`), which
//! is how it travels.

pub mod flags;
pub mod parse;
pub mod value;

mod print;
mod token;
mod word;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;

use self::value::{ContainerName, ProcessName, ReasonName, UnitName, WorkloadName};
use crate::{
    cause::Cause,
    model::{Direction, Errno, Family, ResetEvent},
};

/// A condition on events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Holds when every one holds; of none, always.
    All(Vec<Filter>),
    /// Holds when one holds; of none, never.
    Any(Vec<Filter>),
    /// Holds when the other does not.
    Not(Box<Filter>),
    /// Holds when the event has a property.
    Test(Test),
}

/// One property of an event. What is not known about an event has no property, so no test of it holds — and its
/// negation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The owner has this process id.
    Pid(u32),
    /// The owner has this name.
    Comm(ProcessName),
    /// The socket belongs to this systemd unit.
    Unit(UnitName),
    /// The socket belongs to this container.
    Container(ContainerName),
    /// The socket belongs to this workload.
    Workload(WorkloadName),
    /// The peer's address is in this network.
    Peer(IpNet),
    /// The local address is in this network.
    Local(IpNet),
    /// Either end has this port.
    Port(u16),
    /// The local end has this port.
    LocalPort(u16),
    /// The peer has this port.
    PeerPort(u16),
    /// The reset has this cause.
    Cause(Cause),
    /// The kernel gave this reason.
    Reason(ReasonName),
    /// The RST went this way.
    Direction(Direction),
    /// The packets are of this family.
    Family(Family),
    /// The application is told this error.
    Errno(Errno),
}

impl Filter {
    /// The filter that lets everything pass.
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// Whether the filter holds for an event.
    pub fn matches(&self, event: &ResetEvent) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(event)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(event)),
            Self::Not(filter) => !filter.matches(event),
            Self::Test(test) => test.matches(event),
        }
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::everything()
    }
}

impl Test {
    /// Whether the event has the property.
    pub fn matches(&self, event: &ResetEvent) -> bool {
        let (local, peer) = (event.tuple.local, event.tuple.peer);
        match self {
            Self::Pid(pid) => event.process.as_ref().is_some_and(|process| process.pid == *pid),
            Self::Comm(name) => event.process.as_ref().is_some_and(|process| name.is_of(process.name())),
            Self::Unit(name) => event.workload.as_ref().is_some_and(|workload| name.is_of(workload)),
            Self::Container(name) => event.workload.as_ref().is_some_and(|workload| name.is_of(workload)),
            Self::Workload(name) => event.workload.as_ref().is_some_and(|workload| name.is_of(workload)),
            Self::Cause(cause) => event.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.cause == *cause),
            Self::Peer(network) => contains(network, peer.ip()),
            Self::Local(network) => contains(network, local.ip()),
            Self::Port(port) => local.port() == *port || peer.port() == *port,
            Self::LocalPort(port) => local.port() == *port,
            Self::PeerPort(port) => peer.port() == *port,
            Self::Reason(name) => event.reason.as_ref().is_some_and(|reason| name.is_of(reason)),
            Self::Direction(direction) => event.direction == *direction,
            Self::Family(family) => event.tuple.family() == *family,
            Self::Errno(errno) => event.errno == Some(*errno),
        }
    }
}

fn contains(network: &IpNet, address: IpAddr) -> bool {
    network.contains(&address)
}
