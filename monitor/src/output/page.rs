//! A page of text for people: sections, paragraphs, lists and pairs, in lines that fit a width. Whatever it is given it shows
//! escaped, so that no process writes on the terminal. Lacks what pages say.

pub mod bidi;
mod wrap;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use self::wrap::wrap;
use super::{Color, escape::escape};
use crate::catalogue::Language;

/// Columns that a page needs.
pub const NARROWEST: usize = 40;

/// Columns beyond which lines are hard to read.
pub const WIDEST: usize = 100;

/// Where the text of a section begins.
const INDENT: usize = 2;

/// Where the second text of a pair may begin at most; beyond, it has lines of its own.
const PAIR_AT: usize = 26;

/// How a page looks.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns of a line.
    pub width: usize,
    /// Whether there are colours.
    pub color: Color,
    /// Language of the texts.
    pub language: Language,
}

/// Writes a page.
pub(super) struct Page<W> {
    layout: Layout,
    to: W,
}

/// A piece of a line.
type Piece<'a> = (Style, &'a str);

impl<W: Write> Page<W> {
    pub(super) fn new(layout: Layout, to: W) -> Self {
        let width = layout.width.clamp(NARROWEST, WIDEST);
        Self { layout: Layout { width, ..layout }, to }
    }

    pub(super) fn language(&self) -> Language {
        self.layout.language
    }

    /// Columns of a line.
    pub(super) fn width(&self) -> usize {
        self.layout.width
    }

    /// What comes first.
    pub(super) fn lead(&mut self, text: &str) -> io::Result<()> {
        self.block(0, "", Style::new().bold(), text)
    }

    /// Begins a section.
    pub(super) fn section(&mut self, title: &str) -> io::Result<()> {
        self.blank()?;
        self.block(0, "", Style::new().bold(), title)
    }

    pub(super) fn paragraph(&mut self, text: &str) -> io::Result<()> {
        self.block(INDENT, "", Style::new(), text)
    }

    /// One of a list.
    pub(super) fn item(&mut self, text: &str) -> io::Result<()> {
        self.block(INDENT, "- ", Style::new(), text)
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.to)
    }

    /// What is between two pages.
    pub(super) fn rule(&mut self) -> io::Result<()> {
        let style = self.painted(Style::new().dimmed());
        writeln!(self.to, "\n{style}{}{style:#}\n", "─".repeat(self.layout.width))
    }

    /// A label in a column of so many, and a text beside it.
    pub(super) fn pair(&mut self, label: &str, column: usize, text: &str) -> io::Result<()> {
        let label = escape(label);
        let blanks = column.saturating_sub(label.width());
        let label = format!("{label}{:blanks$}  ", "");
        self.block(0, &label, Style::new(), text)
    }

    /// A time in a column of so many, and what happened then.
    pub(super) fn moment(&mut self, time: &str, column: usize, what: &str) -> io::Result<()> {
        let blanks = column.saturating_sub(time.width());
        let before = format!("{:blanks$}{time}  ", "");
        // A time that nobody lives to see shall not take the room of the text.
        if before.width() > self.layout.width / 2 {
            return self.paragraph(&format!("{time}  {what}"));
        }
        self.block(INDENT, &before, Style::new(), what)
    }

    /// What a program shows, which is written from left to right whatever the language.
    pub(super) fn program(&mut self, name: &str, shown: &str) -> io::Result<()> {
        let (name, shown) = (escape(name), escape(shown));
        let name = format!("{:INDENT$}{name}", "");
        let beside = name.width() < PAIR_AT && self.layout.width >= 2 * PAIR_AT;
        let at = if beside { PAIR_AT } else { 2 * INDENT };
        let mut head = if beside { format!("{name:PAIR_AT$}") } else { format!("{name}\n{:at$}", "") };
        for line in wrap(&shown, self.layout.width - at) {
            writeln!(self.to, "{head}{line}")?;
            head = format!("{:at$}", "");
        }
        Ok(())
    }

    /// Passes on what the writer has buffered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// A text behind something that stands before its first line; the others begin below the text.
    fn block(&mut self, indent: usize, before: &str, style: Style, text: &str) -> io::Result<()> {
        let at = indent + before.width();
        let mut head = format!("{:indent$}{before}", "");
        let dim = if before.trim().is_empty() { Style::new() } else { Style::new().dimmed() };
        for line in wrap(&escape(text), self.layout.width.saturating_sub(at)) {
            self.line(&[(dim, &head), (style, &line)])?;
            head = format!("{:at$}", "");
        }
        Ok(())
    }

    fn line(&mut self, pieces: &[Piece<'_>]) -> io::Result<()> {
        let is_right_to_left = self.layout.language.is_right_to_left();
        let styled = pieces.iter().map(|(style, piece)| {
            let style = self.painted(*style);
            let piece = if is_right_to_left { bidi::isolate(piece) } else { (*piece).to_owned() };
            format!("{style}{piece}{style:#}")
        });
        let line = styled.collect::<Vec<_>>().concat();
        if is_right_to_left {
            writeln!(self.to, "{}", bidi::embed(&line))
        } else {
            writeln!(self.to, "{line}")
        }
    }

    fn painted(&self, style: Style) -> Style {
        match self.layout.color {
            Color::On => style,
            Color::Off => Style::new(),
        }
    }
}
