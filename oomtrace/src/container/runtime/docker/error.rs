//! Why Docker gave no answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

/// An answer takes milliseconds; a daemon that needs longer is hung as far as an incident is concerned.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Why Docker gave no answer. It is kept while the daemon is down, and said of each container, so that its causes are shared.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DockerError {
    #[error("{}", cannot_connect(socket, source))]
    Connect { socket: PathBuf, source: Arc<std::io::Error> },
    #[error("{} is no socket of user {uid}", socket.display())]
    Foreign { socket: PathBuf, uid: u32 },
    #[error("Docker at {} did not answer within {} s", socket.display(), TIMEOUT.as_secs())]
    Timeout { socket: PathBuf },
    #[error("Docker at {} gave no usable answer: {source}", socket.display())]
    Answer { socket: PathBuf, source: Arc<AnswerError> },
    #[error("Docker at {} does not know {id}", socket.display())]
    Unknown { socket: PathBuf, id: String },
}

impl DockerError {
    /// There is a Docker that could not be asked, or did not answer: what it knows is missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            // A daemon that is down leaves its socket behind.
            Self::Connect { source, .. } => source.kind() != std::io::ErrorKind::NotFound,
            Self::Timeout { .. } | Self::Answer { .. } => true,
            Self::Foreign { .. } | Self::Unknown { .. } => false,
        }
    }
}

/// Short: it stands in each incident.
fn cannot_connect(socket: &Path, why: &std::io::Error) -> String {
    let socket = socket.display();
    match why.kind() {
        std::io::ErrorKind::NotFound => format!("there is no Docker at {socket}"),
        kind => format!("Docker at {socket} cannot be asked: {kind}"),
    }
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] hyper::http::Error),
    /// It broke off, or is too long.
    #[error(transparent)]
    Body(#[from] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("HTTP status {0}")]
    Status(StatusCode),
    #[error("a line without end")]
    EndlessLine,
    #[error("more events than any daemon has")]
    TooManyEvents,
}

impl DockerError {
    /// The daemon itself does not answer, so that asking again at once is no use.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Foreign { .. } | Self::Timeout { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_that_is_down_or_may_not_be_asked_is_there() {
        use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
        for (kind, is_missing) in [(NotFound, false), (ConnectionRefused, true), (PermissionDenied, true)] {
            let error = DockerError::Connect { socket: "/run/docker.sock".into(), source: Arc::new(kind.into()) };
            assert_eq!(error.is_missing(), is_missing, "{error}");
        }
    }
}
