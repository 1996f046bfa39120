//! The HTTP endpoint, on a thread of its own: whoever asks for metrics, and however often, keeps nothing from being
//! captured. A port that is taken does not stop the capture either: it is said once which address failed, and tried again
//! until it is free.

pub mod config;
mod connection;
pub mod pages;
pub mod settings;

use std::{io, net::SocketAddr, sync::Arc, thread, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
    task::JoinSet,
};

use self::{pages::TelemetryPath, settings::Settings};
use crate::notice::{Chain, tell};

/// Time between two tries to listen, or to accept when the system has no room for another connection.
const RETRY: Duration = Duration::from_secs(1);
/// Connections at a time; more wait.
const MOST_CONNECTIONS: usize = 256;

/// What the endpoint shows.
pub trait Source: Send + Sync + 'static {
    /// The metrics in the text format.
    fn metrics(&self) -> anyhow::Result<Vec<u8>>;
    /// Whether resets are being captured, or why not.
    fn ready(&self) -> Result<(), String>;
}

/// Where and how the endpoint is served.
pub struct Endpoint {
    /// The addresses.
    pub listen: Vec<SocketAddr>,
    /// Where metrics are had.
    pub path: TelemetryPath,
    /// How it is protected.
    pub settings: Arc<Settings>,
    /// What it shows.
    pub source: Arc<dyn Source>,
}

/// The thread that serves the endpoint.
pub struct Server {
    thread: thread::JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Server {
    /// Starts the thread, which does `first` before anything else.
    pub fn start(endpoint: Endpoint, first: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("web".to_owned()).spawn(move || {
            first();
            runtime.block_on(async {
                tokio::select! {
                    () = serve_all(endpoint) => {}
                    _ = stopped => {}
                }
            });
            // A password that is being tried is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { thread, stop })
    }

    /// Ends it, whoever is connected.
    pub fn stop(self) {
        // It cannot have stopped by itself.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

async fn serve_all(endpoint: Endpoint) {
    let pages = pages::router(&endpoint.path, endpoint.source, Arc::clone(&endpoint.settings));
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut servers: JoinSet<()> = endpoint
        .listen
        .into_iter()
        .map(|address| {
            let (settings, pages) = (Arc::clone(&endpoint.settings), pages.clone());
            serve(address, endpoint.path.clone(), settings, pages, Arc::clone(&connections))
        })
        .collect();
    while servers.join_next().await.is_some() {}
    // Addresses can be none at all.
    std::future::pending::<()>().await;
}

async fn serve(
    address: SocketAddr,
    path: TelemetryPath,
    settings: Arc<Settings>,
    pages: Router,
    connections: Arc<Semaphore>,
) {
    let listener = listen(address).await;
    let scheme = if settings.current().tls.is_some() { "https" } else { "http" };
    let address = listener.local_addr().unwrap_or(address);
    tell(format_args!("metrics are on {scheme}://{address}{path}"));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        let stream = accept(&listener).await;
        let serving = connection::serve(stream, Arc::clone(&settings), pages.clone());
        tokio::spawn(async move {
            serving.await;
            drop(permit);
        });
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => return stream,
            // Somebody who has gone again; at worst there are no descriptors left.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn listen(address: SocketAddr) -> TcpListener {
    let mut told = None;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                if told != Some(error.kind()) {
                    tell(format_args!(
                        "cannot listen on {address}: {}; capturing goes on, and the address is tried again every {} s \
                         (--web.listen-address names another)",
                        Chain(&error),
                        RETRY.as_secs()
                    ));
                    told = Some(error.kind());
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
