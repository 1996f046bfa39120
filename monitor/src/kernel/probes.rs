//! Loads and attaches the BPF programs, and detaches them on drop. The object is told what the running kernel looks
//! like through frozen globals, so one object serves all kernels.

use std::{
    fs,
    io::{self, Write as _},
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
    path::{Path, PathBuf},
};

use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader,
    maps::{Map, MapError},
    programs::{BtfTracePoint, Program, ProgramError},
};
use resetmon_common::layout::{
    DEFAULT_CLOSED, DEFAULT_RING_BYTES, MAP_CLOSED, MAP_EVENTS, MAP_IGNORED, MAP_LISTENERS, MAP_LOST,
    MAP_RECEIVED, MAP_REMEMBERED, MAP_SENT, MAP_SOCKET_HASH, MAP_TREE, MAP_TREE_LOST,
};

use super::{
    btf::BtfReader,
    costs::Programs,
    counters::{Counters, Missed, Remembered},
    error::KernelError,
    events::EventStream,
    layout::{Features, KernelLayout},
    locked_memory, optional, privilege,
    selection::ProbeSelection,
    status::{Mechanism, Outcome, ProbeNeed, ProbeStatus},
    tree::ProcessTree,
};

/// Where the kernel shows its type information.
pub const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// Tracepoints that must be attached, by the name of the program as well, and what they give.
const REQUIRED: [(&str, &str); 4] = [
    ("inet_sock_set_state", "who owns a socket, and since when it is connected"),
    ("tcp_receive_reset", "resets that hit this host's sockets"),
    ("tcp_send_reset", "resets that this host sends"),
    ("tcp_destroy_sock", "who closes a socket that was reset, and when its record can be forgotten"),
];

/// The one that follows the processes of a command, while one is watched, and what it gives.
const FOLLOWING: (&str, &str) = ("sched_process_fork", "which processes a command starts");

/// The one that tells of modules, while a probe waits for one.
const WAKING: &str = "module_load";

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/resetmon-ebpf"));

/// How the probes are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOptions {
    /// Size of the ring buffer in bytes: a power of two, at least a page.
    pub ring_bytes: u32,
    /// How many closed connections are remembered.
    pub closed: u32,
    /// Which optional probes are tried.
    pub selection: ProbeSelection,
    /// Whether the processes of a command are followed.
    pub follows_processes: bool,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            ring_bytes: DEFAULT_RING_BYTES,
            closed: DEFAULT_CLOSED,
            selection: ProbeSelection::default(),
            follows_processes: false,
        }
    }
}

impl ProbeOptions {
    /// Whether a kernel would take them, as far as that is known without it.
    pub fn check(&self) -> Result<(), KernelError> {
        let (got, page) = (self.ring_bytes, u32::try_from(procfs::page_size()).unwrap_or(4096));
        if got.is_power_of_two() && got >= page { Ok(()) } else { Err(KernelError::RingSize { got, page }) }
    }
}

/// Attached probes; dropping them detaches.
pub struct Probes {
    ebpf: Ebpf,
    statuses: Vec<ProbeStatus>,
    layout: KernelLayout,
    /// How many closed connections and listeners there is room for.
    closed: u32,
}

impl Probes {
    /// Loads and attaches what is required, and what is asked for and possible of the rest.
    pub fn attach(options: &ProbeOptions) -> Result<Self, KernelError> {
        options.check()?;
        if let Some(missing) = privilege::missing().map_err(procfs_error)? {
            return Err(KernelError::Permission { missing });
        }
        let layout = read_layout(Path::new(BTF_PATH))?;
        let mut ebpf = load(&layout, options)?;
        #[cfg(feature = "bpf-log")]
        super::log::start(&mut ebpf);
        let statuses = attach(&mut ebpf, &layout, options)?;
        give_memory_back();
        Ok(Self { ebpf, statuses, layout, closed: options.closed })
    }

    /// What became of each probe.
    pub fn statuses(&self) -> &[ProbeStatus] {
        &self.statuses
    }

    /// Whether resets that no full socket sends, for closed ports and `TIME_WAIT`, are seen where they are sent.
    pub fn see_resets_without_socket(&self) -> bool {
        let attached = |name| self.statuses.iter().any(|status| status.name == name && status.is_attached());
        self.layout.features.send_reset_without_socket
            || attached("tcp_v4_send_reset") && attached("tcp_v6_send_reset")
    }

    /// Whether resets that netfilter makes are seen. While its module is not there, it makes none.
    pub fn see_resets_of_firewall(&self) -> bool {
        let waits = |status: &ProbeStatus| matches!(status.outcome, Outcome::Waiting { .. });
        ["nf_send_reset", "nf_send_reset6"].into_iter().all(|name| {
            self.statuses.iter().any(|status| status.name == name && (status.is_attached() || waits(status)))
        })
    }

    /// Whether a probe waits for a module to be loaded.
    pub fn is_waiting(&self) -> bool {
        self.statuses.iter().any(|status| matches!(status.outcome, Outcome::Waiting { .. }))
    }

    /// Tries again what waits for a module; tells whether anything has changed.
    pub fn attach_waiting(&mut self) -> bool {
        optional::attach_waiting(&mut self.ebpf, &mut self.statuses)
    }

    /// What the running kernel looks like.
    pub fn layout(&self) -> &KernelLayout {
        &self.layout
    }

    /// The stream of events. It can be taken once.
    pub fn take_events(&mut self) -> Result<EventStream, KernelError> {
        let map = self.take(MAP_EVENTS)?.try_into();
        EventStream::new(map.map_err(|source| KernelError::Map { name: MAP_EVENTS, source })?)
    }

    /// The exact counters. They can be taken once.
    pub fn take_counters(&mut self) -> Result<Counters, KernelError> {
        let missed = Missed {
            tcp_send_reset: self.descriptor("tcp_send_reset")?,
            tcp_receive_reset: self.descriptor("tcp_receive_reset")?,
        };
        let room = self.closed;
        let mut counters =
            |name| self.take(name)?.try_into().map_err(|source| KernelError::Map { name, source });
        let remembered = Remembered { given: counters(MAP_REMEMBERED)?, room };
        Ok(Counters::new(
            counters(MAP_SENT)?,
            counters(MAP_RECEIVED)?,
            counters(MAP_LOST)?,
            counters(MAP_IGNORED)?,
            remembered,
            missed,
        ))
    }

    /// The processes that are followed, with [`ProbeOptions::follows_processes`]. They can be taken once.
    pub fn take_tree(&mut self) -> Result<ProcessTree, KernelError> {
        let members = self.take(MAP_TREE)?.try_into();
        let lost = self.take(MAP_TREE_LOST)?.try_into();
        Ok(ProcessTree::new(
            members.map_err(|source| KernelError::Map { name: MAP_TREE, source })?,
            lost.map_err(|source| KernelError::Map { name: MAP_TREE_LOST, source })?,
        ))
    }

    /// The programs that are loaded.
    pub fn programs(&self) -> Programs {
        let loaded = self.ebpf.programs().filter_map(|(name, program)| {
            let descriptor = program.fd().ok()?.as_fd().try_clone_to_owned().ok()?;
            Some((name.to_owned(), descriptor))
        });
        Programs { loaded: loaded.collect() }
    }

    /// Descriptor of a loaded program, which lives as long as this.
    fn descriptor(&self, probe: &'static str) -> Result<RawFd, KernelError> {
        let program = self.ebpf.program(probe).ok_or(ProgramError::NotLoaded);
        let descriptor = program.and_then(|program| match program {
            Program::BtfTracePoint(program) => Ok(program.fd()?.as_fd().as_raw_fd()),
            _ => Err(ProgramError::UnexpectedProgramType),
        });
        descriptor.map_err(|source| KernelError::Attach { probe, source })
    }

    fn take(&mut self, name: &'static str) -> Result<Map, KernelError> {
        let missing = || KernelError::Map { name, source: MapError::InvalidName { name: name.to_owned() } };
        self.ebpf.take_map(name).ok_or_else(missing)
    }
}

/// `uname -r`.
pub fn kernel_release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "unknown".to_owned(), |release| release.trim().to_owned())
}

/// Reads the layout of the running kernel.
pub fn read_layout(path: &Path) -> Result<KernelLayout, KernelError> {
    let bytes = fs::read(path).map_err(|source| KernelError::NoBtf {
        path: path.to_owned(),
        release: kernel_release(),
        source,
    })?;
    let layout = BtfReader::parse(&bytes).map_err(Into::into).and_then(|btf| KernelLayout::from_btf(&btf));
    layout.map_err(|source| KernelError::Layout { release: kernel_release(), source })
}

fn procfs_error(source: io::Error) -> KernelError {
    KernelError::Procfs { path: PathBuf::from("/proc"), source }
}

fn load(layout: &KernelLayout, options: &ProbeOptions) -> Result<Ebpf, KernelError> {
    let features = layout.features;
    let flags = [
        ("HAS_REASON", u8::from(features.send_reset_reason)),
        ("HAS_SK_STORAGE", u8::from(features.socket_storage)),
        ("HAS_COOKIE", u8::from(features.socket_cookie)),
        ("ACCEPT_HAS_FOUR", u8::from(features.accept_has_four)),
    ];
    let abort_on_data = layout.reasons.number("TCP_ABORT_ON_DATA").unwrap_or(u32::MAX);

    let mut loader = EbpfLoader::new();
    for (name, offset) in &layout.offsets {
        loader.override_global(name, offset, true);
    }
    for (name, flag) in &flags {
        loader.override_global(name, flag, true);
    }
    loader.override_global("REASON_ABORT_ON_DATA", &abort_on_data, true);
    loader.map_max_entries(MAP_EVENTS, options.ring_bytes);
    loader.map_max_entries(MAP_CLOSED, options.closed);
    if features.socket_storage {
        // Every map of the object is created; these two are not used then.
        loader.map_max_entries(MAP_SOCKET_HASH, 1);
        loader.map_max_entries(MAP_LISTENERS, 1);
    }
    if !options.follows_processes {
        loader.map_max_entries(MAP_TREE, 1);
    }
    loader.load(OBJECT).map_err(|error| object_error(error, features))
}

fn object_error(error: EbpfError, features: Features) -> KernelError {
    let refused = |source: &io::Error| source.raw_os_error() == Some(libc::EPERM);
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error, .. }) if refused(&io_error) => {
            refusal(format!("the map {name}"), io_error, features)
        }
        other => KernelError::Object(other),
    }
}

/// Why the kernel does not permit something although the capabilities are there.
fn refusal(operation: String, source: io::Error, features: Features) -> KernelError {
    match features.charges_locked_memory.then(locked_memory::in_the_way).flatten() {
        Some(limit) => KernelError::LockedMemory { operation, limit, source },
        None => KernelError::Forbidden { operation, source },
    }
}

fn attach(
    ebpf: &mut Ebpf,
    layout: &KernelLayout,
    options: &ProbeOptions,
) -> Result<Vec<ProbeStatus>, KernelError> {
    let btf = Btf::from_sys_fs().map_err(|error| KernelError::Object(error.into()))?;
    let mut statuses = Vec::new();
    let following = options.follows_processes.then_some(FOLLOWING);
    for (name, gives) in REQUIRED.into_iter().chain(following) {
        attach_one(ebpf, name, &btf, layout.features)?;
        let outcome = Outcome::Attached(Mechanism::TpBtf);
        statuses.push(ProbeStatus { name, need: ProbeNeed::Required, outcome, gives });
    }
    statuses.extend(optional::attach(ebpf, &btf, layout.features, &options.selection));
    if statuses.iter().any(|status| matches!(status.outcome, Outcome::Waiting { .. })) {
        // Without it a module is noticed with the next reset.
        let _ = attach_one(ebpf, WAKING, &btf, layout.features);
    }
    Ok(statuses)
}

fn attach_one(
    ebpf: &mut Ebpf,
    probe: &'static str,
    btf: &Btf,
    features: Features,
) -> Result<(), KernelError> {
    let program: &mut BtfTracePoint = ebpf
        .program_mut(probe)
        .ok_or(ProgramError::NotLoaded)
        .and_then(std::convert::TryInto::try_into)
        .map_err(|source| KernelError::Attach { probe, source })?;
    program.load(probe, btf).map_err(|error| load_error(probe, error, features))?;
    program.attach().map(|_link| ()).map_err(|source| KernelError::Attach { probe, source })
}

fn load_error(probe: &'static str, error: ProgramError, features: Features) -> KernelError {
    match error {
        ProgramError::LoadError { io_error, verifier_log } if verifier_log.to_string().is_empty() => {
            refusal(format!("the probe {probe}"), io_error, features)
        }
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = keep_log(probe, &verifier_log.to_string())
                .unwrap_or_else(|error| PathBuf::from(format!("(not kept: {error})")));
            KernelError::ProbeRefused { probe, release: kernel_release(), log, source: io_error }
        }
        source => KernelError::Attach { probe, source },
    }
}

/// Writes the verifier's log to a new file that nobody else can have laid out.
fn keep_log(probe: &str, log: &str) -> io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("resetmon-{probe}-{}.verifier.log", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    file.write_all(log.as_bytes())?;
    Ok(path)
}

/// Parsing the kernel's type information takes tens of megabytes for a moment; the allocator would keep them.
fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
