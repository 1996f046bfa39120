//! What a guest's console says of its tests. Pure.
//!
//! The format is that of Rust's test harness, and of `init.sh` around it.

use std::collections::BTreeMap;

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped { because: String },
}

/// Everything that one console says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The kernel's own name of its release.
    pub(crate) release: Option<String>,
    pub(crate) outcomes: BTreeMap<String, Outcome>,
    /// What failed tests had to say.
    pub(crate) failures: Vec<String>,
    /// Why the verdict is none, if so.
    pub(crate) trouble: Option<String>,
}

impl Verdict {
    /// Reads a console, which holds control characters as well.
    pub(crate) fn of(console: &[u8]) -> Self {
        let text = String::from_utf8_lossy(console);
        let lines = || text.lines().map(|line| line.trim_matches(|c: char| c.is_control()));
        let mut outcomes: BTreeMap<_, _> = lines().filter_map(outcome).collect();
        let finished = lines().filter(|line| outcome(line).is_some()).count();
        for (test, because) in lines().filter_map(|line| line.strip_prefix("kernel-test: ")).filter_map(skip)
        {
            outcomes.insert(test.to_owned(), Outcome::Skipped { because: because.to_owned() });
        }
        let told = |what: &str| {
            lines().find_map(|line| line.strip_prefix("kernel-test: ")?.strip_prefix(what)).map(str::to_owned)
        };
        let is_result = |line: &&str| line.starts_with("test result: ");
        let failures = lines().skip_while(|line| *line != "failures:").take_while(|line| !is_result(line));
        let failed = outcomes.values().any(|outcome| *outcome == Outcome::Failed);
        let trouble = match (lines().find(is_result).and_then(total), told("exit ").as_deref()) {
            (None, None) => Some("it ended without a verdict".to_owned()),
            (None, Some(status)) => Some(format!("the tests did not end by themselves: exit code {status}")),
            (Some(_), None) => Some("it ended without an exit code of the tests".to_owned()),
            (Some(total), _) if total != finished => {
                Some(format!("{total} tests were run, {finished} are told of"))
            }
            (Some(_), Some("0")) if failed => Some("tests failed, and the exit code is 0".to_owned()),
            (Some(_), Some(status)) if status != "0" && !failed => {
                Some(format!("no test failed, and the exit code is {status}"))
            }
            _ => None,
        };
        Self {
            release: told("release "),
            failures: failures.skip(1).map(str::to_owned).collect(),
            outcomes,
            trouble,
        }
    }
}

/// Reads `test refused::ipv4 ... ok`. A test that is ignored is a failure: none of ours may be.
fn outcome(line: &str) -> Option<(String, Outcome)> {
    let (test, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let test = test.strip_suffix(" - should panic").unwrap_or(test).to_owned();
    match end {
        "ok" => Some((test, Outcome::Passed)),
        _ if end == "FAILED" || end.starts_with("ignored") => Some((test, Outcome::Failed)),
        _ => None,
    }
}

/// Reads `skipped refused::ipv4: needs this and that`.
pub(crate) fn skip(line: &str) -> Option<(&str, &str)> {
    // A test's path has colons too, but no blanks.
    line.strip_prefix("skipped ")?.split_once(": ")
}

/// Reads `test result: ok. 45 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.99s`.
fn total(line: &str) -> Option<usize> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |count: &str| match count.trim().split_once(' ')? {
        (number, "passed" | "failed" | "ignored") => number.parse::<usize>().ok(),
        _ => None,
    };
    Some(counts.split(';').filter_map(count).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str =
        "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.99s";

    fn console(rest: &str) -> Verdict {
        let text = format!(
            "\x1b[2JSeaBIOS\r\ncannot load x\r\nkernel-test: release 6.1.0\r\n\r\nrunning 3 tests\r\n\
             test a::b ... ok\r\ntest c ... ok\r\ntest slow has been running for over 60 seconds\r\n{rest}"
        );
        Verdict::of(text.as_bytes())
    }

    #[test]
    fn a_whole_run() {
        let verdict = console(&format!(
            "test d ... FAILED\r\n\r\nfailures:\r\n\r\n---- d stdout ----\r\nwhy\r\n\r\n\r\n\
             failures:\r\n    d\r\n\r\n{RESULT}\r\n\r\nkernel-test: skipped a::b: needs x: y (since 6.10)\r\n\
             kernel-test: exit 101\r\n"
        ));
        assert_eq!(verdict.trouble, None);
        assert_eq!(verdict.release.as_deref(), Some("6.1.0"));
        let skipped = Outcome::Skipped { because: "needs x: y (since 6.10)".into() };
        let expected = [("a::b", skipped), ("c", Outcome::Passed), ("d", Outcome::Failed)];
        assert_eq!(verdict.outcomes, expected.map(|(test, outcome)| (test.to_owned(), outcome)).into());
        assert!(verdict.failures.iter().any(|line| line == "why"), "{:?}", verdict.failures);
    }

    #[test]
    fn runs_that_are_not_whole() {
        let check = |rest: &str, expected: &str| {
            assert_eq!(console(rest).trouble.as_deref(), Some(expected), "{rest}");
        };
        check("", "it ended without a verdict");
        check("kernel-test: exit 139\r\n", "the tests did not end by themselves: exit code 139");
        let passed = RESULT.replace("2 passed; 1 failed", "2 passed; 0 failed");
        check(&passed, "it ended without an exit code of the tests");
        check(&format!("{RESULT}\r\nkernel-test: exit 101"), "3 tests were run, 2 are told of");
        check(&format!("{passed}\r\nkernel-test: exit 1"), "no test failed, and the exit code is 1");
        let failed = format!("test d ... FAILED\r\n{RESULT}\r\nkernel-test: exit 0");
        check(&failed, "tests failed, and the exit code is 0");
        assert_eq!(console(&format!("{passed}\r\nkernel-test: exit 0")).trouble, None);
    }

    #[test]
    fn ends_of_tests() {
        let check = |line: &str, expected: Option<(&str, Outcome)>| {
            let expected = expected.map(|(test, outcome)| (test.to_owned(), outcome));
            assert_eq!(outcome(line), expected, "{line}");
        };
        check("test a - should panic ... ok", Some(("a", Outcome::Passed)));
        check("test a ... ignored, for a reason", Some(("a", Outcome::Failed)));
        check("test a ... ", None);
        check("test result: ok. 1 passed; 0 failed", None);
        assert_eq!(total("test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured"), Some(42));
        assert_eq!(total("test result: ok"), None);
    }
}
