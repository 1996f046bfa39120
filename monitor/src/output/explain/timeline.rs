//! What happened when on a connection, as far as an event tells. Moments are told from the reset; one that coincides with it
//! by the kernel's doing (a close that resets) has no time of its own, and is not here.

use jiff::SignedDuration;

use super::End;
use crate::{
    catalogue::Words,
    model::{Direction, ResetEvent, connection::Connection},
};

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// When, from the reset: negative is before.
    pub(super) at: SignedDuration,
    pub(super) step: Step,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Established,
    LastData,
    LastDataSent,
    LastDataReceived,
    Closed,
    StoppedListening,
    RstSent,
    RstReceived,
}

impl Step {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::LastData => "last_data",
            Self::LastDataSent => "last_data_sent",
            Self::LastDataReceived => "last_data_received",
            Self::Closed => "closed",
            Self::StoppedListening => "stopped_listening",
            Self::RstSent => "rst_sent",
            Self::RstReceived => "rst_received",
        }
    }

    pub(super) const fn word(self, words: &Words) -> &'static str {
        match self {
            Self::Established => words.established,
            Self::LastData => words.last_data,
            Self::LastDataSent => words.last_data_sent,
            Self::LastDataReceived => words.last_data_received,
            Self::Closed => words.closed,
            Self::StoppedListening => words.stopped_listening,
            Self::RstSent => words.rst_sent,
            Self::RstReceived => words.rst_received,
        }
    }

    const fn rst(direction: Direction) -> Self {
        match direction {
            Direction::Sent => Self::RstSent,
            Direction::Received => Self::RstReceived,
        }
    }
}

/// Everything that is known, in order.
pub(super) fn timeline(event: &ResetEvent) -> Vec<Moment> {
    let before = |time: std::time::Duration, step| {
        let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        Moment { at: -time, step, end: End::This }
    };
    let mut moments = Vec::new();
    if let Some(connection) = &event.connection {
        moments.extend(connection.age.map(|age| before(age, Step::Established)));
        let (sent, received) = moved(event, connection);
        // Without data these times are those of the handshake.
        let since_sent = connection.since_sent.filter(|_| sent);
        let since_received = connection.since_received.filter(|_| received);
        moments.extend(since_sent.map(|since| before(since, Step::LastDataSent)));
        moments.extend(since_received.map(|since| before(since, Step::LastDataReceived)));
        if since_sent.is_none() && since_received.is_none() && (sent || received) {
            moments.extend(connection.idle.map(|idle| before(idle, Step::LastData)));
        }
    }
    if let Some(gone) = event.gone {
        let step = if gone.was_listener { Step::StoppedListening } else { Step::Closed };
        moments.push(before(gone.since, step));
    }
    moments.push(Moment { at: SignedDuration::ZERO, step: Step::rst(event.direction), end: End::This });
    if let Some(other) = event.counterpart.as_deref() {
        // The sender's probe fires behind the transmission, which on one host may be the receipt: no RST comes before it is
        // sent.
        let at = other.time.duration_since(event.time);
        let at = match event.direction {
            Direction::Sent => at.max(SignedDuration::ZERO),
            Direction::Received => at.min(SignedDuration::ZERO),
        };
        moments.push(Moment { at, step: Step::rst(other.direction), end: End::Other });
    }
    // At one moment an RST is sent before it is received, and after everything else.
    moments.sort_by_key(|moment| (moment.at, moment.step == Step::RstReceived));
    moments
}

/// Whether data was sent, and whether any came.
fn moved(event: &ResetEvent, connection: &Connection) -> (bool, bool) {
    let of_socket = connection.figures.map(|figures| (figures.bytes_sent, figures.bytes_received));
    let of_gone = || event.gone.map(|gone| (gone.bytes_sent, gone.bytes_received));
    of_socket.or_else(of_gone).map_or((false, false), |(sent, received)| (sent > 0, received > 0))
}
