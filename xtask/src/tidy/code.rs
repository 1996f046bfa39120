//! Rust source with comments and literals blanked out, so that rules see code alone.
//!
//! Knows just enough of the lexical structure for that; deliberately lacks tokens and syntax.

/// `source` with each character of comments, strings and character literals replaced by a space. Lines stay
/// where they are.
pub(crate) fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        match blank_length(rest, after_word) {
            0 => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
            length => {
                let (blank, after) = rest.split_at(length);
                code.extend(blank.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
                rest = after;
            }
        }
    }
    code
}

/// The length of the comment or literal that `text` begins with, 0 if it begins with code.
fn blank_length(text: &str, after_word: bool) -> usize {
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        block_comment(text)
    } else if text.starts_with('"') {
        quoted(text, '"')
    } else if text.starts_with('\'') {
        if is_lifetime(text) { 0 } else { quoted(text, '\'') }
    } else if text.starts_with('r') && !after_word || text.starts_with("br") || text.starts_with("cr") {
        raw_string(text)
    } else {
        0
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut position = 0;
    while position < text.len() {
        let rest = &text[position..];
        if rest.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return position;
            }
        } else {
            position += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return position + 1;
        }
    }
    text.len()
}

/// `'a` is a lifetime unless a quote follows the one character.
fn is_lifetime(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    let first = characters.next();
    first != Some('\\') && characters.next() != Some('\'')
}

/// The length of `r#"…"#`, with any number of `#`; 0 for an identifier.
fn raw_string(text: &str) -> usize {
    let start = text.find('r').map_or(0, |r| r + 1);
    let hashes = text[start..].len() - text[start..].trim_start_matches('#').len();
    let Some(content) = text[start + hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let before = text.len() - content.len();
    content.find(&end).map_or(text.len(), |found| before + found + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        let check = |source: &str, expected: &str| {
            let code = code_only(source);
            assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{source}");
            assert_eq!(code.lines().count(), source.lines().count(), "{source}");
        };
        check("let a = 1; // aya\nlet b;", "let a = 1; let b;");
        check("a /* b /* c */\n d */ e", "a e");
        check("f(\"unsafe \\\" // still\") + 1", "f( ) + 1");
        check("f(\"two\nlines\") g", "f( ) g");
        check("let c: &'a str = x; // 'z", "let c: &'a str = x;");
        check("m('\"', '\\'', 'é', \"x\") n", "m( , , , ) n");
        check("r\"raw\\\" + r#\"a \"b\" c\"# + br##\"d\"## e", "+ + e");
        check("for r in var { r#type }", "for r in var { r#type }");
        check("\"never closed", "");
    }
}
