//! Names and sizes of the maps, and how the counter maps are indexed.

/// Ring buffer with one [`crate::wire::RawResetEvent`] an entry.
pub const MAP_EVENTS: &str = "EVENTS";
/// Per-CPU counters of sent resets, indexed by [`sent_index`].
pub const MAP_SENT: &str = "SENT";
/// Per-CPU counters of received resets, indexed by [`received_index`].
pub const MAP_RECEIVED: &str = "RECEIVED";
/// Per-CPU counters of events that found no room in the ring buffer, indexed by the `LOST_…` constants.
pub const MAP_LOST: &str = "LOST";
/// Per-CPU counters of RSTs that the kernel ignored, indexed by the number in `enum skb_drop_reason`.
pub const MAP_IGNORED: &str = "IGNORED";
/// Socket records in socket storage.
pub const MAP_SOCKETS: &str = "SOCKETS";
/// Socket records by socket address, for kernels whose tracing programs cannot use socket storage.
pub const MAP_SOCKET_HASH: &str = "SOCKET_HASH";
/// Owners of listeners by network namespace and port, likewise only for those kernels.
pub const MAP_LISTENERS: &str = "LISTENERS";
/// Owners of connections and listeners that were closed lately, by connection.
pub const MAP_CLOSED: &str = "CLOSED";
/// Per-CPU counters of what [`MAP_CLOSED`] was given, indexed by the `REMEMBERED_…` constants.
pub const MAP_REMEMBERED: &str = "REMEMBERED";
/// Processes of a command that is watched from its start, by [`tree_key`].
pub const MAP_TREE: &str = "TREE";
/// Per-CPU counter, of one slot, of processes that [`MAP_TREE`] had no room for.
pub const MAP_TREE_LOST: &str = "TREE_LOST";

/// Slots for TCP states in the counter maps; numbers are the kernel's (`include/net/tcp_states.h`), 0 is no socket.
pub const STATES: u32 = 16;
/// Slots for reset reasons; the last three are [`REASON_NETFILTER`], [`REASON_OTHER`] and [`REASON_UNAVAILABLE`].
pub const REASONS: u32 = 64;
/// Counter slot for resets that the firewall made.
pub const REASON_NETFILTER: u32 = REASONS - 3;
/// Counter slot for reasons whose number is too large for the table.
pub const REASON_OTHER: u32 = REASONS - 2;
/// Counter slot on kernels that tell no reason.
pub const REASON_UNAVAILABLE: u32 = REASONS - 1;

/// Counter slot of a sent reset.
pub const fn sent_index(reason: u32, state: u32) -> u32 {
    let reason = if reason < REASONS { reason } else { REASON_OTHER };
    let state = if state < STATES { state } else { 0 };
    reason * STATES + state
}

/// What a counter of `tcp_receive_reset` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// A call of the tracepoint.
    Seen = 0,
    /// A call that `tcp_send_reset` exposed as no RST: data had arrived after a shutdown.
    Refuted = 1,
}

/// Counter slot of a received reset.
pub const fn received_index(receipt: Receipt, state: u32) -> u32 {
    let state = if state < STATES { state } else { 0 };
    receipt as u32 * STATES + state
}

/// Number of slots in [`MAP_SENT`].
pub const SENT_SLOTS: u32 = REASONS * STATES;
/// Number of slots in [`MAP_RECEIVED`].
pub const RECEIVED_SLOTS: u32 = 2 * STATES;

/// Slot in [`MAP_LOST`]: a sent reset.
pub const LOST_SENT: u32 = 0;
/// Slot in [`MAP_LOST`]: a call of `tcp_receive_reset`.
pub const LOST_RECEIVED: u32 = 1;
/// Slot in [`MAP_LOST`]: a lost call of `tcp_receive_reset` that turned out to be no RST.
pub const LOST_REFUTED: u32 = 2;
/// Number of slots in [`MAP_LOST`].
pub const LOST_SLOTS: u32 = 3;

/// For how long the last owner of a listener answers for its port, in nanoseconds.
pub const LISTENER_REMEMBERED: u64 = 60_000_000_000;

/// Slot in [`MAP_REMEMBERED`]: a connection or listener that the map did not have.
pub const REMEMBERED_NEW: u32 = 0;
/// Slot in [`MAP_REMEMBERED`]: one that the map could not take.
pub const REMEMBERED_REFUSED: u32 = 1;
/// Number of slots in [`MAP_REMEMBERED`].
pub const REMEMBERED_SLOTS: u32 = 2;

/// Slots of [`MAP_IGNORED`]; the last one is for numbers that are too large.
pub const IGNORED_SLOTS: u32 = 256;

/// Size of the ring buffer unless user space asks for another, in bytes.
pub const DEFAULT_RING_BYTES: u32 = 4 << 20;
/// Connections and listeners remembered after their end, unless user space asks for another number: a minute's worth at
/// a thousand a second.
pub const DEFAULT_CLOSED: u32 = 65_536;
/// Sockets that probes without socket storage can remember something of.
pub const MAX_NOTES: u32 = 4096;
/// Sockets tracked by address where socket storage is not available.
pub const MAX_SOCKET_HASH: u32 = 262_144;
/// Listeners tracked where socket storage is not available.
pub const MAX_LISTENERS: u32 = 16_384;
/// Processes of one command that are followed, those that have ended included.
pub const MAX_TREE: u32 = 262_144;

/// Nanoseconds of the tick in which `/proc/PID/stat` tells when a process started (`USER_HZ` is 100).
const TICK: u64 = 10_000_000;

/// A process in [`MAP_TREE`]: its id, and its start since boot as exactly as everybody can tell. No two processes share
/// it, since an id is not given again within a tick.
pub const fn tree_key(tgid: u32, started: u64) -> u64 {
    (started / TICK) << 32 | tgid as u64
}
