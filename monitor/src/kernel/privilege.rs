//! Which capabilities the process has, and dropping them once they have served. Loading needs `CAP_BPF` and
//! `CAP_PERFMON`, or `CAP_SYS_ADMIN` in their place. Deliberately lacks a change of user: uid 0 without capabilities still
//! owns root's files, and nothing else.

use std::{fmt, fs, io};

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

/// A capability that resetmon has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Load BPF programs.
    Bpf,
    /// Attach them, and let them read kernel memory.
    Perfmon,
    /// Stands in for the two on any kernel.
    SysAdmin,
    /// Look into the descriptors of other processes, and open control groups by their ids.
    DacReadSearch,
    /// Read which executable another process runs and which namespaces it is in.
    SysPtrace,
    /// Read the addresses of the kernel's symbols.
    Syslog,
    /// Configure the network.
    NetAdmin,
    /// Listen on ports below 1024.
    NetBindService,
}

impl Capability {
    /// Every one of them.
    pub const ALL: [Self; 8] = [
        Self::Bpf,
        Self::Perfmon,
        Self::SysAdmin,
        Self::DacReadSearch,
        Self::SysPtrace,
        Self::Syslog,
        Self::NetAdmin,
        Self::NetBindService,
    ];

    /// The kernel's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bpf => "CAP_BPF",
            Self::Perfmon => "CAP_PERFMON",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::Syslog => "CAP_SYSLOG",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
        }
    }

    fn bit(self) -> CapabilitySet {
        match self {
            Self::Bpf => CapabilitySet::BPF,
            Self::Perfmon => CapabilitySet::PERFMON,
            Self::SysAdmin => CapabilitySet::SYS_ADMIN,
            Self::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
            Self::SysPtrace => CapabilitySet::SYS_PTRACE,
            Self::Syslog => CapabilitySet::SYSLOG,
            Self::NetAdmin => CapabilitySet::NET_ADMIN,
            Self::NetBindService => CapabilitySet::NET_BIND_SERVICE,
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(CapabilitySet);

impl Capabilities {
    /// The effective ones in the text of `/proc/PID/status`.
    pub fn effective_in(status: &str) -> Option<Self> {
        Self::in_line(status, "CapEff:")
    }

    /// The permitted ones in it.
    fn permitted_in(status: &str) -> Option<Self> {
        Self::in_line(status, "CapPrm:")
    }

    fn in_line(status: &str, name: &str) -> Option<Self> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok().map(CapabilitySet::from_bits_retain).map(Self)
    }

    /// Exactly these.
    pub fn of(capabilities: &[Capability]) -> Self {
        Self(capabilities.iter().map(|capability| capability.bit()).collect())
    }

    /// Whether this one is among them.
    pub fn has(self, capability: Capability) -> bool {
        self.0.contains(capability.bit())
    }

    /// Those that loading the probes needs and that are not among these; `None` when nothing is missing.
    pub fn missing(self) -> Option<Missing> {
        if self.has(Capability::SysAdmin) {
            return None;
        }
        let missing: Vec<_> = [Capability::Bpf, Capability::Perfmon]
            .into_iter()
            .filter(|capability| !self.has(*capability))
            .map(Capability::as_str)
            .collect();
        (!missing.is_empty()).then_some(Missing(missing))
    }
}

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
    Ok(Capabilities::effective_in(&status).unwrap_or_else(|| Capabilities::of(&[])).missing())
}

/// What a kernel asks of who attaches a kprobe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KprobesNeed {
    /// `CAP_PERFMON`.
    #[default]
    Perfmon,
    /// `CAP_SYS_ADMIN`.
    SysAdmin,
}

impl KprobesNeed {
    /// That of a kernel with this `kernel.perf_event_paranoid`. Debian and Ubuntu add the levels from 3 on.
    pub fn by_paranoia(perf_event_paranoid: Option<i64>) -> Self {
        if perf_event_paranoid.is_some_and(|level| level >= 3) { Self::SysAdmin } else { Self::Perfmon }
    }

    /// That of the running kernel.
    pub fn of_this_kernel() -> Self {
        let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
        Self::by_paranoia(level.ok().and_then(|level| level.trim().parse().ok()))
    }
}

/// What is still to be done after the drop, and needs capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Later {
    /// Probes may be attached, when a kernel module that has their function comes.
    pub attaches: bool,
    /// What this kernel asks of who attaches a kprobe.
    pub kprobes: KprobesNeed,
    /// A port below 1024 is listened on.
    pub listens_below_1024: bool,
}

/// What was kept when capabilities were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Names of the capabilities that are left.
    pub kept: Vec<&'static str>,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kept.as_slice() {
            [] => f.write_str("dropped all capabilities"),
            kept => write!(f, "dropped all capabilities but {}", kept.join(", ")),
        }
    }
}

/// Why capabilities were not dropped, or not of every thread.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// They belong to a thread, and another one would keep some that are dropped here.
    #[error("cannot drop the capabilities of other threads")]
    Threads,
    /// The system refuses.
    #[error("cannot {operation}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

fn refused(operation: &'static str) -> impl Fn(rustix::io::Errno) -> DropError {
    move |errno| DropError::Refused { operation, source: errno.into() }
}

/// Drops every capability that has served, from all sets, and forbids this process and its children to gain any by
/// executing a file. `works` uses what is attached (reads a map, say): kernels before 5.11 need `CAP_BPF` for that, and
/// nothing but trying tells. A capability that is cleared in the effective set can be raised again as long as it is
/// permitted, so the trial takes nothing away.
///
/// Capabilities belong to a thread and are inherited by those that it starts. So this is to be called while there is
/// only one, or once the others have dropped as many (`drop_in_thread`). Children get no capabilities; none of
/// resetmon's needs one.
pub fn drop_after_attach(later: Later, works: impl Fn() -> bool) -> Result<Dropped, DropError> {
    let kept = drop_but_what_is_needed(later, works)?;
    let reading = |source| DropError::Refused { operation: "look at the other threads", source };
    if others_have_no_more_than(kept).map_err(reading)? {
        Ok(Dropped { kept: names(kept) })
    } else {
        Err(DropError::Threads)
    }
}

/// The same for a thread that was started after the first drop and has less to do than the one that started it.
pub fn drop_in_thread(later: Later, works: impl Fn() -> bool) -> Result<(), DropError> {
    drop_but_what_is_needed(later, works).map(|_kept| ())
}

/// Whether no thread of this process is permitted more than these.
fn others_have_no_more_than(kept: Capabilities) -> io::Result<bool> {
    for thread in fs::read_dir("/proc/self/task")? {
        let status = match fs::read_to_string(thread?.path().join("status")) {
            Ok(status) => status,
            // It has ended meanwhile.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => continue,
            Err(error) => return Err(error),
        };
        if Capabilities::permitted_in(&status).is_none_or(|permitted| !kept.0.contains(permitted.0)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn drop_but_what_is_needed(later: Later, works: impl Fn() -> bool) -> Result<Capabilities, DropError> {
    let before = capabilities(None).map_err(refused("read the own capabilities"))?;
    let kept = choose(Capabilities(before.permitted), later, |try_with| {
        let effective = try_with.0 & before.effective;
        let cleared = set_capabilities(None, CapabilitySets { effective, ..before });
        let works = cleared.is_ok() && works();
        // What is permitted can be made effective again.
        set_capabilities(None, before).map(|()| works)
    })
    .map_err(refused("try with fewer capabilities"))?;

    keep_only(kept, before)?;
    Ok(kept)
}

/// Drops every capability of the calling thread, for good.
pub fn drop_all() -> Result<(), DropError> {
    let before = capabilities(None).map_err(refused("read the own capabilities"))?;
    keep_only(Capabilities::of(&[]), before)
}

fn keep_only(kept: Capabilities, before: CapabilitySets) -> Result<(), DropError> {
    set_no_new_privs(true).map_err(refused("forbid new privileges"))?;
    // Before 4.3 there is no ambient set.
    let _ = clear_ambient_capability_set();
    clear_bounding_set();
    let after = CapabilitySets {
        effective: kept.0 & before.effective,
        permitted: kept.0,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, after).map_err(refused("drop capabilities"))
}

/// The capabilities to keep: the fewest with which everything works, if that can be told.
fn choose<E>(
    permitted: Capabilities,
    later: Later,
    mut works_with: impl FnMut(Capabilities) -> Result<bool, E>,
) -> Result<Capabilities, E> {
    let mut wanted = vec![Capability::DacReadSearch, Capability::SysPtrace];
    if later.listens_below_1024 {
        wanted.push(Capability::NetBindService);
    }
    let loading = [Capability::Bpf, Capability::Perfmon];
    if later.attaches {
        let whole = loading.iter().all(|capability| permitted.has(*capability));
        // Where the kernel asks for more than there is, it may ask in vain: its level can be one that it does not know.
        let strict = later.kprobes == KprobesNeed::SysAdmin && permitted.has(Capability::SysAdmin);
        wanted.extend(if whole { &loading[..] } else { &[] });
        wanted.extend((strict || !whole).then_some(Capability::SysAdmin));
    }
    let least = Capabilities(Capabilities::of(&wanted).0 & permitted.0);
    for more in [None, Some(Capability::Bpf), Some(Capability::SysAdmin)] {
        let more = more.map_or_else(CapabilitySet::empty, Capability::bit) & permitted.0;
        let tried = Capabilities(least.0 | more);
        if works_with(tried)? {
            return Ok(tried);
        }
    }
    // It works with none of these, so they are not what it lacks.
    Ok(least)
}

/// Without `CAP_SETPCAP` the bounding set stays; it then bounds what cannot be gained anyway.
fn clear_bounding_set() {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(one) {
            Ok(true) => {
                let _ = remove_capability_from_bounding_set(one);
            }
            Ok(false) => {}
            Err(_) => break,
        }
    }
}

fn names(of: Capabilities) -> Vec<&'static str> {
    Capability::ALL.into_iter().filter(|one| of.has(*one)).map(Capability::as_str).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{
        Capabilities,
        Capability::{self, Bpf, DacReadSearch, NetAdmin, NetBindService, Perfmon, SysAdmin, SysPtrace},
        Dropped, KprobesNeed, Later, choose, names,
    };

    #[test]
    fn names_what_is_missing() {
        let check = |line: &str, expected: Option<&str>| {
            let status = format!("Name:\tx\nCapEff:\t{line}\n");
            let missing = Capabilities::effective_in(&status).expect("a number").missing();
            assert_eq!(missing.map(|missing| missing.to_string()).as_deref(), expected, "{line}");
        };
        check("000001ffffffffff", None);
        check("0000000000200000", None);
        check("000000c000000000", None);
        check("0000008000000000", Some("CAP_PERFMON"));
        check("0000004000000000", Some("CAP_BPF"));
        check("0000000000000000", Some("CAP_BPF and CAP_PERFMON"));
    }

    /// What is kept of `permitted` where reading needs one of `needed`.
    fn check(permitted: &[Capability], later: Later, needed: &[Capability], expected: &[Capability]) {
        let works = |with: Capabilities| {
            Ok::<_, Infallible>(needed.is_empty() || needed.iter().any(|one| with.has(*one)))
        };
        let Ok(kept) = choose(Capabilities::of(permitted), later, works);
        assert_eq!(names(kept), names(Capabilities::of(expected)), "{permitted:?} {later:?} {needed:?}");
    }

    #[test]
    fn keeps_what_is_needed() {
        let read = Later::default();
        let attach = Later { attaches: true, ..read };
        let listen = Later { listens_below_1024: true, ..read };
        let root = Capability::ALL;
        let unit = [Bpf, Perfmon, DacReadSearch, SysPtrace];
        check(&root, read, &[], &[DacReadSearch, SysPtrace]);
        check(&root, read, &[Bpf, SysAdmin], &[DacReadSearch, SysPtrace, Bpf]);
        check(&root, attach, &[], &unit);
        let strictly = Later { kprobes: KprobesNeed::SysAdmin, ..attach };
        check(&root, strictly, &[], &[Bpf, Perfmon, SysAdmin, DacReadSearch, SysPtrace]);
        check(&unit, strictly, &[], &unit);
        check(&root, Later { attaches: false, ..strictly }, &[], &[DacReadSearch, SysPtrace]);
        check(&root, listen, &[], &[DacReadSearch, SysPtrace, NetBindService]);
        check(&unit, read, &[], &[DacReadSearch, SysPtrace]);
        check(&unit, attach, &[Bpf, SysAdmin], &unit);
        check(&[Bpf, Perfmon], read, &[], &[]);
        check(&[SysAdmin], read, &[Bpf, SysAdmin], &[SysAdmin]);
        check(&[SysAdmin, NetAdmin], attach, &[], &[SysAdmin]);
        check(&[SysAdmin, NetAdmin], read, &[], &[]);
        // Nothing helps: then nothing is kept for it.
        check(&root, read, &[NetAdmin], &[DacReadSearch, SysPtrace]);
        check(&[], attach, &[], &[]);
    }

    #[test]
    fn what_kprobes_need() {
        let check = |level, expected| assert_eq!(KprobesNeed::by_paranoia(level), expected, "{level:?}");
        check(None, KprobesNeed::Perfmon);
        check(Some(-1), KprobesNeed::Perfmon);
        check(Some(2), KprobesNeed::Perfmon);
        check(Some(3), KprobesNeed::SysAdmin);
        check(Some(4), KprobesNeed::SysAdmin);
    }

    #[test]
    fn told_in_one_line() {
        assert_eq!(Dropped { kept: vec![] }.to_string(), "dropped all capabilities");
        let kept = vec!["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"];
        assert_eq!(
            Dropped { kept }.to_string(),
            "dropped all capabilities but CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE"
        );
    }
}
