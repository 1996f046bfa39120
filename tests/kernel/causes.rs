//! What a foreign host does to programs of this one, and what their resets are said to come from. A file a cause; what
//! stands beside a cause because it is easily taken for it is in the same file.

mod accept_overflow;
mod bad_handshake_ack;
mod cancelled_connect;
mod connection_refused;
mod conntrack_bypass;
mod disconnect;
mod injected;
mod late_data;
mod memory_pressure;
mod orphan_timeout;
mod peer_idle_timeout;
mod peer_reset_early;
mod peer_reset_request;
mod port_scan;
mod reset_after_peer_close;
mod stale_connection;

use serde_json::Value;

/// The confidence where the kernel tells the reason of this reset, and where it has to be derived.
fn if_told(event: &Value, told: &'static str, derived: &'static str) -> &'static str {
    match event["kernel_reason"].as_str() {
        None | Some("NOT_SPECIFIED") => derived,
        Some(_) => told,
    }
}
