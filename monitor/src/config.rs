//! What the user meant: validated, with defaults and environment resolved. Made from [`crate::cli`] in one place.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    capture::CaptureOptions,
    cli::{AgentArgs, CaptureArgs, DoctorArgs, WatchArgs},
    filter::Filter,
    kernel::probes::ProbeOptions,
    output::Format,
};

/// What `watch` shall do.
#[derive(Debug)]
pub struct WatchConfig {
    /// How to capture.
    pub capture: CaptureOptions,
    /// Which resets to show.
    pub filter: Filter,
    /// Format of the output.
    pub format: Format,
    /// Stop after so many resets.
    pub limit: Option<u64>,
}

/// What the agent shall do.
#[derive(Debug)]
pub struct AgentConfig {
    /// How to capture.
    pub capture: CaptureOptions,
    /// Where to serve metrics.
    pub listen: Vec<SocketAddr>,
}

/// What `doctor` shall do.
#[derive(Debug)]
pub struct DoctorConfig {
    /// How to capture.
    pub capture: CaptureOptions,
    /// Format of the output.
    pub format: crate::doctor::Format,
    /// Whether something that is missing makes it fail.
    pub strict: bool,
    /// For how long counters are compared.
    pub window: Duration,
    /// Where the agent shall serve metrics.
    pub listen: Vec<SocketAddr>,
    /// The agent's socket.
    pub socket: PathBuf,
}

impl From<&DoctorArgs> for DoctorConfig {
    fn from(args: &DoctorArgs) -> Self {
        Self {
            capture: (&args.capture).into(),
            format: args.output,
            strict: args.strict,
            window: Duration::from_secs(args.seconds),
            listen: args.listen.clone(),
            socket: args.socket.clone(),
        }
    }
}

impl From<&CaptureArgs> for CaptureOptions {
    fn from(args: &CaptureArgs) -> Self {
        Self {
            probes: ProbeOptions {
                ring_bytes: args.ring_buffer_bytes,
                selection: args.probes.clone(),
                ..ProbeOptions::default()
            },
            procfs: args.procfs.clone(),
        }
    }
}

impl From<&WatchArgs> for WatchConfig {
    fn from(args: &WatchArgs) -> Self {
        Self {
            capture: (&args.capture).into(),
            filter: args.filter.filter(),
            format: args.output,
            limit: args.count.map(Into::into),
        }
    }
}

impl From<&AgentArgs> for AgentConfig {
    fn from(args: &AgentArgs) -> Self {
        Self { capture: (&args.capture).into(), listen: args.listen.clone() }
    }
}
