//! The section `http_server_config`: HTTP/2, and the headers that tell browsers what not to do.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

/// The headers that there are, with their possible values; any where there are none.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// Why a header cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Not one of those that there are.
    #[error("the header {name} cannot be set; these can: {}", HEADERS.map(|(name, _)| name).join(", "))]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A value that it cannot have.
    #[error("the header {name} cannot be {value:?}")]
    Value {
        /// Its name.
        name: &'static str,
        /// The value.
        value: String,
    },
}

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSection {
    http2: Option<bool>,
    headers: Option<BTreeMap<String, String>>,
}

impl HttpSection {
    pub(super) fn speaks_http2(&self) -> bool {
        self.http2.unwrap_or(true)
    }

    pub(super) fn headers(&self) -> Result<HeaderMap, HeaderError> {
        self.headers.iter().flatten().map(|(name, value)| header(name, value)).collect()
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let known = HEADERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (name, values) = known.ok_or_else(|| HeaderError::Unknown { name: name.to_owned() })?;
    let is_possible =
        !value.is_empty() && (values.is_empty() || values.contains(&value.to_ascii_lowercase().as_str()));
    let pair = HeaderName::try_from(*name).ok().zip(HeaderValue::try_from(value).ok());
    pair.filter(|_| is_possible).ok_or_else(|| HeaderError::Value { name, value: value.to_owned() })
}
