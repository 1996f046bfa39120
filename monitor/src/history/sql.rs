//! A filter as a condition in SQL on the table of events: it holds for the rows of exactly those events that the filter
//! matches. Values are parameters, never text of the statement.

use std::net::IpAddr;

use ipnet::IpNet;
use rusqlite::types::Value;

use crate::{
    filter::{Filter, Test},
    model::{Direction, Errno, Family},
};

/// Kinds of workloads that are units.
const UNITS: &str = "kind IN ('systemd', 'user')";

/// The condition, and its parameters in order.
pub fn where_clause(filter: &Filter) -> (String, Vec<Value>) {
    let mut clause = Clause::default();
    clause.filter(filter);
    (clause.sql, clause.values)
}

#[derive(Default)]
struct Clause {
    sql: String,
    values: Vec<Value>,
}

impl Clause {
    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::All(filters) => self.joined(filters, " AND ", "1"),
            Filter::Any(filters) => self.joined(filters, " OR ", "0"),
            Filter::Not(filter) => {
                // What is not known has no property, in SQL it is unknown whether it has; and so would be the negation.
                self.sql.push_str("((");
                self.filter(filter);
                self.sql.push_str(") IS NOT TRUE)");
            }
            Filter::Test(test) => self.test(test),
        }
    }

    fn joined(&mut self, filters: &[Filter], with: &str, of_none: &str) {
        if filters.is_empty() {
            return self.sql.push_str(of_none);
        }
        for (index, filter) in filters.iter().enumerate() {
            self.sql.push_str(if index == 0 { "(" } else { with });
            self.filter(filter);
        }
        self.sql.push(')');
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Pid(pid) => {
                self.push("process IN (SELECT id FROM processes WHERE pid = ?)", [i64::from(*pid).into()]);
            }
            Test::Comm(name) => {
                let names = name.shown();
                let sql = format!("process IN (SELECT id FROM processes WHERE comm IN ({}))", places(&names));
                self.push(&sql, names.into_iter().map(Value::from));
            }
            Test::Unit(name) => {
                let sql = format!(
                    "workload IN (SELECT id FROM workloads WHERE {UNITS} AND name IN (?, ? || '.service'))"
                );
                self.repeated(&sql, name.as_str());
            }
            Test::Container(name) => {
                let sql = format!(
                    "workload IN (SELECT id FROM workloads WHERE instr(container_id, ?) = 1 OR (NOT {UNITS} AND name = ?))"
                );
                self.repeated(&sql, name.as_str());
            }
            Test::Workload(name) => {
                let sql = format!(
                    "workload IN (SELECT id FROM workloads WHERE ? IN (kind, label, short_name, container_id, pod_uid) \
                     OR ({UNITS} AND name IN (?, ? || '.service')))"
                );
                self.repeated(&sql, name.as_str());
            }
            Test::Peer(network) => self.network("peer_addr", network),
            Test::Local(network) => self.network("local_addr", network),
            Test::Port(port) => {
                let port = Value::from(i64::from(*port));
                self.push("(local_port = ? OR peer_port = ?)", [port.clone(), port]);
            }
            Test::LocalPort(port) => self.push("local_port = ?", [i64::from(*port).into()]),
            Test::PeerPort(port) => self.push("peer_port = ?", [i64::from(*port).into()]),
            Test::Cause(cause) => self.word("cause", cause.as_str()),
            Test::Reason(name) => {
                let names = name.names();
                let sql = format!(
                    "(reason IN (SELECT id FROM strings WHERE upper(text) IN ({})) OR reason = ?)",
                    places(&names)
                );
                let number = name.number().map_or(Value::Null, |number| (-1 - i64::from(number)).into());
                self.push(&sql, names.into_iter().map(Value::from).chain([number]));
            }
            Test::Direction(direction) => self.word("direction", Direction::as_str(*direction)),
            Test::Family(Family::Ipv4) => self.push("typeof(peer_addr) = 'integer'", []),
            Test::Family(Family::Ipv6) => self.push("typeof(peer_addr) = 'blob'", []),
            Test::Errno(errno) => self.word("errno", Errno::as_str(*errno)),
        }
    }

    fn word(&mut self, column: &str, word: &str) {
        self.repeated(&format!("{column} IN (SELECT id FROM strings WHERE text = ?)"), word);
    }

    /// Addresses of one family are in the order of their numbers, and apart from those of the other one.
    fn network(&mut self, column: &str, network: &IpNet) {
        let bound = |address| match address {
            IpAddr::V4(address) => Value::from(i64::from(address.to_bits())),
            IpAddr::V6(address) => Value::from(address.octets().to_vec()),
        };
        let (first, last) = (bound(network.network()), bound(network.broadcast()));
        self.push(&format!("{column} BETWEEN ? AND ?"), [first, last]);
    }

    /// A condition in which one text stands at every place.
    fn repeated(&mut self, sql: &str, text: &str) {
        let count = sql.matches('?').count();
        self.push(sql, std::iter::repeat_n(Value::from(text.to_owned()), count));
    }

    fn push(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(sql);
        self.values.extend(values);
    }
}

fn places(values: &[String]) -> String {
    vec!["?"; values.len()].join(", ")
}
