//! The HTTP endpoint: metrics, health, readiness and a landing page. A port that is taken does not stop the capture: it
//! is said once which address failed, and tried again until it is free.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    metrics,
    notice::{Chain, tell},
};

/// Time between two tries to listen.
const RETRY: Duration = Duration::from_secs(1);

/// Where metrics are had.
const METRICS_PATH: &str = "/metrics";

/// What the endpoint shows.
pub trait Source: Send + Sync + 'static {
    /// The metrics in the text format.
    fn metrics(&self) -> anyhow::Result<Vec<u8>>;
    /// Whether resets are being captured, or why not.
    fn ready(&self) -> Result<(), String>;
}

/// Serves on one address for as long as it is polled.
pub async fn serve(address: SocketAddr, source: Arc<dyn Source>) -> io::Result<()> {
    let listener = listen(address).await;
    tell(format_args!("metrics are on http://{}{METRICS_PATH}", listener.local_addr()?));
    axum::serve(listener, router(source)).await
}

async fn listen(address: SocketAddr) -> TcpListener {
    let mut told = None;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                if told != Some(error.kind()) {
                    tell(format_args!(
                        "cannot listen on {address}: {error}; capturing goes on, and the address is tried again every \
                         {} s (--web.listen-address names another)",
                        RETRY.as_secs()
                    ));
                    told = Some(error.kind());
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn router(source: Arc<dyn Source>) -> Router {
    Router::new()
        .route("/", get(landing))
        .route(METRICS_PATH, get(show_metrics))
        .route("/-/healthy", get(async || "resetmon is healthy\n"))
        .route("/-/ready", get(ready))
        .with_state(source)
}

async fn landing() -> Html<String> {
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>resetmon</title></head>\n<body>\n\
         <h1>resetmon {}</h1>\n<p>Who reset your TCP connection, which process it hit, and why.</p>\n\
         <ul>\n<li><a href=\"{METRICS_PATH}\">Metrics</a></li>\n<li><a href=\"/-/healthy\">Health</a></li>\n\
         <li><a href=\"/-/ready\">Readiness</a></li>\n</ul>\n</body></html>\n",
        env!("CARGO_PKG_VERSION")
    ))
}

async fn show_metrics(State(source): State<Arc<dyn Source>>) -> Response {
    match source.metrics() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            let message = format!("cannot read the counters: {}\n", Chain(error.as_ref()));
            (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
    }
}

async fn ready(State(source): State<Arc<dyn Source>>) -> Response {
    match source.ready() {
        Ok(()) => "resetmon is ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}
