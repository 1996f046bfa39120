//! Writes a filter as an expression that `parse` makes the same filter of.

use std::fmt::{self, Display as _};

use ipnet::IpNet;

use super::{Filter, Test, token::written};

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(filters) => joined(
                f,
                filters,
                " and ",
                "everything",
                |inner| matches!(inner, Self::All(inner) | Self::Any(inner) if inner.len() > 1),
            ),
            Self::Any(filters) => joined(
                f,
                filters,
                " or ",
                "nothing",
                |inner| matches!(inner, Self::Any(inner) if inner.len() > 1),
            ),
            Self::Not(filter) => {
                f.write_str("not ")?;
                let is_joined = matches!(&**filter, Self::All(inner) | Self::Any(inner) if inner.len() > 1);
                part(f, filter, is_joined)
            }
            Self::Test(test) => test.fmt(f),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    filters: &[Filter],
    by: &str,
    none: &str,
    needs_parentheses: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    match filters {
        [] => f.write_str(none),
        // One alone is the same as the whole.
        [filter] => filter.fmt(f),
        [first, rest @ ..] => {
            part(f, first, needs_parentheses(first))?;
            rest.iter().try_for_each(|filter| {
                f.write_str(by)?;
                part(f, filter, needs_parentheses(filter))
            })
        }
    }
}

fn part(f: &mut fmt::Formatter<'_>, filter: &Filter, needs_parentheses: bool) -> fmt::Result {
    // What is a list of one prints as its only member does, which may be a longer list.
    let inner = match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.as_slice(),
        _ => &[],
    };
    if needs_parentheses || inner.len() == 1 { write!(f, "({filter})") } else { filter.fmt(f) }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => write!(f, "pid {pid}"),
            Self::Comm(name) => write!(f, "comm {}", written(name.as_str())),
            Self::Unit(name) => write!(f, "unit {}", written(&escaped(name.as_str()))),
            Self::Container(name) => write!(f, "container {}", written(name.as_str())),
            Self::Workload(name) => write!(f, "workload {}", written(&escaped(name.as_str()))),
            Self::Peer(network) => write!(f, "peer {}", shortest(network)),
            Self::Local(network) => write!(f, "local {}", shortest(network)),
            Self::Port(port) => write!(f, "port {port}"),
            Self::LocalPort(port) => write!(f, "lport {port}"),
            Self::PeerPort(port) => write!(f, "pport {port}"),
            Self::Cause(cause) => write!(f, "cause {}", cause.as_str()),
            Self::Reason(name) => write!(f, "reason {}", name.as_str()),
            Self::Direction(direction) => f.write_str(direction.as_str()),
            Self::Family(family) => f.write_str(family.as_str()),
            Self::Errno(errno) => write!(f, "errno {}", errno.as_str()),
        }
    }
}

/// systemd's escape of the backslash alone: the names of units and workloads are read unescaped.
fn escaped(name: &str) -> String {
    name.replace('\\', r"\x5c")
}

/// The network of one address is written as the address.
fn shortest(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}
