//! What can be wrong with a history: each fault has a kind, which is counted, and words for who has to mend it.

use std::{io, path::PathBuf};

use super::schema;

/// Kinds of faults, as metrics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The folder cannot be made or used.
    Folder,
    /// The disk is read-only.
    ReadOnly,
    /// Another agent writes there.
    Locked,
    /// The disk is full.
    Full,
    /// Something else failed in writing.
    Write,
    /// A shard is damaged.
    Damaged,
    /// A file is not resetmon's.
    Foreign,
    /// A shard is of a newer resetmon.
    Newer,
}

impl Fault {
    /// Every kind, in the order of the variants.
    pub const ALL: [Self; 8] = [
        Self::Folder,
        Self::ReadOnly,
        Self::Locked,
        Self::Full,
        Self::Write,
        Self::Damaged,
        Self::Foreign,
        Self::Newer,
    ];

    /// As metrics call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::ReadOnly => "read_only",
            Self::Locked => "locked",
            Self::Full => "full",
            Self::Write => "write",
            Self::Damaged => "damaged",
            Self::Foreign => "foreign",
            Self::Newer => "newer",
        }
    }

    /// What the user can do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Folder => {
                "make the folder and give it to the user that the agent runs as, or name another by --history-dir"
            }
            Self::ReadOnly => {
                "name a folder that can be written by --history-dir, or turn the history off by --no-history"
            }
            Self::Locked => "give each agent a folder of its own by --history-dir",
            Self::Full => "make room there, or allow less by --history.max-bytes",
            Self::Write => "see whether the disk is well",
            Self::Damaged => "it is left as it is and can be removed",
            Self::Foreign => {
                "it is left as it is; a folder of its own (--history-dir) keeps the history apart"
            }
            Self::Newer => "it is left as it is; the newer resetmon reads it",
        }
    }
}

/// Why a history cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The folder cannot be used.
    #[error("cannot {operation} {path}", path = path.display())]
    Folder {
        /// What was tried.
        operation: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another agent writes there.
    #[error("another agent writes the history in {path}", path = .0.display())]
    Locked(PathBuf),
    /// A shard cannot be used.
    #[error("cannot {operation} {path}", path = path.display())]
    Shard {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// `SQLite`'s answer.
        source: rusqlite::Error,
    },
    /// A file that has a shard's name is none.
    #[error("{path} is no shard of resetmon", path = .0.display())]
    Foreign(PathBuf),
    /// A shard is of a newer version.
    #[error(
        "{path} has version {version} of the history, and this resetmon reads version {known}",
        path = path.display(),
        known = schema::VERSION
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

impl HistoryError {
    /// Which kind it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Folder { source, .. } => of_io(source, Fault::Folder),
            Self::Locked(_) => Fault::Locked,
            Self::Foreign(_) => Fault::Foreign,
            Self::Newer { .. } => Fault::Newer,
            Self::Shard { source, .. } => match source.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => Fault::Full,
                Some(rusqlite::ErrorCode::ReadOnly) => Fault::ReadOnly,
                Some(rusqlite::ErrorCode::DatabaseCorrupt) => Fault::Damaged,
                Some(rusqlite::ErrorCode::NotADatabase) => Fault::Foreign,
                _ => Fault::Write,
            },
        }
    }

    /// Whether privileges are missing.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Folder { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether only a file is at fault, and another one will do.
    pub(super) fn is_of_file(&self) -> bool {
        matches!(self.fault(), Fault::Damaged | Fault::Foreign | Fault::Newer)
    }

    /// Whether the file is not there any more, which happens to the oldest while others read.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Folder { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn of_io(error: &io::Error, otherwise: Fault) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
        io::ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly,
        _ => otherwise,
    }
}
