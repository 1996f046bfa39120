//! What is remembered of a socket: its owner, when it was established, the state it left for CLOSE. Kept in socket
//! storage, which dies with the socket and is inherited by accepted children; where tracing programs cannot use that,
//! in a hash by the socket's address, with listeners found by their address and port.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_NOEXIST},
    helpers::{bpf_get_current_cgroup_id, bpf_ktime_get_boot_ns, bpf_sk_storage_get},
};
use resetmon_common::{
    layout::{REMEMBERED_NEW, REMEMBERED_REFUSED},
    wire::{PF_KTHREAD, RawClosed, RawNote, RawOwner, RawSocketRecord, RawTuple, origin, trace},
};

use crate::{
    count::add_one,
    globals::{HAS_SK_STORAGE, has},
    maps::{CLOSED, DESTROYED, LISTENERS, NOTES, REMEMBERED, SOCKET_HASH, SOCKETS},
    sock::{FullSock, SHUTDOWN_MASK, Sock, state, v4_mapped},
    task,
    words::{self, Room},
};

/// `BPF_SK_STORAGE_GET_F_CREATE` (`include/uapi/linux/bpf.h`).
const CREATE: u64 = 1;

/// For how long notes about the socket at one address are about the same socket, in nanoseconds: from the end of the
/// handshake to accept(2), where nobody accepts for longer the TTL is lost.
const NOTE_LIFE: u64 = 1_000_000_000;

/// A socket that is gone, by its address, and what was remembered of it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Destroyed {
    socket: u64,
    record: RawSocketRecord,
}

/// The record of a full socket, if it has one.
#[inline(always)]
pub(crate) fn get(sock: Sock) -> Option<&'static mut RawSocketRecord> {
    if has(&HAS_SK_STORAGE) {
        in_storage(sock, core::ptr::null_mut(), 0)
    } else {
        let record = SOCKET_HASH.get_ptr_mut(sock.as_ptr() as u64)?;
        // SAFETY: a map value; it is only written under the socket's lock.
        Some(unsafe { &mut *record })
    }
}

/// The same when the socket may have been destroyed a moment ago, on this CPU: an orphan that data arrives for is, before
/// the reset is sent (`tcp_rcv_state_process()`, `net/ipv4/tcp_input.c`, 5.10–7.x).
#[inline(always)]
pub(crate) fn get_even_destroyed(sock: Sock) -> Option<&'static mut RawSocketRecord> {
    let record = get(sock);
    if has(&HAS_SK_STORAGE) || record.is_some() || sock.state() != state::CLOSE {
        return record;
    }
    // SAFETY: a map value of this CPU, which nobody else is at work on.
    let destroyed = unsafe { &mut *DESTROYED.get_ptr_mut(0)? };
    if destroyed.socket == sock.as_ptr() as u64 { Some(&mut destroyed.record) } else { None }
}

/// The record of a full socket, made empty if it has none.
#[inline(always)]
pub(crate) fn get_or_create(sock: Sock) -> Option<&'static mut RawSocketRecord> {
    if has(&HAS_SK_STORAGE) {
        return in_storage(sock, core::ptr::null_mut(), CREATE);
    }
    if let Some(record) = get(sock) {
        return Some(record);
    }
    SOCKET_HASH.insert(sock.as_ptr() as u64, Room::<RawSocketRecord>::new().zeroed(), 0).ok()?;
    get(sock)
}

#[inline(always)]
fn in_storage(sock: Sock, value: *mut RawSocketRecord, flags: u64) -> Option<&'static mut RawSocketRecord> {
    let map = (&raw const SOCKETS).cast_mut().cast::<c_void>();
    // SAFETY: the helper takes a full socket and answers null when it cannot give a record; the record lives as long as
    // the socket, which the tracepoint's caller holds.
    unsafe {
        bpf_sk_storage_get(map, sock.as_ptr().cast_mut().cast(), value.cast(), flags)
            .cast::<RawSocketRecord>()
            .as_mut()
    }
}

/// Makes the current task the owner.
#[inline(always)]
pub(crate) fn own(owner: &mut RawOwner, netns: u32, origin: u8, role: u8) {
    task::write_current(&mut owner.task);
    // SAFETY: the helper takes no arguments.
    owner.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    owner.netns = netns;
    owner.origin = origin;
    owner.role = role;
}

/// The current task is closing or shutting down the socket. It becomes the owner of a connection whose owner is unknown
/// or only inherited from its listener, and of any that it closes as a whole: only who holds a socket last does that.
/// Kernel threads close on behalf of others and own nothing.
#[inline(always)]
pub(crate) fn closed_by_current(record: &mut RawSocketRecord, sock: Sock) {
    if record.marks & trace::ABORTED != 0 {
        return;
    }
    let flags = task::flags_of_current();
    if flags & PF_KTHREAD != 0 {
        return;
    }
    if let Some(exit_code) = task::exit_code_of_current(flags) {
        record.exit_code = exit_code;
        record.marks |= trace::EXITED;
    }
    let owner = &mut record.owner;
    if owner.origin != 0 && owner.task.tgid == task::current_ids().0 {
        // Nearly every connection ends here: what is known of the owner need not be read again.
        if owner.origin == origin::LISTEN {
            owner.origin = origin::ACTED;
        }
    } else if owner.origin == 0 || owner.origin == origin::LISTEN || sock.shutdown() == SHUTDOWN_MASK {
        own(owner, sock.netns(), origin::ACTED, owner.role);
    }
}

/// Remembers a connection that is closing.
#[inline(always)]
pub(crate) fn remember_closed(sock: Sock, record: &RawSocketRecord) {
    let Some(full) = sock.full() else { return };
    let mut room = Room::new();
    let tuple = room.zeroed();
    sock.write_tuple(tuple);
    tuple.local_port = full.source_port();
    remember(tuple, sock, full, record, record.marks);
}

/// Remembers a listener that is closing: resets for its port name its last owner for a while.
#[inline(always)]
pub(crate) fn remember_closed_listener(sock: Sock, record: &RawSocketRecord) {
    let Some(full) = sock.full() else { return };
    let mut room = Room::new();
    let key = room.zeroed();
    write_listener_key(sock, full, key);
    remember(key, sock, full, record, record.marks | trace::LISTENER);
}

#[inline(always)]
fn remember(tuple: &RawTuple, sock: Sock, full: FullSock, record: &RawSocketRecord, marks: u8) {
    let mut room = Room::<RawClosed>::new();
    let closed = room.zeroed();
    words::copy(&record.owner, &mut closed.owner);
    closed.established_at = record.established_at;
    // SAFETY: the helper takes no arguments.
    closed.closed_at = unsafe { bpf_ktime_get_boot_ns() };
    closed.exit_code = record.exit_code;
    closed.marks = marks;
    closed.netns_mix = sock.netns_mix();
    full.write_traffic(closed);
    let closed: &RawClosed = closed;
    // A full map evicts the oldest.
    if CLOSED.insert(tuple, closed, u64::from(BPF_NOEXIST)).is_ok() {
        add_one(&REMEMBERED, REMEMBERED_NEW);
    } else if CLOSED.insert(tuple, closed, u64::from(BPF_ANY)).is_err() {
        add_one(&REMEMBERED, REMEMBERED_REFUSED);
    }
}

/// What kprobes have noted of the socket at this address.
#[inline(always)]
pub(crate) fn note(address: u64) -> Option<&'static RawNote> {
    let note = NOTES.get_ptr(address)?;
    // SAFETY: a map value; an eviction during the copy can mix two notes at worst.
    Some(unsafe { &*note })
}

/// Notes something of the socket at this address, keeping what was noted of it a moment ago.
#[inline(always)]
pub(crate) fn add_note(address: u64, add: impl FnOnce(&mut RawNote)) {
    // SAFETY: the helper takes no arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let mut room = Room::<RawNote>::new();
    let note = room.zeroed();
    note.noted_at = now;
    if let Some(known) = self::note(address)
        && now - known.noted_at < NOTE_LIFE
    {
        words::copy(&known.owner, &mut note.owner);
        note.handshake_ttl = known.handshake_ttl;
    }
    add(note);
    let _ = NOTES.insert(address, note, 0);
}

/// What is remembered of a closed connection.
#[inline(always)]
pub(crate) fn closed(tuple: &RawTuple) -> Option<&'static RawClosed> {
    let closed = CLOSED.get_ptr(tuple)?;
    // SAFETY: a map value; an eviction during the copy can mix two records of the same CPU at worst.
    Some(unsafe { &*closed })
}

/// Without socket storage: remembers a listener for the children to come.
#[inline(always)]
pub(crate) fn remember_listener(sock: Sock, owner: &RawOwner) {
    if !has(&HAS_SK_STORAGE)
        && let Some(full) = sock.full()
    {
        let mut room = Room::new();
        let key = room.zeroed();
        write_listener_key(sock, full, key);
        let _ = LISTENERS.insert(key, owner, 0);
    }
}

/// Without socket storage: forgets a listener.
#[inline(always)]
pub(crate) fn forget_listener(sock: Sock) {
    if !has(&HAS_SK_STORAGE)
        && let Some(full) = sock.full()
    {
        let mut room = Room::new();
        let key = room.zeroed();
        write_listener_key(sock, full, key);
        let _ = LISTENERS.remove(key);
    }
}

/// Without socket storage: who listens at this local end.
#[inline(always)]
fn listener(key: &RawTuple) -> Option<&'static RawOwner> {
    let owner = LISTENERS.get_ptr(key)?;
    // SAFETY: a map value, only written when its listener starts to listen.
    Some(unsafe { &*owner })
}

/// Without socket storage: gives a child the record that its listener would have handed down.
#[inline(always)]
pub(crate) fn inherit(child: Sock) {
    if has(&HAS_SK_STORAGE) {
        return;
    }
    let Some(full) = child.full() else { return };
    let mut room = Room::new();
    let key = room.zeroed();
    write_listener_key(child, full, key);
    let mut owner = listener(key);
    if owner.is_none() {
        words::clear(&mut key.local_addr);
        owner = listener(key);
    }
    if owner.is_none() {
        key.local_addr = v4_mapped(0);
        owner = listener(key);
    }
    let Some(owner) = owner else { return };
    if let Some(record) = get_or_create(child) {
        // SAFETY: the child's own record, of which zeros are one.
        unsafe { words::zero(record) };
        words::copy(owner, &mut record.owner);
    }
}

/// The local end, with no peer. The port is the one that outlives the unhashing at close.
#[inline(always)]
fn write_listener_key(sock: Sock, full: FullSock, key: &mut RawTuple) {
    sock.write_tuple(key);
    key.local_port = full.source_port();
    words::clear(&mut key.peer_addr);
    key.peer_port = 0;
}

/// Without socket storage: forgets a socket that is being destroyed.
#[inline(always)]
pub(crate) fn forget(sock: *const u8) {
    if has(&HAS_SK_STORAGE) {
        return;
    }
    let socket = sock as u64;
    if let (Some(record), Some(destroyed)) = (SOCKET_HASH.get_ptr(socket), DESTROYED.get_ptr_mut(0)) {
        // SAFETY: map values; the first is not written any more, the second is this CPU's.
        unsafe {
            (*destroyed).socket = socket;
            words::copy(&*record, &mut (*destroyed).record);
        }
    }
    let _ = SOCKET_HASH.remove(socket);
}

/// Of several holders the oldest owns; who was seen to connect, listen or accept is not replaced. Tells whether the
/// socket had no owner.
#[inline(always)]
pub(crate) fn seed(record: &mut RawSocketRecord, owner: &RawOwner) -> bool {
    let known = record.owner.origin;
    if known == 0 || known == origin::SEED && owner.task.start_time < record.owner.task.start_time {
        words::copy(owner, &mut record.owner);
    }
    known == 0
}

/// Without socket storage: the same for the socket at an address.
#[inline(always)]
pub(crate) fn seed_by_address(sk: u64, owner: &RawOwner) -> bool {
    if let Some(record) = SOCKET_HASH.get_ptr_mut(sk) {
        // SAFETY: a map value.
        return seed(unsafe { &mut *record }, owner);
    }
    let mut room = Room::<RawSocketRecord>::new();
    let record = room.zeroed();
    words::copy(owner, &mut record.owner);
    SOCKET_HASH.insert(sk, record, 0).is_ok()
}

/// Without socket storage: the same for a listener's children to come.
#[inline(always)]
pub(crate) fn seed_listener(key: &RawTuple, owner: &RawOwner) {
    if LISTENERS.get_ptr(key).is_none() {
        let mut room = Room::new();
        let inherited: &mut RawOwner = room.zeroed();
        words::copy(owner, inherited);
        inherited.origin = origin::LISTEN;
        let _ = LISTENERS.insert(key, inherited, 0);
    }
}
