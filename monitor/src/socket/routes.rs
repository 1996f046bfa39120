//! What can be asked on the agent's socket. Answers are JSON, streams one object a line; an error is a line of text that says
//! what was wrong with the request. The version is in every path and every answer.

use std::{convert::Infallible, num::NonZeroU64, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;

use crate::{
    filter::Filter,
    hub::{Following, Hub, Told},
    notice::Chain,
};

/// Name of the header with the version of what is asked and answered.
pub const API_HEADER: &str = "resetmon-api";
/// The version.
pub const API_VERSION: &str = "1";
/// Live events.
pub const EVENTS: &str = "/v1/events";
/// How the agent is.
pub const STATUS: &str = "/v1/status";

/// Value of `kind` in the object that says how many events a follower has lost: it has a `count`, and is no event.
pub const LOST: &str = "lost";

/// Content type of one object a line.
const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Bytes of lines that are handed on at once, when so many are there.
const CHUNK: usize = 16 << 10;
/// Bytes of an expression: what is longer was not written by hand, and would be looked at for every event.
const LONGEST_FILTER: usize = 4096;

/// What the routes need of the agent.
pub trait Source: Send + Sync + 'static {
    /// How it is, as one JSON object.
    fn status(&self) -> anyhow::Result<serde_json::Value>;
}

/// What the routes share.
#[derive(Clone)]
struct Shared {
    hub: Arc<Hub>,
    source: Arc<dyn Source>,
}

/// Everything that can be asked.
pub fn router(hub: Arc<Hub>, source: Arc<dyn Source>) -> Router {
    Router::new()
        .route(EVENTS, get(events))
        .route(STATUS, get(status))
        .fallback(async || refused(StatusCode::NOT_FOUND, &format!("there are {EVENTS} and {STATUS}")))
        .layer(map_response(with_version))
        .with_state(Shared { hub, source })
}

/// Parameters of [`EVENTS`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EventsQuery {
    /// Which events, as an expression.
    filter: String,
    /// The stream ends after so many.
    limit: Option<NonZeroU64>,
}

async fn events(State(shared): State<Shared>, Query(query): Query<EventsQuery>) -> Response {
    if query.filter.len() > LONGEST_FILTER {
        return refused(
            StatusCode::BAD_REQUEST,
            &format!("the filter is longer than {LONGEST_FILTER} bytes"),
        );
    }
    let filter: Filter = match query.filter.parse() {
        Ok(filter) => filter,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &format!("filter: {error}")),
    };
    match shared.hub.follow(filter) {
        Ok(following) => {
            let live = Live { following, left: query.limit.map(NonZeroU64::get) };
            let lines = futures_util::stream::unfold(live, Live::next);
            ([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response()
        }
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// A stream of events to one client.
struct Live {
    following: Following,
    /// How many may still be told, if that is limited.
    left: Option<u64>,
}

impl Live {
    /// The next lines: as soon as there is one, all that are there.
    async fn next(mut self) -> Option<(Result<Vec<u8>, Infallible>, Self)> {
        if self.left == Some(0) {
            return None;
        }
        let mut chunk = Vec::new();
        self.write(&self.following.next().await?, &mut chunk);
        while chunk.len() < CHUNK
            && self.left != Some(0)
            && let Some(told) = self.following.try_next()
        {
            self.write(&told, &mut chunk);
        }
        Some((Ok(chunk), self))
    }

    fn write(&mut self, told: &Told, to: &mut Vec<u8>) {
        match told {
            Told::Event(line) => {
                to.extend_from_slice(line.json());
                self.left = self.left.map(|left| left - 1);
            }
            Told::Lost(count) => {
                to.extend_from_slice(format!("{{\"kind\":\"{LOST}\",\"count\":{count}}}\n").as_bytes());
            }
        }
    }
}

async fn status(State(shared): State<Shared>) -> Response {
    match shared.source.status() {
        Ok(status) => ([(CONTENT_TYPE, JSON)], format!("{status}\n")).into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &Chain(error.as_ref()).to_string()),
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, [(CONTENT_TYPE, TEXT)], format!("{why}\n")).into_response()
}

async fn with_version(mut response: Response) -> Response {
    let name = HeaderName::from_static(API_HEADER);
    response.headers_mut().insert(name, HeaderValue::from_static(API_VERSION));
    response
}
