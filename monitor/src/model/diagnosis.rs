//! What is concluded about a reset: the cause, how far it is to be relied on, and the facts that speak for it. How it is
//! concluded is `diagnosis`'s affair, how it is said `catalogue`'s.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{
    Reason, TcpState,
    connection::AcceptQueue,
    process::Exit,
    segment::{NetfilterHook, TcpFlags},
};
use crate::cause::{Cause, Confidence};

/// Why a reset happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The cause.
    pub cause: Cause,
    /// How much the cause is to be relied on.
    pub confidence: Confidence,
    /// The facts that speak for it, the weightiest first.
    pub evidence: Vec<Evidence>,
}

impl Diagnosis {
    /// That of the other end's event, of which only the cause is written. Its confidence is that of the event itself where
    /// both have the same cause, and the lowest otherwise.
    pub fn of_counterpart(cause: Cause, own: Option<&Self>) -> Self {
        let same = own.filter(|own| own.cause == cause);
        let confidence = same.map_or(Confidence::Possible, |own| own.confidence);
        Self { cause, confidence, evidence: Vec::new() }
    }
}

/// One fact, with its measured numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The end that sent the reset is on this host, and its facts count.
    SenderIsHere,
    /// Why the kernel sent the reset.
    KernelReason(Reason),
    /// The state before the reset.
    State(TcpState),
    /// No socket had a part in the reset.
    NoSocket,
    /// The packet that the reset answers.
    Trigger {
        /// Its flags.
        flags: TcpFlags,
        /// Its payload.
        bytes: u32,
    },
    /// Data that had come and was not read.
    UnreadBytes(u32),
    /// Data that was sent or waited to be, and was not acknowledged; none is a fact as well.
    UnackedBytes(u32),
    /// What the connection had sent.
    BytesSent(u64),
    /// What the connection had received.
    BytesReceived(u64),
    /// How long no data had moved.
    Idle(Duration),
    /// How long no data had moved when this end closed.
    IdleBeforeClose(Duration),
    /// An idle time, within two percent, after which a known product ends connections.
    KnownTimer {
        /// The time.
        idle: Duration,
        /// Whose it is.
        name: &'static str,
    },
    /// The peer has reset connections before after the same time idle, within two percent.
    PeersTimer {
        /// The earlier idle time that is nearest.
        idle: Duration,
        /// How many there were.
        times: u32,
    },
    /// How long before the reset this end had last sent data.
    SinceSent(Duration),
    /// How long before the reset data had last come.
    SinceReceived(Duration),
    /// How long nothing had come from the peer when this end sent.
    Pause(Duration),
    /// The smoothed round-trip time.
    RoundTrip(Duration),
    /// How long before the reset the connection had been closed.
    SinceClose(Duration),
    /// How long before the reset a program had stopped listening on the port.
    ListenedUntil(Duration),
    /// Nothing is remembered of such a connection.
    NothingRemembered,
    /// The RST's TTL is not that of the handshake.
    TtlDiffers {
        /// Of the packet that completed the handshake.
        handshake: u8,
        /// Of the RST.
        rst: u8,
    },
    /// The RST came sooner than anything can travel to the peer and back.
    FasterThanRoundTrip {
        /// How soon after the last data sent.
        after: Duration,
        /// The smoothed round-trip time.
        round_trip: Duration,
    },
    /// The peer went on sending after an RST in its name had come.
    PeerSentAfterReset(Duration),
    /// So did peers of this address on so many connections before.
    PeerHasSentAfterReset(u32),
    /// This end had reset the very connection, so long before.
    OwnReset(Duration),
    /// The queue of the listener.
    AcceptQueue(AcceptQueue),
    /// Keepalive probes that had no answer.
    KeepaliveProbes(u8),
    /// The user timeout of the socket.
    UserTimeout(Duration),
    /// `SO_LINGER` is set to zero.
    LingerZero,
    /// `TCP_LINGER2` is negative.
    Linger2Negative,
    /// The program had not shut the connection down.
    NotShutDown,
    /// The program had closed the connection.
    Orphaned,
    /// Nobody had accepted the connection.
    NeverAccepted,
    /// How the owner ended.
    Exit(Exit),
    /// So many connections of the process were reset before, at the same end of it.
    Burst(u32),
    /// This process acted, and is not the owner.
    Actor {
        /// Its name.
        comm: Arc<str>,
        /// Its id.
        pid: u32,
    },
    /// The peer tried so many closed ports within a time.
    PortScan {
        /// How many.
        ports: u32,
        /// In which time.
        within: Duration,
    },
    /// The firewall made the reset, here.
    Firewall(NetfilterHook),
    /// Both ends are here, and no TCP here sent the reset.
    NoLocalSender,
    /// The socket is a subflow of Multipath TCP.
    Mptcp,
    /// Another network namespace has a connection with the same peer and port.
    OtherNamespace {
        /// That namespace.
        netns: u32,
        /// The other end.
        peer: SocketAddr,
    },
    /// A fact in the words of whoever found it: all that is left of one that was written down and cannot be read back.
    Told(Arc<str>),
}
