//! What each cause says to a person, in every language: what happened, why it usually does, what to do about
//! it and how to confirm it; and what an event adds: its evidence, and who did what in one sentence. Lacks how texts are
//! laid out.

mod arabic;
mod english;
mod numbers;
mod programs;
mod scene;
mod words;

#[cfg(test)]
mod tests;

use clap::ValueEnum;
use jiff::SignedDuration;

use self::scene::Scene;
use crate::{
    cause::{Cause, Confidence},
    model::{
        Direction, Errno, ResetEvent,
        connection::Role,
        diagnosis::{Diagnosis, Evidence},
    },
};

/// A language of the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Language {
    /// English
    #[default]
    #[value(name = "en")]
    English,
    /// Arabic, written from right to left
    #[value(name = "ar")]
    Arabic,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::Arabic];

    /// Its code in ISO 639, as users write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Arabic => "ar",
        }
    }

    /// The language of a locale such as `ar_SA.UTF-8`, as in `LC_ALL`, `LC_MESSAGES` and `LANG`; `None` if
    /// there are no texts in that language. The locales `C` and `POSIX` are English.
    pub fn from_locale(locale: &str) -> Option<Self> {
        let code = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if ["C", "POSIX"].contains(&code) {
            return Some(Self::English);
        }
        Self::ALL.into_iter().find(|language| code.eq_ignore_ascii_case(language.as_str()))
    }

    /// What stands between the parts of a list on one line.
    pub const fn comma(self) -> &'static str {
        match self {
            Self::English => ", ",
            Self::Arabic => "، ",
        }
    }

    /// Whether its lines begin at the right.
    pub const fn is_right_to_left(self) -> bool {
        match self {
            Self::English => false,
            Self::Arabic => true,
        }
    }
}

/// What a cause says. Each text is one paragraph in the order in which it is read, without control
/// characters; commands and names of settings are between backticks, and capitals in them (`PORT`, `PEER`)
/// are to be replaced.
///
/// The texts of a sender's causes (`Cause::is_of_sender`) tell the ends apart by what they did, so that they
/// hold at either end; only which advice is for whom depends on the end, and [`advice`] knows that.
#[derive(Debug, PartialEq, Eq)]
pub struct Texts {
    /// At most 60 characters, without a full stop.
    pub title: &'static str,
    /// What happened on the wire and to the programs.
    pub what_happened: &'static str,
    /// What usually leads to it.
    pub why_it_happens: &'static str,
    /// What to do at the end where the cause is told from the event.
    pub advice_here: &'static str,
    /// What to do at the other one.
    pub advice_there: &'static str,
    /// Commands that confirm it, and what they show.
    pub confirm: &'static str,
}

/// What to do about a reset, seen from one end of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What to do at this end.
    pub here: &'static str,
    /// What to do at the other end.
    pub there: &'static str,
}

/// How a program shows an error.
#[derive(Debug, PartialEq, Eq)]
pub struct Symptom {
    /// The programming language, or a library of it.
    pub language: &'static str,
    /// What the program prints, throws or returns; alternatives are separated by a semicolon.
    pub text: &'static str,
}

/// Fixed words of the outputs.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Label of the cause.
    pub cause: &'static str,
    /// Label of the confidence.
    pub confidence: &'static str,
    /// `Confidence::Certain`.
    pub certain: &'static str,
    /// `Confidence::Likely`.
    pub likely: &'static str,
    /// `Confidence::Possible`.
    pub possible: &'static str,
    /// Label of the evidence.
    pub evidence: &'static str,
    /// Label of `Texts::what_happened`.
    pub what_happened: &'static str,
    /// Label of `Texts::why_it_happens`.
    pub why_it_happens: &'static str,
    /// Label of the advice for this end.
    pub advice_here: &'static str,
    /// Label of the advice for the other end.
    pub advice_there: &'static str,
    /// Label of `Texts::confirm`.
    pub confirm: &'static str,
    /// Label of the symptoms.
    pub in_programs: &'static str,
    /// Label of the timeline.
    pub timeline: &'static str,
    /// The handshake was complete.
    pub established: &'static str,
    /// This end last sent data.
    pub last_data_sent: &'static str,
    /// Data last came.
    pub last_data_received: &'static str,
    /// The connection was closed.
    pub closed: &'static str,
    /// This end sent the RST.
    pub rst_sent: &'static str,
    /// The RST came.
    pub rst_received: &'static str,
    /// The local end of the connection.
    pub this_end: &'static str,
    /// The peer.
    pub other_end: &'static str,
    /// Where something is known from: `this_end`.
    pub at_this_end: &'static str,
    /// The same of `other_end`.
    pub at_other_end: &'static str,
    /// Label of a process.
    pub process: &'static str,
    /// A process that nobody knows.
    pub unknown: &'static str,
    /// Something that is not there.
    pub none: &'static str,
    /// Label of the time of the reset.
    pub time: &'static str,
    /// Label of the host that saw it.
    pub host: &'static str,
    /// Label of the TCP state before it.
    pub state: &'static str,
    /// Label of the directions in which a cause is seen.
    pub direction: &'static str,
    /// Label of `Texts::title`.
    pub title: &'static str,
    /// `Role::Client`.
    pub client: &'static str,
    /// `Role::Server`.
    pub server: &'static str,
    /// Data last moved, whichever way.
    pub last_data: &'static str,
    /// A program closed its listener.
    pub stopped_listening: &'static str,
    /// Label of further processes that hold the socket.
    pub also_held_by: &'static str,
    /// Label of the error that a program is told.
    pub error: &'static str,
    /// The owner of the kernel's own sockets.
    pub kernel: &'static str,
    /// Stands for the cause of an event that nobody has diagnosed.
    pub not_diagnosed: &'static str,
    /// No program gets an error.
    pub nobody_is_told: &'static str,
    /// An error that is not known to have happened but goes with the cause.
    pub usually: &'static str,
    /// The end that sends the reset.
    pub sender: &'static str,
    /// The end that receives the reset.
    pub receiver: &'static str,
    /// Label of the advice for the end that sends the reset.
    pub advice_sender: &'static str,
    /// Label of the advice for the end that receives the reset.
    pub advice_receiver: &'static str,
}

impl Words {
    /// The word for a role.
    pub const fn of_role(&self, role: Role) -> &'static str {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// The word for a confidence.
    pub const fn of_confidence(&self, confidence: Confidence) -> &'static str {
        match confidence {
            Confidence::Certain => self.certain,
            Confidence::Likely => self.likely,
            Confidence::Possible => self.possible,
        }
    }
}

/// What the cause says in the language.
pub fn texts(cause: Cause, language: Language) -> &'static Texts {
    match language {
        Language::English => english::texts(cause),
        Language::Arabic => arabic::texts(cause),
    }
}

/// What to do about a reset of this cause and direction. Where a received reset has a sender's cause, the
/// sender is the other end.
pub fn advice(cause: Cause, direction: Direction, language: Language) -> Advice {
    let Texts { advice_here: here, advice_there: there, .. } = *texts(cause, language);
    if cause.is_of_sender() && direction == Direction::Received {
        Advice { here: there, there: here }
    } else {
        Advice { here, there }
    }
}

/// A fact that speaks for a diagnosis, with its numbers, as part of a list: without a full stop. Names of processes stand in
/// it as they are.
pub fn evidence(fact: &Evidence, language: Language) -> String {
    match language {
        Language::English => english::evidence::text(fact),
        Language::Arabic => arabic::evidence::text(fact),
    }
}

/// The fact that [`evidence`] says with these words in English, if it can be told from them; with numbers as exact as they
/// were written.
pub fn fact_from_words(words: &str) -> Option<Evidence> {
    english::facts::fact(words)
}

/// A moment, by how long before or after another it was.
pub fn offset(at: SignedDuration, language: Language) -> String {
    match language {
        Language::English => english::evidence::offset(at),
        Language::Arabic => arabic::evidence::offset(at),
    }
}

/// What happened to whom, in one sentence without a full stop. Names of processes stand in it as they are.
pub fn summary(event: &ResetEvent, diagnosis: &Diagnosis, language: Language) -> String {
    let scene = Scene::new(event, diagnosis);
    match language {
        Language::English => english::summary::sentence(&scene),
        Language::Arabic => arabic::summary::sentence(&scene),
    }
}

/// The fixed words in the language.
pub fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &words::ENGLISH,
        Language::Arabic => &words::ARABIC,
    }
}

/// How programs show the error: Python, its HTTP libraries, Go, Java, Node.js and Rust. The same in every
/// language.
pub fn symptoms(errno: Errno) -> &'static [Symptom; 6] {
    programs::symptoms(errno)
}

/// The errors that the local program may see first when the event has this cause; none where nobody is told.
/// After any of them, further writes fail with EPIPE.
pub fn errnos(cause: Cause) -> &'static [Errno] {
    programs::errnos(cause)
}

/// The errors that the program at the end which receives the reset may see first; for the causes of a
/// receiver the same as [`errnos`].
pub fn errnos_of_receiver(cause: Cause) -> &'static [Errno] {
    programs::errnos_of_receiver(cause)
}
