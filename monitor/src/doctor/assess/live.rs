//! What the self-test and the comparison with the kernel's counters mean.

use super::{
    super::{
        facts::{Facts, Failure, Seen, SelfTest},
        finding::{
            Finding, Section,
            Status::{self, Degraded, Info, Ok, Unusable},
        },
        reconcile::{Comparison, Reconciliation, Uncompared},
    },
    offers,
};
use crate::kernel::{
    privilege::{Capabilities, Capability},
    status::ProbeStatus,
};

/// At most so many network namespaces that agree are named one by one.
const MOST_NAMED: usize = 8;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = self_test(facts);
    match &facts.reconciliation {
        None => {}
        Some(Err(failure)) => findings.push(not_compared(failure)),
        Some(Result::Ok(reconciliation)) => findings.extend(reconciled(reconciliation, facts)),
    }
    findings
}

fn self_test(facts: &Facts) -> Vec<Finding> {
    let finding = |name, status, value: String| Finding::new(Section::SelfTest, name, status, value);
    match &facts.self_test {
        SelfTest::NoProbes => {
            let value = match facts.privileges.effective.and_then(Capabilities::missing) {
                Some(missing) => format!("not possible without {missing}"),
                None => "not possible without probes".to_owned(),
            };
            vec![finding("loopback", Unusable, value).costs("the proof that resets are seen")]
        }
        SelfTest::NotMade(error) => vec![
            finding("loopback", Degraded, format!("no reset could be made: {error}"))
                .costs("the proof that resets are seen")
                .remedy("ip link set lo up, where loopback is down"),
        ],
        SelfTest::Made { sent, received } => {
            vec![of_end(finding, "sent reset", sent), of_end(finding, "received reset", received)]
        }
    }
}

fn of_end(
    finding: impl Fn(&'static str, Status, String) -> Finding,
    name: &'static str,
    seen: &Seen,
) -> Finding {
    let report = "please report it with this output";
    match seen {
        Seen::Right => finding(name, Ok, "seen, with the right process".to_owned()),
        Seen::RightName => {
            finding(name, Ok, "seen, with the right name and a process id of the host".to_owned())
        }
        Seen::Wrong(who) => finding(name, Unusable, format!("seen, with {who}"))
            .costs("resets are put down to the wrong process")
            .remedy(report),
        Seen::Nothing => finding(name, Unusable, "not seen within two seconds".to_owned())
            .costs("resets are missed though the probes are attached")
            .remedy(report),
    }
}

fn not_compared(failure: &Failure) -> Finding {
    let finding = Finding::new(Section::Reconciliation, "counters", Degraded, failure.message.clone())
        .costs("the proof that no reset is missed");
    match &failure.advice {
        Some(advice) => finding.remedy(advice.clone()),
        None => finding,
    }
}

fn reconciled(reconciliation: &Reconciliation, facts: &Facts) -> Vec<Finding> {
    let Reconciliation { own, compared, uncompared, lost } = reconciliation;
    let mut findings = Vec::new();
    let mut named = 0;
    let (mut summed, mut resets) = (0_u64, 0);
    for one in compared {
        let agrees = one.sent.unseen() == 0 && one.open.uncounted() == 0 && one.opening.uncounted() == 0;
        let is_own = Some(one.netns) == *own;
        let is_named = is_own || !agrees || one.sent.counted > 0 && named < MOST_NAMED;
        if is_named {
            named += 1;
            findings.push(of_namespace(one, is_own, *lost, facts));
        } else {
            summed += 1;
            resets += one.sent.counted;
        }
    }
    if summed > 0 {
        let value = format!("agree, with {} sent", count(resets, "reset"));
        findings.push(finding(&count(summed, "other namespace"), Ok, value));
    }
    if uncompared.resets > 0 {
        findings.push(not_comparable(*uncompared, facts));
    }
    if *lost > 0 {
        findings.push(
            finding("ring buffer", Degraded, format!("no room for {}", count(*lost, "reset")))
                .costs("the details of these resets; they are counted")
                .remedy("--ring-buffer-bytes makes more room"),
        );
    }
    findings
}

fn not_comparable(uncompared: Uncompared, facts: &Facts) -> Finding {
    let Uncompared { namespaces, resets } = uncompared;
    let (resets, namespaces) = (count(resets, "reset"), count(namespaces, "network namespace"));
    let value =
        format!("{resets} in {namespaces} that came or went meanwhile, or in which no process can be seen");
    let finding = finding("not compared", Info, value);
    let may_look = facts.privileges.effective.is_some_and(|effective| effective.has(Capability::SysPtrace));
    if may_look {
        finding
    } else {
        finding.remedy("CAP_SYS_PTRACE shows the namespaces of other users' processes")
    }
}

fn of_namespace(one: &Comparison, is_own: bool, lost: u64, facts: &Facts) -> Finding {
    let Comparison { netns, sent, open, opening } = one;
    let name = if is_own { format!("netns {netns} (own)") } else { format!("netns {netns}") };
    let value = format!(
        "OutRsts {}, seen {}; EstabResets {}, seen {}; AttemptFails {}, seen {}",
        sent.counted,
        sent.seen(),
        open.counted,
        open.seen(),
        opening.counted,
        opening.seen()
    );
    if sent.unseen() > 0 {
        let value = format!("{value}: {}", unseen(sent.unseen(), lost, facts));
        return finding(&name, Degraded, value).costs("resets that are sent and not told").remedy(
            if is_silent_without_socket(facts) {
                "a kernel of 6.10 or later, or one that allows fentry or kprobes for tcp_v4_send_reset"
            } else {
                "run it again, and report it if it stays"
            },
        );
    }
    if open.uncounted() > 0 || opening.uncounted() > 0 {
        return finding(&name, Degraded, format!("{value}: more was seen than the kernel counted"))
            .costs("some of what is told did not happen")
            .remedy("please report it with this output");
    }
    let mut others = Vec::new();
    if sent.uncounted() > 0 {
        others.push(format!("{} had no way out", count(sent.uncounted(), "reset")));
    }
    if open.unseen() > 0 {
        others.push(format!("{} ended without an RST, as by a timeout", count(open.unseen(), "connection")));
    }
    if opening.unseen() > 0 {
        others.push(format!(
            "{} to connect ended otherwise, as by a timeout",
            count(opening.unseen(), "attempt")
        ));
    }
    let others = if others.is_empty() { String::new() } else { format!(" ({})", others.join("; ")) };
    finding(&name, Ok, format!("{value}{others}"))
}

fn unseen(resets: u64, lost: u64, facts: &Facts) -> String {
    let why = if lost > 0 {
        "the ring buffer was full"
    } else if is_silent_without_socket(facts) {
        "before 6.10 the kernel is silent about closed ports and TIME_WAIT"
    } else {
        "the kernel had no memory for the packet, or this is a defect"
    };
    format!("{} sent that no probe saw: {why}", count(resets, "reset"))
}

fn count(number: impl Into<u64> + Copy, what: &str) -> String {
    let number = number.into();
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Whether nothing tells resets that no full socket sends.
fn is_silent_without_socket(facts: &Facts) -> bool {
    let attached = |name: &str| {
        let is = |probe: &ProbeStatus| probe.name == name && probe.is_attached();
        facts.probes.as_ref().is_ok_and(|probes| probes.iter().any(is))
    };
    offers(facts).is_some_and(|offers| !offers.without_socket)
        && !(attached("tcp_v4_send_reset") && attached("tcp_v6_send_reset"))
}

fn finding(name: &str, status: Status, value: impl Into<String>) -> Finding {
    Finding::new(Section::Reconciliation, name, status, value)
}
