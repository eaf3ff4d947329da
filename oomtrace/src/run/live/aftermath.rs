//! What becomes known of an incident after its verdict, which does not wait for it: what a runtime and the kubelet say of the container's
//! end, asked once they have had the time to notice; and why the kubelet had it killed, where the Kubernetes API is late to say so.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::container::directory::Directory;
use crate::container::runtime::docker::Docker;
use crate::container::runtime::docker::run_state::RunState;
use crate::judge::contradiction::{of_docker, of_kubelet};
use crate::judge::{judge, may_api_explain};
use crate::kubernetes::{Kubernetes, Question};
use crate::model::{Contradiction, Correction, Incident, MissingPart, Record, Source};
use crate::placement::Runtime;
use crate::redact::Privacy;
use crate::resolve::case::Case;
use crate::run::names;
use crate::words::conclude_as;
use crate::words::contradiction::{docker_says, kubelet_says};

/// Ends that are followed at a time; those of a storm are not all.
const MAX_FOLLOWED: usize = 64;
/// When the runtime is asked, in milliseconds after the time before.
const ASKED_AFTER_MS: [u64; 6] = [50, 100, 200, 400, 800, 1600];
/// The same of the Kubernetes API: the kubelet writes a pod's status within ten seconds.
const API_ASKED_AFTER_MS: [u64; 6] = [250, 750, 2000, 4000, 7000, 8000];
/// And each time is waited for so long.
const API_WITHIN: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub struct Aftermath {
    directory: Directory,
    kubernetes: Kubernetes,
    privacy: Privacy,
    followed: JoinSet<Option<Followed>>,
}

/// What became known.
pub enum Followed {
    /// A runtime or the kubelet says something else.
    Contradiction(Contradiction),
    /// The incident as the Kubernetes API leaves it; with a correction, if it is another one now.
    Settled {
        incident: Box<Incident>,
        correction: Option<Correction>,
        /// It was put out before.
        was_put: bool,
    },
}

impl Aftermath {
    pub fn new(directory: Directory, kubernetes: Kubernetes, privacy: Privacy) -> Self {
        Self { directory, kubernetes, privacy, followed: JoinSet::new() }
    }

    pub fn is_idle(&self) -> bool {
        self.followed.is_empty()
    }

    /// Follows the end of the incident's container, when it ends with the victim, and Docker or the kubelet knows it.
    pub fn follow(&mut self, incident: &Incident) {
        if self.followed.len() >= MAX_FOLLOWED {
            return;
        }
        let Some(container) = incident.container.as_ref().filter(|container| container.confirmed) else { return };
        // Not of a user's own Docker.
        let is_dockers = container.user.is_none() && container.runtime == Some(Runtime::Docker);
        if is_dockers && incident.victim.container_init {
            if let Some(docker) = self.directory.docker() {
                self.followed.spawn_local(follow(docker, incident.clone(), self.privacy));
            }
        } else if self.kubernetes.is_on()
            && container.user.is_none()
            && (incident.victim.container_init || incident.oom.is_some())
            && !container.pod.as_ref().is_some_and(|pod| pod.sandbox)
            && let Ok(kill) = incident.time.parse()
            && let Some(question) = Question::of(container, kill, false)
        {
            self.followed.spawn_local(follow_kubelet(self.kubernetes.clone(), question, incident.clone()));
        }
    }

    /// Asks the Kubernetes API for what it may still say of a case, which was put out or not; whether there is room for that.
    pub fn follow_open(&mut self, case: Box<Case>, was_put: bool) -> bool {
        let has_room = self.followed.len() < MAX_FOLLOWED;
        if has_room {
            self.followed.spawn_local(settle(self.kubernetes.clone(), case, was_put, self.privacy));
        }
        has_room
    }

    /// What became known next of one of those followed; none when nothing did. Cancel-safe.
    pub async fn next(&mut self) -> Option<Followed> {
        match self.followed.join_next().await? {
            Ok(found) => found,
            Err(error) => {
                log::error!("what is said of an end was not asked: {error}");
                None
            }
        }
    }
}

/// Asks until the case is explained, or no more is to be expected.
async fn settle(kubernetes: Kubernetes, mut case: Box<Case>, was_put: bool, privacy: Privacy) -> Option<Followed> {
    let before = judge(&case);
    let question = names::question(&case.incident, &before)?;
    let mut settled = before.clone();
    for after in API_ASKED_AFTER_MS {
        tokio::time::sleep(Duration::from_millis(after)).await;
        let mut answer = kubernetes.ask(&question, API_WITHIN).await;
        if let Some(container) = &mut case.incident.container {
            answer.describe(&question, container);
            privacy.container(container);
        }
        answer.said.iter_mut().flat_map(|said| said.texts()).for_each(|text| *text = privacy.text(text));
        if answer.missing.is_none() {
            case.incident.forget_missing(MissingPart::KubeletReason);
        }
        if let Some(said) = answer.said {
            let before = case.pod.take();
            let mut said = said.after(before.as_ref());
            // What was not said this time was said before.
            if answer.missing.is_some() {
                said.events = before.map(|before| before.events).unwrap_or_default();
            }
            case.pod = Some(said);
        }
        settled = judge(&case);
        if !may_api_explain(&settled, &case.incident) {
            break;
        }
    }
    let is_other =
        (settled.cause, settled.confidence, &settled.reason) != (before.cause, before.confidence, &before.reason);
    let Record::Incident(incident) = conclude_as(*case, &settled) else { return None };
    let correction = incident.verdict.clone().filter(|_| is_other).map(|verdict| Correction {
        incident: incident.id.clone(),
        time: now(),
        verdict,
        container: incident.container.clone(),
        missing: incident.missing.clone(),
        missing_parts: incident.missing_parts.clone(),
    });
    Some(Followed::Settled { incident: Box::new(incident), correction, was_put })
}

/// What the kubelet says of the container's end, once it does.
async fn follow_kubelet(kubernetes: Kubernetes, question: Question, incident: Incident) -> Option<Followed> {
    for after in API_ASKED_AFTER_MS {
        tokio::time::sleep(Duration::from_millis(after)).await;
        let Some(said) = kubernetes.end_of(&question) else { continue };
        let (reason, exit_code) = (said.reason.as_deref(), said.exit_code);
        let found = of_kubelet(&incident, reason, exit_code)?;
        return contradicted(incident, kubelet_says(&found, reason, exit_code), Source::Kubernetes);
    }
    None
}

async fn follow(docker: Docker, incident: Incident, privacy: Privacy) -> Option<Followed> {
    let said = end_of(&docker, &incident.container.as_ref()?.id).await?;
    let fact = privacy.text(&docker_says(&of_docker(&incident, &said)?));
    contradicted(incident, fact, Source::Runtime)
}

/// Now, about the end of the incident's container.
fn contradicted(incident: Incident, fact: String, source: Source) -> Option<Followed> {
    let Incident { id: incident, container, .. } = incident;
    Some(Followed::Contradiction(Contradiction { incident, time: now(), container: container?, fact, source }))
}

fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
}

/// How the container ended; none when it does not, runs again, or Docker no longer knows it.
async fn end_of(docker: &Docker, id: &str) -> Option<RunState> {
    let mut first: Option<RunState> = None;
    for after in ASKED_AFTER_MS {
        tokio::time::sleep(Duration::from_millis(after)).await;
        let now = docker.state(id).await.ok()?;
        let restarted = first.as_ref().is_some_and(|first| first.started_at != now.started_at);
        if restarted {
            return None;
        }
        if !now.running {
            return Some(now);
        }
        first.get_or_insert(now);
    }
    None
}
