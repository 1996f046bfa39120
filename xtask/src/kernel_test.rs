//! The kernel tests: on the running kernel, and on others in virtual machines.
//!
//! A virtual machine boots one of Debian's kernels into an image of static programs and what the tests start; nothing of
//! this machine is touched. Deliberately lacks retries: what fails once has failed.

mod arch;
mod binaries;
mod boot;
mod cache;
mod cpio;
mod debian;
mod image;
mod local;
mod modules;
mod sources;
mod table;
mod userland;
mod verdict;
mod version;

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{self, Network, say};
pub(crate) use arch::Arch;
use binaries::Binaries;
use boot::boot;
use cache::Kernel;
use image::Image;
pub(crate) use local::{Tests, run_programs_as_root};
pub(crate) use table::Table;
use table::{Column, Results};
use userland::Userland;
use verdict::Verdict;
pub(crate) use version::Series;

/// How many kernels run at a time: each takes one processor of this machine.
const AT_ONCE: usize = 2;

/// How much of what failed tests say is shown; all of it is in the console's log.
const MOST_LINES: usize = 150;

/// Where consoles and images are kept, in the target folder.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = process::target_dir()?.join("kernel-test");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Runs these tests on the running kernel.
pub(crate) fn local(tests: Tests, network: Network) -> Result<Table> {
    local::local(tests, network)
}

/// Runs the kernel tests on the running kernel for the record of the corpus that they make.
pub(crate) fn corpus(binary: &Path, network: Network) -> Result<PathBuf> {
    local::corpus(binary, network)
}

/// Runs the kernel tests on the newest kernel of each series.
pub(crate) fn vm(series: &[Series], arch: Arch, network: Network) -> Result<Table> {
    ensure!(cfg!(target_arch = "x86_64"), "guests are emulated on x86-64, and this machine is none");
    let mut kernels = Vec::new();
    for series in series {
        kernels.push((*series, cache::newest(*series, arch, network)?));
    }
    let binaries = Binaries::build(arch, network)?;
    let image = Image::new(&binaries, &Userland::new(arch, network)?)?;
    let tests = match arch {
        Arch::X86_64 => binaries.tests()?,
        Arch::Aarch64 => local::names(Tests::Kernel, network)?,
    };
    let guest = Guest { arch, image, folder: folder()? };
    let mut table = Table { tests, columns: Vec::new() };
    for some in kernels.chunks(AT_ONCE) {
        table.columns.extend(guest.columns(some)?);
    }
    Ok(table)
}

/// Shows which tests passed where; an error when one failed.
pub(crate) fn conclude(table: &Table) -> Result<()> {
    process::show(&table.to_string());
    let counts = table.counts();
    ensure!(counts.failed == 0, "kernel tests failed: {counts}");
    Ok(())
}

/// What is the same for all kernels.
struct Guest {
    arch: Arch,
    image: Image,
    folder: PathBuf,
}

impl Guest {
    /// Runs the tests on some kernels at once.
    fn columns(&self, kernels: &[(Series, Option<Kernel>)]) -> Result<Vec<Column>> {
        let column = |series: Series, kernel: Option<&Kernel>| {
            let results = match kernel {
                Some(kernel) => self.run(series, kernel)?,
                None => Results::Skipped {
                    because: "no such kernel is cached, and --offline fetches none".into(),
                },
            };
            Ok(Column { name: series.name().to_owned(), results })
        };
        thread::scope(|scope| {
            let running: Vec<_> = kernels
                .iter()
                .map(|(series, kernel)| scope.spawn(|| column(*series, kernel.as_ref())))
                .collect();
            let ended =
                running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.collect()
        })
    }

    fn run(&self, series: Series, kernel: &Kernel) -> Result<Results> {
        let name = format!("{series}{}", self.arch.suffix());
        let archive = self.folder.join(format!("{name}.cpio"));
        let log = self.folder.join(format!("{name}.log"));
        fs::write(&archive, self.image.clone().with_modules(&kernel.modules()?)?)
            .with_context(|| format!("cannot write {}", archive.display()))?;
        say(&format!("Linux {series}: booting {}", kernel.version));
        let boot = boot(self.arch, &kernel.vmlinuz(), &archive, &log)?;
        let verdict = Verdict::of(&boot.console);
        report(series, &verdict, boot.took, &log);
        // An image is made anew each time, and large.
        fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
        Ok(Results::Run {
            release: format!("{} ({})", verdict.release.as_deref().unwrap_or("unknown"), kernel.version),
            outcomes: verdict.outcomes,
            trouble: boot.trouble.or(verdict.trouble),
        })
    }
}

fn report(series: Series, verdict: &Verdict, took: Duration, log: &Path) {
    if !verdict.failures.is_empty() {
        let shown: Vec<_> = verdict.failures.iter().take(MOST_LINES).map(String::as_str).collect();
        process::show(&shown.join("\n"));
        if verdict.failures.len() > MOST_LINES {
            say(&format!("and {} lines more in the console", verdict.failures.len() - MOST_LINES));
        }
    }
    let tests = verdict.outcomes.len();
    say(&format!(
        "Linux {series}: {tests} tests in {:.1} s, console in {}",
        took.as_secs_f64(),
        log.display()
    ));
}
