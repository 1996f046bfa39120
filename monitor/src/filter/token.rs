//! The words, signs and quotations that an expression is made of, each with its place. Lacks what they mean together.

use std::ops::Range;

use winnow::{
    LocatingSlice, Parser as _, Result,
    combinator::{alt, delimited, preceded, repeat},
    error::EmptyError,
    stream::Location as _,
    token::{any, none_of, take_till, take_while},
};

type Input<'a> = LocatingSlice<&'a str>;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `!` or `not`
    Not,
    /// `&&` or `and`
    And,
    /// `||` or `or`
    Or,
    /// `=`
    Equals,
    /// `!=`
    Differs,
    /// A comparison that ss(8) has and this has not.
    Compares,
    /// Anything else.
    Word(String),
}

/// Words that join conditions, hence values only in quotation marks.
const JOINING: [(&str, Kind); 3] = [("and", Kind::And), ("or", Kind::Or), ("not", Kind::Not)];

/// Takes a text apart; an error is where a quotation begins that does not end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, usize> {
    let mut input = LocatingSlice::new(text);
    let mut tokens = Vec::new();
    loop {
        let blank: Result<&str, EmptyError> = take_while(0.., char::is_whitespace).parse_next(&mut input);
        if blank.is_err() || input.is_empty() {
            return Ok(tokens);
        }
        let start = input.current_token_start();
        let (kind, span) = kind.with_span().parse_next(&mut input).map_err(|_| start)?;
        tokens.push(Token { kind, span });
    }
}

fn kind(input: &mut Input<'_>) -> Result<Kind, EmptyError> {
    alt((sign, quoted.map(Kind::Word), take_while(1.., is_bare).map(bare))).parse_next(input)
}

fn sign(input: &mut Input<'_>) -> Result<Kind, EmptyError> {
    alt((
        '('.value(Kind::Open),
        ')'.value(Kind::Close),
        "!=".value(Kind::Differs),
        '!'.value(Kind::Not),
        alt(("==", "=")).value(Kind::Equals),
        alt(("&&", "&")).value(Kind::And),
        alt(("||", "|")).value(Kind::Or),
        take_while(1.., ['<', '>', '=']).value(Kind::Compares),
    ))
    .parse_next(input)
}

/// As in a shell: a backslash makes what follows plain between double quotation marks, and is plain between single ones.
fn quoted(input: &mut Input<'_>) -> Result<String, EmptyError> {
    let plain = none_of(['"', '\\']);
    alt((
        delimited('"', repeat(0.., alt((preceded('\\', any), plain))), '"'),
        delimited('\'', take_till(0.., '\'').map(str::to_owned), '\''),
    ))
    .parse_next(input)
}

fn bare(text: &str) -> Kind {
    let joining = JOINING.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    joining.map_or_else(|| Kind::Word(text.to_owned()), |(_, kind)| kind)
}

/// Whether a character needs no quotation marks.
fn is_bare(character: char) -> bool {
    !character.is_whitespace() && !"()!=&|<>\"'".contains(character)
}

/// The text of a word that gives it back.
pub(super) fn written(word: &str) -> String {
    let is_joining = JOINING.iter().any(|(joining, _)| joining.eq_ignore_ascii_case(word));
    if !word.is_empty() && !is_joining && word.chars().all(is_bare) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Kind, Token, tokens, written};

    #[test]
    fn text_is_taken_apart() {
        let check = |text: &str, expected: &[(Kind, &str)]| {
            let found = tokens(text).unwrap_or_else(|place| panic!("{text}: {place}"));
            let found: Vec<_> = found.into_iter().map(|token| (token.kind, &text[token.span])).collect();
            assert_eq!(found, expected, "{text}");
        };
        let word = |text: &str| Kind::Word(text.to_owned());
        check(" \u{a0}\t", &[]);
        check(
            "!(dport!=:443)&&AND",
            &[
                (Kind::Not, "!"),
                (Kind::Open, "("),
                (word("dport"), "dport"),
                (Kind::Differs, "!="),
                (word(":443"), ":443"),
                (Kind::Close, ")"),
                (Kind::And, "&&"),
                (Kind::And, "AND"),
            ],
        );
        check(r#"a"b \"c\\""#, &[(word("a"), "a"), (word(r#"b "c\"#), r#""b \"c\\""#)]);
        check(r"my\x2dapp 'a\b'", &[(word(r"my\x2dapp"), r"my\x2dapp"), (word(r"a\b"), r"'a\b'")]);
        check("a>=b", &[(word("a"), "a"), (Kind::Compares, ">="), (word("b"), "b")]);
        check("\"and\"", &[(word("and"), "\"and\"")]);
    }

    #[test]
    fn a_quotation_has_an_end() {
        assert_eq!(tokens("comm \"a"), Err(5));
        assert_eq!(tokens("'"), Err(0));
        assert_eq!(tokens(r#"comm "a\""#), Err(5));
    }

    proptest! {
        #[test]
        fn a_written_word_is_read_back(word in any::<String>()) {
            let text = written(&word);
            let token = Token { kind: Kind::Word(word), span: 0..text.len() };
            prop_assert_eq!(tokens(&text), Ok(vec![token]));
        }
    }
}
