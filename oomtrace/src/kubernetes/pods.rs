//! The pods of this node as the API has them, and for a while those that it had.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::kubernetes::describe::before_ms;
use crate::kubernetes::object::PodObject;
use crate::kubernetes::said::PodSaid;
use crate::text::quote::quote;

/// Pods that are gone are remembered, the latest ones: a kill comes after its pod's end where that was by force.
const GONE: usize = 128;
/// Pods that are known, those that have ended and are still in the API among them: a kubelet runs 110 by default.
const MOST: usize = 2048;
/// Pods of that priority and above are those that a node cannot do without (scheduling.SystemCriticalPriority).
const CRITICAL: i64 = 2_000_000_000;
/// How long the API may take to say that a pod is gone, in milliseconds.
const SAID_WITHIN_MS: i64 = 1_000;
/// A pod that took another one's room starts within this time, in milliseconds.
const STARTS_WITHIN_MS: i64 = 60_000;

/// One that did not answer is asked again and again; where nothing more was said for so long it answers again.
const ANSWERS_AGAIN: Duration = Duration::from_secs(120);
const NOT_YET: &str = "it has not answered yet";

/// Whether the API answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    /// It has not yet said which pods there are.
    #[default]
    Starting,
    Known,
    /// It did not answer then; what it said before stays. It is asked again within half a minute, and says nothing when it answers again
    /// and nothing has changed.
    Lost(String, Instant),
    /// It is not asked any more.
    Ended(String),
}

/// A pod that the API had.
#[derive(Debug)]
struct GonePod {
    pod: Arc<PodObject>,
    gone: Gone,
}

/// Since when the API does not have a pod any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The API said so then.
    At(Timestamp),
    /// It was not there when the API answered again: some time before.
    Unknown,
}

impl Gone {
    /// It was gone when, or just after, that happened: a kill comes after its pod's end where that was by force, and the API's word of it
    /// takes its time. What is deleted later had nothing to do with it.
    #[must_use]
    pub fn explains(self, kill: Timestamp) -> bool {
        matches!(self, Self::At(gone) if gone.as_millisecond() <= kill.as_millisecond().saturating_add(SAID_WITHIN_MS))
    }
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
    gone: Vec<GonePod>,
    server_minor: Option<u32>,
    /// Events that were not put on their pods.
    unsaid: u64,
}

impl Pods {
    /// Of the node with that name, once it is known.
    pub fn set_node(&mut self, node: &str) {
        node.clone_into(&mut self.node);
    }

    /// The pod, and since when it is gone; none: it is there.
    ///
    /// # Errors
    /// Why it is not known, in words.
    pub fn find(&self, uid: &str) -> Result<(Arc<PodObject>, Option<Gone>), String> {
        // While all are listed anew, those of before count.
        let known = self.known.get(uid).or_else(|| self.listed.as_ref()?.get(uid));
        if let Some(pod) = known {
            return Ok((Arc::clone(pod), None));
        }
        if let Some(GonePod { pod, gone }) = self.gone.iter().rev().find(|gone| gone.pod.uid() == uid) {
            return Ok((Arc::clone(pod), Some(*gone)));
        }
        let unknown = || {
            format!(
                "it has no such pod on node {}, which this node is taken for; NODE_NAME names another one",
                quote(&self.node)
            )
        };
        Err(match &self.state {
            State::Starting => NOT_YET.to_owned(),
            State::Known => unknown(),
            State::Lost(_, at) if at.elapsed() > ANSWERS_AGAIN => unknown(),
            State::Lost(why, _) | State::Ended(why) => why.clone(),
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
            State::Lost(why, _) | State::Ended(why) => Err(why.clone()),
        }
    }

    /// A pod is there, or has changed.
    pub fn apply(&mut self, pod: PodObject) {
        self.state = State::Known;
        keep(&mut self.known, pod.trimmed());
    }

    /// A pod is no more, as the API says at that time.
    pub fn delete(&mut self, pod: PodObject, now: Timestamp) {
        self.state = State::Known;
        let pod = pod.trimmed();
        // It is nobody else's end.
        let is_own = self.known.get(pod.uid()).is_none_or(|known| known.metadata.uid == pod.metadata.uid);
        if is_own {
            self.known.remove(pod.uid());
            self.remember(Arc::new(pod), Gone::At(now));
        }
    }

    fn remember(&mut self, pod: Arc<PodObject>, gone: Gone) {
        if self.gone.len() >= GONE {
            self.gone.remove(0);
        }
        self.gone.push(GonePod { pod, gone });
    }

    /// All of them are listed from here on.
    pub fn begin_list(&mut self) {
        self.listed = Some(HashMap::new());
    }

    pub fn list(&mut self, pod: PodObject) {
        keep(self.listed.get_or_insert_default(), pod.trimmed());
    }

    /// Those that were not listed are gone.
    pub fn end_list(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        let before = std::mem::replace(&mut self.known, listed);
        for (uid, pod) in before {
            if !self.known.contains_key(&uid) {
                self.remember(pod, Gone::Unknown);
            }
        }
        self.state = State::Known;
    }

    /// The API does not answer.
    pub fn lose(&mut self, why: String) {
        self.state = State::Lost(why, Instant::now());
    }

    /// It is not asked any more.
    pub fn end(&mut self, why: String) {
        self.state = State::Ended(why);
    }

    /// It does not answer, and why.
    #[must_use]
    pub fn lost(&self) -> Option<&str> {
        match &self.state {
            State::Lost(why, _) | State::Ended(why) => Some(why),
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

/// Keeps the latest of a pod; of two that claim the same uid the first, and of too many those that were there.
fn keep(pods: &mut HashMap<String, Arc<PodObject>>, pod: PodObject) {
    let has_room = pods.len() < MOST;
    match pods.get_mut(pod.uid()) {
        Some(known) if known.metadata.uid == pod.metadata.uid => *known = Arc::new(pod),
        Some(_) => {}
        None if has_room => _ = pods.insert(pod.uid().to_owned(), Arc::new(pod)),
        None => {}
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
        assert_eq!(pods.find("a").unwrap().1, None);
        pods.end_list();
        pods.apply(pod("b"));
        assert!(pods.find("c").unwrap_err().contains("no such pod on node n1"));
        let now = Timestamp::UNIX_EPOCH;
        pods.delete(pod("a"), now);
        assert_eq!(pods.find("a").unwrap().1, Some(Gone::At(now)));
        // What a new list does not have, has ended meanwhile.
        pods.lose("refused".to_owned());
        assert_eq!(pods.find("c").unwrap_err(), "refused");
        pods.begin_list();
        pods.end_list();
        assert_eq!(pods.find("b").unwrap().1, Some(Gone::Unknown));
        for number in 0..GONE {
            pods.delete(pod(&format!("g{number}")), now);
        }
        assert_eq!(pods.gone.len(), GONE);
        assert!(pods.find("b").is_err());
    }

    #[test]
    fn what_is_deleted_after_a_kill_does_not_explain_it() {
        let kill: Timestamp = "2026-11-26T10:00:03Z".parse().unwrap();
        for (gone, explains) in [
            (Gone::At("2026-11-26T09:59:00Z".parse().unwrap()), true),
            (Gone::At(kill), true),
            (Gone::At("2026-11-26T10:00:04Z".parse().unwrap()), true),
            (Gone::At("2026-11-26T10:00:04.001Z".parse().unwrap()), false),
            (Gone::Unknown, false),
        ] {
            assert_eq!(gone.explains(kill), explains, "{gone:?}");
        }
    }

    #[test]
    fn a_mirror_has_the_uid_that_the_kubelet_gave() {
        let mut mirror = pod("api");
        let hash = "0123456789abcdef0123456789abcdef";
        mirror.metadata.annotations.mirror = Some(hash.to_owned());
        let mut pods = Pods::default();
        pods.apply(mirror.clone());
        assert!(pods.find(hash).is_ok() && pods.find("api").is_err());
        // Another one that claims to be its image neither takes its place nor ends it.
        let mut other = pod("other");
        other.metadata.annotations.mirror = Some(hash.to_owned());
        pods.apply(other.clone());
        pods.delete(other, Timestamp::UNIX_EPOCH);
        assert_eq!(pods.find(hash).unwrap().0.metadata.uid, "api");
        // Nor is it that of any other pod.
        let victim = "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";
        mirror.metadata.annotations.mirror = Some(victim.to_owned());
        let mut pods = Pods::default();
        pods.apply(mirror);
        assert!(pods.find(victim).is_err() && pods.find("api").is_ok());
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
