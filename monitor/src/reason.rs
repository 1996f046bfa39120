//! Names of the kernel's reset reasons. Numbers are not stable between kernels, so the names come from the running
//! kernel's type information (`kernel::reasons`); a number without a name stays a number.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::Reason;

/// Members of `enum sk_rst_reason` on one kernel; empty where the kernel has no reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonNames {
    names: BTreeMap<u32, Arc<str>>,
}

impl ReasonNames {
    /// Names by number, without the prefix `SK_RST_REASON_`.
    pub fn new<'a>(names: impl IntoIterator<Item = (u32, &'a str)>) -> Self {
        Self { names: names.into_iter().map(|(number, name)| (number, Arc::from(name))).collect() }
    }

    /// The reason with this number.
    pub fn reason(&self, number: u32) -> Reason {
        self.names.get(&number).map_or(Reason::Unknown(number), |name| Reason::Named(Arc::clone(name)))
    }

    /// The number of the reason with this name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.names.iter().find(|(_, known)| &***known == name).map(|(number, _)| *number)
    }

    /// Every number and name, in order of the numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.names.iter().map(|(number, name)| (*number, &**name))
    }

    /// Whether the kernel tells no reasons at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
