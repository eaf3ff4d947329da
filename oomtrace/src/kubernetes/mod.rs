//! What the Kubernetes API says of the pods of this node, and what is said to it: Events on pods whose containers were killed.
//!
//! A thread of its own talks to the API (Cargo feature `kubernetes`): neither events nor verdicts ever wait for the network beyond a
//! budget. What can be had of pods is pure, and there without that feature: recordings hold it.

#[cfg(feature = "kubernetes")]
mod access;
#[cfg(feature = "kubernetes")]
mod api;
#[cfg(feature = "kubernetes")]
mod api_event;
#[cfg(feature = "kubernetes")]
mod cordon;
pub mod describe;
#[cfg(feature = "kubernetes")]
mod managed_field;
#[cfg(feature = "kubernetes")]
mod node_name;
pub mod object;
#[cfg(feature = "kubernetes")]
mod owners;
pub mod pods;
pub mod quantity;
pub mod report;
#[cfg(feature = "kubernetes")]
mod reporting;
pub mod said;
#[cfg(feature = "kubernetes")]
mod thread;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

use crate::kubernetes::object::{ContainerStatus, PodObject, Terminated};
use crate::kubernetes::pods::Pods;
use crate::kubernetes::report::Report;
use crate::kubernetes::said::{Deletion, EventSaid, OwnerSaid, PodSaid};
use crate::model::{Container, PodOwner};

/// Questions and Events that wait for the thread; what comes beyond is not asked, or not said.
#[cfg(feature = "kubernetes")]
const WAITING: usize = 256;
/// How often it is looked whether the API knows a pod by now.
const LOOK: Duration = Duration::from_millis(10);
const TOO_MANY: &str = "too many questions wait for it already";
const MORE: &str = "there are more Events on its pod than are read";
const OTHER: &str = "its pod of that uid has another name than the runtime says";
const LATE: &str = "it had not answered in time";

/// How the API is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// This node's name in the cluster, if it is named; else the API knows it by its boot.
    pub node: Option<String>,
    /// The host's name, as a kubelet names its node by default.
    pub host: String,
    /// The kernel's id of this boot, as a node's status has it.
    pub boot_id: Option<String>,
    /// A file with credentials; else the service account's, or those of root's in a usual place.
    pub kubeconfig: Option<std::path::PathBuf>,
    /// Whether Events are put on pods: always, never, or when this runs in the cluster.
    pub events: EventsMode,
}

/// Whether Events are put on pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventsMode {
    /// When it runs in the cluster, by its service account: of several oomtraces on a node one alone should.
    #[default]
    InCluster,
    On,
    Off,
}

/// The API, as the rest of oomtrace sees it. Clones are the same.
#[derive(Clone, Debug)]
pub struct Kubernetes(Result<Arc<Link>, Arc<str>>);

/// To the thread.
#[derive(Debug)]
struct Link {
    pods: Arc<Mutex<Pods>>,
    /// All pods were listed, for which a lot was read.
    listed: Arc<Notify>,
    asks: mpsc::Sender<Ask>,
    events: mpsc::Sender<Report>,
}

/// A question to the thread.
#[derive(Debug)]
#[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "the thread that reads it comes with the feature"))]
struct Ask {
    object: Arc<PodObject>,
    kill: Timestamp,
    /// Why it was killed is asked, and not only who owns it.
    why: bool,
    /// The pod is being deleted, or is gone.
    is_deleted: bool,
    /// What is known so far, more of it each time.
    reply: mpsc::UnboundedSender<Result<Told, String>>,
}

/// The thread's answer.
#[derive(Clone, Debug, Default)]
struct Told {
    events: Vec<EventSaid>,
    owner: Option<PodOwner>,
    owner_said: Option<OwnerSaid>,
    cordoned: Option<bool>,
    /// There are more Events.
    is_cut: bool,
    /// Why it says nothing of taints, where it does not.
    taints_missing: Option<String>,
}

/// What is asked about a victim.
#[derive(Clone, Debug)]
pub struct Question {
    /// The pod's uid, as its cgroup has it.
    pub uid: String,
    /// The pod's namespace and name, as its runtime has them.
    pub pod: Option<(String, String)>,
    /// The container's name.
    pub container: Option<String>,
    pub container_id: String,
    pub kill: Timestamp,
    /// The verdict may depend on it.
    pub why: bool,
}

/// What is known by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub said: Option<PodSaid>,
    pub owner: Option<PodOwner>,
    /// Why there is no more, in words.
    pub missing: Option<String>,
    object: Option<Arc<PodObject>>,
}

impl Question {
    /// The API's pod is the one that the runtime has.
    fn is_about(&self, object: &PodObject) -> bool {
        let meta = &object.metadata;
        self.pod.as_ref().is_none_or(|(namespace, name)| (namespace, name) == (&meta.namespace, &meta.name))
    }

    /// About a pod's container, and its end then; none where it is in no pod.
    #[must_use]
    pub fn of(container: &Container, kill: Timestamp, why: bool) -> Option<Self> {
        let pod = container.pod.as_ref()?;
        Some(Self {
            uid: pod.uid.clone()?,
            pod: pod.namespace.clone().zip(pod.name.clone()),
            // The API has no container of that name.
            container: container.name.clone().filter(|_| !pod.sandbox),
            container_id: container.id.clone(),
            kill,
            why,
        })
    }

    /// The container's name: its runtime's word, or where that gave none the kubelet's, which knows it by its id.
    fn name_in<'a>(&'a self, object: &'a PodObject) -> Option<&'a str> {
        self.container.as_deref().or_else(|| object.name_of(&self.container_id))
    }
}

impl Answer {
    /// Adds what the API says of the victim's container, and of its pod, to their description.
    pub fn describe(&self, question: &Question, container: &mut Container) {
        let Some(object) = &self.object else { return };
        let name = question.name_in(object);
        let Some(pod) = &mut container.pod else { return };
        describe::describe(object, name, &question.container_id, pod);
        if let Some(owner) = &self.owner {
            pod.owner = Some(owner.clone());
        }
        if container.name.is_none() {
            container.name = name.map(str::to_owned);
        }
        if container.image.is_none() {
            container.image.clone_from(&pod.image);
        }
    }
}

impl Kubernetes {
    /// Nothing is asked; `why` says why not.
    #[must_use]
    pub fn off(why: &str) -> Self {
        Self(Err(why.into()))
    }

    /// Finds credentials, and starts the thread. What cannot be reached now is tried again; where there are no credentials nothing is asked.
    #[cfg(feature = "kubernetes")]
    #[must_use]
    pub fn start(options: &Options) -> Self {
        match access::find(options).and_then(|access| thread::start(access, options)) {
            Ok(link) => Self(Ok(Arc::new(link))),
            Err(error) => Self::off(&error.to_string()),
        }
    }

    /// This oomtrace cannot ask it.
    #[cfg(not(feature = "kubernetes"))]
    #[must_use]
    pub fn start(_: &Options) -> Self {
        Self::off("this oomtrace was built without the feature kubernetes")
    }

    /// The API is asked.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_ok()
    }

    /// Why nothing is asked.
    #[must_use]
    pub fn why_off(&self) -> Option<&str> {
        self.0.as_ref().err().map(AsRef::as_ref)
    }

    /// Waits until it says how many pods this node has, for so long; with the node's name.
    ///
    /// # Errors
    /// Why it does not, in words.
    pub async fn reach(&self, within: Duration) -> Result<(usize, String), String> {
        let link = self.0.as_ref().map_err(ToString::to_string)?;
        let until = Instant::now() + within;
        loop {
            let count = link.pods().count();
            if count.is_ok() || Instant::now() >= until {
                return count;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Completes each time that all pods were listed. Cancel-safe.
    pub async fn listed(&self) {
        match &self.0 {
            Ok(link) => link.listed.notified().await,
            Err(_) => std::future::pending().await,
        }
    }

    /// What the API says of a victim's pod, as far as it does within that time.
    pub async fn ask(&self, question: &Question, within: Duration) -> Answer {
        let link = match &self.0 {
            Ok(link) => link,
            Err(why) => return Answer { missing: question.why.then(|| why.to_string()), ..Answer::default() },
        };
        let until = Instant::now() + within;
        let (object, gone) = loop {
            // The lock is released before anything is waited for.
            let found = link.pods().find(&question.uid);
            match found {
                Ok(found) => break found,
                Err(missing) if Instant::now() >= until => {
                    return Answer { missing: question.why.then_some(missing), ..Answer::default() };
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        };
        if !question.is_about(&object) {
            let missing = question.why.then(|| OTHER.to_owned());
            return Answer { missing, ..Answer::default() };
        }
        let mut said = describe::said(&object, question.name_in(&object), &question.container_id, question.kill);
        if said.deletion.is_none() && gone.is_some_and(|gone| gone.explains(question.kill)) {
            said.deletion = Some(Deletion { asked_before_ms: None, grace_s: None, is_gone: true });
        }
        let (reply, answers) = mpsc::unbounded_channel();
        let is_deleted = said.deletion.is_some();
        let ask = Ask { object: Arc::clone(&object), kill: question.kill, why: question.why, is_deleted, reply };
        let told = match link.asks.try_send(ask) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(TOO_MANY.to_owned()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(link.pods().lost().unwrap_or(LATE).to_owned()),
            Ok(()) => latest(answers, until).await,
        };
        let pods = link.pods();
        said.server_minor = pods.server_minor();
        let (told, missing) = match told {
            Ok(told) => {
                let missing: Vec<String> =
                    told.is_cut.then(|| MORE.to_owned()).into_iter().chain(told.taints_missing.clone()).collect();
                let missing = (!missing.is_empty()).then(|| missing.join("; "));
                (told, missing)
            }
            Err(error) => (Told::default(), question.why.then_some(error)),
        };
        (said.events, said.owner, said.cordoned) = (told.events, told.owner_said, told.cordoned);
        said.is_owner_unknown = said.owner.is_none() && object.controller().is_some_and(|owner| owner.kind != "Node");
        said.preemptor = pods.preemptor(&said, question.kill);
        Answer { said: Some(said), owner: told.owner, missing, object: Some(object) }
    }

    /// Adds what the API says now of a pod's container that nobody killed, as far as it does within that time. One that its runtime has not
    /// confirmed stays as it is.
    pub async fn describe(&self, container: &mut Container, within: Duration) {
        if container.confirmed
            && let Some(question) = Question::of(container, Timestamp::now(), false)
        {
            self.ask(&question, within).await.describe(&question, container);
        }
    }

    /// A pod's namespace and name; none where the API does not know it.
    #[must_use]
    pub fn name_of(&self, uid: &str) -> Option<String> {
        let (object, _) = self.0.as_ref().ok()?.pods().find(uid).ok()?;
        Some(pods::name(&object))
    }

    /// How the kubelet says that a container ended; none while it does not say.
    #[must_use]
    pub fn end_of(&self, question: &Question) -> Option<Terminated> {
        let link = self.0.as_ref().ok()?;
        let (object, _) = link.pods().find(&question.uid).ok().filter(|(object, _)| question.is_about(object))?;
        describe::end_of(&object, question.name_in(&object)?, &question.container_id)
    }

    /// How the kubelet says that the containers of a pod ended, by their names: the present one of each, where it has ended, and the one
    /// before it. Empty where the API does not know the pod.
    #[must_use]
    pub fn ends_of(&self, uid: &str) -> Vec<(String, Terminated)> {
        let Some((object, _)) = self.0.as_ref().ok().and_then(|link| link.pods().find(uid).ok()) else {
            return Vec::new();
        };
        let of = |status: &ContainerStatus| {
            let name = status.name.clone();
            status.ends().map(|ended| (name.clone(), ended.clone())).collect::<Vec<_>>()
        };
        object.statuses().flat_map(of).collect()
    }

    /// Puts an Event on a pod, as soon as can be, if Events are wanted.
    pub fn report(&self, report: Report) {
        let Ok(link) = &self.0 else { return };
        // It is closed where no Events are wanted.
        if matches!(link.events.try_send(report), Err(mpsc::error::TrySendError::Full(_))) {
            link.pods().count_unsaid();
        }
    }

    /// Events that could not be put on their pods, since it was asked last.
    #[must_use]
    pub fn take_unsaid(&self) -> u64 {
        self.0.as_ref().map_or(0, |link| link.pods().take_unsaid())
    }
}

/// What the thread had answered by then, or in the end.
async fn latest(mut answers: mpsc::UnboundedReceiver<Result<Told, String>>, until: Instant) -> Result<Told, String> {
    let mut latest = Err(LATE.to_owned());
    while let Ok(Some(answer)) = tokio::time::timeout_at(until.into(), answers.recv()).await {
        latest = answer;
    }
    latest
}

impl Link {
    fn pods(&self) -> MutexGuard<'_, Pods> {
        lock(&self.pods)
    }
}

/// A thread that panicked leaves what it had written last.
fn lock(pods: &Mutex<Pods>) -> MutexGuard<'_, Pods> {
    pods.lock().unwrap_or_else(PoisonError::into_inner)
}
