//! Reads a filter from an expression: `peer 10.0.0.0/8 and port 443 and not cause closed_port`. `and` binds closer than
//! `or`, two conditions side by side mean both, and an error shows where it is.

use std::{fmt, ops::Range, str::FromStr};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{
    Filter,
    token::{Kind, Token, tokens},
    value::ValueError,
    word::{Alone, Valued, WORDS, Word},
};
use crate::spelling;

#[cfg(test)]
mod tests;

/// How deep conditions may be nested: what goes deeper was not written by hand, and recursion has its end.
const MOST_NESTED: usize = 64;

/// Text that is no filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// What is wrong.
    pub problem: Problem,
    /// Where it is, in bytes of the text; empty at the end of the text.
    pub span: Range<usize>,
    text: String,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A condition is missing.
    #[error("expected a condition, such as `port 443` or `received`")]
    NoCondition,
    /// A word that names no property.
    #[error("there is no property `{word}`{}", hint(*.nearest))]
    UnknownWord {
        /// The word.
        word: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// A property without a value.
    #[error("`{word}` needs a value, such as `{word} {example}`")]
    NoValue {
        /// The property.
        word: String,
        /// A value that it could have.
        example: &'static str,
    },
    /// A value of the wrong kind.
    #[error("wrong value of `{word}`: {source}")]
    Value {
        /// The property.
        word: String,
        /// What is wrong with it.
        source: ValueError,
    },
    /// Something is compared that holds or not.
    #[error("`{word}` has no value to compare")]
    TakesNoValue {
        /// The property.
        word: String,
    },
    /// A comparison that there is not.
    #[error("values are compared by = and != only")]
    Comparison,
    /// A parenthesis that is not closed.
    #[error("this parenthesis is not closed")]
    NotClosed,
    /// A parenthesis that closes nothing.
    #[error("this parenthesis closes nothing")]
    NotOpened,
    /// A quotation without an end.
    #[error("this quotation has no end")]
    Quotation,
    /// Too many conditions in each other.
    #[error("conditions are nested deeper than {MOST_NESTED} times")]
    TooDeep,
}

fn hint(nearest: Option<&'static str>) -> String {
    match nearest {
        Some(word) => format!("; did you mean `{word}`?"),
        None => format!("; there are {}", WORDS.map(|(word, _)| word).join(", ")),
    }
}

/// The whole message: what is wrong, the text, and a mark under the place.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |range: Range<usize>| -> String {
            // A terminal does not obey an expression.
            self.text.get(range).unwrap_or_default().chars().map(printable).collect()
        };
        let indent = shown(0..self.span.start).width();
        let marks = shown(self.span.clone()).width().max(1);
        let all = shown(0..self.text.len());
        write!(f, "{}\n  {all}\n  {:indent$}{:^<marks$}", self.problem, "", "")
    }
}

fn printable(character: char) -> char {
    if character.width().is_none() || character.is_control() { ' ' } else { character }
}

impl FromStr for Filter {
    type Err = ParseError;

    /// Reads an expression; an empty one lets everything pass.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |(problem, span)| ParseError { problem, span, text: text.to_owned() };
        let tokens = tokens(text).map_err(|start| error((Problem::Quotation, start..text.len())))?;
        if tokens.is_empty() {
            return Ok(Self::everything());
        }
        let mut parser = Parser { tokens: &tokens, end: text.len(), depth: 0 };
        let filter = parser.any().map_err(error)?;
        match parser.tokens {
            [] => Ok(filter),
            // Whatever could go on has gone on.
            [Token { span, .. }, ..] => Err(error((Problem::NotOpened, span.clone()))),
        }
    }
}

/// What is wrong, and where.
type Failure = (Problem, Range<usize>);

/// What is still to be read.
struct Parser<'a> {
    tokens: &'a [Token],
    end: usize,
    depth: usize,
}

impl Parser<'_> {
    /// Conditions of which one has to hold.
    fn any(&mut self) -> Result<Filter, Failure> {
        let mut filters = vec![self.all()?];
        while self.takes(&Kind::Or) {
            filters.push(self.all()?);
        }
        Ok(one_or(filters, Filter::Any))
    }

    /// Conditions of which all have to hold.
    fn all(&mut self) -> Result<Filter, Failure> {
        let mut filters = vec![self.one()?];
        // Side by side is `and`, as in ss(8).
        while self.takes(&Kind::And) || !matches!(self.next(), None | Some(Kind::Or | Kind::Close)) {
            filters.push(self.one()?);
        }
        Ok(one_or(filters, Filter::All))
    }

    fn one(&mut self) -> Result<Filter, Failure> {
        match self.take() {
            Some(Token { kind: Kind::Not, span }) => {
                let filter = self.deeper(span, Self::one)?;
                Ok(Filter::Not(Box::new(filter)))
            }
            Some(Token { kind: Kind::Open, span }) => {
                let filter = self.deeper(span, Self::any)?;
                if self.takes(&Kind::Close) { Ok(filter) } else { Err((Problem::NotClosed, span.clone())) }
            }
            Some(Token { kind: Kind::Word(word), span }) => self.test(word, span),
            Some(Token { span, .. }) => Err((Problem::NoCondition, span.clone())),
            None => Err((Problem::NoCondition, self.end..self.end)),
        }
    }

    fn deeper(
        &mut self,
        span: &Range<usize>,
        inner: impl FnOnce(&mut Self) -> Result<Filter, Failure>,
    ) -> Result<Filter, Failure> {
        if self.depth == MOST_NESTED {
            return Err((Problem::TooDeep, span.clone()));
        }
        self.depth += 1;
        let filter = inner(self);
        self.depth -= 1;
        filter
    }

    fn test(&mut self, word: &str, span: &Range<usize>) -> Result<Filter, Failure> {
        match Word::named(word) {
            Some(Word::Alone(alone)) => self.alone(word, alone),
            Some(Word::Valued(valued)) => self.valued(word, valued),
            None => {
                let nearest = spelling::nearest(&word.to_lowercase(), WORDS.map(|(known, _)| known));
                let word = word.chars().map(printable).collect();
                Err((Problem::UnknownWord { word, nearest }, span.clone()))
            }
        }
    }

    fn alone(&mut self, word: &str, alone: Alone) -> Result<Filter, Failure> {
        match self.tokens {
            [Token { kind: Kind::Equals | Kind::Differs | Kind::Compares, span }, ..] => {
                Err((Problem::TakesNoValue { word: word.to_owned() }, span.clone()))
            }
            _ => Ok(alone.filter()),
        }
    }

    fn valued(&mut self, word: &str, valued: Valued) -> Result<Filter, Failure> {
        let differs = self.takes(&Kind::Differs);
        if !differs {
            self.takes(&Kind::Equals);
        }
        let (value, span) = match self.take() {
            Some(Token { kind: Kind::Word(value), span }) => (value, span.clone()),
            Some(Token { kind: Kind::Compares, span }) => return Err((Problem::Comparison, span.clone())),
            other => {
                let span = other.map_or(self.end..self.end, |token| token.span.clone());
                return Err((Problem::NoValue { word: word.to_owned(), example: valued.example() }, span));
            }
        };
        let filter = valued
            .filter(value)
            .map_err(|source| (Problem::Value { word: word.to_owned(), source }, span))?;
        Ok(if differs { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn next(&self) -> Option<&Kind> {
        self.tokens.first().map(|token| &token.kind)
    }

    fn takes(&mut self, kind: &Kind) -> bool {
        let is_next = self.next() == Some(kind);
        if is_next {
            self.take();
        }
        is_next
    }
}

impl<'a> Parser<'a> {
    fn take(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }
}

fn one_or(mut filters: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    if filters.len() == 1 { filters.remove(0) } else { several(filters) }
}
