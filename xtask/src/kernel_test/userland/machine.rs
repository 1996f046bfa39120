//! The userland of this machine's processor: programs of this machine, with the libraries that they load and Python's
//! modules as dpkg knows them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{BUSYBOX, PROGRAMS, PYTHON_PACKAGES, Userland, is_imported, program as find};
use crate::process::{self, program};

/// Links of the system that lead to `/usr`, where it has them.
const TOP_LINKS: [&str; 5] = ["/bin", "/sbin", "/lib", "/lib64", "/lib32"];

pub(super) fn userland() -> Result<Userland> {
    let root = PathBuf::from("/");
    let mut files: Vec<_> =
        TOP_LINKS.map(PathBuf::from).into_iter().filter(|link| link.is_symlink()).collect();
    let mut objects = Vec::new();
    for (name, package) in PROGRAMS.into_iter().filter(|(name, _)| *name != BUSYBOX) {
        objects.push(find(&root, name, package)?);
    }
    files.extend_from_slice(&objects);
    for path in python_files()? {
        if path.extension().is_some_and(|extension| extension == "so") {
            objects.push(path.clone());
        }
        files.push(path);
    }
    files.extend(libraries(&objects)?);
    Ok(Userland { root, files })
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
}
