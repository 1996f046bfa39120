//! What the probes saw against what the kernel counted, for each network namespace. Pure.
//!
//! What corresponds, in `net/ipv4/tcp.c`, `tcp_output.c`, `tcp_ipv4.c`, `tcp_minisocks.c` and `net/ipv6/tcp_ipv6.c`:
//!
//! - `OutRsts` is incremented by `tcp_send_active_reset()`, before it makes the packet, and by `tcp_v4_send_reset()` and
//!   `tcp_v6_send_response()`, after `tcp_send_reset` has fired. So it must equal the number of `tcp_send_reset`, but for
//!   resets without memory (counted, not told), IPv6 without a route (told, not counted), and, before 6.10, resets without
//!   a full socket (counted, not told). Resets of the firewall are no affair of TCP's.
//! - `EstabResets` is incremented by `tcp_set_state()` from ESTABLISHED or `CLOSE_WAIT` to CLOSE. Every reset in one of
//!   these states does that, sent or received; so does a timeout. So it is at least the number of such resets.
//! - `AttemptFails` is incremented by `tcp_done()` in `SYN_SENT` or `SYN_RECV`, so at least as often as a reset is received
//!   in one of these; also by a timeout, and by an RST or SYN for a connection request, which is no socket yet.
//!
//! Counters are not read at one instant, so what happens close to the ends of the window may fall on either side.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::snmp::TcpCounters;
use crate::model::{Direction, ResetEvent, TcpState};

/// A reset is counted and told within this time, unless its task is preempted for long.
const SLACK: SignedDuration = SignedDuration::from_millis(20);

/// More resets than this are not remembered.
pub const MOST_WITNESSED: usize = 1_000_000;

/// The counters of a network namespace at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What was read.
    pub counters: TcpCounters,
    /// When reading began.
    pub begun: Timestamp,
    /// When it had ended.
    pub ended: Timestamp,
}

/// The counters of every network namespace whose counters can be read, by the namespace's inode.
pub type Snapshot = BTreeMap<u32, Reading>;

/// A reset, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witnessed {
    time: Timestamp,
    netns: Option<u32>,
    kind: Kind,
    state: Option<TcpState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sent,
    Received,
}

impl Witnessed {
    /// What matters of an event; `None` when TCP does not count it.
    pub fn of(event: &ResetEvent) -> Option<Self> {
        if event.netfilter_hook.is_some() {
            return None;
        }
        let kind = match event.direction {
            Direction::Sent => Kind::Sent,
            Direction::Received => Kind::Received,
        };
        Some(Self { time: event.time, netns: event.netns, kind, state: event.state })
    }

    fn was_open(&self) -> bool {
        matches!(self.state, Some(TcpState::Established | TcpState::CloseWait))
    }

    fn was_opening(&self) -> bool {
        self.kind == Kind::Received && matches!(self.state, Some(TcpState::SynSent | TcpState::SynRecv))
    }
}

/// What the probes saw against the kernel's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// Network namespace of this process.
    pub own: Option<u32>,
    /// One comparison a network namespace.
    pub compared: Vec<Comparison>,
    /// Resets seen in network namespaces whose counters could not be read.
    pub uncompared: Uncompared,
    /// Events that found no room in the ring buffer meanwhile.
    pub lost: u64,
}

/// Resets that could not be compared with anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncompared {
    /// How many network namespaces.
    pub namespaces: u64,
    /// How many resets.
    pub resets: u64,
}

/// The comparison in one network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Its inode.
    pub netns: u32,
    /// `OutRsts` against resets sent.
    pub sent: Compared,
    /// `EstabResets` against resets of open connections.
    pub open: Compared,
    /// `AttemptFails` against resets received while connecting.
    pub opening: Compared,
}

/// A counter against what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// How much the counter grew.
    pub counted: u64,
    /// How many were seen that must be counted.
    pub least: u64,
    /// The same, with those at the ends of the window.
    pub most: u64,
}

impl Compared {
    /// Counted and not seen.
    pub fn unseen(self) -> u64 {
        self.counted.saturating_sub(self.most)
    }

    /// Seen and not counted.
    pub fn uncounted(self) -> u64 {
        self.least.saturating_sub(self.counted)
    }

    /// How many were seen: of what is possible, what fits the counter best.
    pub fn seen(self) -> u64 {
        self.counted.clamp(self.least, self.most)
    }
}

/// Compares what happened between two snapshots.
pub fn reconcile(first: &Snapshot, last: &Snapshot, witnessed: &[Witnessed]) -> Reconciliation {
    let compared: Vec<Comparison> = first
        .iter()
        .filter_map(|(netns, first)| compare(*netns, first, last.get(netns)?, witnessed))
        .collect();
    let is_compared = |netns: u32| compared.iter().any(|one| one.netns == netns);
    let rest = witnessed.iter().filter(|one| !one.netns.is_some_and(is_compared));
    let uncompared = Uncompared {
        namespaces: rest.clone().filter_map(|one| one.netns).collect::<BTreeSet<_>>().len() as u64,
        resets: rest.count() as u64,
    };
    Reconciliation { own: None, compared, uncompared, lost: 0 }
}

fn compare(netns: u32, first: &Reading, last: &Reading, witnessed: &[Witnessed]) -> Option<Comparison> {
    let grown = last.counters.since(first.counters)?;
    let surely = (first.ended + SLACK)..=(last.begun - SLACK);
    let perhaps = (first.begun - SLACK)..=(last.ended + SLACK);
    let compared = |counted, counts: fn(&Witnessed) -> bool| {
        let mut compared = Compared { counted, least: 0, most: 0 };
        for one in witnessed.iter().filter(|one| one.netns == Some(netns) && counts(one)) {
            compared.least += u64::from(surely.contains(&one.time));
            compared.most += u64::from(perhaps.contains(&one.time));
        }
        compared
    };
    Some(Comparison {
        netns,
        sent: compared(grown.out_rsts, |one| one.kind == Kind::Sent),
        open: compared(grown.estab_resets, Witnessed::was_open),
        opening: compared(grown.attempt_fails, Witnessed::was_opening),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETNS: u32 = 4_026_531_833;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("a time")
    }

    fn reading(milliseconds: i64, out_rsts: u64, estab_resets: u64, attempt_fails: u64) -> Reading {
        let counters = TcpCounters { out_rsts, estab_resets, attempt_fails };
        Reading { counters, begun: at(milliseconds), ended: at(milliseconds + 1) }
    }

    fn sent(milliseconds: i64, state: Option<TcpState>) -> Witnessed {
        Witnessed { time: at(milliseconds), netns: Some(NETNS), kind: Kind::Sent, state }
    }

    fn received(milliseconds: i64, state: TcpState) -> Witnessed {
        Witnessed { kind: Kind::Received, ..sent(milliseconds, Some(state)) }
    }

    /// Compares from 0 to 3 s; counters begin at 10.
    fn check(last: Reading, witnessed: &[Witnessed], expected: [(u64, u64); 3]) {
        let first = Snapshot::from([(NETNS, reading(0, 10, 10, 10))]);
        let found = reconcile(&first, &Snapshot::from([(NETNS, last)]), witnessed).compared;
        let [Comparison { sent, open, opening, .. }] = found[..] else { panic!("{found:?}") };
        let found = [sent, open, opening].map(|one| (one.unseen(), one.uncounted()));
        assert_eq!(found, expected, "{witnessed:?}");
    }

    #[test]
    fn what_is_counted_is_seen() {
        let linger = [sent(500, Some(TcpState::Established)), received(500, TcpState::Established)];
        check(reading(3000, 11, 12, 10), &linger, [(0, 0); 3]);
        check(reading(3000, 14, 12, 10), &linger, [(3, 0), (0, 0), (0, 0)]);
        check(reading(3000, 10, 12, 10), &linger, [(0, 1), (0, 0), (0, 0)]);
        let refused = [sent(500, None), received(500, TcpState::SynSent)];
        check(reading(3000, 11, 10, 11), &refused, [(0, 0); 3]);
        check(reading(3000, 11, 11, 10), &refused, [(0, 0), (1, 0), (0, 1)]);
    }

    #[test]
    fn what_is_close_to_the_ends_may_be_counted_or_not() {
        for milliseconds in [-10, 10, 2995, 3010] {
            for counted in [10, 11] {
                check(reading(3000, counted, 10, 10), &[sent(milliseconds, None)], [(0, 0); 3]);
            }
        }
        check(reading(3000, 11, 10, 10), &[sent(-100, None), sent(4000, None)], [(1, 0), (0, 0), (0, 0)]);
    }

    #[test]
    fn what_cannot_be_compared_is_told() {
        let witnessed = [sent(500, None), Witnessed { netns: None, ..sent(500, None) }];
        let expected = Uncompared { namespaces: 1, resets: 2 };
        let first = Snapshot::from([(NETNS, reading(0, 10, 10, 10))]);
        // The namespace has gone, or another one has its number.
        for last in [Snapshot::new(), Snapshot::from([(NETNS, reading(3000, 9, 10, 10))])] {
            let found = reconcile(&first, &last, &witnessed);
            assert_eq!((found.compared.as_slice(), found.uncompared), (&[][..], expected));
        }
    }
}
