//! Which kernel struct members the BPF programs read, in one list that both sides expand: the BPF side into frozen
//! globals that hold offsets, user space into the look-ups in the running kernel's BTF that fill them.

/// The offset of a member that the running kernel does not have. Reads behind a comparison with it are pruned by the
/// verifier, since the globals are frozen before the programs are loaded.
pub const ABSENT: u32 = u32::MAX;

/// One kernel struct member that the BPF programs read.
#[derive(Clone, Copy, Debug)]
pub struct KernelMember {
    /// Name of the global in the BPF object.
    pub global: &'static str,
    /// Name of the struct in the kernel's BTF.
    pub structure: &'static str,
    /// Dotted path of members inside the struct; anonymous structs and unions are looked through.
    pub path: &'static str,
    /// Bytes that the programs load there.
    pub size: u32,
    /// Whether the programs work without it.
    pub need: Need,
}

/// Whether the programs work without a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing works without it.
    Required,
    /// Absent on some kernels or configurations; the reads are pruned there.
    Optional,
}

/// Calls the macro `$with` with every kernel member: `GLOBAL: "structure" "path" size Need;`.
#[macro_export]
macro_rules! kernel_members {
    ($with:ident) => {
        $with! {
            SKC_FAMILY: "sock_common" "skc_family" 2 Required;
            SKC_STATE: "sock_common" "skc_state" 1 Required;
            SKC_NUM: "sock_common" "skc_num" 2 Required;
            SKC_DPORT: "sock_common" "skc_dport" 2 Required;
            SKC_DADDR: "sock_common" "skc_daddr" 4 Required;
            SKC_RCV_SADDR: "sock_common" "skc_rcv_saddr" 4 Required;
            SKC_V6_DADDR: "sock_common" "skc_v6_daddr" 16 Optional;
            SKC_V6_RCV_SADDR: "sock_common" "skc_v6_rcv_saddr" 16 Optional;
            SKC_NET: "sock_common" "skc_net.net" 8 Optional;
            SKC_FLAGS: "sock_common" "skc_flags" 8 Required;
            SK_LOCK_OWNED: "sock" "sk_lock.owned" 4 Required;
            SK_PROTOCOL: "sock" "sk_protocol" 2 Required;
            SK_SHUTDOWN: "sock" "sk_shutdown" 1 Required;
            SK_ERR: "sock" "sk_err" 4 Required;
            SK_UID: "sock" "sk_uid" 4 Required;
            SK_MARK: "sock" "sk_mark" 4 Required;
            SK_LINGERTIME: "sock" "sk_lingertime" 8 Required;
            SK_ACK_BACKLOG: "sock" "sk_ack_backlog" 4 Required;
            SK_MAX_ACK_BACKLOG: "sock" "sk_max_ack_backlog" 4 Required;
            SK_SOCKET: "sock" "sk_socket" 8 Required;
            SK_INO: "sock" "sk_ino" 8 Optional;
            SK_CGROUP: "sock" "sk_cgrp_data.cgroup" 8 Optional;
            SK_CGROUP_DATA: "sock" "sk_cgrp_data.val" 8 Optional;
            CGROUP_KN: "cgroup" "kn" 8 Optional;
            CGROUP_ROOT: "cgroup" "root" 8 Optional;
            ROOT_HIERARCHY_ID: "cgroup_root" "hierarchy_id" 4 Optional;
            KERNFS_ID: "kernfs_node" "id" 8 Optional;
            SOCKET_FILE: "socket" "file" 8 Required;
            SOCKET_SK: "socket" "sk" 8 Required;
            FILE_PRIVATE_DATA: "file" "private_data" 8 Required;
            INODE_MODE: "inode" "i_mode" 2 Required;
            FILE_INODE: "file" "f_inode" 8 Required;
            INODE_INO: "inode" "i_ino" 8 Required;
            INET_SPORT: "inet_sock" "inet_sport" 2 Required;
            ICSK_LRCVTIME: "inet_connection_sock" "icsk_ack.lrcvtime" 4 Required;
            ICSK_USER_TIMEOUT: "inet_connection_sock" "icsk_user_timeout" 4 Required;
            ICSK_PROBES_OUT: "inet_connection_sock" "icsk_probes_out" 1 Required;
            TCP_BYTES_SENT: "tcp_sock" "bytes_sent" 8 Required;
            TCP_BYTES_ACKED: "tcp_sock" "bytes_acked" 8 Required;
            TCP_BYTES_RECEIVED: "tcp_sock" "bytes_received" 8 Required;
            TCP_SND_UNA: "tcp_sock" "snd_una" 4 Required;
            TCP_SND_NXT: "tcp_sock" "snd_nxt" 4 Required;
            TCP_WRITE_SEQ: "tcp_sock" "write_seq" 4 Required;
            TCP_RCV_NXT: "tcp_sock" "rcv_nxt" 4 Required;
            TCP_COPIED_SEQ: "tcp_sock" "copied_seq" 4 Required;
            TCP_PACKETS_OUT: "tcp_sock" "packets_out" 4 Required;
            TCP_SRTT_US: "tcp_sock" "srtt_us" 4 Required;
            TCP_MDEV_US: "tcp_sock" "mdev_us" 4 Required;
            TCP_TOTAL_RETRANS: "tcp_sock" "total_retrans" 4 Required;
            TCP_LSNDTIME: "tcp_sock" "lsndtime" 4 Required;
            TCP_RCV_TSTAMP: "tcp_sock" "rcv_tstamp" 4 Required;
            TCP_KEEPALIVE_TIME: "tcp_sock" "keepalive_time" 4 Required;
            TCP_KEEPALIVE_INTVL: "tcp_sock" "keepalive_intvl" 4 Required;
            TCP_KEEPALIVE_PROBES: "tcp_sock" "keepalive_probes" 1 Required;
            TCP_LINGER2: "tcp_sock" "linger2" 4 Required;
            TCP_IS_MPTCP: "tcp_sock" "is_mptcp" 1 Optional;
            TASK_GROUP_LEADER: "task_struct" "group_leader" 8 Required;
            TASK_START_BOOTTIME: "task_struct" "start_boottime" 8 Required;
            TASK_COMM: "task_struct" "comm" 16 Required;
            TASK_FLAGS: "task_struct" "flags" 4 Required;
            TASK_TGID: "task_struct" "tgid" 4 Required;
            TASK_PID: "task_struct" "pid" 4 Required;
            TASK_EXIT_CODE: "task_struct" "exit_code" 4 Required;
            TASK_REAL_CRED: "task_struct" "real_cred" 8 Required;
            CRED_UID: "cred" "uid.val" 4 Required;
            SKB_HEAD: "sk_buff" "head" 8 Required;
            SKB_NETWORK_HEADER: "sk_buff" "network_header" 2 Required;
            SKB_TRANSPORT_HEADER: "sk_buff" "transport_header" 2 Required;
            SKB_DEV: "sk_buff" "dev" 8 Required;
            NET_DEVICE_NET: "net_device" "nd_net.net" 8 Optional;
            NET_INUM: "net" "ns.inum" 4 Required;
            NET_HASH_MIX: "net" "hash_mix" 4 Optional;
        }
    };
}

macro_rules! table {
    ($($global:ident: $structure:literal $path:literal $size:literal $need:ident;)*) => {
        /// Every member that the BPF programs read.
        pub const KERNEL_MEMBERS: &[KernelMember] = &[$(KernelMember {
            global: stringify!($global),
            structure: $structure,
            path: $path,
            size: $size,
            need: Need::$need,
        }),*];
    };
}
kernel_members!(table);
