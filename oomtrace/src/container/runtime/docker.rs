//! The Docker Engine API on its Unix socket: one question at a time, bounded in time and size.

pub mod events;
pub mod former;
pub mod inspected;
pub mod life;
pub mod line;
pub mod listed;
mod queries;
pub mod run_state;

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use rustix::fs::FileType;
use serde::Deserialize;
use tokio::net::UnixStream;

use crate::container::AbortOnDrop;
use crate::container::is_plain;
use crate::container::metadata::Metadata;
use crate::container::runtime::docker::former::Former;
use crate::container::runtime::docker::life::{Happened, Life};
use crate::container::runtime::docker::listed::{Listed, MAX_LISTED};
use crate::container::runtime::docker::run_state::RunState;

/// Where Docker listens by default.
pub const DEFAULT_SOCKET: &str = "/run/docker.sock";

/// An answer takes milliseconds; a daemon that needs longer is hung as far as an incident is concerned.
const TIMEOUT: Duration = Duration::from_secs(2);
/// An answer about 1,000 containers with many labels stays below this.
const MAX_LIST: usize = 8 << 20;
/// An answer about one of them has some 10 KiB.
const MAX_BODY: usize = 1 << 20;
/// What a user's own daemon says is about one container, and nobody but the user vouches for it.
const MAX_USERS_BODY: usize = 256 << 10;
/// Bytes of an answer that are held before they are read, its head among them.
const MAX_BUFFER: usize = 64 << 10;
/// Docker sends some ten.
const MAX_HEADERS: usize = 64;
/// Bytes and lines of events that are read in each second. A daemon that says more is not listened to any longer.
const MAX_EVENTS_BYTES: usize = 2 << 20;
const MAX_EVENTS: usize = 2000;

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

/// A client of one daemon. Each question has its own connection: they are rare, and a daemon may restart in between.
#[derive(Clone, Debug)]
pub struct Docker {
    socket: PathBuf,
    /// Who must own the socket; none: whoever it is, it was named on the command line or is root's by its place.
    owner: Option<u32>,
    /// Bytes of an answer.
    max_body: usize,
}

impl Docker {
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, owner: None, max_body: MAX_BODY }
    }

    /// A user's own (rootless mode, docs.docker.com/engine/security/rootless).
    #[must_use]
    pub fn of_user(uid: u32) -> Self {
        let socket = format!("/run/user/{uid}/docker.sock").into();
        Self { socket, owner: Some(uid), max_body: MAX_USERS_BODY }
    }

    /// The socket, where a client must be pointed to it: it is neither the one that all ask by themselves, nor known by its user.
    fn elsewhere(&self) -> Option<String> {
        let is_usual = [Path::new(DEFAULT_SOCKET), Path::new("/var/run/docker.sock")].contains(&self.socket());
        (self.owner.is_none() && !is_usual).then(|| self.socket.display().to_string())
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What Docker knows of the container `id`.
    ///
    /// # Errors
    /// When Docker does not answer in time or does not know it.
    pub async fn inspect(&self, id: &str) -> Result<Metadata, DockerError> {
        let found = inspected::parse(id, &self.get_container(id).await?).map_err(|error| self.answer(error))?;
        Ok(Metadata { runtime_socket: self.elsewhere(), ..found })
    }

    /// How the container `id` is now.
    ///
    /// # Errors
    /// When Docker does not answer in time or does not know it.
    pub async fn state(&self, id: &str) -> Result<RunState, DockerError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found {
            state: RunState,
        }
        let found: Found = self.parse(&self.get_container(id).await?)?;
        Ok(found.state)
    }

    /// How the container `id` is, and how it ended last.
    ///
    /// # Errors
    /// When Docker does not answer in time or does not know it.
    pub async fn life(&self, id: &str) -> Result<Life, DockerError> {
        life::parse(&self.get_container(id).await?).map_err(|error| self.answer(error))
    }

    /// What was done to the container `id`, as far as Docker still knows, the oldest first; and since when it knows what happened at all, to
    /// any container, in nanoseconds since 1970. None where that cannot be told.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn past_events(&self, id: &str) -> Result<(Vec<Happened>, Option<i64>), DockerError> {
        if !is_plain(id) {
            return Err(self.unknown(id));
        }
        let (body, is_whole) = self.past(&queries::past_events_of(id)).await?;
        let (mut found, since) = life::past(&body);
        Ok((found.remove(id).unwrap_or_default(), since.filter(|_| is_whole)))
    }

    /// All events that Docker still has; or where these are too many bytes, for a container's labels are in each of its own, what it says when it
    /// is asked for fewer. And whether these are all.
    async fn past(&self, fewer: &str) -> Result<(Bytes, bool), DockerError> {
        match self.get(&queries::past_events(), MAX_LIST).await {
            Err(DockerError::Answer { .. }) => Ok((self.get(fewer, MAX_LIST).await?.unwrap_or_default(), false)),
            answer => Ok((answer?.unwrap_or_default(), true)),
        }
    }

    /// Containers whose ends are still among Docker's events, those that it has removed as well. Where Docker has too much to say, those that are
    /// called `word` alone, or of all of them only that they ended.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn former(&self, word: Option<&str>) -> Result<Former, DockerError> {
        let fewer = word.filter(|word| is_plain(word)).map_or_else(queries::past_ends, queries::past_events_of);
        let (body, is_whole) = self.past(&fewer).await?;
        let mut found = former::parse_all(&body);
        found.since_ns = found.since_ns.filter(|_| is_whole);
        found.containers.iter_mut().for_each(|ended| ended.metadata.runtime_socket = self.elsewhere());
        Ok(found)
    }

    /// All containers, those that do not run among them, by id.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn list_all(&self) -> Result<Vec<(String, Metadata)>, DockerError> {
        self.listed(queries::ALL).await
    }

    /// Those that are called `word`, or whose ids begin so, where the list of all is too long to be read.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn list_named(&self, word: &str) -> Result<Vec<(String, Metadata)>, DockerError> {
        let mut found: Vec<(String, Metadata)> = Vec::new();
        for path in queries::named(word).into_iter().flatten() {
            let more = self.listed(&path).await?.into_iter();
            let more: Vec<_> = more.filter(|(id, _)| !found.iter().any(|(known, _)| known == id)).collect();
            found.extend(more);
        }
        Ok(found)
    }

    async fn get_container(&self, id: &str) -> Result<Bytes, DockerError> {
        if !is_plain(id) {
            return Err(self.unknown(id));
        }
        self.get(&queries::inspect(id), self.max_body).await?.ok_or_else(|| self.unknown(id))
    }

    /// All running containers, by id. Docker says nothing of their limits here.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn list(&self) -> Result<Vec<(String, Metadata)>, DockerError> {
        self.listed(queries::RUNNING).await
    }

    /// What the list says of one container. Docker has that at hand while it starts the container, when
    /// [`Self::inspect`] waits (daemon/list.go and daemon/inspect.go, 20.10).
    ///
    /// # Errors
    /// When Docker does not answer in time or does not know it.
    pub async fn glance(&self, id: &str) -> Result<Metadata, DockerError> {
        if !is_plain(id) {
            return Err(self.unknown(id));
        }
        let found = self.listed(&queries::glance(id)).await?.into_iter().find(|(found, _)| found == id);
        found.map(|(_, metadata)| metadata).ok_or_else(|| self.unknown(id))
    }

    async fn listed(&self, path: &str) -> Result<Vec<(String, Metadata)>, DockerError> {
        let body = self.get(path, MAX_LIST).await?.unwrap_or_default();
        let mut found: Listed = self.parse(&body)?;
        found.containers.iter_mut().for_each(|(_, metadata)| metadata.runtime_socket = self.elsewhere());
        if found.cut {
            log::warn!("Docker at {} lists more than {MAX_LISTED} containers", self.socket.display());
        }
        Ok(found.containers)
    }

    /// The daemon's version, to see that it answers.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn version(&self) -> Result<String, DockerError> {
        let body = self.get(queries::VERSION, MAX_BODY).await?.unwrap_or_default();
        let version: Version = self.parse(&body)?;
        Ok(version.version)
    }

    /// The body of the answer; none for "not found".
    async fn get(&self, path: &str, max: usize) -> Result<Option<Bytes>, DockerError> {
        let timeout = |_| DockerError::Timeout { socket: self.socket.clone() };
        tokio::time::timeout(TIMEOUT, self.exchange(path, max)).await.map_err(timeout)?
    }

    /// Hands on what Docker says of its containers, a line of JSON at a time, from `since` (a time since 1970) on, until the
    /// daemon ends.
    ///
    /// # Errors
    /// When it cannot be asked, or the stream breaks.
    pub async fn events(&self, since: Duration, mut line: impl FnMut(&[u8])) -> Result<(), DockerError> {
        // A daemon that is busy answers late: nobody waits for it here, and nothing that it did meanwhile is missed.
        let path = queries::events(since);
        let (_connection, response) = self.request(&path).await?;
        let mut body = response.into_body();
        let mut held: Vec<u8> = Vec::new();
        let (mut since, mut bytes, mut lines) = (Instant::now(), 0, 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| self.answer(e))?;
            let Some(data) = frame.data_ref() else { continue };
            if since.elapsed() >= Duration::from_secs(1) {
                (since, bytes, lines) = (Instant::now(), 0, 0);
            }
            bytes += data.len();
            for piece in data.split_inclusive(|byte| *byte == b'\n') {
                held.extend_from_slice(piece);
                if held.len() > events::MAX_LINE {
                    return Err(self.answer(AnswerError::EndlessLine));
                }
                if piece.ends_with(b"\n") {
                    lines += 1;
                    line(&held);
                    held.clear();
                }
            }
            if bytes > MAX_EVENTS_BYTES || lines > MAX_EVENTS {
                return Err(self.answer(AnswerError::TooManyEvents));
            }
        }
        Ok(())
    }

    fn answer(&self, error: impl Into<AnswerError>) -> DockerError {
        DockerError::Answer { socket: self.socket.clone(), source: Arc::new(error.into()) }
    }

    /// Sends a request; the answer, and the connection that it comes on.
    async fn request(&self, path: &str) -> Result<(AbortOnDrop, Response<Incoming>), DockerError> {
        let held = match self.owner {
            Some(uid) => {
                let foreign = || DockerError::Foreign { socket: self.socket.clone(), uid };
                Some(socket_of(&self.socket, uid).ok_or_else(foreign)?)
            }
            None => None,
        };
        // The very socket that was looked at, whatever lies at its path by now.
        let by_descriptor = held.as_ref().map(|held| PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd())));
        let stream = UnixStream::connect(by_descriptor.as_deref().unwrap_or(&self.socket))
            .await
            .map_err(|e| DockerError::Connect { socket: self.socket.clone(), source: Arc::new(e) })?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(MAX_BUFFER)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| self.answer(e))?;
        // The connection ends with this future, also when the time-out drops it.
        let connection = AbortOnDrop::of(tokio::spawn(async move {
            if let Err(error) = connection.await {
                log::debug!("connection to Docker: {error}");
            }
        }));
        let request = Request::get(path)
            .header(header::HOST, "docker")
            .header(header::USER_AGENT, concat!("oomtrace/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|e| self.answer(e))?;
        let response = sender.send_request(request).await.map_err(|e| self.answer(e))?;
        Ok((connection, response))
    }

    async fn exchange(&self, path: &str, max: usize) -> Result<Option<Bytes>, DockerError> {
        let (connection, response) = self.request(path).await?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(self.answer(AnswerError::Status(status)));
        }
        let body = Limited::new(response.into_body(), max).collect().await;
        let body = body.map_err(|e| self.answer(e))?;
        drop(connection);
        Ok(Some(body.to_bytes()))
    }

    fn parse<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, DockerError> {
        serde_json::from_slice(body).map_err(|e| self.answer(e))
    }

    fn unknown(&self, id: &str) -> DockerError {
        DockerError::Unknown { socket: self.socket.clone(), id: id.to_owned() }
    }
}

/// The socket, held by a descriptor that is good for nothing but its path; none when it, or the directory that it lies in, is not the
/// user's own. No link is followed in that directory.
fn socket_of(socket: &Path, uid: u32) -> Option<OwnedFd> {
    let directory =
        open(socket.parent()?, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let held = openat(&directory, socket.file_name()?, flags, Mode::empty()).ok()?;
    let is_users = |file: &OwnedFd, kind: FileType| {
        rustix::fs::fstat(file).is_ok_and(|found| found.st_uid == uid && FileType::from_raw_mode(found.st_mode) == kind)
    };
    (is_users(&directory, FileType::Directory) && is_users(&held, FileType::Socket)).then_some(held)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_that_is_down_or_may_not_be_asked_is_there() {
        use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
        for (kind, is_missing) in [(NotFound, false), (ConnectionRefused, true), (PermissionDenied, true)] {
            let error = DockerError::Connect { socket: DEFAULT_SOCKET.into(), source: Arc::new(kind.into()) };
            assert_eq!(error.is_missing(), is_missing, "{error}");
        }
    }

    #[test]
    fn a_client_is_pointed_to_a_socket_that_it_does_not_ask_by_itself() {
        for (docker, elsewhere) in [
            (Docker::new(DEFAULT_SOCKET.into()), None),
            (Docker::new("/var/run/docker.sock".into()), None),
            (Docker::of_user(1000), None),
            (Docker::new("/srv/other.sock".into()), Some("/srv/other.sock")),
        ] {
            assert_eq!(docker.elsewhere().as_deref(), elsewhere, "{docker:?}");
        }
    }
}
