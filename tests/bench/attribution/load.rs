//! Keeps every processor busy with processes that have nothing to do with any reset.

use std::thread;

use resetmon_tests::{Netns, Script};

/// Computes and makes system calls until whoever started it is gone.
const SPIN: &str = "
cpus = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, {cpus[int(sys.argv[1]) % len(cpus)]})
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(10000): pass
    os.stat('/')
";

/// Busy processes, which end with this value.
pub(crate) struct Load {
    _spinning: Vec<Script>,
}

impl Load {
    /// One for each processor.
    pub(crate) fn start() -> Self {
        let netns = Netns::new();
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let spinning = (0..processors).map(|number| Script::start(&netns, SPIN, &[&number.to_string()]));
        Self { _spinning: spinning.collect() }
    }
}
