//! Where this machine gets Debian's packages from: its configured mirrors, in either of apt's two formats.
//!
//! Pure: is handed the text. Deliberately lacks other distributions' mirrors, for they have no Debian kernels.

use super::version::Archive;

/// Debian's releases that a machine may be set up for; their names and their names with `-backports` and the like are
/// suites.
const RELEASES: [&str; 13] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
    "buster",
];

/// Used when the machine has none configured.
const DEFAULT_MAIN: &str = "http://deb.debian.org/debian";
const DEFAULT_SECURITY: &str = "http://deb.debian.org/debian-security";

/// The mirrors of Debian's archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirrors {
    main: String,
    security: String,
}

impl Mirrors {
    /// The first of each among the lists of sources. Text with fields is in apt's newer format.
    pub(crate) fn among<'a>(lists: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut main, mut security) = (None, None);
        for source in lists.into_iter().flat_map(sources) {
            match archive(&source) {
                Some(Archive::Main) => main = main.or(Some(source.uri)),
                Some(Archive::Security) => security = security.or(Some(source.uri)),
                None => {}
            }
        }
        Self {
            main: main.unwrap_or_else(|| DEFAULT_MAIN.to_owned()),
            security: security.unwrap_or_else(|| DEFAULT_SECURITY.to_owned()),
        }
    }

    pub(crate) fn of(&self, archive: Archive) -> &str {
        match archive {
            Archive::Main => &self.main,
            Archive::Security => &self.security,
        }
    }
}

/// One suite of one mirror.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suite: String,
    has_main: bool,
}

/// Which of Debian's archives it is. Other vendors name their suites after Debian's releases too, but have no
/// component `main` there, or name them differently.
fn archive(source: &Source) -> Option<Archive> {
    let suite = source.suite.as_str();
    let (release, part) = suite.split_once(['-', '/']).unwrap_or((suite, ""));
    if !source.has_main || !RELEASES.contains(&release) {
        return None;
    }
    match part {
        "" | "updates" | "backports" | "proposed-updates" if !suite.ends_with("/updates") => {
            Some(Archive::Main)
        }
        "security" | "updates" => Some(Archive::Security),
        _ => None,
    }
}

fn sources(list: &str) -> Vec<Source> {
    let lines: Vec<&str> = list.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    if lines.iter().any(|line| field(line).is_some_and(|(name, _)| name == "types")) {
        // A comment is no end of a paragraph, so the lines are joined without them.
        lines.split(|line| line.trim().is_empty()).flat_map(of_paragraph).collect()
    } else {
        lines.into_iter().filter_map(of_line).collect()
    }
}

fn field(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    is_name.then(|| (name.to_ascii_lowercase(), value.trim()))
}

/// `Types: deb`, `URIs: …`, `Suites: …`, `Components: …`, each with one or more values.
fn of_paragraph(lines: &[&str]) -> Vec<Source> {
    let words = |name: &str| -> Vec<&str> {
        let mut lines = lines.iter().skip_while(|line| field(line).is_none_or(|(found, _)| found != name));
        let first = lines.next().and_then(|line| field(line)).map_or("", |(_, value)| value);
        let continued = lines.take_while(|line| line.starts_with([' ', '\t'])).copied();
        [first].into_iter().chain(continued).flat_map(str::split_whitespace).collect()
    };
    let enabled = !words("enabled").iter().any(|value| value.eq_ignore_ascii_case("no"));
    let has_main = words("components").contains(&"main");
    let uris = words("uris");
    let Some(uri) = uris.first().filter(|_| enabled && words("types").contains(&"deb")) else {
        return Vec::new();
    };
    let source = |suite: &str| Source { uri: (*uri).to_owned(), suite: suite.to_owned(), has_main };
    words("suites").into_iter().map(source).collect()
}

/// `deb [option=value …] URI SUITE COMPONENT…`
fn of_line(line: &str) -> Option<Source> {
    let rest = line.trim().strip_prefix("deb")?;
    let rest = rest.strip_prefix(|character: char| character.is_whitespace())?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Source { uri, suite, has_main: words.any(|component| component == "main") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lists: &[&str], main: &str, security: &str) {
        let mirrors = Mirrors::among(lists.iter().copied());
        assert_eq!((mirrors.of(Archive::Main), mirrors.of(Archive::Security)), (main, security), "{lists:?}");
    }

    #[test]
    fn one_line_each() {
        check(
            &["# a comment\ndeb-src http://src/ bookworm main\n\
               deb [arch=amd64 signed-by=/k.gpg] http://mirror/debian bookworm main contrib\n\
               deb http://other/debian bookworm-updates main\n\
               deb\thttp://security/ bookworm-security main\n"],
            "http://mirror/debian",
            "http://security/",
        );
        check(&["deb http://old/security buster/updates main\n"], DEFAULT_MAIN, "http://old/security");
    }

    #[test]
    fn paragraphs() {
        let debian = "Types: deb\n# a comment\nURIs: http://mirror/debian\nSuites: trixie trixie-updates\n\
                      Components: main\nSigned-By: /k.gpg\n\n\
                      Types: deb\nURIs: http://mirror/security\nSuites:\n trixie-security\nComponents: main\n";
        check(&[debian], "http://mirror/debian", "http://mirror/security");
        let disabled = debian.replace("Types: deb\n", "Types: deb\nEnabled: no\n");
        check(&[&disabled], DEFAULT_MAIN, DEFAULT_SECURITY);
    }

    #[test]
    fn others_are_no_debian() {
        check(
            &[
                "",
                "deb https://download.docker.com/linux/debian bookworm stable\n",
                "deb http://apt.llvm.org/bookworm/ llvm-toolchain-bookworm-19 main\n",
                "deb https://packages.cloud.google.com/apt cloud-sdk-bookworm main\n",
                "deb http://apt.postgresql.org/pub/repos/apt bookworm-pgdg main\n",
                "Types: deb\nURIs: http://azure.archive.ubuntu.com/ubuntu/\nSuites: noble noble-updates\n\
                 Components: main universe\n",
            ],
            DEFAULT_MAIN,
            DEFAULT_SECURITY,
        );
    }
}
