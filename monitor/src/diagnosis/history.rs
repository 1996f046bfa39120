//! What was seen of the same peers, connections and processes shortly before. Bounded: of each kind the least recently used
//! are forgotten. Time is that of the events.

use std::{collections::VecDeque, hash::Hash, net::IpAddr, time::Duration};

use hashlink::LruCache;
use jiff::Timestamp;

use super::facts::{PAUSE, is_same_idle};
use crate::{
    cause::Cause,
    model::{Direction, ResetEvent, TcpState, connection::Role, diagnosis::Diagnosis},
};

/// Most services whose idle times are remembered.
pub(super) const SERVICES: usize = 4096;

/// Most peers whose attempts at closed ports are remembered.
pub(super) const KNOCKERS: usize = 4096;

/// Most connections that are remembered.
pub(super) const CONNECTIONS: usize = 8192;

/// Most processes whose end is remembered.
pub(super) const ENDED: usize = 1024;

/// Idle times remembered of a service.
const IDLE_TIMES: usize = 8;

/// Idle times of a service that must be the same before they are a habit.
const HABIT: u32 = 2;

/// Closed ports remembered of a peer.
const PORTS: usize = 32;

/// Closed ports that make a scan.
const SCAN_PORTS: usize = 16;

/// In which time.
const SCAN_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection that was reset is of interest: a peer that did not send the RST goes on within this time.
const CONNECTION_LIFE: Duration = Duration::from_secs(30);

/// How long what was on its way when a connection was reset can take to arrive.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How long the end of a process takes.
const END_TAKES: Duration = Duration::from_secs(5);

/// A peer's address, with the network namespace where it means something else in each: 127.0.0.1.
type Peer = (Option<u32>, IpAddr);

/// A peer's port, where the peer offers a service there; a client's port is a new one each time.
type Service = (Peer, Option<u16>);

/// A connection as every network namespace of this host has it, whatever address it gives itself: the peer and its port,
/// and the port here.
type Outside = (Peer, u16, u16);

/// What was seen before.
#[derive(Debug)]
pub(super) struct History {
    idle_times: LruCache<Service, VecDeque<Duration>>,
    knocks: LruCache<Peer, VecDeque<(u16, Timestamp)>>,
    connections: LruCache<Outside, Trace>,
    sent_after_reset: LruCache<Peer, u32>,
    ended: LruCache<(u32, Duration), (u32, Timestamp)>,
}

/// The last that was seen of a connection.
#[derive(Clone, Copy, Debug)]
struct Trace {
    at: Timestamp,
    netns: Option<u32>,
    /// The address of this end.
    local: IpAddr,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An RST hit it, and nobody knows who sent that.
    Hit,
    /// There was no such connection, and this host said so with a reset.
    Denied,
    /// This end has reset it.
    Aborted,
    /// It was reset by somebody else that is known.
    Reset,
}

/// What of it matters for one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// How many closed ports the peer has tried lately, this one included, and in which time.
    pub(super) scan: Option<(u32, Duration)>,
    /// The nearest idle time after which the peer has reset connections as well, and how many it has.
    pub(super) same_idle: Option<(Duration, u32)>,
    /// How long ago an RST hit the very connection.
    pub(super) reset_received: Option<Duration>,
    /// How long ago this end reset the very connection.
    pub(super) reset_sent: Option<Duration>,
    /// How many connections the peer has used after an RST in its name.
    pub(super) sent_after_reset: u32,
    /// Another network namespace that has the connection, or has denied it.
    pub(super) elsewhere: Option<u32>,
    /// How many connections of the process ended with it before.
    pub(super) ended_with: u32,
}

impl Default for History {
    fn default() -> Self {
        Self {
            idle_times: LruCache::new(SERVICES),
            knocks: LruCache::new(KNOCKERS),
            connections: LruCache::new(CONNECTIONS),
            sent_after_reset: LruCache::new(KNOCKERS),
            ended: LruCache::new(ENDED),
        }
    }
}

impl History {
    /// What matters for an event.
    pub(super) fn look(&self, event: &ResetEvent) -> Past {
        let trace = self.connections.peek(&outside(event)).filter(|trace| is_recent(trace, event));
        let here = trace.filter(|trace| trace.netns == event.netns);
        let received = event.direction == Direction::Received;
        let sent_after_reset = || self.sent_after_reset.peek(&peer(event)).copied().unwrap_or(0);
        Past {
            scan: if received { None } else { self.scan(event) },
            same_idle: if received { self.same_idle(event) } else { None },
            reset_received: here.filter(|trace| trace.kind == Kind::Hit).map(|trace| ago(trace.at, event)),
            reset_sent: here
                .filter(|trace| trace.kind == Kind::Aborted)
                .map(|trace| ago(trace.at, event))
                .filter(|since| *since <= ON_ITS_WAY),
            sent_after_reset: if received { sent_after_reset() } else { 0 },
            elsewhere: trace.and_then(|trace| elsewhere(trace, event)),
            ended_with: if received { 0 } else { self.ended_with(event) },
        }
    }

    /// Takes an event for the past of others.
    pub(super) fn remember(&mut self, event: &ResetEvent, diagnosis: &Diagnosis) {
        match diagnosis.cause {
            Cause::ClosedPort if event.direction == Direction::Sent => self.remember_knock(event),
            Cause::PeerIdleTimeout => self.remember_idle(event),
            Cause::StaleConnection if self.look(event).reset_received.is_some() => {
                let peer = peer(event);
                let times = self.sent_after_reset.get(&peer).copied().unwrap_or(0);
                self.sent_after_reset.insert(peer, times.saturating_add(1));
            }
            Cause::ProcessExit | Cause::ListenerClosed => self.remember_end(event),
            _ => {}
        }
        if let Some(kind) = kind(event) {
            let (at, netns, local) = (event.time, event.netns, event.tuple.local.ip());
            self.connections.insert(outside(event), Trace { at, netns, local, kind });
        }
    }

    fn remember_knock(&mut self, event: &ResetEvent) {
        let port = event.tuple.local.port();
        let knocks = entry(&mut self.knocks, peer(event));
        knocks.retain(|(known, _)| *known != port);
        push(knocks, (port, event.time), PORTS);
    }

    fn remember_idle(&mut self, event: &ResetEvent) {
        if let Some(idle) = idle(event) {
            push(entry(&mut self.idle_times, service(event)), idle, IDLE_TIMES);
        }
    }

    fn remember_end(&mut self, event: &ResetEvent) {
        let Some(process) = owner(event) else { return };
        let before = self.ended_with(event);
        self.ended.insert(process, (before.saturating_add(1), event.time));
    }

    fn scan(&self, event: &ResetEvent) -> Option<(u32, Duration)> {
        let (port, knocks) = (event.tuple.local.port(), self.knocks.peek(&peer(event))?);
        let others = || knocks.iter().filter(|(known, at)| *known != port && ago(*at, event) <= SCAN_WITHIN);
        let ports = others().count() + 1;
        let within = others().map(|(_, at)| ago(*at, event)).max()?;
        (ports >= SCAN_PORTS).then(|| (u32::try_from(ports).unwrap_or(u32::MAX), within))
    }

    fn same_idle(&self, event: &ResetEvent) -> Option<(Duration, u32)> {
        let (idle, times) = (idle(event)?, self.idle_times.peek(&service(event))?);
        let same = || times.iter().filter(|known| is_same_idle(idle, **known));
        let count = u32::try_from(same().count()).unwrap_or(u32::MAX);
        let nearest = same().min_by_key(|known| known.abs_diff(idle))?;
        (count >= HABIT).then_some((*nearest, count))
    }

    fn ended_with(&self, event: &ResetEvent) -> u32 {
        let ended = owner(event).and_then(|process| self.ended.peek(&process));
        ended.filter(|(_, at)| ago(*at, event) <= END_TAKES).map_or(0, |(times, _)| *times)
    }
}

/// The value of a key, made empty if there is none. Unlike the cache's own entries this keeps to its limit.
fn entry<K: Hash + Eq + Copy, V: Default>(cache: &mut LruCache<K, V>, key: K) -> &mut V {
    if !cache.contains_key(&key) {
        cache.insert(key, V::default());
    }
    cache.entry(key).or_insert_with(V::default)
}

/// Adds a value, and drops the oldest ones beyond the limit.
fn push<T>(values: &mut VecDeque<T>, value: T, limit: usize) {
    values.push_back(value);
    while values.len() > limit {
        values.pop_front();
    }
}

/// What an event says of its connection to those that come after it.
fn kind(event: &ResetEvent) -> Option<Kind> {
    let established = !matches!(
        event.state,
        None | Some(TcpState::SynSent | TcpState::SynRecv | TcpState::NewSynRecv | TcpState::Listen)
    );
    match event.direction {
        Direction::Received if !established => None,
        Direction::Received if event.counterpart.is_none() => Some(Kind::Hit),
        Direction::Sent if event.netfilter_hook.is_some() => None,
        Direction::Sent if event.state.is_none() => Some(Kind::Denied),
        Direction::Sent => established.then_some(Kind::Aborted),
        Direction::Received => Some(Kind::Reset),
    }
}

/// The namespace of a trace that is not the event's own: one has the connection, and the other one does not know it. What
/// has been translated has another address there; with the same one it is another connection, of another network.
fn elsewhere(trace: &Trace, event: &ResetEvent) -> Option<u32> {
    let other = trace.netns.filter(|netns| event.netns.is_some_and(|own| own != *netns))?;
    let denies = kind(event) == Some(Kind::Denied);
    let differs = denies != (trace.kind == Kind::Denied);
    (differs && trace.local != event.tuple.local.ip()).then_some(other)
}

fn peer(event: &ResetEvent) -> Peer {
    let address = event.tuple.peer.ip().to_canonical();
    (event.netns.filter(|_| address.is_loopback()), address)
}

fn outside(event: &ResetEvent) -> Outside {
    (peer(event), event.tuple.peer.port(), event.tuple.local.port())
}

fn service(event: &ResetEvent) -> Service {
    let offers = event.connection.is_some_and(|connection| connection.role == Some(Role::Client));
    (peer(event), offers.then(|| event.tuple.peer.port()))
}

fn owner(event: &ResetEvent) -> Option<(u32, Duration)> {
    event.process.as_ref().map(|process| (process.pid, process.started))
}

fn idle(event: &ResetEvent) -> Option<Duration> {
    event.connection?.idle.filter(|idle| *idle >= PAUSE)
}

fn is_recent(trace: &Trace, event: &ResetEvent) -> bool {
    ago(trace.at, event) <= CONNECTION_LIFE
}

/// How long before the event that was; events may be told a little out of order.
fn ago(at: Timestamp, event: &ResetEvent) -> Duration {
    event.time.duration_since(at).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{cause::Confidence, filter::samples};

    proptest! {
        #[test]
        fn whatever_comes_the_limits_hold(events in vec(samples::any_event(), 1..20), cause in 0..Cause::ALL.len()) {
            let mut history = History::default();
            let diagnosis = Diagnosis { cause: Cause::ALL[cause], confidence: Confidence::Likely, evidence: Vec::new() };
            for event in &events {
                for _ in 0..=PORTS {
                    history.remember(event, &diagnosis);
                }
                let past = history.look(event);
                prop_assert!(past.scan.is_none_or(|(ports, within)| ports >= 16 && within <= SCAN_WITHIN));
                prop_assert!(past.same_idle.is_none_or(|(_, times)| (HABIT..=8).contains(&times)));
            }
            prop_assert!(history.idle_times.iter().all(|(_, times)| times.len() <= IDLE_TIMES));
            prop_assert!(history.knocks.iter().all(|(_, ports)| ports.len() <= PORTS));
            prop_assert!(history.connections.len() <= CONNECTIONS);
        }
    }

    /// Each network namespace has a loopback of its own, and the rest of the world is the same for all of them.
    #[test]
    fn another_loopback_is_another_peer() {
        let at = |netns: u32, address: &str| {
            let event = samples::bare(Direction::Received, "10.0.0.5:1", address);
            peer(&ResetEvent { netns: Some(netns), ..event })
        };
        assert_ne!(at(1, "127.0.0.1:2"), at(2, "127.0.0.1:2"));
        assert_ne!(at(1, "[::ffff:127.0.0.1]:2"), at(2, "[::ffff:127.0.0.1]:2"));
        assert_eq!(at(1, "10.0.0.1:2"), at(2, "10.0.0.1:2"));
    }

    #[test]
    fn the_least_recently_used_are_forgotten() {
        let mut history = History::default();
        let diagnosis =
            Diagnosis { cause: Cause::ClosedPort, confidence: Confidence::Certain, evidence: Vec::new() };
        let knock = |number: usize| {
            let [.., high, middle, low] = number.to_be_bytes();
            samples::bare(Direction::Sent, "10.0.0.5:1", &format!("10.{high}.{middle}.{low}:2"))
        };
        for number in 0..=CONNECTIONS {
            history.remember(&knock(number), &diagnosis);
        }
        assert_eq!((history.connections.len(), history.knocks.len()), (CONNECTIONS, KNOCKERS));
        assert!(!history.knocks.contains_key(&peer(&knock(0))));
        assert!(history.knocks.contains_key(&peer(&knock(CONNECTIONS))));
    }
}
