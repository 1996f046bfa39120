//! Which kernels are tested, where Debian keeps them, and which of several is the newest.
//!
//! Pure: asks nobody.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use anyhow::{Error, bail};

use super::arch::Arch;

/// One of Debian's archives: they have mirrors of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Archive {
    Main,
    Security,
}

/// A series of kernels, named as on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kernels {
    pub(crate) name: &'static str,
    /// Where they are; newer ones may be in either.
    pub(crate) suites: &'static [(Archive, &'static str)],
    /// How the names of the packages with a vmlinuz begin and end; the release is between, and Debian's name of the
    /// processor in place of [`ARCH`].
    pub(crate) image: (&'static str, &'static str),
    /// The same for the modules, where these are in a package of their own.
    pub(crate) modules: Option<(&'static str, &'static str)>,
}

use Archive::{Main, Security};

const ARCH: &str = "{arch}";

const ALL: [Kernels; 4] = [
    Kernels {
        name: "5.10",
        suites: &[(Main, "bullseye")],
        image: ("linux-image-5.10.", "-cloud-{arch}-unsigned"),
        modules: None,
    },
    Kernels {
        name: "6.1",
        suites: &[(Main, "bookworm"), (Security, "bookworm-security")],
        image: ("linux-image-6.1.", "-cloud-{arch}-unsigned"),
        modules: None,
    },
    Kernels {
        name: "6.12",
        suites: &[(Security, "bookworm-security")],
        image: ("linux-image-6.12.", "+deb12-cloud-{arch}-unsigned"),
        modules: None,
    },
    // Since 7.1 the package linux-image holds no files.
    Kernels {
        name: "7",
        suites: &[(Main, "trixie-backports")],
        image: ("linux-binary-7.", "+deb13-cloud-{arch}"),
        modules: Some(("linux-modules-7.", "+deb13-cloud-{arch}")),
    },
];

/// A series that can be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Series(&'static Kernels);

impl Series {
    /// All of them, the oldest first.
    pub(crate) fn all() -> Vec<Self> {
        ALL.iter().map(Self).collect()
    }

    pub(crate) fn kernels(self) -> &'static Kernels {
        self.0
    }

    pub(crate) fn name(self) -> &'static str {
        self.0.name
    }

    /// The packages to unpack, of those that are offered: the newest image, and its modules.
    pub(crate) fn newest(self, arch: Arch, offered: &[&str]) -> Option<Vec<String>> {
        let end = |after: &str| after.replace(ARCH, arch.debian());
        let (before, after) = (self.0.image.0, end(self.0.image.1));
        let releases = offered.iter().filter_map(|name| between(name, (before, &after)));
        let newest = releases.max_by(|a, b| compare(a, b))?;
        let mut packages = vec![format!("{before}{newest}{after}")];
        packages.extend(self.0.modules.map(|(before, after)| format!("{before}{newest}{}", end(after))));
        packages.iter().all(|package| offered.contains(&package.as_str())).then_some(packages)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl FromStr for Series {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let Some(kernels) = ALL.iter().find(|kernels| kernels.name == name) else {
            bail!("there are {}", ALL.map(|kernels| kernels.name).join(", "));
        };
        Ok(Self(kernels))
    }
}

/// What is between the two, if it is the release of a kernel: digits, dots and hyphens.
fn between<'a>(name: &'a str, (before, after): (&str, &str)) -> Option<&'a str> {
    let release = name.strip_prefix(before)?.strip_suffix(after)?;
    let is_number = |character: char| character.is_ascii_digit() || matches!(character, '.' | '-');
    (!release.is_empty() && release.chars().all(is_number)).then_some(release)
}

/// Orders versions as Debian does, as far as those of kernels need it: numbers by value, `~` before everything,
/// the rest as text.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    // The end sorts after `~` and before anything else.
    let padded = |parts: &[Part], index: usize| parts.get(index).cloned().unwrap_or(Part::End);
    (0..a.len().max(b.len()))
        .map(|index| padded(&a, index).cmp(&padded(&b, index)))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Tilde,
    End,
    Other(char),
    Number(u64),
}

fn parts(version: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for character in version.chars() {
        match (character.to_digit(10), parts.last_mut()) {
            (Some(digit), Some(Part::Number(number))) => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
            }
            (Some(digit), _) => parts.push(Part::Number(digit.into())),
            (None, _) if character == '~' => parts.push(Part::Tilde),
            (None, _) => parts.push(Part::Other(character)),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered() {
        let check = |older: &str, newer: &str| {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{older} {newer}");
            assert_eq!(compare(newer, newer), Ordering::Equal);
        };
        check("0-9", "0-32");
        check("7.2.12", "7.3.4");
        check("7.9.4", "7.10.1");
        check("6.1.176-1", "6.1.192-1");
        check("6.12.117-1~deb12u1", "6.12.117-1");
        check("6.12.117-1~deb12u1", "6.12.117-1~deb12u2");
        check("7.3.4-1~bpo13+1", "7.3.4-1~bpo13+2");
        check("5.10.223-1", "5.10.223-1.1");
    }

    #[test]
    fn the_newest_of_a_series() {
        let on = |arch: Arch, series: &str, offered: &[&str], expected: Option<&[&str]>| {
            let series: Series = series.parse().expect("a series");
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(series.newest(arch, offered), expected, "{series}");
        };
        let check = |series: &str, offered: &[&str], expected: Option<&[&str]>| {
            on(Arch::X86_64, series, offered, expected);
        };
        let image = "linux-image-5.10.0-32-cloud-amd64-unsigned";
        check(
            "5.10",
            &[
                "linux-image-5.10.0-9-cloud-amd64-unsigned",
                image,
                "linux-image-5.10.0-40-rt-amd64-unsigned",
                "linux-image-5.10.0-41-cloud-amd64-dbg",
                "linux-image-5.10.0-0.deb10.33-cloud-amd64-unsigned",
            ],
            Some(&[image]),
        );
        check("6.12", &["linux-image-6.12.9+deb12-cloud-amd64-unsigned-dbg"], None);
        let (binary, modules) =
            ("linux-binary-7.3.4+deb13-cloud-amd64", "linux-modules-7.3.4+deb13-cloud-amd64");
        let older = ["linux-binary-7.2.12+deb13-cloud-amd64", "linux-modules-7.2.12+deb13-cloud-amd64"];
        check("7", &[binary, older[0], modules, older[1]], Some(&[binary, modules]));
        check("7", &[binary, older[0], older[1]], None);
        check("7", &[], None);
        let arm = ["linux-image-6.1.0-56-cloud-arm64-unsigned", "linux-image-6.1.0-57-cloud-amd64-unsigned"];
        on(Arch::Aarch64, "6.1", &arm, Some(&arm[..1]));
        on(Arch::Aarch64, "6.1", &arm[1..], None);
    }

    #[test]
    fn series_have_names() {
        assert_eq!(Series::all().len(), 4);
        assert_eq!("6.12".parse::<Series>().map(Series::name).ok(), Some("6.12"));
        let unknown = "6.11".parse::<Series>().expect_err("no such series").to_string();
        assert_eq!(unknown, "there are 5.10, 6.1, 6.12, 7");
    }
}
