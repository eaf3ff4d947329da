//! What runtimes and the Kubernetes API say of an incident's containers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::container::directory::{Completed, Directory, Partial, Recalled, Victim};
use crate::container::pod_usage::largest_besides;
use crate::container::runtime::docker::events;
use crate::judge::judgement::{Judgement, Reason};
use crate::judge::{judge, may_api_explain};
use crate::kubernetes::said::PodSaid;
use crate::kubernetes::{Kubernetes, Question};
use crate::model::{Cause, Container, Evidence, Incident, LimitLevel, MissingPart, Source};
use crate::node::processes;
use crate::placement::{ContainerPlace, is_roots};
use crate::redact::Privacy;
use crate::resolve::case::{Case, EarlierByCause, Places};
use crate::resolve::lives_before::{add_kept, add_limits};
use crate::store::Identity;
use crate::store::sink::Asker;
use crate::text::quote::quote;
use crate::text::{bytes, nanoseconds};

/// A runtime does what it is asked for within this time, in milliseconds.
const ASKED_BEFORE_MS: u64 = 2000;

/// A verdict waits for the Kubernetes API for so long; what comes later corrects it.
const API_WITHIN: Duration = Duration::from_millis(100);

/// The containers of an incident, as their runtimes and the Kubernetes API know them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Names {
    container: Option<Container>,
    sender: Option<Container>,
    #[serde(default)]
    requester: Option<Container>,
    /// What a runtime said of the kill.
    #[serde(default)]
    said: Vec<String>,
    /// What the Kubernetes API said of the victim's pod.
    #[serde(default)]
    pod: Option<PodSaid>,
    /// What the node's cgroups say besides.
    #[serde(default)]
    seen: Vec<String>,
    /// Cgroups that only have the name of a container's.
    #[serde(default)]
    refuted: Vec<String>,
    /// What the runtimes did not say, in words.
    missing: Vec<String>,
    /// Why the Kubernetes API does not say why the kubelet had it killed, where it was asked.
    #[serde(default)]
    unexplained: Option<String>,
    /// What the history has of kills of the same thing before.
    #[serde(default)]
    earlier: Option<EarlierByCause>,
}

impl Names {
    /// There is a container to ask for.
    #[must_use]
    pub fn are_wanted(incident: &Incident) -> bool {
        incident.container.is_some() || incident.sender.container.is_some()
    }

    /// Asks the history what there was before; runtimes have said by now what was killed. `at_once`: there is no time to wait for it.
    pub async fn ask_history(mut self, incident: &Incident, history: Option<&Asker>, at_once: bool) -> Self {
        let Some(history) = history else { return self };
        let identity = self.identity(incident);
        if let Some(before) = nanoseconds(&incident.time) {
            self.earlier = history.ask(&identity, before, incident.oom.is_some(), at_once).await;
        }
        self
    }

    /// What the incident is of once it has these names: what it goes into the history as.
    fn identity(&self, incident: &Incident) -> Identity {
        Identity::of_named(incident, self.container.as_ref())
    }

    /// Asks the runtimes, and the Kubernetes API.
    pub async fn ask(case: &Case, directory: &Directory, kubernetes: &Kubernetes) -> Self {
        let places = &case.places;
        let victims = complete(directory, places.victim.as_ref(), Some(killed(case))).await;
        let same = places.victim == places.sender;
        let senders = if same { None } else { Some(complete(directory, places.sender.as_ref(), None).await) };
        let sender = senders.as_ref().map_or_else(|| victims.container.clone(), |its| its.container.clone());
        let mut missing = victims.missing;
        let mut refuted = victims.refuted;
        if let Some(Completed { missing: of_sender, refuted: facts, .. }) = senders {
            missing.extend(of_sender.into_iter().map(|why| format!("of the sender: {why}")));
            refuted.extend(facts);
        }
        let mut named = case.clone();
        named.incident.container = victims.container;
        named.incident.sender.container = sender;
        // Who asked is found by what the container is called.
        let judgement = judge(&named);
        let (mut requester, mut unexplained) = (None, None);
        if let Some(place) = &judgement.requesters_place {
            let asked = directory.complete(place, None).await;
            missing.extend(asked.missing.into_iter().map(|why| format!("of the requester: {why}")));
            requester = asked.container;
        }
        let is_confirmed = named.incident.container.as_ref().is_some_and(|container| container.confirmed);
        let place = places.victim.as_ref().filter(|place| is_confirmed && place.user().is_none());
        let said = place.map(|place| said(&named.incident, &judgement, place, directory)).unwrap_or_default();
        if let Some(question) = question(&named.incident, &judgement) {
            let answer = kubernetes.ask(&question, API_WITHIN).await;
            if let Some(container) = &mut named.incident.container {
                answer.describe(&question, container);
            }
            unexplained = answer.missing;
            named.pod = answer.said;
        }
        let seen = largest_pod(&named, kubernetes).into_iter().collect();
        Self {
            container: named.incident.container,
            sender: named.incident.sender.container,
            requester,
            said,
            pod: named.pod,
            seen,
            refuted,
            missing,
            unexplained,
            earlier: None,
        }
    }

    /// No runtime was waited for; `why` says what is missing for it. What was known before of the very container counts, and that it is from
    /// before is said.
    #[must_use]
    pub fn unasked(case: &Case, directory: &Directory, why: &str) -> Self {
        let Places { victim, sender, .. } = &case.places;
        let killed = killed(case);
        let recall = |place: &Option<ContainerPlace>, victim| {
            place.as_ref().map(|place| directory.recall(place, victim)).unwrap_or_default()
        };
        let (victims, known) = recall(victim, Some(killed));
        let same = case.places.victim == case.places.sender;
        let (senders, known_of_sender) = if same { (victims.clone(), known) } else { recall(sender, None) };
        let refuted = if same { victims.refuted } else { [victims.refuted, senders.refuted].concat() };
        let of_victim = victim.is_some().then(|| format!("{why}{}", from_before(known)));
        let sender = sender.as_ref().filter(|_| !same);
        let of_sender = sender.map(|_| format!("of the sender: {why}{}", from_before(known_of_sender)));
        Self {
            container: victims.container,
            sender: senders.container,
            refuted,
            missing: of_victim.into_iter().chain(of_sender).collect(),
            ..Self::none()
        }
    }

    /// There is no runtime to ask.
    #[must_use]
    pub fn none() -> Self {
        Self {
            container: None,
            sender: None,
            requester: None,
            said: Vec::new(),
            pod: None,
            seen: Vec::new(),
            refuted: Vec::new(),
            missing: Vec::new(),
            unexplained: None,
            earlier: None,
        }
    }

    /// What of them may be shown.
    #[must_use]
    pub fn private(mut self, privacy: Privacy) -> Self {
        let containers = [&mut self.container, &mut self.sender, &mut self.requester];
        containers.into_iter().flatten().for_each(|container| privacy.container(container));
        if privacy == Privacy::WithoutArguments {
            for fact in &mut self.said {
                *fact = events::without_arguments(fact).unwrap_or_else(|| std::mem::take(fact));
            }
        }
        let pods = self.pod.as_mut().into_iter().flat_map(PodSaid::texts);
        self.said
            .iter_mut()
            .chain(&mut self.refuted)
            .chain(&mut self.missing)
            .chain(&mut self.unexplained)
            .chain(pods)
            .for_each(|text| *text = privacy.text(text));
        self
    }

    /// Adds them to the case that they were asked for.
    pub fn apply(self, case: &mut Case) {
        let incident = &mut case.incident;
        incident.container = self.container;
        incident.sender.container = self.sender;
        incident.missing.extend(self.missing);
        if let Some(why) = self.unexplained {
            let entry = format!("why the kubelet had it killed (the Kubernetes API: {why})");
            incident.add_missing(MissingPart::KubeletReason, entry);
        }
        let evidence = |fact| Evidence { fact, source: Source::Runtime };
        case.statements.extend(self.said.into_iter().chain(self.refuted).map(evidence));
        case.statements.extend(self.seen.into_iter().map(|fact| Evidence { fact, source: Source::Cgroup }));
        case.requesters_container = self.requester;
        case.pod = self.pod;
        case.earlier = self.earlier;
        settle_init(case);
        settle_level(&mut case.incident);
        if let Some(earlier) = &mut case.earlier {
            let kept = std::mem::take(&mut earlier.lives);
            add_limits(&mut case.limits_before, &kept, &case.incident, case.lives_before.1);
            add_kept(&mut case.lives_before, &kept, &case.incident);
        }
    }
}

/// What the Kubernetes API is asked about the victim; none where it is in no pod. Why it was killed is asked where the verdict may depend on
/// it.
pub fn question(incident: &Incident, judgement: &Judgement) -> Option<Question> {
    let container = incident.container.as_ref()?;
    // What is only called like a pod's is one where the kubelet itself removed it, and where nobody but root makes any.
    let is_pods = container.confirmed || judgement.reason == Reason::PodCleanUp || is_roots(&container.cgroup);
    let why = may_api_explain(judgement, incident) || matches!(judgement.reason, Reason::EndedCommand { .. });
    Question::of(container, incident.time.parse().ok()?, why).filter(|_| is_pods && container.user.is_none())
}

/// Where the node was short of memory: who uses most of it now.
fn largest_pod(named: &Case, kubernetes: &Kubernetes) -> Option<String> {
    // The kubelet's own word, and not an Event's, which others may write.
    named.pod.as_ref().filter(|said| said.reason.as_deref() == Some("Evicted"))?;
    let judged = judge(named);
    let Reason::Eviction(eviction) = judged.reason else { return None };
    let pod = named.places.victim.as_ref()?.pod.as_ref().filter(|_| eviction.resource.as_deref() == Some("memory"))?;
    let (uid, usage) = largest_besides(pod.cgroup.as_deref()?)?;
    let name = kubernetes.name_of(&uid).unwrap_or(uid);
    Some(format!("of the node's other pods, {} used most memory right after: {}", quote(&name), bytes(usage)))
}

/// What is said of a container that was not asked for.
const fn from_before(recalled: Recalled) -> &'static str {
    match recalled {
        Recalled::Nothing => "",
        Recalled::Known(None) => "; what is said of it is from before",
        Recalled::Known(Some(Partial::Changed)) => "; what is said of it is from before, and it was changed since",
        Recalled::Known(Some(Partial::Listed)) => "; only its name, image and labels were known before",
        Recalled::Known(Some(Partial::Named)) => "; only its name was known before",
    }
}

fn killed(case: &Case) -> Victim {
    let victim = &case.incident.victim;
    Victim {
        pid: victim.process.pid,
        start: processes::ticks(case.places.victim_start),
        looks_like_init: victim.container_init,
    }
}

async fn complete(directory: &Directory, place: Option<&ContainerPlace>, victim: Option<Victim>) -> Completed {
    match place {
        Some(place) => directory.complete(place, victim).await,
        None => Completed::default(),
    }
}

/// Which process is the container's first one is its runtime's to say.
fn settle_init(case: &mut Case) {
    let incident = &mut case.incident;
    let Some(init) = incident.container.as_ref().and_then(|container| container.init_pid) else { return };
    let victim = &mut incident.victim;
    victim.container_init = victim.process.pid == init;
    if victim.container_init || case.exited_init.is_some_and(|exited| exited != init) {
        victim.container_exit = None;
    }
    if let Some(end) = &mut incident.init_end {
        end.of_container = end.init.pid == init;
    }
}

/// A cgroup that turned out not to be a container's has a limit of its own, as any other has.
fn settle_level(incident: &mut Incident) {
    let owner = incident.oom.as_mut().and_then(|oom| oom.limit_owner.as_mut());
    let Some(owner) = owner.filter(|owner| owner.level == LimitLevel::Container) else { return };
    if !incident.container.iter().flat_map(Container::chain).any(|container| container.owns(&owner.path)) {
        owner.level = LimitLevel::Slice;
    }
}

/// What Docker said of a kill that was asked of it, from the first stop signal on; and of one by a process that it was asked to
/// run in the container.
fn said(incident: &Incident, judgement: &Judgement, place: &ContainerPlace, directory: &Directory) -> Vec<String> {
    let asked_before = match (judgement.cause, &judgement.reason) {
        (Cause::RuntimeStopTimeout, Reason::StopTimeout(stop)) => stop.first_before_ms,
        // A node that is busy takes longer, and a shell that was brought in may kill at any time: from when somebody came to ask.
        (Cause::RuntimeKill | Cause::SameContainerKill, _) => judgement.requester_came_before_ms.unwrap_or(0),
        _ => return Vec::new(),
    };
    let Ok(kill) = incident.time.parse::<jiff::Timestamp>() else { return Vec::new() };
    let before_ns =
        i64::try_from(asked_before.saturating_add(ASKED_BEFORE_MS)).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    // 64 bits of nanoseconds last until 2262.
    let kill_ns = i64::try_from(kill.as_nanosecond()).unwrap_or_default();
    directory.said(place, kill_ns.saturating_sub(before_ns), kill_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{case, in_container, kill};

    #[test]
    fn what_was_before_is_asked_of_what_the_incident_is_kept_as() {
        let incident = in_container(kill("/usr/sbin/runc"));
        let confirmed = incident.container.clone().map(|container| Container { confirmed: true, ..container });
        // Refuted, the cgroup is no container's; confirmed, it is the named one's.
        for container in [None, confirmed, incident.container.clone()] {
            let names = Names { container, ..Names::none() };
            let asked = names.identity(&incident);
            let mut named = case(incident.clone());
            names.apply(&mut named);
            assert_eq!(asked, Identity::of(&named.incident));
        }
    }

    #[test]
    fn the_api_is_asked_of_pods_that_nobody_but_root_can_have_made() {
        const POD: &str = "kubepods/burstable/pod2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";
        let id = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";
        let asked = |above: &str, confirmed: bool| {
            let mut incident = in_container(kill("/usr/bin/bash"));
            let cgroup = format!("{above}/{POD}/{id}");
            incident.time = "2026-11-20T03:10:05Z".to_owned();
            let container = crate::placement::Placement::parse(&cgroup).container.unwrap().container();
            incident.container = Some(Container { confirmed, ..container });
            let judgement = judge(&case(incident.clone()));
            question(&incident, &judgement).is_some()
        };
        for (above, confirmed) in [("", true), ("", false), ("/node.slice", false)] {
            assert!(asked(above, confirmed), "{above} {confirmed}");
        }
        // Whoever has these makes cgroups of any name in them.
        for given in
            ["/user.slice/user-1000.slice/user@1000.service", "/system.slice/x.service", &format!("/docker/{id}")]
        {
            assert!(!asked(given, false), "{given}");
        }
    }

    #[test]
    fn of_a_container_that_was_not_asked_for_no_more_is_said_than_is_known() {
        for (recalled, said) in [
            (Recalled::Nothing, ""),
            (Recalled::Known(Some(Partial::Named)), "; only its name was known before"),
            (Recalled::Known(None), "; what is said of it is from before"),
        ] {
            assert_eq!(from_before(recalled), said);
        }
    }
}
