//! What is written comes back byte for byte, in order, and filters hold for the same events live and in SQL.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{
    cause::Cause,
    filter::{Test, value},
    history::groups::{self, Field, Measure},
    model::{Direction, Errno, Family, process::Exit},
};

#[test]
fn samples_come_back() {
    let folder = Folder::new();
    let mut events: Vec<_> = samples::all().into_iter().map(|(_, event)| event).collect();
    let mut rare = samples::unread();
    rare.other_holders = vec![samples::process(7, "a"), samples::process(8, "b#1\0")];
    rare.exit = Some(Exit::Signal(9));
    rare.actor = rare.process.clone();
    events.push(rare);
    folder.write(&events);
    let expected: Vec<_> = events.iter().map(|event| line(event, "node1")).collect();
    assert_eq!(lines(&folder.read()), expected);
}

#[test]
fn each_is_found_by_its_id() {
    let folder = Folder::new();
    let events: Vec<_> = (0..2_000).map(|sequence| unread_at("2026-11-24T11:12:13.5Z", sequence)).collect();
    folder.write(&events);
    let history = History::open(&folder.0).expect("a history");
    for event in events.iter().step_by(333) {
        let found = history.find(event.id()).expect("the event");
        assert_eq!(line(&found.event, &found.host), line(event, "node1"));
    }
    assert!(history.find(unread_at("2026-11-24T11:12:13.5Z", 2_000).id()).is_none());
    assert_eq!(lines(&folder.read()).len(), 2_000);
}

/// The filter tests: each on all values that it can have, those of any event among them.
fn any_test(event: &ResetEvent) -> BoxedStrategy<Test> {
    let process = event.process.as_ref().map_or("python3", |process| process.name()).to_owned();
    let workload = event.workload.clone().unwrap_or_else(|| samples::pod().into());
    let names: Vec<String> = [
        workload.name.as_deref(),
        workload.container_id.as_deref(),
        workload.pod_uid.as_deref(),
        workload.short_name(),
        Some("app"),
        Some("7be9"),
        Some("docker"),
    ]
    .into_iter()
    .flatten()
    .chain([workload.to_string().as_str()])
    .map(str::to_owned)
    .filter(|name| !name.is_empty())
    .collect();
    let reason = event.reason.as_ref().map_or("NO_SOCKET".to_owned(), ToString::to_string);
    let (pid, port) = (event.process.as_ref().map_or(1, |process| process.pid), event.tuple.peer.port());
    let (peer, local) = (event.tuple.peer.ip(), event.tuple.local.ip());
    let network = move |address: std::net::IpAddr| {
        (0..=if address.is_ipv4() { 32_u8 } else { 128 })
            .prop_map(move |length| ipnet::IpNet::new(address, length).expect("a network").trunc())
    };
    let process = if process.is_empty() { "x".to_owned() } else { process };
    let names = || select(names.clone());
    prop_oneof![
        select(vec![pid, 1]).prop_map(Test::Pid),
        select(vec![process.clone(), format!("{process}-longer"), "fourteen-bytesé".into()])
            .prop_map(|name| Test::Comm(name.parse().expect("a name"))),
        names().prop_map(|name| Test::Unit(name.parse().expect("a name"))),
        names().prop_map(|name| Test::Container(name.parse().expect("a name"))),
        names().prop_map(|name| Test::Workload(name.parse().expect("a name"))),
        network(peer).prop_map(Test::Peer),
        network(local).prop_map(Test::Local),
        Just(Test::Peer(value::network("10.0.0.0/8").expect("a network"))),
        select(vec![port, 443]).prop_map(Test::Port),
        select(vec![port, 443]).prop_map(Test::LocalPort),
        select(Cause::ALL.to_vec()).prop_map(Test::Cause),
        Just(Test::Cause(event.diagnosis.as_ref().map_or(Cause::ClosedPort, |diagnosis| diagnosis.cause))),
        select(vec![reason.clone(), format!("TCP_{reason}"), "77".to_owned()])
            .prop_map(|name| Test::Reason(name.parse().expect("a reason"))),
        select(Direction::ALL.to_vec()).prop_map(Test::Direction),
        select(vec![Family::Ipv4, Family::Ipv6]).prop_map(Test::Family),
        select(Errno::ALL.to_vec()).prop_map(Test::Errno),
    ]
    .boxed()
}

fn any_filter(events: &[ResetEvent]) -> BoxedStrategy<Filter> {
    let tests: Vec<_> = events.iter().map(|event| any_test(event).prop_map(Filter::Test).boxed()).collect();
    let test = proptest::strategy::Union::new(tests);
    test.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Filter::All),
            vec(inner.clone(), 0..3).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
    .boxed()
}

/// Events of one hour: each opens no shard of its own.
fn within_an_hour(events: Vec<ResetEvent>) -> Vec<ResetEvent> {
    let begin = at("2026-11-24T11:00:00Z");
    let into = |event: &ResetEvent| u64::from(event.time.subsec_nanosecond().unsigned_abs()) * 3_000;
    let move_one = |event: ResetEvent| {
        let time = begin + SignedDuration::from_nanos(into(&event).cast_signed());
        ResetEvent { time, ..event }
    };
    events.into_iter().map(move_one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_event_comes_back(events in vec(samples::any_event(), 1..40)) {
        let folder = Folder::new();
        let mut events = within_an_hour(events);
        folder.write(&events);
        events.sort_by_key(|event| event.time);
        let expected: Vec<_> = events.iter().map(|event| line(event, "node1")).collect();
        prop_assert_eq!(lines(&folder.read()), expected);
    }

    #[test]
    fn filters_agree(
        (events, filters) in vec(samples::any_event(), 1..20).prop_flat_map(|events| {
            let filters = vec(any_filter(&events), 16);
            (Just(events), filters)
        })
    ) {
        let folder = Folder::new();
        let mut events = within_an_hour(events);
        folder.write(&events);
        events.sort_by_key(|event| event.time);
        let history = History::open(&folder.0).expect("a history");
        for filter in filters {
            let live: Vec<_> =
                events.iter().filter(|event| filter.matches(event)).map(|event| line(event, "node1")).collect();
            let read: Vec<_> = history.events(&Range::ALL, Order::Ascending, &filter).collect();
            prop_assert_eq!(lines(&read), live, "{:?}", filter);
        }
    }

    #[test]
    fn groups_are_all_of_it(events in vec(samples::any_event(), 1..40), fields in vec(select(Field::ALL.to_vec()), 1..4)) {
        let folder = Folder::new();
        let events = within_an_hour(events);
        folder.write(&events);
        let history = History::open(&folder.0).expect("a history");
        let (groups, problems) = groups::groups(&history, &Range::ALL, &Filter::everything(), &fields);
        prop_assert!(problems.is_empty());
        prop_assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), events.len() as u64);
        let newest = events.iter().map(|event| event.time).max();
        prop_assert_eq!(groups.iter().map(|group| group.last).max(), newest);
        let (histogram, _) = groups::histogram(&history, &Range::ALL, &Filter::everything(), Measure::Idle);
        let counted = histogram.buckets.iter().map(|(_, count)| count).sum::<u64>() + histogram.unknown;
        prop_assert_eq!(counted, events.len() as u64);
    }
}

#[test]
fn groups_are_counted_across_shards() {
    let folder = Folder::new();
    let hours: Vec<_> = (0..3).map(|hour| format!("2026-11-24T1{hour}:30:00Z")).collect();
    let mut events: Vec<_> = hours.iter().map(|time| unread_at(time, 0)).collect();
    events.push(ResetEvent { time: at("2026-11-24T12:40:00Z"), ..samples::refused() });
    folder.write(&events);
    assert_eq!(folder.shards().len(), 3);
    let history = History::open(&folder.0).expect("a history");
    let everything = Filter::everything();
    let fields = [Field::Comm, Field::Direction, Field::Peer, Field::LocalPort, Field::Workload];
    let (groups, _) = groups::groups(&history, &Range::ALL, &everything, &fields);
    let shown: Vec<_> = groups
        .iter()
        .map(|group| {
            let values: Vec<_> = group.values.iter().map(|value| value.as_deref().unwrap_or("-")).collect();
            format!("{} {} {}", group.count, group.last, values.join(" "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "3 2026-11-24T12:30:00Z nginx sent 10.0.0.9 80 kubernetes/7be92808767a",
            "1 2026-11-24T12:40:00Z python3 received 10.0.0.9 41322 systemd/app.service",
        ]
    );
    let until = Range { since: None, until: Some(at("2026-11-24T12:00:00Z")) };
    let (groups, _) = groups::groups(&history, &until, &everything, &[Field::Cause]);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].count, 2);
    let (histogram, _) = groups::histogram(&history, &Range::ALL, &everything, Measure::Idle);
    assert_eq!((histogram.buckets[0], histogram.unknown), ((Some(Duration::from_millis(100)), 3), 1));
}
