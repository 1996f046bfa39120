//! The root file system of the guest: the programs under test, what they and their tests start, and the libraries and
//! Python modules of that, all taken from this machine.
//!
//! Deliberately lacks a distribution: nothing is installed in the guest, so it boots in seconds.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::binaries::Binaries;
use super::cpio::Cpio;
use crate::process::{self, program};

const INIT: &str = include_str!("init.sh");

/// What tests start, each with the package that it comes from.
const PROGRAMS: [(&str, &str); 7] = [
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("nft", "nftables"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("python3", "python3"),
    ("busybox", "busybox-static"),
];
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
/// requests reads them when it is imported.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Links of the system that lead to `/usr`, where it has them.
const TOP_LINKS: [&str; 5] = ["/bin", "/sbin", "/lib", "/lib64", "/lib32"];

/// Files in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    cpio: Cpio,
    added: BTreeSet<PathBuf>,
}

impl Image {
    /// What is the same for all kernels.
    pub(crate) fn new(binaries: &Binaries) -> Result<Self> {
        let mut image = Self::default();
        for link in TOP_LINKS.map(Path::new) {
            if link.is_symlink() {
                image.host_file(link)?;
            }
        }
        let mut objects = Vec::new();
        for (name, package) in PROGRAMS.into_iter().filter(|(name, _)| *name != "busybox") {
            let path = host_program(name, package)?;
            image.host_file(&path)?;
            objects.push(path);
        }
        for path in python_files()? {
            image.host_file(&path)?;
            if path.extension().is_some_and(|extension| extension == "so") {
                objects.push(path);
            }
        }
        for path in libraries(&objects)? {
            image.host_file(&path)?;
        }
        if Path::new(CERTIFICATES).exists() {
            image.host_file(Path::new(CERTIFICATES))?;
        }
        image.write("/busybox", 0o755, &read(&host_program("busybox", "busybox-static")?)?)?;
        image.write("/init", 0o755, INIT.as_bytes())?;
        image.write(
            "/etc/passwd",
            0o644,
            b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
        )?;
        image.write("/etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n")?;
        image.write("/etc/hosts", 0o644, b"127.0.0.1 localhost\n::1 localhost\n")?;
        let shell = real_folder(Path::new("/bin"))?.join("sh");
        image.link(&shell, "/busybox")?;
        image.write("/test/resetmon", 0o755, &read(&binaries.resetmon)?)?;
        image.write("/test/kernel", 0o755, &read(&binaries.kernel_tests)?)?;
        Ok(image)
    }

    /// The archive for a kernel with these modules.
    pub(crate) fn with_modules(mut self, modules: &[PathBuf]) -> Result<Vec<u8>> {
        self.folder(Path::new("/modules"))?;
        for module in modules {
            let name = module.file_name().context("a module has a name")?;
            self.write(Path::new("/modules").join(name), 0o644, &read(module)?)?;
        }
        Ok(self.cpio.finish())
    }

    /// A file as this machine has it, at its place; with what it leads to when it is a link.
    fn host_file(&mut self, path: &Path) -> Result<()> {
        let parent = path.parent().with_context(|| format!("{} is no file", path.display()))?;
        let real = real_folder(parent)?.join(path.file_name().context("a path has a name")?);
        if self.added.contains(&real) {
            return Ok(());
        }
        let about = real.symlink_metadata().with_context(|| format!("cannot look at {}", real.display()))?;
        if about.is_symlink() {
            let target = fs::read_link(&real).with_context(|| format!("cannot read {}", real.display()))?;
            self.link(&real, text(&target)?)?;
            let target = real.parent().unwrap_or(&real).join(target);
            return if target.is_file() { self.host_file(&target) } else { Ok(()) };
        }
        let modified = u32::try_from(about.mtime()).unwrap_or(0);
        self.file(&real, about.permissions().mode() & 0o7777, modified, &read(&real)?)
    }

    fn write(&mut self, path: impl AsRef<Path>, permissions: u32, content: &[u8]) -> Result<()> {
        self.file(path.as_ref(), permissions, 0, content)
    }

    fn file(&mut self, path: &Path, permissions: u32, modified: u32, content: &[u8]) -> Result<()> {
        if self.is_new(path)? {
            self.cpio.file(text(path)?, permissions, modified, content);
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, target: &str) -> Result<()> {
        if self.is_new(path)? {
            self.cpio.link(text(path)?, target);
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path) -> Result<()> {
        if self.is_new(path)? {
            self.cpio.folder(text(path)?);
        }
        Ok(())
    }

    /// Whether the path is not there yet; from now on it is, and the folders above it.
    fn is_new(&mut self, path: &Path) -> Result<bool> {
        if self.added.contains(path) {
            return Ok(false);
        }
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("/")) {
            self.folder(parent)?;
        }
        Ok(self.added.insert(path.to_path_buf()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

fn real_folder(folder: &Path) -> Result<PathBuf> {
    folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))
}

fn host_program(name: &str, package: &str) -> Result<PathBuf> {
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    found.with_context(|| format!("the guest needs {name}, of Debian's package {package}"))
}

/// Python's modules: those of the packages and of all packages that these need, as far as they are Python's.
fn python_files() -> Result<Vec<PathBuf>> {
    let mut packages: Vec<String> = PYTHON_PACKAGES.map(str::to_owned).to_vec();
    let mut files = Vec::new();
    let mut next = 0;
    while let Some(package) = packages.get(next) {
        let format = "--showformat=${Pre-Depends}, ${Depends}";
        let needed = process::run_for_output(program("dpkg-query").args(["--show", format, package]))?;
        let listed = process::run_for_output(program("dpkg-query").args(["--listfiles", package]))?;
        let listed = listed.lines().filter(|path| is_imported(path)).map(PathBuf::from);
        for path in listed.filter(|path| !path.is_dir()) {
            files.extend(compiled(&path));
            files.push(path);
        }
        for needed in needed_packages(&needed) {
            // Of alternatives the one that is installed is meant.
            if !packages.contains(&needed) && is_installed(&needed) {
                packages.push(needed);
            }
        }
        next += 1;
    }
    Ok(files)
}

fn is_installed(package: &str) -> bool {
    let mut query = program("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    process::output_of(&mut query).is_some_and(|status| status == "installed")
}

/// Reads `python3.11 (>= 3.11.2-1~), python3-six | other, python3:any` for the names of Python's packages.
fn needed_packages(field: &str) -> Vec<String> {
    let names = field.split([',', '|']).filter_map(|needed| needed.split_whitespace().next());
    let names = names.map(|name| name.split(':').next().unwrap_or(name));
    names
        .filter(|name| name.starts_with("python3") || name.starts_with("libpython3"))
        .map(str::to_owned)
        .collect()
}

fn is_imported(path: &str) -> bool {
    let is_module = path.starts_with("/usr/lib/python3") || path.starts_with("/usr/bin/python3");
    is_module && !path.split('/').any(|part| NOT_IMPORTED.contains(&part) || part.starts_with("config-3"))
}

/// A module as Python has compiled it, which belongs to no package.
fn compiled(path: &Path) -> Vec<PathBuf> {
    let is_source = path.extension().is_some_and(|extension| extension == "py");
    let (Some(folder), Some(stem)) = (path.parent(), path.file_stem().filter(|_| is_source)) else {
        return Vec::new();
    };
    let beginning = format!("{}.cpython-", stem.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder.join("__pycache__")) else {
        return Vec::new();
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_its = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(&beginning).is_some_and(|rest| rest.split('.').count() == 2)
    };
    paths.filter(is_its).collect()
}

/// The shared libraries that these programs and libraries load.
fn libraries(objects: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let list = process::run_for_output(program("ldd").args(objects))?;
    if let Some(missing) = list.lines().find(|line| line.ends_with("not found")) {
        bail!("a library is missing: {}", missing.trim());
    }
    Ok(list.lines().filter_map(library).map(PathBuf::from).collect())
}

/// Reads `libz.so.1 => /lib/libz.so.1 (0x1)` and `/lib64/ld-linux-x86-64.so.2 (0x1)`; a line that ends with a colon
/// names the program that the next ones are about.
fn library(line: &str) -> Option<&str> {
    let (path, _address) = line.rsplit_once(" (0x")?;
    let path = path.rsplit_once("=> ").map_or(path, |(_, path)| path).trim();
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ldd() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(library(line), expected, "{line}");
        check("\tlibz.so.1 => /lib/libz.so.1 (0x00007f52c918d000)", Some("/lib/libz.so.1"));
        check("\t/lib64/ld-linux-x86-64.so.2 (0x00007f52c929f000)", Some("/lib64/ld-linux-x86-64.so.2"));
        check("\tlinux-vdso.so.1 (0x00007f52c929d000)", None);
        check("/usr/bin/python3:", None);
        check("\tstatically linked", None);
    }

    #[test]
    fn packages_of_python() {
        let field = "python3-minimal (= 3.11.2-1+b1), python3.11 (>= 3.11.2-1~), libpython3-stdlib | x, \
                     python3:any, ca-certificates";
        let expected = ["python3-minimal", "python3.11", "libpython3-stdlib", "python3"];
        assert_eq!(needed_packages(field), expected);
        assert_eq!(needed_packages(", "), [""; 0]);
    }

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
