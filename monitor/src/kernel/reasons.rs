//! Reads the names of reasons from the kernel's type information.

use super::btf::BtfReader;
use crate::reason::ReasonNames;

/// Ends both enums and is no reason.
const SENTINEL: &str = "MAX";

/// The names in the kernel's `enum sk_rst_reason`; none on kernels that have no such enum, those before 6.10.
pub fn reset_reasons(btf: &BtfReader<'_>) -> ReasonNames {
    names(btf, "sk_rst_reason", "SK_RST_REASON_")
}

/// The names in the kernel's `enum skb_drop_reason`; none on kernels that have no such enum, those before 5.17.
pub fn drop_reasons(btf: &BtfReader<'_>) -> ReasonNames {
    names(btf, "skb_drop_reason", "SKB_DROP_REASON_")
}

fn names(btf: &BtfReader<'_>, of: &str, prefix: &str) -> ReasonNames {
    let enumerators = btf.enumerators(of).unwrap_or_default();
    ReasonNames::new(enumerators.into_iter().filter_map(|(value, name)| {
        let name = name.strip_prefix(prefix).unwrap_or(name);
        let number = u32::try_from(value).ok()?;
        (name != SENTINEL).then_some((number, name))
    }))
}

#[cfg(test)]
mod tests {
    use super::{drop_reasons, reset_reasons};
    use crate::{kernel::btf::BtfReader, kernel::probes::BTF_PATH, model::Reason};

    #[test]
    fn the_running_kernels_reasons_have_names() {
        let bytes = std::fs::read(BTF_PATH).expect("a kernel with type information");
        let btf = BtfReader::parse(&bytes).expect("BTF");
        let names = reset_reasons(&btf);
        // The reason and the tracepoint's argument for it came together.
        let tells = btf.callback_parameters("btf_trace_tcp_send_reset").expect("the tracepoint") > 3;
        assert_eq!(!names.is_empty(), tells);
        if tells {
            let number = names.number("NO_SOCKET").expect("the reason for closed ports");
            assert_eq!(names.reason(number), Reason::Named("NO_SOCKET".into()));
            assert_eq!(names.number("MAX"), None, "the sentinel is no reason");
            assert!(names.iter().all(|(_, name)| !name.starts_with("SK_RST_REASON_")));
        }
        assert_eq!(names.reason(9999), Reason::Unknown(9999));

        let drops = drop_reasons(&btf);
        let tells = btf.callback_parameters("btf_trace_kfree_skb").expect("the tracepoint") > 3;
        assert_eq!(drops.number("NO_SOCKET").is_some(), tells);
    }
}
