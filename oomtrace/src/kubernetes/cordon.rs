//! Whether the node took new pods when a pod was deleted: `kubectl drain` cordons it first, and a node may be cordoned later for what ended.

use jiff::Timestamp;
use serde::Deserialize;

use crate::kubernetes::describe::before_ms;
use crate::kubernetes::managed_field::ManagedField;

/// A node, as far as that goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    metadata: NodeMetadata,
    spec: NodeSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeMetadata {
    managed_fields: Vec<ManagedField>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeSpec {
    unschedulable: bool,
    taints: Vec<Taint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Taint {
    key: String,
    time_added: Option<String>,
}

/// The taint that a controller gives a node that is cordoned.
const CORDONED: &str = "node.kubernetes.io/unschedulable";
/// Times of the API are whole seconds, and the node's controller takes a moment for its taint.
const CORDON_SLACK_MS: i64 = 2_000;

impl Node {
    /// It was cordoned by the time that was so many milliseconds before the kill. None where it is not now, or not known since when it is.
    #[must_use]
    pub fn was_cordoned(&self, asked_before_ms: i64, kill: Timestamp) -> Option<bool> {
        // It may have been, and not be any more: the field is gone then.
        if !self.spec.unschedulable {
            return None;
        }
        let taint = self.spec.taints.iter().find(|taint| taint.key == CORDONED);
        let set = self.metadata.managed_fields.iter().filter(|field| field.has_set("unschedulable"));
        // A client's time is that of whatever it has set last.
        let times = taint.and_then(|taint| taint.time_added.as_deref()).into_iter();
        let times = times.chain(set.filter_map(|field| field.time.as_deref()));
        let since = times.filter_map(|time| before_ms(Some(time), kill)).max()?;
        Some(since.saturating_add(CORDON_SLACK_MS) >= asked_before_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_cordoned_later_was_none_then() {
        let kill = "2026-11-26T10:00:10Z".parse().unwrap();
        let node = |taint: Option<&str>, set: &[(&str, &str)]| {
            let fields: Vec<_> = set
                .iter()
                .map(|(field, time)| serde_json::json!({ "time": time, "fieldsV1": { "f:spec": { *field: {} } } }))
                .collect();
            let taints: Vec<_> =
                taint.iter().map(|time| serde_json::json!({ "key": CORDONED, "timeAdded": time })).collect();
            let node = serde_json::json!({
                "metadata": { "managedFields": fields }, "spec": { "unschedulable": true, "taints": taints },
            });
            serde_json::from_value::<Node>(node).unwrap()
        };
        // Asked for at 10:00:00.
        let was = |node: Node| node.was_cordoned(10_000, kill);
        for (taint, set, expected) in [
            (Some("2026-11-26T09:59:00Z"), &[][..], Some(true)),
            // A drain: the controller gives its taint a moment later.
            (Some("2026-11-26T10:00:01Z"), &[], Some(true)),
            (Some("2026-11-26T10:00:05Z"), &[], Some(false)),
            (None, &[("f:unschedulable", "2026-11-26T10:00:00Z")], Some(true)),
            (None, &[("f:unschedulable", "2026-11-26T10:00:05Z")], Some(false)),
            // Its client has set something else since.
            (Some("2026-11-26T09:00:00Z"), &[("f:unschedulable", "2026-11-26T10:00:05Z")], Some(true)),
            (None, &[("f:podCIDR", "2026-11-26T09:00:00Z")], None),
            (None, &[], None),
        ] {
            assert_eq!(was(node(taint, set)), expected, "{taint:?} {set:?}");
        }
        assert_eq!(was(Node::default()), None);
    }
}
