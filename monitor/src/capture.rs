//! From probes to events: drains the ring buffer, decodes, holds what is not proven, enriches. What `watch`, `demo` and
//! the agent share; who looks at the events is not known here.

use std::{path::PathBuf, sync::Arc};

use resetmon_common::wire::WAKE;

use crate::{
    clock::Clock,
    decode::{DecodeError, Decoder},
    enrich::Enricher,
    hold::{HOLD, Hold},
    kernel::{
        counters::Counters,
        error::KernelError,
        events::EventStream,
        probes::{ProbeOptions, Probes},
    },
    model::ResetEvent,
};

/// What a capture needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureOptions {
    /// How the probes are set up.
    pub probes: ProbeOptions,
    /// Where procfs is mounted.
    pub procfs: PathBuf,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self { probes: ProbeOptions::default(), procfs: PathBuf::from("/proc") }
    }
}

/// Attached probes and everything between them and a finished event.
pub struct Capture {
    probes: Probes,
    stream: EventStream,
    counters: Arc<Counters>,
    pipeline: Pipeline,
}

impl Capture {
    /// Attaches the probes. Needs a runtime with I/O and time.
    pub fn start(options: &CaptureOptions) -> Result<Self, KernelError> {
        let enricher = Enricher::new(options.procfs.clone())
            .map_err(|source| KernelError::Procfs { path: options.procfs.clone(), source })?;
        let clock = Clock::new().map_err(KernelError::Clock)?;
        let mut probes = Probes::attach(&options.probes)?;
        let stream = probes.take_events()?;
        let counters = Arc::new(probes.take_counters()?);
        let decoder = Decoder { reasons: probes.layout().reasons.clone(), tick: clock.tick() };
        let pipeline = Pipeline {
            clock,
            decoder,
            hold: Hold::default(),
            enricher,
            sequence: 0,
            told: 0,
            undecodable: None,
            woken: false,
        };
        Ok(Self { probes, stream, counters, pipeline })
    }

    /// Waits for resets and appends them to `events`; comes back without any when probes have changed. Loses nothing
    /// when it is dropped while it waits.
    pub async fn next(&mut self, events: &mut Vec<ResetEvent>) -> Result<(), KernelError> {
        let Self { stream, pipeline, probes, .. } = self;
        let before = events.len();
        while events.len() == before {
            let holding = !pipeline.hold.is_empty();
            tokio::select! {
                // What has arrived is read before anything is let go: it may refute that.
                biased;
                batch = stream.batch(|bytes| pipeline.take(bytes, events)) => batch?,
                () = tokio::time::sleep(HOLD), if holding => {}
            }
            pipeline.release(events);
            if std::mem::take(&mut pipeline.woken) && probes.attach_waiting() {
                break;
            }
        }
        Ok(())
    }

    /// Appends what has arrived and what is still held, without waiting: nothing more will be asked for.
    pub fn finish(&mut self, events: &mut Vec<ResetEvent>) {
        let Self { stream, pipeline, .. } = self;
        stream.rest(|bytes| pipeline.take(bytes, events));
        pipeline.finish(events);
    }

    /// The attached probes.
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// The exact counters.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// How many events came out so far.
    pub fn events_received(&self) -> u64 {
        self.pipeline.told
    }

    /// Why bytes of the ring buffer were no event, if that ever happened: a defect that should be reported.
    pub fn undecodable(&self) -> Option<DecodeError> {
        self.pipeline.undecodable
    }
}

/// Bytes → decode → hold → enrich.
struct Pipeline {
    clock: Clock,
    decoder: Decoder,
    hold: Hold,
    enricher: Enricher,
    sequence: u16,
    told: u64,
    undecodable: Option<DecodeError>,
    woken: bool,
}

impl Pipeline {
    fn take(&mut self, bytes: &[u8], events: &mut Vec<ResetEvent>) {
        if bytes == WAKE.to_ne_bytes() {
            self.woken = true;
            return;
        }
        self.sequence = self.sequence.wrapping_add(1);
        match self.decoder.decode(bytes, self.clock.boot(), self.sequence) {
            Ok(mut decoded) => {
                // A process that has just been refused may be gone in a moment: read about it before anything else.
                self.enricher.enrich(&mut decoded.event);
                let told = self.hold.take(decoded);
                self.told += u64::from(told.is_some());
                events.extend(told);
            }
            Err(error) => self.undecodable = Some(error),
        }
    }

    fn release(&mut self, events: &mut Vec<ResetEvent>) {
        let before = events.len();
        events.extend(self.hold.release(self.clock.now()));
        self.told += (events.len() - before) as u64;
    }

    fn finish(&mut self, events: &mut Vec<ResetEvent>) {
        let before = events.len();
        events.extend(self.hold.finish());
        self.told += (events.len() - before) as u64;
    }
}
