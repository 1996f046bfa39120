//! Counts over a history: events by what they have in common, and by how long connections were idle or how old. Each shard
//! is counted by itself in SQL, on the numbers that it has for names, and the counts are put together here.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    fault::HistoryError,
    reader::{History, Range},
    sql::where_clause,
};
use crate::filter::Filter;

/// What events may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Which way the RST went.
    Direction,
    /// Why it happened.
    Cause,
    /// Why the kernel sent it.
    Reason,
    /// The state before.
    State,
    /// IPv4 or IPv6.
    Family,
    /// What the application is told.
    Errno,
    /// How the owner is known.
    OwnerFrom,
    /// The owner's id.
    Pid,
    /// The owner's name.
    Comm,
    /// The unit.
    Unit,
    /// The container.
    Container,
    /// The unit, container or session.
    Workload,
    /// The local address.
    Local,
    /// The peer's address.
    Peer,
    /// The local port.
    LocalPort,
    /// The peer's port.
    PeerPort,
}

/// A word that is no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a field to group by: one of {}", Field::ALL.map(Field::as_str).join(", "))]
pub struct UnknownField;

/// Events that have the same values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// A value a field; `None` where it is not known.
    pub values: Vec<Option<String>>,
    /// How many there are.
    pub count: u64,
    /// When the last one was.
    pub last: Timestamp,
}

impl Field {
    /// Every field, in the order of the variants.
    pub const ALL: [Self; 16] = [
        Self::Direction,
        Self::Cause,
        Self::Reason,
        Self::State,
        Self::Family,
        Self::Errno,
        Self::OwnerFrom,
        Self::Pid,
        Self::Comm,
        Self::Unit,
        Self::Container,
        Self::Workload,
        Self::Local,
        Self::Peer,
        Self::LocalPort,
        Self::PeerPort,
    ];

    /// As users write it: as the filter of the same.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direction => "direction",
            Self::Cause => "cause",
            Self::Reason => "reason",
            Self::State => "state",
            Self::Family => "family",
            Self::Errno => "errno",
            Self::OwnerFrom => "owner_from",
            Self::Pid => "pid",
            Self::Comm => "comm",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Workload => "workload",
            Self::Local => "local",
            Self::Peer => "peer",
            Self::LocalPort => "lport",
            Self::PeerPort => "pport",
        }
    }

    /// What rows are grouped by: numbers, where it is one.
    fn grouped(self) -> &'static str {
        match self {
            Self::Direction => "direction",
            Self::Cause => "cause",
            Self::Reason => "reason",
            Self::State => "state",
            Self::Family => "typeof(peer_addr)",
            Self::Errno => "errno",
            Self::OwnerFrom => "owner_from",
            Self::Pid | Self::Comm => "process",
            Self::Unit | Self::Container | Self::Workload => "workload",
            Self::Local => "local_addr",
            Self::Peer => "peer_addr",
            Self::LocalPort => "local_port",
            Self::PeerPort => "peer_port",
        }
    }

    /// The value of `column`, which is what was grouped by.
    fn value(self, column: &str) -> String {
        let owner = |table: &str, value: &str| format!("(SELECT {value} FROM {table} WHERE id = {column})");
        match self {
            Self::Direction | Self::Cause | Self::State | Self::Errno | Self::OwnerFrom => {
                owner("strings", "text")
            }
            Self::Reason => {
                format!("CASE WHEN {column} < 0 THEN -1 - {column} ELSE {} END", owner("strings", "text"))
            }
            Self::Family => format!("CASE {column} WHEN 'integer' THEN 'ipv4' ELSE 'ipv6' END"),
            Self::Pid => owner("processes", "pid"),
            Self::Comm => owner("processes", "comm"),
            Self::Unit => owner("workloads", "CASE WHEN kind IN ('systemd', 'user') THEN name END"),
            Self::Container => {
                owner("workloads", "CASE WHEN kind NOT IN ('systemd', 'user') THEN short_name END")
            }
            Self::Workload => owner("workloads", "label"),
            Self::Local | Self::Peer | Self::LocalPort | Self::PeerPort => column.to_owned(),
        }
    }

    fn shown(self, value: Value) -> Option<String> {
        match (self, value) {
            (Self::Local | Self::Peer, Value::Integer(bits)) => {
                u32::try_from(bits).ok().map(|bits| Ipv4Addr::from_bits(bits).to_string())
            }
            (_, Value::Integer(number)) => Some(number.to_string()),
            (_, Value::Text(text)) => Some(text),
            (_, Value::Blob(octets)) => {
                let octets: [u8; 16] = octets.try_into().ok()?;
                Some(IpAddr::from(Ipv6Addr::from_octets(octets)).to_string())
            }
            (_, Value::Null | Value::Real(_)) => None,
        }
    }
}

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, UnknownField> {
        Self::ALL.into_iter().find(|field| field.as_str() == text).ok_or(UnknownField)
    }
}

/// Counts the events of a time that match by the values of these fields, the most first; and what could not be read.
pub fn groups(
    history: &History,
    range: &Range,
    filter: &Filter,
    fields: &[Field],
) -> (Vec<Group>, Vec<HistoryError>) {
    let (condition, values) = where_clause(filter);
    let sql = statement(fields, &condition);
    let mut counts: HashMap<Vec<Option<String>>, (u64, i64)> = HashMap::new();
    let problems = history.each_shard(range, |shard, first, last| {
        let bounds = [first, last].map(Value::from);
        let mut query = shard.prepare(&sql)?;
        let mut rows = query.query(params_from_iter(bounds.iter().chain(&values)))?;
        while let Some(row) = rows.next()? {
            let value = |(index, field): (usize, &Field)| Ok(field.shown(row.get(index)?));
            let key = fields.iter().enumerate().map(value).collect::<rusqlite::Result<_>>()?;
            let (count, last) =
                (row.get::<_, i64>(fields.len())?.cast_unsigned(), row.get::<_, i64>(fields.len() + 1)?);
            let all = counts.entry(key).or_insert((0, i64::MIN));
            *all = (all.0 + count, all.1.max(last));
        }
        Ok(())
    });
    let group = |(values, (count, last)): (_, (u64, i64))| Group {
        values,
        count,
        last: Timestamp::from_nanosecond(last.into()).unwrap_or_default(),
    };
    let mut groups: Vec<_> = counts.into_iter().map(group).collect();
    groups.sort_by(|one, other| {
        other
            .count
            .cmp(&one.count)
            .then(other.last.cmp(&one.last))
            .then_with(|| one.values.cmp(&other.values))
    });
    (groups, problems)
}

/// Counts one shard's rows; takes the first and the last key, then what the condition takes.
pub fn statement(fields: &[Field], condition: &str) -> String {
    let inner: Vec<_> =
        fields.iter().enumerate().map(|(index, field)| format!("{} AS g{index}", field.grouped())).collect();
    let names: Vec<_> = (0..fields.len()).map(|index| format!("g{index}")).collect();
    let outer: Vec<_> = fields.iter().zip(&names).map(|(field, name)| field.value(name)).collect();
    format!(
        "SELECT {}, n, last FROM (SELECT {}, count(*) AS n, max(key - shift) AS last FROM events WHERE key BETWEEN ? AND ? \
         AND {condition} GROUP BY {})",
        outer.join(", "),
        inner.join(", "),
        names.join(", ")
    )
}

/// What a histogram is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Measure {
    /// How long no data had moved
    Idle,
    /// How long the connection had been established
    Age,
}

/// Counts by size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Each with its upper bound, which is not in it; the last one has none.
    pub buckets: Vec<(Option<Duration>, u64)>,
    /// Events of which it is not known.
    pub unknown: u64,
}

impl Measure {
    fn column(self) -> &'static str {
        match self {
            Self::Idle => "idle_us",
            Self::Age => "age_us",
        }
    }

    /// A little above the idle timeouts that are in use, so that each has its bucket; and decades of ages.
    fn bounds(self) -> &'static [Duration] {
        const IDLE: [Duration; 12] = [
            Duration::from_millis(100),
            Duration::from_secs(1),
            Duration::from_millis(5_500),
            Duration::from_secs(16),
            Duration::from_secs(62),
            Duration::from_secs(80),
            Duration::from_secs(125),
            Duration::from_secs(245),
            Duration::from_secs(355),
            Duration::from_secs(610),
            Duration::from_secs(1_220),
            Duration::from_secs(3_650),
        ];
        const AGES: [Duration; 10] = [
            Duration::from_millis(1),
            Duration::from_millis(10),
            Duration::from_millis(100),
            Duration::from_secs(1),
            Duration::from_secs(10),
            Duration::from_mins(1),
            Duration::from_mins(5),
            Duration::from_mins(30),
            Duration::from_hours(2),
            Duration::from_hours(24),
        ];
        match self {
            Self::Idle => &IDLE,
            Self::Age => &AGES,
        }
    }
}

/// Counts the events of a time that match by a measure; and what could not be read.
pub fn histogram(
    history: &History,
    range: &Range,
    filter: &Filter,
    measure: Measure,
) -> (Histogram, Vec<HistoryError>) {
    let (condition, values) = where_clause(filter);
    let (column, bounds) = (measure.column(), measure.bounds());
    let sql = format!("SELECT {column} FROM events WHERE key BETWEEN ? AND ? AND {condition}");
    let mut counts = vec![0_u64; bounds.len() + 1];
    let mut unknown = 0;
    let problems = history.each_shard(range, |shard: &Connection, first, last| {
        let keys = [first, last].map(Value::from);
        let mut query = shard.prepare(&sql)?;
        let mut rows = query.query(params_from_iter(keys.iter().chain(&values)))?;
        while let Some(row) = rows.next()? {
            match row.get::<_, Option<i64>>(0)? {
                Some(time) => {
                    let time = Duration::from_micros(time.cast_unsigned());
                    counts[bounds.partition_point(|bound| *bound <= time)] += 1;
                }
                None => unknown += 1,
            }
        }
        Ok(())
    });
    let bounds = bounds.iter().copied().map(Some).chain([None]);
    (Histogram { buckets: bounds.zip(counts).collect(), unknown }, problems)
}
