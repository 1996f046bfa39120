//! The thread that serves the socket: whatever its clients do, the capture does not wait for them. Events come to it by a
//! bounded queue, and only while somebody follows them.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{runtime, sync::mpsc};

use crate::{
    hub::Hub,
    kernel::{
        counters::Counters,
        privilege::{self, Later},
    },
    losses::{Losses, Place},
    model::ResetEvent,
    notice::{Chain, tell},
    socket::{
        self, Socket, SocketError,
        routes::{self, Source},
    },
};

/// Most events that wait for the thread; what comes then is not told live.
const QUEUE: usize = 4096;

/// For how long followers are told what they have not read, at the end.
const PARTING: Duration = Duration::from_millis(200);

/// What the thread works with.
pub(super) struct Outlet {
    /// Where events come together with those who follow them.
    pub(super) hub: Arc<Hub>,
    /// Where losses are counted.
    pub(super) losses: Arc<Losses>,
    /// What is read for those who ask, which takes a capability on some kernels.
    pub(super) counters: Arc<Counters>,
    /// What the agent knows of itself.
    pub(super) source: Arc<dyn Source>,
    /// Where others ask.
    pub(super) path: PathBuf,
    /// The first try to listen there.
    pub(super) socket: Result<Socket, SocketError>,
}

/// The running thread.
#[derive(Debug)]
pub(super) struct Live {
    hub: Arc<Hub>,
    losses: Arc<Losses>,
    events: mpsc::Sender<ResetEvent>,
    /// How many found no room, and nobody was told of yet.
    missed: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Live {
    /// Starts it; it drops the capabilities that it does not need before it serves anybody.
    pub(super) fn start(outlet: Outlet) -> io::Result<Self> {
        let (hub, losses) = (Arc::clone(&outlet.hub), Arc::clone(&outlet.losses));
        let (events, queue) = mpsc::channel(QUEUE);
        let missed = Arc::new(AtomicU64::new(0));
        let unheard = Arc::clone(&missed);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("socket".to_owned()).spawn(move || {
            if let Err(error) = privilege::drop_in_thread(Later::default(), || outlet.counters.read().is_ok())
            {
                tell(Chain(&error));
            }
            runtime.block_on(serve(outlet, queue, &unheard));
        })?;
        Ok(Self { hub, losses, events, missed, thread })
    }

    /// Hands events to those who follow them.
    pub(super) fn tell(&self, events: &[ResetEvent]) {
        if self.hub.followers() == 0 {
            return;
        }
        for event in events {
            if self.events.try_send(event.clone()).is_err() {
                self.losses.add(Place::Queue, 1);
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Tells followers the end, and waits for that.
    pub(super) fn end(self) {
        drop(self.events);
        // A thread that panicked has said so.
        let _ = self.thread.join();
    }
}

async fn serve(outlet: Outlet, mut queue: mpsc::Receiver<ResetEvent>, missed: &AtomicU64) {
    let Outlet { hub, source, path, socket, .. } = outlet;
    let router = routes::router(Arc::clone(&hub), source);
    let distribute = async {
        while let Some(event) = queue.recv().await {
            hub.publish(event);
            match missed.swap(0, Ordering::Relaxed) {
                0 => {}
                events => hub.lose(events),
            }
        }
    };
    tokio::select! {
        () = distribute => {}
        () = socket::serve(&path, socket, router) => {}
    }
    let followed = hub.followers() > 0;
    hub.end();
    if followed {
        tokio::time::sleep(PARTING).await;
    }
}
