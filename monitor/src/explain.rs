//! `resetmon explain`: one reset in full, or a cause by its name. Events come as JSON on standard input; those of the agent's
//! history need an agent.

use std::{
    io::{self, BufRead, Write},
    str::FromStr,
};

use crate::{
    cause::{Cause, UnknownCause},
    input::{Events, InputError},
    model::EventId,
    output::{
        Context,
        explain::{self, Format},
        page::Layout,
    },
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
    /// The event is in the history of an agent.
    #[error("no agent with a history can be reached")]
    NoAgent,
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
            Self::NoAgent | Self::NoEvent => {
                Some("explain a reset as it happens: resetmon watch -o json -n 1 | resetmon explain -")
            }
            Self::Input(InputError::Syntax { .. } | InputError::Invalid { .. }) => {
                Some("events are read as `resetmon watch -o json` writes them")
            }
            Self::Input(_) | Self::Output(_) => None,
        }
    }
}

/// Explains the subject on `to`; events are read from `input`, and each is explained as soon as it is there.
pub fn run(
    subject: Subject,
    format: Format,
    context: &Context,
    layout: Layout,
    input: impl BufRead,
    to: &mut impl Write,
) -> Result<(), ExplainError> {
    match subject {
        Subject::Cause(cause) => Ok(explain::cause(cause, format, layout, to)?),
        Subject::Last | Subject::Event(_) => Err(ExplainError::NoAgent),
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
        run(subject, Format::Table, &context, layout, input.as_bytes(), &mut text)?;
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
        assert!(matches!(explain(Subject::Last, &lines), Err(ExplainError::NoAgent)));
    }
}
