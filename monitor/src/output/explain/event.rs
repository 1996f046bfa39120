//! One reset as a page: what happened to whom, both ends, the timeline, the cause with its evidence, what to do, and how
//! programs show it.

use std::io::{self, Write};

use jiff::fmt::strtime;
use unicode_width::UnicodeWidthStr;

use super::{End, errors, timeline::timeline};
use crate::{
    catalogue::{self, Language, Words},
    input::Recorded,
    model::{
        ResetEvent,
        diagnosis::{Diagnosis, Evidence},
        process::Process,
        workload::WorkloadKind,
    },
    output::{Context, escape::escape, page::Page, text::shorten_end},
};

/// Further holders that are named.
const HOLDERS: usize = 4;

pub(super) fn write(recorded: &Recorded, context: &Context, page: &mut Page<impl Write>) -> io::Result<()> {
    let view = View::new(recorded, context, page.language());
    if let Some(diagnosis) = view.diagnosis {
        page.lead(&format!("{}.", catalogue::summary(view.event, diagnosis, view.language)))?;
        page.blank()?;
    }
    view.head(page)?;
    view.timeline(page)?;
    if let Some(diagnosis) = view.diagnosis {
        view.reasons(diagnosis, page)?;
    }
    view.errors(page)?;
    page.flush()
}

/// An event and the words for it.
struct View<'a> {
    event: &'a ResetEvent,
    host: &'a str,
    diagnosis: Option<&'a Diagnosis>,
    context: &'a Context,
    language: Language,
    words: &'static Words,
}

impl<'a> View<'a> {
    fn new(recorded: &'a Recorded, context: &'a Context, language: Language) -> Self {
        let Recorded { event, host } = recorded;
        let diagnosis = event.diagnosis.as_deref();
        Self { event, host, diagnosis, context, language, words: catalogue::words(language) }
    }

    /// The facts in a table.
    fn head(&self, page: &mut Page<impl Write>) -> io::Result<()> {
        let Self { event, words, .. } = self;
        let mut rows = vec![(words.cause, vec![self.cause()])];
        if let Some(diagnosis) = self.diagnosis {
            rows.push((words.confidence, vec![words.of_confidence(diagnosis.confidence).to_owned()]));
        }
        rows.push((words.time, vec![self.time()]));
        rows.push((words.host, vec![self.host.to_owned()]));
        rows.extend(event.state.map(|state| (words.state, vec![state.as_str().to_owned()])));
        let column = [
            words.cause,
            words.confidence,
            words.time,
            words.host,
            words.state,
            words.this_end,
            words.other_end,
        ]
        .into_iter()
        .map(UnicodeWidthStr::width)
        .max()
        .unwrap_or_default();
        let room = page.width().saturating_sub(column + 2);
        rows.push((words.this_end, self.this_end(room)));
        rows.push((words.other_end, self.other_end(room)));
        for (label, lines) in rows {
            let mut label = label;
            for line in lines {
                page.pair(label, column, &line)?;
                label = "";
            }
        }
        Ok(())
    }

    fn timeline(&self, page: &mut Page<impl Write>) -> io::Result<()> {
        page.section(self.words.timeline)?;
        let moments = timeline(self.event);
        let times: Vec<_> =
            moments.iter().map(|moment| catalogue::offset(moment.at, self.language)).collect();
        let column = times.iter().map(|time| time.width()).max().unwrap_or_default();
        for (moment, time) in moments.iter().zip(&times) {
            let mut what = moment.step.word(self.words).to_owned();
            if moment.end == End::Other {
                what = format!("{what} ({})", self.words.at_other_end);
            }
            page.moment(time, column, &what)?;
        }
        Ok(())
    }

    fn cause(&self) -> String {
        match self.diagnosis {
            Some(diagnosis) => {
                let title = catalogue::texts(diagnosis.cause, self.language).title;
                format!("{}: {title}", diagnosis.cause.as_str())
            }
            None => self.words.not_diagnosed.to_owned(),
        }
    }

    fn time(&self) -> String {
        let time = self.event.time.to_zoned(self.context.zone.clone());
        strtime::format("%Y-%m-%d %H:%M:%S%.6f %:z", &time).unwrap_or_else(|_| self.event.time.to_string())
    }

    fn this_end(&self, room: usize) -> Vec<String> {
        let Self { event, words, .. } = self;
        let role = event.connection.and_then(|connection| connection.role);
        let mut lines = vec![match role {
            Some(role) => format!("{} ({})", event.tuple.local, words.of_role(role)),
            None => event.tuple.local.to_string(),
        }];
        lines.extend(self.owner(event, room));
        let workload = event.workload.as_deref().filter(|workload| workload.kind != WorkloadKind::Host);
        lines.extend(workload.map(ToString::to_string));
        let named = |process: &Process| format!("{}[{}]", process.name(), process.pid);
        if !event.other_holders.is_empty() {
            let mut holders: Vec<_> = event.other_holders.iter().take(HOLDERS).map(named).collect();
            if event.other_holders.len() > HOLDERS {
                holders.push("…".to_owned());
            }
            lines.push(format!("{} {}", words.also_held_by, holders.join(" ")));
        }
        lines.extend(self.not_evident());
        lines.extend(self.told(event));
        lines
    }

    fn other_end(&self, room: usize) -> Vec<String> {
        let mut lines = vec![self.event.tuple.peer.to_string()];
        match self.event.counterpart.as_deref() {
            Some(other) => {
                lines.extend(self.owner(other, room));
                lines.extend(self.told(other));
            }
            None => lines.push(format!("{}: {}", self.words.process, self.words.unknown)),
        }
        lines
    }

    /// The process, its executable and its arguments; those on one line.
    fn owner(&self, event: &ResetEvent, room: usize) -> Vec<String> {
        let words = self.words;
        let Some(process) = &event.process else {
            let is_of_kernel = event.socket.is_some_and(|socket| socket.kernel);
            let owner = if is_of_kernel { words.kernel } else { words.unknown };
            return vec![format!("{}: {owner}", words.process)];
        };
        let mut lines = vec![format!("{}[{}], uid {}", process.name(), process.pid, process.uid)];
        if let Some(details) = process.details.as_deref() {
            lines.extend(details.exe.as_deref().map(str::to_owned));
            let arguments = details.cmdline.as_deref().filter(|arguments| !arguments.is_empty());
            lines.extend(
                arguments.map(|arguments| shorten_end(escape(&arguments.join(" ")), room).into_owned()),
            );
        }
        lines
    }

    fn told(&self, event: &ResetEvent) -> Option<String> {
        event.errno.map(|errno| format!("{}: {}", self.words.error, errno.as_str()))
    }

    /// How the owner ended and who acted, unless the evidence says so.
    fn not_evident(&self) -> Vec<String> {
        let event = self.event;
        let actor =
            event.actor.as_ref().map(|actor| Evidence::Actor { comm: actor.name().into(), pid: actor.pid });
        let facts = [event.exit.map(Evidence::Exit), actor].into_iter().flatten();
        let is_evident =
            |fact: &Evidence| self.diagnosis.is_some_and(|diagnosis| diagnosis.evidence.contains(fact));
        facts.filter(|fact| !is_evident(fact)).map(|fact| catalogue::evidence(&fact, self.language)).collect()
    }

    /// Why, and what to do.
    fn reasons(&self, diagnosis: &Diagnosis, page: &mut Page<impl Write>) -> io::Result<()> {
        let words = self.words;
        if !diagnosis.evidence.is_empty() {
            page.section(words.evidence)?;
            diagnosis
                .evidence
                .iter()
                .try_for_each(|fact| page.item(&catalogue::evidence(fact, self.language)))?;
        }
        let texts = catalogue::texts(diagnosis.cause, self.language);
        let advice = catalogue::advice(diagnosis.cause, self.event.direction, self.language);
        for (title, text) in [
            (words.what_happened, texts.what_happened),
            (words.why_it_happens, texts.why_it_happens),
            (words.advice_here, advice.here),
            (words.advice_there, advice.there),
            (words.confirm, texts.confirm),
        ] {
            page.section(title)?;
            page.paragraph(text)?;
        }
        Ok(())
    }

    fn errors(&self, page: &mut Page<impl Write>) -> io::Result<()> {
        let words = self.words;
        let Some(told) = errors::of_event(self.event) else { return Ok(()) };
        if told.is_empty() {
            page.section(words.in_programs)?;
            return page.paragraph(words.nobody_is_told);
        }
        for error in told {
            let end = match error.end {
                End::This => words.at_this_end,
                End::Other => words.at_other_end,
            };
            let usually = if error.is_presumed { Some(words.usually) } else { None };
            let place: Vec<_> = [end].into_iter().chain(usually).collect();
            let place = place.join(self.language.comma());
            page.section(&format!("{}: {} ({place})", words.in_programs, error.errno.as_str()))?;
            for symptom in catalogue::symptoms(error.errno) {
                page.program(symptom.language, symptom.text)?;
            }
        }
        Ok(())
    }
}
