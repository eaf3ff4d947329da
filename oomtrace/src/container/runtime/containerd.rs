//! containerd's API (gRPC on a Unix socket): the labels and the image of a container, which its bundle does not have.
//! `containerd.services.containers.v1.Containers/Get` (api/services/containers/v1/containers.proto, 1.0 to 2.1).

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;

use crate::container::labels::Labels;
use crate::container::metadata::Metadata;

/// Where containerd listens, in its state directory.
pub const SOCKET: &str = "containerd.sock";
const TIMEOUT: Duration = Duration::from_secs(2);
/// A container with its OCI configuration has some 20 KiB.
const MAX_BODY: usize = 512 << 10;
/// Bytes of an answer's head, and of its trailers.
const MAX_HEAD: u32 = 16 << 10;
/// gRPC's prefix: compressed or not, and the message's length.
const PREFIX: usize = 5;

#[derive(Clone, PartialEq, Message)]
struct GetRequest {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct GetResponse {
    #[prost(message, optional, tag = "1")]
    container: Option<Container>,
}

#[derive(Clone, PartialEq, Message)]
struct Container {
    #[prost(map = "string, string", tag = "2")]
    labels: HashMap<String, String>,
    #[prost(string, tag = "3")]
    image: String,
}

/// Why containerd gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ContainerdError {
    #[error("cannot connect to containerd at {}: {source}", socket.display())]
    Connect { socket: PathBuf, source: std::io::Error },
    #[error("containerd at {} did not answer within {} s", socket.display(), TIMEOUT.as_secs())]
    Timeout { socket: PathBuf },
    #[error("containerd at {} gave no usable answer: {source}", socket.display())]
    Answer { socket: PathBuf, source: AnswerError },
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
    /// gRPC's own word for it, which containerd chooses.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Message(#[from] prost::DecodeError),
    #[error("it is empty")]
    Empty,
    #[error("it names no container")]
    NoContainer,
}

/// A client of one daemon.
#[derive(Clone, Debug)]
pub struct Containerd {
    socket: PathBuf,
}

impl Containerd {
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Labels and image of a container in one of containerd's namespaces.
    ///
    /// # Errors
    /// When containerd does not answer in time, or does not know the container.
    pub async fn get(&self, namespace: &str, id: &str) -> Result<Metadata, ContainerdError> {
        let timeout = |_| ContainerdError::Timeout { socket: self.socket.clone() };
        let body = tokio::time::timeout(TIMEOUT, self.exchange(namespace, id)).await.map_err(timeout)??;
        parse(&body).map_err(|error| self.answer(error))
    }

    async fn exchange(&self, namespace: &str, id: &str) -> Result<Bytes, ContainerdError> {
        let failed = |error: hyper::Error| self.answer(error);
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| ContainerdError::Connect { socket: self.socket.clone(), source })?;
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(MAX_HEAD)
            .initial_stream_window_size(MAX_BODY as u32)
            .initial_connection_window_size(MAX_BODY as u32)
            .max_send_buf_size(MAX_BODY)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        // The connection ends with this future, also when the time-out drops it.
        let _connection = crate::container::AbortOnDrop::of(tokio::spawn(async move {
            if let Err(error) = connection.await {
                log::debug!("connection to containerd: {error}");
            }
        }));
        let message = GetRequest { id: id.to_owned() }.encode_to_vec();
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
        body.extend(message);
        let request = Request::post("http://localhost/containerd.services.containers.v1.Containers/Get")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("containerd-namespace", namespace)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.answer(error))?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let refused = response.headers().get("grpc-message").and_then(|why| why.to_str().ok()).map(str::to_owned);
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| self.answer(error))?;
        let trailer = body.trailers().and_then(|trailers| trailers.get("grpc-message")?.to_str().ok());
        if let Some(why) = refused.or_else(|| trailer.map(str::to_owned)).filter(|why| !why.is_empty()) {
            return Err(self.answer(AnswerError::Refused(why)));
        }
        Ok(body.to_bytes())
    }

    fn answer(&self, error: impl Into<AnswerError>) -> ContainerdError {
        ContainerdError::Answer { socket: self.socket.clone(), source: error.into() }
    }
}

/// Reads the body of an answer.
///
/// # Errors
/// When it describes no container.
pub fn parse(body: &[u8]) -> Result<Metadata, AnswerError> {
    let message = body.get(PREFIX..).ok_or(AnswerError::Empty)?;
    let container = GetResponse::decode(message)?.container.ok_or(AnswerError::NoContainer)?;
    let mut labels = Labels::default();
    for (key, value) in &container.labels {
        labels.add(key, value);
    }
    let named = |key: &str| container.labels.get(key).cloned();
    let name = named("nerdctl/name").or_else(|| named("io.kubernetes.container.name"));
    let image = Some(container.image.clone()).filter(|image| !image.is_empty());
    Ok(Metadata { name, image, ..Metadata::default() }.bounded().with_labels(labels))
}
