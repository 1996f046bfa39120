//! resetmon tells you who reset your TCP connection, which process it hit, and why.
//!
//! The modules before `kernel` are pure: they do no I/O and read no clock. The others are what runs; they need the
//! feature `bpf`.

pub mod cause;
pub mod model;
pub mod reason;
pub mod spelling;

pub mod catalogue;

pub mod decode;
pub mod hold;
pub mod incident;
pub mod owner;
pub mod workload;

pub mod diagnosis;

pub mod cardinality;
pub mod filter;
pub mod input;
pub mod output;
pub mod recording;
pub mod time_spec;

#[cfg(feature = "history")]
pub mod history;

#[cfg(feature = "bpf")]
pub mod kernel;

#[cfg(feature = "bpf")]
pub mod capture;
#[cfg(feature = "bpf")]
pub mod cgroups;
#[cfg(feature = "bpf")]
pub mod clock;
#[cfg(feature = "bpf")]
pub mod enrich;
#[cfg(feature = "bpf")]
pub mod holders;
#[cfg(feature = "bpf")]
pub mod pid_namespace;

#[cfg(feature = "bpf")]
pub mod cli;
#[cfg(feature = "bpf")]
pub mod config;
#[cfg(feature = "bpf")]
pub mod exit;
#[cfg(feature = "bpf")]
pub mod notice;
#[cfg(feature = "bpf")]
pub mod signals;

#[cfg(feature = "bpf")]
pub mod client;
#[cfg(feature = "bpf")]
pub mod hub;
#[cfg(feature = "bpf")]
pub mod socket;

#[cfg(feature = "bpf")]
pub mod watch;

#[cfg(feature = "bpf")]
pub mod run;

#[cfg(feature = "bpf")]
pub mod agent;
#[cfg(feature = "bpf")]
pub mod losses;
#[cfg(feature = "bpf")]
pub mod metrics;
#[cfg(feature = "bpf")]
pub mod process_metrics;
#[cfg(feature = "bpf")]
pub mod web;

#[cfg(feature = "bpf")]
pub mod explain;
#[cfg(feature = "bpf")]
pub mod query;

#[cfg(feature = "bpf")]
pub mod manual;

#[cfg(feature = "bpf")]
pub mod actor;
#[cfg(feature = "bpf")]
pub mod demo;
#[cfg(feature = "bpf")]
pub mod doctor;
