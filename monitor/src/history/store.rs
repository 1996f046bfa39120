//! The folder of the history while one agent writes it: which shard an event goes to, and how much is kept. What is too
//! much or too old goes by the whole shard, the oldest first: removing a file costs nothing, deleting rows does.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use super::{
    HistoryOptions,
    fault::HistoryError,
    reader,
    shard::{self, Shard},
    span::{Span, nanoseconds},
};
use crate::model::ResetEvent;

/// Of the folder: who is not of its group sees nothing.
const FOLDER_MODE: u32 = 0o750;
/// The file that the writing agent has locked.
const LOCK: &str = "lock";
/// So many shards make up what may be kept at least, so that removing one leaves most of it.
const PARTS: u64 = 8;
/// A shard gets no larger than this, however much may be kept.
const LARGEST: u64 = 256 << 20;

/// A folder that this process alone writes.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    host: Arc<str>,
    max_bytes: u64,
    max_age: Duration,
    /// Shards that are not written, and their bytes.
    kept: BTreeMap<Span, u64>,
    current: Option<Shard>,
    /// Files that have a shard's name and cannot be one's.
    unusable: HashSet<Span>,
    /// When the oldest event happened.
    oldest: Option<i64>,
    _lock: File,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) shards: u64,
    /// Nanoseconds since 1970.
    pub(super) oldest: Option<i64>,
}

impl Store {
    /// Makes the folder if need be, and locks it.
    pub(super) fn open(options: &HistoryOptions, host: &Arc<str>) -> Result<Self, HistoryError> {
        let folder = options.folder.clone();
        let failed = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| HistoryError::Folder { operation, path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&folder)
            .map_err(failed("make the folder", &folder))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&path);
        let lock = lock.map_err(failed("lock", &path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(HistoryError::Locked(folder));
        }
        let shards = reader::spans(&folder)?;
        for span in &shards {
            shard::seal_left(&folder.join(span.to_string()));
        }
        let kept = shards.into_iter().map(|span| (span, shard::bytes(&folder.join(span.to_string()))));
        let mut store = Self {
            kept: kept.collect(),
            host: Arc::clone(host),
            max_bytes: options.max_bytes,
            max_age: options.max_age,
            current: None,
            unusable: HashSet::new(),
            oldest: None,
            folder,
            _lock: lock,
        };
        store.see_oldest();
        Ok(store)
    }

    /// Writes events, and tells how many were written before anything failed. A fault of one file alone ends nothing: the
    /// events go to another one, and `tell` hears of it.
    pub(super) fn write(
        &mut self,
        events: &[ResetEvent],
        tell: &mut dyn FnMut(&HistoryError),
    ) -> (u64, Result<(), HistoryError>) {
        let mut rest = events;
        while let Some(time) = rest.first().map(|event| nanoseconds(event.time).unwrap_or_default()) {
            let written = self.shard_of(time, tell).and_then(|current| {
                let here = |event: &&ResetEvent| {
                    nanoseconds(event.time).is_none_or(|time| current.span.covers(time))
                };
                // Whoever is first belongs here; a time that no shard has is passed over.
                let count = rest.iter().take_while(here).count().max(1);
                current.insert(&rest[..count]).map(|()| count)
            });
            match written {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.is_of_file() => {
                    tell(&error);
                    self.unusable.extend(self.current.take().map(|current| current.span));
                }
                Err(error) => {
                    // What the shard remembers of what it has written is not so any more.
                    self.let_go();
                    return ((events.len() - rest.len()) as u64, Err(error));
                }
            }
        }
        (events.len() as u64, Ok(()))
    }

    /// The shard that an event of this time belongs to, ready to be written.
    fn shard_of(
        &mut self,
        time: i64,
        tell: &mut dyn FnMut(&HistoryError),
    ) -> Result<&mut Shard, HistoryError> {
        if let Some(current) = self.current.take_if(|current| !current.span.covers(time)) {
            self.seal(current);
        }
        let current = match self.current.take() {
            Some(current) => current,
            None => match self.taken_up(time, tell) {
                Some(shard) => shard,
                None => Shard::create(&self.folder, Span::from(time), &self.host)?,
            },
        };
        self.kept.remove(&current.span);
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        Ok(self.current.insert(current))
    }

    /// A shard of this time that there is already: of an agent that was there before, or from before the clock was set.
    fn taken_up(&mut self, time: i64, tell: &mut dyn FnMut(&HistoryError)) -> Option<Shard> {
        let room = self.largest();
        let fitting = self.kept.iter().rev().filter(|(span, bytes)| span.covers(time) && **bytes < room);
        let fitting: Vec<_> = fitting.map(|(span, _)| *span).collect();
        for span in fitting {
            if self.unusable.contains(&span) {
                continue;
            }
            match Shard::reopen(&self.folder, span, &self.host) {
                Ok(Some(shard)) => return Some(shard),
                Ok(None) => {}
                Err(error) => {
                    if error.is_of_file() {
                        self.unusable.insert(span);
                    }
                    tell(&error);
                }
            }
        }
        None
    }

    /// How large a shard may get.
    fn largest(&self) -> u64 {
        (self.max_bytes / PARTS).min(LARGEST)
    }

    /// Removes what is too much, or too old at this moment, and says how much is left.
    pub(super) fn trim(&mut self, now: i64) -> Size {
        let mut current = self.current.as_ref().map_or(0, Shard::bytes);
        if current >= self.largest()
            && let Some(shard) = self.current.take()
        {
            self.seal(shard);
            current = 0;
        }
        let mut bytes = current + self.kept.values().sum::<u64>();
        let age = i64::try_from(self.max_age.as_nanos()).unwrap_or(i64::MAX);
        let before = now.saturating_sub(age);
        let mut has_removed = false;
        while let Some((span, of_it)) = self.kept.first_key_value().map(|(span, bytes)| (*span, *bytes)) {
            if bytes <= self.max_bytes && span.end() > before {
                break;
            }
            self.kept.remove(&span);
            let path = self.folder.join(span.to_string());
            // What is not resetmon's is not for it to remove.
            if !matches!(shard::identify(&path), Err(HistoryError::Foreign(_))) {
                shard::remove(&path);
                has_removed = true;
            }
            bytes -= of_it;
        }
        if has_removed {
            self.see_oldest();
        }
        let shards = self.kept.len() as u64 + u64::from(self.current.is_some());
        Size { bytes, shards, oldest: self.oldest }
    }

    /// Ends the shard that is written, if any.
    pub(super) fn close(mut self) {
        if let Some(current) = self.current.take() {
            current.seal();
        }
    }

    fn seal(&mut self, current: Shard) {
        let span = current.span;
        current.seal();
        self.kept.insert(span, shard::bytes(&self.folder.join(span.to_string())));
    }

    /// The same for one that cannot be written: as it is.
    fn let_go(&mut self) {
        if let Some(span) = self.current.take().map(|current| current.span) {
            self.kept.insert(span, shard::bytes(&self.folder.join(span.to_string())));
        }
    }

    fn see_oldest(&mut self) {
        self.oldest = reader::oldest(&self.folder);
    }
}
