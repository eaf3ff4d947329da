//! HTTP on Docker's socket.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use rustix::fs::FileType;
use tokio::net::UnixStream;

use super::Docker;
use super::error::{AnswerError, DockerError};
use crate::container::AbortOnDrop;

/// Bytes of an answer that are held before they are read, its head among them.
const MAX_BUFFER: usize = 64 << 10;
/// Docker sends some ten.
const MAX_HEADERS: usize = 64;

impl Docker {
    /// Sends a request; the answer, and the connection that it comes on.
    pub(super) async fn request(&self, path: &str) -> Result<(AbortOnDrop, Response<Incoming>), DockerError> {
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

    pub(super) async fn exchange(&self, path: &str, max: usize) -> Result<Option<Bytes>, DockerError> {
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
