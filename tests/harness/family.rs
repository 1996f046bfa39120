//! The three ways in which TCP's addresses come: most tests are run for each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which sockets talk, and what is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 sockets.
    Ipv4,
    /// IPv6 sockets that talk IPv6.
    Ipv6,
    /// IPv6 sockets that talk IPv4.
    Mapped,
}

impl Family {
    /// As events name what is on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 | Self::Mapped => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    /// An actor's command that makes a listener.
    pub fn listen(self) -> &'static str {
        match self {
            Self::Ipv4 => "listen 127.0.0.1:0",
            Self::Ipv6 => "listen [::1]:0",
            Self::Mapped => "listen [::]:0 dual",
        }
    }

    /// The loopback address at which sockets of this family reach `port`.
    pub fn address(self, port: u16) -> SocketAddr {
        let address: IpAddr = match self {
            Self::Ipv4 => Ipv4Addr::LOCALHOST.into(),
            Self::Ipv6 => Ipv6Addr::LOCALHOST.into(),
            Self::Mapped => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        };
        SocketAddr::new(address, port)
    }

    /// How events show that address.
    pub fn shown(self, port: u16) -> SocketAddr {
        let address = self.address(port);
        SocketAddr::new(address.ip().to_canonical(), port)
    }
}
