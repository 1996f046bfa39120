//! A cause as a page, and all causes as a list.

use std::io::{self, Write};

use anstyle::Style;

use super::{End, errors};
use crate::{
    catalogue::{self, Language},
    cause::Cause,
    model::Direction,
    output::{
        Color,
        page::{Layout, Page, bidi},
    },
};

/// Columns of the names.
const NAME: usize = 22;

/// Columns of the directions.
const DIRECTION: usize = 13;

pub(super) fn write(cause: Cause, language: Language, page: &mut Page<impl Write>) -> io::Result<()> {
    let (texts, words) = (catalogue::texts(cause, language), catalogue::words(language));
    page.lead(&format!("{}: {}", cause.as_str(), texts.title))?;
    let (here, there) = if cause.is_of_sender() {
        (words.advice_sender, words.advice_receiver)
    } else {
        (words.advice_here, words.advice_there)
    };
    for (title, text) in [
        (words.what_happened, texts.what_happened),
        (words.why_it_happens, texts.why_it_happens),
        (here, texts.advice_here),
        (there, texts.advice_there),
        (words.confirm, texts.confirm),
    ] {
        page.section(title)?;
        page.paragraph(text)?;
    }
    let errors = errors::of_cause(cause);
    if errors.is_empty() {
        page.section(words.in_programs)?;
        page.paragraph(words.nobody_is_told)?;
    }
    for (errno, ends) in errors {
        let ends = ends.iter().map(|end| match (cause.is_of_sender(), end) {
            (true, End::This) => words.sender,
            (true, End::Other) => words.receiver,
            (false, End::This) => words.at_this_end,
            (false, End::Other) => words.at_other_end,
        });
        let ends: Vec<_> = ends.collect();
        page.section(&format!(
            "{}: {} ({})",
            words.in_programs,
            errno.as_str(),
            ends.join(language.comma())
        ))?;
        for symptom in catalogue::symptoms(errno) {
            page.program(symptom.language, symptom.text)?;
        }
    }
    page.flush()
}

/// A line a cause, below a header.
pub(super) fn list(layout: Layout, to: &mut impl Write) -> io::Result<()> {
    let words = catalogue::words(layout.language);
    let style = if layout.color == Color::On { Style::new().bold() } else { Style::new() };
    let mut line = |style: Style, name: &str, directions: &str, title: &str| {
        let cells = [&*format!("{name:NAME$} "), &*format!("{directions:DIRECTION$} "), title];
        writeln!(to, "{style}{}{style:#}", bidi::row(&cells, layout.language))
    };
    line(style, words.cause, words.direction, words.title)?;
    for cause in Cause::ALL {
        let directions: Vec<_> = cause.directions().iter().copied().map(Direction::as_str).collect();
        line(
            Style::new(),
            cause.as_str(),
            &directions.join(","),
            catalogue::texts(cause, layout.language).title,
        )?;
    }
    Ok(())
}
