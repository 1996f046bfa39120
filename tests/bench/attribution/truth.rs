//! What scripts know of the resets they make, and what was seen of them.

use std::{collections::HashMap, net::SocketAddr};

use serde_json::Value;

/// Who owns the local socket of an event, if anybody does.
pub(crate) type Owner = Option<u32>;

/// One end of a connection that is reset, as it is seen there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) netns: u64,
    pub(crate) direction: Direction,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Sent,
    Received,
}

impl Direction {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "sent" => Some(Self::Sent),
            "received" => Some(Self::Received),
            _ => None,
        }
    }
}

/// What scripts know: whose each reset is, in the order in which they told.
pub(crate) type Truth = HashMap<Key, Vec<Owner>>;

/// Reads a script's line about a reset: direction, local end, peer's end, process id or 0. None if it is another line.
pub(crate) fn parse(line: &str, netns: u64) -> Option<(Key, Owner)> {
    let mut words = line.split(' ');
    let direction = Direction::parse(words.next()?)?;
    let local = words.next()?.parse().ok()?;
    let peer = words.next()?.parse().ok()?;
    let pid: u32 = words.next()?.parse().ok()?;
    Some((Key { netns, direction, local, peer }, (pid != 0).then_some(pid)))
}

/// Which end an event of the product's is about.
pub(crate) fn key_of(event: &Value) -> Option<Key> {
    let end = |end: &Value| {
        let port = u16::try_from(end["port"].as_u64()?).ok()?;
        Some(SocketAddr::new(end["addr"].as_str()?.parse().ok()?, port))
    };
    Some(Key {
        netns: event["netns"].as_u64()?,
        direction: Direction::parse(event["direction"].as_str()?)?,
        local: end(&event["local"])?,
        peer: end(&event["peer"])?,
    })
}

/// Whom an event of the product's names.
pub(crate) fn owner_of(event: &Value) -> Owner {
    event["process"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
}
