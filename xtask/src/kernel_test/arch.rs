//! The processors that guests have, and what differs between them. Pure.
//!
//! Deliberately lacks the processor of the machine itself: guests are emulated on x86-64 alone.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

/// A guest's processor, named as Rust does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    #[default]
    #[value(name = "x86_64", alias = "amd64")]
    X86_64,
    #[value(name = "aarch64", alias = "arm64")]
    Aarch64,
}

impl Arch {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Debian's name.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Rust's name of Linux on it.
    pub(crate) fn target(self) -> String {
        format!("{}-unknown-linux-gnu", self.name())
    }

    /// As [`Self::target`], in the names of cargo's variables.
    pub(crate) fn variable(self) -> String {
        self.target().to_uppercase().replace('-', "_")
    }

    /// The name of C's tools and of the folder with its libraries.
    pub(crate) fn gnu(self) -> String {
        format!("{}-linux-gnu", self.name())
    }

    /// Appended to the names of what is kept for it, so that nothing is mixed.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::X86_64 => "",
            Self::Aarch64 => "-aarch64",
        }
    }

    pub(crate) fn emulator(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Aarch64 => "qemu-system-aarch64",
        }
    }

    /// The emulated machine. Its newest processor authenticates pointers, for which the emulator may do something cheaper
    /// than the algorithm of real ones.
    pub(crate) fn machine(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &["-cpu", "max"],
            Self::Aarch64 => &["-machine", "virt", "-cpu", "max,pauth-impdef=on"],
        }
    }

    /// How long the tests may take from power on to power off. The machine's own kind is emulated with less effort.
    pub(crate) fn longest(self) -> Duration {
        match self {
            Self::X86_64 => Duration::from_mins(12),
            Self::Aarch64 => Duration::from_mins(20),
        }
    }

    /// What the kernel has to be told. On a busy machine the emulated timer can be so late that Linux takes it for broken.
    /// What guards against leaks of real processors has nothing to guard in an emulated one.
    pub(crate) fn quirks(self) -> &'static str {
        match self {
            Self::X86_64 => "no_timer_check mitigations=off",
            Self::Aarch64 => "",
        }
    }

    /// The kernel's name of the first serial port.
    pub(crate) fn console(self) -> &'static str {
        match self {
            Self::X86_64 => "ttyS0",
            Self::Aarch64 => "ttyAMA0",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cargo() {
        assert_eq!(Arch::Aarch64.target(), "aarch64-unknown-linux-gnu");
        assert_eq!(Arch::X86_64.variable(), "X86_64_UNKNOWN_LINUX_GNU");
        assert_eq!(Arch::Aarch64.gnu(), "aarch64-linux-gnu");
    }
}
