//! `resetmon explain`: one reset in full, or a cause by its name. Events come as JSON on standard input, or out of the
//! history, for which no agent has to run.

use std::{
    io::{self, BufRead, Write},
    path::Path,
    str::FromStr,
};

use crate::{
    cause::{Cause, UnknownCause},
    filter::Filter,
    history::{
        fault::HistoryError,
        reader::{History, Order, Range},
    },
    input::{Events, InputError, Recorded},
    model::EventId,
    output::{
        Context,
        explain::{self, Format},
        page::Layout,
    },
    query,
};

/// What shall be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A cause.
    Cause(Cause),
    /// The events on standard input.
    Input,
    /// The newest event of the history.
    Last,
    /// An event of the history.
    Event(EventId),
}

impl FromStr for Subject {
    type Err = UnknownSubject;

    fn from_str(text: &str) -> Result<Self, UnknownSubject> {
        match text {
            "-" => Ok(Self::Input),
            "last" => Ok(Self::Last),
            _ => text
                .parse()
                .map(Self::Event)
                .or_else(|_| text.parse().map(Self::Cause).map_err(UnknownSubject)),
        }
    }
}

/// Text that names nothing to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}{hint}", hint = self.hint())]
pub struct UnknownSubject(UnknownCause);

impl UnknownSubject {
    /// What it might have been, if it is no slip of a cause.
    fn hint(self) -> &'static str {
        match self.0.nearest {
            Some(_) => "",
            None => "; an event is `-` (JSON on standard input), `last`, or an id of 20 hexadecimal digits",
        }
    }
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// There is no history.
    #[error("no agent has written a history")]
    NoHistory(#[source] HistoryError),
    /// The history cannot be read.
    #[error(transparent)]
    History(HistoryError),
    /// There is nothing in it.
    #[error("the history has no resets so far")]
    EmptyHistory,
    /// It has no such event.
    #[error("no reset {id} in the history, which covers {covered}")]
    UnknownEvent {
        /// What was asked for.
        id: EventId,
        /// Of which time there are events.
        covered: String,
    },
    /// There was nothing on standard input.
    #[error("no event on standard input")]
    NoEvent,
    /// What is on standard input cannot be read.
    #[error("standard input")]
    Input(#[from] InputError),
    /// The explanation cannot be written.
    #[error("cannot write the explanation")]
    Output(#[from] io::Error),
}

impl ExplainError {
    /// What the user can do about it.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoHistory(_) | Self::EmptyHistory | Self::NoEvent => {
                Some("explain a reset as it happens: resetmon watch -o json -n 1 | resetmon explain -")
            }
            Self::Input(InputError::Syntax { .. } | InputError::Invalid { .. }) => {
                Some("events are read as `resetmon watch -o json` writes them")
            }
            Self::History(error) => Some(query::advice(error)),
            Self::UnknownEvent { .. } => Some("resetmon query -o wide lists what there is, each with its id"),
            Self::Input(_) | Self::Output(_) => None,
        }
    }

    /// Whether privileges are missing.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::History(error) if error.is_permission())
    }
}

/// Explains the subject on `to`. Events are read from `input`, and each is explained as soon as it is there, or out of the
/// history in a folder.
pub fn run(
    subject: Subject,
    history: &Path,
    format: Format,
    context: &Context,
    layout: Layout,
    input: impl BufRead,
    to: &mut impl Write,
) -> Result<(), ExplainError> {
    match subject {
        Subject::Cause(cause) => Ok(explain::cause(cause, format, layout, to)?),
        Subject::Last | Subject::Event(_) => {
            let recorded = from_history(subject, history, context)?;
            Ok(explain::event(&recorded, format, context, layout, to)?)
        }
        Subject::Input => {
            let mut events = Events::new(input);
            let mut is_first = true;
            while let Some(recorded) = events.read()? {
                if !is_first {
                    explain::separator(format, layout, to)?;
                }
                explain::event(&recorded, format, context, layout, to)?;
                is_first = false;
            }
            if is_first { Err(ExplainError::NoEvent) } else { Ok(()) }
        }
    }
}

fn from_history(subject: Subject, folder: &Path, context: &Context) -> Result<Recorded, ExplainError> {
    let history = History::open(folder).map_err(|error| {
        if error.is_gone() { ExplainError::NoHistory(error) } else { ExplainError::History(error) }
    })?;
    let found = match subject {
        Subject::Event(id) => history.find(id).ok_or(id),
        _ => Ok(history
            .events(&Range::ALL, Order::Descending, &Filter::everything())
            .next()
            .ok_or(ExplainError::EmptyHistory)?),
    };
    found.map_err(|id| match query::covered(&history, &context.zone) {
        Some(covered) => ExplainError::UnknownEvent { id, covered },
        None => ExplainError::EmptyHistory,
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::{catalogue::Language, filter::samples, output};

    #[test]
    fn subjects() {
        let check = |text: &str, expected: Result<Subject, &str>| {
            let parsed = text.parse::<Subject>().map_err(|error| error.to_string());
            match (parsed, expected) {
                (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
                (parsed, expected) => assert_eq!(parsed, expected.map_err(str::to_owned), "{text}"),
            }
        };
        check("-", Ok(Subject::Input));
        check("last", Ok(Subject::Last));
        check("close-unread", Ok(Subject::Cause(Cause::CloseUnread)));
        check("188fcf05453f4d150007", Ok(Subject::Event(samples::unread().id())));
        check("clos_unread", Err("did you mean close_unread?"));
        check("188fcf05453f4d15000", Err("an id of 20 hexadecimal digits"));
        check("", Err("one of closed_port"));
    }

    fn explain(subject: Subject, input: &str) -> Result<String, ExplainError> {
        let context = Context { host: "".into(), color: output::Color::Off, zone: TimeZone::UTC };
        let layout = Layout { width: 80, color: output::Color::Off, language: Language::English };
        let mut text = Vec::new();
        run(
            subject,
            Path::new("/nonexistent/history"),
            Format::Table,
            &context,
            layout,
            input.as_bytes(),
            &mut text,
        )?;
        Ok(String::from_utf8(text).expect("UTF-8"))
    }

    #[test]
    fn each_event_is_explained() {
        let mut lines = Vec::new();
        for event in [samples::unread(), samples::refused()] {
            output::json::write(&event, "node1", &mut lines).expect("a line");
        }
        let lines = String::from_utf8(lines).expect("UTF-8");
        let text = explain(Subject::Input, &lines).expect("explanations");
        assert!(text.contains("nginx[900]") && text.contains("python3[4711]"), "{text}");
        assert_eq!(text.matches("\n────").count(), 1, "{text}");
        assert!(matches!(explain(Subject::Input, "\n"), Err(ExplainError::NoEvent)));
        assert!(matches!(explain(Subject::Input, "{}"), Err(ExplainError::Input(_))));
        assert!(matches!(explain(Subject::Last, &lines), Err(ExplainError::NoHistory(_))));
    }
}
