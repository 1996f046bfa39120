//! What the running kernel can show, asked of its own type information, and what tests expect of it. A version only says
//! from when on a feature must be there: lacking it from then on is a failure, so no test is left out unnoticed.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    sync::OnceLock,
    thread,
};

use serde_json::Value;

use crate::Absent;

const BTF: &str = "/sys/kernel/btf/vmlinux";
/// Is there where BPF programs can be attached to functions of the kernel's, without the help of a tracepoint.
const KPROBES: &str = "/sys/bus/event_source/devices/kprobe";
const PARANOIA: &str = "/proc/sys/kernel/perf_event_paranoid";
const REASON_PREFIX: &str = "SK_RST_REASON_";
/// The struct that the charge for a map was kept in, which went with the charge.
const MAP_MEMORY: &str = "bpf_map_memory";
/// A reason for dropping a segment that TCP itself gives.
const TCP_DROP: &str = "SKB_DROP_REASON_TCP_RESET";
/// What makes such calls, in kernels for processors whose older ones cannot.
const DIRECT_CALL: &str = "register_ftrace_direct";
const IS_X86: bool = cfg!(target_arch = "x86_64");
/// The reason of every reset that the kernel gives none.
const NOT_SPECIFIED: &str = "NOT_SPECIFIED";
/// What metrics say instead of a reason where the kernel has none at all.
const UNAVAILABLE: &str = "unavailable";
/// The file that names tests which were skipped, a line each.
const SKIPS: &str = "RESETMON_SKIPS";

/// Something that not every supported kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `tcp_send_reset` tells why an answer to a packet is a reset.
    AnswerReasons,
    /// `tcp_send_reset` tells why any reset is sent.
    SendResetReasons,
    /// `tcp_send_reset` tells of resets that no full socket sends: closed ports and connections in `TIME_WAIT`.
    SendResetWithoutSocket,
    /// Packets that TCP drops have reasons of TCP's own.
    TcpDropReasons,
    /// Memory of BPF maps is not charged to `RLIMIT_MEMLOCK`, which only `CAP_SYS_RESOURCE` can raise.
    MapsBeyondLockedMemory,
    /// Programs are attached to functions by a call in place of a breakpoint: fentry and fexit.
    DirectCalls,
}

impl Feature {
    /// The first kernel that must have it.
    pub fn since(self) -> Version {
        match self {
            // Reasons, and a tracepoint for every answer, came in one series.
            Self::AnswerReasons | Self::SendResetWithoutSocket => Version(6, 10),
            Self::SendResetReasons => Version(6, 12),
            Self::TcpDropReasons => Version(5, 18),
            Self::MapsBeyondLockedMemory => Version(5, 11),
            Self::DirectCalls if IS_X86 => Version(5, 5),
            Self::DirectCalls => Version(6, 4),
        }
    }

    /// What a kernel without it lacks, in a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerReasons => "reasons of resets that answer a packet",
            Self::SendResetReasons => "reasons of all resets",
            Self::SendResetWithoutSocket => "the tracepoint for resets without a socket",
            Self::TcpDropReasons => "reasons for dropping TCP segments",
            Self::MapsBeyondLockedMemory => "maps that are not charged as locked memory",
            Self::DirectCalls => "fentry and fexit",
        }
    }

    /// Whether the running kernel has it; panics where it must and has not.
    #[track_caller]
    pub fn is_here(self) -> bool {
        let found = match self {
            Self::AnswerReasons | Self::SendResetWithoutSocket => kernel_reasons().contains("NO_SOCKET"),
            Self::SendResetReasons => kernel_reasons().contains("TCP_ABORT_ON_CLOSE"),
            Self::TcpDropReasons => names().contains(TCP_DROP),
            Self::MapsBeyondLockedMemory => !names().contains(MAP_MEMORY),
            Self::DirectCalls => IS_X86 || names().contains(DIRECT_CALL),
        };
        let (running, since) = (Version::running(), self.since());
        assert!(
            found || running < since,
            "Linux {running} must have {}, which are there since {since}",
            self.name()
        );
        found
    }
}

/// Whether the test can be run. If not, it is on record as skipped, and has to return.
#[track_caller]
#[must_use = "a test that is skipped has to return"]
pub fn requires(feature: Feature) -> bool {
    let here = feature.is_here();
    if !here {
        record_skip(feature.name(), feature.since());
    }
    here
}

/// The same for what only a kernel without the feature can show.
#[track_caller]
#[must_use = "a test that is skipped has to return"]
pub fn requires_lack_of(feature: Feature) -> bool {
    let here = feature.is_here();
    if here {
        record(&format!(
            "skipped {}: needs a kernel before {}, without {}",
            test_name(),
            feature.since(),
            feature.name()
        ));
    }
    !here
}

/// Whether a test of an optional probe can be run: the kernel has kprobes, and all that the probe needs `since` this
/// version. Where it has, the probe must be attached, so the test fails when the product could not.
#[must_use = "a test that is skipped has to return"]
pub fn requires_probe(name: &str, since: Version) -> bool {
    let here = Path::new(KPROBES).exists() && Version::running() >= since;
    if !here {
        record_skip(&format!("the probe {name}, hence kprobes or fentry"), since);
    }
    here
}

/// The same for a test of one of its mechanisms, as `--probes` names them.
#[track_caller]
#[must_use = "a test that is skipped has to return"]
pub fn requires_probe_by(mechanism: &str, name: &str, since: Version) -> bool {
    requires_probe(name, since) && (mechanism != "fentry" || requires(Feature::DirectCalls))
}

/// Whether a test can begin without `module`, which has the function `function`, and bring it then.
#[must_use = "a test that is skipped has to return"]
pub fn requires_absent(module: &str, function: &str) -> Option<Absent> {
    let absent = Absent::make(module, function);
    if absent.is_none() {
        record(&format!(
            "skipped {}: needs a kernel where {module} is a module that is not loaded yet",
            test_name()
        ));
    }
    absent
}

fn record_skip(want: &str, since: Version) {
    record(&format!("skipped {}: needs {want} (since {since})", test_name()));
}

/// The harness of Rust's tests names a test's thread after it.
fn test_name() -> String {
    thread::current().name().unwrap_or("?").to_owned()
}

#[expect(clippy::print_stderr, reason = "who runs the test binary by hand has to see it as well")]
fn record(line: &str) {
    eprintln!("{line}");
    let Some(path) = env::var_os(SKIPS) else { return };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    // One write, so that two tests at once do not mix their lines.
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.unwrap_or_else(|error| panic!("cannot write to {}: {error}", path.display()));
}

/// Whether resets that no full socket sends are seen where they are sent. Where not, the receiver still sees them.
///
/// Asks the kernel and not the product: a probe that ought to be attached and is not has to fail tests.
#[track_caller]
pub fn sees_resets_without_socket() -> bool {
    Feature::SendResetWithoutSocket.is_here() || Path::new(KPROBES).exists()
}

/// How the owner of an accepted connection is known while it holds the connection: it was seen to accept it, or found by
/// its descriptor.
pub fn owner_from_accept() -> &'static str {
    if Path::new(KPROBES).exists() { "accept" } else { "holder" }
}

/// The same, of one that closes the connection: without having been seen to accept, it is the current task.
pub fn owner_from_close() -> &'static str {
    if Path::new(KPROBES).exists() { "accept" } else { "current" }
}

/// The same with `CAP_BPF` and `CAP_PERFMON` alone, which may not be enough for a kprobe.
#[track_caller]
pub fn perfmon_sees_resets_without_socket() -> bool {
    Feature::SendResetWithoutSocket.is_here()
        || Path::new(KPROBES).exists() && (Feature::DirectCalls.is_here() || !kprobes_need_admin())
}

/// Whether kprobes need `CAP_SYS_ADMIN`: levels from 3 on are an addition of Debian's and Ubuntu's.
pub fn kprobes_need_admin() -> bool {
    let level = fs::read_to_string(PARANOIA).unwrap_or_else(|error| panic!("{PARANOIA}: {error}"));
    level.trim().parse::<i64>().expect("a number") >= 3
}

/// What events of the running kernel have as `kernel_reason` for a reset with this reason.
#[track_caller]
pub fn kernel_reason(name: &str) -> Value {
    told_reason(name).map_or(Value::Null, Value::from)
}

/// What metrics of the running kernel have as the label `reason` for a reset with this reason.
#[track_caller]
pub fn reason_label(name: &str) -> &str {
    told_reason(name).unwrap_or(UNAVAILABLE)
}

#[track_caller]
fn told_reason(name: &str) -> Option<&str> {
    let all = Feature::SendResetReasons.is_here();
    if all || (Feature::AnswerReasons.is_here() && kernel_reasons().contains(name)) {
        Some(name)
    } else {
        Feature::AnswerReasons.is_here().then_some(NOT_SPECIFIED)
    }
}

/// The names in the kernel's `enum sk_rst_reason`, without their prefix; none where there is no such enum.
fn kernel_reasons() -> BTreeSet<&'static str> {
    names().iter().filter_map(|name| name.strip_prefix(REASON_PREFIX)).collect()
}

/// Those names in the kernel's type information that features are told by.
fn names() -> &'static BTreeSet<String> {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let btf = fs::read(BTF).unwrap_or_else(|error| panic!("cannot read {BTF}: {error}"));
        telling_names(&btf)
    })
}

/// Every name in type information follows a zero byte and ends with one.
fn telling_names(btf: &[u8]) -> BTreeSet<String> {
    let tells = |name: &&[u8]| {
        name.starts_with(REASON_PREFIX.as_bytes())
            || [MAP_MEMORY, TCP_DROP, DIRECT_CALL].map(str::as_bytes).contains(name)
    };
    let names = btf.split(|byte| *byte == 0).filter(tells);
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// The first two numbers of a kernel's release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    fn running() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel has a release");
        Self::parse(&release).unwrap_or_else(|| panic!("{release:?} is no release"))
    }

    fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|character: char| !character.is_ascii_digit());
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        let check = |release: &str, expected| assert_eq!(Version::parse(release), expected, "{release}");
        check("5.10.0-32-cloud-amd64", Some(Version(5, 10)));
        check("6.12.117+deb12-cloud-amd64\n", Some(Version(6, 12)));
        check("7.3-rc1", Some(Version(7, 3)));
        check("7", None);
        check("", None);
        assert!(Version(6, 9) < Version(6, 10) && Version(6, 12) < Version(7, 0));
    }

    #[test]
    fn names_in_type_information() {
        let btf = b"\x9f\xeb\0sk_rst_reason\0SK_RST_REASON_NO_SOCKET\0X_SK_RST_REASON_A\0bpf_map_memory\0bpf_map_memory2\0";
        let expected = ["SK_RST_REASON_NO_SOCKET", "bpf_map_memory"].map(str::to_owned);
        assert_eq!(telling_names(btf), BTreeSet::from(expected));
        assert_eq!(telling_names(b""), BTreeSet::new());
    }
}
