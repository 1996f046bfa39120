//! The filter as flags, the same for every command that shows resets. Alternatives come from repeating a flag, and
//! different flags narrow each other down; for more there is an expression, which narrows down as well.

use clap::{Args, builder::RangedU64ValueParser};
use ipnet::IpNet;

use super::{
    Filter, Test,
    parse::ParseError,
    value::{self, ContainerName, ProcessName, ReasonName, UnitName, WorkloadName},
};
use crate::{
    cause::Cause,
    model::{Direction, Errno, Family},
};

/// Flags that choose resets.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Filters")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch on the command line")]
pub struct FilterFlags {
    /// Resets that hit the process with this id
    ///
    /// Every filter can be repeated: the same one again adds an alternative, a different one narrows down.
    #[arg(long, value_name = "PID", value_parser = pid())]
    pid: Vec<u32>,
    /// Resets that hit processes of this name
    #[arg(long, value_name = "NAME")]
    comm: Vec<ProcessName>,
    /// Resets of sockets of this systemd unit, such as `nginx` for nginx.service
    #[arg(long, value_name = "UNIT")]
    unit: Vec<UnitName>,
    /// Resets of sockets of this container, by its name or the first digits of its id
    #[arg(long, value_name = "CONTAINER")]
    container: Vec<ContainerName>,
    /// Resets of sockets of this workload: a unit or container, the uid of a pod, or all of a kind, such as `docker`
    #[arg(long, value_name = "WORKLOAD")]
    workload: Vec<WorkloadName>,
    /// Resets of connections with a peer in this network; an address is a network of one
    #[arg(long, value_name = "CIDR", value_parser = value::network)]
    peer: Vec<IpNet>,
    /// Resets of connections with a local address in this network
    #[arg(long, value_name = "CIDR", value_parser = value::network)]
    local: Vec<IpNet>,
    /// Resets of connections with this port at either end
    #[arg(long, value_name = "PORT", value_parser = port())]
    port: Vec<u16>,
    /// Resets of connections with this local port
    #[arg(long, value_name = "PORT", value_parser = port())]
    lport: Vec<u16>,
    /// Resets with this cause, such as `close_unread`
    #[arg(long, value_name = "CAUSE")]
    cause: Vec<Cause>,
    /// Resets that the kernel sent for this reason, such as `no_socket`; by number if it has no name
    #[arg(long, value_name = "REASON")]
    reason: Vec<ReasonName>,
    /// Resets that this host sent
    #[arg(long)]
    sent: bool,
    /// Resets that this host received
    #[arg(long)]
    received: bool,
    /// Resets of IPv4 connections
    #[arg(short = '4', long)]
    ipv4: bool,
    /// Resets of IPv6 connections
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Resets that gave the application this error, such as ECONNRESET
    #[arg(long, value_name = "ERRNO", value_parser = value::errno)]
    errno: Vec<Errno>,
    /// Resets for which this holds as well, such as `peer 10.0.0.0/8 and port 443 and not cause closed_port`
    ///
    /// The words are those of the flags, and `pport` for the peer's port. They are joined by `and` (which can be left
    /// out), `or`, `not` and parentheses, or by &&, || and !; `and` binds closer than `or`. `=` may stand before a value,
    /// `!=` means its opposite. `peer` and `local` also take `ADDRESS:PORT` and `:PORT`; `dst`, `src`, `dport` and
    /// `sport` are what ss(8) calls peer, local, pport and lport. What the shell would take for itself, and names with
    /// blanks, go between quotation marks, as in 'comm "my program" and (sent or ipv6)'.
    #[arg(value_name = "EXPRESSION")]
    expression: Vec<String>,
}

impl FilterFlags {
    /// What the flags and the expression mean together.
    pub fn filter(&self) -> Result<Filter, ParseError> {
        let expression = match self.expression.join(" ").parse()? {
            Filter::All(filters) => filters,
            filter => vec![filter],
        };
        let fields = [
            tests(&self.pid, Test::Pid),
            tests(&self.comm, Test::Comm),
            tests(&self.unit, Test::Unit),
            tests(&self.container, Test::Container),
            tests(&self.workload, Test::Workload),
            tests(&self.peer, Test::Peer),
            tests(&self.local, Test::Local),
            tests(&self.port, Test::Port),
            tests(&self.lport, Test::LocalPort),
            tests(&self.cause, Test::Cause),
            tests(&self.reason, Test::Reason),
            tests(&self.directions(), Test::Direction),
            tests(&self.families(), Test::Family),
            tests(&self.errno, Test::Errno),
        ];
        Ok(Filter::All(fields.into_iter().filter_map(alternatives).chain(expression).collect()))
    }

    /// The switches of one field are alternatives, as one flag with two values would be.
    fn directions(&self) -> Vec<Direction> {
        chosen([(self.sent, Direction::Sent), (self.received, Direction::Received)])
    }

    fn families(&self) -> Vec<Family> {
        chosen([(self.ipv4, Family::Ipv4), (self.ipv6, Family::Ipv6)])
    }
}

fn pid() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=u32::MAX.into())
}

fn port() -> RangedU64ValueParser<u16> {
    RangedU64ValueParser::new().range(1..=u16::MAX.into())
}

fn chosen<T>(switches: [(bool, T); 2]) -> Vec<T> {
    switches.into_iter().filter(|(is_on, _)| *is_on).map(|(_, value)| value).collect()
}

fn tests<T: Clone>(values: &[T], test: fn(T) -> Test) -> Vec<Filter> {
    values.iter().cloned().map(|value| Filter::Test(test(value))).collect()
}

/// One of the tests; nothing where there are none.
fn alternatives(mut tests: Vec<Filter>) -> Option<Filter> {
    match tests.len() {
        0 => None,
        1 => tests.pop(),
        _ => Some(Filter::Any(tests)),
    }
}
