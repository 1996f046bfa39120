//! What an output is: events to one format, on anything that can be written to. A line is written in one piece and
//! nothing is held back, so that a reader sees each event at once; who writes many wraps the writer in a buffer.

pub mod escape;
pub mod explain;
pub mod json;
pub mod page;
pub mod report;

mod csv;
mod text;

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use clap::ValueEnum;
use jiff::{civil::Date, tz::TimeZone};

use crate::{
    diagnosis::Sight,
    input::Recorded,
    model::{ResetEvent, connection::Figures},
    recording,
};

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line an event, in columns that fit 120 characters
    #[default]
    Table,
    /// Every column, nothing shortened
    Wide,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// With escape sequences for colours.
    On,
    /// Plain.
    #[default]
    Off,
}

/// What lines need to know beyond their event.
#[derive(Clone, Debug)]
pub struct Context {
    /// Name of the host that the events are of.
    pub host: Arc<str>,
    /// Colours in table and wide; the other formats have none.
    pub color: Color,
    /// Zone of the times in table and wide; the other formats have UTC.
    pub zone: TimeZone,
}

/// Writes events in one format.
#[derive(Debug)]
pub struct Printer<W> {
    format: Format,
    context: Context,
    to: W,
    line: Vec<u8>,
    /// The day that was written last, of events of the past.
    day: Option<Date>,
}

impl<W: Write> Printer<W> {
    /// A printer that has written nothing so far.
    pub fn new(format: Format, context: Context, to: W) -> Self {
        Self { format, context, to, line: Vec::new(), day: None }
    }

    /// Writes the header, in formats that have one.
    pub fn header(&mut self) -> io::Result<()> {
        match self.format {
            Format::Table => text::table_header(&self.context, &mut self.line)?,
            Format::Wide => text::wide_header(&self.context, &mut self.line)?,
            Format::Json => {}
            Format::Csv => csv::write_header(&mut self.line)?,
        }
        self.write_line()
    }

    /// Writes an event.
    pub fn event(&mut self, event: &ResetEvent) -> io::Result<()> {
        match self.format {
            Format::Table => text::write_table(event, &self.context, &mut self.line)?,
            Format::Wide => text::write_wide(event, &self.context, &mut self.line)?,
            Format::Json => json::write(event, &self.context.host, &mut self.line)?,
            Format::Csv => csv::write(event, &self.context.host, &mut self.line)?,
        }
        self.write_line()
    }

    /// Writes an event of the past, of whatever host. Where lines have no date, one stands above those of each day.
    pub fn recorded(&mut self, recorded: &Recorded) -> io::Result<()> {
        if !Arc::ptr_eq(&self.context.host, &recorded.host) {
            self.context.host = Arc::clone(&recorded.host);
        }
        if self.format == Format::Table {
            let day = recorded.event.time.to_zoned(self.context.zone.clone()).date();
            if self.day.replace(day) != Some(day) {
                writeln!(self.line, "{day}")?;
            }
        }
        self.event(&recorded.event)
    }

    /// Writes an event with everything that its diagnosis has read, whatever the format.
    pub fn recording(&mut self, event: &ResetEvent, sight: Sight) -> io::Result<()> {
        recording::write(event, &self.context.host, sight, &mut self.line)?;
        self.write_line()
    }

    /// Writes a line that somebody else has made.
    pub fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.to.write_all(line)
    }

    /// Passes on what the writer has buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.to
    }

    fn write_line(&mut self) -> io::Result<()> {
        let written = self.to.write_all(&self.line);
        self.line.clear();
        written
    }
}

/// The round-trip time, once there was a sample.
fn srtt(figures: &Figures) -> Option<Duration> {
    (!figures.srtt.is_zero()).then_some(figures.srtt)
}
