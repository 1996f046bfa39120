//! Text in lines of a width. What stands between backticks is there to be copied, so it stays on one line if it fits.

use unicode_width::UnicodeWidthStr as _;

/// Lines of at most `width` columns; at least one.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text, width) {
        let last =
            lines.last_mut().filter(|line| line.is_empty() || line.width() + 1 + word.width() <= width);
        match last {
            Some(line) => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(&word);
            }
            None => lines.push(word),
        }
    }
    lines
}

/// What must not be broken: words, and commands that fit a line. Words that do not are cut.
fn words(text: &str, width: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut command: Option<String> = None;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let toggles = word.matches('`').count() % 2 == 1;
        match command.take() {
            None if toggles => command = Some(word.to_owned()),
            None => words.push(word.to_owned()),
            Some(begun) => {
                let more = format!("{begun} {word}");
                if toggles { words.push(more) } else { command = Some(more) }
            }
        }
    }
    words.extend(command);
    let fitting = |word: String| {
        if word.width() <= width {
            return vec![word];
        }
        word.split(' ').flat_map(|word| pieces(word, width)).collect()
    };
    words.into_iter().flat_map(fitting).collect()
}

/// A word in pieces that fit.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for character in word.chars() {
        let mut longer = pieces.last().cloned().unwrap_or_default();
        let is_empty = longer.is_empty();
        longer.push(character);
        if longer.width() <= width || is_empty {
            pieces.pop();
            pieces.push(longer);
        } else {
            pieces.push(character.into());
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines() {
        let check =
            |text: &str, width: usize, expected: &[&str]| assert_eq!(wrap(text, width), expected, "{text}");
        check("", 10, &[""]);
        check("one two three", 7, &["one two", "three"]);
        check("one  two", 20, &["one two"]);
        check("abcdefgh ij", 4, &["abcd", "efgh", "ij"]);
        check("see `ss -tn` now", 12, &["see `ss -tn`", "now"]);
        check("please see `ss -tn` now", 12, &["please see", "`ss -tn` now"]);
        check("run `ss -tn dst 10.0.0.9` now", 12, &["run `ss -tn", "dst", "10.0.0.9`", "now"]);
        check("an open ` stays", 8, &["an open", "` stays"]);
        check("日本語", 4, &["日本", "語"]);
        check("لم تُقرأ بعد", 8, &["لم تُقرأ", "بعد"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_all_fits(text in "[a-z` é語\u{64f}]{0,120}", width in 2..40_usize) {
            let lines = wrap(&text, width);
            let without_blanks = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without_blanks(&lines.concat()), without_blanks(&text));
            for line in lines {
                prop_assert!(line.width() <= width, "{:?}", line);
            }
        }
    }
}
