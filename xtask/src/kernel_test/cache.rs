//! Kernels that were fetched, outside of the target folder so that they outlive it: each is a folder named after its
//! exact version, with the vmlinuz and the modules that tests need.
//!
//! Which one is the newest is asked once a day at most. Deliberately lacks removing old ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process as this};

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use super::debian::{Lists, remove};
use super::modules;
use super::version::{self, Series};
use crate::process::{Network, say};

/// For so long what was the newest is taken for it still.
const FRESH: Duration = Duration::from_hours(24);
/// Names the newest kernel of a series.
const NEWEST: &str = "newest";
/// Written last; its content tells which modules were asked for.
const COMPLETE: &str = "complete";

/// A kernel that can be booted.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) version: String,
    folder: PathBuf,
}

impl Kernel {
    pub(crate) fn vmlinuz(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// Its modules, in the order in which they can be loaded.
    pub(crate) fn modules(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("modules");
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.sort();
        Ok(paths)
    }

    /// The one in this folder, if it is whole and has all that is asked for today.
    fn cached(folder: PathBuf) -> Option<Self> {
        let version = folder.file_name()?.to_str()?.to_owned();
        let complete = fs::read_to_string(folder.join(COMPLETE)).ok()?;
        (complete == wanted()).then_some(Self { version, folder })
    }
}

/// The newest kernel of a series, or nothing when none is cached and nothing may be fetched.
pub(crate) fn newest(series: Series, arch: Arch, network: Network) -> Result<Option<Kernel>> {
    let folder = root()?.join(format!("{series}{}", arch.suffix()));
    let found = match network {
        Network::Offline => newest_cached(&folder),
        Network::Online => {
            let fetch =
                || fetch(series, arch, &folder).context(format!("cannot fetch Linux {series} for {arch}"));
            Some(known_newest(&folder).map_or_else(fetch, Ok)?)
        }
    };
    if let Some(kernel) = &found {
        say(&format!("Linux {series} for {arch}: {}", kernel.version));
    }
    Ok(found)
}

/// The folder for all that is fetched.
pub(crate) fn root() -> Result<PathBuf> {
    let set = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set.or_else(|| env::home_dir().map(|home| home.join(".cache")));
    Ok(cache.context("there is no home folder to keep kernels in")?.join("resetmon/kernels"))
}

fn known_newest(folder: &Path) -> Option<Kernel> {
    let marker = folder.join(NEWEST);
    let age = fs::metadata(&marker).ok()?.modified().ok()?.elapsed().ok()?;
    let version = fs::read_to_string(&marker).ok()?;
    (age < FRESH).then(|| Kernel::cached(folder.join(version.trim()))).flatten()
}

fn newest_cached(folder: &Path) -> Option<Kernel> {
    let entries = fs::read_dir(folder).ok()?;
    let kernels = entries.filter_map(Result::ok).filter_map(|entry| Kernel::cached(entry.path()));
    kernels.max_by(|a, b| version::compare(&a.version, &b.version))
}

fn fetch(series: Series, arch: Arch, folder: &Path) -> Result<Kernel> {
    say(&format!("Linux {series}: asking for the newest"));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let kernels = series.kernels();
    let lists = Lists::fetch(kernels.suites, arch, folder)?;
    let mut offered = lists.names(kernels.image.0)?;
    if let Some((beginning, _)) = kernels.modules {
        offered.extend(lists.names(beginning)?);
    }
    let offered: Vec<&str> = offered.iter().map(String::as_str).collect();
    let packages = series.newest(arch, &offered).with_context(|| {
        let suites: Vec<_> = kernels.suites.iter().map(|(_, suite)| *suite).collect();
        format!("Debian has no such kernel for clouds on {} in {}", arch.debian(), suites.join(", "))
    })?;
    let version = lists.version(&packages[0])?;
    let kernel = match Kernel::cached(folder.join(&version)) {
        Some(kernel) => kernel,
        None => download(&lists, &packages, folder, &version)?,
    };
    fs::write(folder.join(NEWEST), &version).context("cannot remember the newest kernel")?;
    Ok(kernel)
}

fn download(lists: &Lists, packages: &[String], folder: &Path, version: &str) -> Result<Kernel> {
    say(&format!("downloading {}", packages.join(" ")));
    // Made beside its place and then renamed, so that a folder with this name is whole.
    let scratch = folder.join(format!("scratch-{}", this::id()));
    let (unpacked, made) = (scratch.join("unpacked"), scratch.join("made"));
    remove(&scratch)?;
    fs::create_dir_all(made.join("modules")).with_context(|| format!("cannot create {}", made.display()))?;
    lists.unpack(packages, &unpacked)?;
    let mut files = BTreeMap::new();
    visit(&unpacked, &mut files)?;
    let vmlinuz = files.get("vmlinuz").context("the package has no vmlinuz")?;
    fs::copy(vmlinuz, made.join("vmlinuz")).context("cannot copy vmlinuz")?;
    let modules = modules::in_order(&modules::WANTED, |name| {
        files.get(&format!("{name}.ko")).map(|path| content(path)).transpose()
    })?;
    for (index, (name, content)) in modules.iter().enumerate() {
        let path = made.join(format!("modules/{index:02}-{name}.ko"));
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    fs::write(made.join(COMPLETE), wanted()).context("cannot finish the kernel's folder")?;
    let place = folder.join(version);
    remove(&place)?;
    fs::rename(&made, &place).with_context(|| format!("cannot create {}", place.display()))?;
    remove(&scratch)?;
    Kernel::cached(place).context("the kernel's folder is not whole")
}

/// Modules by their names with `.ko`, and the kernel as `vmlinuz`.
fn visit(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        let kind = entry.file_type().context("a file has a type")?;
        if kind.is_dir() {
            visit(&entry.path(), files)?;
        } else if kind.is_file()
            && let Some(name) = file_kind(&entry.file_name().to_string_lossy())
        {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

fn file_kind(name: &str) -> Option<String> {
    if let Some((module, compression)) = name.split_once(".ko") {
        let is_known = matches!(compression, "" | ".xz" | ".zst" | ".gz");
        return is_known.then(|| format!("{}.ko", module.replace('-', "_")));
    }
    (name == "vmlinuz" || name.starts_with("vmlinuz-")).then(|| "vmlinuz".to_owned())
}

/// The content of a module, which may be compressed.
fn content(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(path).with_context(|| format!("cannot read {}", path.display())),
    };
    let output = Command::new(program).args(["--decompress", "--stdout"]).arg(path).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} cannot read {}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

fn wanted() -> String {
    modules::WANTED.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_package() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(file_kind(name).as_deref(), expected);
        check("veth.ko", Some("veth.ko"));
        check("crc32c-intel.ko.xz", Some("crc32c_intel.ko"));
        check("veth.ko.sig", None);
        check("vmlinuz-6.1.0-50-cloud-amd64", Some("vmlinuz"));
        check("vmlinuz", Some("vmlinuz"));
        check("System.map-6.1.0-50-cloud-amd64", None);
    }
}
