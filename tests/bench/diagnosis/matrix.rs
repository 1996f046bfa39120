//! What was told against what should have been, in Markdown: by variant, and summed up by cause.

use std::{collections::BTreeMap, fmt::Write as _};

use resetmon::cause::Cause;
use serde_json::Value;

/// A cause, and how far it is relied on.
type Verdict<'a> = (&'a str, &'a str);

/// One variant of the corpus.
pub(crate) struct Judged<'a> {
    pub(crate) variant: &'a str,
    wanted: Verdict<'a>,
    given: Verdict<'a>,
}

impl<'a> Judged<'a> {
    /// The one in a line of the record.
    pub(crate) fn new(line: &'a Value) -> Self {
        let verdict =
            |of: &'a Value| ["cause", "confidence"].map(|key| of[key].as_str().unwrap_or("none")).into();
        Self {
            variant: line["variant"].as_str().unwrap_or("?"),
            wanted: verdict(&line["wanted"]),
            given: verdict(&line["event"]),
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.wanted == self.given
    }

    fn line(&self) -> String {
        let Self { variant, wanted, given, .. } = self;
        let verdict = if self.is_right() { "right" } else { "WRONG" };
        format!("| {variant} | {} | {} | {} | {} | {verdict} |", wanted.0, given.0, wanted.1, given.1)
    }
}

/// A line a variant.
pub(crate) fn of_variants(judged: &[Judged<'_>]) -> String {
    let mut table = String::from(
        "| variant | wanted | given | confidence wanted | given | |\n|---|---|---|---|---|---|\n",
    );
    for one in judged {
        let _ = writeln!(table, "{}", one.line());
    }
    table
}

/// A line a cause that was wanted, and what was given instead; and the causes that were not made here.
pub(crate) fn of_causes(judged: &[Judged<'_>]) -> String {
    let mut table =
        String::from("\n| cause | variants | right | wrong | given instead |\n|---|--:|--:|--:|---|\n");
    let mut missing = Vec::new();
    for cause in Cause::ALL.map(Cause::as_str) {
        let of_cause: Vec<_> = judged.iter().filter(|one| one.wanted.0 == cause).collect();
        if of_cause.is_empty() {
            missing.push(cause);
            continue;
        }
        let mut others = BTreeMap::new();
        for one in of_cause.iter().filter(|one| !one.is_right()) {
            *others.entry(one.given).or_insert(0) += 1;
        }
        let wrong: usize = others.values().sum();
        let others: Vec<_> = others
            .iter()
            .map(|((given, confidence), times)| format!("{given} ({confidence}): {times}"))
            .collect();
        let right = of_cause.len() - wrong;
        let _ =
            writeln!(table, "| {cause} | {} | {right} | {wrong} | {} |", of_cause.len(), others.join(", "));
    }
    if !missing.is_empty() {
        let _ = writeln!(table, "\nnot made here: {}", missing.join(", "));
    }
    table
}
