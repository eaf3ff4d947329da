//! A container's memory limit, in the words of whoever set it: the flag, or the field of the manifest.

use crate::judge::judgement::Judgement;
use crate::model::{Advice, Container, Incident, Runtime};
use crate::profile::{self, Total, Update, Whose};
use crate::text::quote::quote;
use crate::text::{bytes, pod_name};
use crate::words::advice::client::{target, whose};
use crate::words::advice::figure::{self, Swap};
use crate::words::advice::setter::{self, Setter};
use crate::words::advice::{nature, pod, with_program};

/// The runtime itself needs about that to start a container.
const LEAST_TO_START: u64 = figure::LEAST;
/// What the runtime itself may need at times: a container with a limit below this may have failed to start for it.
const SMALL: u64 = 16 << 20;

/// For a container that did not start.
pub fn to_start(incident: &Incident, limit: Option<u64>) -> Advice {
    let Some(limit) = limit.filter(|limit| *limit < SMALL) else {
        return Advice {
            action: "look for the reason in the runtime's log, or in what it says of the container".to_owned(),
            why: "it gave up before the container's program ran".to_owned(),
            command: None,
        };
    };
    let least = bytes(if limit < LEAST_TO_START { LEAST_TO_START } else { SMALL });
    let what = match incident.container.as_ref().and_then(|container| container.pod.as_ref()) {
        // The pod's limit is their sum.
        Some(pod) if pod.sandbox => {
            let name = pod_name(pod).map(|name| format!(" {name}")).unwrap_or_default();
            format!("the memory limits of the containers of pod{name}")
        }
        _ => incident.container.as_ref().map_or_else(|| "the container's memory limit".to_owned(), setting),
    };
    Advice {
        action: format!("raise {what} to {least} at the least, and what the program needs besides"),
        why: format!("the runtime itself needs some {least} to start a container, and had {}", bytes(limit)),
        command: None,
    }
}

/// The limit of the victim's container, or of one that this runs in.
pub fn own_limit(incident: &Incident, judgement: &Judgement) -> Vec<Advice> {
    let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
    let mut all = incident.container.iter().flat_map(Container::chain);
    let container = owner.and_then(|owner| all.find(|container| container.owns(&owner.path)));
    // What is only called like a container must not have anything done to the one that it is called like.
    let container = container.filter(|container| container.confirmed);
    let raise = nature::not_the_limit(incident, judgement)
        .map_or_else(|| raised(incident, container, judgement), |instead| vec![instead]);
    raise.into_iter().chain(pod::whole_group(incident)).collect()
}

/// More for it: now, and the next time.
fn raised(incident: &Incident, container: Option<&Container>, judgement: &Judgement) -> Vec<Advice> {
    let what = container.map_or_else(|| "the container's memory limit".to_owned(), setting);
    let restart = container.and_then(|container| container.restart_policy.as_deref());
    let again = restart.map(|policy| format!("; it is started again into the same limit (restart policy {policy})"));
    let again = again.unwrap_or_default();
    let Some(figure) = figure::figure(incident, &judgement.limits_before) else {
        return vec![Advice {
            action: format!("raise {what}, or find out what grew"),
            why: format!("the container used all that its own limit allows{again}"),
            command: None,
        }];
    };
    let is_victims = container.is_some_and(|found| incident.container.as_ref() == Some(found));
    let setter = container.map(Setter::of).map(|setter| match setter {
        Setter::Engine if judgement.is_removed => Setter::Removed,
        other => other,
    });
    let keep = setter.as_ref().and_then(|setter| setter.keep(incident, figure.mib));
    let is_gone = is_ended(incident) || judgement.is_removed;
    let is_gone = is_gone && matches!(setter, Some(Setter::Once | Setter::Removed | Setter::Unit(_)));
    if let Some(keep) = keep.as_ref().filter(|_| is_gone) {
        let why = format!("the container used all that its own limit allows: {}; {}", figure.basis, keep.why);
        return with_program(incident, judgement, vec![Advice { why, ..keep.clone() }]);
    }
    let made_by_hand = container.filter(|_| setter == Some(Setter::Engine));
    if let Some(runtime) = made_by_hand.and_then(|container| needs_another_start(incident, container)) {
        let engine = (profile::of(runtime).engine)(&Whose::default());
        let action = match engine {
            Some(engine) => format!("start it with --memory {}m or more the next time ({engine} run)", figure.mib),
            None => format!("set {what} to {} or more before its next start", bytes(figure.mib << 20)),
        };
        let why = format!("the container used all that its own limit allows, and ended: {}", figure.basis);
        return with_program(incident, judgement, vec![Advice { action, why, command: None }]);
    }
    let command = container.and_then(|container| match setter.as_ref()? {
        Setter::Swarm { service, .. } => setter::update_service(container, service, figure.mib),
        // Of a service each task is another container.
        _ if judgement.is_removed => None,
        _ => update(incident, container, figure.mib, judgement.server_minor),
    });
    let raise = Advice {
        action: format!(
            "raise {what} to {} or more, or find out what grew{}",
            bytes(figure.mib << 20),
            container.map(pod::limits_catch).unwrap_or_default()
        ),
        why: format!("the container used all that its own limit allows: {}{again}", figure.basis),
        command,
    };
    let all = std::iter::once(raise).chain(keep).collect();
    if is_victims { with_program(incident, judgement, all) } else { all }
}

/// The runtime of a container that went with the victim, where none of its commands changes one that has ended.
fn needs_another_start(incident: &Incident, container: &Container) -> Option<Runtime> {
    container.runtime.filter(|runtime| is_ended(incident) && !profile::of(*runtime).updates_ended)
}

/// The container went with the victim.
const fn is_ended(incident: &Incident) -> bool {
    incident.victim.container_init || incident.victim.container_exit.is_some()
}

/// The limit of the victim's pod. A pod with one container has that one's limit, and nobody but the kubelet sets the pod's.
pub fn pod_limit(incident: &Incident, judgement: &Judgement) -> Vec<Advice> {
    if let Some(container) = incident.container.as_ref().filter(|_| is_one_limit(incident)) {
        if let Some(instead) = nature::not_the_limit(incident, judgement) {
            return std::iter::once(instead).chain(pod::whole_group(incident)).collect();
        }
        let figure = figure::figure(incident, &judgement.limits_before);
        let size = figure.as_ref().map(|figure| format!(" to {} or more", bytes(figure.mib << 20)));
        let mib = figure.as_ref().filter(|_| container.confirmed).map(|figure| figure.mib);
        let raise = Advice {
            action: format!(
                "raise {}{}, or find out what grew{}",
                setting(container),
                size.unwrap_or_default(),
                pod::limits_catch(container)
            ),
            why: "the pod has its container's limit, and its sandbox's memory counts there as well".to_owned(),
            command: mib.and_then(|mib| pod::set_memory(container, mib, judgement.server_minor)),
        };
        return with_program(incident, judgement, vec![raise]).into_iter().chain(pod::whole_group(incident)).collect();
    }
    if let Some(instead) = nature::not_the_limit(incident, judgement) {
        return vec![instead];
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
    if let Some(pod) = container.pod.as_ref().and_then(pod_name) {
        let name = container.name.as_deref().unwrap_or("?");
        return format!("resources.limits.memory of container {} in pod {pod}", quote(name));
    }
    if let Setter::Compose { project, service, .. } = Setter::of(container) {
        let (service, project) = (quote(service), quote(project));
        return format!("mem_limit (deploy.resources.limits.memory) of service {service} in compose project {project}");
    }
    if let Setter::Swarm { service, .. } = Setter::of(container) {
        return format!("the memory limit of service {} (on a manager of the swarm)", quote(service));
    }
    let runtime = container.runtime.map(profile::of);
    runtime.map_or("the container's memory limit", |profile| profile.limit_setting).to_owned()
}

/// The command that gives the running container a limit of `mib`, and leaves it the swap that it has.
fn update(incident: &Incident, container: &Container, mib: u64, server_minor: Option<u32>) -> Option<String> {
    if container.pod.is_some() {
        return pod::set_memory(container, mib, server_minor);
    }
    let total = match figure::swap(incident) {
        Swap::Bytes(swap) => Some(Total::Mib(mib.saturating_add(swap >> 20))),
        Swap::Unlimited => Some(Total::Unlimited),
        Swap::Unknown => None,
    };
    let is_v1 = figure::is_v1(incident).unwrap_or_default();
    let target = target(container)?;
    (profile::of(container.runtime?).update)(&Update { mib, total, is_v1, target, whose: whose(container) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pod;

    fn update(container: &Container, mib: u64) -> Option<String> {
        super::update(&crate::judge::tests::kill("/usr/bin/bash"), container, mib, None)
    }

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
            let judgement = crate::judge::judge(&crate::judge::tests::case(incident.clone()));
            let [advice] = &pod_limit(&incident, &judgement)[..] else { panic!("one piece of advice") };
            assert_eq!(
                advice.action.contains("resources.limits.memory of container app in pod shop/web"),
                one,
                "{advice:?}"
            );
        }
    }

    #[test]
    fn a_hostile_name_is_in_no_command() {
        let of_id = format!("docker update --memory 768m --memory-swap 768m {}", "a".repeat(64));
        for (runtime, name, command) in [
            ("docker", "web", Some("docker update --memory 768m --memory-swap 768m web")),
            ("docker", "db", Some("docker update --memory 768m --memory-swap 768m db")),
            ("docker", "$(reboot)", Some(of_id.as_str())),
            // Another container's id.
            ("docker", "524a84269a52", Some(of_id.as_str())),
        ] {
            assert_eq!(update(&container(runtime, name), 768).as_deref(), command, "{runtime} {name}");
        }
    }

    #[test]
    fn a_daemon_elsewhere_is_asked_as_printed_and_by_no_other_runtimes_client() {
        let arguments = "update --memory 768m --memory-swap 768m web";
        for (runtime, socket, command) in [
            ("docker", "/srv/other.sock", format!("docker --host unix:///srv/other.sock {arguments}")),
            ("docker", "/srv/a b$(reboot)", format!("docker --host 'unix:///srv/a b$(reboot)' {arguments}")),
            ("nerdctl", "/run/k3s/containerd/containerd.sock", format!("nerdctl {arguments}")),
        ] {
            let container = Container { runtime_socket: Some(socket.to_owned()), ..container(runtime, "web") };
            assert_eq!(update(&container, 768), Some(command));
        }
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
        assert_eq!(update(&pod, 1 << 10), None);
        assert_eq!(setting(&container("docker", "web")), "the container's memory limit");
    }
}
