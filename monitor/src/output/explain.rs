//! Explanations for people and for programs: of one reset in full, and of a cause by itself.

mod cause;
mod errors;
mod event;
mod json;
mod timeline;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use clap::ValueEnum;

use super::{
    Context,
    page::{Layout, Page},
};
use crate::{cause::Cause, input::Recorded};

/// How explanations are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people
    #[default]
    Table,
    /// One JSON object a line
    Json,
}

/// One of the two ends of a connection, seen from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The end that the event is of.
    This,
    /// Its peer.
    Other,
}

impl End {
    const fn as_str(self) -> &'static str {
        match self {
            Self::This => "this",
            Self::Other => "other",
        }
    }
}

/// Explains an event.
pub fn event(
    recorded: &Recorded,
    format: Format,
    context: &Context,
    layout: Layout,
    to: &mut impl Write,
) -> io::Result<()> {
    match format {
        Format::Table => event::write(recorded, context, &mut Page::new(layout, to)),
        Format::Json => json::write_event(recorded, layout.language, to),
    }
}

/// Writes what is between two explanations.
pub fn separator(format: Format, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Table => Page::new(layout, to).rule(),
        Format::Json => Ok(()),
    }
}

/// Explains a cause.
pub fn cause(cause: Cause, format: Format, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Table => cause::write(cause, layout.language, &mut Page::new(layout, to)),
        Format::Json => json::write_cause(cause, layout.language, to),
    }
}

/// Lists every cause: a line each, or everything about each.
pub fn causes(format: Format, layout: Layout, to: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Table => cause::list(layout, to),
        Format::Json => {
            Cause::ALL.into_iter().try_for_each(|cause| json::write_cause(cause, layout.language, to))
        }
    }
}
