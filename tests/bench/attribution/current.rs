//! The task that is on the CPU when a reset happens, as tools show it that print the tracepoints: a script of bpftrace's
//! says who that is, for the same resets.

use std::{collections::HashMap, time::Duration};

use resetmon_tests::{Bpftrace, Feature};

use crate::truth::{Direction, Key, Owner};

/// Within this time bpftrace has printed what it saw.
const LATE: Duration = Duration::from_secs(1);

/// A running bpftrace, which ends with this value.
pub(crate) struct Current {
    bpftrace: Bpftrace,
}

impl Current {
    pub(crate) fn start() -> Self {
        // Socket addresses came with the reasons, in 6.10; before, there were ports.
        let ports = if Feature::AnswerReasons.is_here() {
            "args->saddr[2] * 256 + args->saddr[3], args->daddr[2] * 256 + args->daddr[3]"
        } else {
            "args->sport, args->dport"
        };
        let probes = format!(
            r#"tracepoint:tcp:tcp_send_reset {{ printf("sent %d %d %d\n", {ports}, pid); }}
tracepoint:tcp:tcp_receive_reset {{ printf("received %d %d %d\n", args->sport, args->dport, pid); }}"#
        );
        Self { bpftrace: Bpftrace::start(&probes) }
    }

    /// What it has seen since it was asked last.
    pub(crate) fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        while let Some(line) = self.bpftrace.line(LATE) {
            if let Some((ends, pid)) = parse(&line) {
                seen.0.entry(ends).or_default().push((pid != 0).then_some(pid));
            }
        }
        seen
    }
}

/// By direction and ports: scripts use no pair of ports twice.
type Ends = (Direction, u16, u16);

/// Tasks on the CPU by the ends of what was reset.
#[derive(Default)]
pub(crate) struct Seen(HashMap<Ends, Vec<Owner>>);

impl Seen {
    /// The task at the reset of that end which came so many resets of it later.
    pub(crate) fn at(&self, key: &Key, number: usize) -> Option<Owner> {
        self.0.get(&(key.direction, key.local.port(), key.peer.port()))?.get(number).copied()
    }
}

fn parse(line: &str) -> Option<(Ends, u32)> {
    let mut words = line.split(' ');
    let direction = Direction::parse(words.next()?)?;
    let mut number = || words.next()?.parse::<u32>().ok();
    let (local, peer, pid) = (number()?, number()?, number()?);
    Some(((direction, u16::try_from(local).ok()?, u16::try_from(peer).ok()?), pid))
}
