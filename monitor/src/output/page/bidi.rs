//! Text that is written from right to left, with names, commands and numbers in it that are not. A terminal that orders
//! characters itself is told what belongs together; one that does not ignores the marks.

use std::borrow::Cow;

use crate::{catalogue::Language, output::escape::escape};

/// RIGHT-TO-LEFT MARK: the first letter of the line decides its direction.
const MARK: char = '\u{200f}';

/// RIGHT-TO-LEFT ISOLATE: what follows is ordered from right to left, where the line itself is not.
const RIGHT_TO_LEFT: char = '\u{2067}';

/// FIRST STRONG ISOLATE: what follows is ordered by itself.
const ISOLATE: char = '\u{2068}';

/// POP DIRECTIONAL ISOLATE: the end of an isolate.
const POP: char = '\u{2069}';

/// A sentence as it may stand in a line of another language: escaped and marked.
pub fn sentence(text: &str, language: Language) -> Cow<'_, str> {
    let text = escape(text);
    if language.is_right_to_left() { embed(&isolate(&text)).into() } else { text }
}

/// Cells of a table, each ordered by itself, so that they stand in the order of the language.
pub fn row(cells: &[&str], language: Language) -> String {
    let cells = cells.iter().map(|cell| escape(cell));
    if language.is_right_to_left() {
        embed(&cells.map(|cell| isolate(&cell)).collect::<String>())
    } else {
        cells.collect()
    }
}

/// A line from right to left, given that what is not is isolated.
pub(super) fn embed(line: &str) -> String {
    format!("{MARK}{RIGHT_TO_LEFT}{line}{POP}")
}

/// The text with everything isolated that is not written from right to left.
pub(super) fn isolate(text: &str) -> String {
    let mut marked = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_right_to_left).unwrap_or(rest.len());
        let (foreign, after) = rest.split_at(end);
        isolate_parts(foreign, &mut marked);
        let end = after.find(|character| !is_right_to_left(character)).unwrap_or(after.len());
        let (own, after) = after.split_at(end);
        marked.push_str(own);
        rest = after;
    }
    marked
}

/// Isolates what is between brackets whose other half is elsewhere: those belong to the sentence.
fn isolate_parts(foreign: &str, marked: &mut String) {
    let mut start = 0;
    for bracket in lonely_brackets(foreign) {
        isolate_part(&foreign[start..bracket], marked);
        // Brackets are one byte long.
        marked.push_str(&foreign[bracket..=bracket]);
        start = bracket + 1;
    }
    isolate_part(&foreign[start..], marked);
}

/// Isolates a part without the blanks and marks around it; a part without letters and digits needs none.
fn isolate_part(part: &str, marked: &mut String) {
    let is_outside = |character: char| character.is_whitespace() || ".,:;!?".contains(character);
    let inner = part.trim_matches(is_outside);
    if !inner.contains(char::is_alphanumeric) {
        marked.push_str(part);
        return;
    }
    let start = part.len() - part.trim_start_matches(is_outside).len();
    let (before, after) = (&part[..start], &part[start + inner.len()..]);
    marked.push_str(before);
    marked.push(ISOLATE);
    marked.push_str(inner);
    marked.push(POP);
    marked.push_str(after);
}

/// Where there are brackets without their other half, in order.
fn lonely_brackets(text: &str) -> Vec<usize> {
    const PAIRS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];
    let (mut open, mut lonely): (Vec<(usize, char)>, Vec<usize>) = (Vec::new(), Vec::new());
    for (at, character) in text.char_indices() {
        if let Some((_, closing)) = PAIRS.iter().find(|(opening, _)| *opening == character) {
            open.push((at, *closing));
        } else if PAIRS.iter().any(|(_, closing)| *closing == character) {
            match open.last() {
                Some((_, closing)) if *closing == character => {
                    open.pop();
                }
                _ => lonely.push(at),
            }
        }
    }
    lonely.extend(open.iter().map(|(at, _)| *at));
    lonely.sort_unstable();
    lonely
}

/// Letters of the scripts that are written from right to left, and their marks.
fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Isolates as angle quotes, so that one can read them.
    fn visible(text: &str) -> String {
        isolate(text).replace(ISOLATE, "‹").replace(POP, "›")
    }

    #[test]
    fn what_is_isolated() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("", "");
        check("أغلق الاتصال.", "أغلق الاتصال.");
        check("أغلق nginx[900] الاتصال", "أغلق ‹nginx[900]› الاتصال");
        check("الإنهاء المعتاد (FIN).", "الإنهاء المعتاد ‹(FIN)›.");
        check("خادم (413 أو 401؛ وهذا شأن gunicorn)", "خادم (‹413› أو ‹401›؛ وهذا شأن ‹gunicorn›)");
        check("بعامل تجاوز --timeout (30 ثانية)", "بعامل تجاوز ‹--timeout› (‹30› ثانية)");
        check("(الإشارة 9 (SIGKILL)) هنا", "(الإشارة ‹9 (SIGKILL)›) هنا");
        check("وgunicorn، واستدعِ shutdown(SHUT_WR)، ثم", "و‹gunicorn›، واستدعِ ‹shutdown(SHUT_WR)›، ثم");
        check("يعرض `ss -tn dst 10.0.0.9`.", "يعرض ‹`ss -tn dst 10.0.0.9`›.");
        check("المدة: 350.0 ثانية", "المدة: ‹350.0› ثانية");
        check("العنوان [2001:db8::1]:443 مغلق", "العنوان ‹[2001:db8::1]:443› مغلق");
        check("]a[ (b", "]‹a›[ (‹b›");
        check("... — …", "... — …");
        check("日本 هنا", "‹日本› هنا");
    }

    #[test]
    fn sentences_are_marked_by_their_language() {
        assert_eq!(row(&["a ", "b"], Language::English), "a b");
        let cells = "\u{200f}\u{2067}\u{2068}a\u{2069} \u{2068}b\u{2069}\u{2069}";
        assert_eq!(row(&["a ", "b"], Language::Arabic), cells);
        assert_eq!(sentence("a\u{1b}b", Language::English), "a\\u{1b}b");
        assert_eq!(
            sentence("أغلق a\u{202e}b", Language::Arabic),
            "\u{200f}\u{2067}أغلق \u{2068}a\\u{202e}b\u{2069}\u{2069}"
        );
    }
}
