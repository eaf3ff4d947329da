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
    #[error("Docker at {} answers too slowly", socket.display())]
    Slow { socket: PathBuf },
    #[error("Docker at {} gave no usable answer: {}", socket.display(), short(source))]
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
            Self::Timeout { .. } | Self::Slow { .. } | Self::Answer { .. } => true,
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

/// What is wrong with an answer, of which it may repeat any part.
fn short(why: &AnswerError) -> String {
    const MOST: usize = 200;
    let why = why.to_string();
    let clipped = crate::text::clip(&why, MOST);
    if clipped.len() < why.len() { format!("{clipped}…") } else { why }
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
        matches!(self, Self::Connect { .. } | Self::Foreign { .. } | Self::Timeout { .. } | Self::Slow { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_answer_does_not_repeat_it() {
        let body = format!("{{\"Version\":[\"{}\"]}}", "B".repeat(9_000));
        let source =
            serde_json::from_str::<std::collections::BTreeMap<String, u8>>(&body.replace(['[', ']'], "")).unwrap_err();
        let error = DockerError::Answer { socket: "/run/docker.sock".into(), source: Arc::new(source.into()) };
        assert!(error.to_string().len() < 300 && error.to_string().ends_with('…'), "{error}");
    }

    #[test]
    fn a_docker_that_is_down_or_may_not_be_asked_is_there() {
        use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
        for (kind, is_missing) in [(NotFound, false), (ConnectionRefused, true), (PermissionDenied, true)] {
            let error = DockerError::Connect { socket: "/run/docker.sock".into(), source: Arc::new(kind.into()) };
            assert_eq!(error.is_missing(), is_missing, "{error}");
        }
    }
}
