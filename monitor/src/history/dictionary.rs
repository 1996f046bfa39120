//! Numbers for what recurs in the rows of a shard: names, processes, workloads. The newest are remembered; one that was
//! forgotten gets another number when it comes again, so a name may have several.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use hashlink::LruCache;
use rusqlite::{Connection, params};

use crate::model::{
    process::{Process, ProcessDetails},
    workload::Workload,
};

/// Names that are remembered.
const STRINGS: usize = 8_192;
/// Processes, as many as `enrich` remembers, and workloads.
const OWNERS: usize = 4_096;

/// What has a number in a shard.
#[derive(Debug)]
pub(super) struct Dictionary {
    strings: LruCache<Arc<str>, i64>,
    processes: LruCache<Known, i64>,
    workloads: LruCache<Arc<Workload>, i64>,
    next: Next,
}

/// The numbers that come next.
#[derive(Debug)]
struct Next {
    string: i64,
    process: i64,
    workload: i64,
}

/// A process as a row shows it. Two with the same id and start differ when it has executed something meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    pid: u32,
    started: i64,
    uid: u32,
    comm: Arc<str>,
    details: Option<Arc<ProcessDetails>>,
}

impl Hash for Known {
    /// Hardly any differ in the rest alone.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pid.hash(state);
        self.started.hash(state);
    }
}

impl Dictionary {
    /// A dictionary that goes on behind what is in the shard.
    pub(super) fn new(shard: &Connection) -> rusqlite::Result<Self> {
        let next = |table: &str| {
            let query = format!("SELECT ifnull(max(id), 0) + 1 FROM {table}");
            shard.query_row(&query, [], |row| row.get(0))
        };
        Ok(Self {
            strings: LruCache::new(STRINGS),
            processes: LruCache::new(OWNERS),
            workloads: LruCache::new(OWNERS),
            next: Next {
                string: next("strings")?,
                process: next("processes")?,
                workload: next("workloads")?,
            },
        })
    }

    /// The number of a name.
    pub(super) fn string(&mut self, text: &str, shard: &Connection) -> rusqlite::Result<i64> {
        if let Some(id) = self.strings.get(text) {
            return Ok(*id);
        }
        let id = take(&mut self.next.string);
        shard.prepare_cached("INSERT INTO strings VALUES (?, ?)")?.execute(params![id, text])?;
        self.strings.insert(text.into(), id);
        Ok(id)
    }

    /// The number of a process.
    pub(super) fn process(&mut self, process: &Process, shard: &Connection) -> rusqlite::Result<i64> {
        let known = Known {
            pid: process.pid,
            started: nanoseconds(process),
            uid: process.uid,
            comm: Arc::clone(process.details.as_ref().map_or(&process.comm, |details| &details.comm)),
            details: process.details.clone(),
        };
        if let Some(id) = self.processes.get(&known) {
            return Ok(*id);
        }
        let id = take(&mut self.next.process);
        let exe = known.details.as_ref().and_then(|details| details.exe.as_deref());
        let arguments = known.details.as_ref().and_then(|details| details.cmdline.as_deref());
        // Texts are always JSON.
        let cmdline = arguments.and_then(|arguments| serde_json::to_string(arguments).ok());
        shard.prepare_cached("INSERT INTO processes VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(params![
            id,
            known.pid,
            known.started,
            known.uid,
            &*known.comm,
            exe,
            cmdline
        ])?;
        self.processes.insert(known, id);
        Ok(id)
    }

    /// The number of a workload.
    pub(super) fn workload(&mut self, workload: &Arc<Workload>, shard: &Connection) -> rusqlite::Result<i64> {
        if let Some(id) = self.workloads.get(workload) {
            return Ok(*id);
        }
        let id = take(&mut self.next.workload);
        shard.prepare_cached("INSERT INTO workloads VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(params![
            id,
            workload.kind.as_str(),
            workload.name.as_deref(),
            workload.container_id.as_deref(),
            workload.pod_uid.as_deref(),
            workload.short_name(),
            workload.to_string(),
        ])?;
        self.workloads.insert(Arc::clone(workload), id);
        Ok(id)
    }
}

fn take(next: &mut i64) -> i64 {
    let id = *next;
    *next += 1;
    id
}

/// When a process started. No host runs processes that started before 1677 or after 2262.
fn nanoseconds(process: &Process) -> i64 {
    i64::try_from(process.start_time.as_nanosecond()).unwrap_or_default()
}
