//! What to install, given what is there.
//!
//! Pure: looks at nothing and does nothing.

use std::path::{Path, PathBuf};

use super::probe::{Channel, Compiler, Llvm, Toolchain};

/// The LLVM releases that our version of bpf-linker can be built with.
pub(crate) const LINKER_LLVM: [u32; 3] = [21, 22, 23];

/// What Debian's packages can do for us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DebianCompiler {
    Offered,
    /// Installing it would remove this package.
    Excluded {
        by: String,
    },
    NotOffered,
}

/// How to get a compiler.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToolchainPlan {
    Debian,
    Nightly { because: String },
    Blocked { because: String },
}

/// Where a linker could come from.
#[derive(Debug, Default)]
pub(crate) struct LinkerSources {
    /// The LLVM that can be linked against already.
    pub(crate) llvm_config: Option<Llvm>,
    /// The releases that apt offers for linking against.
    pub(crate) debian_llvm: Vec<u32>,
    /// Whether released binaries can be downloaded.
    pub(crate) has_binstall: bool,
}

/// How to get a linker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LinkerPlan {
    BuildWithDebian { llvm: u32 },
    Build { llvm: u32, prefix: PathBuf },
    Download,
    Blocked { because: String },
}

/// The compiler that the build would choose, if it is complete.
pub(crate) fn usable(toolchains: &[Toolchain]) -> Option<&Compiler> {
    let find = |channel| toolchains.iter().find(|toolchain| toolchain.channel == channel);
    let chosen = find(Channel::Bpf).or_else(|| find(Channel::Nightly))?;
    chosen.compiler.as_ref().filter(|compiler| compiler.has_core)
}

/// How to get a compiler when none is usable.
pub(crate) fn toolchain(toolchains: &[Toolchain], debian: &DebianCompiler) -> ToolchainPlan {
    let bpf = toolchains.iter().find(|toolchain| toolchain.channel == Channel::Bpf);
    let in_the_way = bpf.filter(|bpf| *debian != DebianCompiler::Offered || bpf.path != Path::new("/usr"));
    if let Some(bpf) = in_the_way {
        // Somebody linked it for a reason, and while it is there the build does not look at nightly.
        let because = format!(
            "rustup's toolchain `bpf` in {} cannot be run or has no `core` for bpfel-unknown-none; complete \
             it, or take it out of the way with\n    rustup toolchain uninstall bpf",
            bpf.path.display()
        );
        return ToolchainPlan::Blocked { because };
    }
    match debian {
        DebianCompiler::Offered => ToolchainPlan::Debian,
        DebianCompiler::NotOffered => ToolchainPlan::Nightly {
            because: "no package source offers rustc-web with its BPF `core`".into(),
        },
        DebianCompiler::Excluded { by } => {
            ToolchainPlan::Nightly { because: format!("Debian's rustc-web would replace the package {by}") }
        }
    }
}

/// How to get a linker for `compiler` when there is none to keep.
pub(crate) fn linker(compiler: &Compiler, sources: &LinkerSources) -> LinkerPlan {
    if compiler.is_debians {
        return if LINKER_LLVM.contains(&compiler.llvm) {
            LinkerPlan::BuildWithDebian { llvm: compiler.llvm }
        } else {
            LinkerPlan::Blocked { because: does_not_fit(compiler) }
        };
    }
    let fits = |llvm: u32| LINKER_LLVM.contains(&llvm) && llvm >= compiler.llvm;
    if let Some(llvm) = sources.llvm_config.as_ref().filter(|llvm| fits(llvm.major)) {
        return LinkerPlan::Build { llvm: llvm.major, prefix: llvm.prefix.clone() };
    }
    if let Some(llvm) = sources.debian_llvm.iter().copied().find(|&llvm| fits(llvm)) {
        return LinkerPlan::BuildWithDebian { llvm };
    }
    if sources.has_binstall {
        return LinkerPlan::Download;
    }
    let because = format!(
        "bpf-linker is missing, or older than {compiler}; install LLVM {} with its headers so that \
         `llvm-config` is in PATH, or cargo-binstall, or put bpf-linker from its release page into PATH",
        compiler.llvm
    );
    LinkerPlan::Blocked { because }
}

fn does_not_fit(compiler: &Compiler) -> String {
    format!(
        "{compiler} has an LLVM that this version of bpf-linker does not know (it knows {LINKER_LLVM:?}); \
         put a bpf-linker for it into PATH, or change its version in xtask/src/setup.rs"
    )
}

/// Those of `wanted` that are not `installed`.
pub(crate) fn missing<'a>(wanted: &[&'a str], installed: &[String]) -> Vec<&'a str> {
    wanted.iter().copied().filter(|package| !installed.iter().any(|name| name == package)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::probe::Linker;

    fn compiler(channel: Channel, llvm: u32) -> Compiler {
        let is_debians = channel == Channel::Bpf;
        Compiler { channel, release: "1.96.0".into(), llvm, is_debians, has_core: true }
    }

    fn toolchain_with(channel: Channel, path: &str, has_core: bool) -> Toolchain {
        let compiler = Some(Compiler { has_core, ..compiler(channel, 22) });
        Toolchain { channel, path: path.into(), compiler }
    }

    #[test]
    fn bpf_hides_nightly_even_when_it_is_incomplete() {
        let bpf = |complete| toolchain_with(Channel::Bpf, "/usr", complete);
        let nightly = |complete| toolchain_with(Channel::Nightly, "/n", complete);
        let check = |toolchains: &[Toolchain], expected: Option<Channel>| {
            assert_eq!(usable(toolchains).map(|compiler| compiler.channel), expected, "{toolchains:?}");
        };
        check(&[], None);
        check(&[nightly(false)], None);
        check(&[nightly(true)], Some(Channel::Nightly));
        check(&[nightly(true), bpf(true)], Some(Channel::Bpf));
        check(&[nightly(true), bpf(false)], None);
        check(&[Toolchain { compiler: None, ..bpf(true) }, nightly(true)], None);
    }

    #[test]
    fn compiler_to_install() {
        let kind = |plan: &ToolchainPlan| match plan {
            ToolchainPlan::Debian => "debian",
            ToolchainPlan::Nightly { .. } => "nightly",
            ToolchainPlan::Blocked { .. } => "blocked",
        };
        let check = |toolchains: &[Toolchain], debian: DebianCompiler, expected: &str| {
            let plan = toolchain(toolchains, &debian);
            assert_eq!(kind(&plan), expected, "{toolchains:?} {debian:?} {plan:?}");
        };
        let nightly = toolchain_with(Channel::Nightly, "/n", false);
        let link_to_usr = toolchain_with(Channel::Bpf, "/usr", false);
        let foreign = toolchain_with(Channel::Bpf, "/opt/rust", false);
        let excluded = || DebianCompiler::Excluded { by: "rustup".into() };
        check(&[], DebianCompiler::Offered, "debian");
        check(&[], DebianCompiler::NotOffered, "nightly");
        check(&[], excluded(), "nightly");
        check(std::slice::from_ref(&nightly), DebianCompiler::Offered, "debian");
        check(&[nightly], DebianCompiler::NotOffered, "nightly");
        check(std::slice::from_ref(&link_to_usr), DebianCompiler::Offered, "debian");
        check(&[link_to_usr], excluded(), "blocked");
        check(&[foreign], DebianCompiler::Offered, "blocked");
    }

    #[test]
    fn linkers_to_keep() {
        let check = |channel: Channel, linker_llvm: Option<u32>, expected: bool| {
            let found = Linker { path: "/bin/bpf-linker".into(), llvm: linker_llvm };
            assert_eq!(found.reads(&compiler(channel, 22)), expected, "{channel:?} {linker_llvm:?}");
        };
        check(Channel::Bpf, Some(21), false);
        check(Channel::Bpf, Some(22), true);
        check(Channel::Bpf, Some(23), false);
        check(Channel::Bpf, None, true);
        check(Channel::Nightly, Some(21), false);
        check(Channel::Nightly, Some(22), true);
        check(Channel::Nightly, Some(23), true);
    }

    #[test]
    fn linkers_to_install() {
        let check = |channel: Channel, llvm: u32, sources: LinkerSources, expected: Option<LinkerPlan>| {
            let plan = linker(&compiler(channel, llvm), &sources);
            match expected {
                Some(expected) => assert_eq!(plan, expected, "{channel:?} {llvm} {sources:?}"),
                None => assert!(matches!(plan, LinkerPlan::Blocked { .. }), "{plan:?} for {sources:?}"),
            }
        };
        let none = LinkerSources::default;
        let has_llvm =
            |major| LinkerSources { llvm_config: Some(Llvm { major, prefix: "/l".into() }), ..none() };
        let offers_llvm = || LinkerSources { debian_llvm: vec![21, 22], ..none() };
        let binstall = || LinkerSources { has_binstall: true, ..none() };
        let with_debian = |llvm| Some(LinkerPlan::BuildWithDebian { llvm });

        check(Channel::Bpf, 22, none(), with_debian(22));
        check(Channel::Bpf, 22, has_llvm(23), with_debian(22));
        check(Channel::Bpf, 24, binstall(), None);
        check(Channel::Nightly, 22, none(), None);
        check(Channel::Nightly, 22, has_llvm(21), None);
        check(Channel::Nightly, 22, has_llvm(24), None);
        check(Channel::Nightly, 22, has_llvm(23), Some(LinkerPlan::Build { llvm: 23, prefix: "/l".into() }));
        check(Channel::Nightly, 22, offers_llvm(), with_debian(22));
        check(Channel::Nightly, 23, offers_llvm(), None);
        check(Channel::Nightly, 23, binstall(), Some(LinkerPlan::Download));
    }

    #[test]
    fn only_missing_packages_are_named() {
        assert_eq!(missing(&["a", "b", "c"], &["b".into()]), ["a", "c"]);
    }
}
