//! Events read back from what outputs wrote: a stream of JSON objects, each an event of some host. Reads whatever a newer
//! version adds and nothing that contradicts itself; an error says where in the text it is. Lacks the other formats: JSON is
//! the one that can be read back exactly.

mod field;
mod json;

#[cfg(test)]
mod tests;

use std::{
    io::{self, BufRead, Read},
    sync::Arc,
};

use serde::Deserialize as _;
use serde_json::Value;

pub use self::field::InvalidEvent;
pub(crate) use self::json::recorded;
use crate::model::ResetEvent;

/// Bytes of one object. The longest that is written has arguments of several processes, some hundred kilobytes.
const LIMIT: usize = 4 << 20;

/// An event, and the host that saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Name of the host.
    pub host: Arc<str>,
    /// What was written of the event: what was not is absent in it.
    pub event: ResetEvent,
}

/// Why no further event can be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Nothing can be read.
    #[error("cannot read events")]
    Read(#[from] io::Error),
    /// The text is not JSON.
    #[error("line {line}, column {column}: no JSON: {reason}")]
    Syntax {
        /// Line of the text, from 1.
        line: usize,
        /// Byte of the line, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// An object is longer than any event.
    #[error("the object that begins in line {line} is longer than {LIMIT} bytes")]
    TooLong {
        /// Line where it begins.
        line: usize,
    },
    /// It is JSON, but no event.
    #[error("line {line}: no event")]
    Invalid {
        /// Line where the object begins.
        line: usize,
        /// What is wrong with it.
        #[source]
        error: InvalidEvent,
    },
}

/// Reads events one by one, each as soon as its object is complete; white space is all that may be between them.
#[derive(Debug)]
pub struct Events<R> {
    text: Text<R>,
}

impl<R: BufRead> Events<R> {
    /// The events in a text.
    pub fn new(from: R) -> Self {
        Self { text: Text { from, line: 1, column: 1, left: LIMIT } }
    }

    /// The next event; `None` at the end of the text.
    pub fn read(&mut self) -> Result<Option<Recorded>, InputError> {
        if !self.text.skip_space()? {
            return Ok(None);
        }
        self.text.left = LIMIT;
        let (line, column) = (self.text.line, self.text.column);
        let value = Value::deserialize(&mut serde_json::Deserializer::from_reader(&mut self.text))
            .map_err(|error| self.explain(error, line, column))?;
        json::recorded(&value).map(Some).map_err(|error| InputError::Invalid { line, error })
    }

    /// An error in the object that begins at a place.
    fn explain(&self, error: serde_json::Error, line: usize, column: usize) -> InputError {
        if error.is_io() {
            return if self.text.left == 0 {
                InputError::TooLong { line }
            } else {
                InputError::Read(error.into())
            };
        }
        let message = error.to_string();
        let reason = message.rsplit_once(" at line ").map_or(&*message, |(reason, _)| reason).to_owned();
        // Places are counted from the beginning of the object.
        let column =
            if error.line() <= 1 { column + error.column().saturating_sub(1) } else { error.column() };
        InputError::Syntax { line: line + error.line().saturating_sub(1), column, reason }
    }
}

/// A text that knows where in it one is, and how much more of it may be read.
#[derive(Debug)]
struct Text<R> {
    from: R,
    line: usize,
    column: usize,
    left: usize,
}

impl<R: BufRead> Text<R> {
    /// Whether something other than white space follows.
    fn skip_space(&mut self) -> io::Result<bool> {
        loop {
            let Some(&byte) = self.from.fill_buf()?.first() else { return Ok(false) };
            if !byte.is_ascii_whitespace() {
                return Ok(true);
            }
            self.from.consume(1);
            self.pass(byte);
        }
    }

    fn pass(&mut self, byte: u8) {
        if byte == b'\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
    }
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("too long"));
        }
        // One byte more than the object's would be missing from the next.
        let wanted = buffer.len().min(1);
        let read = self.from.read(&mut buffer[..wanted])?;
        self.left -= read;
        buffer[..read].iter().for_each(|byte| self.pass(*byte));
        Ok(read)
    }
}
