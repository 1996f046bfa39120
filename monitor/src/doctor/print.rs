//! Findings as a table of at most 100 columns, and as JSON: one object, schema 1.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::finding::{Finding, Status, Verdict};
use crate::output::Color;

/// Widest line of the table.
const WIDTH: usize = 100;

/// Where names and values begin.
const NAME_AT: usize = 10;
const VALUE_AT: usize = 43;

/// Where the text of costs and remedy begins.
const TEXT_AT: usize = VALUE_AT + 8;

/// Writes the table.
pub(super) fn table(findings: &[Finding], color: Color, to: &mut impl Write) -> io::Result<()> {
    let mut section = None;
    for finding in findings {
        if section != Some(finding.section) {
            if section.is_some() {
                writeln!(to)?;
            }
            let style = painted(Style::new().bold(), color);
            writeln!(to, "{style}{}{style:#}", finding.section.as_str())?;
            section = Some(finding.section);
        }
        row(finding, color, to)?;
    }
    let verdict = Verdict::of(findings);
    let style = painted(style(worst(verdict)), color);
    writeln!(to, "\n{style}{}{style:#}: {}", verdict.as_str(), summary(findings, verdict))
}

fn row(finding: &Finding, color: Color, to: &mut impl Write) -> io::Result<()> {
    let style = painted(style(finding.status), color);
    let status = finding.status.as_str();
    let mut head = format!("{:1$}", finding.name, VALUE_AT - NAME_AT - 1);
    let mut lines = wrap(&finding.value, WIDTH - VALUE_AT).into_iter();
    // A long name has its line to itself.
    if head.width() < VALUE_AT - NAME_AT {
        head = format!("{head} {}", lines.next().unwrap_or_default());
    }
    writeln!(to, "{style}{status:NAME_AT$}{style:#}{}", head.trim_end())?;
    for line in lines {
        writeln!(to, "{:VALUE_AT$}{line}", "")?;
    }
    for (label, text) in [("costs", &finding.costs), ("remedy", &finding.remedy)] {
        for (index, line) in text.iter().flat_map(|text| wrap(text, WIDTH - TEXT_AT)).enumerate() {
            let label = if index == 0 { label } else { "" };
            writeln!(to, "{:VALUE_AT$}{label:7} {line}", "")?;
        }
    }
    Ok(())
}

/// Lines of at most `width` columns; a word that is wider has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn summary(findings: &[Finding], verdict: Verdict) -> String {
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    let things = |count| if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") };
    match verdict {
        Verdict::Fine => "nothing is missing".to_owned(),
        Verdict::Degraded => {
            format!(
                "resetmon works here, and what is marked above ({}) costs something",
                things(count(Status::Degraded))
            )
        }
        Verdict::Unusable => {
            format!("resetmon does not work here; see the {} marked above", things(count(Status::Unusable)))
        }
    }
}

fn worst(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Fine => Status::Ok,
        Verdict::Degraded => Status::Degraded,
        Verdict::Unusable => Status::Unusable,
    }
}

fn style(status: Status) -> Style {
    match status {
        Status::Info => Style::new().dimmed(),
        Status::Ok => AnsiColor::Green.on_default(),
        Status::Degraded => AnsiColor::Yellow.on_default(),
        Status::Unusable => AnsiColor::Red.on_default().bold(),
    }
}

fn painted(style: Style, color: Color) -> Style {
    match color {
        Color::On => style,
        Color::Off => Style::new(),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    version: &'static str,
    verdict: &'static str,
    findings: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    section: &'static str,
    name: &'a str,
    status: &'static str,
    value: &'a str,
    costs: Option<&'a str>,
    remedy: Option<&'a str>,
}

/// Writes one object on one line.
pub(super) fn json(findings: &[Finding], to: &mut impl Write) -> io::Result<()> {
    let rows = findings.iter().map(|finding| Row {
        section: finding.section.as_str(),
        name: &finding.name,
        status: finding.status.as_str(),
        value: &finding.value,
        costs: finding.costs.as_deref(),
        remedy: finding.remedy.as_deref(),
    });
    let report = Report {
        schema: 1,
        version: env!("CARGO_PKG_VERSION"),
        verdict: Verdict::of(findings).as_str(),
        findings: rows.collect(),
    };
    serde_json::to_writer(&mut *to, &report)?;
    writeln!(to)
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::{WIDTH, json, table};
    use crate::{
        doctor::finding::{Finding, Section, Status},
        output::Color,
    };

    const EXPECTED: &str = "\
kernel
info      release                          6.12 on x86_64

privileges
ok        kernel.unprivileged_bpf_disabled_more
                                           2
degraded  CAP_SYS_PTRACE                   a text that is so long that it does not fit in what is
                                           left of the line after the name
                                           costs   a text that is so long that it does not fit in
                                                   what is left of the line after the name
                                           remedy  root

degraded: resetmon works here, and what is marked above (1 finding) costs something
";

    fn findings() -> Vec<Finding> {
        let long = "a text that is so long that it does not fit in what is left of the line after the name";
        vec![
            Finding::new(Section::Kernel, "release", Status::Info, "6.12 on x86_64"),
            Finding::new(Section::Privileges, "kernel.unprivileged_bpf_disabled_more", Status::Ok, "2"),
            Finding::new(Section::Privileges, "CAP_SYS_PTRACE", Status::Degraded, long)
                .costs(long)
                .remedy("root"),
        ]
    }

    #[test]
    fn the_table_fits() {
        let mut bytes = Vec::new();
        table(&findings(), Color::Off, &mut bytes).expect("memory");
        let text = String::from_utf8(bytes).expect("text");
        assert_eq!(text, EXPECTED);
        assert!(text.lines().all(|line| line.width() <= WIDTH && line.trim_end() == line), "{text}");
    }

    #[test]
    fn json_is_one_object_on_a_line() {
        let mut bytes = Vec::new();
        json(&findings()[1..2], &mut bytes).expect("memory");
        let expected = "{\"schema\":1,\"version\":\"VERSION\",\"verdict\":\"fine\",\"findings\":[\
            {\"section\":\"privileges\",\"name\":\"kernel.unprivileged_bpf_disabled_more\",\"status\":\"ok\",\
            \"value\":\"2\",\"costs\":null,\"remedy\":null}]}\n";
        assert_eq!(
            String::from_utf8(bytes).expect("text"),
            expected.replace("VERSION", env!("CARGO_PKG_VERSION"))
        );
    }
}
