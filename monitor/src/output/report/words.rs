//! The report's own words in every language; what causes say is in `catalogue`.

use super::parties::Peer;
use crate::{catalogue::Language, model::Direction};

/// There was none.
pub(super) fn nothing(command: &str, language: Language) -> String {
    match language {
        Language::English => format!("no resets hit {command} or the processes that it started"),
        Language::Arabic => format!("لم تُصب أي إعادة ضبط {command} ولا العمليات التي بدأها"),
    }
}

/// How many there were: those that hit the command, and those that are its own doing.
pub(super) fn headline(command: &str, hits: u64, own: u64, language: Language) -> String {
    let parts = match language {
        Language::English => {
            let resets = |count: u64| if count == 1 { "reset" } else { "resets" };
            let hit = format!("{hits} {} hit them", resets(hits));
            let sent = format!("they sent {own} {}", resets(own));
            let whose = format!("{command} and the processes that it started");
            (whose, hit, sent)
        }
        Language::Arabic => {
            let hit = format!("أصابتها إعادة ضبط (العدد {hits})");
            let sent = format!("أرسلت هي إعادة ضبط (العدد {own})");
            (format!("{command} والعمليات التي بدأها"), hit, sent)
        }
    };
    let (whose, hit, sent) = parts;
    match (hits, own) {
        (_, 0) => format!("{whose}: {hit}"),
        (0, _) => format!("{whose}: {sent}"),
        _ => format!("{whose}: {hit}{}{sent}", separator(language)),
    }
}

/// How many of one cause came from, or went to, a peer.
pub(super) fn count(direction: Direction, count: u64, peer: Peer, language: Language) -> String {
    let (way, whom) = match language {
        Language::English => (
            match direction {
                Direction::Received => "received from",
                Direction::Sent => "sent to",
            },
            match peer {
                Peer::End(end) => end.to_string(),
                Peer::Address(address) => format!("{address}, various ports"),
                Peer::Others => "other peers".to_owned(),
            },
        ),
        Language::Arabic => (
            match direction {
                Direction::Received => "وصلت من",
                Direction::Sent => "أُرسلت إلى",
            },
            match peer {
                Peer::End(end) => end.to_string(),
                Peer::Address(address) => format!("{address}، من منافذ مختلفة"),
                Peer::Others => "أطراف أخرى".to_owned(),
            },
        ),
    };
    format!("{count} {way} {whom}")
}

/// Which processes they were.
pub(super) fn processes(names: &[String], has_more: bool, language: Language) -> String {
    let (one, several, more) = match language {
        Language::English => ("Process", "Processes", " and others"),
        Language::Arabic => ("العملية", "العمليات", " وغيرها"),
    };
    let label = if names.len() == 1 && !has_more { one } else { several };
    let more = if has_more { more } else { "" };
    format!("{label}: {}{more}", names.join(comma(language)))
}

/// Label of the first one.
pub(super) fn first(language: Language) -> &'static str {
    match language {
        Language::English => "First",
        Language::Arabic => "أولها",
    }
}

/// Between the parts of a list that have words of their own.
pub(super) fn separator(language: Language) -> &'static str {
    match language {
        Language::English => "; ",
        Language::Arabic => "؛ ",
    }
}

/// Between the parts of a list that have none.
pub(super) fn comma(language: Language) -> &'static str {
    match language {
        Language::English => ", ",
        Language::Arabic => "، ",
    }
}
