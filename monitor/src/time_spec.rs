//! Moments as users write them: `-1h`, `10 min ago`, `today`, `11:12`, a date with or without a time, RFC 3339, `@` and
//! seconds since 1970. Pure: what they are relative to is told when they are resolved.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::{Date, DateTime, Time},
};

/// A moment, perhaps relative to now and to where one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSpec {
    /// The same anywhere and at any time.
    At(Timestamp),
    /// So long ago.
    Ago(SignedDuration),
    /// The beginning of a day, so many before today.
    DaysBefore(i8),
    /// A time of today.
    Today(Time),
    /// A local date and time.
    Local(DateTime),
}

/// Where a text is no moment, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {fault}; such as {EXAMPLES}")]
pub struct TimeError {
    /// The character, from 1.
    pub position: usize,
    /// What is wrong there.
    pub fault: TimeFault,
}

const EXAMPLES: &str =
    "`-1h`, `10 min ago`, `today`, `11:12`, `2026-11-24 11:12`, `2026-11-24T11:12:00Z` or `@1795518720`";

/// What is wrong at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// Nothing that begins a moment.
    #[error("expected a time")]
    Start,
    /// A number has no unit.
    #[error("expected a unit: s, min, h, d or w")]
    Unit,
    /// A unit has no number.
    #[error("expected a number")]
    Number,
    /// A time span that is in no direction.
    #[error("expected `ago`, or a `-` in front of all")]
    Ago,
    /// Not so long.
    #[error("too long a time")]
    TooLong,
    /// No seconds since 1970.
    #[error("expected seconds since 1970")]
    Epoch,
    /// No date.
    #[error("expected a date such as 2026-11-24")]
    Date,
    /// No time of a day.
    #[error("expected a time of the day such as 11:12 or 11:12:30")]
    TimeOfDay,
}

impl TimeSpec {
    /// The moment, for someone to whom it is now `now`.
    pub fn resolve(self, now: &Zoned) -> Timestamp {
        // What a calendar does not have is as near as it gets.
        let local = |time: DateTime| time.to_zoned(now.time_zone().clone()).map(|zoned| zoned.timestamp());
        match self {
            Self::At(time) => time,
            Self::Ago(span) => now.timestamp().checked_sub(span).unwrap_or(Timestamp::MIN),
            Self::DaysBefore(days) => {
                let day = now.date().checked_sub(SignedDuration::from_hours(24 * i64::from(days)));
                local(day.unwrap_or(Date::MIN).to_datetime(Time::midnight())).unwrap_or(Timestamp::MIN)
            }
            Self::Today(time) => local(now.date().to_datetime(time)).unwrap_or(now.timestamp()),
            Self::Local(time) => {
                local(time).unwrap_or(if time.year() < 1970 { Timestamp::MIN } else { Timestamp::MAX })
            }
        }
    }
}

impl FromStr for TimeSpec {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let start = text.len() - text.trim_start().len();
        let word = text.trim();
        let at = |offset: usize, fault| TimeError {
            position: text[..(start + offset).min(text.len())].chars().count() + 1,
            fault,
        };
        match word {
            "now" => return Ok(Self::Ago(SignedDuration::ZERO)),
            "today" => return Ok(Self::DaysBefore(0)),
            "yesterday" => return Ok(Self::DaysBefore(1)),
            _ => {}
        }
        if let Some(seconds) = word.strip_prefix('@') {
            return epoch(seconds).map(Self::At).ok_or(at(1, TimeFault::Epoch));
        }
        if let Some(span) = word.strip_prefix('-') {
            return match elapsed(span) {
                Ok((span, "")) => Ok(Self::Ago(span)),
                Ok((_, rest)) => Err(at(word.len() - rest.len(), TimeFault::Number)),
                Err((offset, fault)) => Err(at(1 + offset, fault)),
            };
        }
        if !word.starts_with(|character: char| character.is_ascii_digit()) {
            return Err(at(0, TimeFault::Start));
        }
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        match word.as_bytes().get(digits) {
            Some(b'-') => dated(word).map_err(|(offset, fault)| at(offset, fault)),
            Some(b':') => word.parse().map(Self::Today).map_err(|_| at(0, TimeFault::TimeOfDay)),
            _ => match elapsed(word) {
                Ok((span, "ago")) => Ok(Self::Ago(span)),
                Ok((_, rest)) => Err(at(word.len() - rest.len(), TimeFault::Ago)),
                Err((offset, fault)) => Err(at(offset, fault)),
            },
        }
    }
}

impl fmt::Display for TimeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => write!(f, "{time}"),
            Self::Ago(span) => write!(f, "{} s ago", span.as_secs()),
            Self::DaysBefore(0) => f.write_str("today"),
            Self::DaysBefore(1) => f.write_str("yesterday"),
            Self::DaysBefore(days) => write!(f, "{days} d ago"),
            Self::Today(time) => write!(f, "{time}"),
            Self::Local(time) => write!(f, "{time}"),
        }
    }
}

/// A place in a text, and what is wrong there.
type Wrong = (usize, TimeFault);

/// A date, with a time or without, with a zone or without.
fn dated(text: &str) -> Result<TimeSpec, Wrong> {
    if let Ok(time) = text.parse() {
        return Ok(TimeSpec::At(time));
    }
    let end = text.find([' ', 'T']).unwrap_or(text.len());
    let date: Date = text[..end].parse().map_err(|_| (0, TimeFault::Date))?;
    let rest = text[end..].trim_start_matches([' ', 'T']);
    if rest.is_empty() {
        return Ok(TimeSpec::Local(date.to_datetime(Time::midnight())));
    }
    let time = rest.parse().map_err(|_| (text.len() - rest.len(), TimeFault::TimeOfDay))?;
    Ok(TimeSpec::Local(date.to_datetime(time)))
}

/// Seconds since 1970, with a fraction or without.
fn epoch(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, nanoseconds).ok()
}

/// Numbers with units, and what follows them.
fn elapsed(text: &str) -> Result<(SignedDuration, &str), Wrong> {
    let mut total = SignedDuration::ZERO;
    let mut rest = text;
    loop {
        let at = text.len() - rest.len();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return if at == 0 { Err((0, TimeFault::Number)) } else { Ok((total, rest)) };
        }
        let number: i64 = rest[..digits].parse().map_err(|_| (at, TimeFault::TooLong))?;
        let after = rest[digits..].trim_start();
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let seconds = seconds(&after[..letters]).ok_or((text.len() - after.len(), TimeFault::Unit))?;
        let span = number.checked_mul(seconds).map(SignedDuration::from_secs);
        total = span.and_then(|span| total.checked_add(span)).ok_or((at, TimeFault::TooLong))?;
        rest = after[letters..].trim_start();
    }
}

/// Seconds of a unit.
fn seconds(unit: &str) -> Option<i64> {
    Some(match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 7 * 86_400,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments() {
        let now: Zoned = "2026-11-24T11:12:30+01:00[Europe/Berlin]".parse().expect("a time");
        let check = |text: &str, expected: &str| {
            let spec = text.parse::<TimeSpec>().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(spec.resolve(&now).to_string(), expected, "{text}");
        };
        check("now", "2026-11-24T10:12:30Z");
        check(" now ", "2026-11-24T10:12:30Z");
        check("today", "2026-11-23T23:00:00Z");
        check("yesterday", "2026-11-22T23:00:00Z");
        check("-1h", "2026-11-24T09:12:30Z");
        check("-1h30m", "2026-11-24T08:42:30Z");
        check("-2 d", "2026-11-22T10:12:30Z");
        check("1h ago", "2026-11-24T09:12:30Z");
        check("10 min ago", "2026-11-24T10:02:30Z");
        check("1 hour 30 minutes ago", "2026-11-24T08:42:30Z");
        check("1w ago", "2026-11-17T10:12:30Z");
        check("11:12", "2026-11-24T10:12:00Z");
        check("11:12:13", "2026-11-24T10:12:13Z");
        check("2026-11-24", "2026-11-23T23:00:00Z");
        check("2026-11-24 11:12", "2026-11-24T10:12:00Z");
        check("2026-07-24 11:12:13", "2026-07-24T09:12:13Z");
        check("2026-11-24T11:12", "2026-11-24T10:12:00Z");
        check("2026-11-24T11:12:13.5Z", "2026-11-24T11:12:13.5Z");
        check("2026-11-24T11:12:13-02:00", "2026-11-24T13:12:13Z");
        check("@1795518720", "2026-11-24T11:12:00Z");
        check("@1795518720.25", "2026-11-24T11:12:00.25Z");
        // A local time that is skipped is that of before the clock is set.
        check("2026-03-29 02:30", "2026-03-29T01:30:00Z");
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let check = |text: &str, position: usize, fault: TimeFault| {
            assert_eq!(text.parse::<TimeSpec>(), Err(TimeError { position, fault }), "{text}");
        };
        check("", 1, TimeFault::Start);
        check("soon", 1, TimeFault::Start);
        check("  soon", 3, TimeFault::Start);
        check("-", 2, TimeFault::Number);
        check("-h", 2, TimeFault::Number);
        check("-1", 3, TimeFault::Unit);
        check("-1x", 3, TimeFault::Unit);
        check("-1h ago", 5, TimeFault::Number);
        check("10 min", 7, TimeFault::Ago);
        check("10 parsecs ago", 4, TimeFault::Unit);
        check("99999999999999999999s ago", 1, TimeFault::TooLong);
        check("@", 2, TimeFault::Epoch);
        check("@-1", 2, TimeFault::Epoch);
        check("2026-13-01", 1, TimeFault::Date);
        check("2026-11-24 25:00", 12, TimeFault::TimeOfDay);
        check("25:00", 1, TimeFault::TimeOfDay);
        let error = "1 hour".parse::<TimeSpec>().expect_err("no moment").to_string();
        assert!(
            error.starts_with("at character 7: expected `ago`") && error.contains("`10 min ago`"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_moment_or_an_error(text in "[-@0-9a-z: TZ.]{0,20}|.{0,20}") {
            if let Err(error) = text.parse::<TimeSpec>() {
                prop_assert!(error.position <= text.chars().count() + 1);
            }
        }
    }
}
