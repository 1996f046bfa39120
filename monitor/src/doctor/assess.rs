//! What the facts mean: a finding for each, with what the user loses and how to get it. Pure.

mod host;
mod kernel;
mod live;
mod privileges;
mod probes;

#[cfg(test)]
mod tests;

use super::{
    facts::{Btf, Facts, Offers},
    finding::Finding,
};

/// Every finding, in the order of the sections.
pub fn assess(facts: &Facts) -> Vec<Finding> {
    let mut findings = kernel::findings(&facts.kernel);
    findings.extend(probes::findings(facts));
    findings.extend(privileges::findings(facts));
    findings.extend(host::findings(facts));
    findings.extend(live::findings(facts));
    findings
}

/// What the kernel offers, where that could be read.
fn offers(facts: &Facts) -> Option<&Offers> {
    match &facts.kernel.btf {
        Btf::Fit { offers, .. } => Some(offers),
        Btf::Unreadable { .. } | Btf::Unfit { .. } => None,
    }
}
