//! Who is meant.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::container::list::list;
use crate::container::metadata::Metadata;
use crate::container::runtime::docker::DockerError;
use crate::model::{Container, TargetKind};
use crate::node::namespaces;
use crate::past::answer::{Subject, described};
use crate::past::gather::{KernelLog, Places, podman};
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
            kind: self.kind,
            name: self.name.clone(),
            container: self.container.clone().filter(|_| self.kind == TargetKind::Container),
            unit: self.unit.clone(),
            pid: self.pid,
            is_running: self.is_there,
            running_since: None,
        }
    }

    fn container(container: Container, is_there: Option<bool>) -> Self {
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
    if found.is_empty() && asked.may_be(TargetKind::Container) {
        found.extend(former(places, asked, log, &mut known.missing).await);
    }
    if found.is_empty() && asked.may_be(TargetKind::Container) {
        found.extend(only_in_log(asked, log));
    }
    match found.len() {
        0 => Choice::Nobody { near: near(&asked.word, &known.containers), missing: known.missing },
        1 => Choice::One(Box::new(found.remove(0))),
        _ => Choice::Several(
            found
                .iter()
                .map(|whom| (spelled(whom.kind, named(whom, &known).as_ref(), &whom.name), described_as(whom)))
                .collect(),
        ),
    }
}

/// How it would be asked for without doubt, and what it is.
#[must_use]
pub fn spelled_out(whom: &Whom) -> (String, String) {
    (spelled(whom.kind, whom.container.as_ref(), &whom.name), described_as(whom))
}

/// A container of it, for its name.
fn named(whom: &Whom, known: &Known) -> Option<Container> {
    let of_pod = |uid: &String| {
        let is_its =
            |container: &&(Container, bool)| container.0.pod.as_ref().is_some_and(|pod| pod.uid.as_ref() == Some(uid));
        known.containers.iter().find(is_its).map(|(container, _)| container.clone())
    };
    whom.container.clone().or_else(|| whom.pod_uid.as_ref().and_then(of_pod))
}

fn described_as(whom: &Whom) -> String {
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
    let all = match docker.list_all().await {
        Err(error @ DockerError::Answer { .. }) => docker.list_named(word).await.map_err(|_| error),
        all => all,
    };
    match all {
        Ok(all) => {
            for (id, metadata) in all {
                if containers.iter().any(|(container, _)| container.id == id && container.confirmed) {
                    continue;
                }
                // What a cgroup's name alone says is nothing against Docker's own word.
                containers.retain(|(container, _)| container.id != id);
                containers.push((ended(id, &metadata), false));
            }
        }
        Err(error @ DockerError::Connect { .. }) if !docker.socket().exists() => {
            missing.push(format!("{error} (--docker-socket names another)"));
        }
        Err(error) => missing.push(format!("containers of Docker's that do not run ({error})")),
    }
    describe_pods(places, &mut containers).await;
    Known { containers, missing }
}

/// Adds what the Kubernetes API says, where there are pods and it says something.
async fn describe_pods(places: &Places, containers: &mut [(Container, bool)]) {
    let has_pods = containers.iter().any(|(container, _)| container.pod.is_some());
    if !has_pods || places.kubernetes.reach(super::managers::API_WITHIN).await.is_err() {
        return;
    }
    for (container, _) in containers {
        places.kubernetes.describe(container, super::managers::API_WITHIN).await;
    }
}

/// A container that has ended. Where its cgroup was goes by its runtime's driver and settings: nobody says it any longer.
pub fn ended(id: String, metadata: &Metadata) -> Container {
    let mut container = Container { id, confirmed: true, ..Container::default() };
    metadata.describe(&mut container);
    container
}

/// Containers that are removed, and of whose ends Docker's events or Podman's still tell. Of those that had one name after the other, the last.
async fn former(places: &Places, asked: &Asked, log: &KernelLog, missing: &mut Vec<String>) -> Vec<Whom> {
    let docker = &places.directory.sources().docker;
    let (all, unknown) = match docker.former(Some(&asked.word)).await {
        Ok(former) => {
            let unknown = format!("containers that Docker removed {}", before(former.since_ns));
            (former.containers, Some(unknown))
        }
        Err(error) => {
            let unknown = error.is_missing().then(|| format!("containers that Docker has removed ({error})"));
            (Vec::new(), unknown)
        }
    };
    let all = all.into_iter().map(|ended| (ended.id, ended.metadata)).chain(podman::named(log));
    let found = last_of_each_name(all.map(|(id, metadata)| ended(id, &metadata)), &asked.word);
    missing.extend(unknown.filter(|_| found.is_empty()));
    found
}

/// `before 2026-11-26 03:12:07 +01:00: its events go back no further`; of nanoseconds since 1970. None: it has none from before.
fn before(since_ns: Option<i64>) -> String {
    let since = since_ns.and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok());
    let since = since.map_or_else(
        || "some time ago".to_owned(),
        |since| format!("before {}", since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z")),
    );
    format!("{since}: its events go back no further")
}

/// Those that fit best, and of one name the last one.
fn last_of_each_name(containers: impl Iterator<Item = Container>, word: &str) -> Vec<Whom> {
    let fitting: Vec<(Fit, Container)> =
        containers.filter_map(|container| Some((fits(&container, word)?, container))).collect();
    let best = fitting.iter().map(|(fit, _)| *fit).max();
    let mut last: Vec<Container> = Vec::new();
    for (_, container) in fitting.into_iter().filter(|(fit, _)| Some(*fit) == best) {
        let is_one = |known: &Container| {
            known.id == container.id || (known.name.as_deref() == Some(word) && container.name.as_deref() == Some(word))
        };
        last.retain(|known| !is_one(known));
        last.push(container);
    }
    let removed = |container| Whom { is_removed: true, ..Whom::container(container, Some(false)) };
    last.into_iter().map(removed).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, name: &str) -> Container {
        Container { id: id.repeat(64), name: Some(name.to_owned()), ..Container::default() }
    }

    #[test]
    fn of_those_that_had_one_name_the_last_is_meant() {
        let all = || [("a", "web"), ("b", "api"), ("c", "web"), ("d", "web-2")].map(|(id, name)| container(id, name));
        let meant = |word: &str| -> Vec<String> {
            let found = last_of_each_name(all().into_iter(), word);
            found.into_iter().filter_map(|whom| Some(whom.container?.id.get(..1)?.to_owned())).collect()
        };
        assert_eq!(meant("web"), ["c"]);
        assert_eq!(meant("aaaa"), ["a"]);
        assert!(meant("nobody").is_empty());
    }

    #[test]
    fn how_far_back_docker_knows_is_said() {
        let said = before(Some(1_764_126_727_000_000_000));
        assert!(said.starts_with("before 2025-11-2") && said.ends_with(": its events go back no further"), "{said}");
        assert_eq!(before(None), "some time ago: its events go back no further");
    }
}
