//! Who set a container's memory limit, and will set it again: what keeps a new one.

use crate::model::{Advice, Compose, Container, Incident, Runtime};
use crate::text::quote::quote;
use crate::words::advice::{client, is_plain};

/// What made the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setter<'a> {
    Pod,
    Swarm {
        service: &'a str,
        /// The stack whose file sets it.
        stack: Option<&'a str>,
    },
    Compose {
        project: &'a str,
        service: &'a str,
        /// Its files, as compose was given them.
        files: Vec<String>,
    },
    /// A builder of buildx's, by the name that buildx has for it.
    Builder(&'a str),
    /// A unit of systemd's that starts it with podman: a quadlet, or what `podman generate systemd` wrote.
    Unit(&'a str),
    /// A command that made it once, and has it removed when it ends.
    Once,
    /// The same, of one that somebody has removed.
    Removed,
    /// A command that made it, or a client of the engine's.
    Engine,
}

impl<'a> Setter<'a> {
    #[must_use]
    pub fn of(container: &'a Container) -> Self {
        let label = |key: &str| {
            let labels = container.labels.as_ref();
            labels.and_then(|labels| labels.get(key)).map(String::as_str).filter(|value| !value.is_empty())
        };
        if container.pod.is_some() {
            return Self::Pod;
        }
        // An image may have any label: swarm names its tasks' containers SERVICE.SLOT.TASK.
        let is_task = |service: &&str| {
            let rest = container.name.as_deref().and_then(|name| name.strip_prefix(*service)?.strip_prefix('.'));
            rest.zip(label("com.docker.swarm.task.id")).is_some_and(|(rest, task)| rest.ends_with(&format!(".{task}")))
        };
        if let Some(service) = label("com.docker.swarm.service.name").filter(is_task) {
            return Self::Swarm { service, stack: label("com.docker.stack.namespace") };
        }
        if let Some(Compose { project, service, is_named }) = Compose::of(container) {
            // An image may have these labels too, and name a directory of its maker's. Compose names containers PROJECT-SERVICE-NUMBER
            // (v1: with _); of one that was given another name it is not said where its file is.
            let named = label("com.docker.compose.project.config_files").filter(|_| is_named).unwrap_or_default();
            let directory = label("com.docker.compose.project.working_dir");
            let files = named.split(',').filter(|file| !file.is_empty()).map(|file| absolute(file, directory));
            return Self::Compose { project, service, files: files.collect() };
        }
        // The builder's name, and the number of its node.
        let builder = container.name.as_deref().and_then(|name| name.strip_prefix("buildx_buildkit_"));
        if let Some(builder) = builder {
            return Self::Builder(builder.trim_end_matches(|c: char| c.is_ascii_digit()));
        }
        // Its cgroup says so, which its runtime has confirmed: the label PODMAN_SYSTEMD_UNIT may be the image's, and name any unit.
        let unit = around(container).filter(|unit| container.confirmed && unit.ends_with(".service"));
        match (container.runtime, unit) {
            (Some(Runtime::Podman), Some(unit)) => Self::Unit(unit),
            _ if container.auto_remove == Some(true) => Self::Once,
            _ => Self::Engine,
        }
    }

    /// The file that says how the container is made, where it is compose's.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Compose { files, .. } if !files.is_empty() => Some(places(files)),
            _ => None,
        }
    }

    /// What keeps a limit of `mib` where a command for the running container would not.
    #[must_use]
    pub fn keep(&self, incident: &Incident, mib: u64) -> Option<Advice> {
        let say = |action: String, why: &str| Some(Advice { action, why: why.to_owned(), command: None });
        match self {
            Self::Compose { project, service, files } => say(
                format!(
                    "so that it stays: mem_limit: {mib}m, or deploy.resources.limits.memory: {mib}M, for service {} in {}, then {}",
                    quote(service),
                    places(files),
                    compose_up(incident.container.as_ref(), project, service, files)
                ),
                "compose sets the limit of its file when it makes the container anew, whatever an update said before",
            ),
            Self::Swarm { stack: Some(stack), .. } => say(
                format!("set deploy.resources.limits.memory: {mib}M in the file of stack {}", quote(stack)),
                "the next docker stack deploy sets the limit of that file again",
            ),
            Self::Builder(name) => say(
                format!("make builder {} with --driver-opt memory={mib}m the next time", quote(name)),
                "docker buildx create is what gives the builder's container its limit",
            ),
            Self::Unit(unit) => {
                let user = incident.container.as_ref().and_then(|container| container.user);
                let whose = if user.is_some() { " --user" } else { "" };
                say(
                    format!(
                        "set PodmanArgs=--memory={mib}m in the [Container] section of {}, then systemctl{whose} daemon-reload",
                        quadlet(unit, user)
                    ),
                    "the unit makes the container anew each time that it starts",
                )
            }
            Self::Once => say(start_with(incident, mib), "it is removed when it ends (--rm), and its limit with it"),
            Self::Removed => say(start_with(incident, mib), "it has been removed, and its limit with it"),
            Self::Pod | Self::Swarm { .. } | Self::Engine => None,
        }
    }
}

/// With what it may swap as well, where that is limited: Docker takes no smaller --memory-swap than --memory, and it may have been given one.
fn start_with(incident: &Incident, mib: u64) -> String {
    let limits = incident.container.as_ref().and_then(|container| container.limits.as_ref());
    let both = limits.and_then(|limits| limits.memory_and_swap_bytes?.checked_sub(limits.memory_bytes?));
    let swap = both.map(|swap| format!(" --memory-swap {}m", mib.saturating_add(swap >> 20))).unwrap_or_default();
    format!("start it with --memory {mib}m{swap} the next time")
}

/// The command that gives the tasks of a swarm's service another limit, on one of its managers.
#[must_use]
pub fn update_service(container: &Container, service: &str, mib: u64) -> Option<String> {
    let engine = client::engine(container)?;
    is_plain(service).then(|| format!("{engine} service update --limit-memory {mib}M {service}"))
}

/// The command that makes the service's containers anew where they were made, by the daemon that made them. Where it is not known which
/// files the project has, it is for the directory of its file.
fn compose_up(container: Option<&Container>, project: &str, service: &str, files: &[String]) -> String {
    let engine = container.and_then(client::engine).unwrap_or_else(|| "docker".to_owned());
    let compose = if container.is_some_and(is_of_first_compose) {
        // A program of its own, and no plug-in of the client's.
        match engine.split_once("docker --host ") {
            Some((before, url)) => format!("{before}docker-compose -H {url}"),
            None => engine.replacen("docker", "docker-compose", 1),
        }
    } else {
        format!("{engine} compose")
    };
    if files.is_empty() {
        return format!("{compose} up -d there");
    }
    let of: String = files.iter().map(|file| format!(" -f {}", quote(file))).collect();
    format!("{compose} -p {}{of} up -d {}", quote(project), quote(service))
}

/// docker-compose 1 made it, as Debian 12 has it.
fn is_of_first_compose(container: &Container) -> bool {
    let version = container.labels.as_ref().and_then(|labels| labels.get("com.docker.compose.version"));
    container.runtime == Some(Runtime::Docker) && version.is_some_and(|version| version.starts_with("1."))
}

/// The unit around a container of podman's that has no cgroup elsewhere (--cgroups=split, as quadlets have it).
fn around(container: &Container) -> Option<&str> {
    let (above, own) = container.cgroup.rsplit_once('/')?;
    let unit = above.rsplit('/').next()?;
    own.starts_with("libpod-payload-").then_some(unit)
}

fn absolute(file: &str, directory: Option<&str>) -> String {
    match directory {
        Some(directory) if !file.starts_with('/') => format!("{}/{file}", directory.trim_end_matches('/')),
        _ => file.to_owned(),
    }
}

fn places(files: &[String]) -> String {
    match files {
        [] => "its compose file".to_owned(),
        [file] => quote(file).into_owned(),
        several => {
            let all: Vec<_> = several.iter().map(|file| quote(file)).collect();
            format!("the one of {} that has it", all.join(", "))
        }
    }
}

/// The file that makes the unit, where it is a quadlet (podman-systemd.unit(5)); a user's own are looked for in several directories.
fn quadlet(unit: &str, user: Option<u32>) -> String {
    let name = unit.trim_end_matches(".service");
    let directory = if user.is_some() { "~/.config/containers/systemd" } else { "/etc/containers/systemd" };
    format!("{directory}/{}", quote(&format!("{name}.container")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::kill;
    use crate::model::Pod;

    fn labelled(labels: &[(&str, &str)]) -> Container {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Container { labels: Some(labels), runtime: Some(Runtime::Docker), ..Container::default() }
    }

    fn kept(container: &Container) -> Option<String> {
        let mut incident = kill("/usr/bin/bash");
        incident.container = Some(container.clone());
        Setter::of(container).keep(&incident, 768).map(|advice| advice.action)
    }

    #[test]
    fn what_keeps_a_limit_is_where_whoever_set_it_wrote_it() {
        let project = ("com.docker.compose.project", "shop");
        let service = ("com.docker.compose.service", "web");
        let files = |files| ("com.docker.compose.project.config_files", files);
        let directory = ("com.docker.compose.project.working_dir", "/srv/shop");
        let of_compose = |place: &str, command: &str| {
            Some(format!(
                "so that it stays: mem_limit: 768m, or deploy.resources.limits.memory: 768M, for service web in {place}, then {command}"
            ))
        };
        let nowhere = of_compose("its compose file", "docker compose up -d there");
        for (labels, place, of) in [
            (
                &[project, service, files("/srv/shop/compose.yaml"), directory][..],
                "/srv/shop/compose.yaml",
                "-f /srv/shop/compose.yaml",
            ),
            (
                &[project, service, files("compose.yaml"), directory],
                "/srv/shop/compose.yaml",
                "-f /srv/shop/compose.yaml",
            ),
            (
                &[project, service, files("/a.yml,/b.yml")],
                "the one of /a.yml, /b.yml that has it",
                "-f /a.yml -f /b.yml",
            ),
            (&[project, service, files("/a b;c.yml")], "'/a b;c.yml'", "-f '/a b;c.yml'"),
        ] {
            let named = Container { name: Some("shop-web-1".to_owned()), ..labelled(labels) };
            let command = format!("docker compose -p shop {of} up -d web");
            assert_eq!(kept(&named), of_compose(place, &command), "{labels:?}");
            // An image's labels: its maker's directory is none to run compose in.
            let other = Container { name: Some("innocent".to_owned()), ..named };
            assert_eq!(kept(&other), nowhere, "{labels:?}");
        }
        let named = Container { name: Some("shop-web-1".to_owned()), ..labelled(&[project, service]) };
        assert_eq!(kept(&named), nowhere);
        assert_eq!(kept(&labelled(&[project])), None);
    }

    #[test]
    fn what_the_first_compose_made_is_made_anew_by_that() {
        let labels = [
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "web"),
            ("com.docker.compose.version", "1.29.2"),
        ];
        let here = Container { name: Some("shop_web_1".to_owned()), ..labelled(&labels) };
        let elsewhere = Container { runtime_socket: Some("/srv/x.sock".to_owned()), ..here.clone() };
        let of_user = Container { user: Some(7), ..here.clone() };
        let of_podman = Container { runtime: Some(Runtime::Podman), ..here.clone() };
        for (container, command) in [
            (here, "docker-compose up -d there"),
            (elsewhere, "docker-compose -H unix:///srv/x.sock up -d there"),
            (of_user, "sudo -u '#7' docker-compose -H unix:///run/user/7/docker.sock up -d there"),
            (of_podman, "podman compose up -d there"),
        ] {
            let said = kept(&container).unwrap();
            assert!(said.ends_with(&format!("then {command}")), "{said}");
        }
    }

    #[test]
    fn what_it_may_swap_is_started_with_as_well() {
        let once = |both: Option<u64>| {
            let limits = crate::model::Limits {
                memory_bytes: Some(32 << 20),
                memory_and_swap_bytes: both,
                ..Default::default()
            };
            kept(&Container { auto_remove: Some(true), limits: Some(limits), ..labelled(&[]) }).unwrap()
        };
        assert_eq!(once(None), "start it with --memory 768m the next time");
        assert_eq!(once(Some(32 << 20)), "start it with --memory 768m --memory-swap 768m the next time");
        assert_eq!(once(Some(64 << 20)), "start it with --memory 768m --memory-swap 800m the next time");
    }

    #[test]
    fn a_daemon_elsewhere_is_asked_for_what_it_made() {
        let compose = [
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "web"),
            ("com.docker.compose.project.config_files", "/srv/compose.yaml"),
        ];
        let named = Container { name: Some("shop-web-1".to_owned()), ..labelled(&compose) };
        for (runtime, socket, user, engine) in [
            (Runtime::Docker, Some("/srv/other.sock"), None, "docker --host unix:///srv/other.sock"),
            (Runtime::Docker, Some("/srv/a b"), None, "docker --host 'unix:///srv/a b'"),
            (Runtime::Docker, None, Some(7), "sudo -u '#7' docker --host unix:///run/user/7/docker.sock"),
            (Runtime::Podman, None, None, "podman"),
        ] {
            let socket = socket.map(str::to_owned);
            let container = Container { runtime: Some(runtime), runtime_socket: socket, user, ..named.clone() };
            let said = kept(&container).unwrap();
            let command = format!(", then {engine} compose -p shop -f /srv/compose.yaml up -d web");
            assert!(said.ends_with(&command), "{said}");
            let update = format!("{engine} service update --limit-memory 768M shop_web");
            assert_eq!(update_service(&container, "shop_web", 768), Some(update));
        }
    }

    #[test]
    fn a_swarms_service_is_changed_by_its_manager() {
        let name = ("com.docker.swarm.service.name", "shop_web");
        let task = ("com.docker.swarm.task.id", "abc");
        let called = |own: &str, container| Container { name: Some(own.to_owned()), ..container };
        let labelled = |labels: &[_]| called("shop_web.1.abc", labelled(labels));
        let alone = labelled(&[name, task]);
        assert_eq!(Setter::of(&alone), Setter::Swarm { service: "shop_web", stack: None });
        let command = update_service(&alone, "shop_web", 768);
        assert_eq!(command.as_deref(), Some("docker service update --limit-memory 768M shop_web"));
        assert_eq!(kept(&alone), None);
        // An image's labels.
        for forged in [called("other.1.abc", alone.clone()), called("shop_web.1.x", alone.clone()), labelled(&[name])] {
            assert_eq!(Setter::of(&forged), Setter::Engine, "{:?}", forged.name);
        }
        let stack = labelled(&[name, task, ("com.docker.stack.namespace", "shop")]);
        assert_eq!(kept(&stack).as_deref(), Some("set deploy.resources.limits.memory: 768M in the file of stack shop"));
        assert_eq!(update_service(&stack, "a;b", 768), None);
    }

    #[test]
    fn builders_units_and_containers_for_once_are_told_apart() {
        let named = |name: &str| Container { name: Some(name.to_owned()), ..labelled(&[]) };
        assert_eq!(Setter::of(&named("buildx_buildkit_mine0")), Setter::Builder("mine"));
        let podman = Container { runtime: Some(Runtime::Podman), ..named("web") };
        assert_eq!(Setter::of(&podman), Setter::Engine);
        let path = "/system.slice/web.service/libpod-payload-x".to_owned();
        let unconfirmed = Container { cgroup: path, ..podman };
        assert_eq!(Setter::of(&unconfirmed), Setter::Engine);
        let podman = Container { confirmed: true, ..unconfirmed };
        assert_eq!(Setter::of(&podman), Setter::Unit("web.service"));
        assert_eq!(
            kept(&podman).as_deref(),
            Some(
                "set PodmanArgs=--memory=768m in the [Container] section of /etc/containers/systemd/web.container, then systemctl \
                 daemon-reload"
            )
        );
        // An image may have the label, and name a unit that is none of the container's.
        let label = [("PODMAN_SYSTEMD_UNIT".to_owned(), "ssh.service".to_owned())];
        let elsewhere = format!("/machine.slice/libpod-{}.scope", "a".repeat(64));
        let forged = Container { labels: Some(label.into()), cgroup: elsewhere, ..podman.clone() };
        assert_eq!((Setter::of(&forged), kept(&forged)), (Setter::Engine, None));
        let within = Container { cgroup: podman.cgroup.clone(), ..forged };
        assert_eq!(Setter::of(&within), Setter::Unit("web.service"));
        let of_a_user = Container { user: Some(7), ..podman.clone() };
        assert!(kept(&of_a_user).unwrap().ends_with("/web.container, then systemctl --user daemon-reload"));
        let once = Container { auto_remove: Some(true), ..named("web") };
        assert_eq!(Setter::of(&once), Setter::Once);
        let pod = Container { pod: Some(Pod::default()), ..once };
        assert_eq!(Setter::of(&pod), Setter::Pod);
    }
}
