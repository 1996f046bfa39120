//! The optional probes: each is tried by its mechanisms in turn, and its absence costs something that is named. Nothing
//! depends on the kernel's version; what its type information does not have is not tried.

use std::path::Path;

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, FEntry, FExit, KProbe, ProgramError, RawTracePoint},
};

use super::{
    layout::Features,
    seed::{self, Seeded},
    selection::{Asked, ProbeSelection},
    status::{Mechanism, Outcome, ProbeNeed, ProbeStatus},
};
use crate::notice::Chain;

/// A probe that is tried at start.
pub(super) struct OptionalProbe {
    /// Name of the kernel's function or tracepoint.
    pub(super) name: &'static str,
    need: ProbeNeed,
    gives: &'static str,
    /// The module that has the function, where it is not built in.
    module: fn(Features) -> Option<&'static str>,
    /// What speaks against trying it.
    objection: fn(Features) -> Option<Outcome>,
    /// How it is attached, in order of preference, and the program for each.
    pub(super) programs: &'static [(Mechanism, &'static str)],
}

/// Every optional probe.
pub(super) const OPTIONAL: &[OptionalProbe] = &[
    OptionalProbe {
        name: "task_file",
        need: ProbeNeed::Optional,
        gives: "who owns sockets that are older than resetmon",
        module: |_| None,
        objection: |_| None,
        programs: &[(Mechanism::Iterator, "task_file")],
    },
    OptionalProbe {
        name: "tcp_reset",
        need: ProbeNeed::Optional,
        gives: "the header of received RSTs, and at once whether they are RSTs at all",
        module: |_| None,
        objection: |features| {
            missing_unless(features.reset_packet, "before 5.11 tcp_reset() is not given the packet")
        },
        programs: &[(Mechanism::Fentry, "tcp_reset"), (Mechanism::Kprobe, "tcp_reset_kprobe")],
    },
    OptionalProbe {
        name: "inet_csk_accept",
        need: ProbeNeed::Optional,
        gives: "which process accepted a connection, where it is not the one that listens",
        module: |_| None,
        objection: |_| None,
        programs: &[
            (Mechanism::Fexit, "inet_csk_accept"),
            (Mechanism::Kretprobe, "inet_csk_accept_kretprobe"),
        ],
    },
    OptionalProbe {
        name: "tcp_init_transfer",
        need: ProbeNeed::Optional,
        gives: "the TTL at the handshake, which tells a peer's RST from an injected one",
        module: |_| None,
        objection: |features| {
            missing_unless(features.init_transfer_packet, "this tcp_init_transfer() is not given the packet")
        },
        programs: &[
            (Mechanism::Fentry, "tcp_init_transfer"),
            (Mechanism::Kprobe, "tcp_init_transfer_kprobe"),
        ],
    },
    OptionalProbe {
        name: "tcp_v4_send_reset",
        need: ProbeNeed::Optional,
        gives: "resets that this host sends for closed IPv4 ports and TIME_WAIT",
        module: |_| None,
        objection: |features| features.send_reset_without_socket.then_some(Outcome::NotNeeded),
        programs: &[
            (Mechanism::Fentry, "tcp_v4_send_reset"),
            (Mechanism::Kprobe, "tcp_v4_send_reset_kprobe"),
        ],
    },
    OptionalProbe {
        name: "tcp_v6_send_reset",
        need: ProbeNeed::Optional,
        gives: "resets that this host sends for closed IPv6 ports and TIME_WAIT",
        module: |_| None,
        objection: |features| features.send_reset_without_socket.then_some(Outcome::NotNeeded),
        programs: &[
            (Mechanism::Fentry, "tcp_v6_send_reset"),
            (Mechanism::Kprobe, "tcp_v6_send_reset_kprobe"),
        ],
    },
    OptionalProbe {
        name: "nf_send_reset",
        need: ProbeNeed::Optional,
        gives: "resets that the firewall makes for IPv4",
        module: |features| (!features.reject_built_in).then_some("nf_reject_ipv4"),
        objection: |_| None,
        programs: &[(Mechanism::Fentry, "nf_send_reset"), (Mechanism::Kprobe, "nf_send_reset_kprobe")],
    },
    OptionalProbe {
        name: "nf_send_reset6",
        need: ProbeNeed::Optional,
        gives: "resets that the firewall makes for IPv6",
        module: |features| (!features.reject6_built_in).then_some("nf_reject_ipv6"),
        objection: |_| None,
        programs: &[(Mechanism::Fentry, "nf_send_reset6"), (Mechanism::Kprobe, "nf_send_reset6_kprobe")],
    },
    OptionalProbe {
        name: "cgroup_mkdir",
        need: ProbeNeed::Optional,
        gives: "which control group a reset's socket was in, when that is gone and came after resetmon's start",
        module: |_| None,
        objection: |_| None,
        programs: &[(Mechanism::RawTp, "cgroup_mkdir")],
    },
    OptionalProbe {
        name: "kfree_skb",
        need: ProbeNeed::OptIn,
        gives: "how many RSTs the kernel ignored, and why",
        module: |_| None,
        objection: |features| {
            missing_unless(features.drop_reason, "before 5.17 the kernel tells no reason for a drop")
        },
        programs: &[(Mechanism::TpBtf, "kfree_skb")],
    },
];

fn missing_unless(there: bool, reason: &str) -> Option<Outcome> {
    (!there).then(|| Outcome::Missing(reason.to_owned()))
}

/// Tries every optional probe that is asked for.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    features: Features,
    selection: &ProbeSelection,
) -> Vec<ProbeStatus> {
    let status = |probe: &OptionalProbe, ebpf: &mut Ebpf| {
        let outcome = match selection.asked(probe.name, probe.need) {
            Asked::No => Outcome::NotAsked,
            asked => {
                let module = (probe.module)(features);
                (probe.objection)(features)
                    .unwrap_or_else(|| try_in_turn(ebpf, Some(btf), module, probe, asked))
            }
        };
        ProbeStatus { name: probe.name, need: probe.need, outcome, gives: probe.gives }
    };
    OPTIONAL.iter().map(|probe| status(probe, ebpf)).collect()
}

/// Tries again what waits for a module; tells whether anything has changed.
pub(super) fn attach_waiting(ebpf: &mut Ebpf, statuses: &mut [ProbeStatus]) -> bool {
    let mut changed = false;
    for status in statuses {
        let Outcome::Waiting { module } = status.outcome else { continue };
        let Some(probe) = OPTIONAL.iter().find(|probe| probe.name == status.name) else { continue };
        let outcome = try_in_turn(ebpf, None, Some(module), probe, Asked::Any);
        changed |= outcome != status.outcome;
        status.outcome = outcome;
    }
    changed
}

/// Tries the mechanisms of a probe, whose function may be in a module; without type information only those that need none.
fn try_in_turn(
    ebpf: &mut Ebpf,
    btf: Option<&Btf>,
    module: Option<&'static str>,
    probe: &OptionalProbe,
    asked: Asked,
) -> Outcome {
    let mut reasons = Vec::new();
    for (mechanism, program) in probe.programs {
        if btf.is_none() && !is_kprobe(*mechanism) {
            continue;
        }
        if matches!(asked, Asked::Only(only) if only != *mechanism) {
            continue;
        }
        if let Some(module) = module
            && is_kprobe(*mechanism)
            && has_kprobes()
            && !is_loaded(module)
        {
            return Outcome::Waiting { module };
        }
        let outcome = match mechanism {
            Mechanism::Iterator => run(ebpf, btf, program).map(Outcome::Ran),
            _ => {
                attach_one(ebpf, btf, *mechanism, program, probe.name).map(|()| Outcome::Attached(*mechanism))
            }
        };
        match outcome {
            Ok(outcome) => return outcome,
            Err(error) => reasons.push(reason(*mechanism, &error)),
        }
    }
    Outcome::Missing(reasons.join("; "))
}

fn is_kprobe(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Kprobe | Mechanism::Kretprobe)
}

fn is_loaded(module: &str) -> bool {
    Path::new("/sys/module").join(module).exists()
}

fn has_kprobes() -> bool {
    Path::new("/sys/bus/event_source/devices/kprobe/type").exists()
}

fn run(ebpf: &mut Ebpf, btf: Option<&Btf>, program: &str) -> Result<Seeded, ProgramError> {
    let program = ebpf.program_mut(program).ok_or(ProgramError::NotLoaded)?;
    seed::run(program.try_into()?, btf.ok_or(ProgramError::NotLoaded)?)
}

fn attach_one(
    ebpf: &mut Ebpf,
    btf: Option<&Btf>,
    mechanism: Mechanism,
    program: &str,
    function: &str,
) -> Result<(), ProgramError> {
    let program = ebpf.program_mut(program).ok_or(ProgramError::NotLoaded)?;
    let btf = || btf.ok_or(ProgramError::NotLoaded);
    match mechanism {
        Mechanism::TpBtf => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(function, btf()?)?;
            program.attach()?;
        }
        Mechanism::RawTp => {
            let program: &mut RawTracePoint = program.try_into()?;
            program.load()?;
            program.attach(function)?;
        }
        Mechanism::Fentry => {
            let program: &mut FEntry = program.try_into()?;
            program.load(function, btf()?)?;
            program.attach()?;
        }
        Mechanism::Fexit => {
            let program: &mut FExit = program.try_into()?;
            program.load(function, btf()?)?;
            program.attach()?;
        }
        Mechanism::Kprobe | Mechanism::Kretprobe => {
            let program: &mut KProbe = program.try_into()?;
            // A second try, once a module has come, finds the program loaded.
            match program.load() {
                Ok(()) | Err(ProgramError::AlreadyLoaded) => {}
                Err(error) => return Err(error),
            }
            program.attach(function, 0)?;
        }
        Mechanism::Iterator => return Err(ProgramError::UnexpectedProgramType),
    }
    Ok(())
}

/// Why a mechanism did not work, in a few words.
fn reason(mechanism: Mechanism, error: &ProgramError) -> String {
    let name = mechanism.as_str();
    match error {
        _ if is_kprobe(mechanism) && !has_kprobes() => "this kernel has no kprobes".to_owned(),
        ProgramError::LoadError { io_error, .. } if io_error.raw_os_error() == Some(libc::EPERM) => {
            format!("this kernel refuses {name}")
        }
        ProgramError::LoadError { io_error, verifier_log } => {
            format!(
                "{name} is refused: {}",
                objection_in(&verifier_log.to_string()).unwrap_or(&io_error.to_string())
            )
        }
        ProgramError::Btf(_) => format!("{name}: the kernel's type information does not have the function"),
        error => format!("{name}: {}", Chain(error)),
    }
}

/// What the verifier objects to: the last line of its log before the statistics.
fn objection_in(log: &str) -> Option<&str> {
    let statistics = ["verification time", "stack depth", "processed "];
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.rfind(|line| !statistics.iter().any(|start| line.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::objection_in;

    #[test]
    fn the_verifiers_objection_is_found() {
        let log = "0: (79) r6 = *(u64 *)(r1 +16)\nR2 type=scalar expected=ptr_\nverification time 7 usec\nstack depth 0\nprocessed 9 insns";
        assert_eq!(objection_in(log), Some("R2 type=scalar expected=ptr_"));
        assert_eq!(objection_in(""), None);
    }
}
