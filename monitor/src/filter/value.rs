//! How the values of tests are written: networks, names of processes, reasons and errors. Lacks what clap and the
//! standard library parse well: numbers.

use std::{net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net};

use crate::{
    cause::UnknownCause,
    model::{
        Errno, Reason,
        workload::{Workload, WorkloadKind},
    },
    workload::unescape,
};

/// The kernel keeps this many bytes of a thread's name.
const COMM_LENGTH: usize = 15;

/// Bits in front of the IPv4 address in a v4-mapped one.
const V4_MAPPED_PREFIX: u8 = 96;

/// Name of a process. One longer than the kernel keeps is the name of the process that shows the kept part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessName(String);

/// A reset reason as a user names it: a kernel's name for it in any case, with or without its prefixes, or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonName(String);

/// A systemd unit as a user names it: escaped or not, and a service also without its suffix, as systemctl(1) takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitName(String);

/// A container as a user names it: its name, or the first digits of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerName(String);

/// A workload as a user names it: a unit, a container, the uid of a pod, or a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadName(String);

/// Text that is no value of its kind. Does not repeat the text: whoever asked for the value shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a network.
    #[error("expected an address or a network, such as 10.0.0.9, 10.0.0.0/8 or 2001:db8::/32")]
    Network,
    /// A network with more bits than its addresses.
    #[error("the prefix length of an {family} network is at most {limit}")]
    PrefixLength {
        /// What kind of network.
        family: &'static str,
        /// How many bits its addresses have.
        limit: u8,
    },
    /// Not a process name.
    #[error("expected the name of a process")]
    ProcessName,
    /// Not the name of a unit, container or workload.
    #[error("expected a name")]
    Name,
    /// Not a reason.
    #[error("expected a reset reason of the kernel, such as no_socket or TCP_ABORT_ON_CLOSE, or its number")]
    Reason,
    /// Not an error that a reset causes.
    #[error("a reset causes one of {}", errno_names())]
    Errno,
    /// Not an end of a connection.
    #[error("expected an address, a network or a port, such as 10.0.0.9, 10.0.0.0/8, :443 or [::1]:443")]
    End,
    /// Not a port.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// Not a process id.
    #[error("a process id is a number from 1 to 4294967295")]
    Pid,
    /// Not a cause.
    #[error(transparent)]
    Cause(#[from] UnknownCause),
}

impl ValueError {
    /// The same error where a port would do as well.
    fn of_end(self) -> Self {
        if self == Self::Network { Self::End } else { self }
    }
}

impl ProcessName {
    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a process shown as `comm` has this name.
    pub(super) fn is_of(&self, comm: &str) -> bool {
        let kept = &self.0[..self.0.floor_char_boundary(COMM_LENGTH)];
        // A character that the kernel cut in two is shown as a replacement character.
        let is_cut = || comm.strip_suffix(char::REPLACEMENT_CHARACTER).unwrap_or(comm) == kept;
        comm == self.0 || (kept.len() < self.0.len() && is_cut())
    }
}

impl ProcessName {
    /// Every name under which such a process is shown.
    pub fn shown(&self) -> Vec<String> {
        let kept = &self.0[..self.0.floor_char_boundary(COMM_LENGTH)];
        let names = [self.0.clone(), kept.to_owned(), format!("{kept}{}", char::REPLACEMENT_CHARACTER)];
        names.into_iter().filter(|name| self.is_of(name)).collect()
    }
}

impl FromStr for ProcessName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() { Err(ValueError::ProcessName) } else { Ok(Self(text.to_owned())) }
    }
}

impl UnitName {
    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the workload is this unit.
    pub(super) fn is_of(&self, workload: &Workload) -> bool {
        let is_unit = matches!(workload.kind, WorkloadKind::Systemd | WorkloadKind::User);
        is_unit && workload.name.as_deref().is_some_and(|name| self.is(name))
    }

    fn is(&self, name: &str) -> bool {
        name == self.0 || name.strip_suffix(".service") == Some(&self.0)
    }
}

impl FromStr for UnitName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        name(text).map(|name| Self(unescape(name).into_owned()))
    }
}

impl ContainerName {
    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the workload is this container.
    pub(super) fn is_of(&self, workload: &Workload) -> bool {
        let is_unit = matches!(workload.kind, WorkloadKind::Systemd | WorkloadKind::User);
        let has_id = workload.container_id.as_ref().is_some_and(|id| id.starts_with(&self.0));
        has_id || (!is_unit && workload.name.as_deref() == Some(&self.0))
    }
}

impl FromStr for ContainerName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        name(text).map(|name| Self(name.to_owned()))
    }
}

impl WorkloadName {
    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the workload is this one, or of this kind.
    pub(super) fn is_of(&self, workload: &Workload) -> bool {
        let named = [&workload.container_id, &workload.pod_uid].into_iter().flatten();
        self.0 == workload.kind.as_str()
            || self.0 == workload.to_string()
            || self.0 == workload.short_name().unwrap_or_default()
            || named.into_iter().any(|name| **name == self.0)
            || UnitName(self.0.clone()).is_of(workload)
    }
}

impl FromStr for WorkloadName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        name(text).map(|name| Self(unescape(name).into_owned()))
    }
}

fn name(text: &str) -> Result<&str, ValueError> {
    if text.is_empty() { Err(ValueError::Name) } else { Ok(text) }
}

impl ReasonName {
    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names the reason.
    pub(super) fn is_of(&self, reason: &Reason) -> bool {
        match reason {
            Reason::Named(name) => without_prefixes(name).eq_ignore_ascii_case(&self.0),
            Reason::Unknown(number) => self.0.parse() == Ok(*number),
        }
    }
}

impl ReasonName {
    /// Every name of the kernel that it stands for, in capitals.
    pub fn names(&self) -> Vec<String> {
        let prefixed =
            ["", "TCP_", "SK_RST_REASON_", "SK_RST_REASON_TCP_"].map(|prefix| format!("{prefix}{}", self.0));
        prefixed.into_iter().filter(|name| without_prefixes(name) == self.0).collect()
    }

    /// The number that it stands for.
    pub fn number(&self) -> Option<u32> {
        self.0.parse().ok()
    }
}

impl FromStr for ReasonName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let name = without_prefixes(text);
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !is_name {
            return Err(ValueError::Reason);
        }
        Ok(Self(name.to_ascii_uppercase()))
    }
}

/// Reads a network in CIDR notation. An address is the network of itself, and a v4-mapped one is IPv4, as in events.
pub fn network(text: &str) -> Result<IpNet, ValueError> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| ValueError::Network)?;
    let (family, limit) = if address.is_ipv4() { ("IPv4", 32) } else { ("IPv6", 128) };
    let length = match length {
        Some(length) if is_digits(length) => length.parse().unwrap_or(u8::MAX),
        Some(_) => return Err(ValueError::Network),
        None => limit,
    };
    let network = IpNet::new(address, length).map_err(|_| ValueError::PrefixLength { family, limit })?;
    Ok(as_in_events(network).trunc())
}

/// Reads a port, with or without the colon that ss(8) puts before it.
pub fn port(text: &str) -> Result<u16, ValueError> {
    let number = text.strip_prefix(':').unwrap_or(text);
    let number = if is_digits(number) { number.parse().ok() } else { None };
    number.filter(|number| *number != 0).ok_or(ValueError::Port)
}

/// Reads a process id.
pub fn pid(text: &str) -> Result<u32, ValueError> {
    let number = if is_digits(text) { text.parse().ok() } else { None };
    number.filter(|number| *number != 0).ok_or(ValueError::Pid)
}

/// Reads one end of a connection as ss(8) takes it and as it is shown: a network, a port after a colon, or both.
pub fn end(text: &str) -> Result<(Option<IpNet>, Option<u16>), ValueError> {
    let is_digits_after = |(_, port): &(&str, &str)| is_digits(port);
    match text.rsplit_once(':').filter(is_digits_after) {
        Some(("", number)) => Ok((None, Some(port(number)?))),
        // Colons in an address are not those before ports, unless it is in brackets.
        Some((address, number)) if !address.contains(':') || address.starts_with('[') => {
            let bare = address.strip_prefix('[').map(|rest| rest.strip_suffix(']').ok_or(ValueError::End));
            Ok((Some(network(bare.transpose()?.unwrap_or(address))?), Some(port(number)?)))
        }
        _ => Ok((Some(network(text).map_err(ValueError::of_end)?), None)),
    }
}

/// Reads the name of an error, in any case.
pub fn errno(text: &str) -> Result<Errno, ValueError> {
    let named = |errno: &Errno| errno.as_str().eq_ignore_ascii_case(text);
    Errno::ALL.into_iter().find(named).ok_or(ValueError::Errno)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn as_in_events(network: IpNet) -> IpNet {
    let mapped = match network.addr() {
        IpAddr::V6(address) => address.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    };
    let inner = network.prefix_len().checked_sub(V4_MAPPED_PREFIX);
    match mapped.zip(inner).map(|(address, length)| Ipv4Net::new(address, length)) {
        Some(Ok(inner)) => inner.into(),
        _ => network,
    }
}

/// A reason without the prefixes that tell nothing. No two reasons differ in these alone.
fn without_prefixes(name: &str) -> &str {
    let without = |name, prefix| strip_prefix_ignoring_case(name, prefix).unwrap_or(name);
    without(without(name, "SK_RST_REASON_"), "TCP_")
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn errno_names() -> String {
    Errno::ALL.map(Errno::as_str).join(", ")
}
