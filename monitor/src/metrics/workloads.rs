//! Resets by workload. There can be any number of workloads, so only some have series of their own at a time.

use std::{sync::Arc, time::Duration};

use prometheus::Registry;

use super::{MetricsError, counter};
use crate::{
    cardinality::{OTHER, Slots},
    model::{
        Direction, ResetEvent,
        workload::{Workload, WorkloadKind},
    },
};

/// How many workloads have series of their own.
const LIMIT: usize = 50;
/// How long a workload without resets keeps its series.
const PATIENCE: Duration = Duration::from_hours(1);
/// Kind and name of the workload of a reset where it is not known.
const NONE: &str = "none";

/// Counts of one workload, by [`Direction`].
type Resets = [u64; Direction::ALL.len()];

/// Counts by workload.
#[derive(Clone, Debug)]
pub(super) struct Workloads {
    named: Slots<(WorkloadKind, Arc<str>), Resets>,
    /// Those without a slot, by kind, so that sums over a kind are right.
    others: [Resets; WorkloadKind::ALL.len()],
    unknown: Resets,
}

impl Workloads {
    pub(super) fn new() -> Self {
        Self {
            named: Slots::new(LIMIT, PATIENCE),
            others: [Resets::default(); WorkloadKind::ALL.len()],
            unknown: Resets::default(),
        }
    }

    /// Counts an event.
    pub(super) fn add(&mut self, event: &ResetEvent, now: Duration) {
        let Self { named, others, unknown } = self;
        let resets = match event.workload.as_deref() {
            Some(workload) => {
                let slot = named.admit((workload.kind, label(workload)), now);
                slot.unwrap_or(&mut others[workload.kind as usize])
            }
            None => unknown,
        };
        resets[event.direction as usize] += 1;
    }

    /// Ends the series of workloads that have had no resets for long.
    pub(super) fn free_idle(&mut self, now: Duration) {
        self.named.free_idle(now);
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), MetricsError> {
        for (direction, name, help) in [
            (
                Direction::Sent,
                "resetmon_workload_resets_sent_total",
                "TCP resets of sockets of a workload that this host sent (other: of workloads beyond the limit).",
            ),
            (
                Direction::Received,
                "resetmon_workload_resets_received_total",
                "TCP resets that reached sockets of a workload (other: of workloads beyond the limit).",
            ),
        ] {
            let resets = counter(registry, name, help, &["workload_kind", "workload"])?;
            let add = |kind: &str, workload: &str, counts: &Resets| {
                resets.with_label_values(&[kind, workload]).inc_by(counts[direction as usize]);
            };
            add(NONE, NONE, &self.unknown);
            for (kind, counts) in WorkloadKind::ALL.iter().zip(&self.others) {
                add(kind.as_str(), OTHER, counts);
            }
            for ((kind, workload), counts) in self.named.iter() {
                add(kind.as_str(), workload, counts);
            }
        }
        Ok(())
    }
}

/// What a workload is called; the host itself is called as its kind is.
fn label(workload: &Workload) -> Arc<str> {
    workload.short_name().unwrap_or_else(|| workload.kind.as_str()).into()
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder as _, TextEncoder};

    use super::*;
    use crate::filter::samples;

    fn event(direction: Direction, workload: Option<Workload>) -> ResetEvent {
        let workload = workload.map(Arc::new);
        ResetEvent { workload, ..samples::bare(direction, "10.0.0.5:1", "10.0.0.9:2") }
    }

    fn text(workloads: &Workloads) -> String {
        let registry = Registry::new();
        workloads.register(&registry).expect("metrics");
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).expect("text");
        String::from_utf8(text).expect("UTF-8")
    }

    #[track_caller]
    fn check(text: &str, direction: &str, kind: &str, workload: &str, count: u64) {
        let line = format!(
            "resetmon_workload_resets_{direction}_total{{workload=\"{workload}\",workload_kind=\"{kind}\"}} {count}"
        );
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    #[test]
    fn resets_go_to_their_workload() {
        let mut workloads = Workloads::new();
        let now = Duration::ZERO;
        workloads.add(&event(Direction::Sent, Some(samples::unit("app.service"))), now);
        workloads.add(&event(Direction::Received, Some(samples::unit("app.service"))), now);
        workloads.add(&event(Direction::Received, Some(samples::pod())), now);
        workloads.add(&event(Direction::Received, None), now);
        let host = Workload { kind: WorkloadKind::Host, name: None, ..samples::unit("") };
        workloads.add(&event(Direction::Sent, Some(host)), now);
        let text = text(&workloads);
        check(&text, "sent", "systemd", "app.service", 1);
        check(&text, "received", "systemd", "app.service", 1);
        check(&text, "received", "kubernetes", "7be92808767a", 1);
        check(&text, "sent", "kubernetes", "7be92808767a", 0);
        check(&text, "received", "none", "none", 1);
        check(&text, "sent", "host", "host", 1);
        check(&text, "sent", "docker", "other", 0);
    }

    #[test]
    fn a_flood_of_workloads_ends_in_other_of_its_kind() {
        let mut workloads = Workloads::new();
        for number in 0..100_000 {
            let unit = samples::unit(&format!("run-{number}.service"));
            workloads.add(&event(Direction::Sent, Some(unit)), Duration::ZERO);
        }
        workloads.add(&event(Direction::Sent, Some(samples::pod())), Duration::ZERO);
        let full = text(&workloads);
        check(&full, "sent", "systemd", "run-0.service", 1);
        check(&full, "sent", "systemd", "other", 100_000 - 50);
        check(&full, "sent", "kubernetes", "other", 1);
        let series = full.lines().filter(|line| line.starts_with("resetmon_workload_resets_sent_total{"));
        assert_eq!(series.count(), LIMIT + WorkloadKind::ALL.len() + 1);

        workloads.free_idle(PATIENCE);
        let freed = text(&workloads);
        assert!(!freed.contains("run-0.service"), "{freed}");
        check(&freed, "sent", "systemd", "other", 100_000 - 50);
    }
}
