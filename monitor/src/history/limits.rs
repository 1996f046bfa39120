//! How users write how much shall be kept: bytes and times, with a unit or without.

use std::time::Duration;

/// Units of bytes; powers of 1,000 as the SI has them, and of 1,024.
const BYTES: [(&str, u64); 12] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("TiB", 1 << 40),
];

/// Units of time, in seconds.
const TIMES: [(&str, u64); 6] =
    [("", 1), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 7 * 86_400)];

/// The least that can be kept: some shards, and what `SQLite` needs beside them.
pub const LEAST_BYTES: u64 = 4 << 20;

/// Text that is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Not a number of bytes.
    #[error("expected a number of bytes, such as 512MiB, 2GB or 1048576")]
    Bytes,
    /// Too few bytes.
    #[error("a history needs {LEAST_BYTES} bytes (4MiB) at least")]
    FewBytes,
    /// Not a time.
    #[error("expected a time, such as 7d, 12h or 90m")]
    Time,
}

/// Reads a number of bytes.
pub fn bytes(text: &str) -> Result<u64, LimitError> {
    let bytes = quantity(text, &BYTES).ok_or(LimitError::Bytes)?;
    if bytes < LEAST_BYTES { Err(LimitError::FewBytes) } else { Ok(bytes) }
}

/// Reads a time that is not nothing.
pub fn age(text: &str) -> Result<Duration, LimitError> {
    quantity(text, &TIMES).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or(LimitError::Time)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(bytes("5 mb"), Ok(5_000_000));
        assert_eq!(bytes("4194304"), Ok(4 << 20));
        assert_eq!(bytes("1MiB"), Err(LimitError::FewBytes));
        for text in ["", "MiB", "-1", "12x", "99999999999999TiB"] {
            assert_eq!(bytes(text), Err(LimitError::Bytes), "{text}");
        }
        assert_eq!(age("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(age("90m"), Ok(Duration::from_mins(90)));
        for text in ["", "0", "d", "1y"] {
            assert_eq!(age(text), Err(LimitError::Time), "{text}");
        }
    }
}
