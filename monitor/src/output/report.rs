//! The resets of one command for people, once it has ended: grouped by cause and peer with counts, each cause explained
//! once. However many resets there were, it keeps little of them: the first of each cause, and a limited number of peers.

mod parties;
mod words;

#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anstyle::Style;
use jiff::fmt::strtime;
use unicode_width::UnicodeWidthStr as _;

use self::parties::Parties;
use super::{Color, Context, escape::escape};
use crate::{
    catalogue::{self, Language, Symptom},
    cause::Cause,
    model::{Direction, Errno, ResetEvent, diagnosis::Diagnosis},
};

/// Columns of the text, and how far it stands in.
const WIDTH: usize = 100;
const INDENT: &str = "   ";

/// The resets of a command.
#[derive(Debug, Default)]
pub struct Report {
    hits: u64,
    own: u64,
    groups: Vec<Group>,
}

/// The resets of one cause.
#[derive(Debug)]
struct Group {
    cause: Cause,
    first: ResetEvent,
    errno: Option<Errno>,
    received: Parties,
    sent: Parties,
}

impl Report {
    /// Adds a reset that hit the command or that it made; one without a diagnosis cannot be explained and is left out.
    pub fn add(&mut self, event: &ResetEvent) {
        let Some(diagnosis) = event.diagnosis.as_deref() else { return };
        // A sent reset that the program is told of hits it; else it is the program's own doing.
        if event.direction == Direction::Received || event.errno.is_some() {
            self.hits += 1;
        } else {
            self.own += 1;
        }
        let known = self.groups.iter().position(|group| group.cause == diagnosis.cause);
        let index = known.unwrap_or_else(|| {
            self.groups.push(Group::new(diagnosis.cause, event));
            self.groups.len() - 1
        });
        self.groups[index].add(event);
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Writes what there is to say about a command of this name.
    pub fn write(
        &self,
        command: &str,
        language: Language,
        context: &Context,
        to: &mut impl Write,
    ) -> io::Result<()> {
        let command = escape(command);
        if self.is_empty() {
            return writeln!(to, "resetmon: {}", words::nothing(&command, language));
        }
        writeln!(to, "resetmon: {}", words::headline(&command, self.hits, self.own, language))?;
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.received.count() + group.sent.count()));
        for (index, group) in groups.into_iter().enumerate() {
            group.write(index + 1, language, context, to)?;
        }
        Ok(())
    }
}

impl Group {
    fn new(cause: Cause, first: &ResetEvent) -> Self {
        Self {
            cause,
            first: first.clone(),
            errno: None,
            received: Parties::default(),
            sent: Parties::default(),
        }
    }

    fn add(&mut self, event: &ResetEvent) {
        match event.direction {
            Direction::Received => self.received.add(event),
            Direction::Sent => self.sent.add(event),
        }
        self.errno = self.errno.or(event.errno);
    }

    fn write(
        &self,
        number: usize,
        language: Language,
        context: &Context,
        to: &mut impl Write,
    ) -> io::Result<()> {
        let Some(diagnosis) = self.first.diagnosis.as_deref() else { return Ok(()) };
        let (words, texts) = (catalogue::words(language), catalogue::texts(self.cause, language));
        let style = match context.color {
            Color::On => Style::new().bold(),
            Color::Off => Style::new(),
        };
        let confidence = words.of_confidence(diagnosis.confidence);
        let (title, cause) = (texts.title, self.cause.as_str());
        let comma = words::comma(language);
        writeln!(to, "\n{style}{number}. {title} ({cause}{comma}{confidence}){style:#}")?;
        for (direction, parties) in [(Direction::Received, &self.received), (Direction::Sent, &self.sent)] {
            for line in parties.lines(direction, language) {
                writeln!(to, "{INDENT}{line}")?;
            }
        }
        paragraph(words::first(language), &self.first(diagnosis, language, context), to)?;
        if !diagnosis.evidence.is_empty() {
            paragraph(words.evidence, &evidence(diagnosis, language), to)?;
        }
        paragraph(words.what_happened, texts.what_happened, to)?;
        // With both ends here the sender's is this one.
        let direction = if self.sent.count() > 0 { Direction::Sent } else { Direction::Received };
        let advice = catalogue::advice(self.cause, direction, language);
        paragraph(words.advice_here, advice.here, to)?;
        paragraph(words.advice_there, advice.there, to)?;
        match self.symptom() {
            Some(symptom) => paragraph(symptom.language, symptom.text, to),
            None => Ok(()),
        }
    }

    /// When it happened first, and who did what.
    fn first(&self, diagnosis: &Diagnosis, language: Language, context: &Context) -> String {
        let time = self.first.time.to_zoned(context.zone.clone());
        let time = strtime::format("%H:%M:%S.%3f", &time).unwrap_or_default();
        let summary = catalogue::summary(&self.first, diagnosis, language);
        format!("{time} {}", escape(&summary))
    }

    /// How the program shows the error, where its language is known.
    fn symptom(&self) -> Option<&'static Symptom> {
        let process = self.first.process.as_ref()?;
        let executable = process.details.as_ref().and_then(|details| details.exe.as_deref());
        let name = executable.and_then(|path| path.rsplit('/').next()).unwrap_or_else(|| process.name());
        let language = match name {
            "java" => "Java",
            "node" | "nodejs" => "Node.js",
            name if name.starts_with("python") => "Python",
            _ => return None,
        };
        let mut symptoms = catalogue::symptoms(self.errno?).iter();
        symptoms.find(|symptom| symptom.language == language)
    }
}

/// Everything that speaks for it, in one list.
fn evidence(diagnosis: &Diagnosis, language: Language) -> String {
    let facts = diagnosis.evidence.iter().map(|fact| catalogue::evidence(fact, language));
    let facts: Vec<String> = facts.map(|fact| escape(&fact).into_owned()).collect();
    facts.join(words::separator(language))
}

/// Writes a text with a label before it, in lines that are not too long.
fn paragraph(label: &str, text: &str, to: &mut impl Write) -> io::Result<()> {
    let room = WIDTH - INDENT.width();
    let mut line: Cow<'_, str> = format!("{label}:").into();
    for word in text.split(' ') {
        if line.width() + 1 + word.width() > room {
            writeln!(to, "{INDENT}{line}")?;
            line = format!("  {word}").into();
        } else {
            line = format!("{line} {word}").into();
        }
    }
    writeln!(to, "{INDENT}{line}")
}
