//! What the user meant: validated, with defaults and environment resolved. Made from [`crate::cli`] in one place.

use std::net::SocketAddr;

use crate::{
    capture::CaptureOptions,
    cli::{AgentArgs, CaptureArgs, WatchArgs},
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
