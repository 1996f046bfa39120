//! Events with everything that a diagnosis reads, written down and read back: what a recording needs to be diagnosed again as
//! it was. It is schema 1 with one object more, `facts`, for what users are not told. Lacks everything that is neither read
//! by a diagnosis nor told.

mod facts;

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    sync::Arc,
};

use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use self::facts::{Facts, UnknownName};
use crate::{
    diagnosis::Sight,
    input::{self, InvalidEvent},
    model::ResetEvent,
    output::json::{self, Reset},
};

/// An event as it was, and what of the host was seen then.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The event; of what no diagnosis reads only what users are told.
    pub event: ResetEvent,
    /// What its diagnosis could rely on to be seen.
    pub sight: Sight,
}

/// Why something is no recording.
#[derive(Debug, thiserror::Error)]
pub enum NoRecording {
    /// Without the facts it is no event either.
    #[error("no event")]
    Event(#[from] InvalidEvent),
    /// It has no facts, or they cannot be read.
    #[error("no facts")]
    Facts(#[from] serde_json::Error),
    /// The facts name something that does not exist.
    #[error("no facts")]
    Name(#[from] UnknownName),
}

/// The object: an event as users are told it, and the facts.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    reset: Reset<'a>,
    facts: Facts,
}

impl<'a> Told<'a> {
    fn new(event: &'a ResetEvent, host: &'a str, sight: Sight) -> Result<Self, serde_json::Error> {
        let mut facts = Facts::new(event, sight);
        // Users are told the other end in short; a diagnosis reads all of it.
        let other = event.counterpart.as_deref().map(|other| Self::new(other, host, sight)).transpose()?;
        facts.other_end = other.map(serde_json::to_value).transpose()?;
        Ok(Self { reset: Reset::new(event, host), facts })
    }
}

/// Writes an event as one line.
pub fn write(event: &ResetEvent, host: &str, sight: Sight, to: &mut impl Write) -> io::Result<()> {
    json::write_value(&Told::new(event, host, sight)?, to)?;
    to.write_all(b"\n")
}

/// Reads what was written. Whatever is null may be missing.
pub fn read(value: &Value) -> Result<Recording, NoRecording> {
    let mut event = input::recorded(value)?.event;
    let facts = Facts::deserialize(&value["facts"])?;
    let sight = facts.sight();
    if let Some(other) = &facts.other_end {
        event.counterpart = Some(Arc::new(read(other)?.event));
    }
    facts.complete(&mut event)?;
    Ok(Recording { event, sight })
}
