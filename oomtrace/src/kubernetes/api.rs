//! What is asked of the API about one pod: its Events, what owns it, whether its node is cordoned. Only the fields that are used are read.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Bytes;
use hyper::header::ACCEPT;
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::kubernetes::api_event::{ApiEvent, MESSAGE};
use crate::kubernetes::cordon::Node;
use crate::kubernetes::describe::deletion_asked_ms;
use crate::kubernetes::object::{PodMetadata, PodObject};
use crate::kubernetes::owners::Owner;
use crate::kubernetes::said::{EventSaid, TAINT_EVICTION};
use crate::kubernetes::{Ask, Told};
use crate::text::{bytes, clip};

/// Events of one object that are read.
const EVENTS: usize = 100;
/// An answer takes no longer.
pub const WITHIN: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read: whoever may put Events on a pod may make them as large as the API takes them.
const LARGEST: usize = 4 << 20;
/// The API server, asked about pods of this node.
pub struct ApiServer {
    client: Client,
    node: String,
    /// What owns a controller, by namespace and uid.
    pub owners: RefCell<HashMap<(String, String), Owner>>,
}

/// What the API says instead of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refused {
    message: String,
}

/// A list, or a part of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct List<T> {
    #[serde(bound(deserialize = "T: Deserialize<'de>"), default = "Vec::new")]
    pub items: Vec<T>,
    metadata: ListMetadata,
}

impl<T> List<T> {
    /// By which the rest is asked for; none when this is all.
    pub fn rest(&self) -> Option<&str> {
        Some(self.metadata.r#continue.as_str()).filter(|token| !token.is_empty())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListMetadata {
    r#continue: String,
}

impl ApiServer {
    pub fn new(client: Client, node: String) -> Self {
        Self { client, node, owners: RefCell::default() }
    }

    /// Answers a question: first by what is said of the pod itself, then by what is said of its owners as well.
    pub async fn answer(&self, ask: &Ask, say: impl Fn(Result<Told, String>)) -> Result<(), String> {
        let object = ask.object.as_ref();
        let owner = self.owner(object);
        if !ask.why {
            say(Ok(Told { owner: owner.await, ..Told::default() }));
            return Ok(());
        }
        let events = self.events(&object.metadata.namespace, object.uid(), ask.kill);
        let of_pod = async {
            let (owner, events) = tokio::join!(owner, events);
            let (events, is_cut) = events?;
            let told = Told { events, is_cut, owner, ..Told::default() };
            say(Ok(told.clone()));
            Ok::<Told, String>(told)
        };
        // Why it was deleted is asked where it was: an eviction by the kubelet needs nobody else.
        if !ask.is_deleted {
            return of_pod.await.map(drop);
        }
        let asked = deletion_asked_ms(object, ask.kill).unwrap_or_default();
        let (told, owner_said, cordoned, taints) = tokio::join!(
            of_pod,
            self.owner_said(object, ask.kill),
            self.was_cordoned(asked, ask.kill),
            self.evictions_for_taints(object, ask.kill)
        );
        let mut told = told?;
        match taints {
            Ok(events) => told.events.extend(events),
            Err(why) => told.taints_missing = Some(why),
        }
        say(Ok(Told { owner_said, cordoned, ..told }));
        Ok(())
    }

    /// Events on the object with that uid, the latest first, and whether there are more.
    pub async fn events(&self, namespace: &str, uid: &str, kill: Timestamp) -> Result<(Vec<EventSaid>, bool), String> {
        if !is_plain(namespace) || !is_plain(uid) {
            return Ok((Vec::new(), false));
        }
        self.selected(namespace, &format!("involvedObject.uid%3D{uid}"), kill).await
    }

    /// Events of the controller that ends pods for their node's taints: it names the pod, and not its uid (pkg/controller/tainteviction/
    /// taint_eviction.go, before 1.29 pkg/controller/nodelifecycle/scheduler/taint_manager.go).
    async fn evictions_for_taints(&self, object: &PodObject, kill: Timestamp) -> Result<Vec<EventSaid>, String> {
        let PodMetadata { namespace, name, .. } = &object.metadata;
        if !is_plain(namespace) || !is_plain(name) {
            return Ok(Vec::new());
        }
        let selector = format!("involvedObject.name%3D{name},reason%3D{TAINT_EVICTION}");
        Ok(self.selected(namespace, &selector, kill).await?.0)
    }

    /// Events that a field selector chooses, the latest first, and whether there are more.
    async fn selected(
        &self,
        namespace: &str,
        selector: &str,
        kill: Timestamp,
    ) -> Result<(Vec<EventSaid>, bool), String> {
        let path = format!("/api/v1/namespaces/{namespace}/events?limit={EVENTS}&fieldSelector={selector}");
        let list: List<serde_json::Value> = self.get(&path, None).await?.unwrap_or_default();
        let is_cut = list.rest().is_some();
        // One that cannot be read, which anybody may put there, hides no other.
        let read = list.items.into_iter().filter_map(|item| serde_json::from_value::<ApiEvent>(item).ok());
        let mut events: Vec<EventSaid> = read.filter_map(|event| event.said(kill)).collect();
        events.sort_by_key(|event| event.before_ms);
        Ok((events, is_cut))
    }

    /// This node took no new pods then, so many milliseconds before the kill; none when that is not known.
    async fn was_cordoned(&self, before_ms: i64, kill: Timestamp) -> Option<bool> {
        let node: Node = self.get(&format!("/api/v1/nodes/{}", self.node), None).await.ok()??;
        node.was_cordoned(before_ms, kill)
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str, accept: Option<&str>) -> Result<Option<T>, String> {
        get(&self.client, path, accept).await
    }
}

/// Asks for what is at that path. None: there is no such thing.
///
/// # Errors
/// When it does not answer, or not with that, or with too much, in words.
pub async fn get<T: DeserializeOwned>(client: &Client, path: &str, accept: Option<&str>) -> Result<Option<T>, String> {
    let request = Request::get(path).header(ACCEPT, accept.unwrap_or("application/json")).body(Vec::new());
    let request = request.map_err(|_| format!("{path} cannot be asked for"))?;
    let (status, body) = exchange(client, request).await?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !status.is_success() {
        return Err(refusal(status, &body));
    }
    serde_json::from_slice(&body).map(Some).map_err(|error| format!("its answer cannot be read: {error}"))
}

/// Sends a request; status and body of the answer, which takes no longer than it may, and is no larger.
///
/// # Errors
/// When there is none, in words.
pub async fn exchange(client: &Client, request: Request<Vec<u8>>) -> Result<(StatusCode, Bytes), String> {
    let asked = async {
        let response = client.send(request.map(Body::from)).await.map_err(|error| said(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|_| format!("its answer is cut off, or larger than {}", bytes(LARGEST as u64)))?;
        Ok((status, body.to_bytes()))
    };
    tokio::time::timeout(WITHIN, asked).await.unwrap_or_else(|_| Err("it takes too long to answer".to_owned()))
}

/// Why the API does not do what it was asked for.
pub fn refusal(status: StatusCode, body: &[u8]) -> String {
    let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
    let why = if refused.message.is_empty() { status.to_string() } else { refused.message };
    clip(&why, MESSAGE).to_owned()
}

/// May stand in a request: names and uids are their owners' own text.
pub fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// A failure in one line.
pub fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.message.is_empty() => format!("{} {}", status.code, status.reason),
        kube::Error::Api(status) => clip(&status.message, MESSAGE).to_owned(),
        other => {
            // The innermost says what it is: "Connection refused".
            let mut inner: &dyn std::error::Error = other;
            while let Some(source) = inner.source() {
                inner = source;
            }
            inner.to_string()
        }
    }
}
