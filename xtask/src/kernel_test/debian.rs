//! apt with lists of one's own: sees packages of suites that this machine does not use, and changes nothing of it.
//!
//! Deliberately lacks installing: a package is downloaded and unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::arch::Arch;
use super::sources::Mirrors;
use super::version::Archive;
use crate::process::{self, program};

/// Debian's keys, under the names that they have had.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];
const SOURCES: &str = "/etc/apt/sources.list";
const SOURCES_FOLDER: &str = "/etc/apt/sources.list.d";

/// The packages of some suites, for one kind of processor.
pub(crate) struct Lists {
    folder: PathBuf,
    arch: Arch,
}

impl Lists {
    /// Gets the newest lists, into `folder`.
    pub(crate) fn fetch(suites: &[(Archive, &str)], arch: Arch, folder: &Path) -> Result<Self> {
        let lists = Self { folder: folder.to_path_buf(), arch };
        let mirrors = configured_mirrors()?;
        let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).exists());
        let keyring = keyring.context("Debian's keys are missing; install debian-archive-keyring")?;
        let sources: Vec<_> = suites
            .iter()
            .map(|(archive, suite)| {
                let mirror = mirrors.of(*archive);
                format!("deb [arch={} signed-by={keyring}] {mirror} {suite} main", arch.debian())
            })
            .collect();
        let partial = folder.join("lists/partial");
        fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
        fs::write(folder.join("sources.list"), sources.join("\n") + "\n")
            .context("cannot write the list of sources")?;
        process::run_quietly(lists.apt("apt-get").arg("update"))?;
        Ok(lists)
    }

    /// The names of all packages whose names begin like this.
    pub(crate) fn names(&self, beginning: &str) -> Result<Vec<String>> {
        let names = process::run_for_output(self.apt("apt-cache").args(["pkgnames", beginning]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The version of a package that would be downloaded.
    pub(crate) fn version(&self, package: &str) -> Result<String> {
        let shown =
            process::run_for_output(self.apt("apt-cache").args(["show", "--no-all-versions", package]))?;
        let version = shown.lines().find_map(|line| line.strip_prefix("Version: "));
        version.map(str::to_owned).with_context(|| format!("{package} has no version"))
    }

    /// Downloads packages and unpacks them into `to`.
    pub(crate) fn unpack(&self, packages: &[String], to: &Path) -> Result<()> {
        let downloads = self.folder.join("downloads");
        remove(&downloads)?;
        fs::create_dir_all(&downloads).with_context(|| format!("cannot create {}", downloads.display()))?;
        process::run_quietly(self.apt("apt-get").arg("download").args(packages).current_dir(&downloads))?;
        let unpacked = unpack_all(&downloads, to)?;
        ensure!(unpacked == packages.len(), "apt-get downloaded {unpacked} of {packages:?}");
        remove(&downloads)
    }

    /// The same with all that the packages need.
    pub(crate) fn unpack_with_needs(&self, packages: &[String], to: &Path) -> Result<()> {
        let downloads = self.folder.join("downloads");
        remove(&downloads)?;
        fs::create_dir_all(downloads.join("partial"))
            .with_context(|| format!("cannot create {}", downloads.display()))?;
        let mut install = self.apt("apt-get");
        install.args(["--option", &format!("Dir::Cache::Archives={}", downloads.display())]);
        // It comes to nothing but downloads: no lock of this machine's is needed, and no order of set-up.
        install.args(["--option", "Debug::NoLocking=1", "--option", "APT::Immediate-Configure=0"]);
        install.args(["--yes", "--download-only", "--no-install-recommends", "install"]).args(packages);
        process::run_quietly(&mut install)?;
        let unpacked = unpack_all(&downloads, to)?;
        ensure!(unpacked >= packages.len(), "apt-get downloaded {unpacked} packages for {packages:?}");
        remove(&downloads)
    }

    fn apt(&self, name: &str) -> Command {
        let folder = self.folder.display();
        let mut apt = program(name);
        for option in [
            format!("Dir::Etc::SourceList={folder}/sources.list"),
            format!("Dir::State::Lists={folder}/lists"),
            // What is installed here, or preferred, says nothing about these suites.
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            "Dir::State::status=/dev/null".to_owned(),
            format!("APT::Architecture={}", self.arch.debian()),
            format!("APT::Architectures={}", self.arch.debian()),
            "Dir::Cache::pkgcache=".to_owned(),
            "Dir::Cache::srcpkgcache=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
            // The folder is the caller's, and apt's own user may not enter it.
            "APT::Sandbox::User=root".to_owned(),
            "APT::Update::Error-Mode=any".to_owned(),
        ] {
            apt.args(["-o", &option]);
        }
        apt.arg("-q");
        apt
    }
}

/// Unpacks the packages in a folder into `to`, and counts them.
fn unpack_all(downloads: &Path, to: &Path) -> Result<usize> {
    let entries = fs::read_dir(downloads).context("cannot list what was downloaded")?;
    let mut packages: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    packages.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    packages.sort();
    for package in &packages {
        process::run_quietly(program("dpkg-deb").arg("--extract").args([package, to]))?;
    }
    Ok(packages.len())
}

fn configured_mirrors() -> Result<Mirrors> {
    let mut paths = vec![PathBuf::from(SOURCES)];
    if let Ok(entries) = fs::read_dir(SOURCES_FOLDER) {
        let parts = entries.filter_map(Result::ok).map(|entry| entry.path());
        paths.extend(parts.filter(|path| path.extension().is_some_and(|e| e == "list" || e == "sources")));
    }
    paths.sort();
    let mut lists = Vec::new();
    for path in paths.iter().filter(|path| path.exists()) {
        lists.push(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(Mirrors::among(lists.iter().map(String::as_str)))
}

/// Removes a folder that may be there.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
