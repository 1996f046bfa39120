//! What a finding is, and what all of them come to. Values only.

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it belongs.
    pub section: Section,
    /// Its name, unique in its section.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// What was found.
    pub value: String,
    /// What the user loses.
    pub costs: Option<String>,
    /// How to get it.
    pub remedy: Option<String>,
}

/// What findings are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What the kernel offers.
    Kernel,
    /// The probes.
    Probes,
    /// What this process may do.
    Privileges,
    /// What the host is like.
    Host,
    /// Resets made on purpose.
    SelfTest,
    /// What the probes saw against the kernel's own counters.
    Reconciliation,
}

impl Section {
    /// As users read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Probes => "probes",
            Self::Privileges => "privileges",
            Self::Host => "host",
            Self::SelfTest => "self-test",
            Self::Reconciliation => "reconciliation",
        }
    }
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Worth knowing, and neither good nor bad.
    Info,
    /// As it should be.
    Ok,
    /// resetmon works, and less well than it could.
    Degraded,
    /// resetmon does not work.
    Unusable,
}

impl Status {
    /// As users read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unusable => "unusable",
        }
    }
}

/// What all findings come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is missing.
    Fine,
    /// Something is missing.
    Degraded,
    /// resetmon cannot work here.
    Unusable,
}

impl Verdict {
    /// That of the worst finding.
    pub fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|finding| finding.status).max() {
            Some(Status::Unusable) => Self::Unusable,
            Some(Status::Degraded) => Self::Degraded,
            Some(Status::Ok | Status::Info) | None => Self::Fine,
        }
    }

    /// As users read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Degraded => "degraded",
            Self::Unusable => "unusable",
        }
    }
}

impl Finding {
    /// Something that costs nothing.
    pub(super) fn new(section: Section, name: &str, status: Status, value: impl Into<String>) -> Self {
        Self { section, name: name.to_owned(), status, value: value.into(), costs: None, remedy: None }
    }

    /// With what it costs.
    pub(super) fn costs(self, costs: impl Into<String>) -> Self {
        Self { costs: Some(costs.into()), ..self }
    }

    /// With how to get it.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Section, Status, Verdict};

    #[test]
    fn the_worst_decides() {
        let check = |statuses: &[Status], expected: Verdict| {
            let finding = |status: &Status| Finding::new(Section::Host, "x", *status, "");
            let findings: Vec<_> = statuses.iter().map(finding).collect();
            assert_eq!(Verdict::of(&findings), expected, "{statuses:?}");
        };
        check(&[], Verdict::Fine);
        check(&[Status::Info, Status::Ok], Verdict::Fine);
        check(&[Status::Ok, Status::Degraded, Status::Info], Verdict::Degraded);
        check(&[Status::Unusable, Status::Degraded], Verdict::Unusable);
    }
}
