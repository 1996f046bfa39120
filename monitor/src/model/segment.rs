//! A packet that had a part in a reset, and the place where a firewall met it.

use std::{fmt, str::FromStr};

/// The place in netfilter where a packet was refused with a reset (`enum nf_inet_hooks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetfilterHook {
    /// Before routing.
    Prerouting,
    /// A packet to this host.
    Input,
    /// A packet that this host forwards: neither end is here.
    Forward,
    /// A packet from this host.
    Output,
    /// After routing.
    Postrouting,
}

impl NetfilterHook {
    /// Every place, in the order of the variants.
    pub const ALL: [Self; 5] =
        [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting];

    /// As nft(8) writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }
}

/// Each flag's bit and letter.
const FLAGS: [(u8, char); 8] =
    [(1, 'F'), (2, 'S'), (4, 'R'), (8, 'P'), (16, 'A'), (32, 'U'), (64, 'E'), (128, 'C')];

/// TCP header flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl fmt::Display for TcpFlags {
    /// One letter a flag, in the order of tcpdump; `.` is ACK's letter there, `A` here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FLAGS.iter().filter(|(bit, _)| self.0 & bit != 0).try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

impl FromStr for TcpFlags {
    type Err = NoTcpFlag;

    fn from_str(text: &str) -> Result<Self, NoTcpFlag> {
        let bit = |letter| FLAGS.iter().find(|(_, known)| *known == letter).map(|(bit, _)| *bit);
        text.chars().try_fold(Self(0), |flags, letter| Ok(Self(flags.0 | bit(letter).ok_or(NoTcpFlag)?)))
    }
}

/// A letter that stands for no flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("flags are some of the letters FSRPAUEC")]
pub struct NoTcpFlag;

/// Header of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// TCP flags.
    pub flags: TcpFlags,
    /// Payload bytes.
    pub payload_bytes: u32,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window, not scaled.
    pub window: u16,
    /// IPv4 TTL or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
}
