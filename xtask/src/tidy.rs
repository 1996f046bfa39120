//! Rules of layout and direction that the compiler cannot hold: see `ARCHITECTURE.md` for what they are for.
//!
//! A rule looks at one file's path and text. Deliberately lacks exceptions: a rule that needs one is wrong.

mod code;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::say;

/// The modules of `monitor/src` that neither do I/O nor read a clock, with what is in their folders.
const PURE_MODULES: [&str; 14] = [
    "model",
    "reason",
    "cause",
    "catalogue",
    "diagnosis",
    "decode",
    "hold",
    "incident",
    "owner",
    "workload",
    "filter",
    "spelling",
    "cardinality",
    "time_spec",
];

/// What a pure module has no use for.
const IMPURE: [&str; 14] = [
    "std::fs",
    "std::process",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "Instant::now",
    "SystemTime::now",
    "tokio",
    "crate::kernel",
    "crate::enrich",
    "crate::output",
    "crate::agent",
];

const MAX_LINES: usize = 500;
const MAX_MAP_LINES: usize = 150;

/// A broken rule, and where.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Checks every file of the workspace.
pub(crate) fn tidy(root: &Path) -> Result<()> {
    let mut violations = Vec::new();
    visit(root, root, &mut violations)?;
    for violation in &violations {
        say(&violation.to_string());
    }
    if !violations.is_empty() {
        bail!("rules broken, named above: {}", violations.len());
    }
    Ok(())
}

fn visit(root: &Path, folder: &Path, violations: &mut Vec<Violation>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()
        .with_context(|| format!("cannot list {}", folder.display()))?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            // Target folders mark themselves, whatever they are called.
            if !name.starts_with('.') && !path.join("CACHEDIR.TAG").exists() {
                visit(root, &path, violations)?;
            }
        } else if is_rust(&path) || name == "ARCHITECTURE.md" {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
            violations.extend(check(&relative, &text));
        }
    }
    Ok(())
}

/// The rules that the file at `path`, seen from the workspace's root, breaks.
fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut report = |line: usize, rule: String| {
        violations.push(Violation { path: path.to_owned(), line, rule });
    };
    if path == "ARCHITECTURE.md" {
        let lines = text.lines().count();
        if lines > MAX_MAP_LINES {
            report(lines, format!("the map has at most {MAX_MAP_LINES} lines"));
        }
    }
    if !is_rust(Path::new(path)) {
        return violations;
    }
    if !text.starts_with("//!") {
        report(1, "a file opens with `//!`: what it is for, and what it lacks".into());
    }
    if path.ends_with("/mod.rs") {
        report(1, "no mod.rs: a module `foo` is foo.rs, its parts are in foo/".into());
    }
    let code = code::code_only(text);
    let tests_start = code.lines().position(|line| line.trim() == "#[cfg(test)]");
    let product_lines = tests_start.unwrap_or_else(|| code.lines().count());
    if product_lines > MAX_LINES && !is_test_code(path) {
        report(product_lines, format!("a file has at most {MAX_LINES} lines before its tests"));
    }
    for (index, line) in code.lines().enumerate() {
        let is_product = index < product_lines && !is_test_code(path);
        for rule in broken_by(path, line, is_product) {
            report(index + 1, rule);
        }
    }
    violations
}

/// The rules that one line of code breaks.
fn broken_by(path: &str, line: &str, is_product: bool) -> Vec<String> {
    let mut rules = Vec::new();
    if is_product && is_pure(path) {
        let impure = IMPURE.iter().filter(|name| has_name(line, name));
        rules.extend(impure.map(|name| format!("a pure module does without `{name}`")));
    }
    let is_kernel = is_module(path, "kernel");
    if path.starts_with("monitor/src/") && !is_kernel && has_name(line, "aya") {
        rules.push("only `kernel` knows aya".into());
    }
    if !is_kernel && !path.starts_with("monitor-ebpf/") && has_name(line, "unsafe") {
        rules.push("`unsafe` stays in `kernel` and in the BPF programs".into());
    }
    rules
}

fn is_pure(path: &str) -> bool {
    PURE_MODULES.iter().any(|module| is_module(path, module))
}

/// Whether `path` is the module of that name in `monitor/src`, or a part of it.
fn is_module(path: &str, module: &str) -> bool {
    let rest = path.strip_prefix("monitor/src/").and_then(|path| path.strip_prefix(module));
    rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn is_test_code(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs")
}

/// Whether `name` is in `line` as a name of its own, and not as a part of a longer one.
fn has_name(line: &str, name: &str) -> bool {
    let part_of_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(name).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + name.len()..]);
        !before.ends_with(part_of_name) && !after.starts_with(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines at which the file breaks a rule.
    fn broken_lines(path: &str, text: &str) -> Vec<usize> {
        super::check(path, text).into_iter().map(|violation| violation.line).collect()
    }

    fn check(path: &str, body: &str, expected: &[usize]) {
        let text = format!("//! Doc.\n{body}");
        assert_eq!(broken_lines(path, &text), expected, "{path}: {body}");
    }

    #[test]
    fn files_open_with_their_doc() {
        assert_eq!(broken_lines("xtask/src/a.rs", "//! Doc.\n"), []);
        assert_eq!(broken_lines("xtask/src/a.rs", "use a;\n//! Late.\n"), [1]);
        assert_eq!(broken_lines("monitor/build.rs", ""), [1]);
    }

    #[test]
    fn pure_modules_stay_pure() {
        for module in ["model.rs", "filter.rs", "filter/parse.rs", "decode/tests_of_old.rs"] {
            let path = format!("monitor/src/{module}");
            check(&path, "use std::net::SocketAddr;\n", &[]);
            check(&path, "use std::fs::File;\nlet now = Instant::now();\n", &[2, 3]);
            check(&path, "fn f() {}\n\nuse crate::kernel::probes;\n", &[4]);
            check(&path, "// no std::fs here\nlet a = \"tokio\";\n", &[]);
            check(&path, "#[cfg(test)]\nmod tests { use std::fs; }\n", &[]);
        }
        check("monitor/src/filter/tests.rs", "use std::fs;\n", &[]);
        check("monitor/src/filters.rs", "use std::fs;\n", &[]);
        check("monitor/src/agent.rs", "use std::fs;\n", &[]);
        check("monitor/src/model.rs", "struct UnixStreams; let tokio_like = 1;\n", &[]);
    }

    #[test]
    fn only_kernel_knows_aya() {
        check("monitor/src/kernel.rs", "use aya::Ebpf;\n", &[]);
        check("monitor/src/kernel/probes.rs", "use aya::Ebpf;\n", &[]);
        check("monitor/src/agent.rs", "use aya::Ebpf;\n", &[2]);
        check("monitor/src/kernels.rs", "fn f(e: &aya::Ebpf) {}\n", &[2]);
        check("monitor/build.rs", "use aya_build::Package;\n", &[]);
        check("monitor-ebpf/src/sock.rs", "use aya_ebpf::Global;\n", &[]);
    }

    #[test]
    fn unsafe_has_its_places() {
        check("monitor/src/kernel/events.rs", "unsafe { f() }\n", &[]);
        check("monitor-ebpf/src/main.rs", "unsafe { f() }\n", &[]);
        check("monitor/src/model.rs", "unsafe { f() }\n", &[2]);
        check("tests/harness/lib.rs", "\nunsafe impl Sync for A {}\n", &[3]);
        check("monitor/src/model.rs", "#![deny(unsafe_code)] // unsafe\n", &[]);
    }

    #[test]
    fn no_mod_rs() {
        check("monitor/src/filter/mod.rs", "", &[1]);
        check("monitor/src/filter/model.rs", "", &[]);
    }

    #[test]
    fn files_and_the_map_stay_short() {
        let lines = |count: usize| "\n".repeat(count);
        check("monitor/src/agent.rs", &lines(MAX_LINES - 1), &[]);
        check("monitor/src/agent.rs", &lines(MAX_LINES), &[MAX_LINES + 1]);
        check("monitor/src/agent.rs", &format!("#[cfg(test)]\n{}", lines(MAX_LINES)), &[]);
        check("monitor/src/agent/tests.rs", &lines(MAX_LINES), &[]);
        check("tests/kernel/refused.rs", &lines(MAX_LINES), &[]);
        assert_eq!(broken_lines("ARCHITECTURE.md", &lines(MAX_MAP_LINES)), []);
        assert_eq!(broken_lines("ARCHITECTURE.md", &lines(MAX_MAP_LINES + 1)), [MAX_MAP_LINES + 1]);
    }

    #[test]
    fn a_violation_names_its_place() {
        let violation = Violation { path: "a/b.rs".into(), line: 3, rule: "no".into() };
        assert_eq!(violation.to_string(), "a/b.rs:3: no");
    }

    #[test]
    fn the_workspace_is_tidy() {
        let root = crate::process::workspace_root();
        tidy(&root).expect("no rule is broken");
    }
}
