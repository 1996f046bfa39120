//! Compiles the BPF object with the toolchain at hand: rustup's `bpf` (a distribution's own rustc with `core` for BPF)
//! where it is linked, else `nightly` with rust-src. Does nothing without the feature `bpf`.

fn main() -> anyhow::Result<()> {
    #[cfg(feature = "bpf")]
    bpf::build()?;
    Ok(())
}

#[cfg(feature = "bpf")]
mod bpf {
    use std::process::Command;

    use anyhow::Context as _;
    use aya_build::{Package, Toolchain};

    /// Name of the toolchain that `cargo xtask setup` links.
    const LINKED: &str = "bpf";

    pub(crate) fn build() -> anyhow::Result<()> {
        println!("cargo:rerun-if-changed=../monitor-common/src");
        println!("cargo:rerun-if-env-changed=RUSTC_BOOTSTRAP");
        let root_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../monitor-ebpf");
        let features: &[_] = if cfg!(feature = "bpf-log") { &["log"] } else { &[] };
        let package = Package { name: "resetmon-ebpf", root_dir, features, ..Package::default() };
        aya_build::build_ebpf([package], toolchain()?)
            .context("the BPF object cannot be built; `cargo xtask setup` installs what it needs")
    }

    fn toolchain() -> anyhow::Result<Toolchain<'static>> {
        let listed = Command::new("rustup")
            .args(["toolchain", "list"])
            .output()
            .context("rustup, which chooses the compiler of the BPF object, cannot be run")?;
        let listed = String::from_utf8_lossy(&listed.stdout);
        let linked = listed.lines().any(|line| line.split_whitespace().next() == Some(LINKED));
        Ok(if linked { Toolchain::Custom(LINKED) } else { Toolchain::Nightly })
    }
}
