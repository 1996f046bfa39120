//! Counts of events on paper: groups and histograms, in every format.

use std::{
    io::{self, Write},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use unicode_width::UnicodeWidthStr as _;

use crate::{
    history::groups::{Field, Group, Histogram, Measure},
    output::{Context, Format, escape::escape, json::write_value},
};

/// Columns of the longest bar.
const BAR: u64 = 50;
/// What stands for a value that is not known.
const UNKNOWN: &str = "-";

/// Writes groups, a line each.
pub(super) fn write_groups(
    groups: &[Group],
    fields: &[Field],
    format: Format,
    context: &Context,
    to: &mut impl Write,
) -> io::Result<()> {
    let names = fields.iter().map(|field| field.as_str());
    match format {
        Format::Json => groups.iter().try_for_each(|group| {
            write_value(&Line { group, fields }, to)?;
            to.write_all(b"\n")
        }),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(to);
            csv.write_record(names.chain(["count", "last_seen"]))?;
            for group in groups {
                let values = group
                    .values
                    .iter()
                    .map(|value| escape(value.as_deref().unwrap_or_default()).into_owned());
                csv.write_record(values.chain([group.count.to_string(), in_utc(group.last)]))?;
            }
            csv.flush()
        }
        Format::Table | Format::Wide => {
            let header: Vec<_> = names.map(str::to_uppercase).collect();
            let rows: Vec<Vec<String>> = groups.iter().map(|group| row(group, &context.zone)).collect();
            let header = ["COUNT".to_owned(), "LAST SEEN".to_owned()].into_iter().chain(header).collect();
            write_table(&[vec![header], rows].concat(), to)
        }
    }
}

fn row(group: &Group, zone: &TimeZone) -> Vec<String> {
    let last = group.last.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let values = group.values.iter().map(|value| escape(value.as_deref().unwrap_or(UNKNOWN)).into_owned());
    [group.count.to_string(), last].into_iter().chain(values).collect()
}

/// Columns as wide as their widest cell; the first is a number.
fn write_table(rows: &[Vec<String>], to: &mut impl Write) -> io::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let blanks = width - cell.width();
            let (before, after) = match column {
                0 => (blanks, 0),
                _ if column + 1 == columns => (0, 0),
                _ => (0, blanks),
            };
            let gap = if column == 0 { "" } else { "  " };
            write!(to, "{gap}{:before$}{cell}{:after$}", "", "")?;
        }
        to.write_all(b"\n")?;
    }
    Ok(())
}

/// One group as an object: a key a field, in the order that was asked for.
struct Line<'a> {
    group: &'a Group,
    fields: &'a [Field],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len() + 2))?;
        for (field, value) in self.fields.iter().zip(&self.group.values) {
            map.serialize_entry(field.as_str(), value)?;
        }
        map.serialize_entry("count", &self.group.count)?;
        map.serialize_entry("last_seen", &in_utc(self.group.last))?;
        map.end()
    }
}

fn in_utc(time: Timestamp) -> String {
    format!("{time:.9}")
}

#[derive(Serialize)]
struct Bucket {
    measure: &'static str,
    from_us: Option<u64>,
    below_us: Option<u64>,
    count: u64,
}

/// Writes a histogram, a bucket a line, and at the end those of which it is not known.
pub(super) fn write_histogram(
    histogram: &Histogram,
    measure: Measure,
    format: Format,
    to: &mut impl Write,
) -> io::Result<()> {
    let measure = match measure {
        Measure::Idle => "idle",
        Measure::Age => "age",
    };
    let mut from = Some(Duration::ZERO);
    let known =
        histogram.buckets.iter().map(|(below, count)| (std::mem::replace(&mut from, *below), *below, *count));
    let buckets: Vec<_> = known.chain([(None, None, histogram.unknown)]).collect();
    match format {
        Format::Json => buckets.into_iter().try_for_each(|(from, below, count)| {
            let (from_us, below_us) = (from.map(microseconds), below.map(microseconds));
            write_value(&Bucket { measure, from_us, below_us, count }, to)?;
            to.write_all(b"\n")
        }),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(to);
            csv.write_record(["measure", "from_us", "below_us", "count"])?;
            for (from, below, count) in buckets {
                let cell = |bound: Option<Duration>| {
                    bound.map_or_else(String::new, |bound| microseconds(bound).to_string())
                };
                csv.write_record([measure.to_owned(), cell(from), cell(below), count.to_string()])?;
            }
            csv.flush()
        }
        Format::Table | Format::Wide => {
            let most = buckets.iter().map(|(_, _, count)| *count).max().unwrap_or(0).max(1);
            let mut rows = vec![["COUNT".to_owned(), measure.to_uppercase(), String::new()].to_vec()];
            rows.extend(buckets.into_iter().map(|(from, below, count)| {
                // A count that is there shows.
                let length = (count * BAR).div_ceil(most);
                let bar = "#".repeat(usize::try_from(length).unwrap_or_default());
                vec![count.to_string(), bounds(from, below), bar]
            }));
            for row in &mut rows {
                row[1] = format!("{:<16}", row[1]);
            }
            write_table(&rows, to)
        }
    }
}

fn bounds(from: Option<Duration>, below: Option<Duration>) -> String {
    match (from, below) {
        (None, _) => "not known".to_owned(),
        (Some(from), Some(below)) => format!("{} to {}", time(from), time(below)),
        (Some(from), None) => format!("{} or more", time(from)),
    }
}

/// A bound in words: each is a whole number of something, or of its tenths.
fn time(bound: Duration) -> String {
    match bound.as_millis() {
        0 => "0".to_owned(),
        milliseconds @ 1..1_000 => format!("{milliseconds} ms"),
        _ => format!("{} s", bound.as_secs_f64()),
    }
}

fn microseconds(bound: Duration) -> u64 {
    u64::try_from(bound.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Color;

    fn groups(format: Format) -> String {
        let group = |comm: Option<&str>, cause: &str, count, last: &str| Group {
            values: vec![comm.map(str::to_owned), Some(cause.to_owned())],
            count,
            last: last.parse().expect("a time"),
        };
        let groups = [
            group(Some("nginx"), "close_unread", 1_200, "2026-11-24T11:12:13Z"),
            group(Some("日本\u{1b}語"), "closed_port", 7, "2026-11-24T11:12:14.5Z"),
            group(None, "closed_port", 1, "2026-11-23T11:12:15Z"),
        ];
        let context = Context { host: "node1".into(), color: Color::Off, zone: TimeZone::UTC };
        let mut text = Vec::new();
        write_groups(&groups, &[Field::Comm, Field::Cause], format, &context, &mut text).expect("a text");
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn groups_in_every_format() {
        assert_eq!(
            groups(Format::Table),
            "COUNT  LAST SEEN            COMM          CAUSE\n \
             1200  2026-11-24 11:12:13  nginx         close_unread\n    \
             7  2026-11-24 11:12:14  日本\\u{1b}語  closed_port\n    \
             1  2026-11-23 11:12:15  -             closed_port\n"
        );
        let json = groups(Format::Json);
        assert_eq!(
            json.lines().next(),
            Some(
                r#"{"comm":"nginx","cause":"close_unread","count":1200,"last_seen":"2026-11-24T11:12:13.000000000Z"}"#
            )
        );
        assert!(json.contains(r#"{"comm":"日本\u001b語","#) && json.contains(r#"{"comm":null,"#), "{json}");
        let csv = groups(Format::Csv);
        assert_eq!(csv.lines().next(), Some("comm,cause,count,last_seen"));
        assert_eq!(csv.lines().last(), Some(",closed_port,1,2026-11-23T11:12:15.000000000Z"));
    }

    #[test]
    fn histograms_in_every_format() {
        let second = Duration::from_secs(1);
        let buckets = vec![(Some(second / 10), 100), (Some(second * 355), 1), (None, 0)];
        let histogram = Histogram { buckets, unknown: 50 };
        let text = |format| {
            let mut text = Vec::new();
            write_histogram(&histogram, Measure::Idle, format, &mut text).expect("a text");
            String::from_utf8(text).expect("UTF-8")
        };
        let expected = format!(
            "COUNT  IDLE              \n  100  0 to 100 ms       {}\n    1  100 ms to 355 s   #\n    0  355 s or more     \n   \
             50  not known         {}\n",
            "#".repeat(50),
            "#".repeat(25)
        );
        assert_eq!(text(Format::Table), expected);
        assert_eq!(
            text(Format::Json).lines().nth(1),
            Some(r#"{"measure":"idle","from_us":100000,"below_us":355000000,"count":1}"#)
        );
        assert_eq!(text(Format::Csv).lines().last(), Some("idle,,,50"));
    }
}
