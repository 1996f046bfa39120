//! The file that gets each reset as it happens, and that belongs to who runs the command.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter},
    os::unix::fs::fchown,
    path::{Path, PathBuf},
};

use super::user::Identity;
use crate::{
    model::ResetEvent,
    output::{Context, Format, Printer},
};
use anyhow::{Context as _, Result};

/// An open file, and what went wrong with it.
pub(super) struct Sink {
    path: PathBuf,
    printer: Printer<BufWriter<File>>,
    failed: io::Result<()>,
}

impl Sink {
    /// Makes the file, or empties it when it is there. A new one is given to the user whom the command runs as.
    pub(super) fn create(
        path: &Path,
        format: Format,
        context: Context,
        owner: Option<&Identity>,
    ) -> Result<Self> {
        let file = create(path, owner).with_context(|| format!("cannot write {}", path.display()))?;
        let context = Context { color: crate::output::Color::Off, ..context };
        let mut printer = Printer::new(format, context, BufWriter::new(file));
        let failed = printer.header();
        Ok(Self { path: path.to_owned(), printer, failed })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an event; `flush` tells whether that went well.
    pub(super) fn write(&mut self, event: &ResetEvent) {
        if self.failed.is_ok() {
            self.failed = self.printer.event(event);
        }
    }

    /// Passes on what is written so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        std::mem::replace(&mut self.failed, Ok(()))?;
        self.printer.flush()
    }
}

fn create(path: &Path, owner: Option<&Identity>) -> io::Result<File> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => {
            if let Some(owner) = owner {
                fchown(&file, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
            }
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().write(true).truncate(true).open(path)
        }
        Err(error) => Err(error),
    }
}
