//! Which optional probes are tried, as the user asked with `--probes`.

use std::{fmt, str::FromStr};

use super::{
    optional::OPTIONAL,
    status::{Mechanism, ProbeNeed},
};

/// Which optional probes are tried, and how. Later items overrule earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSelection {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// What is tried without being asked for.
    Default,
    /// Every probe.
    All,
    /// No optional probe.
    None,
    /// A probe, by any mechanism or by one.
    With(&'static str, Option<Mechanism>),
    /// All but a probe.
    Without(&'static str),
}

impl Default for ProbeSelection {
    fn default() -> Self {
        Self { items: vec![Item::Default] }
    }
}

/// How a probe is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Not at all.
    No,
    /// By whatever mechanism works.
    Any,
    /// By this mechanism.
    Only(Mechanism),
}

impl ProbeSelection {
    /// Whether, and how, a probe is asked for.
    pub(super) fn asked(&self, name: &str, need: ProbeNeed) -> Asked {
        self.items.iter().fold(Asked::No, |asked, item| match item {
            Item::Default if need == ProbeNeed::Optional => Asked::Any,
            Item::All => Asked::Any,
            Item::None => Asked::No,
            Item::With(with, mechanism) if *with == name => mechanism.map_or(Asked::Any, Asked::Only),
            Item::Without(without) if *without == name => Asked::No,
            _ => asked,
        })
    }
}

/// What is no selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionError {
    item: String,
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = OPTIONAL.iter().map(|probe| probe.name).collect();
        write!(
            f,
            "{:?} is no probe: expected default, all, none, or one of {}, with - before it to leave it out or \
             :fentry or :kprobe after it to choose how",
            self.item,
            names.join(", ")
        )
    }
}

impl std::error::Error for SelectionError {}

impl FromStr for ProbeSelection {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|item| parse(item.trim())).collect::<Result<_, _>>().map(|items| Self { items })
    }
}

fn parse(item: &str) -> Result<Item, SelectionError> {
    let wrong = || SelectionError { item: item.to_owned() };
    let find = |name: &str| OPTIONAL.iter().find(|probe| probe.name == name).ok_or_else(wrong);
    match item {
        "default" => return Ok(Item::Default),
        "all" => return Ok(Item::All),
        "none" => return Ok(Item::None),
        _ => {}
    }
    if let Some(name) = item.strip_prefix('-') {
        return Ok(Item::Without(find(name)?.name));
    }
    let Some((name, how)) = item.split_once(':') else {
        return Ok(Item::With(find(item)?.name, None));
    };
    let probe = find(name)?;
    let trampoline = how == "fentry";
    let by = |mechanism: Mechanism| match mechanism {
        Mechanism::Fentry | Mechanism::Fexit => trampoline,
        Mechanism::Kprobe | Mechanism::Kretprobe => how == "kprobe",
        Mechanism::TpBtf | Mechanism::RawTp | Mechanism::Iterator => false,
    };
    let mechanism = probe.programs.iter().map(|(mechanism, _)| *mechanism).find(|mechanism| by(*mechanism));
    mechanism.map(|mechanism| Item::With(probe.name, Some(mechanism))).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{Asked, ProbeSelection};
    use crate::kernel::status::{Mechanism, ProbeNeed};

    fn check(text: &str, tcp_reset: Asked, kfree_skb: Asked) {
        let selection: ProbeSelection = text.parse().expect(text);
        let asked = (
            selection.asked("tcp_reset", ProbeNeed::Optional),
            selection.asked("kfree_skb", ProbeNeed::OptIn),
        );
        assert_eq!(asked, (tcp_reset, kfree_skb), "{text}");
    }

    #[test]
    fn selections() {
        check("default", Asked::Any, Asked::No);
        check("all", Asked::Any, Asked::Any);
        check("none", Asked::No, Asked::No);
        check("default,kfree_skb", Asked::Any, Asked::Any);
        check("all, -tcp_reset", Asked::No, Asked::Any);
        check("tcp_reset:kprobe", Asked::Only(Mechanism::Kprobe), Asked::No);
        check("default,tcp_reset:fentry", Asked::Only(Mechanism::Fentry), Asked::No);
        check("inet_csk_accept:kprobe", Asked::No, Asked::No);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for text in ["", "tcp_rset", "default,-x", "kfree_skb:kprobe", "tcp_reset:uprobe"] {
            let error = text.parse::<ProbeSelection>().expect_err(text).to_string();
            let item = text.rsplit(',').next().expect("an item");
            assert!(error.starts_with(&format!("{item:?} is no probe: expected default, all")), "{error}");
        }
    }
}
