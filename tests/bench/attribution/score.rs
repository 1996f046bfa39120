//! How often the right process was named, and the table that says so.

use std::fmt::Write as _;

use crate::truth::Owner;

/// How the answers of one tool compare with what is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) right: usize,
    /// A process owns the socket and none was named.
    pub(crate) none: usize,
    /// Another process was named, or one where nobody owns a socket.
    pub(crate) wrong: usize,
    /// The reset was not seen.
    pub(crate) missing: usize,
}

impl Score {
    /// Counts one answer; none when the reset was not seen. Tells whether it is right.
    pub(crate) fn count(&mut self, expected: Owner, answer: Option<Owner>) -> bool {
        let counter = match answer {
            Some(named) if named == expected => &mut self.right,
            Some(None) => &mut self.none,
            Some(Some(_)) => &mut self.wrong,
            None => &mut self.missing,
        };
        *counter += 1;
        answer == Some(expected)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.right += other.right;
        self.none += other.none;
        self.wrong += other.wrong;
        self.missing += other.missing;
    }

    /// Nobody is blamed wrongly, and at most one in a thousand resets is without its owner.
    pub(crate) fn is_good(self) -> bool {
        let all = self.right + self.none + self.wrong + self.missing;
        self.wrong == 0 && (self.none + self.missing) * 1000 <= all
    }

    fn cells(self) -> String {
        format!("{} | {} | {} | {}", self.right, self.none, self.wrong, self.missing)
    }
}

/// What one situation gave.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Resets, each of which is seen at one end or at both.
    pub(crate) resets: usize,
    pub(crate) events: usize,
    pub(crate) resetmon: Score,
    pub(crate) current: Score,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, resets: 0, events: 0, resetmon: Score::default(), current: Score::default() }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.resets += other.resets;
        self.events += other.events;
        self.resetmon.add(other.resetmon);
        self.current.add(other.current);
    }

    fn line(&self) -> String {
        let Self { name, resets, events, resetmon, current } = self;
        format!("| {name} | {resets} | {events} | {} | {} |", resetmon.cells(), current.cells())
    }
}

/// All rows and their sum, in Markdown.
pub(crate) fn table(rows: &[Row], sum: &Row) -> String {
    let mut table = String::from(
        "| situation | resets | events | resetmon: right | none | wrong | missing \
         | current task: right | none | wrong | missing |\n",
    );
    table.push_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for row in rows.iter().chain([sum]) {
        let _ = writeln!(table, "{}", row.line());
    }
    table
}
