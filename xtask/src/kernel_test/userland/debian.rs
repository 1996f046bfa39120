//! The userland of a processor that is not this machine's: Debian's packages with all that these need, unpacked beside
//! the kernels. Nothing of it can be run here, so what a program loads is not asked of it.
//!
//! Deliberately lacks updates: the guest's own programs are old friends, and only the kernel under test has to be new.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{PROGRAMS, PYTHON_PACKAGES, Userland, below, is_imported, program};
use crate::kernel_test::arch::Arch;
use crate::kernel_test::cache;
use crate::kernel_test::debian::{Lists, remove};
use crate::kernel_test::version::Archive;
use crate::process::{Network, say};

/// Not the machine's own release: the tests are to find the same programs everywhere.
const SUITE: (Archive, &str) = (Archive::Main, "bookworm");
/// Written last; its content tells which packages were asked for.
const COMPLETE: &str = "complete";

pub(super) fn userland(arch: Arch, network: Network) -> Result<Userland> {
    let root = unpacked(arch, network)?;
    let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
    let mut files = Vec::new();
    for (name, package) in PROGRAMS {
        files.push(program(&root, name, package)?);
    }
    let libraries = [format!("/lib/{}", arch.gnu()), format!("/usr/lib/{}", arch.gnu())];
    for folder in libraries.iter().map(String::as_str).chain(["/lib"]) {
        files.extend(inside(&root, folder)?.into_iter().filter(|path| is_library(path)));
    }
    let mut folders = vec![PathBuf::from("/usr/bin"), PathBuf::from("/usr/lib")];
    while let Some(folder) = folders.pop() {
        for path in inside(&root, &folder)?.into_iter().filter(|path| path.to_str().is_some_and(is_imported))
        {
            let is_folder = below(&root, &path).symlink_metadata().is_ok_and(|about| about.is_dir());
            if is_folder { &mut folders } else { &mut files }.push(path);
        }
    }
    Ok(Userland { root, files })
}

/// The folder with what is unpacked.
fn unpacked(arch: Arch, network: Network) -> Result<PathBuf> {
    let folder = cache::root()?.join(format!("userland{}", arch.suffix()));
    let root = folder.join("root");
    let wanted = packages();
    let complete = fs::read_to_string(root.join(COMPLETE));
    if complete.is_ok_and(|complete| complete == wanted.join("\n")) {
        return Ok(root);
    }
    ensure!(network == Network::Online, "the guest's programs are not cached, and --offline fetches none");
    say(&format!("the guest's programs for {arch}: downloading {} and what they need", wanted.join(" ")));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lists = Lists::fetch(&[SUITE], arch, &folder)?;
    remove(&root)?;
    lists.unpack_with_needs(&wanted, &root)?;
    fs::write(root.join(COMPLETE), wanted.join("\n")).context("cannot finish the guest's folder")?;
    Ok(root)
}

fn packages() -> Vec<String> {
    let mut packages: Vec<_> =
        PROGRAMS.iter().map(|(_, package)| *package).chain(PYTHON_PACKAGES).map(str::to_owned).collect();
    packages.sort();
    packages.dedup();
    packages
}

/// What is in a folder of the guest's, by the guest's paths; nothing where there is no such folder.
fn inside(root: &Path, folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let (folder, here) = (folder.as_ref(), below(root, folder.as_ref()));
    if !here.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))?;
    let mut paths: Vec<_> =
        entries.filter_map(Result::ok).map(|entry| folder.join(entry.file_name())).collect();
    paths.sort();
    Ok(paths)
}

/// Whether its name is that of a shared library, `libz.so.1`; that of the loader is too.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split_once(".so").is_some_and(|(_, version)| version.is_empty() || version.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries() {
        let check = |path: &str, expected: bool| assert_eq!(is_library(Path::new(path)), expected, "{path}");
        check("/lib/ld-linux-aarch64.so.1", true);
        check("/usr/lib/aarch64-linux-gnu/libz.so.1.2.13", true);
        check("/usr/lib/aarch64-linux-gnu/libx.so", true);
        check("/usr/lib/aarch64-linux-gnu/gconv", false);
        check("/usr/lib/aarch64-linux-gnu/libx.source", false);
    }
}
