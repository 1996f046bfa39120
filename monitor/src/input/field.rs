//! Values of JSON by their place in it: whoever finds a value wrong says which one it is, what it should be and what it is.

use std::{fmt::Display, str::FromStr};

use serde_json::Value;

use crate::output::escape::escape;

/// Characters of a wrong text that an error shows.
const SHOWN: usize = 40;

/// Why JSON is no event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// Something that every event has is not there.
    #[error("{place} is missing")]
    Missing {
        /// Keys of the value, joined by points.
        place: String,
    },
    /// A value is not what it should be.
    #[error("{place} is {found}, not {expected}")]
    Wrong {
        /// Keys of the value, joined by points.
        place: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
}

/// A value and its place; what is missing is null.
#[derive(Debug)]
pub(super) struct Field<'a> {
    place: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    /// The whole.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { place: String::new(), value }
    }

    /// The value of a key, null if there is none.
    pub(super) fn get(&self, key: &str) -> Field<'a> {
        let place = if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) };
        Field { place, value: self.value.get(key).unwrap_or(&Value::Null) }
    }

    /// The same, unless it is null.
    pub(super) fn known(self) -> Option<Self> {
        (!self.value.is_null()).then_some(self)
    }

    /// What `read` makes of it, unless it is null.
    pub(super) fn map<T>(
        self,
        read: impl FnOnce(&Self) -> Result<T, InvalidEvent>,
    ) -> Result<Option<T>, InvalidEvent> {
        self.known().map(|field| read(&field)).transpose()
    }

    /// Makes sure that it is an object.
    pub(super) fn object(&self) -> Result<&Self, InvalidEvent> {
        if self.value.is_object() { Ok(self) } else { Err(self.wrong("an object")) }
    }

    pub(super) fn text(&self) -> Result<&'a str, InvalidEvent> {
        self.value.as_str().ok_or_else(|| self.wrong("a text"))
    }

    pub(super) fn boolean(&self) -> Result<bool, InvalidEvent> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// A whole number that its type can hold.
    pub(super) fn number<T: TryFrom<u64>>(&self) -> Result<T, InvalidEvent> {
        let number = self.value.as_u64().and_then(|number| number.try_into().ok());
        let largest = u64::MAX >> (64_usize.saturating_sub(8 * size_of::<T>()));
        number.ok_or_else(|| self.wrong(format_args!("a whole number up to {largest}")))
    }

    pub(super) fn items(&self) -> Result<Vec<Field<'a>>, InvalidEvent> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("a list"))?;
        let place = |index| format!("{}[{index}]", self.place);
        Ok(items.iter().enumerate().map(|(index, value)| Field { place: place(index), value }).collect())
    }

    /// The one of `all` with this name.
    pub(super) fn one_of<T: Copy>(
        &self,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T, InvalidEvent> {
        let text = self.text()?;
        all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
            self.wrong(format_args!("one of {}", names.join(", ")))
        })
    }

    /// A text that stands for something else.
    pub(super) fn parsed<T: FromStr>(&self, expected: impl Display) -> Result<T, InvalidEvent> {
        self.text()?.parse().map_err(|_| self.wrong(expected))
    }

    pub(super) fn wrong(&self, expected: impl Display) -> InvalidEvent {
        let place = if self.place.is_empty() { "the whole" } else { &self.place };
        let place = place.to_owned();
        if self.value.is_null() && !self.place.is_empty() {
            return InvalidEvent::Missing { place };
        }
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) if text.chars().nth(SHOWN).is_some() => {
                format!("\"{}…\"", escape(&text.chars().take(SHOWN).collect::<String>()))
            }
            Value::String(text) => format!("\"{}\"", escape(text)),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        InvalidEvent::Wrong { place, expected: expected.to_string(), found }
    }
}
