//! The Docker Engine API on its Unix socket: one question at a time, bounded in time and size.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::is_plain;

/// Where Docker listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// An answer takes milliseconds; a daemon that needs longer is hung as far as an incident is concerned.
const TIMEOUT: Duration = Duration::from_secs(2);
/// An answer about 1,000 containers with many labels stays below this.
const MAX_BODY: usize = 8 << 20;

/// What Docker knows of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    pub name: Option<String>,
    pub image: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub init_pid: Option<u32>,
}

/// How a container is, or ended, as Docker has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunState {
    pub running: bool,
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    pub exit_code: i64,
    /// Changes with each start.
    pub started_at: String,
}

/// Why Docker gave no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DockerError {
    #[error("cannot connect to Docker at {}: {why} (--docker-socket names another)", socket.display())]
    Connect { socket: PathBuf, why: String },
    #[error("Docker at {} did not answer within {} s", socket.display(), TIMEOUT.as_secs())]
    Timeout { socket: PathBuf },
    #[error("Docker at {} gave no usable answer: {why}", socket.display())]
    Answer { socket: PathBuf, why: String },
    #[error("Docker at {} does not know container {id}", socket.display())]
    Unknown { socket: PathBuf, id: String },
}

impl DockerError {
    /// The daemon itself does not answer, so that asking again at once is no use.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. })
    }
}

/// A client of one daemon. Each question has its own connection: they are rare, and a daemon may restart in between.
#[derive(Clone, Debug)]
pub struct Docker {
    socket: PathBuf,
}

impl Docker {
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
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
        let found: Inspected = self.parse(&self.get_container(id).await?)?;
        let name = found.name.map(|name| name.trim_start_matches('/').to_owned()).filter(|name| !name.is_empty());
        let config = found.config.unwrap_or_default();
        let init_pid = found.state.and_then(|state| state.pid).filter(|pid| *pid != 0);
        Ok(Metadata { name, image: config.image, labels: config.labels.unwrap_or_default(), init_pid })
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

    async fn get_container(&self, id: &str) -> Result<Bytes, DockerError> {
        if !is_plain(id) {
            return Err(self.unknown(id));
        }
        self.get(&format!("/containers/{id}/json")).await?.ok_or_else(|| self.unknown(id))
    }

    /// All containers, running or not, by id.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn list(&self) -> Result<Vec<(String, Metadata)>, DockerError> {
        let body = self.get("/containers/json?all=true").await?.unwrap_or_default();
        let found: Vec<Listed> = self.parse(&body)?;
        let metadata = |listed: Listed| {
            let name = listed.names.unwrap_or_default().into_iter().find_map(|name| {
                // A link to another container shows as /other/name.
                let name = name.strip_prefix('/')?.to_owned();
                (!name.is_empty() && !name.contains('/')).then_some(name)
            });
            let labels = listed.labels.unwrap_or_default();
            (listed.id, Metadata { name, image: listed.image, labels, init_pid: None })
        };
        Ok(found.into_iter().map(metadata).collect())
    }

    /// The daemon's version, to see that it answers.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn version(&self) -> Result<String, DockerError> {
        let body = self.get("/version").await?.unwrap_or_default();
        let version: Version = self.parse(&body)?;
        Ok(version.version)
    }

    /// The body of the answer; none for "not found".
    async fn get(&self, path: &str) -> Result<Option<Bytes>, DockerError> {
        let timeout = |_| DockerError::Timeout { socket: self.socket.clone() };
        tokio::time::timeout(TIMEOUT, self.exchange(path)).await.map_err(timeout)?
    }

    async fn exchange(&self, path: &str) -> Result<Option<Bytes>, DockerError> {
        let answer = |why: String| DockerError::Answer { socket: self.socket.clone(), why };
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|e| DockerError::Connect { socket: self.socket.clone(), why: e.to_string() })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| answer(e.to_string()))?;
        // The connection ends with this future, also when the time-out drops it.
        let connection = AbortOnDrop(tokio::spawn(async move {
            if let Err(error) = connection.await {
                log::debug!("connection to Docker: {error}");
            }
        }));
        let request = Request::get(path)
            .header(header::HOST, "docker")
            .header(header::USER_AGENT, concat!("oomtrace/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|e| answer(e.to_string()))?;
        let response = sender.send_request(request).await.map_err(|e| answer(e.to_string()))?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(answer(format!("HTTP status {status}")));
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(|e| answer(e.to_string()))?;
        drop(connection);
        Ok(Some(body.to_bytes()))
    }

    fn parse<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, DockerError> {
        serde_json::from_slice(body)
            .map_err(|e| DockerError::Answer { socket: self.socket.clone(), why: e.to_string() })
    }

    fn unknown(&self, id: &str) -> DockerError {
        DockerError::Unknown { socket: self.socket.clone(), id: id.to_owned() }
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    name: Option<String>,
    config: Option<Config>,
    state: Option<State>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    pid: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    names: Option<Vec<String>>,
    image: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
}
