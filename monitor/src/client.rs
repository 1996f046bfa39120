//! Asks the agent on its socket, as the other commands do.

use std::{
    io,
    path::{Path, PathBuf},
};

use form_urlencoded::Serializer;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::HOST,
};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, task::JoinHandle};

/// Longest line of an answer: the longest event, with room.
const LONGEST_LINE: usize = 8 << 20;
/// Bytes of a refusal that are read.
const LONGEST_REFUSAL: usize = 64 << 10;

/// Why the agent does not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no agent listens on {}", .path.display())]
    NoAgent {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may ask, this user may not.
    #[error("not permitted to ask the agent at {}", .path.display())]
    Permission {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The conversation has failed.
    #[error("the agent at {} does not answer", .path.display())]
    Conversation {
        /// Where.
        path: PathBuf,
        /// What went wrong.
        source: hyper::Error,
    },
    /// The agent does not do as it is asked.
    #[error("the agent refuses: {message}")]
    Refused {
        /// What it says.
        message: String,
    },
    /// A line without an end.
    #[error("the agent sent a line of more than {LONGEST_LINE} bytes")]
    TooLong,
}

impl ClientError {
    /// What the user can do about it.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NoAgent { .. } => Some("start one: resetmon agent (--socket names another place)"),
            Self::Permission { .. } => {
                Some("root and the members of the socket's group may: add yourself to it, or use sudo")
            }
            Self::Conversation { .. } | Self::Refused { .. } | Self::TooLong => None,
        }
    }

    /// Whether there is no agent, or none any more.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoAgent { .. } | Self::Conversation { .. })
    }

    /// Whether this user lacks a permission.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Permission { .. })
    }
}

/// An agent that answers.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    sender: http1::SendRequest<Empty<Bytes>>,
    connection: JoinHandle<()>,
}

impl Client {
    /// Connects to the socket at `path`; needs a runtime.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let path = path.to_owned();
        let stream = match UnixStream::connect(&path).await {
            Ok(stream) => stream,
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(ClientError::Permission { path, source });
            }
            Err(source) => return Err(ClientError::NoAgent { path, source }),
        };
        match http1::handshake(TokioIo::new(stream)).await {
            Ok((sender, connection)) => {
                // How it ends is told by the answer that does not come.
                let connection = tokio::spawn(async move { drop(connection.await) });
                Ok(Self { path, sender, connection })
            }
            Err(source) => Err(ClientError::Conversation { path, source }),
        }
    }

    /// Asks for something, with parameters.
    pub async fn get(mut self, what: &str, parameters: &[(&str, &str)]) -> Result<Lines, ClientError> {
        let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
        let path = self.path.clone();
        let failed = |source| ClientError::Conversation { path: path.clone(), source };
        let mut request = Request::new(Empty::new());
        *request.uri_mut() =
            format!("{what}?{query}").parse().map_err(|error: hyper::http::uri::InvalidUri| {
                ClientError::Refused { message: error.to_string() }
            })?;
        request.headers_mut().insert(HOST, hyper::header::HeaderValue::from_static("resetmon"));
        let answer = self.sender.send_request(request).await.map_err(&failed)?;
        let status = answer.status();
        let mut lines = Lines {
            path: path.clone(),
            body: answer.into_body(),
            read: Vec::new(),
            _connection: self.connection,
        };
        if status == StatusCode::OK {
            return Ok(lines);
        }
        let mut message = String::new();
        while let Some(line) = lines.next().await?
            && message.len() < LONGEST_REFUSAL
        {
            message.push_str(&String::from_utf8_lossy(&line));
        }
        Err(ClientError::Refused { message: message.trim_end().to_owned() })
    }
}

/// An answer, line by line.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    body: Incoming,
    /// What has been read beyond the last line.
    read: Vec<u8>,
    _connection: JoinHandle<()>,
}

impl Lines {
    /// The next line, with its end; `None` when there are no more. Loses nothing when it is dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            if self.read.len() > LONGEST_LINE {
                return Err(ClientError::TooLong);
            }
            match self.body.frame().await {
                None if self.read.is_empty() => return Ok(None),
                None => return Ok(Some(std::mem::take(&mut self.read))),
                Some(Ok(frame)) => self.read.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(source)) => {
                    return Err(ClientError::Conversation { path: self.path.clone(), source });
                }
            }
        }
    }
}
