//! Text from processes made safe to show. Escapes what steers a terminal or hides from the eye, and leaves all other
//! text as it is, backslashes too: JSON is the output that can be read back exactly.

use std::{borrow::Cow, fmt::Write as _};

/// The text with every unsafe character as Rust writes it: `\u{1b}`, `\n`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// The text as it may stand in a JSON string, given that quotes and the like are escaped already.
pub(super) fn escape_in_json(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// Control characters, what changes the direction of writing, separators of lines, and what has no width at all and no
/// place in a name.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped() {
        let check = |text: &str, shown: &str, in_json: &str| {
            assert_eq!(escape(text), shown);
            assert_eq!(escape_in_json(text), in_json);
        };
        check("", "", "");
        check("python3", "python3", "python3");
        check("日本 é e\u{301} 👩 a\\b\"", "日本 é e\u{301} 👩 a\\b\"", "日本 é e\u{301} 👩 a\\b\"");
        check("\u{1b}[2J\n\t\0", r"\u{1b}[2J\n\t\u{0}", r"\u001b[2J\u000a\u0009\u0000");
        check("\u{7f}\u{9b}31m", r"\u{7f}\u{9b}31m", r"\u007f\u009b31m");
        check("a\u{202e}b\u{2066}c\u{2028}", r"a\u{202e}b\u{2066}c\u{2028}", r"a\u202eb\u2066c\u2028");
        check("\u{e0041}", r"\u{e0041}", r"\udb40\udc41");
    }
}
