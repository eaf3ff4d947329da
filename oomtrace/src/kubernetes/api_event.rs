//! An Event as the API has it, and what the judge gets of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::kubernetes::describe::before_ms;
use crate::kubernetes::said::{EventSaid, TAINT_EVICTION};
use crate::text::clip;

/// Annotations of an eviction's Event (pkg/kubelet/eviction/helpers.go).
const ANNOTATIONS: [&str; 3] = ["starved_resource", "offending_containers", "offending_containers_usage"];
/// Bytes of a message that are kept: of an Event of events.k8s.io it has no more.
pub const MESSAGE: usize = 1024;
/// Bytes of an annotation that are kept.
const ANNOTATION: usize = 256;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiEvent {
    metadata: Annotated,
    reason: Option<String>,
    message: Option<String>,
    count: Option<i64>,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    series: Option<Series>,
    source: EventSource,
    reporting_component: Option<String>,
    involved_object: Reference,
    related: Option<Reference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EventSource {
    component: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: i64,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotated {
    annotations: BTreeMap<String, String>,
}

impl ApiEvent {
    /// None where it is not of whom that reason is.
    pub fn said(self, kill: Timestamp) -> Option<EventSaid> {
        let by = [self.source.component.as_deref(), self.reporting_component.as_deref()];
        let by = by.into_iter().flatten().find(|by| !by.is_empty()).unwrap_or_default();
        if !is_reporters(self.reason.as_deref().unwrap_or_default(), by) {
            return None;
        }
        let (series_count, series_last) = self.series.map(|series| (series.count, series.last_observed_time)).unzip();
        let last = series_last.flatten().or(self.last_timestamp).or(self.event_time).or(self.first_timestamp);
        let count = series_count.or(self.count);
        let field = self.involved_object.field_path.as_deref();
        let container = field.and_then(|field| field.split_once('{')?.1.strip_suffix('}'));
        let related = self.related.filter(|related| related.kind.as_deref() == Some("Pod"));
        let annotations = self.metadata.annotations.into_iter().filter(|(key, _)| ANNOTATIONS.contains(&key.as_str()));
        Some(EventSaid {
            reason: clip(&self.reason.unwrap_or_default(), MESSAGE).to_owned(),
            message: clip(&self.message.unwrap_or_default(), MESSAGE).to_owned(),
            count: u32::try_from(count.unwrap_or(1).max(1)).unwrap_or(u32::MAX),
            before_ms: before_ms(last.as_deref(), kill).unwrap_or(i64::MAX),
            container: container.map(str::to_owned),
            related: related.and_then(|pod| Some(format!("{}/{}", pod.namespace?, pod.name?))),
            annotations: annotations.map(|(key, value)| (key, clip(&value, ANNOTATION).to_owned())).collect(),
        })
    }
}

/// Events with these reasons count only where their reporter says that it is this one: others use the same words for other things. It is its
/// own word, which whoever may make Events may write as well.
fn is_reporters(reason: &str, by: &str) -> bool {
    match reason {
        "Killing"
        | "Unhealthy"
        | "Evicted"
        | "Preempting"
        | "ExceededGracePeriod"
        | "NodeShutdown"
        | "FailedPostStartHook"
        | "FailedPreStopHook" => by == "kubelet",
        "Preempted" => by.contains("scheduler"),
        // `taint-eviction-controller`, before 1.29 `taint-controller`.
        TAINT_EVICTION => by.contains("taint"),
        _ => true,
    }
}

/// A controller's Event says that it deleted the pod of that name, whose deletion was asked for so long before the kill: a pod of a
/// StatefulSet has the name of the one before. After ten in ten minutes client-go puts several into one, which names the last
/// (tools/record/events_cache.go).
pub fn is_deletion_of(event: &EventSaid, pod: &str, asked_ms: Option<i64>) -> bool {
    let names_it = event.message.split([' ', ':', ',']).any(|word| word == pod);
    event.reason == "SuccessfulDelete"
        && event.is_near(asked_ms)
        && (names_it || event.message.starts_with("(combined from similar events)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_both_forms_are_read() {
        let kill: Timestamp = "2026-11-26T10:00:10Z".parse().unwrap();
        let old = serde_json::json!({
            "metadata": { "annotations": { "starved_resource": "memory", "x": "y" } }, "source": { "component": "kubelet" },
            "reason": "Killing", "message": "m", "count": 3, "lastTimestamp": "2026-11-26T10:00:08Z", "eventTime": null,
            "involvedObject": { "fieldPath": "spec.containers{app}" }, "related": null,
        });
        let new = serde_json::json!({
            "reportingComponent": "default-scheduler", "reason": "Preempted", "message": "m", "eventTime": "2026-11-26T10:00:09.500000Z", "lastTimestamp": null,
            "series": { "count": 2, "lastObservedTime": "2026-11-26T10:00:11.000000Z" },
            "involvedObject": {}, "related": { "kind": "Pod", "namespace": "a", "name": "b" },
        });
        let read = |value| serde_json::from_value::<ApiEvent>(value).unwrap().said(kill).unwrap();
        let old = read(old);
        assert_eq!((old.count, old.before_ms, old.container.as_deref()), (3, 2000, Some("app")));
        assert_eq!(old.annotations, [("starved_resource".to_owned(), "memory".to_owned())]);
        let new = read(new);
        assert_eq!((new.count, new.before_ms, new.related.as_deref()), (2, -1000, Some("a/b")));
    }

    #[test]
    fn an_event_counts_only_from_whom_it_is() {
        for (reason, by, expected) in [
            ("Evicted", "kubelet", true),
            ("Evicted", "karpenter", false),
            ("Killing", "", false),
            ("Preempted", "default-scheduler", true),
            ("Preempted", "kubelet", false),
            ("TaintManagerEviction", "taint-controller", true),
            ("TaintManagerEviction", "taint-eviction-controller", true),
            ("TaintManagerEviction", "kubectl", false),
            ("SuccessfulDelete", "replicaset-controller", true),
        ] {
            assert_eq!(is_reporters(reason, by), expected, "{reason} {by}");
        }
    }

    #[test]
    fn a_count_may_be_anything() {
        for (count, expected) in [(-1, 1), (0, 1), (7, 7), (1_i64 << 40, u32::MAX)] {
            let event = serde_json::json!({ "reason": "Pulled", "count": count });
            let event: ApiEvent = serde_json::from_value(event).unwrap();
            assert_eq!(event.said(Timestamp::UNIX_EPOCH).unwrap().count, expected);
        }
    }

    #[test]
    fn a_controllers_deletion_is_that_of_this_pod_and_of_this_time() {
        let deleted = |message: &str, before_ms| EventSaid {
            reason: "SuccessfulDelete".to_owned(),
            message: message.to_owned(),
            before_ms,
            ..EventSaid::default()
        };
        for (event, expected) in [
            (deleted("Deleted pod: web-0", 11_000), true),
            (deleted("delete Pod web-0 in StatefulSet web successful", 11_000), true),
            (deleted("Deleted pod: web-01", 11_000), false),
            (deleted("Deleted pod: web-0", 41_001), false),
            (deleted("Deleted pod: web-0", 41_000), true),
            (deleted("(combined from similar events): Deleted pod: web-7", 11_000), true),
            (EventSaid { reason: "SuccessfulCreate".to_owned(), ..deleted("Created pod: web-0", 11_000) }, false),
        ] {
            assert_eq!(is_deletion_of(&event, "web-0", Some(11_000)), expected, "{event:?}");
        }
        assert!(is_deletion_of(&deleted("Deleted pod: web-0", 900_000), "web-0", None));
    }
}
