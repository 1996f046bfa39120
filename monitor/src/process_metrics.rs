//! The `process_*` metrics of resetmon itself, as every Prometheus client exports them, read from procfs at the scrape.

use procfs::{ProcResult, process::Process};
use prometheus::{Counter, Gauge, Registry};

/// Figures of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessMetrics {
    cpu_seconds: f64,
    open_descriptors: f64,
    max_descriptors: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
    start_seconds: f64,
    threads: f64,
}

impl ProcessMetrics {
    /// Reads this process.
    #[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
    pub fn read() -> ProcResult<Self> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks_per_second = procfs::ticks_per_second() as f64;
        let boot = procfs::boot_time_secs()?;
        let max_descriptors = match process.limits()?.max_open_files.soft_limit {
            procfs::process::LimitValue::Value(limit) => limit as f64,
            procfs::process::LimitValue::Unlimited => f64::INFINITY,
        };
        Ok(Self {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks_per_second,
            open_descriptors: process.fd_count()? as f64,
            max_descriptors,
            virtual_bytes: stat.vsize as f64,
            resident_bytes: (stat.rss * procfs::page_size()) as f64,
            start_seconds: boot as f64 + stat.starttime as f64 / ticks_per_second,
            threads: stat.num_threads as f64,
        })
    }

    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        let cpu =
            Counter::new("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")?;
        cpu.inc_by(self.cpu_seconds);
        registry.register(Box::new(cpu))?;
        let gauges = [
            ("process_open_fds", "Number of open file descriptors.", self.open_descriptors),
            ("process_max_fds", "Maximum number of open file descriptors.", self.max_descriptors),
            ("process_virtual_memory_bytes", "Virtual memory size in bytes.", self.virtual_bytes),
            ("process_resident_memory_bytes", "Resident memory size in bytes.", self.resident_bytes),
            ("process_start_time_seconds", "Start time since the Unix epoch in seconds.", self.start_seconds),
            ("process_threads", "Number of threads.", self.threads),
        ];
        for (name, help, value) in gauges {
            let gauge = Gauge::new(name, help)?;
            gauge.set(value);
            registry.register(Box::new(gauge))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ProcessMetrics;

    #[test]
    fn reads_plausible_figures_of_this_process() {
        let metrics = ProcessMetrics::read().expect("procfs");
        assert!(metrics.resident_bytes > 100_000.0, "{metrics:?}");
        assert!(
            metrics.open_descriptors >= 3.0 && metrics.open_descriptors <= metrics.max_descriptors,
            "{metrics:?}"
        );
        let now = jiff::Timestamp::now().as_second();
        #[expect(clippy::cast_precision_loss, reason = "seconds fit")]
        let age = now as f64 - metrics.start_seconds;
        assert!((-2.0..3600.0).contains(&age), "{metrics:?}");
    }
}
