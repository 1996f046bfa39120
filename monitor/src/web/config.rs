//! The file of `--web.config.file`, in the format of Prometheus' exporter-toolkit: TLS, headers, users. Whatever is in it
//! and not understood is an error, since it would be there to protect something.

mod headers;
pub mod tls;
pub mod users;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::http::HeaderMap;
use serde::Deserialize;

use self::{
    headers::{HeaderError, HttpSection},
    tls::{Tls, TlsError, TlsSection},
    users::{UserError, Users},
};

/// How the endpoint is protected.
#[derive(Debug, Default)]
pub struct WebConfig {
    /// Encryption; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// What is added to every answer.
    pub headers: HeaderMap,
    /// Who may ask; everybody when nobody is named.
    pub users: Arc<Users>,
}

/// Why a web configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is no web configuration.
    #[error("{} is no web configuration", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<serde_saphyr::Error>,
    },
    /// TLS is not possible like this.
    #[error("tls_server_config in {}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TlsError,
    },
    /// A header cannot be sent.
    #[error("http_server_config in {}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: HeaderError,
    },
    /// A user cannot be recognised.
    #[error("basic_auth_users in {}", path.display())]
    User {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: UserError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    tls_server_config: Option<TlsSection>,
    http_server_config: Option<HttpSection>,
    basic_auth_users: Option<BTreeMap<String, String>>,
}

/// Reads the file at `path` and those that it names, which are relative to it, with `read`.
pub fn parse(
    path: &Path,
    mut read: impl FnMut(&Path) -> io::Result<Vec<u8>>,
) -> Result<WebConfig, WebConfigError> {
    let mut bytes_of =
        |path: &Path| read(path).map_err(|source| WebConfigError::Read { path: path.to_owned(), source });
    let bytes = bytes_of(path)?;
    let here = || path.to_owned();
    let sections = if bytes.iter().all(u8::is_ascii_whitespace) {
        // An empty file asks for nothing, as no file does.
        Sections { tls_server_config: None, http_server_config: None, basic_auth_users: None }
    } else {
        serde_saphyr::from_slice(&bytes)
            .map_err(|source| WebConfigError::Format { path: here(), source: Box::new(source) })?
    };
    let http = sections.http_server_config.unwrap_or_default();
    let headers = http.headers().map_err(|source| WebConfigError::Header { path: here(), source })?;
    let users = Users::new(sections.basic_auth_users.unwrap_or_default())
        .map_err(|source| WebConfigError::User { path: here(), source })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let tls = sections.tls_server_config.map(|section| {
        let files = section.files(|named| bytes_of(&folder.join(named)))?;
        section
            .build(files, http.speaks_http2())
            .map_err(|source| WebConfigError::Tls { path: here(), source })
    });
    Ok(WebConfig { tls: tls.transpose()?, headers, users: Arc::new(users) })
}
