//! Which capabilities the process has. Loading needs `CAP_BPF` and `CAP_PERFMON`, or `CAP_SYS_ADMIN` in their place.

use std::{fmt, fs, io};

/// Numbers of capabilities (`include/uapi/linux/capability.h`).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Capabilities that are needed and not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(Vec<&'static str>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" and "))
    }
}

/// What this process lacks to load the probes; `None` when it has all.
pub fn missing() -> io::Result<Option<Missing>> {
    let status = fs::read_to_string("/proc/self/status")?;
    Ok(missing_in(effective(&status).unwrap_or(0)))
}

fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn missing_in(effective: u64) -> Option<Missing> {
    let has = |capability: u32| effective & (1 << capability) != 0;
    if has(CAP_SYS_ADMIN) {
        return None;
    }
    let missing: Vec<_> = [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON")]
        .into_iter()
        .filter(|(capability, _)| !has(*capability))
        .map(|(_, name)| name)
        .collect();
    (!missing.is_empty()).then_some(Missing(missing))
}

#[cfg(test)]
mod tests {
    use super::{effective, missing_in};

    fn check(line: &str, expected: Option<&str>) {
        let missing = missing_in(effective(&format!("Name:\tx\nCapEff:\t{line}\n")).expect("a number"));
        assert_eq!(missing.map(|missing| missing.to_string()).as_deref(), expected, "{line}");
    }

    #[test]
    fn names_what_is_missing() {
        check("000001ffffffffff", None);
        check("0000000000200000", None);
        check("000000c000000000", None);
        check("0000008000000000", Some("CAP_PERFMON"));
        check("0000004000000000", Some("CAP_BPF"));
        check("0000000000000000", Some("CAP_BPF and CAP_PERFMON"));
    }
}
