//! Kernels against tests: what passed where, and why what did not run did not. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::verdict::Outcome;

/// One kernel's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// The series, or which other kernel it is.
    pub(crate) name: String,
    pub(crate) results: Results,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Results {
    /// The kernel was not booted at all.
    Skipped { because: String },
    /// It was run, perhaps not to the end.
    Run { release: String, outcomes: BTreeMap<String, Outcome>, trouble: Option<String> },
}

impl Column {
    /// How a test went. One that a kernel did not come to is a failure of that kernel.
    fn outcome(&self, test: &str) -> Outcome {
        match &self.results {
            Results::Skipped { because } => Outcome::Skipped { because: because.clone() },
            Results::Run { outcomes, .. } => outcomes.get(test).cloned().unwrap_or(Outcome::Failed),
        }
    }

    fn trouble(&self) -> Option<&str> {
        match &self.results {
            Results::Run { trouble, .. } => trouble.as_deref(),
            Results::Skipped { .. } => None,
        }
    }
}

/// Every test on every kernel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) tests: Vec<String>,
    pub(crate) columns: Vec<Column>,
}

/// How many tests ended how, those on two kernels being two. A kernel in trouble is a failure even when its tests
/// passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Table {
    /// This table with the columns of another to the right. What only one of them ran is a failure of the other.
    pub(crate) fn beside(mut self, other: Self) -> Self {
        let new = other.tests.into_iter().filter(|test| !self.tests.contains(test)).collect::<Vec<_>>();
        self.tests.extend(new);
        self.columns.extend(other.columns);
        self
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for column in &self.columns {
            let mut failed = 0;
            for test in &self.tests {
                match column.outcome(test) {
                    Outcome::Passed => counts.passed += 1,
                    Outcome::Failed => failed += 1,
                    Outcome::Skipped { .. } => counts.skipped += 1,
                }
            }
            counts.failed += failed.max(usize::from(column.trouble().is_some()));
        }
        counts
    }

    /// Tests with their kernels, by why they were skipped.
    fn skips(&self) -> Vec<(String, String)> {
        let mut tests_by_reason: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
        for column in &self.columns {
            for test in &self.tests {
                if let Outcome::Skipped { because } = column.outcome(test) {
                    tests_by_reason.entry((because, &column.name)).or_default().push(test);
                }
            }
        }
        let mut kernels_by_tests: BTreeMap<(String, Vec<&str>), Vec<&str>> = BTreeMap::new();
        for ((because, kernel), tests) in tests_by_reason {
            kernels_by_tests.entry((because, tests)).or_default().push(kernel);
        }
        let all = self.tests.len();
        let skip = |((because, tests), kernels): ((String, Vec<&str>), Vec<&str>)| {
            let tests = if tests.len() == all { "all tests".to_owned() } else { tests.join(", ") };
            (format!("{}: {because}", kernels.join(", ")), tests)
        };
        kernels_by_tests.into_iter().map(skip).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.tests.iter().map(|test| test.chars().count());
        let width = names.max().unwrap_or(0).max("kernel".len());
        write!(f, "{:width$}", "kernel")?;
        for column in &self.columns {
            write!(f, "  {:>5}", column.name)?;
        }
        for test in &self.tests {
            write!(f, "\n{test:width$}")?;
            for column in &self.columns {
                write!(f, "  {:>5}", symbol(&column.outcome(test)))?;
            }
        }
        write!(f, "\n✓ passed  ✗ FAILED  – skipped")?;
        for column in &self.columns {
            if let Results::Run { release, .. } = &column.results {
                write!(f, "\n  {} is {release}", column.name)?;
            }
        }
        for (because, tests) in self.skips() {
            write!(f, "\n– {because}\n    {tests}")?;
        }
        for column in &self.columns {
            if let Some(trouble) = column.trouble() {
                write!(f, "\n✗ {}: {trouble}", column.name)?;
            }
        }
        write!(f, "\n{}", self.counts())
    }
}

fn symbol(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✓",
        Outcome::Failed => "✗",
        Outcome::Skipped { .. } => "–",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(because: &str) -> Outcome {
        Outcome::Skipped { because: because.into() }
    }

    fn run(name: &str, outcomes: &[(&str, Outcome)], trouble: Option<&str>) -> Column {
        let outcomes = outcomes.iter().map(|(test, outcome)| ((*test).to_owned(), outcome.clone())).collect();
        let release = format!("{name}.0-cloud");
        let trouble = trouble.map(str::to_owned);
        Column { name: name.into(), results: Results::Run { release, outcomes, trouble } }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table { tests: vec!["a::ipv4".into(), "b".into()], columns }
    }

    #[test]
    fn what_it_looks_like() {
        let because = "needs x (since 6.10)";
        let local = table(vec![run("local", &[("a::ipv4", Outcome::Passed), ("b", Outcome::Passed)], None)]);
        let table = table(vec![
            run("5.10", &[("a::ipv4", skipped(because)), ("b", Outcome::Passed)], None),
            run("6.1", &[("a::ipv4", skipped(because)), ("b", Outcome::Failed)], None),
            run("6.12", &[("a::ipv4", Outcome::Passed)], Some("Kernel panic")),
            Column { name: "7".into(), results: Results::Skipped { because: "not cached".into() } },
        ]);
        let expected = "\
kernel   local   5.10    6.1   6.12      7
a::ipv4      ✓      –      –      ✓      –
b            ✓      ✓      ✗      ✗      –
✓ passed  ✗ FAILED  – skipped
  local is local.0-cloud
  5.10 is 5.10.0-cloud
  6.1 is 6.1.0-cloud
  6.12 is 6.12.0-cloud
– 5.10, 6.1: needs x (since 6.10)
    a::ipv4
– 7: not cached
    all tests
✗ 6.12: Kernel panic
4 passed, 2 failed, 4 skipped";
        assert_eq!(local.beside(table).to_string(), expected);
    }

    #[test]
    fn trouble_is_a_failure_even_when_all_tests_passed() {
        let passed = [("a::ipv4", Outcome::Passed), ("b", Outcome::Passed)];
        let check = |trouble, failed| {
            let counts = table(vec![run("6.1", &passed, trouble)]).counts();
            assert_eq!(counts, Counts { passed: 2, failed, skipped: 0 });
        };
        check(None, 0);
        check(Some("silent"), 1);
    }

    #[test]
    fn what_one_table_lacks_is_a_failure() {
        let one = table(vec![run("local", &[("a::ipv4", Outcome::Passed), ("b", Outcome::Passed)], None)]);
        let mut other =
            table(vec![run("6.1", &[("a::ipv4", Outcome::Passed), ("c", Outcome::Passed)], None)]);
        other.tests = vec!["a::ipv4".into(), "c".into()];
        let both = one.beside(other);
        assert_eq!(both.tests, ["a::ipv4", "b", "c"]);
        assert_eq!(both.counts(), Counts { passed: 4, failed: 2, skipped: 0 });
    }
}
