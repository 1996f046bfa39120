//! Boots a kernel in QEMU and follows its console to the end.
//!
//! The processor is emulated, since hardware's help is missing on most build machines. Deliberately lacks any
//! knowledge of tests: what the console says is judged elsewhere.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::arch::Arch;
use crate::process::program;

/// How long the console may be silent. A test may take a minute of an emulated processor's time.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);
/// How long a kernel that is broken may tell about it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the kernel says when it is broken. It is booted so that it stops then.
const BROKEN: [&[u8]; 4] = [b"Kernel panic", b"BUG: soft lockup", b"Oops: ", b"BUG: unable to handle"];

/// How it went.
#[derive(Debug)]
pub(crate) struct Boot {
    /// Everything on the console.
    pub(crate) console: Vec<u8>,
    /// Why it was no complete run, if so.
    pub(crate) trouble: Option<String>,
    pub(crate) took: Duration,
}

/// Boots to power off. The console goes to `log` as well, as it comes.
pub(crate) fn boot(arch: Arch, vmlinuz: &Path, image: &Path, log: &Path) -> Result<Boot> {
    let mut qemu = program(arch.emulator());
    qemu.args(arch.machine());
    // One thread for all emulated processors: with one each, a kernel that patches its own code while it boots can be
    // caught in the middle of it (7.x dies of a breakpoint then).
    qemu.args(["-accel", "tcg,thread=single", "-m", "2048", "-smp", "2", "-no-reboot"]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-kernel"]);
    qemu.arg(vmlinuz).arg("-initrd").arg(image);
    let (console, quirks) = (arch.console(), arch.quirks());
    let arguments = format!("console={console} quiet oops=panic panic=-1 rdinit=/init {quirks}");
    qemu.args(["-append", arguments.trim_end()]);
    let mut child = qemu
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", arch.emulator()))?;
    let output = child.stdout.take().context("the console is piped")?;
    let mut console = Console {
        received: listen(output),
        log: File::create(log).with_context(|| format!("cannot write {}", log.display()))?,
        bytes: Vec::new(),
        longest: arch.longest(),
    };
    let start = Instant::now();
    let trouble = match console.follow(start) {
        // The console is closed, so the emulator is about to end.
        Ok(None) => end(&mut child)?,
        followed => {
            // It may have ended by itself meanwhile; its id stays its own until it is waited for.
            let _ = child.kill();
            child.wait().context("cannot wait for qemu")?;
            followed?
        }
    };
    Ok(Boot { console: console.bytes, trouble, took: start.elapsed() })
}

/// Why an emulator ended that closed its console, unless as it should.
fn end(child: &mut Child) -> Result<Option<String>> {
    let status = child.wait().context("cannot wait for qemu")?;
    Ok((!status.success()).then(|| format!("qemu ended with {status}")))
}

fn listen(mut output: ChildStdout) -> Receiver<Vec<u8>> {
    let (to, received) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count) = output.read(&mut buffer) {
            if count == 0 || to.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    received
}

struct Console {
    received: Receiver<Vec<u8>>,
    log: File,
    bytes: Vec<u8>,
    longest: Duration,
}

impl Console {
    /// Reads until the console is closed, or until something is wrong, which is returned.
    fn follow(&mut self, start: Instant) -> Result<Option<String>> {
        loop {
            let left = self.longest.saturating_sub(start.elapsed());
            match self.received.recv_timeout(left.min(LONGEST_SILENCE)) {
                Ok(bytes) => self.add(&bytes)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(broken(&self.bytes)),
                Err(RecvTimeoutError::Timeout) if left < LONGEST_SILENCE => {
                    return Ok(Some(format!("it takes more than {} s", self.longest.as_secs())));
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Ok(Some(format!("silent for {} s", LONGEST_SILENCE.as_secs())));
                }
            }
            if let Some(trouble) = broken(&self.bytes) {
                self.hear_last_words()?;
                return Ok(Some(trouble));
            }
        }
    }

    fn hear_last_words(&mut self) -> Result<()> {
        let deadline = Instant::now() + LAST_WORDS;
        while let Ok(bytes) = self.received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.add(&bytes)?;
        }
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        self.log.write_all(bytes).context("cannot write the console's log")
    }
}

/// What the kernel says that means its end, with the rest of the line.
fn broken(console: &[u8]) -> Option<String> {
    let lines = console.split(|byte| *byte == b'\n');
    let broken = lines.into_iter().find_map(|line| {
        let begin = BROKEN.iter().filter_map(|text| line.windows(text.len()).position(|part| part == *text));
        begin.min().map(|begin| &line[begin..])
    });
    broken.map(|line| String::from_utf8_lossy(line).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_kernels() {
        let check = |console: &[u8], expected: Option<&str>| {
            assert_eq!(broken(console).as_deref(), expected, "{}", String::from_utf8_lossy(console));
        };
        check(b"test a ... ok\r\n\xff\x1b[2J", None);
        check(
            b"x\r\n[ 1.0] Kernel panic - not syncing: Fatal exception\r\ny",
            Some("Kernel panic - not syncing: Fatal exception"),
        );
        check(
            b"[   60.1] watchdog: BUG: soft lockup - CPU#1 stuck for 22s!\r\n",
            Some("BUG: soft lockup - CPU#1 stuck for 22s!"),
        );
        check(b"Oops: 0002 [#1] SMP NOPTI\r\n", Some("Oops: 0002 [#1] SMP NOPTI"));
        check(b"", None);
    }
}
