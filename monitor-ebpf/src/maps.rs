//! Every map, on one screen. Names and sizes are in `resetmon_common::layout`.

use core::ptr;

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, bpf_map_type::BPF_MAP_TYPE_SK_STORAGE},
    macros::map,
    maps::{HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use resetmon_common::{
    layout::{
        DEFAULT_CLOSED, DEFAULT_RING_BYTES, IGNORED_SLOTS, LOST_SLOTS, MAX_LISTENERS, MAX_NOTES,
        MAX_SOCKET_HASH, MAX_TREE, RECEIVED_SLOTS, REMEMBERED_SLOTS, SENT_SLOTS,
    },
    wire::{RawArrival, RawClosed, RawNote, RawOwner, RawSocketRecord, RawTuple},
};

use crate::record::Destroyed;

/// Events for user space.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(DEFAULT_RING_BYTES, 0);

/// Sent resets by reason and state.
#[map]
pub(crate) static SENT: PerCpuArray<u64> = PerCpuArray::with_max_entries(SENT_SLOTS, 0);

/// Received resets by state.
#[map]
pub(crate) static RECEIVED: PerCpuArray<u64> = PerCpuArray::with_max_entries(RECEIVED_SLOTS, 0);

/// Events that found no room.
#[map]
pub(crate) static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(LOST_SLOTS, 0);

/// Ignored RSTs by the kernel's reason for dropping them.
#[map]
pub(crate) static IGNORED: PerCpuArray<u64> = PerCpuArray::with_max_entries(IGNORED_SLOTS, 0);

/// The packet that `tcp_reset()` is at work on, on each CPU.
#[map]
pub(crate) static ARRIVAL: PerCpuArray<RawArrival> = PerCpuArray::with_max_entries(1, 0);

/// What kprobes have noted of sockets, by address.
#[map]
pub(crate) static NOTES: LruHashMap<u64, RawNote> = LruHashMap::with_max_entries(MAX_NOTES, 0);

/// What the next map was given.
#[map]
pub(crate) static REMEMBERED: PerCpuArray<u64> = PerCpuArray::with_max_entries(REMEMBERED_SLOTS, 0);

/// Connections and listeners closed lately.
#[map]
pub(crate) static CLOSED: LruHashMap<RawTuple, RawClosed> = LruHashMap::with_max_entries(DEFAULT_CLOSED, 0);

/// Without socket storage: records by socket address.
#[map]
pub(crate) static SOCKET_HASH: HashMap<u64, RawSocketRecord> =
    HashMap::with_max_entries(MAX_SOCKET_HASH, BPF_F_NO_PREALLOC);

/// Without socket storage: the last socket that was destroyed, on each CPU.
#[map]
pub(crate) static DESTROYED: PerCpuArray<Destroyed> = PerCpuArray::with_max_entries(1, 0);

/// Without socket storage: owners of listeners by namespace and local address and port, the peer's being zero.
#[map]
pub(crate) static LISTENERS: HashMap<RawTuple, RawOwner> =
    HashMap::with_max_entries(MAX_LISTENERS, BPF_F_NO_PREALLOC);

/// Processes of the command that is watched, by `tree_key`; they stay when they have ended.
#[map]
pub(crate) static TREE: HashMap<u64, u8> = HashMap::with_max_entries(MAX_TREE, BPF_F_NO_PREALLOC);

/// Processes that found no room there.
#[map]
pub(crate) static TREE_LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// `BPF_F_NO_PREALLOC | BPF_F_CLONE` (`include/uapi/linux/bpf.h`): an accepted child inherits its listener's record.
const STORAGE_FLAGS: usize = 1 | 512;

/// A map in BTF form: array lengths carry the numbers, pointers the types. Needed because aya-ebpf fixes the flags of
/// its own socket storage.
#[repr(C)]
pub(crate) struct SocketStorage<T> {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; STORAGE_FLAGS],
}

// SAFETY: the pointers carry types for the loader and are never followed.
unsafe impl<T> Sync for SocketStorage<T> {}

/// Records in socket storage: they die with their socket.
#[unsafe(link_section = ".maps")]
#[unsafe(no_mangle)]
pub(crate) static SOCKETS: SocketStorage<RawSocketRecord> = SocketStorage {
    r#type: ptr::null(),
    key: ptr::null(),
    value: ptr::null(),
    max_entries: ptr::null(),
    map_flags: ptr::null(),
};
