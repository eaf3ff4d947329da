//! What owns a pod, and what that says of the pod's deletion.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;

use crate::kubernetes::api::{ApiServer, is_plain};
use crate::kubernetes::api_event::is_deletion_of;
use crate::kubernetes::describe::{before_ms, deletion_asked_ms, owned_by};
use crate::kubernetes::managed_field::ManagedField;
use crate::kubernetes::object::{OwnerReference, PodObject};
use crate::kubernetes::said::{Change, OwnerSaid};
use crate::model::PodOwner;

/// The API is asked again for an owner that it said nothing of.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// Owners that are remembered.
const OWNERS: usize = 1024;
/// Instead of the whole object.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// On a Deployment the one that is wanted, on its ReplicaSets their own.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What owns a controller.
#[derive(Clone)]
pub enum Owner {
    /// Kind and name; none: nothing does.
    Known(Option<(String, String)>),
    /// The API did not say so then.
    Unknown(Instant),
}

/// `metadata` of any object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    uid: String,
    annotations: BTreeMap<String, String>,
    deletion_timestamp: Option<String>,
    owner_references: Vec<OwnerReference>,
    managed_fields: Vec<ManagedField>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OnlyMetadata {
    metadata: Metadata,
}

impl ApiServer {
    /// What owns the pod: a Deployment, and not its ReplicaSet.
    pub async fn owner(&self, object: &PodObject) -> Option<PodOwner> {
        let controller = object.controller()?;
        let key = (object.metadata.namespace.clone(), controller.uid.clone());
        let known = self.owners.borrow().get(&key).cloned();
        let top = match known {
            Some(Owner::Known(top)) => top,
            Some(Owner::Unknown(since)) if since.elapsed() < ASK_AGAIN => return None,
            _ => {
                let found = self.controllers_owner(controller, &object.metadata.namespace).await;
                let mut owners = self.owners.borrow_mut();
                if owners.len() >= OWNERS {
                    owners.clear();
                }
                owners.insert(key, found.clone().map_or_else(|| Owner::Unknown(Instant::now()), Owner::Known));
                found?
            }
        };
        Some(owned_by(controller, top))
    }

    /// What owns a controller; none where the API does not say so of that very one: a pod may name any as its own.
    async fn controllers_owner(
        &self,
        controller: &OwnerReference,
        namespace: &str,
    ) -> Option<Option<(String, String)>> {
        let found = self.metadata(controller, namespace).await?.filter(|found| found.uid == controller.uid)?;
        let top = OwnerReference::controller(&found.owner_references);
        Some(top.map(|owner| (owner.kind.clone(), owner.name.clone())))
    }

    /// An owner's metadata: none where there is no such object, and nothing where the API does not say.
    async fn metadata(&self, owner: &OwnerReference, namespace: &str) -> Option<Option<Metadata>> {
        let path = path_of(owner, namespace)?;
        let found: Option<OnlyMetadata> = self.get(&path, Some(METADATA_ONLY)).await.ok()?;
        Some(found.map(|found| found.metadata))
    }

    /// What the pod's owners say of its deletion.
    pub async fn owner_said(&self, object: &PodObject, kill: Timestamp) -> Option<OwnerSaid> {
        let controller = object.controller()?;
        let namespace = &object.metadata.namespace;
        let mut said =
            OwnerSaid { kind: controller.kind.clone(), name: controller.name.clone(), ..OwnerSaid::default() };
        // One that was made anew under the same name is another one.
        let own = self.metadata(controller, namespace).await?.filter(|own| own.uid == controller.uid);
        let Some(own) = own else {
            said.is_deleted = true;
            return Some(said);
        };
        let top = OwnerReference::controller(&own.owner_references);
        let of_top = async { self.metadata(top?, namespace).await };
        let (events, tops) = tokio::join!(self.events(namespace, &controller.uid, kill), of_top);
        // Without them nobody knows who deleted it.
        let (events, _) = events.ok()?;
        let pod = object.metadata.name.as_str();
        let asked_ms = deletion_asked_ms(object, kill);
        said.deleted_it = events.iter().any(|event| is_deletion_of(event, pod, asked_ms));
        said.deadline = events.iter().any(|event| event.reason == "DeadlineExceeded");
        let mut changed = own.last_change(kill);
        said.top = top.map(|top| (top.kind.clone(), top.name.clone()));
        said.is_deleted = own.deletion_timestamp.is_some() || matches!(tops, Some(None));
        if let Some(Some(top)) = &tops {
            said.is_deleted |= top.deletion_timestamp.is_some();
            changed = top.last_change(kill);
            said.is_outdated = is_less(own.number(REVISION), top.number(REVISION));
        }
        if controller.kind == "DaemonSet" {
            let pods = object.metadata.labels.template_generation.as_ref().and_then(|text| text.parse().ok());
            said.is_outdated = is_less(pods, own.number("deprecated.daemonset.template.generation"));
        }
        said.change = changed.as_ref().and_then(|(_, _, change)| *change);
        said.changed_by = changed.map(|(by, before_ms, _)| (by, before_ms));
        Some(said)
    }
}

/// What of a controller a client has set.
fn change(field: &ManagedField) -> Option<Change> {
    let has_replicas = field.has_set("replicas") || field.subresource.as_deref() == Some("scale");
    match (field.has_set("template"), has_replicas) {
        (true, true) => Some(Change::Any),
        (true, false) => Some(Change::Template),
        (false, true) => Some(Change::Replicas),
        (false, false) => None,
    }
}

fn is_less(first: Option<u64>, second: Option<u64>) -> Option<bool> {
    Some(first? < second?)
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
    (matches!(owner.api_version.as_str(), "apps/v1" | "batch/v1" | "batch/v1beta1")
        && is_plain(&owner.name)
        && is_plain(namespace))
    .then(|| format!("/apis/{}/namespaces/{namespace}/{plural}/{}", owner.api_version, owner.name))
}

impl Metadata {
    fn number(&self, annotation: &str) -> Option<u64> {
        self.annotations.get(annotation)?.parse().ok()
    }

    /// Who changed what the object wants last, and how long before the kill: not its status, and no controller but the autoscaler of pods,
    /// which scales it. Its labels and annotations count where nothing else is known.
    fn last_change(&self, kill: Timestamp) -> Option<(String, i64, Option<Change>)> {
        let is_wish = |field: &&ManagedField| match field.subresource.as_deref() {
            None => field.manager != "kube-controller-manager",
            Some(subresource) => subresource == "scale",
        };
        let all = self.managed_fields.iter().filter(is_wish);
        let timed = all
            .filter_map(|field| Some((field.manager.clone(), before_ms(field.time.as_deref(), kill)?, change(field))));
        timed.min_by_key(|(_, before_ms, change)| (change.is_none(), *before_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changed_it_last_is_no_controller() {
        let metadata = serde_json::json!({ "managedFields": [
            { "manager": "kubectl-create", "time": "2026-11-26T09:00:00Z" },
            { "manager": "kube-controller-manager", "time": "2026-11-26T10:00:00Z", "subresource": "status" },
            { "manager": "kubectl", "time": "2026-11-26T09:59:00Z", "subresource": "scale" },
        ] });
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let kill = "2026-11-26T10:00:00Z".parse().unwrap();
        assert_eq!(metadata.last_change(kill), Some(("kubectl".to_owned(), 60_000, Some(Change::Replicas))));
    }

    #[test]
    fn the_autoscaler_scales_and_an_annotation_changes_nothing() {
        let template = serde_json::json!({
            "manager": "kubectl-set", "time": "2026-11-26T09:58:00Z", "fieldsV1": { "f:spec": { "f:template": {} } },
        });
        let annotated = serde_json::json!({
            "manager": "kubectl-annotate", "time": "2026-11-26T09:59:30Z", "fieldsV1": { "f:metadata": {} },
        });
        let scaled = serde_json::json!({
            "manager": "kube-controller-manager", "time": "2026-11-26T09:59:00Z", "subresource": "scale",
            "fieldsV1": { "f:spec": { "f:replicas": {} } },
        });
        let kill = "2026-11-26T10:00:00Z".parse().unwrap();
        for (fields, expected) in [
            (vec![&template, &annotated], Some(("kubectl-set", Some(Change::Template)))),
            (vec![&template, &annotated, &scaled], Some(("kube-controller-manager", Some(Change::Replicas)))),
            (vec![&annotated], Some(("kubectl-annotate", None))),
            (vec![], None),
        ] {
            let metadata = serde_json::json!({ "managedFields": fields });
            let last = serde_json::from_value::<Metadata>(metadata).unwrap().last_change(kill);
            assert_eq!(last.as_ref().map(|(by, _, change)| (by.as_str(), *change)), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_was_changed_is_what_its_manager_has_set() {
        for (fields, expected) in [
            (serde_json::json!({ "f:spec": { "f:template": { "f:metadata": {} } } }), Some(Change::Template)),
            (serde_json::json!({ "f:spec": { "f:replicas": {} } }), Some(Change::Replicas)),
            (serde_json::json!({ "f:spec": { "f:replicas": {}, "f:template": {} } }), Some(Change::Any)),
            (serde_json::json!({ "f:metadata": { "f:annotations": {} } }), None),
            (serde_json::Value::Null, None),
        ] {
            let field = ManagedField { fields, ..ManagedField::default() };
            assert_eq!(change(&field), expected, "{field:?}");
        }
    }
}
