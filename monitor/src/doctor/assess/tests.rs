//! Kernels and privileges as data: what is found on each.

use super::assess;
use crate::{
    doctor::{
        facts::{
            AgentSocket, Btf, Cgroup, Facts, Failure, HostFacts, KernelFacts, Lockdown, Offers, Port,
            PrivilegeFacts, Procfs, Reasons, Seen, SelfTest,
        },
        finding::{
            Finding,
            Status::{self, Degraded, Info, Ok, Unusable},
            Verdict,
        },
        reconcile::{Compared, Comparison, Reconciliation, Uncompared},
    },
    kernel::{
        privilege::{Capabilities, Capability},
        status::{
            Mechanism::{self, Fentry, Fexit, Kprobe, TpBtf},
            Outcome, ProbeNeed, ProbeStatus,
        },
    },
};

const REFUSED: &str = "this kernel refuses fentry; this kernel has no kprobes";
const NO_CAPABILITIES: &str =
    "loading BPF programs needs CAP_BPF and CAP_PERFMON, which this process does not have";

/// What is expected of a finding: its name, its status, and a part of its value, costs or remedy.
type Expected<'a> = (&'a str, Status, &'a str);

#[track_caller]
fn check(facts: &Facts, verdict: Verdict, expected: &[Expected<'_>]) {
    let findings = assess(facts);
    for (name, status, part) in expected {
        let found: Vec<_> = findings.iter().filter(|finding| finding.name == *name).collect();
        let [finding] = found[..] else { panic!("{name}: {found:#?}") };
        assert_eq!(finding.status, *status, "{finding:#?}");
        let texts = [Some(&finding.value), finding.costs.as_ref(), finding.remedy.as_ref()];
        assert!(texts.into_iter().flatten().any(|text| text.contains(part)), "{part:?} in {finding:#?}");
    }
    assert_eq!(Verdict::of(&findings), verdict, "{:#?}", bad(&findings));
    // Whatever costs something says so, and whatever stops resetmon says how to go on.
    let silent = bad(&findings).into_iter().find(|finding| finding.costs.is_none());
    assert_eq!(silent, None);
}

fn bad(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.status >= Degraded).collect()
}

fn probe(name: &'static str, need: ProbeNeed, outcome: Outcome) -> ProbeStatus {
    ProbeStatus { name, need, outcome, gives: "what it gives" }
}

fn required() -> Vec<ProbeStatus> {
    let attached = |name| probe(name, ProbeNeed::Required, Outcome::Attached(TpBtf));
    ["inet_sock_set_state", "tcp_receive_reset", "tcp_send_reset"].map(attached).to_vec()
}

/// The required probes, and optional ones attached by a mechanism.
fn attached(optional: &[(&'static str, Mechanism)]) -> Vec<ProbeStatus> {
    let one = |&(name, mechanism): &(&'static str, Mechanism)| {
        probe(name, ProbeNeed::Optional, Outcome::Attached(mechanism))
    };
    required().into_iter().chain(optional.iter().map(one)).collect()
}

fn offers(reasons: Reasons) -> Offers {
    Offers {
        reasons,
        without_socket: reasons != Reasons::None,
        socket_storage: true,
        socket_cookie: true,
        charges_locked_memory: false,
        socket_inode: false,
        socket_cgroup: true,
        netns: true,
    }
}

/// Root on a host where nothing is missing.
fn facts(release: &str, offers: Offers, probes: Vec<ProbeStatus>) -> Facts {
    let agrees = Compared { counted: 1, least: 1, most: 1 };
    let nothing = Compared { counted: 0, least: 0, most: 0 };
    let comparison = Comparison {
        netns: 4_026_531_833,
        sent: agrees,
        open: Compared { counted: 2, least: 2, most: 2 },
        opening: nothing,
    };
    Facts {
        kernel: KernelFacts {
            release: release.to_owned(),
            arch: "x86_64",
            btf: Btf::Fit { path: "/sys/kernel/btf/vmlinux".to_owned(), size: 5_452_595, offers },
        },
        probes: Result::Ok(probes),
        privileges: PrivilegeFacts {
            effective: Some(Capabilities::of(&Capability::ALL)),
            lockdown: Lockdown::None,
            seccomp: Some(0),
            initial_users: Some(true),
            initial_pids: Some(true),
            host_pids: Some(true),
            unprivileged_bpf_disabled: Some(2),
            perf_event_paranoid: Some(2),
            memlock: Some(8 << 20),
            bpf_jit_enable: Some(1),
        },
        host: HostFacts {
            cgroup: Cgroup::Unified,
            procfs: Procfs::Readable { hidepid: None, sees_init: true },
            bpf_stats_enabled: Some(0),
            metrics: vec![("127.0.0.1:19119".parse().expect("an address"), Port::Free)],
            socket: ("/run/resetmon/resetmon.sock".to_owned(), AgentSocket::Absent),
        },
        self_test: SelfTest::Made { sent: Seen::Right, received: Seen::Right },
        reconciliation: Some(Result::Ok(Reconciliation {
            own: Some(4_026_531_833),
            compared: vec![comparison],
            ..Reconciliation::default()
        })),
    }
}

fn of_6_12() -> Facts {
    let optional = [("tcp_reset", Fentry), ("inet_csk_accept", Fexit), ("nf_send_reset", Kprobe)];
    facts("6.12.115+deb12-cloud-amd64", offers(Reasons::Complete), attached(&optional))
}

/// The same where loading fails.
fn not_loaded(message: &str, change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = Facts {
        probes: Err(Failure {
            message: message.to_owned(),
            advice: Some("run it as root".to_owned()),
            lacks_locked_memory: false,
        }),
        self_test: SelfTest::NoProbes,
        reconciliation: None,
        ..of_6_12()
    };
    change(&mut facts);
    facts
}

#[test]
fn five_kernels() {
    let old = Offers {
        socket_storage: false,
        socket_cookie: false,
        charges_locked_memory: true,
        socket_cgroup: false,
        ..offers(Reasons::None)
    };
    let mut probes = attached(&[("inet_csk_accept", Fexit), ("tcp_v4_send_reset", Fentry)]);
    let reason = "before 5.11 tcp_reset() is not given the packet".to_owned();
    probes.push(probe("tcp_reset", ProbeNeed::Optional, Outcome::Missing(reason)));
    check(
        &facts("5.10.0-32-cloud-amd64", old, probes),
        Verdict::Degraded,
        &[
            ("release", Info, "5.10.0-32-cloud-amd64 on x86_64"),
            ("type information", Ok, "5.1 MiB"),
            ("reset reasons", Degraded, "a kernel of 6.12"),
            ("resets without a socket", Info, "tcp_v4_send_reset"),
            ("socket storage", Info, "by socket address"),
            ("socket cookie", Degraded, "5.12"),
            ("tcp_reset", Degraded, "a kernel of 5.11 or later"),
            ("RLIMIT_MEMLOCK", Ok, "not in the way of the maps"),
        ],
    );
    let optional = [("tcp_v4_send_reset", Fentry), ("tcp_v6_send_reset", Fentry)];
    check(
        &facts("6.1.0-56-cloud-amd64", offers(Reasons::None), attached(&optional)),
        Verdict::Degraded,
        &[
            ("reset reasons", Degraded, "none"),
            ("socket storage", Ok, "in the socket"),
            ("tcp_v4_send_reset", Ok, "fentry: what it gives"),
        ],
    );
    check(
        &of_6_12(),
        Verdict::Fine,
        &[
            ("reset reasons", Ok, "every reset"),
            ("tcp_reset", Ok, "fentry"),
            ("inet_csk_accept", Ok, "fexit"),
            ("nf_send_reset", Ok, "kprobe"),
            ("socket inode", Info, "6.17"),
            ("sent reset", Ok, "the right process"),
            (
                "netns 4026531833 (own)",
                Ok,
                "OutRsts 1, seen 1; EstabResets 2, seen 2; AttemptFails 0, seen 0",
            ),
        ],
    );
    let mut restricted = required();
    restricted.push(probe("tcp_reset", ProbeNeed::Optional, Outcome::Missing(REFUSED.to_owned())));
    restricted.push(probe("tcp_v4_send_reset", ProbeNeed::Optional, Outcome::NotNeeded));
    restricted.push(probe("kfree_skb", ProbeNeed::OptIn, Outcome::NotAsked));
    let new = Offers { socket_inode: true, ..offers(Reasons::Complete) };
    check(
        &facts("6.18.44", new, restricted),
        Verdict::Degraded,
        &[
            ("tcp_reset", Degraded, "a kernel with CONFIG_KPROBES, or one that allows fentry"),
            ("tcp_v4_send_reset", Ok, "not needed"),
            ("kfree_skb", Info, "--probes default,kfree_skb"),
            ("socket inode", Ok, "in the socket"),
        ],
    );
    let mut probes = attached(&[("tcp_reset", Fentry)]);
    let waiting = Outcome::Waiting { module: "nf_reject_ipv4" };
    probes.push(probe("nf_send_reset", ProbeNeed::Optional, waiting));
    check(
        &facts("7.3.4+deb13-cloud-amd64", new, probes),
        Verdict::Fine,
        &[("nf_send_reset", Ok, "as soon as nf_reject_ipv4 is loaded, with the first REJECT rule")],
    );
    check(
        &facts("6.10.0", offers(Reasons::Passive), required()),
        Verdict::Degraded,
        &[("reset reasons", Degraded, "answer a packet")],
    );
}

#[test]
fn what_keeps_probes_from_loading() {
    check(
        &not_loaded(NO_CAPABILITIES, |facts| facts.privileges.effective = Some(Capabilities::of(&[]))),
        Verdict::Unusable,
        &[
            ("tcp_send_reset", Unusable, NO_CAPABILITIES),
            ("tcp_receive_reset", Unusable, "run it as root"),
            ("CAP_BPF", Unusable, "setcap cap_bpf,cap_perfmon+ep"),
            ("CAP_PERFMON", Unusable, "missing"),
            ("CAP_SYS_PTRACE", Degraded, "cap_sys_ptrace"),
            ("CAP_SYSLOG", Info, "missing"),
            ("loopback", Unusable, "without CAP_BPF and CAP_PERFMON"),
        ],
    );
    let forbidden = "the kernel forbids the map EVENTS although CAP_BPF and CAP_PERFMON are there";
    check(
        &not_loaded(forbidden, |facts| facts.privileges.seccomp = Some(2)),
        Verdict::Unusable,
        &[
            ("tcp_send_reset", Unusable, "allow bpf(2) in the seccomp filter"),
            ("seccomp", Info, "Docker"),
            ("loopback", Unusable, "without probes"),
        ],
    );
    check(
        &not_loaded(forbidden, |facts| facts.privileges.initial_users = Some(false)),
        Verdict::Unusable,
        &[
            ("tcp_send_reset", Unusable, "the initial user namespace"),
            ("user namespace", Unusable, "PrivateUsers="),
        ],
    );
    check(
        &not_loaded("cannot read the type information", |facts| {
            let error = "No such file or directory (os error 2)".to_owned();
            facts.kernel.btf = Btf::Unreadable { path: "/sys/kernel/btf/vmlinux".to_owned(), error };
        }),
        Verdict::Unusable,
        &[
            ("type information", Unusable, "CONFIG_DEBUG_INFO_BTF=y"),
            ("tcp_send_reset", Unusable, "type information above"),
        ],
    );
}

#[test]
fn too_little_locked_memory() {
    let too_little =
        "the map EVENTS needs more locked memory than the 65536 bytes that this process may have";
    let old = |facts: &mut Facts| {
        let offers = Offers { charges_locked_memory: true, ..offers(Reasons::None) };
        facts.kernel.btf = Btf::Fit { path: "/sys/kernel/btf/vmlinux".to_owned(), size: 1, offers };
        facts.privileges.memlock = Some(65_536);
    };
    let lacking = not_loaded(too_little, |facts| {
        old(facts);
        // A filter that is there need not be to blame.
        facts.privileges.seccomp = Some(2);
        let Err(failure) = &mut facts.probes else { panic!("loaded") };
        failure.lacks_locked_memory = true;
    });
    check(
        &lacking,
        Verdict::Unusable,
        &[
            ("RLIMIT_MEMLOCK", Unusable, "LimitMEMLOCK=infinity"),
            ("tcp_send_reset", Unusable, too_little),
            ("tcp_receive_reset", Unusable, "run it as root"),
        ],
    );
    // Nor is the limit, where it is something else.
    let forbidden = not_loaded("the kernel forbids the map EVENTS", old);
    check(
        &forbidden,
        Verdict::Unusable,
        &[("RLIMIT_MEMLOCK", Info, "65536 bytes, which this kernel counts")],
    );
}

fn changed(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = of_6_12();
    change(&mut facts);
    facts
}

#[test]
fn privileges_and_host() {
    let admin = Capabilities::of(&[Capability::SysAdmin, Capability::SysPtrace, Capability::DacReadSearch]);
    check(
        &changed(|facts| facts.privileges.effective = Some(admin)),
        Verdict::Fine,
        &[("CAP_BPF", Ok, "CAP_SYS_ADMIN stands in"), ("CAP_NET_ADMIN", Info, "demo")],
    );
    check(
        &changed(|facts| {
            facts.privileges.initial_pids = Some(false);
            facts.privileges.host_pids = Some(false);
            facts.privileges.seccomp = Some(2);
            facts.self_test = SelfTest::Made { sent: Seen::RightName, received: Seen::RightName };
        }),
        Verdict::Degraded,
        &[
            ("pid namespace", Degraded, "--pid=host"),
            ("pid namespace", Degraded, "--path.procfs"),
            ("seccomp", Ok, "allows bpf(2)"),
            ("sent reset", Ok, "right name"),
        ],
    );
    check(
        &changed(|facts| facts.privileges.initial_pids = Some(false)),
        Verdict::Fine,
        &[("pid namespace", Ok, "shows the host")],
    );
    check(
        &changed(|facts| facts.privileges.lockdown = Lockdown::Confidentiality),
        Verdict::Degraded,
        &[("lockdown", Degraded, "lockdown=integrity")],
    );
    check(
        &changed(|facts| {
            let waiting = Outcome::Waiting { module: "nf_reject_ipv4" };
            facts.probes = Result::Ok(vec![probe("nf_send_reset", ProbeNeed::Optional, waiting)]);
            facts.privileges.perf_event_paranoid = Some(3);
            facts.privileges.effective = Some(Capabilities::of(&[
                Capability::Bpf,
                Capability::Perfmon,
                Capability::SysPtrace,
                Capability::DacReadSearch,
            ]));
        }),
        Verdict::Degraded,
        &[("kernel.perf_event_paranoid", Degraded, "kprobes need CAP_SYS_ADMIN")],
    );
    let taken = |holder: Option<(u32, &str)>| {
        changed(|facts| {
            facts.host.metrics[0].1 = Port::Taken(holder.map(|(pid, comm)| (pid, comm.to_owned())));
            facts.host.cgroup = Cgroup::Hybrid;
        })
    };
    let name = "metrics on 127.0.0.1:19119";
    check(&taken(Some((42, "nginx\u{1b}"))), Verdict::Degraded, &[(name, Degraded, "nginx\\u{1b}[42]")]);
    check(
        &taken(Some((42, "resetmon"))),
        Verdict::Fine,
        &[(name, Ok, "resetmon[42]"), ("cgroups", Info, "version 1")],
    );
    check(&taken(None), Verdict::Degraded, &[(name, Degraded, "cannot be told")]);
    let hidden = Procfs::Readable { hidepid: Some("2".to_owned()), sees_init: false };
    check(
        &changed(|facts| facts.host.procfs = hidden.clone()),
        Verdict::Fine,
        &[("procfs", Ok, "overrules")],
    );
    check(
        &changed(|facts| {
            facts.host.procfs = hidden.clone();
            facts.privileges.effective = Some(Capabilities::of(&[Capability::Bpf, Capability::Perfmon]));
            facts.host.socket.1 = AgentSocket::Silent("Connection refused (os error 111)".to_owned());
        }),
        Verdict::Degraded,
        &[
            ("procfs", Degraded, "hidepid=2"),
            ("agent", Degraded, "refused"),
            ("CAP_SYS_ADMIN", Info, "bpf-stats"),
        ],
    );
}

/// The comparison in one namespace with these counts, each counted and seen.
fn compared(offers_: Offers, counts: [(u64, u64); 3], lost: u64) -> Facts {
    let [sent, open, opening] = counts.map(|(counted, seen)| Compared { counted, least: seen, most: seen });
    let comparison = Comparison { netns: 7, sent, open, opening };
    let reconciliation = Reconciliation {
        own: Some(8),
        compared: vec![comparison],
        uncompared: Uncompared { namespaces: 1, resets: 3 },
        lost,
    };
    Facts { reconciliation: Some(Result::Ok(reconciliation)), ..facts("x", offers_, required()) }
}

#[test]
fn comparisons() {
    let new = offers(Reasons::Complete);
    let silent = Offers { without_socket: false, ..new };
    let check = |facts: &Facts, status, part| {
        let verdict = if status == Ok { Verdict::Fine } else { Verdict::Degraded };
        check(
            facts,
            verdict,
            &[("netns 7", status, part), ("not compared", Info, "3 resets in 1 network namespace")],
        );
    };
    check(&compared(new, [(5, 5), (2, 2), (1, 1)], 0), Ok, "OutRsts 5, seen 5;");
    check(&compared(new, [(5, 5), (3, 2), (3, 1)], 0), Ok, "(1 connection ended without an RST");
    check(&compared(new, [(5, 5), (3, 2), (3, 1)], 0), Ok, "2 attempts to connect ended otherwise");
    check(&compared(new, [(4, 5), (2, 2), (1, 1)], 0), Ok, "1 reset had no way out");
    check(
        &compared(silent, [(5, 2), (0, 0), (0, 0)], 0),
        Degraded,
        "3 resets sent that no probe saw: before 6.10",
    );
    check(
        &compared(new, [(5, 4), (0, 0), (0, 0)], 0),
        Degraded,
        "1 reset sent that no probe saw: the kernel had no",
    );
    check(&compared(new, [(5, 4), (0, 0), (0, 0)], 1), Degraded, "the ring buffer was full");
    check(&compared(new, [(5, 5), (1, 2), (0, 0)], 0), Degraded, "more was seen than the kernel counted");
}

#[test]
fn self_tests() {
    let with = |self_test| changed(|facts| facts.self_test = self_test);
    let seen = |sent, received| with(SelfTest::Made { sent, received });
    check(
        &seen(Seen::Nothing, Seen::Right),
        Verdict::Unusable,
        &[("sent reset", Unusable, "not seen within")],
    );
    let wrong = Seen::Wrong("swapper[0] instead of doctor-client[3]".to_owned());
    check(
        &seen(Seen::Right, wrong),
        Verdict::Unusable,
        &[("received reset", Unusable, "swapper[0] instead of")],
    );
    let error = "doctor-client answered `error ENETUNREACH`".to_owned();
    check(&with(SelfTest::NotMade(error)), Verdict::Degraded, &[("loopback", Degraded, "ENETUNREACH")]);
}
