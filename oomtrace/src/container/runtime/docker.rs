//! The Docker Engine API on its Unix socket: one question at a time, bounded in time and size.

mod error;
pub mod events;
mod exchange;
pub mod former;
pub mod inspected;
pub mod life;
pub mod line;
pub mod listed;
mod queries;
pub mod run_state;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use serde::Deserialize;

use crate::container::is_plain;
use crate::container::metadata::Metadata;
use crate::container::runtime::docker::error::TIMEOUT;
use crate::container::runtime::docker::former::Former;
use crate::container::runtime::docker::life::{Happened, Life};
use crate::container::runtime::docker::listed::{Listed, MAX_LISTED};
use crate::container::runtime::docker::run_state::RunState;
use crate::model::Container;

pub use error::{AnswerError, DockerError};

/// Where Docker listens by default.
pub const DEFAULT_SOCKET: &str = "/run/docker.sock";

/// An answer about 1,000 containers with many labels stays below this.
const MAX_LIST: usize = 8 << 20;
/// An answer about one of them has some 10 KiB.
const MAX_BODY: usize = 1 << 20;
/// What a user's own daemon says is about one container, and nobody but the user vouches for it.
const MAX_USERS_BODY: usize = 256 << 10;
const MAX_USERS_LIST: usize = 1 << 20;
/// Bytes and lines of events that are read in each second. A daemon that says more is not listened to any longer.
const MAX_EVENTS_BYTES: usize = 2 << 20;
const MAX_EVENTS: usize = 2000;

/// A client of one daemon. Each question has its own connection: they are rare, and a daemon may restart in between.
#[derive(Clone, Debug)]
pub struct Docker {
    socket: PathBuf,
    /// Who must own the socket; none: whoever it is, it was named on the command line or is root's by its place.
    owner: Option<u32>,
    /// Bytes of an answer about one container, and of one about many.
    max_body: usize,
    max_list: usize,
}

impl Docker {
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, owner: None, max_body: MAX_BODY, max_list: MAX_LIST }
    }

    /// A user's own (rootless mode, docs.docker.com/engine/security/rootless).
    #[must_use]
    pub fn of_user(uid: u32) -> Self {
        let socket = format!("/run/user/{uid}/docker.sock").into();
        Self { socket, owner: Some(uid), max_body: MAX_USERS_BODY, max_list: MAX_USERS_LIST }
    }

    /// The socket, where a client must be pointed to it: it is neither the one that all ask by themselves, nor known by its user.
    fn elsewhere(&self) -> Option<String> {
        let is_usual = [Path::new(DEFAULT_SOCKET), Path::new("/var/run/docker.sock")].contains(&self.socket());
        (self.owner.is_none() && !is_usual).then(|| self.socket.display().to_string())
    }

    /// The container is known by this daemon's word.
    #[must_use]
    pub fn is_of(&self, container: &Container) -> bool {
        container.user == self.owner && container.runtime_socket == self.elsewhere()
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
    /// any container, in nanoseconds since 1970. None where it does not say so.
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
        let (body, is_whole) = match self.get(&queries::past_events(), self.max_list).await {
            Err(DockerError::Answer { .. }) => (self.get(fewer, self.max_list).await?.unwrap_or_default(), false),
            answer => (answer?.unwrap_or_default(), true),
        };
        let kept = life::latest(&body);
        let is_all = kept.len() == body.len();
        Ok((body.slice_ref(kept), is_whole && is_all))
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

    /// All containers, those that do not run among them, by id, as far as the list is read.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn list_all(&self) -> Result<Listed, DockerError> {
        self.listed(queries::ALL).await
    }

    /// Those that are called `word`, or whose ids begin so, where the list of all is too long to be read.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn list_named(&self, word: &str) -> Result<Vec<(String, Metadata)>, DockerError> {
        let mut found: Vec<(String, Metadata)> = Vec::new();
        for path in queries::named(word).into_iter().flatten() {
            let more = self.listed(&path).await?.containers.into_iter();
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
        Ok(self.listed(queries::RUNNING).await?.containers)
    }

    /// Containers that wait to be started again, by id: they have no cgroup until then.
    ///
    /// # Errors
    /// When Docker does not answer in time.
    pub async fn restarting(&self) -> Result<Vec<(String, Metadata)>, DockerError> {
        Ok(self.listed(&queries::restarting()).await?.containers)
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
        let found = self.listed(&queries::glance(id)).await?.containers.into_iter().find(|(found, _)| found == id);
        found.map(|(_, metadata)| metadata).ok_or_else(|| self.unknown(id))
    }

    async fn listed(&self, path: &str) -> Result<Listed, DockerError> {
        let body = self.get(path, self.max_list).await?.unwrap_or_default();
        let mut found: Listed = self.parse(&body)?;
        found.containers.iter_mut().for_each(|(_, metadata)| metadata.runtime_socket = self.elsewhere());
        if found.cut {
            log::warn!("Docker at {} lists more than {MAX_LISTED} containers", self.socket.display());
        }
        Ok(found)
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

    fn parse<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, DockerError> {
        serde_json::from_slice(body).map_err(|e| self.answer(e))
    }

    fn unknown(&self, id: &str) -> DockerError {
        DockerError::Unknown { socket: self.socket.clone(), id: id.to_owned() }
    }
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
