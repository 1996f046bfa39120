//! Which hour a shard is of: its file's name, and which times its events may have. So a reader knows what is in a file
//! before it opens it.

use std::fmt;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const HOUR: i64 = 3_600_000_000_000;
const MILLISECOND: i64 = 1_000_000;

/// So much earlier than its shard begins an event may be: it was held, or waited for its other end, while others passed.
const LATE: i64 = 10 * 1_000_000_000;

const PREFIX: &str = "resets-";
const SUFFIX: &str = ".db";
const FORM: &str = "%Y%m%dT%H%M%S%.3fZ";

/// From a moment to the end of its hour, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    start: i64,
}

impl Span {
    /// The span that begins with an event of this time, to the millisecond.
    pub(super) fn from(time: i64) -> Self {
        Self { start: time - time.rem_euclid(MILLISECOND) }
    }

    /// The same a millisecond later, for when the file is there already.
    pub(super) fn later(self) -> Self {
        Self { start: self.start + MILLISECOND }
    }

    /// The earliest time that an event of it can have.
    pub(super) fn earliest(self) -> i64 {
        self.start - LATE
    }

    /// The first time that no event of it has any more.
    pub(super) fn end(self) -> i64 {
        self.start - self.start.rem_euclid(HOUR) + HOUR
    }

    /// Whether an event of this time belongs here.
    pub(super) fn covers(self, time: i64) -> bool {
        (self.earliest()..self.end()).contains(&time)
    }

    /// The span in the name of a file, if it is the name of a shard.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let text = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let time = DateTime::strptime(FORM, text).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let span = Self { start: i64::try_from(time.as_nanosecond()).ok()? };
        // There are many ways to write a time, and one that is a name.
        (span.to_string() == name).then_some(span)
    }
}

impl fmt::Display for Span {
    /// The name of its file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 64 bits hold no time that is not a timestamp.
        let start = Timestamp::from_nanosecond(self.start.into()).unwrap_or_default();
        write!(f, "{PREFIX}{}{SUFFIX}", start.strftime(FORM))
    }
}

/// The time of an event as its shard has it; `None` beyond the years 1677 to 2262.
pub(super) fn nanoseconds(time: Timestamp) -> Option<i64> {
    time.as_nanosecond().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> i64 {
        nanoseconds(text.parse().expect("a time")).expect("in this age")
    }

    #[test]
    fn a_name_is_a_span() {
        let span = Span::from(time("2026-11-24T11:12:33.123456789Z"));
        assert_eq!(span.to_string(), "resets-20261124T111233.123Z.db");
        assert_eq!(Span::of_file(&span.to_string()), Some(span));
        assert_eq!(Span::of_file(&span.later().to_string()), Some(span.later()));
        for name in [
            "",
            "resets-.db",
            "resets-20261124T111233.123Z.db-wal",
            "resets-20261124T111233Z.db",
            "resets-20261124T111233.1Z.db",
            "resets-20261324T111233.123Z.db",
            "x-resets-20261124T111233.123Z.db",
        ] {
            assert_eq!(Span::of_file(name), None, "{name}");
        }
    }

    #[test]
    fn it_ends_with_its_hour() {
        let span = Span::from(time("2026-11-24T11:12:33Z"));
        let check = |text: &str, expected: bool| assert_eq!(span.covers(time(text)), expected, "{text}");
        check("2026-11-24T11:12:33Z", true);
        check("2026-11-24T11:12:23Z", true);
        check("2026-11-24T11:12:22.999999999Z", false);
        check("2026-11-24T11:59:59.999999999Z", true);
        check("2026-11-24T12:00:00Z", false);
        check("2026-11-23T11:30:00Z", false);
    }
}
