//! From probes to events: drains the ring buffer, decodes, enriches, holds what is not proven, joins both ends, diagnoses.
//! What `watch`, `demo` and the agent share; who looks at the events is not known here.

use std::{path::PathBuf, sync::Arc, time::Duration};

use resetmon_common::wire::WAKE;

use crate::{
    cgroups::Cgroups,
    clock::Clock,
    decode::{DecodeError, Decoder, cgroup_made},
    diagnosis::{Diagnoser, Sight},
    enrich::Enricher,
    hold::{Hold, Ownership, Released},
    holders::{Holders, Scope},
    incident::Incidents,
    kernel::{
        counters::Counters,
        error::KernelError,
        events::{EventStream, Rest},
        probes::{ProbeOptions, Probes},
        tree::ProcessTree,
    },
    model::ResetEvent,
    owner::{self, Holders as Answer},
    pid_namespace,
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
        // Elsewhere the ids of those who hold a socket would be other ones than the kernel's.
        let shows_host = pid_namespace::shows_host(&options.procfs) != Some(false);
        let sight = Sight {
            all_senders: probes.see_resets_without_socket(),
            firewall: probes.see_resets_of_firewall(),
        };
        let pipeline = Pipeline {
            clock,
            decoder,
            hold: Hold::default(),
            holders: shows_host.then(|| Holders::new(options.procfs.clone())),
            incidents: Incidents::default(),
            enricher,
            // Once the probes are attached, so that no group falls in between.
            cgroups: Cgroups::new(options.procfs.clone()),
            heard_until: Duration::ZERO,
            diagnoser: Diagnoser::new(sight),
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
            let due = pipeline.due_in();
            let rest = tokio::select! {
                // What has arrived is read before anything is let go: it may refute that.
                biased;
                batch = stream.batch(|bytes| pipeline.take(bytes, events)) => batch?,
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {
                    // What is due has waited in vain only if its other part has not arrived meanwhile.
                    stream.rest(|bytes| pipeline.take(bytes, events))
                }
            };
            if rest == Rest::Nothing {
                // What happened before the clock was read has been written by now, and is read now at the latest.
                let now = pipeline.clock.since_boot();
                if stream.rest(|bytes| pipeline.take(bytes, events)) == Rest::Nothing {
                    pipeline.heard_until = now.max(pipeline.heard_until);
                }
            }
            pipeline.release(events);
            if std::mem::take(&mut pipeline.woken) && probes.attach_waiting() {
                break;
            }
        }
        Ok(())
    }

    /// Appends what has arrived and what still waits, without waiting: nothing more will be asked for.
    pub fn finish(&mut self, events: &mut Vec<ResetEvent>) {
        let Self { stream, pipeline, .. } = self;
        stream.rest(|bytes| pipeline.take(bytes, events));
        pipeline.finish(events);
    }

    /// The attached probes.
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// What diagnoses can rely on to be seen.
    pub fn sight(&self) -> Sight {
        self.pipeline.diagnoser.sight()
    }

    /// The processes that the probes follow. They can be taken once.
    pub fn take_tree(&mut self) -> Result<ProcessTree, KernelError> {
        self.probes.take_tree()
    }

    /// The exact counters.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Look-ups of who holds a socket that were not made for lack of time.
    pub fn lookups_skipped(&self) -> u64 {
        self.pipeline.holders.as_ref().map_or(0, Holders::skipped)
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

/// Bytes → decode → holders → enrich → hold → join → diagnose.
struct Pipeline {
    clock: Clock,
    decoder: Decoder,
    hold: Hold,
    /// None where descriptors cannot be attributed.
    holders: Option<Holders>,
    incidents: Incidents,
    enricher: Enricher,
    cgroups: Cgroups,
    /// Up to here, since the host started, everything that the kernel has told is read. It is in the past when there is more
    /// than can be read in time: what an event waits for may still be to come then.
    heard_until: Duration,
    diagnoser: Diagnoser,
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
        if let Some((id, path)) = cgroup_made(bytes) {
            self.cgroups.remember(id, path.as_deref());
            return;
        }
        let boot = self.clock.boot();
        if let Some(mut closing) = self.decoder.closing(bytes, boot) {
            self.enricher.enrich_process(&mut closing.process);
            for mut released in self.hold.close(&closing) {
                self.cgroups.place(&mut released.event);
                self.join(released, events);
            }
            return;
        }
        self.sequence = self.sequence.wrapping_add(1);
        match self.decoder.decode(bytes, boot, self.sequence) {
            Ok(mut decoded) => {
                self.heard_until = decoded.at.max(self.heard_until);
                // A process that has just been refused may be gone in a moment: read about it before anything else.
                let ownership = self.look(&mut decoded.event, Scope::Near);
                self.enricher.enrich(&mut decoded.event);
                self.cgroups.place(&mut decoded.event);
                if let Some(released) = self.hold.take(decoded, ownership) {
                    self.tell(released, events);
                }
            }
            Err(error) => self.undecodable = Some(error),
        }
    }

    /// Asks the open descriptors whose the socket is.
    fn look(&mut self, event: &mut ResetEvent, scope: Scope) -> Ownership {
        let Some(inode) = owner::asks_for_holders(event) else { return Ownership::Settled };
        let (presumed, boot) = (event.process.as_ref(), self.clock.boot());
        let answer = self.holders.as_mut().map_or(Answer::Unknown { may_be_anothers: true }, |holders| {
            holders.look(inode, presumed, event.time, boot, scope)
        });
        match answer {
            Answer::Found(holders) => {
                owner::settle(event, holders);
                Ownership::Settled
            }
            Answer::Unknown { may_be_anothers } if scope == Scope::Everywhere => {
                owner::give_up(event, may_be_anothers);
                Ownership::Settled
            }
            Answer::Nobody | Answer::Unknown { .. } => Ownership::InDoubt,
        }
    }

    fn tell(&mut self, mut released: Released, events: &mut Vec<ResetEvent>) {
        if released.ownership == Ownership::InDoubt {
            if self.look(&mut released.event, Scope::Everywhere) == Ownership::InDoubt {
                let Some(last) = self.hold.take_back(released) else { return };
                released = last;
                owner::give_up(&mut released.event, true);
            }
            self.enricher.enrich(&mut released.event);
            self.cgroups.place(&mut released.event);
        }
        self.join(released, events);
    }

    /// Waits for the other end.
    fn join(&mut self, released: Released, events: &mut Vec<ResetEvent>) {
        let before = events.len();
        self.incidents.take(released.event, released.at, events);
        self.publish(&mut events[before..]);
    }

    /// Says of finished events why they happened.
    fn publish(&mut self, events: &mut [ResetEvent]) {
        for event in &mut *events {
            self.diagnoser.explain(event);
        }
        self.told += events.len() as u64;
    }

    /// How long until something that waits is due; `None` when nothing waits.
    fn due_in(&self) -> Option<Duration> {
        let now = self.clock.since_boot();
        let (held, waiting) = (self.hold.due_in(now), self.incidents.due_in(now));
        held.into_iter().chain(waiting).min()
    }

    fn release(&mut self, events: &mut Vec<ResetEvent>) {
        let released: Vec<_> = self.hold.release(self.heard_until).collect();
        for released in released {
            self.tell(released, events);
        }
        let before = events.len();
        self.incidents.release(self.heard_until, &self.hold.connections(), events);
        self.publish(&mut events[before..]);
    }

    fn finish(&mut self, events: &mut Vec<ResetEvent>) {
        let released: Vec<_> = self.hold.finish().collect();
        for released in released {
            self.tell(released, events);
        }
        let before = events.len();
        self.incidents.finish(events);
        self.publish(&mut events[before..]);
    }
}
