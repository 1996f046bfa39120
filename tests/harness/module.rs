//! Kernel modules that tests bring. One that is loaded is taken away before only where whoever runs the tests says so, by
//! naming the folder to bring it back from: on anybody else's machine nothing is unloaded.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::LIMIT;

/// A folder with modules whose names are theirs after a number, in the order in which they can be loaded.
const FOLDER: &str = "RESETMON_MODULES";
/// Between two tries to unload what a network namespace that is on its way out still holds.
const PAUSE: Duration = Duration::from_millis(100);

/// Modules that are not loaded, and the ways to load them.
#[derive(Debug)]
pub struct Absent {
    files: Vec<PathBuf>,
}

impl Absent {
    /// Sees to it that `module`, which has the function `function`, is not loaded. Nothing when it is built in, or loaded
    /// and not to be taken away.
    pub fn make(module: &str, function: &str) -> Option<Self> {
        let files = files();
        if !files.is_empty() {
            unload(module);
        }
        let symbols = fs::read_to_string("/proc/kallsyms").expect("the kernel's symbols");
        let has_function = symbols.lines().any(|line| line.split_whitespace().nth(2) == Some(function));
        (!has_function).then_some(Self { files })
    }

    /// Loads everything that is missing. Where there is no folder, the kernel loads what a firewall rule needs by itself.
    pub fn load(self) {
        for file in self.files.iter().filter(|file| !is_loaded(&name(file))) {
            run("insmod", file.to_str().expect("a path"));
        }
    }
}

fn files() -> Vec<PathBuf> {
    let Some(folder) = env::var_os(FOLDER) else { return Vec::new() };
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths: BTreeSet<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.into_iter().collect()
}

/// `07-nf_reject_ipv4.ko` is the file of `nf_reject_ipv4`.
fn name(file: &Path) -> String {
    let stem = file.file_stem().expect("a file's name").to_string_lossy();
    stem.split_once('-').map_or(stem.as_ref(), |(_, name)| name).to_owned()
}

fn is_loaded(module: &str) -> bool {
    Path::new("/sys/module").join(module).exists()
}

/// Unloads a module and those that need it.
fn unload(module: &str) {
    let holders = fs::read_dir(Path::new("/sys/module").join(module).join("holders"));
    for holder in holders.into_iter().flatten().filter_map(Result::ok) {
        unload(&holder.file_name().to_string_lossy());
    }
    let users = Path::new("/sys/module").join(module).join("refcnt");
    let deadline = Instant::now() + LIMIT;
    while fs::read_to_string(&users).is_ok_and(|users| users.trim() != "0") {
        assert!(Instant::now() < deadline, "somebody uses the module {module}");
        thread::sleep(PAUSE);
    }
    if is_loaded(module) {
        run("rmmod", module);
    }
}

fn run(program: &str, argument: &str) {
    let output = Command::new(program).arg(argument).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(output.status.success(), "{program} {argument}: {}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let check = |file: &str, expected: &str| assert_eq!(name(Path::new(file)), expected);
        check("/modules/07-nf_reject_ipv4.ko", "nf_reject_ipv4");
        check("veth.ko", "veth");
    }
}
