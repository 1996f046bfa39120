//! What was seen against what must be seen. Pure.

use super::{
    pair::Pids,
    scenarios::{Expected, Who},
};
use crate::{
    cause::Cause,
    model::{Direction, Reason, ResetEvent, TcpState, process::Process},
};

/// Judges the events of a scenario.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) pids: Pids,
    /// These ids are those that the kernel tells; in another pid namespace the actors' names have to do, and owners that
    /// only descriptors tell are missing.
    pub(super) knows_pids: bool,
    /// Resets that no socket sends are seen: by themselves since 6.10, before by optional probes.
    pub(super) tells_all_senders: bool,
}

impl Judge {
    /// Whether every expected event is among `events`.
    pub(super) fn is_complete(&self, expected: &[Expected], events: &[ResetEvent]) -> bool {
        self.pairing(expected, events).iter().all(|(_, event)| event.is_some())
    }

    /// What is wrong, a sentence each.
    pub(super) fn problems(&self, expected: &[Expected], events: &[ResetEvent]) -> Vec<String> {
        let pairing = self.pairing(expected, events);
        let mut problems: Vec<String> =
            pairing.iter().filter_map(|(one, event)| self.problem(one, *event)).collect();
        problems.extend(pairing.iter().filter_map(|(one, event)| wrong_cause(one, (*event)?, expected)));
        let surplus = events.iter().filter(|event| {
            !pairing.iter().any(|(_, paired)| paired.is_some_and(|paired| std::ptr::eq(paired, *event)))
        });
        problems.extend(surplus.map(|event| format!("not expected: {}", of_event(event))));
        let mut ends = pairing.iter().filter_map(|(_, event)| *event);
        if let (Some(one), Some(other)) = (ends.next(), ends.next())
            && (one.incident.is_none() || one.incident != other.incident)
        {
            problems.push(format!("not joined: the two ends of {}", of_event(one)));
        }
        problems
    }

    /// Each event that must come on this kernel, with the one that did.
    fn pairing<'a>(
        &self,
        expected: &'a [Expected],
        events: &'a [ResetEvent],
    ) -> Vec<(&'a Expected, Option<&'a ResetEvent>)> {
        let mut left: Vec<&ResetEvent> = events.iter().collect();
        let shown = expected.iter().filter(|one| self.tells_all_senders || !is_sent_without_socket(one));
        shown
            .map(|one| {
                let position = left.iter().position(|event| fits(one, event));
                (one, position.map(|position| left.remove(position)))
            })
            .collect()
    }

    fn problem(&self, expected: &Expected, event: Option<&ResetEvent>) -> Option<String> {
        let Some(event) = event else {
            return Some(format!("missing: {}", self.of_expected(expected)));
        };
        (!self.is_whose(expected.whose, event.process.as_ref())).then(|| {
            let seen = event.process.as_ref().map_or_else(|| "no process".to_owned(), of_process);
            format!(
                "wrong process: {seen} instead of {} for {}",
                self.of_who(expected.whose),
                of_event(event)
            )
        })
    }

    fn is_whose(&self, whose: Option<Who>, process: Option<&Process>) -> bool {
        match (whose, process) {
            (None, None) => true,
            (Some(who), Some(process)) if self.knows_pids => process.pid == self.pid(who),
            (Some(who), Some(process)) => &*process.comm == name(who),
            (Some(_), None) => !self.knows_pids,
            (None, Some(_)) => false,
        }
    }

    fn pid(&self, who: Who) -> u32 {
        match who {
            Who::Client => self.pids.client,
            Who::Server => self.pids.server,
        }
    }

    fn of_who(&self, whose: Option<Who>) -> String {
        match whose {
            Some(who) if self.knows_pids => format!("{}[{}]", name(who), self.pid(who)),
            Some(who) => name(who).to_owned(),
            None => "no process".to_owned(),
        }
    }

    fn of_expected(&self, expected: &Expected) -> String {
        let reason = expected.reason.map(|reason| format!(" for {reason}")).unwrap_or_default();
        let (direction, state) = (expected.direction.as_str(), of_state(expected.state));
        format!("a reset {direction} {state}{reason} by {}", self.of_who(expected.whose))
    }
}

/// The name that an actor runs under.
pub(super) fn name(who: Who) -> &'static str {
    match who {
        Who::Client => "demo-client",
        Who::Server => "demo-server",
    }
}

/// What is wrong about the cause. A receiver takes it from its sender, where that is known.
fn wrong_cause(one: &Expected, event: &ResetEvent, all: &[Expected]) -> Option<String> {
    let by_sender = event.direction == Direction::Received && event.counterpart.is_some();
    let source = all.iter().find(|other| by_sender && other.direction == Direction::Sent).unwrap_or(one);
    let found = event.diagnosis.as_ref().map(|diagnosis| diagnosis.cause);
    (found != Some(source.cause)).then(|| {
        let found = found.map_or("none", Cause::as_str);
        format!("wrong cause: {found} instead of {} for {}", source.cause.as_str(), of_event(event))
    })
}

/// Whether no full socket sends it: nobody's port, or a connection of which only `TIME_WAIT` is left.
fn is_sent_without_socket(expected: &Expected) -> bool {
    expected.direction == Direction::Sent && matches!(expected.state, None | Some(TcpState::TimeWait))
}

fn fits(expected: &Expected, event: &ResetEvent) -> bool {
    let reason = match (&event.reason, expected.reason) {
        // 6.10 and 6.11 have reasons for resets that answer a packet, and this for all others.
        (Some(Reason::Named(told)), Some(reason)) => {
            matches!(&**told, told if told == reason || told == "NOT_SPECIFIED")
        }
        (Some(Reason::Unknown(_)), _) | (Some(_), None) => false,
        (None, _) => true,
    };
    reason && event.direction == expected.direction && event.state == expected.state
}

fn of_event(event: &ResetEvent) -> String {
    let reason = event.reason.as_ref().map(|reason| format!(" for {reason}")).unwrap_or_default();
    let (direction, state) = (event.direction.as_str(), of_state(event.state));
    format!("a reset {direction} {state}{reason}, {} to {}", event.tuple.local, event.tuple.peer)
}

fn of_state(state: Option<TcpState>) -> String {
    state.map_or_else(|| "without a socket".to_owned(), |state| format!("in {}", state.as_str()))
}

fn of_process(process: &Process) -> String {
    format!("{}[{}]", process.comm.escape_default(), process.pid)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use jiff::Timestamp;

    use super::*;
    use crate::{
        diagnosis::Diagnoser,
        filter::samples,
        model::segment::{Segment, TcpFlags},
    };

    const PIDS: Pids = Pids { client: 10, server: 20 };

    const EXPECTED: &[Expected] = &[
        Expected {
            direction: Direction::Sent,
            state: None,
            reason: Some("NO_SOCKET"),
            whose: None,
            cause: Cause::StaleConnection,
        },
        Expected {
            direction: Direction::Received,
            state: Some(TcpState::SynSent),
            reason: None,
            whose: Some(Who::Client),
            cause: Cause::ConnectionRefused,
        },
    ];

    fn event(
        direction: Direction,
        state: Option<TcpState>,
        reason: Option<&str>,
        pid: Option<u32>,
    ) -> ResetEvent {
        let process = |pid| Process {
            pid,
            started: Duration::ZERO,
            start_time: Timestamp::UNIX_EPOCH,
            comm: "a\x1bb".into(),
            uid: 0,
            details: None,
        };
        let trigger = Segment { flags: TcpFlags(16), ..samples::refused().rst.expect("a header") };
        let mut event = ResetEvent {
            reason: reason.map(|name| Reason::Named(name.into())),
            state,
            process: pid.map(process),
            incident: Some(samples::refused().id()),
            trigger: (direction == Direction::Sent).then_some(trigger),
            ..samples::bare(direction, "[::]:1", "[::]:2")
        };
        Diagnoser::default().explain(&mut event);
        event
    }

    fn sent() -> ResetEvent {
        event(Direction::Sent, None, Some("NO_SOCKET"), None)
    }

    fn received(pid: Option<u32>) -> ResetEvent {
        event(Direction::Received, Some(TcpState::SynSent), None, pid)
    }

    /// `problems` are the beginnings of those that must be found, in order.
    fn check(tells_all_senders: bool, events: &[ResetEvent], problems: &[&str]) {
        let judge = Judge { pids: PIDS, knows_pids: true, tells_all_senders };
        let found = judge.problems(EXPECTED, events);
        assert_eq!(found.len(), problems.len(), "{found:?}");
        for (found, wanted) in found.iter().zip(problems) {
            assert!(found.starts_with(wanted), "{found} should start with {wanted}");
        }
        let is_missing = problems.iter().any(|problem| problem.starts_with("missing"));
        assert_eq!(judge.is_complete(EXPECTED, events), !is_missing);
    }

    #[test]
    fn what_must_come_is_enough() {
        check(true, &[sent(), received(Some(10))], &[]);
        check(true, &[received(Some(10)), sent()], &[]);
    }

    #[test]
    fn what_does_not_come_is_named() {
        check(
            true,
            &[],
            &[
                "missing: a reset sent without a socket for NO_SOCKET by no process",
                "missing: a reset received in SYN_SENT by demo-client[10]",
            ],
        );
        check(true, &[sent()], &["missing: a reset received"]);
        let other = event(Direction::Sent, None, Some("TCP_FLAGS"), None);
        check(
            true,
            &[other, received(Some(10))],
            &["missing: a reset sent", "not expected: a reset sent without a socket for TCP_FLAGS"],
        );
    }

    #[test]
    fn a_wrong_process_is_named() {
        check(
            true,
            &[sent(), received(Some(20))],
            &["wrong process: a\\u{1b}b[20] instead of demo-client[10]"],
        );
        check(true, &[sent(), received(None)], &["wrong process: no process"]);
    }

    #[test]
    fn ends_that_were_not_joined_are_named() {
        let alone = |event| ResetEvent { incident: None, ..event };
        check(true, &[alone(sent()), received(Some(10))], &["not joined: the two ends of a reset sent"]);
        check(true, &[alone(sent()), alone(received(Some(10)))], &["not joined"]);
        check(false, &[alone(received(Some(10)))], &[]);
    }

    #[test]
    fn names_have_to_do_in_another_pid_namespace() {
        let judge = Judge { pids: PIDS, knows_pids: false, tells_all_senders: true };
        let by = |comm: &str| {
            let event = received(Some(99));
            let process = event.process.map(|process| Process { comm: comm.into(), ..process });
            [sent(), ResetEvent { process, ..event }]
        };
        assert_eq!(judge.problems(EXPECTED, &by("demo-client")), [""; 0]);
        assert_eq!(judge.problems(EXPECTED, &[sent(), received(None)]), [""; 0]);
        let problems = judge.problems(EXPECTED, &by("demo-server"));
        assert!(
            problems[0].starts_with("wrong process: demo-server[99] instead of demo-client for"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_wrong_cause_is_named() {
        let other = ResetEvent { diagnosis: received(None).diagnosis, ..sent() };
        let wrong = "wrong cause: connection_refused instead of stale_connection for a reset sent";
        check(true, &[other, received(Some(10))], &[wrong]);
        let untold = ResetEvent { diagnosis: None, ..sent() };
        check(true, &[untold, received(Some(10))], &["wrong cause: none instead of stale_connection"]);
    }

    #[test]
    fn a_receiver_has_the_cause_of_its_sender() {
        let mut joined = ResetEvent { counterpart: Some(Arc::new(sent())), ..received(Some(10)) };
        let wrong = "wrong cause: connection_refused instead of stale_connection for a reset received";
        check(true, &[sent(), joined.clone()], &[wrong]);
        Diagnoser::default().explain(&mut joined);
        check(true, &[sent(), joined], &[]);
    }

    #[test]
    fn surplus_is_named() {
        check(true, &[sent(), sent(), received(Some(10))], &["not expected: a reset sent"]);
    }

    #[test]
    fn kernels_that_tell_less_are_asked_for_less() {
        check(false, &[received(Some(10))], &[]);
        let unspecified = event(Direction::Sent, None, Some("NOT_SPECIFIED"), None);
        check(true, &[unspecified, received(Some(10))], &[]);
    }
}
