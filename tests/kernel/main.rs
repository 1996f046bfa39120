//! Real resets on the running kernel, judged by what the product says of them. One file a scenario; each test makes its
//! traffic in a network namespace of its own and filters by it. Needs root, and the binary that cargo built.

mod abort_from_outside;
mod abort_on_linger;
mod accept;
mod accepted_reset;
mod agent;
mod agent_clients;
mod agent_config;
mod bpf_stats;
mod causes;
mod close_unread;
mod counts;
mod data_after_shutdown;
mod demo;
mod doctor;
mod errors;
mod exiting;
mod explain;
mod firewall;
mod handshake_ttl;
mod history;
mod holders;
mod ignored;
mod incident;
mod keepalive;
mod mptcp;
mod netns;
mod older;
mod overflow;
mod pid_namespace;
mod privilege;
mod python;
mod received_header;
mod refused;
mod run;
mod socket;
mod time_wait;
mod workload;

use resetmon_tests::host;
