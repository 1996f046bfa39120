//! Explanations as JSON, one object a line. Texts are in the language that was asked for; the event within is the object of
//! `output::json`, whose texts are English.

use std::io::{self, Write};

use serde::Serialize;

use super::{End, errors, timeline::timeline};
use crate::{
    catalogue::{self, Language},
    cause::Cause,
    input::Recorded,
    model::{Direction, Errno},
    output::json::{Reset, SCHEMA, write_value},
};

#[derive(Serialize)]
struct Explanation<'a> {
    schema: u32,
    language: &'static str,
    summary: Option<String>,
    cause: Option<Texts>,
    confidence: Option<&'static str>,
    evidence: Vec<String>,
    advice: Option<Advice>,
    timeline: Vec<Moment>,
    errors: Option<Vec<Error>>,
    event: Reset<'a>,
}

#[derive(Serialize)]
struct CauseExplanation {
    schema: u32,
    language: &'static str,
    #[serde(flatten)]
    texts: Texts,
    directions: Vec<&'static str>,
    advice: Advice,
    errors: Vec<Error>,
}

#[derive(Serialize)]
struct Texts {
    name: &'static str,
    title: &'static str,
    what_happened: &'static str,
    why_it_happens: &'static str,
    confirm: &'static str,
}

#[derive(Serialize)]
struct Advice {
    this: &'static str,
    other: &'static str,
}

#[derive(Serialize)]
struct Moment {
    at_us: i64,
    what: &'static str,
    end: &'static str,
}

#[derive(Serialize)]
struct Error {
    errno: &'static str,
    ends: Vec<&'static str>,
    presumed: bool,
    programs: Vec<Symptom>,
}

#[derive(Serialize)]
struct Symptom {
    program: &'static str,
    shows: &'static str,
}

pub(super) fn write_event(recorded: &Recorded, language: Language, to: &mut impl Write) -> io::Result<()> {
    let event = &recorded.event;
    let diagnosis = event.diagnosis.as_deref();
    let evidence = diagnosis
        .map(|diagnosis| diagnosis.evidence.iter().map(|fact| catalogue::evidence(fact, language)).collect());
    let explanation = Explanation {
        schema: SCHEMA,
        language: language.as_str(),
        summary: diagnosis.map(|diagnosis| catalogue::summary(event, diagnosis, language)),
        cause: diagnosis.map(|diagnosis| Texts::new(diagnosis.cause, language)),
        confidence: diagnosis.map(|diagnosis| diagnosis.confidence.as_str()),
        evidence: evidence.unwrap_or_default(),
        advice: diagnosis
            .map(|diagnosis| Advice::new(catalogue::advice(diagnosis.cause, event.direction, language))),
        timeline: timeline(event).into_iter().map(Moment::new).collect(),
        errors: errors::of_event(event).map(|told| {
            told.iter().map(|told| Error::new(told.errno, &[told.end], told.is_presumed)).collect()
        }),
        event: Reset::new(event, &recorded.host),
    };
    line(&explanation, to)
}

pub(super) fn write_cause(cause: Cause, language: Language, to: &mut impl Write) -> io::Result<()> {
    let catalogue::Texts { advice_here: here, advice_there: there, .. } = *catalogue::texts(cause, language);
    let explanation = CauseExplanation {
        schema: SCHEMA,
        language: language.as_str(),
        texts: Texts::new(cause, language),
        directions: cause.directions().iter().copied().map(Direction::as_str).collect(),
        advice: Advice::new(catalogue::Advice { here, there }),
        errors: errors::of_cause(cause).iter().map(|(errno, ends)| Error::new(*errno, ends, true)).collect(),
    };
    line(&explanation, to)
}

fn line(value: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    write_value(value, to)?;
    to.write_all(b"\n")?;
    to.flush()
}

impl Texts {
    fn new(cause: Cause, language: Language) -> Self {
        let catalogue::Texts { title, what_happened, why_it_happens, confirm, .. } =
            *catalogue::texts(cause, language);
        Self { name: cause.as_str(), title, what_happened, why_it_happens, confirm }
    }
}

impl Advice {
    fn new(advice: catalogue::Advice) -> Self {
        Self { this: advice.here, other: advice.there }
    }
}

impl Moment {
    fn new(moment: super::timeline::Moment) -> Self {
        let microseconds = moment.at.as_micros();
        Self {
            at_us: i64::try_from(microseconds).unwrap_or(if microseconds < 0 { i64::MIN } else { i64::MAX }),
            what: moment.step.as_str(),
            end: moment.end.as_str(),
        }
    }
}

impl Error {
    fn new(errno: Errno, ends: &[End], presumed: bool) -> Self {
        let programs = catalogue::symptoms(errno).iter();
        Self {
            errno: errno.as_str(),
            ends: ends.iter().map(|end| end.as_str()).collect(),
            presumed,
            programs: programs
                .map(|symptom| Symptom { program: symptom.language, shows: symptom.text })
                .collect(),
        }
    }
}
