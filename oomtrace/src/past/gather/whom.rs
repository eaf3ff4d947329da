//! Who is meant.

use crate::container::list::list;
use crate::container::runtime::docker::DockerError;
use crate::model::{Container, TargetKind};
use crate::node::namespaces;
use crate::past::answer::{Subject, described};
use crate::past::gather::candidates::{spelled_apart, told_apart};
use crate::past::gather::ended::ended;
use crate::past::gather::former::former;
use crate::past::gather::listed::named;
use crate::past::gather::{KernelLog, Places, kubernetes};
use crate::past::imitated::Word;
use crate::past::target::{Asked, Fit, fits, fits_pod, spelled};
use crate::past::units;
use crate::placement::{Placement, Runtime};
use crate::text::{pod_name, short_id};

/// Digits of an id as runtimes show it.
const SHORT_ID: usize = 12;

/// A target.
#[derive(Clone, Debug, PartialEq)]
pub struct Whom {
    pub kind: TargetKind,
    pub name: String,
    pub container: Option<Container>,
    pub pod_uid: Option<String>,
    pub unit: Option<String>,
    pub pid: Option<u32>,
    /// The container has a cgroup now.
    pub is_there: Option<bool>,
    /// The container is one that its runtime has removed.
    pub is_removed: bool,
}

impl Whom {
    /// The same, as the answer says it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            container: self.container.clone().filter(|_| self.kind == TargetKind::Container),
            unit: self.unit.clone(),
            pid: self.pid,
            is_running: self.is_there,
            ..Subject::new(self.kind, self.name.clone())
        }
    }

    /// A container; whether it has a cgroup now.
    #[must_use]
    pub fn container(container: Container, is_there: Option<bool>) -> Self {
        let name = container.name.clone().unwrap_or_else(|| short_id(&container.id).to_owned());
        Self {
            kind: TargetKind::Container,
            name,
            container: Some(container),
            pod_uid: None,
            unit: None,
            pid: None,
            is_there,
            is_removed: false,
        }
    }

    /// The pod that the container is, or was, in; none when it is in none that has a name or a uid.
    #[must_use]
    pub fn pod(container: &Container, is_there: Option<bool>) -> Option<Self> {
        let pod = container.pod.as_ref()?;
        let name = match (&pod.namespace, &pod.name) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            _ => pod.name.clone().or_else(|| pod.uid.clone())?,
        };
        Some(Self {
            kind: TargetKind::Pod,
            name,
            container: None,
            pod_uid: pod.uid.clone(),
            unit: None,
            pid: None,
            is_there,
            is_removed: false,
        })
    }

    fn unit(name: String) -> Self {
        Self {
            kind: TargetKind::Unit,
            name: name.clone(),
            container: None,
            pod_uid: None,
            unit: Some(name),
            pid: None,
            is_there: None,
            is_removed: false,
        }
    }

    fn pid(pid: u32) -> Self {
        let is_there = Some(std::path::Path::new(&format!("/proc/{pid}")).exists());
        Self {
            kind: TargetKind::Process,
            name: pid.to_string(),
            container: None,
            pod_uid: None,
            unit: None,
            pid: Some(pid),
            is_there,
            is_removed: false,
        }
    }

    /// What stands for its being what it is called. Of pods and units that is not known here.
    #[must_use]
    pub fn word(&self) -> Word {
        let container = self.container.as_ref().filter(|_| self.kind == TargetKind::Container);
        container.map_or(Word::Runtimes, Word::of)
    }
}

/// What a word was found to mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    One(Box<Whom>),
    /// Several: how each would be asked for, and what it is.
    Several(Vec<(String, String)>),
    /// Nobody that is known; who may have been meant, and why not all could be asked.
    Nobody {
        near: Vec<String>,
        missing: Vec<String>,
    },
}

/// Everybody who is there, or whom a runtime still knows.
struct Known {
    containers: Vec<(Container, bool)>,
    missing: Vec<String>,
}

/// Finds out whom `asked` means. Must run inside a `LocalSet`.
pub async fn resolve(places: &Places, asked: &Asked, log: &KernelLog) -> Choice {
    let mut known = Known { containers: Vec::new(), missing: Vec::new() };
    let only_unit_or_process = matches!(asked.kind, Some(TargetKind::Unit | TargetKind::Process));
    if !only_unit_or_process {
        known = everybody(places, &asked.word).await;
    }
    let mut found: Vec<Whom> = Vec::new();
    if asked.may_be(TargetKind::Container) {
        let fitting: Vec<(Fit, &Container, bool)> = known
            .containers
            .iter()
            .filter_map(|(container, is_there)| Some((fits(container, &asked.word)?, container, *is_there)))
            .collect();
        // What users have of their own, or may have called so, does not make the machine's ambiguous: it goes by its id.
        let best = fitting.iter().map(|(_, container, _)| Word::of(container)).max();
        let is_meant = |container: &Container| best.is_none_or(|best| Word::of(container) >= best.min(Word::Roots));
        let fitting: Vec<_> = fitting.into_iter().filter(|(_, container, _)| is_meant(container)).collect();
        let best = fitting.iter().map(|(fit, ..)| *fit).max();
        // A name that is as long as the ids that runtimes show, and the beginning of another's, may be meant for that.
        let is_like_id = asked.word.len() >= SHORT_ID;
        let best = fitting.into_iter().filter(|(fit, ..)| Some(*fit) == best || is_like_id);
        found.extend(best.map(|(_, container, is_there)| Whom::container(container.clone(), Some(is_there))));
    }
    if asked.may_be(TargetKind::Pod) {
        for (container, is_there) in known.containers.iter().filter(|(container, _)| fits_pod(container, &asked.word)) {
            let pod = Whom::pod(container, Some(*is_there));
            let is_new = pod
                .as_ref()
                .is_some_and(|pod| !found.iter().any(|known| known.pod_uid == pod.pod_uid && known.kind == pod.kind));
            found.extend(pod.filter(|_| is_new));
        }
    }
    if asked.may_be(TargetKind::Unit) {
        let name = asked.unit_name();
        let is_known =
            namespaces::is_booted_by_systemd() == Some(true) && units::show(&name).is_ok_and(|unit| unit.is_loaded);
        if is_known || asked.is_unit() {
            found.push(Whom::unit(name));
        }
    }
    // A container's whole name is what it is: a number without one is a process.
    found.extend(asked.pid().map(Whom::pid));
    // Neither a unit of its name nor what a user has hides a container of the machine's that is removed.
    let has_machines = found
        .iter()
        .any(|whom| whom.kind == TargetKind::Pod || (whom.container.is_some() && whom.word() >= Word::Roots));
    if !has_machines && asked.may_be(TargetKind::Container) {
        let is_all = found.is_empty();
        let former = former(places, asked, log, is_all.then_some(&mut known.missing)).await;
        found.splice(..0, former);
    }
    if found.is_empty() && asked.may_be(TargetKind::Container) {
        found.extend(only_in_log(asked, log));
    }
    found = told_apart(found);
    match found.len() {
        0 => Choice::Nobody { near: near(&asked.word, &known.containers), missing: known.missing },
        1 => Choice::One(Box::new(found.remove(0))),
        _ => Choice::Several(spelled_apart(&found, |whom| container_of(whom, &known))),
    }
}

/// How it would be asked for without doubt, and what it is.
#[must_use]
pub fn spelled_out(whom: &Whom) -> (String, String) {
    (spelled(whom.kind, whom.container.as_ref(), &whom.name), described_as(whom))
}

/// A container of it, for its name.
fn container_of(whom: &Whom, known: &Known) -> Option<Container> {
    let of_pod = |uid: &String| {
        let is_its =
            |container: &&(Container, bool)| container.0.pod.as_ref().is_some_and(|pod| pod.uid.as_ref() == Some(uid));
        known.containers.iter().find(is_its).map(|(container, _)| container.clone())
    };
    whom.container.clone().or_else(|| whom.pod_uid.as_ref().and_then(of_pod))
}

pub fn described_as(whom: &Whom) -> String {
    match (whom.kind, &whom.container) {
        (TargetKind::Container, Some(container)) => {
            let runtime = container.runtime.map_or("a runtime", Runtime::name);
            let pod =
                container.pod.as_ref().and_then(pod_name).map(|pod| format!(", in pod {pod}")).unwrap_or_default();
            let is = if whom.is_there == Some(true) { "runs" } else { "has ended" };
            format!("{runtime} container {}{pod}, {is}", described(container))
        }
        (TargetKind::Pod, _) => format!("pod {}", whom.name),
        (TargetKind::Unit, _) => format!("systemd unit {}", whom.name),
        _ => format!("process {}", whom.name),
    }
}

/// All containers: those that have a cgroup, and those that Docker still knows; of the latter, where they are too many, those of that name.
async fn everybody(places: &Places, word: &str) -> Known {
    let listed = list(&places.directory, &places.hierarchies).await;
    let mut containers: Vec<(Container, bool)> = listed.into_iter().map(|listed| (listed.container, true)).collect();
    let mut missing = Vec::new();
    let docker = &places.directory.sources().docker;
    match named(docker, word).await {
        Ok(all) => {
            for (id, metadata) in all {
                let is_it = |container: &Container| container.id == id && container.user.is_none();
                if containers.iter().any(|(container, _)| is_it(container) && container.confirmed) {
                    continue;
                }
                // What a cgroup's name alone says is nothing against Docker's own word.
                containers.retain(|(container, _)| !is_it(container));
                containers.push((ended(id, &metadata), false));
            }
        }
        Err(error @ DockerError::Connect { .. }) if !docker.socket().exists() => {
            missing.push(format!("{error} (--docker-socket names another)"));
        }
        Err(error) => missing.push(format!("containers of Docker's that do not run ({error})")),
    }
    kubernetes::describe(places, &mut containers).await;
    Known { containers, missing }
}

/// A container that only the kernel's log still knows, by the beginning of its id.
fn only_in_log(asked: &Asked, log: &KernelLog) -> Vec<Whom> {
    let mut found: Vec<Whom> = Vec::new();
    for report in log.reports.iter().rev() {
        let placement = report.cgroup.as_deref().map(Placement::parse).unwrap_or_default();
        for place in placement.containers() {
            let container = Container { confirmed: false, ..place.container() };
            let is_new =
                !found.iter().any(|whom| whom.container.as_ref().is_some_and(|known| known.id == container.id));
            if is_new && fits(&container, &asked.word).is_some() {
                found.push(Whom::container(container, Some(false)));
            }
        }
    }
    found
}

/// Names that are like it.
fn near(word: &str, containers: &[(Container, bool)]) -> Vec<String> {
    const ALIKE: f64 = 0.8;
    let mut near: Vec<(f64, String)> = containers
        .iter()
        .filter_map(|(container, _)| container.name.clone())
        .map(|name| (strsim::jaro_winkler(word, &name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.dedup_by(|one, other| one.1 == other.1);
    near.into_iter().map(|(_, name)| name).take(3).collect()
}
