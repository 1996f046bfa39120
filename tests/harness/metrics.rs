//! Prometheus' text format, as far as tests need it: whole numbers by name and labels.

use std::collections::BTreeMap;

/// What one scrape gave.
#[derive(Debug)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: String,
}

impl Metrics {
    /// Reads the text format; panics at anything that is none.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { samples: lines.map(sample).collect() }
    }

    /// The sum of the series of this name that have these labels, among others; there must be one.
    #[track_caller]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let values: Vec<u64> = self.matching(name, labels).map(|sample| whole(&sample.value)).collect();
        assert!(!values.is_empty(), "there is no series {name} with {labels:?}");
        values.iter().sum()
    }

    /// Whether there is a series of this name that has these labels, among others.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.matching(name, labels).next().is_some()
    }

    fn matching<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            let has =
                |(label, value): &(&str, &str)| sample.labels.get(*label).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(has)
        })
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => {
            (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("no sample: {line:?}")))
        }
        None => (series, ""),
    };
    // No label value of the product has a comma or a quote in it.
    let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
        let (name, value) =
            label.split_once('=').unwrap_or_else(|| panic!("no label: {label:?} in {line:?}"));
        (name.to_owned(), value.trim_matches('"').to_owned())
    });
    Sample { name: name.to_owned(), labels: labels.collect(), value: value.to_owned() }
}

fn whole(value: &str) -> u64 {
    value.parse().unwrap_or_else(|_| panic!("{value:?} is no whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_total What a is.\n# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 3\n\
                        a_total{x=\"1\",y=\"3\"} 4\nb 0.5\nc 7\n";

    #[test]
    fn series_are_summed() {
        let metrics = Metrics::parse(TEXT);
        assert_eq!(metrics.sum("a_total", &[]), 7);
        assert_eq!(metrics.sum("a_total", &[("y", "3")]), 4);
        assert_eq!(metrics.sum("c", &[]), 7);
        assert!(metrics.has("b", &[]));
        assert!(!metrics.has("a_total", &[("x", "2")]));
    }

    #[test]
    #[should_panic(expected = "there is no series a_total")]
    fn a_series_that_is_not_there_is_no_zero() {
        Metrics::parse(TEXT).sum("a_total", &[("x", "2")]);
    }
}
