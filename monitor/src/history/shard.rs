//! One file of the history while it is written: made, taken up again, filled in batches, and sealed so that it can be read
//! by whoever may not write beside it.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::Read as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};

use super::{
    columns::{Cells, Column},
    dictionary::Dictionary,
    fault::HistoryError,
    row::Encoder,
    schema,
    span::{Span, nanoseconds},
};
use crate::model::ResetEvent;

/// What anybody in the group may read, and only the agent write.
const MODE: u32 = 0o640;
/// What a shard is called while it is made.
const UNFINISHED: &str = "unfinished";
/// How long somebody else may lock the file.
const BUSY: Duration = Duration::from_millis(500);
/// Pages of the log beside the database before they are moved into it: four megabytes.
const CHECKPOINT_PAGES: u32 = 1_000;
/// What stands beside a database: its log, that log's index, its journal.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A shard that is written.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) span: Span,
    path: PathBuf,
    connection: Connection,
    dictionary: Dictionary,
    cells: Cells,
}

/// What the first bytes of a file say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A shard of this version.
    Shard,
    /// A shard of another version.
    Newer(u32),
    /// Something else.
    Foreign,
}

impl Shard {
    /// Makes a new one.
    pub(super) fn create(folder: &Path, mut span: Span, host: &str) -> Result<Self, HistoryError> {
        // Until it is whole it has another name: nobody takes half a shard for a file that is none.
        let unfinished = folder.join(UNFINISHED);
        remove(&unfinished);
        let path = loop {
            let path = folder.join(span.to_string());
            if !path.exists() {
                break path;
            }
            span = span.later();
        };
        let failed = |source| HistoryError::Folder { operation: "make", path: path.clone(), source };
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&unfinished);
        // Whatever the umask says.
        file.and_then(|file| file.set_permissions(Permissions::from_mode(MODE))).map_err(failed)?;
        let made = open_to_write(&unfinished).and_then(|connection| {
            connection.execute_batch(&format!("BEGIN;\n{}", schema::create()))?;
            connection.execute("INSERT INTO meta VALUES ('host', ?)", [host])?;
            connection.execute("INSERT INTO meta VALUES ('resetmon', ?)", [env!("CARGO_PKG_VERSION")])?;
            connection.execute_batch("COMMIT")
        });
        if let Err(source) = made {
            remove(&unfinished);
            return Err(HistoryError::Shard { operation: "make", path, source });
        }
        fs::rename(&unfinished, &path).map_err(failed)?;
        let opened = open_to_write(&path).and_then(|connection| {
            let connection = logged(connection)?;
            Ok((Dictionary::new(&connection)?, connection))
        });
        match opened {
            Ok((dictionary, connection)) => {
                Ok(Self { span, path, connection, dictionary, cells: Cells::new() })
            }
            Err(source) => Err(HistoryError::Shard { operation: "open", path, source }),
        }
    }

    /// Takes one up again that an agent of the same host has left; `None` where it is of another host.
    pub(super) fn reopen(folder: &Path, span: Span, host: &str) -> Result<Option<Self>, HistoryError> {
        let path = folder.join(span.to_string());
        identify(&path)?;
        let opened = open_to_write(&path).and_then(|connection| {
            let of: String =
                connection.query_row("SELECT value FROM meta WHERE name = 'host'", [], |row| row.get(0))?;
            if of != host {
                return Ok(None);
            }
            let connection = logged(connection)?;
            Ok(Some((Dictionary::new(&connection)?, connection)))
        });
        match opened {
            Ok(opened) => Ok(opened.map(|(dictionary, connection)| Self {
                span,
                path,
                connection,
                dictionary,
                cells: Cells::new(),
            })),
            Err(source) => Err(HistoryError::Shard { operation: "open", path, source }),
        }
    }

    /// Writes events, all or none.
    pub(super) fn insert(&mut self, events: &[ResetEvent]) -> Result<(), HistoryError> {
        let written = self.insert_all(events);
        written.map_err(|source| HistoryError::Shard {
            operation: "write to",
            path: self.path.clone(),
            source,
        })
    }

    fn insert_all(&mut self, events: &[ResetEvent]) -> rusqlite::Result<()> {
        let Self { connection, dictionary, cells, .. } = self;
        // Rolled back when it is dropped; the numbers that the dictionary has given are void then, and so is this value.
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(&schema::insert())?;
            for event in events {
                let Some(time) = nanoseconds(event.time) else { continue };
                Encoder { dictionary, shard: &transaction, cells }.encode(event)?;
                // Two in one nanosecond: the second gets the next key that is free.
                let mut shift = 0_u16;
                while let Err(error) = {
                    cells.set(Column::Key, time + i64::from(shift));
                    cells.set(Column::Shift, shift);
                    bind(&mut insert, cells).and_then(|()| insert.raw_execute())
                } {
                    shift = shift.checked_add(1).filter(|_| is_taken(&error)).ok_or(error)?;
                }
            }
        }
        transaction.commit()
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        bytes(&self.path)
    }

    /// Ends it: whoever may read the file can read it from now on, even where nothing can be written.
    pub(super) fn seal(self) {
        // A reader that is just looking keeps the log in place; the next agent that finds it tries again.
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let _ = self.connection.pragma_update(None, "journal_mode", "DELETE");
    }
}

/// Seals a shard that an agent has left behind without.
pub(super) fn seal_left(path: &Path) {
    let is_left = BESIDE.iter().any(|suffix| beside(path, suffix).exists());
    if is_left
        && identify(path).is_ok()
        && let Ok(connection) = open_to_write(path)
    {
        let _ = connection.busy_timeout(Duration::ZERO);
        let _ = connection.pragma_update(None, "journal_mode", "DELETE");
    }
}

/// Makes sure that a file is a shard of this version, by its first bytes.
pub(super) fn identify(path: &Path) -> Result<(), HistoryError> {
    let folder = |source| HistoryError::Folder { operation: "open", path: path.to_owned(), source };
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(100).read_to_end(&mut head)).map_err(folder)?;
    match kind(&head) {
        Kind::Shard => Ok(()),
        Kind::Newer(version) => Err(HistoryError::Newer { path: path.to_owned(), version }),
        Kind::Foreign => Err(HistoryError::Foreign(path.to_owned())),
    }
}

/// What a database is by its header (<https://www.sqlite.org/fileformat.html#the_database_header>).
fn kind(head: &[u8]) -> Kind {
    let number = |at: usize| {
        let bytes = head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_be_bytes)
    };
    if !head.starts_with(b"SQLite format 3\0") || number(68) != Some(schema::APPLICATION_ID) {
        return Kind::Foreign;
    }
    match number(60) {
        Some(schema::VERSION) => Kind::Shard,
        Some(version) => Kind::Newer(version),
        None => Kind::Foreign,
    }
}

/// Bytes of a shard and what stands beside it.
pub(super) fn bytes(path: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    length(path) + length(&beside(path, "-wal"))
}

/// Removes a shard. Who reads it goes on reading.
pub(super) fn remove(path: &Path) {
    // The database first: what stands beside it means nothing without it.
    let _ = fs::remove_file(path);
    for suffix in BESIDE {
        let _ = fs::remove_file(beside(path, suffix));
    }
}

/// A file beside a database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn open_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(8);
    Ok(connection)
}

/// From now on a commit costs no more than writing to the log, and a reader stops nothing. What a crash of the process
/// leaves is whole; one of the machine can cost what the last checkpoint had not moved.
fn logged(connection: Connection) -> rusqlite::Result<Connection> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    debug_assert_eq!(mode, "wal");
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 0)?;
    Ok(connection)
}

fn bind(insert: &mut Statement<'_>, cells: &Cells) -> rusqlite::Result<()> {
    cells.parameters().try_for_each(|(parameter, cell)| insert.raw_bind_parameter(parameter, cell))
}

fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is() {
        let mut head = vec![0; 100];
        assert_eq!(kind(&head), Kind::Foreign);
        head[..16].copy_from_slice(b"SQLite format 3\0");
        assert_eq!(kind(&head), Kind::Foreign);
        head[68..72].copy_from_slice(b"RSTM");
        head[63] = 1;
        assert_eq!(kind(&head), Kind::Shard);
        head[63] = 2;
        assert_eq!(kind(&head), Kind::Newer(2));
        assert_eq!(kind(&head[..70]), Kind::Foreign);
        assert_eq!(kind(&[]), Kind::Foreign);
    }
}
