//! What can be asked for: metrics, health, readiness and a landing page. Who asks has to be admitted first, and every answer
//! has the headers that the web configuration wants.

use std::{fmt, str::FromStr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, predicate::SizeAbove},
};

use super::{Source, settings::Settings};
use crate::{metrics, notice::Chain};

/// Smaller answers are not compressed: they fit in a packet.
const COMPRESSED_FROM: u64 = 1024;

/// Paths with a page of their own.
const HEALTHY: &str = "/-/healthy";
const READY: &str = "/-/ready";

/// Where metrics are had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryPath(String);

/// Text that is no path for metrics. Does not repeat the text: whoever asked for the path shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryPathError {
    /// Not a path.
    #[error("expected a path such as /metrics, of letters, digits, and any of /._~-")]
    NoPath,
    /// A page is there.
    #[error("another page is there")]
    Taken,
}

impl FromStr for TelemetryPath {
    type Err = TelemetryPathError;

    fn from_str(text: &str) -> Result<Self, TelemetryPathError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
        if !text.starts_with('/') || text.contains("//") || !text.bytes().all(is_plain) {
            return Err(TelemetryPathError::NoPath);
        }
        if [HEALTHY, READY].contains(&text) {
            return Err(TelemetryPathError::Taken);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TelemetryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// All pages.
pub(super) fn router(path: &TelemetryPath, source: Arc<dyn Source>, settings: Arc<Settings>) -> Router {
    let pages = Router::new()
        .route(&path.0, get(show_metrics))
        .route(HEALTHY, get(async || "resetmon is healthy\n"))
        .route(READY, get(ready));
    let landing = landing(path);
    // Whoever wants the metrics at the root does without the page that leads there.
    let pages = if path.0 == "/" { pages } else { pages.route("/", get(async || Html(landing))) };
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_FROM));
    pages.with_state(source).layer(compression).layer(middleware::from_fn_with_state(settings, admit))
}

async fn admit(State(settings): State<Arc<Settings>>, request: Request, next: Next) -> Response {
    let config = settings.current();
    let mut response = if config.users.admit(request.headers().get(AUTHORIZATION)).await {
        next.run(request).await
    } else {
        let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"resetmon\"")];
        (StatusCode::UNAUTHORIZED, challenge, "this needs a user's name and password\n").into_response()
    };
    response.headers_mut().extend(config.headers.clone());
    response
}

fn landing(path: &TelemetryPath) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>resetmon</title></head>\n<body>\n\
         <h1>resetmon {}</h1>\n<p>Who reset your TCP connection, which process it hit, and why.</p>\n\
         <ul>\n<li><a href=\"{path}\">Metrics</a></li>\n<li><a href=\"{HEALTHY}\">Health</a></li>\n\
         <li><a href=\"{READY}\">Readiness</a></li>\n</ul>\n</body></html>\n",
        env!("CARGO_PKG_VERSION")
    )
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

#[cfg(test)]
mod tests {
    use super::{TelemetryPath, TelemetryPathError};

    #[test]
    fn paths_are_checked() {
        let check = |text: &str, expected: Result<&str, TelemetryPathError>| {
            let path = text.parse::<TelemetryPath>().map(|path| path.to_string());
            assert_eq!(path, expected.map(str::to_owned), "{text}");
        };
        check("/metrics", Ok("/metrics"));
        check("/", Ok("/"));
        check("/a/b-c_d.e~f", Ok("/a/b-c_d.e~f"));
        for text in ["", "metrics", "/{x}", "/*x", "//metrics", "/a?b", "/<script>", "/ä"] {
            check(text, Err(TelemetryPathError::NoPath));
        }
        check("/-/ready", Err(TelemetryPathError::Taken));
    }
}
