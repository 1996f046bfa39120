//! Live events for whoever follows them. Each follower has a queue of its own, of bounded length: who reads too slowly loses
//! the oldest events, is told how many, and holds up nobody. Lacks I/O: what becomes of the lines is the followers' affair.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    filter::Filter,
    losses::{Losses, Place},
    model::ResetEvent,
    output::json,
};

#[cfg(test)]
mod tests;

/// Most events that wait for one follower; the oldest is lost beyond that. What waits is shared among followers.
pub const QUEUE_LIMIT: usize = 1024;

/// Most followers at once.
pub const MOST_FOLLOWERS: usize = 512;

/// Where events come together with those who follow them.
#[derive(Debug)]
pub struct Hub {
    host: Arc<str>,
    losses: Arc<Losses>,
    followers: Mutex<Followers>,
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Followers {
    all: BTreeMap<u64, Arc<Follower>>,
    given: u64,
    is_over: bool,
}

#[derive(Debug)]
struct Follower {
    filter: Filter,
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Arc<Line>>,
    lost: u64,
    is_over: bool,
}

/// An event on its way to its followers, written once for all of them.
#[derive(Debug)]
pub struct Line {
    event: ResetEvent,
    host: Arc<str>,
    json: OnceLock<Vec<u8>>,
}

/// What a follower is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// An event.
    Event(Arc<Line>),
    /// So many events were lost, because somebody was not fast enough.
    Lost(u64),
}

/// There are [`MOST_FOLLOWERS`] already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_FOLLOWERS} others follow already")]
pub struct TooMany;

impl Hub {
    /// Nobody follows so far. `host` is where the events come from.
    pub fn new(host: Arc<str>, losses: Arc<Losses>) -> Self {
        Self { host, losses, followers: Mutex::default(), count: AtomicUsize::new(0) }
    }

    /// How many follow.
    pub fn followers(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Hands an event to those whose filter it matches. Never waits for any of them.
    pub fn publish(&self, event: ResetEvent) {
        let followers = lock(&self.followers);
        let mut interested =
            followers.all.values().filter(|follower| follower.filter.matches(&event)).peekable();
        if interested.peek().is_none() {
            return;
        }
        let interested: Vec<Arc<Follower>> = interested.map(Arc::clone).collect();
        drop(followers);
        let line = Arc::new(Line { event, host: Arc::clone(&self.host), json: OnceLock::new() });
        for follower in interested {
            let lost = lock(&follower.queue).push(Arc::clone(&line));
            self.losses.add(Place::Subscriber, lost);
            follower.arrived.notify_one();
        }
    }

    /// So many events never came here: whoever follows may have missed them.
    pub fn lose(&self, events: u64) {
        for follower in lock(&self.followers).all.values() {
            lock(&follower.queue).lost += events;
            follower.arrived.notify_one();
        }
    }

    /// Follows the events that match, from now on.
    pub fn follow(self: &Arc<Self>, filter: Filter) -> Result<Following, TooMany> {
        let mut followers = lock(&self.followers);
        if followers.all.len() >= MOST_FOLLOWERS {
            return Err(TooMany);
        }
        followers.given += 1;
        let number = followers.given;
        let queue = Mutex::new(Queue { is_over: followers.is_over, ..Queue::default() });
        let follower = Arc::new(Follower { filter, queue, arrived: Notify::new() });
        followers.all.insert(number, Arc::clone(&follower));
        self.count.store(followers.all.len(), Ordering::Relaxed);
        Ok(Following { hub: Arc::clone(self), follower, number })
    }

    /// No further events will come: followers are told what waits for them, and then the end.
    pub fn end(&self) {
        let mut followers = lock(&self.followers);
        followers.is_over = true;
        for follower in followers.all.values() {
            lock(&follower.queue).is_over = true;
            follower.arrived.notify_one();
        }
    }
}

/// The events that somebody follows, until it is dropped.
#[derive(Debug)]
pub struct Following {
    hub: Arc<Hub>,
    follower: Arc<Follower>,
    number: u64,
}

impl Following {
    /// Waits for the next event; `None` at the end. Loses nothing when it is dropped while it waits.
    pub async fn next(&self) -> Option<Told> {
        loop {
            if let Some(told) = self.try_next() {
                return Some(told);
            }
            if lock(&self.follower.queue).is_over {
                return None;
            }
            self.follower.arrived.notified().await;
        }
    }

    /// What is there already.
    pub fn try_next(&self) -> Option<Told> {
        let mut queue = lock(&self.follower.queue);
        match mem::take(&mut queue.lost) {
            0 => queue.lines.pop_front().map(Told::Event),
            lost => Some(Told::Lost(lost)),
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut followers = lock(&self.hub.followers);
        followers.all.remove(&self.number);
        self.hub.count.store(followers.all.len(), Ordering::Relaxed);
    }
}

impl Queue {
    /// How many were lost by that.
    fn push(&mut self, line: Arc<Line>) -> u64 {
        let lost = u64::from(self.lines.len() >= QUEUE_LIMIT);
        if lost > 0 {
            self.lines.pop_front();
        }
        self.lost += lost;
        self.lines.push_back(line);
        lost
    }
}

impl Line {
    /// The event as one JSON object, with the end of its line.
    pub fn json(&self) -> &[u8] {
        self.json.get_or_init(|| {
            let mut text = Vec::new();
            // Memory takes everything.
            let _ = json::write(&self.event, &self.host, &mut text);
            text
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
