//! A container's memory limit, in the words of whoever set it: the flag, or the field of the manifest.

use crate::model::{Advice, Container, Incident};
use crate::profile::{self, Update};
use crate::text::quote::quote;
use crate::text::{bytes, pod_name, short_id};
use crate::words::advice::{is_plain, pod};

/// The least memory limit that Docker takes (daemon/daemon_unix.go, `linuxMinMemory`): the runtime itself needs about that to start
/// a container.
const LEAST_TO_START: u64 = 6 << 20;
/// A container with a limit below this may have failed to start for it.
const SMALL: u64 = 16 << 20;

/// For a container that did not start.
pub fn to_start(incident: &Incident, limit: Option<u64>) -> Advice {
    let least = bytes(LEAST_TO_START);
    let Some(limit) = limit.filter(|limit| *limit < SMALL) else {
        return Advice {
            action: "look for the reason in the runtime's log, or in what it says of the container".to_owned(),
            why: "it gave up before the container's program ran".to_owned(),
            command: None,
        };
    };
    let what = incident.container.as_ref().map_or_else(|| "the container's memory limit".to_owned(), setting);
    Advice {
        action: format!("raise {what} to {least} at the least, and what the program needs besides"),
        why: format!("the runtime itself needs about {least} to start a container, and had {}", bytes(limit)),
        command: None,
    }
}

/// The limit of the victim's container, or of one that this runs in.
pub fn own_limit(incident: &Incident, server_minor: Option<u32>) -> Vec<Advice> {
    let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
    let all = std::iter::successors(incident.container.as_ref(), |container| container.outer.as_deref());
    let container = owner.and_then(|owner| all.into_iter().find(|container| container.owns(&owner.path)));
    // What is only called like a container must not have anything done to the one that it is called like.
    let container = container.filter(|container| container.confirmed);
    let limit = owner.and_then(|owner| owner.limit_bytes);
    let what = container.map_or_else(|| "the container's memory limit".to_owned(), setting);
    let restart = container.and_then(|container| container.restart_policy.as_deref());
    let again = restart.map(|policy| format!("; it is started again into the same limit (restart policy {policy})"));
    let raise = Advice {
        action: format!("raise {what}, or find out what grew"),
        why: format!("the container used all that its own limit allows{}", again.unwrap_or_default()),
        command: container.zip(limit).and_then(|(container, limit)| update(container, limit, server_minor)),
    };
    std::iter::once(raise).chain(pod::whole_group(incident)).collect()
}

/// The limit of the victim's pod. A pod with one container has that one's limit, and nobody but the kubelet sets the pod's.
pub fn pod_limit(incident: &Incident, server_minor: Option<u32>) -> Vec<Advice> {
    if let Some(container) = incident.container.as_ref().filter(|_| is_one_limit(incident)) {
        let limit = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()?.limit_bytes);
        let raise = Advice {
            action: format!("raise {}, or find out what grew", setting(container)),
            why: "the pod has its container's limit, and its sandbox's memory counts there as well".to_owned(),
            command: limit.filter(|_| container.confirmed).and_then(|limit| update(container, limit, server_minor)),
        };
        return std::iter::once(raise).chain(pod::whole_group(incident)).collect();
    }
    let name = incident.container.as_ref().and_then(|container| pod_name(container.pod.as_ref()?));
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    vec![Advice {
        action: format!(
            "raise the memory limits of the containers of pod{name} (their sum is the pod's), or lower what they use together"
        ),
        why: "the container was below its own limit; the sum over the pod was not".to_owned(),
        command: None,
    }]
}

/// The pod's limit is that of the victim's container.
fn is_one_limit(incident: &Incident) -> bool {
    let pods = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()).and_then(|owner| owner.limit_bytes);
    let levels = incident.memory.iter().flat_map(|memory| &memory.levels);
    let mut own =
        levels.filter(|level| incident.container.as_ref().is_some_and(|container| container.owns(&level.path)));
    pods.is_some() && own.any(|level| level.limit_bytes == pods)
}

/// Where the limit is written down.
fn setting(container: &Container) -> String {
    let label = |key: &str| container.labels.as_ref().and_then(|labels| labels.get(key));
    if let Some(pod) = container.pod.as_ref().and_then(pod_name) {
        let name = container.name.as_deref().unwrap_or("?");
        return format!("resources.limits.memory of container {} in pod {pod}", quote(name));
    }
    if let (Some(project), Some(service)) = (label("com.docker.compose.project"), label("com.docker.compose.service")) {
        let (service, project) = (quote(service), quote(project));
        return format!("mem_limit (deploy.resources.limits.memory) of service {service} in compose project {project}");
    }
    let runtime = container.runtime.map(profile::of);
    runtime.map_or("the container's memory limit", |profile| profile.limit_setting).to_owned()
}

/// Half as much again: enough to see whether the need is bounded.
fn update(container: &Container, limit: u64, server_minor: Option<u32>) -> Option<String> {
    let mib = (limit.saturating_add(limit / 2) >> 20).max(6);
    if container.pod.is_some() {
        return pod::set_memory(container, mib, server_minor);
    }
    let name = container.name.as_deref().filter(|name| is_plain(name));
    let id = || Some(short_id(&container.id)).filter(|id| is_plain(id));
    let target = name.or_else(id)?;
    (profile::of(container.runtime?).update)(&Update { mib, target, user: container.user })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pod;

    fn container(runtime: &str, name: &str) -> Container {
        let (name, runtime) = (Some(name.to_owned()), serde_json::from_value(runtime.into()).ok());
        Container { id: "a".repeat(64), name, runtime, ..Container::default() }
    }

    #[test]
    fn a_pod_with_one_container_has_that_ones_limit() {
        use crate::judge::tests::oom;
        use crate::model::{LimitLevel, OomScope};
        for (of_container, one) in [(32, true), (16, false)] {
            let levels = [("/kubepods/podx/c", 31, Some(of_container)), ("/kubepods/podx", 32, Some(32))];
            let mut incident = oom(&levels, Some((1, LimitLevel::Pod)), OomScope::Memcg);
            let pod = Pod { name: Some("web".to_owned()), namespace: Some("shop".to_owned()), ..Pod::default() };
            incident.container = Some(Container {
                pod: Some(pod),
                cgroup: "/kubepods/podx/c".to_owned(),
                ..container("containerd", "app")
            });
            let [advice] = &pod_limit(&incident, None)[..] else { panic!("one piece of advice") };
            assert_eq!(
                advice.action.contains("resources.limits.memory of container app in pod shop/web"),
                one,
                "{advice:?}"
            );
        }
    }

    #[test]
    fn a_hostile_name_is_in_no_command() {
        for (runtime, name, command) in [
            ("docker", "web", Some("docker update --memory 768m --memory-swap 768m web")),
            ("docker", "$(reboot)", Some("docker update --memory 768m --memory-swap 768m aaaaaaaaaaaa")),
        ] {
            assert_eq!(update(&container(runtime, name), 512 << 20, None).as_deref(), command, "{runtime} {name}");
        }
        // Docker's own least.
        assert!(update(&container("docker", "web"), 1 << 20, None).unwrap().contains("6m"));
    }

    #[test]
    fn the_limit_is_named_as_whoever_set_it_wrote_it() {
        let labels = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let compose = Container { labels: Some(labels), ..container("docker", "shop-web-1") };
        assert_eq!(
            setting(&compose),
            "mem_limit (deploy.resources.limits.memory) of service web in compose project shop"
        );
        let pod = Pod { name: Some("web-5d4".to_owned()), namespace: Some("shop".to_owned()), ..Pod::default() };
        let pod = Container { pod: Some(pod), ..container("containerd", "app") };
        assert_eq!(setting(&pod), "resources.limits.memory of container app in pod shop/web-5d4");
        assert_eq!(update(&pod, 1 << 30, None), None);
        assert_eq!(setting(&container("docker", "web")), "the container's memory limit");
    }
}
