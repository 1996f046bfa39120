//! Short lists of numbers in few bytes, and sentences taken apart: what recurs of one is kept once, and each row has only
//! the numbers in it. A sentence comes back as it was, whatever it says.

use std::fmt::Write as _;

/// Stands for a number.
const PLACE: char = '#';

/// Digits that a number may have to be kept as one.
const MOST_DIGITS: usize = 18;

/// A sentence without its numbers, and these.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    /// The sentence with a place for each number.
    pub(super) frame: String,
    /// The numbers; `None` when the frame is the sentence itself, since it says [`PLACE`].
    pub(super) numbers: Option<Vec<u64>>,
}

impl Sentence {
    /// Takes a sentence apart.
    pub(super) fn of(words: &str) -> Self {
        if words.contains(PLACE) {
            return Self { frame: words.to_owned(), numbers: None };
        }
        let mut frame = String::with_capacity(words.len());
        let mut numbers = Vec::new();
        let mut rest = words;
        while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
            let (text, from) = rest.split_at(at);
            let length = from.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, after) = from.split_at(length);
            frame.push_str(text);
            // What would not come back as it was written stays.
            match digits.parse() {
                Ok(number) if length <= MOST_DIGITS && (length == 1 || !digits.starts_with('0')) => {
                    frame.push(PLACE);
                    numbers.push(number);
                }
                _ => frame.push_str(digits),
            }
            rest = after;
        }
        frame.push_str(rest);
        Self { frame, numbers: Some(numbers) }
    }

    /// How many numbers a frame has places for.
    pub(super) fn places(frame: &str) -> usize {
        frame.matches(PLACE).count()
    }

    /// The sentence of a frame and its numbers.
    pub(super) fn join(frame: &str, numbers: &[u64]) -> String {
        let mut words = String::with_capacity(frame.len() + 8);
        let mut parts = frame.split(PLACE);
        words.push_str(parts.next().unwrap_or_default());
        for (part, number) in parts.zip(numbers) {
            // Writing to a string cannot fail.
            let _ = write!(words, "{number}{part}");
        }
        words
    }
}

/// Appends a number, seven bits a byte, the lowest first.
pub(super) fn push(mut number: u64, to: &mut Vec<u8>) {
    loop {
        let bits = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            to.push(bits);
            return;
        }
        to.push(bits | 0x80);
    }
}

/// Takes the first number off; `None` at the end, or where there is no number.
pub(super) fn pull(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn again(words: &str) -> String {
        let sentence = Sentence::of(words);
        match sentence.numbers {
            None => sentence.frame,
            Some(numbers) => {
                assert_eq!(Sentence::places(&sentence.frame), numbers.len(), "{words:?}");
                Sentence::join(&sentence.frame, &numbers)
            }
        }
    }

    #[test]
    fn numbers_are_taken_out() {
        let check = |words: &str, frame: &str, numbers: Option<&[u64]>| {
            let numbers = numbers.map(<[u64]>::to_vec);
            assert_eq!(Sentence::of(words), Sentence { frame: frame.to_owned(), numbers });
            assert_eq!(again(words), words);
        };
        check("", "", Some(&[]));
        check("idle for 350.0 s", "idle for #.# s", Some(&[350, 0]));
        check("0.05 s", "#.05 s", Some(&[0]));
        check("ss[4711]", "ss[#]", Some(&[4711]));
        check("a#1", "a#1", None);
        check("1234567890123456789", "1234567890123456789", Some(&[]));
    }

    proptest! {
        #[test]
        fn a_sentence_comes_back(words in "[0-9a-z#. ]{0,40}|.{0,40}") {
            prop_assert_eq!(again(&words), words);
        }

        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec(any::<u64>(), 0..10)) {
            let mut bytes = Vec::new();
            for number in &numbers {
                push(*number, &mut bytes);
            }
            let mut rest = bytes.as_slice();
            let read: Vec<_> = std::iter::from_fn(|| pull(&mut rest)).collect();
            prop_assert_eq!(read, numbers);
        }

        #[test]
        fn any_bytes_are_numbers_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            let mut rest = bytes.as_slice();
            while pull(&mut rest).is_some() {}
        }
    }
}
