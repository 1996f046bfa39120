//! How the history is: what is in it, what waits, and what went wrong.

use prometheus::{Gauge, Opts, Registry};

use super::{MetricsError, counter, gauge};
use crate::history::{fault::Fault, recorder::Status};

/// Exports everything.
pub(super) fn register(registry: &Registry, status: &Status) -> Result<(), MetricsError> {
    let written = counter(
        registry,
        "resetmon_history_events_written_total",
        "Resets that the history has taken in.",
        &[],
    )?;
    written.with_label_values::<&str>(&[]).inc_by(status.written);
    let faults = counter(
        registry,
        "resetmon_history_faults_total",
        "Times that something was wrong with the history, by kind; capturing went on.",
        &["kind"],
    )?;
    for (fault, count) in Fault::ALL.iter().zip(status.faults) {
        faults.with_label_values(&[fault.as_str()]).inc_by(count);
    }
    for (name, help, value) in [
        ("resetmon_history_bytes", "Size of the history on the disk.", status.bytes),
        ("resetmon_history_shards", "Files of the history.", status.shards),
        ("resetmon_history_queue_length", "Resets that wait to be written to the history.", status.waiting),
        ("resetmon_history_queue_capacity", "Resets that may wait to be written.", status.capacity),
    ] {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        gauge(registry, name, help, &[])?.with_label_values::<&str>(&[]).set(value);
    }
    let oldest = Gauge::with_opts(Opts::new(
        "resetmon_history_oldest_timestamp_seconds",
        "When the oldest reset in the history happened, in seconds since 1970; 0 as long as there is none.",
    ))?;
    oldest.set(status.oldest.map_or(0.0, |oldest| oldest.as_duration().as_secs_f64()));
    registry.register(Box::new(oldest))
}
