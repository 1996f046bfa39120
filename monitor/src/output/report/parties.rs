//! With whom, and by which processes: counts by peer. A peer with many ports is one that connects, and is shown by its
//! address alone.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use super::words;
use crate::{
    catalogue::Language,
    model::{Direction, ResetEvent},
    output::escape::escape,
};

/// Addresses that are told apart, and how many lines are written of them.
const MOST_ADDRESSES: usize = 1024;
const MOST_LINES: usize = 10;

/// Ports of an address that are told apart.
const MOST_PORTS: usize = 3;

/// Processes that are named.
const MOST_PROCESSES: usize = 4;

/// Peers and processes of resets of one cause and direction.
#[derive(Debug, Default)]
pub(super) struct Parties {
    count: u64,
    addresses: BTreeMap<IpAddr, Ports>,
    processes: Vec<(u32, String)>,
    has_more_processes: bool,
}

/// The ports of one address.
#[derive(Debug, Default)]
struct Ports {
    count: u64,
    /// Empty when there were too many.
    by_port: BTreeMap<u16, u64>,
    too_many: bool,
}

/// Whom a count is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// One address and port.
    End(SocketAddr),
    /// Many ports of an address.
    Address(IpAddr),
    /// Everybody else.
    Others,
}

impl Parties {
    pub(super) fn add(&mut self, event: &ResetEvent) {
        self.count += 1;
        let peer = event.tuple.peer;
        if self.addresses.len() < MOST_ADDRESSES || self.addresses.contains_key(&peer.ip()) {
            self.addresses.entry(peer.ip()).or_default().add(peer.port());
        }
        let Some(process) = &event.process else { return };
        if self.processes.iter().any(|(pid, name)| *pid == process.pid && name == process.name()) {
            return;
        }
        if self.processes.len() < MOST_PROCESSES {
            self.processes.push((process.pid, process.name().to_owned()));
        } else {
            self.has_more_processes = true;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A line for each peer, the one with most resets first, and one with the processes.
    pub(super) fn lines(&self, direction: Direction, language: Language) -> Vec<String> {
        if self.count == 0 {
            return Vec::new();
        }
        let mut peers: Vec<(Peer, u64)> =
            self.addresses.iter().flat_map(|(address, ports)| ports.peers(*address)).collect();
        peers.sort_by_key(|(_, count)| Reverse(*count));
        peers.truncate(MOST_LINES);
        let told: u64 = peers.iter().map(|(_, count)| count).sum();
        if told < self.count {
            peers.push((Peer::Others, self.count - told));
        }
        let mut lines: Vec<String> =
            peers.into_iter().map(|(peer, count)| words::count(direction, count, peer, language)).collect();
        if !self.processes.is_empty() {
            lines.push(self.process_line(language));
        }
        lines
    }

    fn process_line(&self, language: Language) -> String {
        let names = self.processes.iter().map(|(pid, name)| format!("{}[{pid}]", escape(name)));
        words::processes(&names.collect::<Vec<_>>(), self.has_more_processes, language)
    }
}

impl Ports {
    fn add(&mut self, port: u16) {
        self.count += 1;
        if self.too_many {
            return;
        }
        *self.by_port.entry(port).or_default() += 1;
        if self.by_port.len() > MOST_PORTS {
            self.by_port.clear();
            self.too_many = true;
        }
    }

    fn peers(&self, address: IpAddr) -> Vec<(Peer, u64)> {
        if self.too_many {
            return vec![(Peer::Address(address), self.count)];
        }
        let ends = self.by_port.iter();
        ends.map(|(port, count)| (Peer::End(SocketAddr::new(address, *port)), *count)).collect()
    }
}
