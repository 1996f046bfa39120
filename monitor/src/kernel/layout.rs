//! What the BPF programs need to know of the running kernel: offsets of struct members and which features are there.
//! Decided by the kernel's type information, never by its version, since distributions backport.

use resetmon_common::members::{ABSENT, KERNEL_MEMBERS, KernelMember, Need};

use super::{
    btf::{BtfError, BtfReader},
    reasons,
};
use crate::reason::ReasonNames;

/// Offsets and features of one kernel.
#[derive(Clone, Debug)]
pub struct KernelLayout {
    /// Offset of every member in [`KERNEL_MEMBERS`], by the name of its global in the BPF object.
    pub offsets: Vec<(&'static str, u32)>,
    /// What the kernel offers.
    pub features: Features,
    /// Names of its reset reasons.
    pub reasons: ReasonNames,
    /// Names of its reasons for dropping packets.
    pub drop_reasons: ReasonNames,
}

/// What a kernel offers to the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, none is a state")]
pub struct Features {
    /// `tcp_send_reset` tells a reason: its third argument after the private one (6.10 and later).
    pub send_reset_reason: bool,
    /// `tcp_send_reset` also fires without a full socket: for closed ports and `TIME_WAIT` (6.10 and later, in the same
    /// series of changes as the reason: 19822a980e19 and b533fb9cf4f7).
    pub send_reset_without_socket: bool,
    /// Tracing programs can use socket storage (5.11 and later).
    pub socket_storage: bool,
    /// Tracing programs can ask for a socket's cookie (5.12 and later).
    pub socket_cookie: bool,
    /// `tcp_reset()` is given the packet (5.11 and later).
    pub reset_packet: bool,
    /// `tcp_init_transfer()` is given the packet (5.10 and later).
    pub init_transfer_packet: bool,
    /// `inet_csk_accept()` has four parameters (before 6.10), not two.
    pub accept_has_four: bool,
    /// `nf_send_reset()` is in the kernel, not in a module.
    pub reject_built_in: bool,
    /// `nf_send_reset6()` is in the kernel, not in a module.
    pub reject6_built_in: bool,
    /// The tracepoint `kfree_skb` tells a reason (5.17 and later).
    pub drop_reason: bool,
    /// Memory of maps and programs counts against `RLIMIT_MEMLOCK` (before 5.11).
    pub charges_locked_memory: bool,
}

/// Why a kernel's layout cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The type information cannot be read, or lacks a tracepoint or a struct.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// A member is smaller than what the programs load.
    #[error("{structure}.{path} has {got} bytes in this kernel, where {expected} are needed")]
    Size {
        /// The struct.
        structure: &'static str,
        /// The member.
        path: &'static str,
        /// Its size here.
        got: u32,
        /// The size that is loaded.
        expected: u32,
    },
}

impl KernelLayout {
    /// Resolves everything that the programs need.
    pub fn from_btf(btf: &BtfReader<'_>) -> Result<Self, LayoutError> {
        let offsets = KERNEL_MEMBERS
            .iter()
            .map(|member| Ok((member.global, offset(btf, member)?)))
            .collect::<Result<_, LayoutError>>()?;
        // Private data, sk and skb make three parameters.
        let send_reset_reason = btf.callback_parameters("btf_trace_tcp_send_reset")? > 3;
        let parameters = |function| btf.function_parameters(function).map_or(0, |names| names.len());
        let features = Features {
            send_reset_reason,
            send_reset_without_socket: send_reset_reason,
            socket_storage: btf.has_function("bpf_sk_storage_get_tracing"),
            socket_cookie: btf.has_function("bpf_get_socket_ptr_cookie"),
            reset_packet: parameters("tcp_reset") >= 2,
            init_transfer_packet: parameters("tcp_init_transfer") >= 3,
            accept_has_four: parameters("inet_csk_accept") == 4,
            reject_built_in: btf.has_function("nf_send_reset"),
            reject6_built_in: btf.has_function("nf_send_reset6"),
            drop_reason: btf.callback_parameters("btf_trace_kfree_skb").is_ok_and(|count| count > 3),
            // The struct that the charge for a map is kept in.
            charges_locked_memory: btf.member("bpf_map_memory", "pages").is_ok(),
        };
        Ok(Self {
            offsets,
            features,
            reasons: reasons::reset_reasons(btf),
            drop_reasons: reasons::drop_reasons(btf),
        })
    }
}

fn offset(btf: &BtfReader<'_>, member: &KernelMember) -> Result<u32, LayoutError> {
    match btf.member(member.structure, member.path) {
        Ok(found) if found.size < member.size => Err(LayoutError::Size {
            structure: member.structure,
            path: member.path,
            got: found.size,
            expected: member.size,
        }),
        Ok(found) => Ok(found.offset),
        Err(BtfError::NoSuchMember { .. } | BtfError::NoSuchType { .. }) if member.need == Need::Optional => {
            Ok(ABSENT)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use resetmon_common::members::{ABSENT, KERNEL_MEMBERS, KernelMember, Need};

    use super::{KernelLayout, offset};
    use crate::kernel::{btf::BtfReader, probes::BTF_PATH};

    fn with_btf(check: impl FnOnce(&BtfReader<'_>)) {
        let bytes = std::fs::read(BTF_PATH).expect("a kernel with type information");
        check(&BtfReader::parse(&bytes).expect("BTF"));
    }

    #[test]
    fn the_running_kernel_can_be_watched() {
        with_btf(|btf| {
            let layout = KernelLayout::from_btf(btf).expect("a layout");
            assert_eq!(layout.offsets.len(), KERNEL_MEMBERS.len());
            let of =
                |name| layout.offsets.iter().find(|(global, _)| *global == name).map(|(_, offset)| *offset);
            // `struct sock_common` begins with the addresses, on every kernel.
            assert_eq!((of("SKC_DADDR"), of("SKC_RCV_SADDR")), (Some(0), Some(4)));
            assert_ne!(of("TCP_SND_NXT"), Some(ABSENT));
        });
    }

    #[test]
    fn what_is_missing_is_named() {
        let member = |path, size, need| KernelMember { global: "X", structure: "tcp_sock", path, size, need };
        let in_no_struct = KernelMember { structure: "no_such_struct", ..member("id", 8, Need::Optional) };
        let check = |member: KernelMember, expected: Result<u32, &str>| {
            with_btf(|btf| {
                let found = offset(btf, &member).map_err(|error| error.to_string());
                assert_eq!(found, expected.map_err(str::to_owned));
            });
        };
        check(member("no_such", 4, Need::Optional), Ok(ABSENT));
        check(in_no_struct, Ok(ABSENT));
        check(
            KernelMember { need: Need::Required, ..in_no_struct },
            Err("the kernel's BTF has no struct or union no_such_struct"),
        );
        check(member("no_such", 4, Need::Required), Err("struct tcp_sock has no member no_such"));
        let wide = member("snd_nxt", 8, Need::Required);
        check(wide, Err("tcp_sock.snd_nxt has 4 bytes in this kernel, where 8 are needed"));
    }
}
