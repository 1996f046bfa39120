//! Events as lines for people: `table` fits 120 columns and shortens what does not, `wide` shows everything and
//! shortens nothing. How lines are laid out; which columns there are is in `columns`.

mod columns;

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use self::columns::{Align, Column, Paint, TABLE, WIDE};
use super::{Color, Context, escape::escape};
use crate::model::{Direction, ResetEvent};

/// Stands for what was left out.
const ELLIPSIS: &str = "…";

/// What happens to a cell that is wider than its column.
#[derive(Clone, Copy)]
enum Overflow {
    Shorten,
    Push,
}

pub(super) fn table_header(context: &Context, to: &mut impl Write) -> io::Result<()> {
    write_header(&TABLE, context, to)
}

pub(super) fn wide_header(context: &Context, to: &mut impl Write) -> io::Result<()> {
    write_header(&WIDE, context, to)
}

pub(super) fn write_table(event: &ResetEvent, context: &Context, to: &mut impl Write) -> io::Result<()> {
    write_event(&TABLE, Overflow::Shorten, event, context, to)
}

pub(super) fn write_wide(event: &ResetEvent, context: &Context, to: &mut impl Write) -> io::Result<()> {
    write_event(&WIDE, Overflow::Push, event, context, to)
}

fn write_header(columns: &[Column], context: &Context, to: &mut impl Write) -> io::Result<()> {
    let style = in_color(context, Style::new().bold());
    let cells = columns.iter().map(|column| (column.header.into(), style));
    write_line(columns, cells, to)
}

fn write_event(
    columns: &[Column],
    overflow: Overflow,
    event: &ResetEvent,
    context: &Context,
    to: &mut impl Write,
) -> io::Result<()> {
    let cells = columns.iter().map(|column| {
        let room = match overflow {
            Overflow::Shorten => column.width,
            Overflow::Push => usize::MAX,
        };
        let cell = (column.cell)(event, context, room);
        let cell = shorten_end(escape(&cell), room).into_owned();
        (cell, in_color(context, style(column.paint, event)))
    });
    write_line(columns, cells, to)
}

/// Writes cells in their columns. The last one is not padded: no line ends in blanks.
fn write_line(
    columns: &[Column],
    cells: impl Iterator<Item = (String, Style)>,
    to: &mut impl Write,
) -> io::Result<()> {
    for (index, (column, (cell, style))) in columns.iter().zip(cells).enumerate() {
        if index > 0 {
            to.write_all(b" ")?;
        }
        let blanks = column.width.saturating_sub(cell.width());
        let is_last = index + 1 == columns.len();
        let (before, after) = match column.align {
            Align::Left if is_last => (0, 0),
            Align::Left => (0, blanks),
            Align::Right => (blanks, 0),
        };
        write!(to, "{:before$}{style}{cell}{style:#}{:after$}", "", "")?;
    }
    to.write_all(b"\n")
}

fn style(paint: Paint, event: &ResetEvent) -> Style {
    match (paint, event.direction) {
        (Paint::Plain, _) => Style::new(),
        (Paint::Dim, _) => Style::new().dimmed(),
        (Paint::Direction, Direction::Sent) => AnsiColor::Yellow.on_default(),
        (Paint::Direction, Direction::Received) => AnsiColor::Magenta.on_default(),
    }
}

fn in_color(context: &Context, style: Style) -> Style {
    match context.color {
        Color::On => style,
        Color::Off => Style::new(),
    }
}

/// The text in at most so many columns, without its end.
pub(super) fn shorten_end(text: Cow<'_, str>, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return text;
    }
    let room = room.saturating_sub(ELLIPSIS.width());
    let ends = text.char_indices().map(|(start, character)| start + character.len_utf8());
    let end = ends.take_while(|end| text[..*end].width() <= room).last().unwrap_or(0);
    format!("{}{ELLIPSIS}", &text[..end]).into()
}

/// The text in at most so many columns, without its middle; for text of one column a character.
fn shorten_middle(text: &str, room: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= room {
        return text.into();
    }
    let kept = room.saturating_sub(ELLIPSIS.width());
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let characters = || text.chars();
    characters().take(head).chain(ELLIPSIS.chars()).chain(characters().skip(length - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits() {
        let width: usize = TABLE.iter().map(|column| column.width).sum();
        assert_eq!(width + TABLE.len() - 1, 120);
        for column in TABLE.iter().chain(&WIDE) {
            assert!(column.header.len() <= column.width, "{}", column.header);
        }
    }

    #[test]
    fn shortened_text() {
        let check = |text: &str, room: usize, end: &str, middle: &str| {
            assert_eq!(shorten_end(text.into(), room), end);
            assert_eq!(shorten_middle(text, room), middle);
        };
        check("abcdef", 6, "abcdef", "abcdef");
        check("abcdef", 5, "abcd…", "ab…ef");
        check("abcdef", 4, "abc…", "ab…f");
        check("abcdef", 1, "…", "…");
        check("", 0, "", "");
        let check_end = |text: &str, room: usize, end: &str| assert_eq!(shorten_end(text.into(), room), end);
        check_end("日本語", 6, "日本語");
        check_end("日本語", 5, "日本…");
        check_end("日本語", 4, "日…");
        check_end("e\u{301}e\u{301}e", 2, "e\u{301}…");
    }
}
