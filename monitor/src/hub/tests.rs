//! Every follower is told what matches, in order, and how much it has lost; nobody waits for another.

use std::{future::Future as _, pin::pin, sync::Arc, task::Poll};

use super::{Following, Hub, MOST_FOLLOWERS, QUEUE_LIMIT, Told, TooMany};
use crate::{
    filter::{Filter, samples},
    losses::{Losses, Place},
    model::ResetEvent,
};

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Arc::from("node1"), Arc::default()))
}

fn numbered(sequence: u16) -> ResetEvent {
    ResetEvent { sequence, ..samples::unread() }
}

fn id(event: &ResetEvent) -> String {
    event.id().to_string()
}

/// The ids of the events that are there, with `-N` for N that were lost.
fn told(following: &Following) -> Vec<String> {
    std::iter::from_fn(|| following.try_next())
        .map(|told| match told {
            Told::Lost(count) => format!("-{count}"),
            Told::Event(line) => {
                let object: serde_json::Value = serde_json::from_slice(line.json()).expect("JSON");
                assert_eq!(object["host"], "node1");
                assert!(line.json().ends_with(b"}\n"));
                object["id"].as_str().expect("an id").to_owned()
            }
        })
        .collect()
}

#[test]
fn events_come_to_those_whom_they_concern() {
    let hub = hub();
    hub.publish(numbered(1));
    let all = hub.follow(Filter::everything()).expect("room");
    let refused = hub.follow("not comm nginx".parse().expect("a filter")).expect("room");
    assert_eq!(hub.followers(), 2);
    let (unread, closed) = (numbered(2), samples::refused());
    hub.publish(unread.clone());
    hub.publish(closed.clone());
    assert_eq!(told(&all), [id(&unread), id(&closed)]);
    assert_eq!(told(&refused), [id(&closed)]);
    drop(all);
    assert_eq!(hub.followers(), 1);
}

#[test]
fn who_does_not_read_loses_the_oldest_and_is_told() {
    let losses = Arc::new(Losses::default());
    let hub = Arc::new(Hub::new(Arc::from("node1"), Arc::clone(&losses)));
    let slow = hub.follow(Filter::everything()).expect("room");
    let quick = hub.follow(Filter::everything()).expect("room");
    let events = u16::try_from(QUEUE_LIMIT).expect("fits") + 5;
    for sequence in 0..events {
        hub.publish(numbered(sequence));
        assert_eq!(told(&quick), [id(&numbered(sequence))]);
    }
    let got = told(&slow);
    assert_eq!((got[0].as_str(), got.len()), ("-5", QUEUE_LIMIT + 1));
    assert_eq!(got[1], id(&numbered(5)));
    assert_eq!(got.last(), Some(&id(&numbered(events - 1))));
    assert_eq!(losses.at(Place::Subscriber), 5);
}

#[test]
fn what_never_came_is_told_as_lost() {
    let hub = hub();
    let following = hub.follow("pid 1".parse().expect("a filter")).expect("room");
    hub.lose(3);
    assert_eq!(told(&following), ["-3"]);
}

#[test]
fn the_number_of_followers_is_bounded() {
    let hub = hub();
    let all: Vec<_> = (0..MOST_FOLLOWERS).map(|_| hub.follow(Filter::everything()).expect("room")).collect();
    assert_eq!(hub.follow(Filter::everything()).err(), Some(TooMany));
    drop(all);
    assert!(hub.follow(Filter::everything()).is_ok());
}

#[test]
fn the_end_comes_after_what_waits() {
    let hub = hub();
    let following = hub.follow(Filter::everything()).expect("room");
    hub.publish(numbered(1));
    hub.end();
    let next = || {
        let mut next = pin!(following.next());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match next.as_mut().poll(&mut context) {
            Poll::Ready(told) => told.is_some(),
            Poll::Pending => panic!("it waits"),
        }
    };
    assert!(next());
    assert!(!next());
    let late = hub.follow(Filter::everything()).expect("room");
    assert!(late.try_next().is_none());
}
