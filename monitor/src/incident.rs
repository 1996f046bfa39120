//! Both ends of one reset. When sender and receiver are on this host there is an event of each; the first one waits for
//! the other, and each is told with the other as its counterpart. What has waited for too long is told alone. A wrong
//! join is worse than none. Pure; time is that of the kernel's events, since the host started.
//!
//! Ends in one network namespace are joined as soon as both have come. Ends in different ones are joined when the first
//! has waited as long as it may: until then a third namespace could turn up where the same addresses are in use.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;

use crate::model::{Direction, FourTuple, ResetEvent, connection::SequenceNumbers, segment::Segment};

/// How long after it happened an event waits for that of the other end: longer than either is held as a rule
/// (`hold::HOLD`).
pub const WINDOW: Duration = Duration::from_millis(35);

/// The same when the event of the other end is known to be held (`hold::HOLD_AGAIN`), and short enough that live output
/// is at most 50 ms late.
pub const LONG_WINDOW: Duration = Duration::from_millis(42);

/// Most events that wait at once; the oldest is let go early beyond that.
pub const LIMIT: usize = 8192;

/// Most events of one connection and direction that wait at once; the oldest is let go early beyond that. Bounds the
/// work for one event, whatever arrives.
pub const CONNECTION_LIMIT: usize = 16;

/// ACK in [`Segment::flags`].
const ACK: u8 = 16;

/// Events that wait for those of the other end.
#[derive(Debug, Default)]
pub struct Incidents {
    waiting: BTreeMap<Place, Waiting>,
    by_connection: HashMap<FourTuple, Ends>,
    /// How many have come so far.
    count: u64,
}

/// Where an event stands: first come, first let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// When it happened; later when more time was given to it.
    at: Duration,
    number: u64,
}

#[derive(Debug)]
struct Waiting {
    place: Place,
    event: ResetEvent,
    /// It has been given more time.
    is_late: bool,
    /// It fitted several others equally well, so no join of it can be trusted.
    doubted: bool,
}

/// The events of one connection that wait, in order of arrival.
#[derive(Debug, Default)]
struct Ends {
    sent: VecDeque<Place>,
    received: VecDeque<Place>,
}

/// What is known of the other end of an event.
enum Other {
    /// It is not on this host, as far as can be told.
    Absent,
    /// The event at that place.
    Found(Place),
    /// Several fit equally well; these have a part in that.
    Doubtful(Vec<Place>),
}

impl Incidents {
    /// Takes an event that happened then; appends to `told` what may be told by that.
    pub fn take(&mut self, event: ResetEvent, at: Duration, told: &mut Vec<ResetEvent>) {
        let here = self.fitting(&event).filter(|other| is_same_netns(&event, &other.event));
        let place = nearest(&event, here).map(|other| other.place);
        match place.and_then(|place| self.remove(place)) {
            Some(other) => tell_both(event, other.event, told),
            None => self.add(event, at, told),
        }
    }

    /// Appends to `told` what has waited long enough at `now`: what the kernel has told up to then must have been taken. The
    /// connections that are `held` have an event on its way here, which is worth some more time.
    pub fn release(&mut self, now: Duration, held: &HashSet<FourTuple>, told: &mut Vec<ResetEvent>) {
        while let Some((place, oldest)) = self.waiting.first_key_value()
            && place.at + WINDOW <= now
        {
            if !oldest.is_late && held.contains(&oldest.event.at_receiver()) {
                self.give_time(*place);
            } else {
                self.let_oldest_go(told);
            }
        }
    }

    /// Appends to `told` everything that waits: nothing more will come.
    pub fn finish(&mut self, told: &mut Vec<ResetEvent>) {
        while !self.waiting.is_empty() {
            self.let_oldest_go(told);
        }
    }

    /// How long after `now` the next event will have waited long enough; `None` when nothing waits.
    pub fn due_in(&self, now: Duration) -> Option<Duration> {
        let (oldest, _) = self.waiting.first_key_value()?;
        Some((oldest.at + WINDOW).saturating_sub(now))
    }

    fn add(&mut self, event: ResetEvent, at: Duration, told: &mut Vec<ResetEvent>) {
        self.count += 1;
        let place = Place { at, number: self.count };
        let surplus = self.put(Waiting { place, event, is_late: false, doubted: false });
        if let Some(surplus) = surplus {
            self.let_go(surplus, told);
        }
        if self.waiting.len() > LIMIT {
            self.let_oldest_go(told);
        }
    }

    /// Lets it wait; gives the oldest one of the same end when these have become too many.
    fn put(&mut self, waiting: Waiting) -> Option<Place> {
        let ends = self.by_connection.entry(waiting.event.at_receiver()).or_default();
        let same_end = ends.of_mut(waiting.event.direction);
        same_end.push_back(waiting.place);
        let surplus = (same_end.len() > CONNECTION_LIMIT).then(|| same_end[0]);
        self.waiting.insert(waiting.place, waiting);
        surplus
    }

    /// Lets an event wait some more.
    fn give_time(&mut self, place: Place) {
        if let Some(waiting) = self.remove(place) {
            let place = Place { at: place.at + LONG_WINDOW.saturating_sub(WINDOW), ..place };
            self.put(Waiting { place, is_late: true, ..waiting });
        }
    }

    fn let_oldest_go(&mut self, told: &mut Vec<ResetEvent>) {
        if let Some((oldest, _)) = self.waiting.first_key_value() {
            self.let_go(*oldest, told);
        }
    }

    /// Tells an event, with the other end if that waits in another network namespace.
    fn let_go(&mut self, place: Place, told: &mut Vec<ResetEvent>) {
        let Some(waiting) = self.remove(place) else { return };
        match self.other_end(&waiting) {
            Other::Found(place) => {
                if let Some(other) = self.remove(place) {
                    tell_both(waiting.event, other.event, told);
                }
            }
            Other::Absent => told.push(waiting.event),
            Other::Doubtful(others) => {
                for other in others {
                    self.doubt(other);
                }
                told.push(waiting.event);
            }
        }
    }

    /// The other end of an event that is told now. Those of its own network namespace have been joined on arrival.
    fn other_end(&self, waiting: &Waiting) -> Other {
        let event = &waiting.event;
        let others: Vec<&Waiting> = self.fitting(event).collect();
        let Some(other) = nearest(event, others.iter().copied()) else { return Other::Absent };
        let rivals: Vec<&Waiting> = self.fitting(&other.event).collect();
        let in_doubt = waiting.doubted
            || others.iter().any(|one| one.doubted || one.event.netns != other.event.netns)
            || rivals.iter().any(|one| one.event.netns != event.netns);
        if in_doubt {
            return Other::Doubtful(others.iter().chain(&rivals).map(|one| one.place).collect());
        }
        // Several in one namespace are of one connection after the other: each belongs to its nearest.
        let nearer =
            rivals.iter().any(|rival| distance(&rival.event, &other.event) < distance(event, &other.event));
        if nearer { Other::Absent } else { Other::Found(other.place) }
    }

    /// The events that wait and may be of the other end.
    fn fitting(&self, event: &ResetEvent) -> impl Iterator<Item = &Waiting> {
        let ends = self.by_connection.get(&event.at_receiver());
        let others = ends.into_iter().flat_map(|ends| ends.of(opposite(event.direction)));
        others.filter_map(|place| self.waiting.get(place)).filter(move |other| fit(event, &other.event))
    }

    fn doubt(&mut self, place: Place) {
        if let Some(waiting) = self.waiting.get_mut(&place) {
            waiting.doubted = true;
        }
    }

    fn remove(&mut self, place: Place) -> Option<Waiting> {
        let waiting = self.waiting.remove(&place)?;
        let connection = waiting.event.at_receiver();
        if let Some(ends) = self.by_connection.get_mut(&connection) {
            ends.of_mut(waiting.event.direction).retain(|other| *other != place);
            if ends.sent.is_empty() && ends.received.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
        Some(waiting)
    }
}

impl Ends {
    fn of(&self, direction: Direction) -> &VecDeque<Place> {
        match direction {
            Direction::Sent => &self.sent,
            Direction::Received => &self.received,
        }
    }

    fn of_mut(&mut self, direction: Direction) -> &mut VecDeque<Place> {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Sent => Direction::Received,
        Direction::Received => Direction::Sent,
    }
}

/// Whether two events of one connection, one of each direction, can be of one RST. In different network namespaces the
/// same addresses may be in use: there the sequence numbers have to say so.
fn fit(one: &ResetEvent, other: &ResetEvent) -> bool {
    let (sent, received) = if one.direction == Direction::Sent { (one, other) } else { (other, one) };
    sequences_agree(sent, received).unwrap_or_else(|| is_same_netns(sent, received))
}

fn is_same_netns(one: &ResetEvent, other: &ResetEvent) -> bool {
    one.netns.is_some() && one.netns == other.netns
}

/// Whether both ends are at places of the two streams where one connection can be; `None` when that is not known.
fn sequences_agree(sent: &ResetEvent, received: &ResetEvent) -> Option<bool> {
    let hit = received.socket.as_ref()?.sequence?;
    match (&sent.trigger, &sent.socket) {
        (Some(trigger), _) => is_from(trigger, &hit),
        (None, Some(socket)) => face_each_other(&socket.sequence?, &hit),
        (None, None) => None,
    }
}

/// Whether the end that was hit sent the packet that the RST answers. The RST's sequence number is what that packet
/// acknowledges, and is accepted where it is expected next, or one before behind a FIN (`tcp_validate_incoming()`,
/// `net/ipv4/tcp_input.c`, 5.10–7.x). The first packet of a connection acknowledges nothing.
fn is_from(trigger: &Segment, hit: &SequenceNumbers) -> Option<bool> {
    if trigger.flags.0 & ACK == 0 {
        return Some(is_between(hit.snd_una, trigger.seq, hit.snd_nxt));
    }
    Some(hit.rcv_nxt?.wrapping_sub(trigger.ack) <= 1)
}

/// Whether what each end expects next lies between what the other one knows to have arrived and what it has sent. The
/// ends are looked at one after the other, and all of these only grow.
fn face_each_other(one: &SequenceNumbers, other: &SequenceNumbers) -> Option<bool> {
    let faces = |from: &SequenceNumbers, to: &SequenceNumbers| {
        to.rcv_nxt.map(|expected| is_between(from.snd_una, expected, from.snd_nxt))
    };
    match (faces(one, other), faces(other, one)) {
        (Some(forth), Some(back)) => Some(forth && back),
        (forth, back) => forth.or(back),
    }
}

/// Whether a sequence number is one of those from `first` to `last`; they wrap around.
fn is_between(first: u32, number: u32, last: u32) -> bool {
    number.wrapping_sub(first) <= last.wrapping_sub(first)
}

/// The one of these that is nearest; the earlier of two equally near ones.
fn nearest<'a>(event: &ResetEvent, others: impl Iterator<Item = &'a Waiting>) -> Option<&'a Waiting> {
    others.min_by_key(|other| (distance(event, &other.event), other.event.id()))
}

/// The less, the more two events that fit belong together: the time between them. But of several resets sent for one
/// connection the first one hits it, and the others, which answer packets that were on the way already, find it closed.
fn distance(one: &ResetEvent, other: &ResetEvent) -> (bool, SignedDuration) {
    let (sent, received) = if one.direction == Direction::Sent { (one, other) } else { (other, one) };
    if sent.time <= received.time && is_same_connection(sent, received) {
        (false, -apart(sent, received))
    } else {
        (true, apart(sent, received))
    }
}

/// Of what was never answered it cannot be told: each try of a client begins with the same packet.
fn is_same_connection(sent: &ResetEvent, received: &ResetEvent) -> bool {
    let sequence = received.socket.as_ref().and_then(|socket| socket.sequence);
    let is_answered = sequence.is_some_and(|sequence| sequence.rcv_nxt.is_some());
    is_answered && sequences_agree(sent, received) == Some(true)
}

fn apart(one: &ResetEvent, other: &ResetEvent) -> SignedDuration {
    one.time.duration_since(other.time).abs()
}

/// Tells two ends as one incident, the earlier one first.
fn tell_both(one: ResetEvent, other: ResetEvent, told: &mut Vec<ResetEvent>) {
    let incident = Some(one.id().min(other.id()));
    let one = ResetEvent { incident, ..one };
    let other = ResetEvent { incident, ..other };
    let (for_one, for_other) = (Arc::new(other.clone()), Arc::new(one.clone()));
    let one = ResetEvent { counterpart: Some(for_one), ..one };
    let other = ResetEvent { counterpart: Some(for_other), ..other };
    told.extend(if one.id() <= other.id() { [one, other] } else { [other, one] });
}

#[cfg(test)]
mod tests;
