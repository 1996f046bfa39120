//! The thread that serves the socket: whatever its clients do, the capture does not wait for them. Events come to it by a
//! bounded queue, and only while somebody follows them.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{runtime, sync::mpsc};

use crate::{
    hub::Hub,
    losses::{Losses, Place},
    model::ResetEvent,
    socket::{
        self,
        routes::{self, Source},
    },
};

/// Most events that wait for the thread; what comes then is not told live.
const QUEUE: usize = 8192;

/// For how long followers are told what they have not read, at the end.
const PARTING: Duration = Duration::from_millis(200);

/// The running thread.
#[derive(Debug)]
pub(super) struct Live {
    hub: Arc<Hub>,
    losses: Arc<Losses>,
    events: mpsc::Sender<ResetEvent>,
    thread: JoinHandle<()>,
}

impl Live {
    /// Starts it.
    pub(super) fn start(
        path: PathBuf,
        hub: Arc<Hub>,
        losses: Arc<Losses>,
        source: Arc<dyn Source>,
    ) -> io::Result<Self> {
        let (events, queue) = mpsc::channel(QUEUE);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = Arc::clone(&hub);
        let thread = thread::Builder::new().name("socket".to_owned()).spawn(move || {
            runtime.block_on(serve(path, serving, source, queue));
        })?;
        Ok(Self { hub, losses, events, thread })
    }

    /// Hands events to those who follow them.
    pub(super) fn tell(&self, events: &[ResetEvent]) {
        if self.hub.followers() == 0 {
            return;
        }
        for event in events {
            if self.events.try_send(event.clone()).is_err() {
                self.losses.add(Place::Queue, 1);
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

async fn serve(path: PathBuf, hub: Arc<Hub>, source: Arc<dyn Source>, mut queue: mpsc::Receiver<ResetEvent>) {
    let router = routes::router(Arc::clone(&hub), source);
    let distribute = async {
        while let Some(event) = queue.recv().await {
            hub.publish(event);
        }
    };
    tokio::select! {
        () = distribute => {}
        () = socket::serve(&path, router) => {}
    }
    let followed = hub.followers() > 0;
    hub.end();
    if followed {
        tokio::time::sleep(PARTING).await;
    }
}
