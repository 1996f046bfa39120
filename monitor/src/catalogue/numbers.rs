//! How numbers are written in sentences: the same digits in every language.

use std::time::Duration;

/// Names of the signals that end processes, the same numbers on x86 and ARM.
const SIGNALS: [(u8, &str); 15] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
];

/// A whole number in groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A time with one digit behind the point, in milliseconds or seconds; the unit is the caller's.
pub(super) fn measured(duration: Duration) -> (String, Unit) {
    let microseconds = duration.as_micros();
    if microseconds < 1_000_000 {
        return (format!("{}.{}", microseconds / 1000, microseconds / 100 % 10), Unit::Milliseconds);
    }
    let seconds = grouped(duration.as_secs());
    (format!("{seconds}.{}", microseconds / 100_000 % 10), Unit::Seconds)
}

/// The same without the digit behind the point where that would say little.
pub(super) fn rounded(duration: Duration) -> (String, Unit) {
    if duration < Duration::from_secs(10) {
        return measured(duration);
    }
    (grouped(duration.as_secs()), Unit::Seconds)
}

/// What a time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Seconds,
}

/// The name of a signal.
pub(super) fn signal(number: u8) -> Option<&'static str> {
    SIGNALS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let check = |number: u64, expected: &str| assert_eq!(grouped(number), expected);
        check(0, "0");
        check(999, "999");
        check(4096, "4,096");
        check(100_000, "100,000");
        check(u64::MAX, "18,446,744,073,709,551,615");
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let check = |microseconds: u64, (exact, unit): (&str, Unit), round: &str| {
            let duration = Duration::from_micros(microseconds);
            assert_eq!(measured(duration), (exact.to_owned(), unit));
            assert_eq!(rounded(duration), (round.to_owned(), unit));
        };
        check(0, ("0.0", Unit::Milliseconds), "0.0");
        check(820, ("0.8", Unit::Milliseconds), "0.8");
        check(999_999, ("999.9", Unit::Milliseconds), "999.9");
        check(1_500_000, ("1.5", Unit::Seconds), "1.5");
        check(350_010_000, ("350.0", Unit::Seconds), "350");
        check(7_200_000_000, ("7,200.0", Unit::Seconds), "7,200");
    }
}
