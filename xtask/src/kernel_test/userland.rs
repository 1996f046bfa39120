//! What a guest has besides the programs under test: what these and their tests start, and the libraries and Python
//! modules of that. Taken from this machine where that has the guest's processor, else from Debian's packages.

mod debian;
mod machine;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::arch::Arch;
use crate::process::Network;

/// What tests start, each with the package that it comes from.
const PROGRAMS: [(&str, &str); 8] = [
    ("bash", "bash"),
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("nft", "nftables"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("python3", "python3"),
    (BUSYBOX, "busybox-static"),
];
const BUSYBOX: &str = "busybox";
/// Not `PATH`, for a user's own does not have all of them, and may have others in front.
const FOLDERS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// Whose modules Python has in the guest.
const PYTHON_PACKAGES: [&str; 2] = ["python3", "python3-requests"];
/// Folders of Python's that no test of ours imports, most of its size.
const NOT_IMPORTED: [&str; 10] = [
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "pydoc_data",
    "distutils",
    "__pycache__",
];

/// Files in a folder that is laid out as a root file system.
#[derive(Debug)]
pub(crate) struct Userland {
    root: PathBuf,
    /// Their paths as the guest sees them.
    pub(crate) files: Vec<PathBuf>,
}

impl Userland {
    pub(crate) fn new(arch: Arch, network: Network) -> Result<Self> {
        match arch {
            Arch::X86_64 => machine::userland(),
            Arch::Aarch64 => debian::userland(arch, network),
        }
    }

    /// Where this machine has a file of the guest's.
    pub(crate) fn on_this_machine(&self, path: &Path) -> PathBuf {
        below(&self.root, path)
    }

    /// The static shell with all of its tools.
    pub(crate) fn busybox(&self) -> Result<PathBuf> {
        Ok(self.on_this_machine(&program(&self.root, BUSYBOX, "busybox-static")?))
    }

    /// A folder of the guest's by its path without links.
    pub(crate) fn real_folder(&self, folder: &Path) -> Result<PathBuf> {
        let here = self.on_this_machine(folder);
        let real = here.canonicalize().with_context(|| format!("cannot find {}", here.display()))?;
        let inside = real.strip_prefix(&self.root);
        let inside = inside.with_context(|| format!("{} leads out of the guest", here.display()))?;
        Ok(Path::new("/").join(inside))
    }
}

/// The path of a program of the guest's, which may be a link.
fn program(root: &Path, name: &str, package: &str) -> Result<PathBuf> {
    let is_there = |path: &PathBuf| below(root, path).symlink_metadata().is_ok_and(|about| !about.is_dir());
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(is_there);
    found.with_context(|| format!("the guest needs {name}, of Debian's package {package}"))
}

/// Where this machine has what the guest has at `path`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Whether it is one of Python's modules, or Python itself.
fn is_imported(path: &str) -> bool {
    let is_module = path.starts_with("/usr/lib/python3") || path.starts_with("/usr/bin/python3");
    is_module && !path.split('/').any(|part| NOT_IMPORTED.contains(&part) || part.starts_with("config-3"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_python() {
        let check = |path: &str, expected: bool| assert_eq!(is_imported(path), expected, "{path}");
        check("/usr/lib/python3.11/socket.py", true);
        check("/usr/lib/python3/dist-packages/requests/api.py", true);
        check("/usr/bin/python3.11", true);
        check("/usr/lib/python3.11/test/test_socket.py", false);
        check("/usr/lib/python3.11/config-3.11-x86_64-linux-gnu/Makefile", false);
        check("/usr/share/doc/python3", false);
    }
}
