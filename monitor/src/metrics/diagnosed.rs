//! What was concluded about resets: causes, errors that applications were told, how owners are known, workloads, ages and
//! idle times. Counted as events come, so lost ones lack; among the causes these are `undiagnosed`.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, Registry};

use super::{MetricsError, counter, workloads::Workloads};
use crate::{
    cause::Cause,
    kernel::counters::Counts,
    model::{Direction, Errno, ResetEvent, process::OwnerFrom},
};

/// Label value of resets whose event was lost. One that is still on its way is not counted anywhere here: it would have to
/// be taken back when it arrives, and no counter may go back.
const UNDIAGNOSED: &str = "undiagnosed";

/// Seconds from the handshake to the reset.
const AGES: [f64; 10] = [0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0];

/// Seconds without data before the reset: a little above the idle timeouts that are in use, so that each has its bucket.
const IDLE_TIMES: [f64; 12] = [0.1, 1.0, 5.5, 16.0, 62.0, 80.0, 125.0, 245.0, 355.0, 610.0, 1220.0, 3650.0];

/// What was concluded so far. A clone has the causes of its moment.
#[derive(Clone, Debug)]
pub struct Diagnosed {
    sent: [u64; Cause::ALL.len()],
    received: [u64; Cause::ALL.len()],
    errors: [u64; Errno::ALL.len()],
    owners: [u64; OwnerFrom::ALL.len()],
    workloads: Workloads,
    ages: Histogram,
    idle_times: Histogram,
}

impl Diagnosed {
    /// Nothing so far.
    pub fn new() -> Result<Self, MetricsError> {
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))
        };
        Ok(Self {
            sent: [0; Cause::ALL.len()],
            received: [0; Cause::ALL.len()],
            errors: [0; Errno::ALL.len()],
            owners: [0; OwnerFrom::ALL.len()],
            workloads: Workloads::new(),
            ages: histogram(
                "resetmon_reset_connection_age_seconds",
                "How long connections had been established when they were reset.",
                &AGES,
            )?,
            idle_times: histogram(
                "resetmon_reset_idle_seconds",
                "How long no data had moved on connections when they were reset.",
                &IDLE_TIMES,
            )?,
        })
    }

    /// Counts an event. The time is since any moment, always the same one.
    pub fn add(&mut self, event: &ResetEvent, now: Duration) {
        if let Some(diagnosis) = &event.diagnosis {
            let causes = match event.direction {
                Direction::Sent => &mut self.sent,
                Direction::Received => &mut self.received,
            };
            causes[diagnosis.cause as usize] += 1;
        }
        if let Some(errno) = event.errno {
            self.errors[errno as usize] += 1;
        }
        self.owners[event.owner_from as usize] += 1;
        self.workloads.add(event, now);
        if let Some(connection) = &event.connection {
            let observe = |histogram: &Histogram, time: Option<Duration>| {
                time.inspect(|time| histogram.observe(time.as_secs_f64()));
            };
            observe(&self.ages, connection.age);
            observe(&self.idle_times, connection.idle);
        }
    }

    /// Whether all that the kernel has counted is concluded or lost, so that nothing is on its way.
    pub fn accounts_for(&self, counts: &Counts) -> bool {
        let concluded: u64 = self.sent.iter().chain(&self.received).sum();
        concluded + counts.lost() >= counts.total()
    }

    /// Ends the series of what has not occurred for long.
    pub fn free_idle(&mut self, now: Duration) {
        self.workloads.free_idle(now);
    }

    /// Exports everything.
    pub(super) fn register(&self, registry: &Registry, counts: &Counts) -> Result<(), MetricsError> {
        causes(
            registry,
            "resetmon_resets_sent_total",
            "TCP resets that this host sent, by cause (undiagnosed: without an event).",
            (Direction::Sent, &self.sent, counts.lost_sent),
        )?;
        causes(
            registry,
            "resetmon_resets_received_total",
            "TCP resets that reached a local socket, by cause (undiagnosed: without an event).",
            (Direction::Received, &self.received, counts.lost_received),
        )?;
        let errors = counter(
            registry,
            "resetmon_errors_delivered_total",
            "Resets that an application is told about, by its error.",
            &["errno"],
        )?;
        for (errno, count) in Errno::ALL.iter().zip(self.errors) {
            errors.with_label_values(&[errno.as_str()]).inc_by(count);
        }
        let owners = counter(
            registry,
            "resetmon_attributions_total",
            "Resets by how the owner of their socket is known (none: it is not).",
            &["owner_from"],
        )?;
        for (owner_from, count) in OwnerFrom::ALL.iter().zip(self.owners) {
            owners.with_label_values(&[owner_from.as_str()]).inc_by(count);
        }
        self.workloads.register(registry)?;
        registry.register(Box::new(self.ages.clone()))?;
        registry.register(Box::new(self.idle_times.clone()))
    }
}

/// The causes of one direction. Their sum is the kernel's own count of a moment ago: as long as an event takes.
fn causes(
    registry: &Registry,
    name: &str,
    help: &str,
    (direction, counts, lost): (Direction, &[u64], u64),
) -> Result<(), MetricsError> {
    let resets = counter(registry, name, help, &["cause"])?;
    for (cause, count) in Cause::ALL.iter().zip(counts).filter(|(cause, _)| cause.fits(direction)) {
        resets.with_label_values(&[cause.as_str()]).inc_by(*count);
    }
    resets.with_label_values(&[UNDIAGNOSED]).inc_by(lost);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::{Encoder as _, TextEncoder};

    use super::*;
    use crate::{
        cause::Confidence,
        filter::samples,
        kernel::counters::{CountedReason, SentCount},
        model::{TcpState, connection::Connection, diagnosis::Diagnosis},
    };

    fn event(direction: Direction, cause: Cause) -> ResetEvent {
        let diagnosis = Diagnosis { cause, confidence: Confidence::Certain, evidence: Vec::new() };
        let diagnosis = Some(Arc::new(diagnosis));
        ResetEvent { diagnosis, ..samples::bare(direction, "10.0.0.5:1", "10.0.0.9:2") }
    }

    fn text(diagnosed: &Diagnosed, counts: &Counts) -> String {
        let registry = Registry::new();
        diagnosed.register(&registry, counts).expect("metrics");
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).expect("text");
        String::from_utf8(text).expect("UTF-8")
    }

    fn check(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    #[test]
    fn causes_errors_and_owners_start_at_zero() {
        let text = text(&Diagnosed::new().expect("metrics"), &Counts::default());
        for cause in Cause::ALL {
            let series = |direction: &str| {
                format!("resetmon_resets_{direction}_total{{cause=\"{}\"}} 0", cause.as_str())
            };
            check(&text, &series("received"));
            let is_sent = text.lines().any(|line| line == series("sent"));
            assert_eq!(is_sent, cause.fits(Direction::Sent), "{cause:?}");
        }
        check(&text, r#"resetmon_resets_sent_total{cause="undiagnosed"} 0"#);
        for errno in Errno::ALL {
            check(&text, &format!("resetmon_errors_delivered_total{{errno=\"{}\"}} 0", errno.as_str()));
        }
        for owner_from in OwnerFrom::ALL {
            let series = format!("resetmon_attributions_total{{owner_from=\"{}\"}} 0", owner_from.as_str());
            check(&text, &series);
        }
        check(&text, "resetmon_reset_connection_age_seconds_count 0");
        check(&text, "resetmon_reset_idle_seconds_count 0");
    }

    #[test]
    fn what_was_lost_is_undiagnosed_and_what_is_on_its_way_is_not() {
        let mut diagnosed = Diagnosed::new().expect("metrics");
        let mut add = |direction, cause| diagnosed.add(&event(direction, cause), Duration::ZERO);
        add(Direction::Sent, Cause::CloseUnread);
        add(Direction::Sent, Cause::CloseUnread);
        add(Direction::Received, Cause::CloseUnread);
        add(Direction::Received, Cause::Unknown);
        // Of the five that were received one is still on its way.
        let sent = SentCount { reason: CountedReason::Unavailable, state: None, count: 4 };
        let counts = Counts {
            sent: vec![sent],
            received: vec![(Some(TcpState::Established), 3)],
            missed_sent: 1,
            missed_received: 2,
            lost_sent: 3,
            lost_received: 2,
            ..Counts::default()
        };
        let now = text(&diagnosed, &counts);
        check(&now, r#"resetmon_resets_sent_total{cause="close_unread"} 2"#);
        check(&now, r#"resetmon_resets_sent_total{cause="undiagnosed"} 3"#);
        check(&now, r#"resetmon_resets_received_total{cause="close_unread"} 1"#);
        check(&now, r#"resetmon_resets_received_total{cause="unknown"} 1"#);
        check(&now, r#"resetmon_resets_received_total{cause="undiagnosed"} 2"#);
    }

    #[test]
    fn what_events_tell_is_counted() {
        let mut diagnosed = Diagnosed::new().expect("metrics");
        let connection = Connection {
            age: Some(Duration::from_secs(3)),
            idle: Some(Duration::from_mins(1)),
            ..Connection::default()
        };
        let event = ResetEvent {
            errno: Some(Errno::BrokenPipe),
            owner_from: OwnerFrom::Accept,
            connection: Some(connection),
            ..event(Direction::Received, Cause::PeerIdleTimeout)
        };
        diagnosed.add(&event, Duration::ZERO);
        let text = text(&diagnosed, &Counts::default());
        check(&text, r#"resetmon_errors_delivered_total{errno="EPIPE"} 1"#);
        check(&text, r#"resetmon_attributions_total{owner_from="accept"} 1"#);
        check(&text, r#"resetmon_reset_connection_age_seconds_bucket{le="1"} 0"#);
        check(&text, r#"resetmon_reset_connection_age_seconds_bucket{le="10"} 1"#);
        check(&text, r#"resetmon_reset_idle_seconds_bucket{le="16"} 0"#);
        check(&text, r#"resetmon_reset_idle_seconds_bucket{le="62"} 1"#);
        check(&text, "resetmon_reset_idle_seconds_sum 60");
    }
}
