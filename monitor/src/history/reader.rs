//! Reads a history: a folder that an agent writes at the moment, has written, or that was copied from elsewhere. Shards are
//! opened one by one as they are needed, the newest first for who asks for the newest, and each look at one is short, so
//! that nobody who reads holds up who writes.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};

use super::{
    fault::HistoryError,
    record::{Decoder, RowError},
    schema, shard,
    span::{Span, nanoseconds},
    sql::where_clause,
};
use crate::{filter::Filter, input::Recorded, model::EventId};

/// Rows that are read in one look.
const PAGE: usize = 1_024;

/// Which events are asked for.
#[derive(Clone, Debug)]
pub struct Range {
    /// Those from here on.
    pub since: Option<Timestamp>,
    /// Those up to here, and not later.
    pub until: Option<Timestamp>,
}

/// In which order they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    Ascending,
    /// The newest first.
    Descending,
}

/// A history that can be read.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    /// In order of time.
    spans: Vec<Span>,
}

impl Range {
    /// All of the time.
    pub const ALL: Self = Self { since: None, until: None };

    /// The first and the last key.
    fn keys(&self) -> (i64, i64) {
        let clamped = |time: Timestamp| {
            nanoseconds(time).unwrap_or(if time.as_second() < 0 { i64::MIN } else { i64::MAX })
        };
        (self.since.map_or(i64::MIN, clamped), self.until.map_or(i64::MAX, clamped))
    }
}

impl Order {
    /// Keys in this order are ranks in ascending order; and the way back.
    fn rank(self, key: i64) -> i64 {
        match self {
            Self::Ascending => key,
            Self::Descending => !key,
        }
    }

    fn as_sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}

impl History {
    /// Lists a folder.
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        Ok(Self { folder: folder.to_owned(), spans: spans(folder)? })
    }

    /// When the oldest and the newest event happened; `None` where there is no event.
    pub fn covered(&self) -> Option<(Timestamp, Timestamp)> {
        let time = |key: i64| Timestamp::from_nanosecond(key.into()).ok();
        Some((time(self.end(Order::Ascending)?)?, time(self.end(Order::Descending)?)?))
    }

    /// The first time in an order.
    fn end(&self, order: Order) -> Option<i64> {
        let mut best: Option<i64> = None;
        for span in self.ordered(order) {
            if best.is_some_and(|best| bound(span, order) > order.rank(best)) {
                break;
            }
            let end = open(&self.folder.join(span.to_string())).ok().and_then(|shard| {
                let sql = format!("SELECT key - shift FROM events ORDER BY key {} LIMIT 1", order.as_sql());
                shard.query_row(&sql, [], |row| row.get(0)).ok()
            });
            best = best.into_iter().chain(end).min_by_key(|key| order.rank(*key));
        }
        best
    }

    /// The events of a time that match, in order.
    pub fn events(&self, range: &Range, order: Order, filter: &Filter) -> Events<'_> {
        let (first, last) = range.keys();
        let (condition, values) = where_clause(filter);
        let waiting =
            self.ordered(order).filter(|span| span.earliest() <= last && span.end() > first).collect();
        let sql = format!(
            "SELECT {} FROM events WHERE key BETWEEN ? AND ? AND {condition} ORDER BY key {} LIMIT {PAGE}",
            schema::all_columns(),
            order.as_sql()
        );
        Events {
            history: self,
            order,
            first,
            last,
            sql,
            values,
            waiting,
            open: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The event with this id.
    pub fn find(&self, id: EventId) -> Option<Recorded> {
        // Those of one nanosecond have keys one after the other.
        let since = id.time();
        let until = Timestamp::from_nanosecond(since.as_nanosecond() + i128::from(u16::MAX)).ok()?;
        let range = Range { since: Some(since), until: Some(until) };
        let mut events = self.events(&range, Order::Ascending, &Filter::everything());
        events.find(|recorded| recorded.event.id() == id)
    }

    /// What `look` makes of each shard that may have events of a time, with the keys that it shall have, and why a shard
    /// cannot be read.
    pub fn each_shard(
        &self,
        range: &Range,
        mut look: impl FnMut(&Connection, i64, i64) -> rusqlite::Result<()>,
    ) -> Vec<HistoryError> {
        let (first, last) = range.keys();
        let mut problems = Vec::new();
        for span in &self.spans {
            if span.earliest() > last || span.end() <= first {
                continue;
            }
            let path = self.folder.join(span.to_string());
            let looked = open(&path).and_then(|shard| {
                look(&shard, first, last).map_err(|source| HistoryError::Shard {
                    operation: "read",
                    path,
                    source,
                })
            });
            problems.extend(looked.err().filter(|error| !error.is_gone()));
        }
        problems
    }

    fn ordered(&self, order: Order) -> Box<dyn Iterator<Item = Span> + '_> {
        match order {
            Order::Ascending => Box::new(self.spans.iter().copied()),
            Order::Descending => Box::new(self.spans.iter().rev().copied()),
        }
    }
}

/// Events of several shards as one sequence.
#[derive(Debug)]
pub struct Events<'a> {
    history: &'a History,
    order: Order,
    first: i64,
    last: i64,
    sql: String,
    values: Vec<Value>,
    waiting: VecDeque<Span>,
    open: Vec<Stream>,
    problems: Vec<Problem>,
}

/// What could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A shard.
    #[error(transparent)]
    Shard(#[from] HistoryError),
    /// A row of one.
    #[error("{path}", path = path.display())]
    Row {
        /// The shard.
        path: PathBuf,
        /// What is wrong with it.
        source: RowError,
    },
}

/// One shard while it is read.
#[derive(Debug)]
struct Stream {
    path: PathBuf,
    shard: Connection,
    decoder: Decoder,
    page: VecDeque<(i64, Recorded)>,
    /// The rank from which the next page goes on; `None` after the last one.
    next: Option<i64>,
}

impl Events<'_> {
    /// What could not be read so far; a row is told of once a shard.
    pub fn problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// Opens every shard that may have what comes next.
    fn open_due(&mut self) {
        while let Some(span) = self.waiting.front().copied() {
            let nearest = self.open.iter().filter_map(Stream::rank).min();
            if nearest.is_some_and(|rank| rank < bound(span, self.order)) {
                break;
            }
            self.waiting.pop_front();
            let path = self.history.folder.join(span.to_string());
            match Stream::open(path) {
                Ok(stream) => self.open.push(stream),
                Err(error) if error.is_gone() => {}
                Err(error) => self.problems.push(error.into()),
            }
            self.fill();
        }
    }

    /// Reads the next page of every shard that has none, and lets those go that are read.
    fn fill(&mut self) {
        let Self { open, order, sql, values, problems, .. } = self;
        let bounds = (self.first, self.last);
        open.retain_mut(|stream| {
            if stream.page.is_empty() {
                stream.read(*order, sql, bounds, values, problems);
            }
            !stream.page.is_empty()
        });
    }
}

impl Iterator for Events<'_> {
    type Item = Recorded;

    fn next(&mut self) -> Option<Recorded> {
        self.fill();
        self.open_due();
        let nearest = self.open.iter_mut().min_by_key(|stream| stream.rank())?;
        nearest.page.pop_front().map(|(_, recorded)| recorded)
    }
}

impl Stream {
    fn open(path: PathBuf) -> Result<Self, HistoryError> {
        let shard = open(&path)?;
        let host: Result<Arc<str>, _> =
            shard.query_row("SELECT value FROM meta WHERE name = 'host'", [], |row| row.get(0));
        match host {
            Ok(host) => Ok(Self {
                decoder: Decoder::new(host),
                path,
                shard,
                page: VecDeque::new(),
                next: Some(i64::MIN),
            }),
            Err(source) => Err(HistoryError::Shard { operation: "read", path, source }),
        }
    }

    fn rank(&self) -> Option<i64> {
        self.page.front().map(|(rank, _)| *rank)
    }

    /// Reads pages until one has an event or there are no more rows.
    fn read(
        &mut self,
        order: Order,
        sql: &str,
        bounds: (i64, i64),
        values: &[Value],
        problems: &mut Vec<Problem>,
    ) {
        while self.page.is_empty()
            && let Some(from) = self.next.take()
        {
            if let Err(source) = self.read_page(from, order, sql, bounds, values, problems) {
                self.next = None;
                let path = self.path.clone();
                problems.push(HistoryError::Shard { operation: "read", path, source }.into());
            }
        }
    }

    fn read_page(
        &mut self,
        from: i64,
        order: Order,
        sql: &str,
        (first, last): (i64, i64),
        values: &[Value],
        problems: &mut Vec<Problem>,
    ) -> rusqlite::Result<()> {
        let (first, last) = match order {
            Order::Ascending => (first.max(from), last),
            Order::Descending => (first, last.min(!from)),
        };
        let bounds = [first, last].map(Value::from);
        let mut query = self.shard.prepare_cached(sql)?;
        let mut rows = query.query(params_from_iter(bounds.iter().chain(values)))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            let rank = order.rank(row.get(0)?);
            self.next = (count == PAGE).then(|| rank.checked_add(1)).flatten();
            match self.decoder.decode(row, &self.shard) {
                Ok(recorded) => self.page.push_back((rank, recorded)),
                Err(RowError::Sql(error)) => return Err(error),
                Err(source) => {
                    let of_shard = |problem: &Problem| matches!(problem, Problem::Row { path, .. } if *path == self.path);
                    if !problems.iter().any(of_shard) {
                        problems.push(Problem::Row { path: self.path.clone(), source });
                    }
                }
            }
        }
        Ok(())
    }
}

/// No event of a shard has a lower rank.
fn bound(span: Span, order: Order) -> i64 {
    match order {
        Order::Ascending => span.earliest(),
        Order::Descending => order.rank(span.end()),
    }
}

/// The shards of a folder, in order of time.
pub(super) fn spans(folder: &Path) -> Result<Vec<Span>, HistoryError> {
    let failed = |source| HistoryError::Folder { operation: "list", path: folder.to_owned(), source };
    let mut spans = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        spans.extend(name.to_str().and_then(Span::of_file));
    }
    spans.sort_unstable();
    Ok(spans)
}

/// When the oldest event in a folder happened.
pub(super) fn oldest(folder: &Path) -> Option<i64> {
    History::open(folder).ok()?.end(Order::Ascending)
}

/// Opens a shard to read it. Where nothing may be written beside it, one that was ended well is taken to be unchanging; one
/// that was not may lack what is in its log, so that is not done with it.
fn open(path: &Path) -> Result<Connection, HistoryError> {
    shard::identify(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let failed = |source| HistoryError::Shard { operation: "open", path: path.to_owned(), source };
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(std::time::Duration::from_secs(1)).map_err(failed)?;
    let works = connection.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0));
    match works {
        Ok(_) => Ok(connection),
        Err(_) if !shard::beside(path, "-wal").exists() => {
            Connection::open_with_flags(unchanging(path), flags).map_err(failed)
        }
        Err(source) => Err(failed(source)),
    }
}

/// The address of a file that nobody changes.
fn unchanging(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = std::fmt::Write::write_fmt(&mut uri, format_args!("%{byte:02x}"));
        }
    }
    uri + "?immutable=1"
}
