//! Log statements of the BPF programs, on standard error.

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{LevelFilter, Log, Metadata, Record};
use tokio::io::unix::AsyncFd;

use crate::notice::{Chain, tell};

struct ToStandardError;

impl Log for ToStandardError {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        tell(record.args());
    }

    fn flush(&self) {}
}

/// Shows what the programs log from now on; needs a runtime.
pub(super) fn start(ebpf: &mut Ebpf) {
    log::set_max_level(LevelFilter::Trace);
    let logger =
        EbpfLogger::init_with_logger(ebpf, ToStandardError).map_err(|error| Chain(&error).to_string());
    // SAFETY: the logger keeps its descriptor open and the same until it is dropped.
    let logger =
        logger.and_then(|logger| unsafe { AsyncFd::register(logger) }.map_err(|error| error.to_string()));
    match logger {
        Ok(mut logger) => {
            tokio::spawn(async move {
                while let Ok(mut ready) = logger.readable_mut().await {
                    ready.get_inner_mut().flush();
                    ready.clear_ready();
                }
            });
        }
        Err(error) => tell(format_args!("the BPF programs cannot log: {error}")),
    }
}
