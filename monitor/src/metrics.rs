//! Every metric that the agent exports, declared here by topic, and the text format. Values come from the kernel's
//! counters and the agent's own at the moment of the scrape; labels are closed sets.

pub mod diagnosed;

mod history;
mod workloads;

use prometheus::{CounterVec, Encoder as _, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use self::diagnosed::Diagnosed;
use crate::{
    history::recorder::Status,
    kernel::{
        costs::ProgramCost,
        counters::{CountedReason, Counts},
        status::ProbeStatus,
    },
    losses::{Losses, Place},
    model::{Reason, TcpState},
    process_metrics::ProcessMetrics,
    reason::ReasonNames,
};

/// Content type of the text format; scrapers refuse answers without it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Label value of a reset that no socket had a part in.
const NO_STATE: &str = "none";
/// Label value of the reason on kernels that tell none.
const NO_REASON: &str = "unavailable";
/// Label value of reasons whose number is beyond the kernel side's table.
const OTHER_REASON: &str = "other";

/// Label value of the reason, or of the state of a received reset, when the kernel skipped the program.
const MISSED: &str = "missed";
/// Label value of where the kernel loses events.
const RING_BUFFER: &str = "ring_buffer";
/// Label value of resets that the firewall made.
const FIREWALL: &str = "netfilter";
/// The probe that counts ignored RSTs.
const IGNORED_PROBE: &str = "kfree_skb";
/// For what the kernel ignores RSTs (`net/ipv4/tcp_input.c`, `net/ipv4/tcp_ipv4.c`, 5.18–6.18).
const IGNORED_FOR: [&str; 3] = ["TCP_RESET", "TCP_INVALID_SEQUENCE", "NO_SOCKET"];

/// Everything that is exported at one moment.
pub struct Sample<'a> {
    /// The kernel's counters, not older than what was concluded.
    pub counts: &'a Counts,
    /// What was concluded about the events.
    pub diagnosed: &'a Diagnosed,
    /// Names of reset reasons on this kernel.
    pub reasons: &'a ReasonNames,
    /// Events that user space received.
    pub events_received: u64,
    /// Events that user space let go of.
    pub losses: &'a Losses,
    /// What the BPF programs cost; `None` unless somebody wants to know.
    pub costs: Option<&'a [ProgramCost]>,
    /// Look-ups of who holds a socket that were not made for lack of time.
    pub lookups_skipped: u64,
    /// Names of reasons for dropping packets on this kernel.
    pub drop_reasons: &'a ReasonNames,
    /// What became of the probes.
    pub probes: &'a [ProbeStatus],
    /// How the history is; `None` without one.
    pub history: Option<Status>,
    /// This process; `None` when procfs cannot be read.
    pub process: Option<ProcessMetrics>,
}

/// An error of the metrics library.
pub type MetricsError = prometheus::Error;

/// Writes a sample in the text format. Everything is made anew, so that two scrapes at once do not meet and a series
/// that is gone leaves nothing behind.
pub fn encode(sample: &Sample<'_>) -> Result<Vec<u8>, MetricsError> {
    let registry = Registry::new();
    build_info(&registry)?;
    resets_sent(&registry, sample)?;
    resets_received(&registry, sample.counts)?;
    sample.diagnosed.register(&registry, sample.counts)?;
    events(&registry, sample)?;
    attribution(&registry, sample)?;
    probes(&registry, sample.probes)?;
    if sample.probes.iter().any(|status| status.name == IGNORED_PROBE && status.is_attached()) {
        ignored(&registry, sample)?;
    }
    if let Some(costs) = sample.costs {
        programs(&registry, costs)?;
    }
    if let Some(status) = &sample.history {
        history::register(&registry, status)?;
    }
    if let Some(process) = &sample.process {
        process.register(&registry)?;
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(text)
}

fn build_info(registry: &Registry) -> Result<(), MetricsError> {
    let info =
        gauge(registry, "resetmon_build_info", "Version of the running resetmon; always 1.", &["version"])?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    Ok(())
}

fn resets_sent(registry: &Registry, sample: &Sample<'_>) -> Result<(), MetricsError> {
    let sent = counter(
        registry,
        "resetmon_kernel_resets_sent_total",
        "TCP resets that this host's kernel sent, by the kernel's reason and the TCP state before (none: no socket).",
        &["reason", "state"],
    )?;
    for (reason, states) in known_senders(sample.reasons) {
        for state in states {
            sent.with_label_values(&[reason, state]);
        }
    }
    for count in &sample.counts.sent {
        let reason = reason_label(count.reason, sample.reasons);
        sent.with_label_values(&[reason.as_str(), state_label(count.state)]).inc_by(count.count);
    }
    if sample.counts.missed_sent > 0 {
        sent.with_label_values(&[MISSED, NO_STATE]).inc_by(sample.counts.missed_sent);
    }
    Ok(())
}

fn resets_received(registry: &Registry, counts: &Counts) -> Result<(), MetricsError> {
    let received = counter(
        registry,
        "resetmon_kernel_resets_received_total",
        "TCP resets that reached a local socket, by the TCP state before.",
        &["state"],
    )?;
    for state in RECEIVING_STATES {
        received.with_label_values(&[state.as_str()]);
    }
    for (state, count) in &counts.received {
        received.with_label_values(&[state_label(*state)]).inc_by(*count);
    }
    if counts.missed_received > 0 {
        received.with_label_values(&[MISSED]).inc_by(counts.missed_received);
    }
    Ok(())
}

fn events(registry: &Registry, sample: &Sample<'_>) -> Result<(), MetricsError> {
    let received = counter(
        registry,
        "resetmon_events_received_total",
        "Resets that arrived from the kernel with all their details.",
        &[],
    )?;
    received.with_label_values::<&str>(&[]).inc_by(sample.events_received);
    let lost = counter(
        registry,
        "resetmon_events_lost_total",
        "Resets whose details were lost, by the place where; they are in the kernel's counts all the same.",
        &["where"],
    )?;
    lost.with_label_values(&[RING_BUFFER]).inc_by(sample.counts.lost());
    for place in Place::ALL {
        lost.with_label_values(&[place.as_str()]).inc_by(sample.losses.at(place));
    }
    // The history counts for itself.
    let unwritten = sample.history.as_ref().map_or(0, |history| history.lost);
    lost.with_label_values(&[Place::History.as_str()]).inc_by(unwritten);
    Ok(())
}

/// What attribution had no room or time for.
fn attribution(registry: &Registry, sample: &Sample<'_>) -> Result<(), MetricsError> {
    let forgotten = counter(
        registry,
        "resetmon_closed_sockets_forgotten_total",
        "Closed connections and listeners that were forgotten to make room for newer ones, at least.",
        &[],
    )?;
    forgotten.with_label_values::<&str>(&[]).inc_by(sample.counts.forgotten);
    let skipped = counter(
        registry,
        "resetmon_holder_lookups_skipped_total",
        "Resets of which nobody looked up who holds the socket, for lack of time.",
        &[],
    )?;
    skipped.with_label_values::<&str>(&[]).inc_by(sample.lookups_skipped);
    Ok(())
}

fn ignored(registry: &Registry, sample: &Sample<'_>) -> Result<(), MetricsError> {
    let ignored = counter(
        registry,
        "resetmon_resets_ignored_total",
        "RSTs that the kernel dropped instead of resetting a socket, by its reason for dropping them.",
        &["why"],
    )?;
    for why in IGNORED_FOR.iter().filter(|why| sample.drop_reasons.number(why).is_some()) {
        ignored.with_label_values(&[*why]);
    }
    for (number, count) in &sample.counts.ignored {
        let why = sample.drop_reasons.reason(*number).to_string();
        ignored.with_label_values(&[why.as_str()]).inc_by(*count);
    }
    Ok(())
}

fn probes(registry: &Registry, statuses: &[ProbeStatus]) -> Result<(), MetricsError> {
    let probes =
        gauge(registry, "resetmon_probe_attached", "Whether a probe is attached: 0 or 1.", &["probe"])?;
    for status in statuses {
        probes.with_label_values(&[status.name]).set(i64::from(status.is_attached()));
    }
    Ok(())
}

fn programs(registry: &Registry, costs: &[ProgramCost]) -> Result<(), MetricsError> {
    let runs = counter(
        registry,
        "resetmon_bpf_program_runs_total",
        "How often a BPF program of resetmon ran.",
        &["program"],
    )?;
    let help = "How long a BPF program of resetmon ran.";
    let seconds = CounterVec::new(Opts::new("resetmon_bpf_program_seconds_total", help), &["program"])?;
    registry.register(Box::new(seconds.clone()))?;
    for cost in costs {
        runs.with_label_values(&[&cost.name]).inc_by(cost.runs);
        seconds.with_label_values(&[&cost.name]).inc_by(cost.run_time.as_secs_f64());
    }
    Ok(())
}

fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, MetricsError> {
    let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, MetricsError> {
    let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn state_label(state: Option<TcpState>) -> &'static str {
    state.map_or(NO_STATE, TcpState::as_str)
}

fn reason_label(reason: CountedReason, names: &ReasonNames) -> String {
    match reason {
        CountedReason::Unavailable => NO_REASON.to_owned(),
        CountedReason::Other => OTHER_REASON.to_owned(),
        CountedReason::Netfilter => FIREWALL.to_owned(),
        CountedReason::Number(number) => match names.reason(number) {
            Reason::Named(name) => name.as_ref().to_owned(),
            Reason::Unknown(number) => number.to_string(),
        },
    }
}

/// States in which `tcp_reset()` runs.
const RECEIVING_STATES: [TcpState; 9] = [
    TcpState::SynSent,
    TcpState::SynRecv,
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::Close,
    TcpState::CloseWait,
    TcpState::LastAck,
    TcpState::Closing,
];

const ESTABLISHED: &str = TcpState::Established.as_str();
const SYN_SENT: &str = TcpState::SynSent.as_str();
const SYN_RECV: &str = TcpState::SynRecv.as_str();
const FIN_WAIT1: &str = TcpState::FinWait1.as_str();
const FIN_WAIT2: &str = TcpState::FinWait2.as_str();
const TIME_WAIT: &str = TcpState::TimeWait.as_str();
const CLOSE_WAIT: &str = TcpState::CloseWait.as_str();
const LAST_ACK: &str = TcpState::LastAck.as_str();
const LISTEN: &str = TcpState::Listen.as_str();
const CLOSING: &str = TcpState::Closing.as_str();

/// In which states the kernel sends a reset for which reason (`net/ipv4/tcp*.c`, 6.12–6.18): the series that are known
/// before they happen. Anything else gets its series when it happens.
const SENDERS: &[(&str, &[&str])] = &[
    ("NO_SOCKET", &[NO_STATE]),
    ("TCP_FLAGS", &[LISTEN]),
    ("INVALID_SYN", &[LISTEN, SYN_RECV]),
    ("TCP_INVALID_ACK_SEQUENCE", &[SYN_SENT]),
    ("TCP_RFC7323_PAWS", &[SYN_SENT]),
    ("TCP_TOO_OLD_ACK", &[SYN_RECV]),
    ("TCP_ACK_UNSENT_DATA", &[SYN_RECV]),
    ("TCP_OLD_ACK", &[SYN_RECV]),
    ("TCP_ABORT_ON_DATA", &[FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, CLOSING, LAST_ACK]),
    ("TCP_TIMEWAIT_SOCKET", &[TIME_WAIT]),
    ("TCP_ABORT_ON_CLOSE", &[ESTABLISHED, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT]),
    ("TCP_ABORT_ON_LINGER", &[FIN_WAIT2]),
    ("TCP_ABORT_ON_MEMORY", &[ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING]),
    ("TCP_STATE", &[ESTABLISHED, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT]),
    ("TCP_KEEPALIVE_TIMEOUT", &[ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT]),
    ("TCP_DISCONNECT_WITH_DATA", &[LAST_ACK, CLOSING]),
];

/// The same for kernels that tell no reason.
const SENDERS_WITHOUT_REASON: &[&str] = &[
    NO_STATE,
    TIME_WAIT,
    ESTABLISHED,
    SYN_SENT,
    SYN_RECV,
    FIN_WAIT1,
    FIN_WAIT2,
    CLOSE_WAIT,
    LAST_ACK,
    LISTEN,
    CLOSING,
];

fn known_senders(names: &ReasonNames) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let without = names.is_empty().then_some((NO_REASON, SENDERS_WITHOUT_REASON));
    let firewall: (&str, &[&str]) = (FIREWALL, &[NO_STATE]);
    SENDERS
        .iter()
        .copied()
        .filter(|(reason, _)| names.number(reason).is_some())
        .chain(without)
        .chain([firewall])
}

#[cfg(test)]
mod tests {
    use super::{Diagnosed, Sample, Status, encode};
    use crate::{
        kernel::{
            counters::{CountedReason, Counts, SentCount},
            status::{Mechanism, Outcome, ProbeNeed, ProbeStatus},
        },
        losses::Losses,
        model::TcpState,
        reason::ReasonNames,
    };

    fn text(counts: &Counts, reasons: &ReasonNames) -> String {
        let probe = |name, outcome| ProbeStatus { name, need: ProbeNeed::Optional, outcome, gives: "" };
        let probes = [
            probe("tcp_send_reset", Outcome::Attached(Mechanism::TpBtf)),
            probe("tcp_reset", Outcome::Missing(String::new())),
            probe("kfree_skb", Outcome::Attached(Mechanism::TpBtf)),
        ];
        let drop_reasons = &ReasonNames::new([(45, "TCP_RESET")]);
        let diagnosed = &Diagnosed::new().expect("metrics");
        let sample = Sample {
            counts,
            diagnosed,
            reasons,
            drop_reasons,
            events_received: 7,
            losses: &Losses::default(),
            costs: None,
            lookups_skipped: 3,
            probes: &probes,
            history: Some(Status { capacity: 16_384, ..Status::default() }),
            process: None,
        };
        String::from_utf8(encode(&sample).expect("metrics")).expect("UTF-8")
    }

    fn check(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    #[test]
    fn known_series_start_at_zero() {
        let reasons = ReasonNames::new([(1, "NO_SOCKET"), (9, "TCP_TIMEWAIT_SOCKET")]);
        let text = text(&Counts::default(), &reasons);
        check(&text, r#"resetmon_kernel_resets_sent_total{reason="NO_SOCKET",state="none"} 0"#);
        check(
            &text,
            r#"resetmon_kernel_resets_sent_total{reason="TCP_TIMEWAIT_SOCKET",state="TIME_WAIT"} 0"#,
        );
        check(&text, r#"resetmon_kernel_resets_received_total{state="SYN_SENT"} 0"#);
        check(&text, r#"resetmon_events_lost_total{where="ring_buffer"} 0"#);
        check(&text, r#"resetmon_events_lost_total{where="history"} 0"#);
        check(&text, r#"resetmon_history_faults_total{kind="full"} 0"#);
        check(&text, r"resetmon_history_events_written_total 0");
        check(&text, r"resetmon_history_queue_capacity 16384");
        check(&text, r"resetmon_events_received_total 7");
        check(&text, r"resetmon_closed_sockets_forgotten_total 0");
        check(&text, r"resetmon_holder_lookups_skipped_total 3");
        check(&text, r#"resetmon_probe_attached{probe="tcp_send_reset"} 1"#);
        check(&text, r#"resetmon_probe_attached{probe="tcp_reset"} 0"#);
        check(&text, r#"resetmon_resets_ignored_total{why="TCP_RESET"} 0"#);
        check(&text, r#"resetmon_kernel_resets_sent_total{reason="netfilter",state="none"} 0"#);
        assert!(!text.contains("INVALID_SYN"), "a reason that this kernel does not have:\n{text}");
    }

    #[test]
    fn counts_go_to_their_series() {
        let sent = |reason, state, count| SentCount { reason, state, count };
        let counts = Counts {
            sent: vec![
                sent(CountedReason::Number(1), None, 3),
                sent(CountedReason::Number(40), Some(TcpState::Closing), 1),
                sent(CountedReason::Unavailable, Some(TcpState::Established), 2),
            ],
            received: vec![(Some(TcpState::CloseWait), 5)],
            lost_sent: 3,
            lost_received: 1,
            missed_sent: 9,
            missed_received: 8,
            ignored: vec![(45, 6), (3, 1)],
            forgotten: 2,
        };
        let text = text(&counts, &ReasonNames::new([(1, "NO_SOCKET")]));
        check(&text, r#"resetmon_kernel_resets_sent_total{reason="NO_SOCKET",state="none"} 3"#);
        check(&text, r#"resetmon_kernel_resets_sent_total{reason="40",state="CLOSING"} 1"#);
        check(&text, r#"resetmon_kernel_resets_sent_total{reason="unavailable",state="ESTABLISHED"} 2"#);
        check(&text, r#"resetmon_kernel_resets_received_total{state="CLOSE_WAIT"} 5"#);
        check(&text, r#"resetmon_events_lost_total{where="ring_buffer"} 4"#);
        check(&text, r#"resetmon_kernel_resets_sent_total{reason="missed",state="none"} 9"#);
        check(&text, r#"resetmon_kernel_resets_received_total{state="missed"} 8"#);
        check(&text, r#"resetmon_resets_ignored_total{why="TCP_RESET"} 6"#);
        check(&text, r#"resetmon_resets_ignored_total{why="3"} 1"#);
        check(&text, r"resetmon_closed_sockets_forgotten_total 2");
    }
}
