//! No cause lacks any part in any language, and what must not be translated is not.

mod sentences;

use std::{collections::HashSet, ops::RangeInclusive};

use jiff::SignedDuration;

use super::{
    Advice, Language, Symptom, Texts, Words, advice, errnos, errnos_of_receiver, evidence, fact_from_words,
    offset, summary, symptoms, texts, words,
};
use crate::{
    cause::{Cause, Confidence},
    model::{Direction, Errno},
};

/// Characters of a title.
const TITLE_LENGTH: usize = 60;

fn parts(texts: &Texts) -> [(&'static str, &'static str); 6] {
    let Texts { title, what_happened, why_it_happens, advice_here, advice_there, confirm } = *texts;
    [
        ("title", title),
        ("what_happened", what_happened),
        ("why_it_happens", why_it_happens),
        ("advice_here", advice_here),
        ("advice_there", advice_there),
        ("confirm", confirm),
    ]
}

fn all_words(words: &Words) -> [&'static str; 45] {
    // Taken apart, so that a word that is not checked does not compile.
    let Words {
        cause,
        confidence,
        certain,
        likely,
        possible,
        evidence,
        what_happened,
        why_it_happens,
        advice_here,
        advice_there,
        confirm,
        in_programs,
        timeline,
        established,
        last_data_sent,
        last_data_received,
        closed,
        rst_sent,
        rst_received,
        this_end,
        other_end,
        at_this_end,
        at_other_end,
        process,
        unknown,
        none,
        time,
        host,
        state,
        direction,
        title,
        client,
        server,
        last_data,
        stopped_listening,
        also_held_by,
        error,
        kernel,
        not_diagnosed,
        nobody_is_told,
        usually,
        sender,
        receiver,
        advice_sender,
        advice_receiver,
    } = *words;
    [
        cause,
        confidence,
        certain,
        likely,
        possible,
        evidence,
        what_happened,
        why_it_happens,
        advice_here,
        advice_there,
        confirm,
        in_programs,
        timeline,
        established,
        last_data_sent,
        last_data_received,
        closed,
        rst_sent,
        rst_received,
        this_end,
        other_end,
        at_this_end,
        at_other_end,
        process,
        unknown,
        none,
        time,
        host,
        state,
        direction,
        title,
        client,
        server,
        last_data,
        stopped_listening,
        also_held_by,
        error,
        kernel,
        not_diagnosed,
        nobody_is_told,
        usually,
        sender,
        receiver,
        advice_sender,
        advice_receiver,
    ]
}

fn is_arabic(character: char) -> bool {
    ('\u{600}'..='\u{6ff}').contains(&character)
}

/// Commands and settings: what is between backticks, in alphabetical order.
fn quoted(text: &str) -> Vec<&str> {
    let mut quoted: Vec<_> = text.split('`').skip(1).step_by(2).collect();
    quoted.sort_unstable();
    quoted
}

/// Any text a person reads: one clean line in the letters of its language.
fn check(place: &str, text: &str, language: Language) {
    assert!(!text.is_empty(), "{place}: empty");
    assert_eq!(text, text.trim(), "{place}: spaces around it");
    assert!(!text.contains("  "), "{place}: two spaces in a row: {text}");
    let is_invisible = |character: char| {
        let directions = ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}'];
        character.is_control() || directions.iter().any(|range| range.contains(&character))
    };
    assert!(!text.contains(is_invisible), "{place}: a control character: {text:?}");
    let backticks = text.matches('`').count();
    assert_eq!(backticks % 2, 0, "{place}: a backtick is left open: {text}");
    assert_eq!(text.contains(is_arabic), language == Language::Arabic, "{place}: another language: {text}");
    for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
        assert_eq!(text.matches(open).count(), text.matches(close).count(), "{place}: {open}{close}: {text}");
    }
    for (letter, mark) in text.chars().zip(text.chars().skip(1)) {
        let is_latin = is_arabic(letter) && [',', ';', '?'].contains(&mark);
        assert!(!is_latin, "{place}: Latin punctuation after an Arabic letter: {text}");
    }
}

fn check_title(place: &str, text: &str) {
    assert!(text.chars().count() <= TITLE_LENGTH, "{place}: too long: {text}");
    assert!(!text.ends_with(['.', ':']), "{place}: a title is no sentence: {text}");
    assert!(!text.contains('`'), "{place}: a title quotes nothing: {text}");
}

fn check_sentences(place: &str, text: &str, allowed: RangeInclusive<usize>) {
    assert!(text.ends_with('.'), "{place}: does not end with a full stop: {text}");
    let sentences = text.matches(". ").count() + 1;
    assert!(allowed.contains(&sentences), "{place}: {sentences} sentences: {text}");
}

/// How many sentences a part may have.
fn sentences(part: &str) -> RangeInclusive<usize> {
    match part {
        "what_happened" => 1..=3,
        "why_it_happens" => 2..=5,
        _ => 1..=5,
    }
}

#[test]
fn no_cause_lacks_any_part_in_any_language() {
    for language in Language::ALL {
        for cause in Cause::ALL {
            for (part, text) in parts(texts(cause, language)) {
                let place = format!("{} of {} in {}", part, cause.as_str(), language.as_str());
                check(&place, text, language);
                if part == "title" {
                    check_title(&place, text);
                } else {
                    check_sentences(&place, text, sentences(part));
                }
            }
        }
    }
}

#[test]
fn causes_differ_in_title_and_in_what_happened() {
    for language in Language::ALL {
        let all = Cause::ALL.map(|cause| texts(cause, language));
        let titles: HashSet<_> = all.iter().map(|texts| texts.title).collect();
        let happened: HashSet<_> = all.iter().map(|texts| texts.what_happened).collect();
        assert_eq!((titles.len(), happened.len()), (all.len(), all.len()), "{language:?}");
    }
}

/// A received reset may have a sender's cause: then "here" would be the other end.
#[test]
fn a_senders_texts_do_not_say_where_they_are_read() {
    const PLACES: [&str; 7] = ["here", "there", "this host", "this end", "هنا", "هناك", "هذا المضيف"];
    for cause in Cause::ALL.into_iter().filter(|cause| cause.is_of_sender()) {
        for language in Language::ALL {
            for (part, text) in parts(texts(cause, language)) {
                let words = format!(" {} ", text.replace(|letter: char| !letter.is_alphanumeric(), " "));
                let place = PLACES.iter().find(|place| words.contains(&format!(" {place} ")));
                assert_eq!(place, None, "{part} of {}: {text}", cause.as_str());
            }
        }
    }
}

#[test]
fn commands_settings_and_numbers_are_not_translated() {
    let numbers = |text: &str| -> HashSet<String> {
        let numbers = text.split(|character: char| !character.is_ascii_digit());
        // Arabic has words of its own for one and two of a thing.
        numbers.filter(|number| !["", "1", "2"].contains(number)).map(str::to_owned).collect()
    };
    for cause in Cause::ALL {
        let english = parts(texts(cause, Language::English));
        let arabic = parts(texts(cause, Language::Arabic));
        for ((part, english), (_, arabic)) in english.into_iter().zip(arabic) {
            assert_eq!(quoted(english), quoted(arabic), "{part} of {}", cause.as_str());
            assert_eq!(numbers(english), numbers(arabic), "{part} of {}", cause.as_str());
        }
        let confirm = texts(cause, Language::English).confirm;
        assert!(!quoted(confirm).is_empty(), "no command confirms {}", cause.as_str());
    }
}

#[test]
fn no_word_is_missing_in_any_language() {
    let english = all_words(words(Language::English));
    for language in Language::ALL {
        let translated = all_words(words(language));
        for (english, word) in english.into_iter().zip(translated) {
            check(english, word, language);
            assert!(!word.ends_with(['.', ':']), "the layout ends it: {word}");
        }
        assert_eq!(
            HashSet::from(translated).len(),
            translated.len(),
            "{language:?}: one word for two things"
        );
    }
    for confidence in Confidence::ALL {
        assert_eq!(words(Language::English).of_confidence(confidence), confidence.as_str());
    }
}

#[test]
fn languages_are_chosen_by_code_and_locale() {
    use clap::ValueEnum;

    for language in Language::ALL {
        assert_eq!(Language::from_str(language.as_str(), false), Ok(language));
        assert_eq!(Language::from_locale(language.as_str()), Some(language));
    }
    let check = |locale: &str, expected: Option<Language>| {
        assert_eq!(Language::from_locale(locale), expected, "{locale}");
    };
    check("ar_SA.UTF-8", Some(Language::Arabic));
    check("ar-EG", Some(Language::Arabic));
    check("ar@numbers=latn", Some(Language::Arabic));
    check("AR", Some(Language::Arabic));
    check("en_US.UTF-8", Some(Language::English));
    check("C.UTF-8", Some(Language::English));
    check("POSIX", Some(Language::English));
    check("de_DE.UTF-8", None);
    check("arn_CL", None);
    check("", None);
    assert!(Language::Arabic.is_right_to_left());
    assert!(!Language::English.is_right_to_left());
}

#[test]
fn every_errno_has_its_symptoms_in_order() {
    let check_symptoms = |errno: Errno, python: &str, rust: &str| {
        let symptoms = symptoms(errno);
        let languages = symptoms.each_ref().map(|symptom| symptom.language);
        assert_eq!(languages, ["Python", "requests / http.client", "Go", "Java", "Node.js", "Rust"]);
        for Symptom { language, text } in symptoms {
            check(language, text, Language::English);
        }
        assert!(symptoms[0].text.starts_with(python), "{errno:?}");
        assert!(symptoms[1].text.contains(python), "{errno:?}");
        assert!(symptoms[2].text.contains(errno.as_str()), "{errno:?}");
        assert!(symptoms[4].text.contains(errno.as_str()), "{errno:?}");
        assert!(symptoms[5].text.ends_with(&format!("ErrorKind::{rust}")), "{errno:?}");
    };
    check_symptoms(Errno::ConnectionReset, "ConnectionResetError", "ConnectionReset");
    check_symptoms(Errno::ConnectionRefused, "ConnectionRefusedError", "ConnectionRefused");
    check_symptoms(Errno::BrokenPipe, "BrokenPipeError", "BrokenPipe");
    check_symptoms(Errno::TimedOut, "TimeoutError", "TimedOut");
    check_symptoms(Errno::ConnectionAborted, "ConnectionAbortedError", "ConnectionAborted");
}

#[test]
fn errors_go_to_whoever_is_told() {
    let check = |cause: Cause, local: &[Errno], receiver: &[Errno]| {
        assert_eq!((errnos(cause), errnos_of_receiver(cause)), (local, receiver), "{cause:?}");
    };
    check(Cause::CloseUnread, &[], &[Errno::ConnectionReset, Errno::BrokenPipe]);
    check(Cause::ClosedPort, &[], &[Errno::ConnectionRefused]);
    check(Cause::SocketKilled, &[Errno::ConnectionAborted], &[Errno::ConnectionReset]);
    check(Cause::KeepaliveTimeout, &[Errno::TimedOut], &[Errno::ConnectionReset]);
    check(Cause::ConnectionRefused, &[Errno::ConnectionRefused], &[Errno::ConnectionRefused]);
    check(Cause::ResetAfterPeerClose, &[Errno::BrokenPipe], &[Errno::BrokenPipe]);
    check(Cause::ResetAfterClose, &[], &[]);
    for cause in Cause::ALL {
        // A RST leaves none of the errors that the local kernel makes up by itself.
        let by_rst = |errno: &Errno| !matches!(errno, Errno::TimedOut | Errno::ConnectionAborted);
        assert!(errnos_of_receiver(cause).iter().all(by_rst) || cause == Cause::Unknown, "{cause:?}");
        for errnos in [errnos(cause), errnos_of_receiver(cause)] {
            assert_eq!(errnos.iter().collect::<HashSet<_>>().len(), errnos.len(), "{cause:?}: one twice");
        }
    }
}

#[test]
fn advice_is_for_the_end_that_reads_it() {
    let check = |cause: Cause, direction: Direction, is_swapped: bool| {
        let Texts { advice_here, advice_there, .. } = *texts(cause, Language::English);
        let (here, there) =
            if is_swapped { (advice_there, advice_here) } else { (advice_here, advice_there) };
        assert_eq!(advice(cause, direction, Language::English), Advice { here, there }, "{cause:?}");
    };
    check(Cause::CloseUnread, Direction::Sent, false);
    check(Cause::CloseUnread, Direction::Received, true);
    check(Cause::PeerResetUpload, Direction::Received, false);
    check(Cause::FirewallReject, Direction::Sent, false);
    check(Cause::FirewallReject, Direction::Received, false);
    check(Cause::Unknown, Direction::Received, false);
}

#[test]
fn moments_are_told_from_the_reset() {
    let check = |microseconds: i64, english: &str, arabic: &str| {
        let at = SignedDuration::from_micros(microseconds);
        assert_eq!(offset(at, Language::English), english);
        assert_eq!(offset(at, Language::Arabic), arabic);
    };
    check(0, "0", "0");
    check(-31, "31 µs before", "قبل 31 ميكروثانية");
    check(31, "31 µs after", "بعد 31 ميكروثانية");
    check(-820_900, "820.9 ms before", "قبل 820.9 مللي ثانية");
    check(-7_200_000_000, "7,200.0 s before", "قبل 7,200.0 ثانية");
}
