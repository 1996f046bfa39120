//! The iterator `task_file` (`kernel/bpf/task_iter.c`, 5.8 and later) visits every open file of every process, in all
//! namespaces: sockets that are older than resetmon get their owners by it, once at start. It writes one byte for each.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{file, seq_file},
    helpers::generated::{bpf_seq_write, bpf_sock_from_file},
};
use resetmon_common::wire::{RawOwner, RawTuple, origin, role};

use crate::{
    globals::{
        FILE_INODE, FILE_PRIVATE_DATA, HAS_SK_STORAGE, INODE_MODE, SK_PROTOCOL, SKC_FAMILY, SKC_STATE,
        SOCKET_SK, has,
    },
    reach::{Probed, Reach as _, load},
    record,
    sock::{AF_INET, AF_INET6, IPPROTO_TCP, Sock, state, write_tuple},
    task,
    words::{self, Room},
};

/// `S_IFMT` and `S_IFSOCK` (`include/uapi/linux/stat.h`).
const KIND_OF_FILE: u16 = 0o170_000;
const SOCKET: u16 = 0o140_000;

/// `struct bpf_iter__task_file`: every member is aligned to eight bytes.
#[repr(C)]
pub(crate) struct TaskFile {
    meta: *const Meta,
    task: *const u8,
    descriptor: u64,
    file: *mut file,
}

/// `struct bpf_iter_meta`.
#[repr(C)]
struct Meta {
    seq: *mut seq_file,
}

#[unsafe(link_section = "iter/task_file")]
#[unsafe(no_mangle)]
extern "C" fn task_file(ctx: *const TaskFile) -> i32 {
    // SAFETY: the iterator's context; the verifier checks every access to it.
    let (meta, task, file) = unsafe { ((*ctx).meta, (*ctx).task, (*ctx).file) };
    if task.is_null() || file.is_null() {
        return 0;
    }
    let seeded = if has(&HAS_SK_STORAGE) { in_storage(task, file) } else { in_hash(task, file) };
    if seeded {
        // SAFETY: the byte is on the stack; without room the kernel visits this file again.
        unsafe {
            let byte = 1_u8;
            bpf_seq_write((*meta).seq, (&raw const byte).cast::<c_void>(), 1);
        }
    }
    0
}

#[inline(always)]
fn in_storage(task: *const u8, file: *mut file) -> bool {
    // SAFETY: the helper takes any open file and answers null when it is not a socket's.
    let socket = unsafe { bpf_sock_from_file(file) }.cast::<u8>().cast_const();
    if socket.is_null() {
        return false;
    }
    // SAFETY: typed loads from a `struct socket` and its `struct sock`.
    let (sk, protocol) = unsafe {
        let sk: usize = load(socket, &SOCKET_SK);
        if sk == 0 {
            return false;
        }
        let sk = sk as *const u8;
        (sk, load::<u16>(sk, &SK_PROTOCOL))
    };
    let Some(sock) = Sock::new(sk) else { return false };
    let family = sock.family();
    if protocol != IPPROTO_TCP || family != AF_INET && family != AF_INET6 {
        return false;
    }
    let Some(record) = record::get_or_create(sock) else { return false };
    let mut room = Room::new();
    let owner = room.zeroed();
    write(owner, task, sock.netns(), sock.state());
    record::seed(record, owner)
}

/// Without socket storage there is no such helper either: every socket that is open as a file is of sockfs, and the
/// file's private data is the `struct socket`.
#[inline(always)]
fn in_hash(task: *const u8, file: *mut file) -> bool {
    let file = file.cast::<u8>().cast_const();
    let mut key_room = Room::new();
    let key: &mut RawTuple = key_room.zeroed();
    // SAFETY: probing reads.
    let (sk, family, protocol, state) = unsafe {
        let mode: u16 = Probed::load_through(file, &FILE_INODE, &INODE_MODE);
        if mode & KIND_OF_FILE != SOCKET {
            return false;
        }
        let sk: usize = Probed::load_through(file, &FILE_PRIVATE_DATA, &SOCKET_SK);
        if sk == 0 {
            return false;
        }
        let sk = sk as *const u8;
        write_tuple::<Probed>(sk, key);
        (
            sk,
            Probed::load::<u16>(sk, &SKC_FAMILY),
            Probed::load::<u16>(sk, &SK_PROTOCOL),
            Probed::load::<u8>(sk, &SKC_STATE),
        )
    };
    if protocol != IPPROTO_TCP || family != AF_INET && family != AF_INET6 {
        return false;
    }
    let mut owner_room = Room::new();
    let owner = owner_room.zeroed();
    write(owner, task, key.netns, state);
    if state == state::LISTEN {
        words::clear(&mut key.peer_addr);
        record::seed_listener(key, owner);
    }
    record::seed_by_address(sk as u64, owner)
}

#[inline(always)]
fn write(owner: &mut RawOwner, task: *const u8, netns: u32, state: u8) {
    task::write(task, &mut owner.task);
    owner.netns = netns;
    owner.origin = origin::SEED;
    owner.role = if state == state::LISTEN { role::SERVER } else { 0 };
}
