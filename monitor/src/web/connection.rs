//! One connection of somebody who asks: encryption, if it is wanted, and HTTP, with an end to everyone's patience.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{config::tls::Tls, settings::Settings};

/// How long a client may take for a handshake, for the head of a request and, once it is asked to go, for its last one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection is used again; a scraper makes a new one then.
const LIFE: Duration = Duration::from_mins(10);
/// Requests at a time over one connection of HTTP/2.
const STREAMS: u32 = 8;

/// Serves one connection to its end. What a client does wrong is its own business: nobody is told.
pub(super) async fn serve(stream: TcpStream, settings: Arc<Settings>, pages: Router) {
    // Answers are written at once; without this the last part of one would wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let config = settings.current();
    let Some(tls) = &config.tls else { return speak_http1(stream, pages).await };
    let Ok(Some(stream)) = timeout(PATIENCE, handshake(tls, stream)).await else { return };
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => speak_http2(stream, pages).await,
        _ => speak_http1(stream, pages).await,
    }
}

async fn handshake(tls: &Tls, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let stream = TlsAcceptor::from(Arc::clone(&tls.server)).accept(stream).await.ok()?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let has_name = |certificate| tls.allowed.iter().any(|name| name.is_of(certificate));
    let is_allowed = tls.allowed.is_empty() || certificate.is_some_and(has_name);
    is_allowed.then_some(stream)
}

async fn speak_http1(stream: impl AsyncRead + AsyncWrite + Unpin, pages: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages)));
    if timeout(LIFE, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(PATIENCE, connection).await;
    }
}

async fn speak_http2(stream: impl AsyncRead + AsyncWrite + Unpin, pages: Router) {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
    http.keep_alive_interval(PATIENCE).keep_alive_timeout(PATIENCE);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages)));
    if timeout(LIFE, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(PATIENCE, connection).await;
    }
}
