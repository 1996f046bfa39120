//! What happened on this host, kept for days: databases of `SQLite` in one folder, one an hour, written by one thread of the
//! agent and read by anyone who may, with an agent or without.
//!
//! `recorder` and what it stands on write: `queue`, `store`, `shard`. `reader` and what it stands on read: `sql`, `groups`.
//! Both agree on `schema`, `columns`, `row` with its way back `record`, and on names of files, `span`.

pub mod fault;
pub mod groups;
pub mod limits;
pub mod queue;
pub mod reader;
pub mod record;
pub mod recorder;
pub mod sql;

mod columns;
mod dictionary;
mod packed;
mod row;
mod schema;
mod shard;
mod span;
mod store;

#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::Duration};

/// Where a history is unless somebody says otherwise.
pub const DEFAULT_FOLDER: &str = "/var/lib/resetmon";

/// Where a history is, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes on the disk.
    pub max_bytes: u64,
    /// How long an event is kept.
    pub max_age: Duration,
}
