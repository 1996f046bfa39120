//! Why a reset happened: an ordered table of rules over one event, of which the first that fits wins. Beside the event
//! there are its other end, where that is on this host, and what was seen of the same peer shortly before. Pure: the same
//! events in the same order give the same answers. Lacks all words: `catalogue` says what a diagnosis means.

mod evidence;
mod facts;
mod history;
mod mechanism;
mod rules;

use std::sync::Arc;

use self::{facts::Facts, history::History};
use crate::{
    cause::{Cause, Confidence},
    model::{
        Direction, ResetEvent,
        diagnosis::{Diagnosis, Evidence},
    },
};

/// The product of that name, of those whose idle timeouts are known.
pub fn known_timer(name: &str) -> Option<&'static str> {
    facts::KNOWN_TIMERS.iter().map(|(_, known)| *known).find(|known| *known == name)
}

/// What of the host's resets is seen, so that what is missing tells something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Every reset that a TCP of this host sends, and both ends of it are joined.
    pub all_senders: bool,
    /// Every reset that the firewall of this host makes.
    pub firewall: bool,
}

/// Diagnoses events in the order in which they are told.
#[derive(Debug, Default)]
pub struct Diagnoser {
    sight: Sight,
    history: History,
}

impl Diagnoser {
    /// One that has seen nothing so far.
    pub fn new(sight: Sight) -> Self {
        Self { sight, history: History::default() }
    }

    /// What it can rely on to be seen.
    pub fn sight(&self) -> Sight {
        self.sight
    }

    /// Writes into the event, and into what it has of its other end, why it happened. Looks first and remembers then, so
    /// an event is not its own past.
    pub fn explain(&mut self, event: &mut ResetEvent) {
        let (own, of_other) = self.diagnose(event);
        if let (Some(other), Some(diagnosis)) = (&mut event.counterpart, of_other) {
            Arc::make_mut(other).diagnosis = Some(diagnosis);
        }
        self.history.remember(event, &own);
        event.diagnosis = Some(own);
    }

    /// Why an event happened, and why its other end's did. Nobody knows better than the sender.
    fn diagnose(&self, event: &ResetEvent) -> (Arc<Diagnosis>, Option<Arc<Diagnosis>>) {
        let Some(other) = event.counterpart.as_deref() else {
            return (Arc::new(self.conclude(event, None)), None);
        };
        let is_sender = event.direction == Direction::Sent;
        let (sender, receiver) = if is_sender { (event, other) } else { (other, event) };
        let of_sender = self.conclude(sender, Some(receiver));
        let mut of_receiver = if of_sender.cause == Cause::Unknown {
            self.conclude(receiver, Some(sender))
        } else {
            of_sender.clone()
        };
        of_receiver.evidence.insert(0, Evidence::SenderIsHere);
        let (of_sender, of_receiver) = (Arc::new(of_sender), Arc::new(of_receiver));
        if is_sender { (of_sender, Some(of_receiver)) } else { (of_receiver, Some(of_sender)) }
    }

    fn conclude(&self, event: &ResetEvent, other: Option<&ResetEvent>) -> Diagnosis {
        conclude(&Facts::new(event, other, &self.history.look(event), self.sight))
    }
}

/// The first rule that fits.
fn conclude(facts: &Facts<'_>) -> Diagnosis {
    let fitting = rules::rules(facts.event.direction)
        .iter()
        .find_map(|rule| (rule.fits)(facts).map(|confidence| (rule.cause, confidence, rule.evidence)));
    let (cause, confidence, evidence) =
        fitting.unwrap_or((Cause::Unknown, Confidence::Possible, rules::WHAT_WAS_SEEN));
    Diagnosis { cause, confidence, evidence: evidence.iter().filter_map(|fact| fact(facts)).collect() }
}

#[cfg(test)]
mod tests;
