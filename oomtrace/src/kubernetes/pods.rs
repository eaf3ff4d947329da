//! The pods of this node as the API has them, and for a while those that it had.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::kubernetes::describe::before_ms;
use crate::kubernetes::object::PodObject;
use crate::kubernetes::said::PodSaid;
use crate::text::quote::quote;

/// Pods that are gone are remembered, the latest ones: a kill comes after its pod's end where that was by force.
const GONE: usize = 128;
/// Pods of that priority and above are those that a node cannot do without (scheduling.SystemCriticalPriority).
const CRITICAL: i64 = 2_000_000_000;
/// A pod that took another one's room starts within this time, in milliseconds.
const STARTS_WITHIN_MS: i64 = 60_000;

const NOT_YET: &str = "it has not answered yet";

/// Whether the API answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    /// It has not yet said which pods there are.
    #[default]
    Starting,
    Known,
    /// It does not answer; what it said before stays.
    Lost(String),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Pods {
    /// The node's name.
    node: String,
    state: State,
    /// By the uid that their cgroups have.
    known: HashMap<String, Arc<PodObject>>,
    /// Those of a list that is being read.
    listed: Option<HashMap<String, Arc<PodObject>>>,
    /// The latest ones at the end.
    gone: Vec<Arc<PodObject>>,
    server_minor: Option<u32>,
    /// Events that were not put on their pods.
    unsaid: u64,
}

impl Pods {
    /// Of the node with that name, once it is known.
    pub fn set_node(&mut self, node: &str) {
        node.clone_into(&mut self.node);
    }

    /// The pod, and whether it is gone.
    ///
    /// # Errors
    /// Why it is not known, in words.
    pub fn find(&self, uid: &str) -> Result<(Arc<PodObject>, bool), String> {
        // While all are listed anew, those of before count.
        let known = self.known.get(uid).or_else(|| self.listed.as_ref()?.get(uid));
        if let Some(pod) = known {
            return Ok((Arc::clone(pod), false));
        }
        if let Some(pod) = self.gone.iter().rev().find(|pod| pod.uid() == uid) {
            return Ok((Arc::clone(pod), true));
        }
        Err(match &self.state {
            State::Starting => NOT_YET.to_owned(),
            State::Known => format!(
                "it has no such pod on node {}, which this node is taken for; NODE_NAME names another one",
                quote(&self.node)
            ),
            State::Lost(why) => why.clone(),
        })
    }

    /// How many there are, and the node's name.
    ///
    /// # Errors
    /// Why that is not known, in words.
    pub fn count(&self) -> Result<(usize, String), String> {
        match &self.state {
            State::Starting => Err(NOT_YET.to_owned()),
            State::Known => Ok((self.known.len(), self.node.clone())),
            State::Lost(why) => Err(why.clone()),
        }
    }

    /// A pod is there, or has changed.
    pub fn apply(&mut self, pod: PodObject) {
        let pod = pod.trimmed();
        self.known.insert(pod.uid().to_owned(), Arc::new(pod));
        self.state = State::Known;
    }

    /// A pod is no more.
    pub fn delete(&mut self, pod: PodObject) {
        let pod = pod.trimmed();
        self.known.remove(pod.uid());
        self.remember(Arc::new(pod));
    }

    fn remember(&mut self, pod: Arc<PodObject>) {
        if self.gone.len() >= GONE {
            self.gone.remove(0);
        }
        self.gone.push(pod);
    }

    /// All of them are listed from here on.
    pub fn begin_list(&mut self) {
        self.listed = Some(HashMap::new());
    }

    pub fn list(&mut self, pod: PodObject) {
        let pod = pod.trimmed();
        self.listed.get_or_insert_default().insert(pod.uid().to_owned(), Arc::new(pod));
    }

    /// Those that were not listed are gone.
    pub fn end_list(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        let before = std::mem::replace(&mut self.known, listed);
        for (uid, pod) in before {
            if !self.known.contains_key(&uid) {
                self.remember(pod);
            }
        }
        self.state = State::Known;
    }

    /// The API does not answer.
    pub fn lose(&mut self, why: String) {
        self.state = State::Lost(why);
    }

    /// It does not answer, and why.
    #[must_use]
    pub fn lost(&self) -> Option<&str> {
        match &self.state {
            State::Lost(why) => Some(why),
            State::Starting | State::Known => None,
        }
    }

    pub fn set_server_minor(&mut self, minor: u32) {
        self.server_minor = Some(minor);
    }

    #[must_use]
    pub const fn server_minor(&self) -> Option<u32> {
        self.server_minor
    }

    /// One more Event was not put on its pod.
    pub fn count_unsaid(&mut self) {
        self.unsaid = self.unsaid.saturating_add(1);
    }

    /// How many were not, since it was asked last.
    pub fn take_unsaid(&mut self) -> u64 {
        std::mem::take(&mut self.unsaid)
    }

    /// The pod that the one of which this was said had to go for: as the scheduler's Event names it; or where the kubelet made room, the
    /// only one that a node cannot do without and that came then.
    #[must_use]
    pub fn preemptor(&self, said: &PodSaid, kill: Timestamp) -> Option<String> {
        let by_scheduler = said.events("Preempted").find_map(|event| {
            event.related.clone().or_else(|| {
                let named = event.message.split_once("reempted by ")?.1.split_whitespace().collect::<Vec<_>>();
                // `by pod UID on node …` (1.27 on), or `by NAMESPACE/NAME on node …`.
                match named.as_slice() {
                    ["pod", uid, ..] => self.by_uid(uid),
                    [name, ..] if name.contains('/') => Some((*name).to_owned()),
                    _ => None,
                }
            })
        });
        if by_scheduler.is_some() || said.events("Preempting").next().is_none() {
            return by_scheduler;
        }
        let came = |pod: &&Arc<PodObject>| {
            let start = before_ms(pod.status.start_time.as_deref(), kill);
            pod.spec.priority.is_some_and(|priority| priority >= CRITICAL)
                && start.is_some_and(|start| start.abs() <= STARTS_WITHIN_MS)
        };
        let mut found = self.known.values().filter(came);
        let first = found.next()?;
        found.next().is_none().then(|| name(first))
    }

    fn by_uid(&self, uid: &str) -> Option<String> {
        self.known.values().find(|pod| pod.metadata.uid == uid).map(|pod| name(pod))
    }
}

/// `namespace/name`.
#[must_use]
pub fn name(pod: &PodObject) -> String {
    format!("{}/{}", pod.metadata.namespace, pod.metadata.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::said::EventSaid;

    fn pod(uid: &str) -> PodObject {
        let object = serde_json::json!({
            "metadata": { "uid": uid, "name": uid, "namespace": "n" },
            "spec": { "priority": CRITICAL },
            "status": { "startTime": "2026-11-26T10:00:00Z" },
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_pod_that_is_gone_is_still_known() {
        let mut pods = Pods::default();
        assert!(pods.find("a").unwrap_err().contains("not answered"));
        pods.set_node("n1");
        pods.begin_list();
        pods.list(pod("a"));
        assert!(!pods.find("a").unwrap().1);
        pods.end_list();
        pods.apply(pod("b"));
        assert!(pods.find("c").unwrap_err().contains("no such pod on node n1"));
        pods.delete(pod("a"));
        assert!(pods.find("a").unwrap().1);
        // What a new list does not have, has ended meanwhile.
        pods.lose("refused".to_owned());
        assert_eq!(pods.find("c").unwrap_err(), "refused");
        pods.begin_list();
        pods.end_list();
        assert!(pods.find("b").unwrap().1);
        for number in 0..GONE {
            pods.delete(pod(&format!("g{number}")));
        }
        assert_eq!(pods.gone.len(), GONE);
        assert!(pods.find("b").is_err());
    }

    #[test]
    fn a_mirror_has_the_uid_that_the_kubelet_gave() {
        let mut mirror = pod("api");
        mirror.metadata.annotations.mirror = Some("own".to_owned());
        let mut pods = Pods::default();
        pods.apply(mirror);
        assert!(pods.find("own").is_ok() && pods.find("api").is_err());
    }

    #[test]
    fn who_took_the_room() {
        let kill = "2026-11-26T10:00:03Z".parse().unwrap();
        let mut pods = Pods::default();
        pods.apply(pod("new"));
        let said = |reason: &str, message: &str, related: Option<&str>| PodSaid {
            events: vec![EventSaid {
                reason: reason.to_owned(),
                message: message.to_owned(),
                related: related.map(str::to_owned),
                ..EventSaid::default()
            }],
            ..PodSaid::default()
        };
        for (said, expected) in [
            (said("Preempted", "Preempted by pod new on node x", None), Some("n/new")),
            (said("Preempted", "Preempted by shop/web on node x", None), Some("shop/web")),
            (said("Preempted", "Preempted by a pod on node x", Some("a/b")), Some("a/b")),
            (said("Preempted", "Preempted by a pod on node x", None), None),
            (said("Preempting", "Preempted in order to admit critical pod", None), Some("n/new")),
            (said("Killing", "x", None), None),
        ] {
            assert_eq!(pods.preemptor(&said, kill).as_deref(), expected, "{said:?}");
        }
        pods.apply(pod("other"));
        assert_eq!(pods.preemptor(&said("Preempting", "x", None), kill), None);
    }
}
