//! The kernel's modules that tests need, with those that these need, in an order in which they can be loaded.
//!
//! What a module needs is written in itself, so no index of the package's is needed. Deliberately lacks loading: the
//! guest does that.

use anyhow::{Context, Result};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

/// Pairs of interfaces; firewall rules that reset, and that translate; a list of sockets that can kill one. What a kernel does not have as a
/// file is built into it, or the tests that need it say so.
pub(crate) const WANTED: [&str; 11] = [
    "veth",
    "nf_tables",
    "nf_conntrack",
    "nft_ct",
    "nft_counter",
    "nft_reject_inet",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nft_chain_nat",
    "nft_masq",
    "tcp_diag",
];

/// A module's name, as the kernel writes it, and its file's content.
pub(crate) type Module = (String, Vec<u8>);

/// Finds the modules and all that they need; `read` is asked for the content of each by its name, once.
pub(crate) fn in_order(
    wanted: &[&str],
    mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>>,
) -> Result<Vec<Module>> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for name in wanted {
        add(name, &mut read, &mut seen, &mut found)?;
    }
    Ok(found)
}

fn add(
    name: &str,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>>,
    seen: &mut Vec<String>,
    found: &mut Vec<Module>,
) -> Result<()> {
    let name = name.replace('-', "_");
    if seen.contains(&name) {
        return Ok(());
    }
    seen.push(name.clone());
    let Some(content) = read(&name)? else {
        return Ok(());
    };
    for needed in needs(&content).with_context(|| format!("the module {name}"))? {
        add(&needed, read, seen, found)?;
    }
    found.push((name, content));
    Ok(())
}

/// The names of the modules that have to be loaded first.
fn needs(module: &[u8]) -> Result<Vec<String>> {
    let file: ElfFile64 = ElfFile64::parse(module).context("it is not ELF")?;
    let section = file.section_by_name(".modinfo").context("it has no section .modinfo")?;
    Ok(needs_in(&String::from_utf8_lossy(section.data()?)))
}

/// Reads `depends=a,b` and `softdep=pre: c d post: e`, among others with zero bytes between.
fn needs_in(information: &str) -> Vec<String> {
    let mut needs = Vec::new();
    for field in information.split('\0') {
        if let Some(names) = field.strip_prefix("depends=") {
            needs.extend(names.split(',').filter(|name| !name.is_empty()));
        } else if let Some((_, names)) =
            field.strip_prefix("softdep=").and_then(|soft| soft.split_once("pre:"))
        {
            needs.extend(names.split_whitespace().take_while(|word| *word != "post:"));
        }
    }
    needs.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_needs() {
        let check = |information: &str, expected: &[&str]| assert_eq!(needs_in(information), expected);
        check("license=GPL\0depends=nfnetlink,nf-defrag\0name=x\0", &["nfnetlink", "nf-defrag"]);
        check("depends=\0name=x\0", &[]);
        check("softdep=pre: crc32c a post: b\0depends=c\0", &["crc32c", "a", "c"]);
        check("softdep=post: b\0", &[]);
    }

    /// A module of the kernel is an ELF file; what these tests need of one is a section.
    fn module(information: &str) -> Vec<u8> {
        let strings = b"\0.modinfo\0.strtab\0";
        let information_at = 64;
        let strings_at = information_at + information.len();
        let sections_at = (strings_at + strings.len()).next_multiple_of(8);
        let mut elf = vec![0; 64];
        elf[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0");
        elf[20] = 1;
        elf[40..48].copy_from_slice(&(sections_at as u64).to_le_bytes());
        elf[52] = 64;
        elf[58] = 64;
        elf[60] = 3;
        elf[62] = 2;
        elf.extend_from_slice(information.as_bytes());
        elf.extend_from_slice(strings);
        elf.resize(sections_at, 0);
        let sections =
            [(0, 0, 0, 0), (1, 1, information_at, information.len()), (10, 3, strings_at, strings.len())];
        for (name, kind, at, size) in sections {
            let mut header = [0; 64];
            header[0] = name;
            header[4] = kind;
            header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            elf.extend_from_slice(&header);
        }
        elf
    }

    #[test]
    fn needed_ones_come_first_and_once() {
        let read = |name: &str| {
            Ok(match name {
                "top" => Some(module("depends=left,right-one\0")),
                "left" | "right_one" => Some(module("depends=base\0softdep=pre: built_in\0")),
                "base" => Some(module("depends=\0")),
                _ => None,
            })
        };
        let found = in_order(&["absent", "top", "base"], read).expect("modules");
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["base", "left", "right_one", "top"]);
        in_order(&["text"], |_| Ok(Some(b"no module".to_vec()))).expect_err("no ELF");
    }
}
