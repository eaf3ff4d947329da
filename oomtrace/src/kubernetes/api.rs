//! What is asked of the API about one pod: its Events, what owns it, whether its node is cordoned. Only the fields that are used are read.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::kubernetes::describe::before_ms;
use crate::kubernetes::object::{OwnerReference, PodObject};
use crate::kubernetes::said::{EventSaid, OwnerSaid};
use crate::kubernetes::{Ask, Told};
use crate::model::PodOwner;
use crate::text::bytes;

/// Events of one object that are read.
const EVENTS: usize = 100;
/// Owners that are remembered.
const OWNERS: usize = 1024;
/// Annotations of an eviction's Event (pkg/kubelet/eviction/helpers.go).
const ANNOTATIONS: [&str; 3] = ["starved_resource", "offending_containers", "offending_containers_usage"];
/// Bytes of an answer that are read: whoever may put Events on a pod may make them as large as the API takes them.
const LARGEST: usize = 4 << 20;
/// Bytes of a message that are kept: of an Event of events.k8s.io it has no more.
const MESSAGE: usize = 1024;
/// Instead of the whole object.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// The API server, asked about pods of this node.
pub struct ApiServer {
    client: Client,
    node: String,
    /// What owns a controller, by that one's uid. None: nothing does.
    owners: RefCell<HashMap<String, Option<(String, String)>>>,
}

/// `metadata` of any object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    annotations: BTreeMap<String, String>,
    deletion_timestamp: Option<String>,
    owner_references: Vec<OwnerReference>,
    managed_fields: Vec<ManagedField>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ManagedField {
    manager: String,
    time: Option<String>,
    subresource: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OnlyMetadata {
    metadata: Metadata,
}

/// What the API says instead of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refused {
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Node {
    spec: NodeSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeSpec {
    unschedulable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List<T> {
    #[serde(bound(deserialize = "T: Deserialize<'de>"), default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ApiEvent {
    metadata: Metadata,
    reason: Option<String>,
    message: Option<String>,
    count: Option<u32>,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    series: Option<Series>,
    involved_object: Reference,
    related: Option<Reference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: u32,
    last_observed_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reference {
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    field_path: Option<String>,
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
        // Why it was deleted is asked where it was: an eviction by the kubelet needs nobody else.
        if !ask.is_deleted {
            let (owner, events) = tokio::join!(owner, events);
            say(Ok(Told { events: events?, owner, ..Told::default() }));
            return Ok(());
        }
        let of_pod = async {
            let (owner, events) = tokio::join!(owner, events);
            let told = Told { events: events?, owner, ..Told::default() };
            say(Ok(told.clone()));
            Ok::<Told, String>(told)
        };
        let (told, owner_said, cordoned) = tokio::join!(of_pod, self.owner_said(object, ask.kill), self.is_cordoned());
        say(Ok(Told { owner_said, cordoned, ..told? }));
        Ok(())
    }

    /// Events on the object with that uid, the latest first.
    async fn events(&self, namespace: &str, uid: &str, kill: Timestamp) -> Result<Vec<EventSaid>, String> {
        let path =
            format!("/api/v1/namespaces/{namespace}/events?limit={EVENTS}&fieldSelector=involvedObject.uid%3D{uid}");
        let list: List<ApiEvent> = self.get(&path, None).await?.unwrap_or_default();
        let mut events: Vec<EventSaid> = list.items.into_iter().map(|event| event.said(kill)).collect();
        events.sort_by_key(|event| event.before_ms);
        Ok(events)
    }

    /// What owns the pod: a Deployment, and not its ReplicaSet.
    async fn owner(&self, object: &PodObject) -> Option<PodOwner> {
        let controller = object.controller()?;
        let known = self.owners.borrow().get(&controller.uid).cloned();
        let top = match known {
            Some(known) => known,
            None => {
                let path = path_of(controller, &object.metadata.namespace)?;
                let found: OnlyMetadata = self.get(&path, Some(METADATA_ONLY)).await.ok()??;
                let top = found.metadata.owner_references.into_iter().find(|owner| owner.controller == Some(true));
                let top = top.map(|owner| (owner.kind, owner.name));
                let mut owners = self.owners.borrow_mut();
                if owners.len() >= OWNERS {
                    owners.clear();
                }
                owners.insert(controller.uid.clone(), top.clone());
                top
            }
        };
        let through = format!("{}/{}", controller.kind, controller.name);
        Some(match top {
            Some((kind, name)) => PodOwner { kind, name, through: Some(through) },
            None => PodOwner { kind: controller.kind.clone(), name: controller.name.clone(), through: None },
        })
    }

    /// What the pod's owners say of its deletion.
    async fn owner_said(&self, object: &PodObject, kill: Timestamp) -> Option<OwnerSaid> {
        let controller = object.controller()?;
        let namespace = &object.metadata.namespace;
        let path = path_of(controller, namespace)?;
        let mut said =
            OwnerSaid { kind: controller.kind.clone(), name: controller.name.clone(), ..OwnerSaid::default() };
        let own: Option<OnlyMetadata> = self.get(&path, Some(METADATA_ONLY)).await.ok()?;
        let Some(OnlyMetadata { metadata: own }) = own else {
            said.is_deleted = true;
            return Some(said);
        };
        let top = own.owner_references.iter().find(|owner| owner.controller == Some(true));
        let of_top = async {
            match top.and_then(|top| path_of(top, namespace)) {
                Some(path) => self.get::<OnlyMetadata>(&path, Some(METADATA_ONLY)).await.ok(),
                None => None,
            }
        };
        let (events, tops) = tokio::join!(self.events(namespace, &controller.uid, kill), of_top);
        let events = events.unwrap_or_default();
        let pod = object.metadata.name.as_str();
        let names_it = |event: &EventSaid| event.message.split([' ', ':', ',']).any(|word| word == pod);
        said.deleted_it = events.iter().any(|event| event.reason == "SuccessfulDelete" && names_it(event));
        said.deadline = events.iter().any(|event| event.reason == "DeadlineExceeded");
        let mut changed = own.last_change(kill);
        said.top = top.map(|top| (top.kind.clone(), top.name.clone()));
        said.is_deleted = own.deletion_timestamp.is_some() || matches!(tops, Some(None));
        if let Some(Some(OnlyMetadata { metadata: top })) = &tops {
            said.is_deleted |= top.deletion_timestamp.is_some();
            changed = top.last_change(kill);
            said.is_outdated = is_less(own.number(REVISION), top.number(REVISION));
        }
        let generation = |text: Option<&String>| text.and_then(|text| text.parse().ok());
        if controller.kind == "DaemonSet" {
            let pods = generation(object.metadata.labels.template_generation.as_ref());
            said.is_outdated = is_less(pods, own.number("deprecated.daemonset.template.generation"));
        }
        said.changed_by = changed;
        Some(said)
    }

    /// This node takes no new pods; none when that is not known.
    async fn is_cordoned(&self) -> Option<bool> {
        let node: Node = self.get(&format!("/api/v1/nodes/{}", self.node), None).await.ok()??;
        Some(node.spec.unschedulable)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, accept: Option<&str>) -> Result<Option<T>, String> {
        get(&self.client, path, accept).await
    }
}

/// Asks for what is at that path. None: there is no such thing.
///
/// # Errors
/// When it does not answer, or not with that, or with too much, in words.
pub async fn get<T: DeserializeOwned>(client: &Client, path: &str, accept: Option<&str>) -> Result<Option<T>, String> {
    let request = http_request(path, accept).ok_or_else(|| format!("{path} cannot be asked for"))?;
    let response = client.send(request.map(Body::from)).await.map_err(|error| said(&error))?;
    let status = response.status();
    if status == hyper::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|_| format!("its answer is cut off, or larger than {}", bytes(LARGEST as u64)))?.to_bytes();
    if !status.is_success() {
        let refused: Refused = serde_json::from_slice(&body).unwrap_or_default();
        let why = if refused.message.is_empty() { status.to_string() } else { refused.message };
        return Err(clip(&why, MESSAGE).to_owned());
    }
    serde_json::from_slice(&body).map(Some).map_err(|error| format!("its answer cannot be read: {error}"))
}

/// So many bytes at most.
pub fn clip(text: &str, most: usize) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= most).last().unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

const REVISION: &str = "deployment.kubernetes.io/revision";

fn is_less(first: Option<u64>, second: Option<u64>) -> Option<bool> {
    Some(first? < second?)
}

fn http_request(path: &str, accept: Option<&str>) -> Option<hyper::Request<Vec<u8>>> {
    let request = hyper::Request::get(path).header(hyper::header::ACCEPT, accept.unwrap_or("application/json"));
    request.body(Vec::new()).ok()
}

/// Where a controller is, of the kinds that this may ask for.
fn path_of(owner: &OwnerReference, namespace: &str) -> Option<String> {
    let plural = match owner.kind.as_str() {
        "ReplicaSet" => "replicasets",
        "Deployment" => "deployments",
        "StatefulSet" => "statefulsets",
        "DaemonSet" => "daemonsets",
        "Job" => "jobs",
        "CronJob" => "cronjobs",
        _ => return None,
    };
    matches!(owner.api_version.as_str(), "apps/v1" | "batch/v1" | "batch/v1beta1")
        .then(|| format!("/apis/{}/namespaces/{namespace}/{plural}/{}", owner.api_version, owner.name))
}

impl Metadata {
    fn number(&self, annotation: &str) -> Option<u64> {
        self.annotations.get(annotation)?.parse().ok()
    }

    /// Who changed what the object wants last, and how long before the kill: not its status, and no controller.
    fn last_change(&self, kill: Timestamp) -> Option<(String, i64)> {
        let is_wish = |field: &&ManagedField| {
            field.subresource.as_deref().is_none_or(|subresource| subresource == "scale")
                && field.manager != "kube-controller-manager"
        };
        let all = self.managed_fields.iter().filter(is_wish);
        let timed = all.filter_map(|field| Some((field.manager.clone(), before_ms(field.time.as_deref(), kill)?)));
        timed.min_by_key(|(_, before_ms)| *before_ms)
    }
}

impl ApiEvent {
    fn said(self, kill: Timestamp) -> EventSaid {
        let Self { series, .. } = &self;
        let last = series.as_ref().and_then(|series| series.last_observed_time.clone());
        let last = last.or(self.last_timestamp).or(self.event_time).or(self.first_timestamp);
        let count = self.series.as_ref().map(|series| series.count).or(self.count);
        let field = self.involved_object.field_path.as_deref();
        let container = field.and_then(|field| field.split_once('{')?.1.strip_suffix('}'));
        let related = self.related.filter(|related| related.kind.as_deref() == Some("Pod"));
        let annotations = self.metadata.annotations.into_iter().filter(|(key, _)| ANNOTATIONS.contains(&key.as_str()));
        EventSaid {
            reason: clip(&self.reason.unwrap_or_default(), MESSAGE).to_owned(),
            message: clip(&self.message.unwrap_or_default(), MESSAGE).to_owned(),
            count: count.unwrap_or(1).max(1),
            before_ms: before_ms(last.as_deref(), kill).unwrap_or(i64::MAX),
            container: container.map(str::to_owned),
            related: related.and_then(|pod| Some(format!("{}/{}", pod.namespace?, pod.name?))),
            annotations: annotations.map(|(key, value)| (key, clip(&value, MESSAGE).to_owned())).collect(),
        }
    }
}

/// A failure in one line.
pub fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.message.is_empty() => format!("{} {}", status.code, status.reason),
        kube::Error::Api(status) => status.message.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_both_forms_are_read() {
        let kill: Timestamp = "2026-11-26T10:00:10Z".parse().unwrap();
        let old = serde_json::json!({
            "metadata": { "annotations": { "starved_resource": "memory", "x": "y" } },
            "reason": "Killing", "message": "m", "count": 3, "lastTimestamp": "2026-11-26T10:00:08Z", "eventTime": null,
            "involvedObject": { "fieldPath": "spec.containers{app}" }, "related": null,
        });
        let new = serde_json::json!({
            "reason": "Preempted", "message": "m", "eventTime": "2026-11-26T10:00:09.500000Z", "lastTimestamp": null,
            "series": { "count": 2, "lastObservedTime": "2026-11-26T10:00:11.000000Z" },
            "involvedObject": {}, "related": { "kind": "Pod", "namespace": "a", "name": "b" },
        });
        let read = |value| serde_json::from_value::<ApiEvent>(value).unwrap().said(kill);
        let old = read(old);
        assert_eq!((old.count, old.before_ms, old.container.as_deref()), (3, 2000, Some("app")));
        assert_eq!(old.annotations, [("starved_resource".to_owned(), "memory".to_owned())]);
        let new = read(new);
        assert_eq!((new.count, new.before_ms, new.related.as_deref()), (2, -1000, Some("a/b")));
    }

    #[test]
    fn who_changed_it_last_is_no_controller() {
        let metadata = serde_json::json!({ "managedFields": [
            { "manager": "kubectl-create", "time": "2026-11-26T09:00:00Z" },
            { "manager": "kube-controller-manager", "time": "2026-11-26T10:00:00Z", "subresource": "status" },
            { "manager": "kubectl", "time": "2026-11-26T09:59:00Z", "subresource": "scale" },
        ] });
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let kill = "2026-11-26T10:00:00Z".parse().unwrap();
        assert_eq!(metadata.last_change(kill), Some(("kubectl".to_owned(), 60_000)));
    }
}
