//! Pages in both directions.

use super::*;

fn page(language: Language, color: Color, width: usize) -> String {
    let mut text = Vec::new();
    let mut page = Page::new(Layout { width, color, language }, &mut text);
    let written = (|| {
        page.lead("What \u{1b}[2J happened")?;
        page.pair("Cause", 10, "close_unread: a title that is longer than its line")?;
        page.section("Evidence")?;
        page.item("1,460 bytes had come and not been read by anybody")?;
        page.paragraph("Run `ss -tn` to see it.")?;
        page.program("Python", "ConnectionResetError: [Errno 104] Connection reset by peer")?;
        page.rule()
    })();
    written.expect("a page");
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn lines_hang_below_their_text() {
    let expected = "\
What \\u{1b}[2J happened
Cause       close_unread: a title that
            is longer than its line

Evidence
  - 1,460 bytes had come and not been
    read by anybody
  Run `ss -tn` to see it.
  Python
    ConnectionResetError: [Errno 104]
    Connection reset by peer

────────────────────────────────────────

";
    assert_eq!(page(Language::English, Color::Off, 0), expected);
    let wide = page(Language::English, Color::Off, 1000);
    assert!(
        wide.contains(
            "\n  Python                  ConnectionResetError: [Errno 104] Connection reset by peer\n"
        ),
        "{wide}"
    );
    assert!(wide.contains(&format!("\n{}\n", "─".repeat(WIDEST))), "{wide}");
}

#[test]
fn lines_from_right_to_left_are_marked() {
    let plain = page(Language::English, Color::Off, 40);
    let marked = page(Language::Arabic, Color::Off, 40);
    let is_mark = |character: char| "\u{200f}\u{2067}\u{2068}\u{2069}".contains(character);
    assert_eq!(marked.replace(is_mark, ""), plain);
    let line = "\u{200f}\u{2067}  - \u{2068}1,460 bytes had come and not been\u{2069}\u{2069}\n";
    assert!(marked.contains(line), "{marked}");
    assert!(marked.contains("\n  Python\n"), "{marked}");
}

#[test]
fn colors_are_all_that_color_adds() {
    for language in Language::ALL {
        let colored = page(language, Color::On, 40);
        let plain = ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m"]
            .iter()
            .fold(colored.clone(), |text, sequence| text.replace(sequence, ""));
        assert_ne!(colored, plain);
        assert_eq!(plain, page(language, Color::Off, 40));
    }
}
