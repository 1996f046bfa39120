//! The words that name a property in an expression: those of the flags, and ss(8)'s where they mean the same.

use super::{
    Filter, Test,
    value::{self, ValueError},
};
use crate::model::{Direction, Family};

/// What a word asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A property that holds or not.
    Alone(Alone),
    /// A property with a value.
    Valued(Valued),
}

/// What needs no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    Direction(Direction),
    Family(Family),
    /// The filter that lets everything pass.
    Everything,
    /// The filter that lets nothing pass.
    Nothing,
}

/// What is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Valued {
    Pid,
    Comm,
    Unit,
    Container,
    Workload,
    Peer,
    Local,
    Port,
    LocalPort,
    PeerPort,
    Cause,
    Reason,
    Errno,
}

/// Every word, the preferred one of each meaning first.
pub(super) const WORDS: [(&str, Word); 23] = [
    ("pid", Word::Valued(Valued::Pid)),
    ("comm", Word::Valued(Valued::Comm)),
    ("unit", Word::Valued(Valued::Unit)),
    ("container", Word::Valued(Valued::Container)),
    ("workload", Word::Valued(Valued::Workload)),
    ("peer", Word::Valued(Valued::Peer)),
    ("local", Word::Valued(Valued::Local)),
    ("port", Word::Valued(Valued::Port)),
    ("lport", Word::Valued(Valued::LocalPort)),
    ("pport", Word::Valued(Valued::PeerPort)),
    ("cause", Word::Valued(Valued::Cause)),
    ("reason", Word::Valued(Valued::Reason)),
    ("errno", Word::Valued(Valued::Errno)),
    ("sent", Word::Alone(Alone::Direction(Direction::Sent))),
    ("received", Word::Alone(Alone::Direction(Direction::Received))),
    ("ipv4", Word::Alone(Alone::Family(Family::Ipv4))),
    ("ipv6", Word::Alone(Alone::Family(Family::Ipv6))),
    ("everything", Word::Alone(Alone::Everything)),
    ("nothing", Word::Alone(Alone::Nothing)),
    ("dst", Word::Valued(Valued::Peer)),
    ("src", Word::Valued(Valued::Local)),
    ("dport", Word::Valued(Valued::PeerPort)),
    ("sport", Word::Valued(Valued::LocalPort)),
];

impl Word {
    /// The word with this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, word)| *word)
    }
}

impl Alone {
    /// What it means.
    pub(super) fn filter(self) -> Filter {
        match self {
            Self::Direction(direction) => Filter::Test(Test::Direction(direction)),
            Self::Family(family) => Filter::Test(Test::Family(family)),
            Self::Everything => Filter::All(Vec::new()),
            Self::Nothing => Filter::Any(Vec::new()),
        }
    }
}

impl Valued {
    /// What it means with a value.
    pub(super) fn filter(self, value: &str) -> Result<Filter, ValueError> {
        Ok(Filter::Test(match self {
            Self::Pid => Test::Pid(value::pid(value)?),
            Self::Comm => Test::Comm(value.parse()?),
            Self::Unit => Test::Unit(value.parse()?),
            Self::Container => Test::Container(value.parse()?),
            Self::Workload => Test::Workload(value.parse()?),
            Self::Peer => return end(value, Test::Peer, Test::PeerPort),
            Self::Local => return end(value, Test::Local, Test::LocalPort),
            Self::Port => Test::Port(value::port(value)?),
            Self::LocalPort => Test::LocalPort(value::port(value)?),
            Self::PeerPort => Test::PeerPort(value::port(value)?),
            Self::Cause => Test::Cause(value.parse()?),
            Self::Reason => Test::Reason(value.parse()?),
            Self::Errno => Test::Errno(value::errno(value)?),
        }))
    }

    /// A value that it could have.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Pid => "4711",
            Self::Comm => "python3",
            Self::Unit => "nginx",
            Self::Container => "7be92808767a",
            Self::Workload => "kubernetes",
            Self::Peer | Self::Local => "10.0.0.0/8",
            Self::Port | Self::LocalPort | Self::PeerPort => "443",
            Self::Cause => "close_unread",
            Self::Reason => "no_socket",
            Self::Errno => "ECONNRESET",
        }
    }
}

/// An end has a network, a port, or both.
fn end(text: &str, network: fn(ipnet::IpNet) -> Test, port: fn(u16) -> Test) -> Result<Filter, ValueError> {
    let (in_network, at_port) = value::end(text)?;
    let network = in_network.map(|value| Filter::Test(network(value)));
    let port = at_port.map(|value| Filter::Test(port(value)));
    Ok(match (network, port) {
        (Some(network), Some(port)) => Filter::All(vec![network, port]),
        (network, port) => network.or(port).unwrap_or_default(),
    })
}
