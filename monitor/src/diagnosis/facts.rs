//! What rules may look at: one event, its other end, its past, and what follows from them by arithmetic.

use std::time::Duration;

use super::{
    Sight,
    history::Past,
    mechanism::{Mechanism, Source, mechanism},
};
use crate::model::{
    Direction, ResetEvent, TcpState,
    connection::{Connection, Figures, Role, Socket},
    segment::Segment,
};

/// A pause from which on a connection counts as idle.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// An idle time that is long whatever the connection is for.
pub(super) const LONG_IDLE: Duration = Duration::from_secs(10);

/// Round trips that an answer at once may take.
const ROUND_TRIPS: u32 = 4;

/// What the kernel's ticks can add to a time: two at a hundred a second.
const TICKS: Duration = Duration::from_millis(20);

/// What an answer at once may take where the round trip is not known.
const UNKNOWN_ROUND_TRIPS: Duration = Duration::from_millis(300);

/// Unacknowledged bytes that make an upload by themselves.
const MUCH_UNACKED: u32 = 64 << 10;

/// Unacknowledged bytes that are more than a new connection sends at once, and make an upload where much was sent before.
const SOME_UNACKED: u32 = 16 << 10;

/// Bytes sent that are much.
const MUCH_SENT: u64 = 256 << 10;

/// The smallest round trip that the kernel's ticks can measure.
const MEASURABLE_ROUND_TRIP: Duration = Duration::from_millis(50);

/// The first port that clients get by default (`net.ipv4.ip_local_port_range`).
const FIRST_EPHEMERAL: u16 = 32768;

/// Idle times after which products end connections.
pub(super) const KNOWN_TIMERS: [(Duration, &str); 4] = [
    (Duration::from_mins(1), "AWS ALB"),
    (Duration::from_mins(4), "Azure Load Balancer"),
    (Duration::from_secs(350), "AWS NLB"),
    (Duration::from_mins(10), "Google Cloud"),
];

/// Everything about one event.
pub(super) struct Facts<'a> {
    /// The event.
    pub(super) event: &'a ResetEvent,
    /// The other end's event.
    pub(super) other: Option<&'a ResetEvent>,
    /// What was seen before.
    pub(super) past: &'a Past,
    /// What is seen at all.
    pub(super) sight: Sight,
    mechanism: Option<(Mechanism, Source)>,
}

/// Whether two idle times are the same one: within two percent of the second.
pub(super) fn is_same_idle(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= other / 50
}

impl<'a> Facts<'a> {
    pub(super) fn new(
        event: &'a ResetEvent,
        other: Option<&'a ResetEvent>,
        past: &'a Past,
        sight: Sight,
    ) -> Self {
        let mechanism = (event.direction == Direction::Sent).then(|| mechanism(event)).flatten();
        Self { event, other, past, sight, mechanism }
    }

    /// Whether this made the kernel send the reset, and how that is known.
    pub(super) fn made_by(&self, wanted: Mechanism) -> Option<Source> {
        self.mechanism.filter(|(mechanism, _)| *mechanism == wanted).map(|(_, source)| source)
    }

    /// Whether one of these made the kernel send the reset.
    pub(super) fn is_made_by(&self, wanted: &[Mechanism]) -> bool {
        self.mechanism.is_some_and(|(mechanism, _)| wanted.contains(&mechanism))
    }

    pub(super) fn is_in(&self, states: &[TcpState]) -> bool {
        self.event.state.is_some_and(|state| states.contains(&state))
    }

    pub(super) fn socket(&self) -> Option<&'a Socket> {
        self.event.socket.as_ref()
    }

    pub(super) fn trigger(&self) -> Option<&'a Segment> {
        self.event.trigger.as_ref()
    }

    pub(super) fn connection(&self) -> Option<&'a Connection> {
        self.event.connection.as_ref()
    }

    pub(super) fn figures(&self) -> Option<&'a Figures> {
        self.connection()?.figures.as_ref()
    }

    pub(super) fn is_client(&self) -> bool {
        self.connection().is_some_and(|connection| connection.role == Some(Role::Client))
    }

    pub(super) fn is_server(&self) -> bool {
        self.connection().is_some_and(|connection| connection.role == Some(Role::Server))
    }

    /// The trigger carries data.
    pub(super) fn brings_data(&self) -> bool {
        self.trigger().is_some_and(|trigger| trigger.payload_bytes > 0)
    }

    /// The trigger asks for a new connection.
    pub(super) fn wants_connection(&self) -> bool {
        self.trigger().is_some_and(|trigger| trigger.flags.syn() && !trigger.flags.ack())
    }

    /// The trigger answers a wish for a new connection.
    pub(super) fn grants_connection(&self) -> bool {
        self.trigger().is_some_and(|trigger| trigger.flags.syn() && trigger.flags.ack())
    }

    /// The local port is one of those that clients get.
    pub(super) fn is_at_ephemeral_port(&self) -> bool {
        self.event.tuple.local.port() >= FIRST_EPHEMERAL
    }

    /// The very connection is remembered, and for how long it has been closed.
    pub(super) fn since_close(&self) -> Option<Duration> {
        self.event.gone.filter(|gone| !gone.was_listener).map(|gone| gone.since)
    }

    /// How long no data had moved when this end closed; of a socket that is still there, until now, where closing was a
    /// moment ago: its FIN is on the way.
    pub(super) fn idle_before_close(&self) -> Option<Duration> {
        match self.event.gone {
            Some(gone) => gone.idle,
            None => self.connection()?.idle,
        }
    }

    /// The trigger crossed the close on the way, or came within a few round trips of it; `None` where that is not known. An
    /// orphan leaves `FIN_WAIT2` as soon as its FIN is acknowledged, so what it resets for in that state is the peer's first
    /// packet after the FIN (`tcp_rcv_state_process()`, `net/ipv4/tcp_input.c`, with the default `tcp_fin_timeout`).
    pub(super) fn crosses_close(&self) -> Option<bool> {
        match (self.since_close(), self.event.state) {
            (Some(since), _) => Some(since <= self.at_once()),
            (None, Some(TcpState::FinWait1)) => Some(true),
            (None, Some(TcpState::FinWait2)) if self.socket().is_some_and(|socket| socket.orphaned) => {
                Some(true)
            }
            (None, _) => None,
        }
    }

    /// The longest time that an answer at once takes.
    pub(super) fn at_once(&self) -> Duration {
        let figures_of = |event: &'a ResetEvent| event.connection.as_ref()?.figures.as_ref();
        let figures = self.figures().or_else(|| figures_of(self.other?));
        match figures.filter(|figures| !figures.srtt.is_zero()) {
            Some(figures) => figures
                .srtt
                .saturating_add(figures.rtt_deviation)
                .saturating_mul(ROUND_TRIPS)
                .saturating_add(TICKS),
            None => UNKNOWN_ROUND_TRIPS,
        }
    }

    /// Of an open connection: no data for a while and none on the way.
    pub(super) fn rests(&self) -> Option<Duration> {
        let idle = self.connection()?.idle?;
        (self.figures()?.unacked_bytes == 0 && idle >= PAUSE).then_some(idle)
    }

    /// The last data was sent, not received: an answer is due.
    pub(super) fn waits_for_answer(&self) -> bool {
        let (Some(figures), Some(connection)) = (self.figures(), self.connection()) else { return false };
        let sent_last = match (connection.since_sent, connection.since_received) {
            (Some(sent), Some(received)) => sent < received,
            _ => false,
        };
        figures.bytes_sent > 0 && (figures.bytes_received == 0 || sent_last)
    }

    /// Nothing was ever sent or received, nor is there anything to send.
    pub(super) fn is_untouched(&self) -> bool {
        self.figures().is_some_and(|figures| {
            figures.bytes_sent == 0 && figures.bytes_received == 0 && figures.unacked_bytes == 0
        })
    }

    /// How long nothing had come from the peer when this end sent last, if the reset came at once then and nothing between.
    pub(super) fn pause_before_sending(&self) -> Option<Duration> {
        let connection = self.connection()?;
        let since_heard = [connection.since_received, connection.since_acked].into_iter().flatten().min()?;
        let since_sent = connection.since_sent?;
        let pause = since_heard.checked_sub(since_sent)?;
        let at_once = since_sent <= self.at_once() && self.figures()?.unacked_bytes > 0;
        (at_once && pause >= PAUSE).then_some(pause)
    }

    /// Much data is on its way.
    pub(super) fn uploads(&self) -> bool {
        self.figures().is_some_and(|figures| {
            let unanswered = figures.bytes_received == 0 && figures.unacked_bytes > 0;
            let goes_on = unanswered || figures.unacked_bytes >= SOME_UNACKED;
            figures.unacked_bytes >= MUCH_UNACKED || figures.bytes_sent >= MUCH_SENT && goes_on
        })
    }

    /// The product that ends connections after this idle time.
    pub(super) fn known_timer(&self) -> Option<(Duration, &'static str)> {
        let idle = self.connection()?.idle?;
        let known = KNOWN_TIMERS.iter().find(|(limit, _)| is_same_idle(idle, *limit))?;
        Some((idle, known.1))
    }

    /// TTLs of the handshake and the RST that differ.
    pub(super) fn other_ttl(&self) -> Option<(u8, u8)> {
        let (handshake, rst) = (self.connection()?.handshake_ttl?, self.event.rst?.ttl);
        (handshake != rst).then_some((handshake, rst))
    }

    /// The RST came sooner after data than its answer could have, and the round trip. Of several segments on their way it may
    /// answer the first, and when that was sent is not known.
    pub(super) fn faster_than_round_trip(&self) -> Option<(Duration, Duration)> {
        let (figures, sent) = (self.figures()?, self.connection()?.since_sent?);
        let impossible = figures.packets_out == 1
            && figures.srtt >= MEASURABLE_ROUND_TRIP
            && sent.saturating_add(TICKS) < figures.srtt / 2;
        impossible.then_some((sent, figures.srtt))
    }

    /// How many independent signals say that the RST is not the peer's own.
    pub(super) fn signs_of_injection(&self) -> usize {
        let signs = [
            self.other_ttl().is_some(),
            self.faster_than_round_trip().is_some(),
            self.past.sent_after_reset > 0,
        ];
        signs.into_iter().filter(|sign| *sign).count()
    }

    /// The peer's address is one of this host's own, as far as addresses alone can tell.
    pub(super) fn is_peer_local(&self) -> bool {
        let (local, peer) = (self.event.tuple.local.ip(), self.event.tuple.peer.ip());
        peer.is_loopback() || peer == local
    }

    /// The program had closed the connection, so nobody is told.
    pub(super) fn is_closed_by_owner(&self) -> bool {
        let both_closed =
            self.is_in(&[TcpState::LastAck, TcpState::Closing, TcpState::TimeWait, TcpState::Close]);
        let one_closed = self.is_in(&[TcpState::FinWait1, TcpState::FinWait2]);
        let orphaned = self.socket().is_some_and(|socket| socket.orphaned);
        orphaned || both_closed || one_closed && !self.is_half_open()
    }

    /// The program has shut down its sending side alone, and still reads.
    pub(super) fn is_half_open(&self) -> bool {
        let reads = self.socket().is_some_and(|socket| !socket.orphaned && !socket.receive_shutdown);
        reads && self.is_in(&[TcpState::FinWait1, TcpState::FinWait2])
    }

    /// Data can still come.
    pub(super) fn is_open(&self) -> bool {
        self.is_in(&[TcpState::Established]) || self.is_half_open()
    }
}
