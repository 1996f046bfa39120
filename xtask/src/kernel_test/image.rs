//! The root file system of the guest: the programs under test, and the userland that they need.
//!
//! Deliberately lacks a distribution: nothing is installed in the guest, so it boots in seconds.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::binaries::Binaries;
use super::cpio::Cpio;
use super::userland::Userland;

const INIT: &str = include_str!("init.sh");

/// requests reads them when it is imported.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Files in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    cpio: Cpio,
    added: BTreeSet<PathBuf>,
}

impl Image {
    /// What is the same for all kernels.
    pub(crate) fn new(binaries: &Binaries, userland: &Userland) -> Result<Self> {
        let mut image = Self::default();
        for path in &userland.files {
            image.file_of(userland, path)?;
        }
        if Path::new(CERTIFICATES).exists() {
            image.write(CERTIFICATES, 0o644, &read(Path::new(CERTIFICATES))?)?;
        }
        image.write("/busybox", 0o755, &read(&userland.busybox()?)?)?;
        image.write("/init", 0o755, INIT.as_bytes())?;
        image.write(
            "/etc/passwd",
            0o644,
            b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
        )?;
        image.write("/etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n")?;
        image.write("/etc/hosts", 0o644, b"127.0.0.1 localhost\n::1 localhost\n")?;
        let shell = userland.real_folder(Path::new("/bin"))?.join("sh");
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

    /// A file of the userland at its place; with what it leads to when it is a link.
    fn file_of(&mut self, userland: &Userland, path: &Path) -> Result<()> {
        let parent = path.parent().with_context(|| format!("{} is no file", path.display()))?;
        let real = userland.real_folder(parent)?.join(path.file_name().context("a path has a name")?);
        if self.added.contains(&real) {
            return Ok(());
        }
        let here = userland.on_this_machine(&real);
        let about = here.symlink_metadata().with_context(|| format!("cannot look at {}", here.display()))?;
        if about.is_symlink() {
            let target = fs::read_link(&here).with_context(|| format!("cannot read {}", here.display()))?;
            self.link(&real, text(&target)?)?;
            let target = real.parent().unwrap_or(&real).join(target);
            let about = userland.on_this_machine(&target).symlink_metadata();
            return if about.is_ok_and(|about| !about.is_dir()) {
                self.file_of(userland, &target)
            } else {
                Ok(())
            };
        }
        let modified = u32::try_from(about.mtime()).unwrap_or(0);
        self.file(&real, about.permissions().mode() & 0o7777, modified, &read(&here)?)
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
