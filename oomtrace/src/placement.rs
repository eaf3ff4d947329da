//! What a cgroup's path says about who lives there: every runtime's naming scheme, in one table.
//!
//! | scheme | path |
//! |---|---|
//! | Docker, cgroupfs | `/docker/ID`, or `/PARENT/ID` with `--cgroup-parent` |
//! | Docker, systemd | `…/docker-ID.scope` |
//! | containerd (`ctr`), cgroupfs | `/default/NAME` |
//! | nerdctl, systemd | `…/nerdctl-ID.scope` |
//! | Podman | `…/libpod-ID.scope`, `…/libpod-ID`, with `/container` below (crun); a quadlet's `/SLICE/UNIT/libpod-payload-ID` |
//! | LXC | `/lxc/NAME`, `/lxc.payload/NAME`, `/lxc.payload.NAME` |
//! | Kubernetes, cgroupfs | `/kubepods[/QOS]/podUID/ID`, `…/crio-ID` |
//! | Kubernetes, systemd | `…-podUID.slice/cri-containerd-ID.scope`, `…/crio-ID.scope`, `…/docker-ID.scope` |
//! | containerd, systemd path left to cgroupfs | `…podUID.slice:cri-containerd:ID` |
//! | systemd | `….service`, `….scope`, `….slice` |
//!
//! In nested containers the innermost one counts; the others are kept beside it.

mod whose;

use crate::model::{Container, LimitLevel, Pod, Qos};
pub use crate::model::{ContainerPlace, On, PodPlace, Runtime};
use crate::profile;
use whose::is_user_manager;
pub use whose::{is_roots, may_be_given, user_manager, user_of};

impl ContainerPlace {
    /// A limit on the cgroup at `path` is the container's own: its own cgroup's, or that of `container` in it, which crun makes for podman
    /// and CRI-O. In any other runtime's whoever is in the container may call one so.
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        owns(&self.cgroup, self.runtime, path)
    }

    /// What its metadata is kept under. Ids of 64 digits are unique among the containers of one user; a name is so within one place
    /// of one runtime.
    #[must_use]
    pub fn key(&self) -> String {
        let of_user = self.user().map(|uid| format!("{uid}:")).unwrap_or_default();
        if is_id(&self.id) {
            format!("{of_user}{}", self.id)
        } else {
            format!("{of_user}{}{}", self.runtime.map_or("", Runtime::name), self.cgroup)
        }
    }

    /// The outermost of its chain is within `outer`.
    #[must_use]
    pub fn within(self, outer: Option<Self>) -> Self {
        let outer = match self.outer {
            Some(own) => Some(own.within(outer)),
            None => outer,
        };
        Self { outer: outer.map(Box::new), ..self }
    }

    /// With the hierarchy that its path is on, and so those around it.
    #[must_use]
    pub fn on(mut self, on: On) -> Self {
        self.on = on;
        self.outer = self.outer.map(|outer| Box::new(outer.on(on)));
        self
    }

    /// As far as the path shows; its runtime knows the rest.
    #[must_use]
    pub fn container(&self) -> Container {
        Container {
            id: self.id.clone(),
            runtime: self.runtime,
            pod: self.pod.as_ref().map(|pod| Pod {
                name: None,
                namespace: None,
                uid: Some(pod.uid.clone()),
                qos: Some(pod.qos),
                ..Pod::default()
            }),
            cgroup: self.cgroup.clone(),
            confirmed: false,
            user: self.user(),
            outer: self.outer.as_ref().map(|outer| Box::new(outer.container())),
            ..Container::default()
        }
    }

    /// The user below whose slice it is, as a rootless container's.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        user_of(&self.cgroup)
    }
}

impl Container {
    /// As [`ContainerPlace::owns`].
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        owns(&self.cgroup, self.runtime, path)
    }
}

fn owns(own: &str, runtime: Option<Runtime>, path: &str) -> bool {
    let is_cruns = matches!(runtime, Some(Runtime::Podman | Runtime::Crio | Runtime::Crun));
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || (is_cruns && rest == "/container"))
}

/// All that a path says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    pub container: Option<ContainerPlace>,
    /// The innermost systemd service or scope that is not a container itself.
    pub unit: Option<String>,
    /// Path of that one's cgroup.
    pub unit_cgroup: Option<String>,
    /// It lies in a pod's cgroup, whether in a container's or not.
    pub in_pod: bool,
}

impl Placement {
    /// The container whose scope the machine's systemd calls so, wherever that lies.
    #[must_use]
    pub fn container_of_scope(unit: &str) -> Option<ContainerPlace> {
        Self::parse(&format!("/{unit}")).container
    }

    /// Reads `path`, a cgroup's path from its hierarchy's root.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let mut placement = Self::default();
        let mut pod = None;
        // What lies here is named by systemd: at the top, in slices, and in what a user's or a container's own systemd has. Below a unit,
        // and below any other cgroup, whoever has it gives names.
        let mut manages = true;
        for (index, name) in names.iter().enumerate() {
            let here = || names.iter().take(index + 1).flat_map(|n| ["/", n]).collect::<String>();
            let parent = index.checked_sub(1).and_then(|i| names.get(i)).copied();
            if let Some((uid, qos)) = pod_of(name, parent) {
                placement.in_pod = true;
                let folded = name.contains(':');
                pod = Some(PodPlace { uid, qos, cgroup: (!folded).then(here) });
            }
            if let Some((id, runtime)) = container_of(name, parent, index, pod.is_some()) {
                let outer = placement.container.take().map(Box::new);
                // A pod of the outer container's node is not the inner one's.
                let pod = pod.take();
                placement.container = Some(ContainerPlace { id, runtime, cgroup: here(), on: On::Default, pod, outer });
                // What lies above a container is where its runtime put it, not a unit of its own.
                (placement.unit, placement.unit_cgroup) = (None, None);
                manages = true;
            } else if is_unit(name) {
                if manages {
                    (placement.unit, placement.unit_cgroup) = (Some((*name).to_owned()), Some(here()));
                }
                manages = is_user_manager(name);
            } else {
                manages &= name.ends_with(".slice");
            }
        }
        placement
    }

    /// The path that says most about where a process lives, and what it says, of its paths on several hierarchies: on a
    /// hybrid node the default one may know nothing, on a v2 node it is the only one.
    #[must_use]
    pub fn telling<'a>(paths: impl IntoIterator<Item = &'a String>) -> Option<(&'a String, Self)> {
        let mut parsed: Vec<(&String, Self)> = paths.into_iter().map(|path| (path, Self::parse(path))).collect();
        let first = |wanted: &dyn Fn(&(&String, Self)) -> bool| parsed.iter().position(wanted);
        let at = first(&|(_, placement)| placement.container.is_some())
            .or_else(|| first(&|(_, placement)| placement.unit.is_some()))
            .or_else(|| first(&|(path, _)| path.as_str() != "/"))
            .unwrap_or_default();
        (at < parsed.len()).then(|| parsed.swap_remove(at))
    }

    /// The container, and those that it runs in, the innermost first.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerPlace> {
        std::iter::successors(self.container.as_ref(), |container| container.outer.as_deref())
    }

    /// Whose limit it is when the cgroup at `path` has it, in the path that this placement was read from.
    #[must_use]
    pub fn level(&self, path: &str) -> LimitLevel {
        if path == "/" {
            return LimitLevel::Root;
        }
        for container in self.containers() {
            if container.owns(path) {
                return LimitLevel::Container;
            }
            if container.pod.as_ref().is_some_and(|pod| pod.cgroup.as_deref() == Some(path)) {
                return LimitLevel::Pod;
            }
        }
        if self.unit_cgroup.as_deref() == Some(path) { LimitLevel::Unit } else { LimitLevel::Slice }
    }
}

/// A pod's uid and QoS class, when `name` is a pod's cgroup: `podUID` under `kubepods`, `kubepods-QOS-podUID.slice`, or
/// the folded `kubepods-QOS-podUID.slice:cri-containerd:ID`.
#[must_use]
pub fn pod_of(name: &str, parent: Option<&str>) -> Option<(String, Qos)> {
    let slice = name.split_once(".slice").map(|(slice, _)| slice);
    let (before, uid) = match slice {
        Some(slice) => slice.rsplit_once("-pod").filter(|(before, _)| before.contains("kubepods"))?,
        None => {
            let parent = parent.filter(|p| matches!(*p, "kubepods" | "burstable" | "besteffort" | "guaranteed"))?;
            (parent, name.strip_prefix("pod")?)
        }
    };
    let uid = uid.replace('_', "-");
    let plausible = uid.len() >= 32 && uid.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let qos = match before {
        before if before.contains("besteffort") => Qos::BestEffort,
        before if before.contains("burstable") => Qos::Burstable,
        _ => Qos::Guaranteed,
    };
    plausible.then_some((uid, qos))
}

/// A container's id and runtime, when `name` is a container's cgroup. `index` is the number of names above it.
fn container_of(name: &str, parent: Option<&str>, index: usize, in_pod: bool) -> Option<(String, Option<Runtime>)> {
    let scope = name.strip_suffix(".scope").unwrap_or(name);
    for profile in profile::ALL {
        // crio-conmon-ID and libpod-conmon-ID hold the container's monitor: what follows the prefix is no id.
        let id = profile.cgroup_prefix.and_then(|prefix| scope.strip_prefix(prefix)).filter(|id| is_id(id));
        if let Some(id) = id {
            return Some((id.to_owned(), Some(profile.runtime)));
        }
    }
    if let Some((_, id)) = name.rsplit_once(":cri-containerd:")
        && is_id(id)
    {
        return Some((id.to_owned(), Some(Runtime::Containerd)));
    }
    // podman's with --cgroups=split, as quadlets have it: below the unit's own cgroup (libpod/container_internal_linux.go, 3.0 to 5.7).
    if let Some(id) = name.strip_prefix("libpod-payload-").filter(|id| is_id(id)) {
        return Some((id.to_owned(), Some(Runtime::Podman)));
    }
    if let Some(id) = name.strip_prefix("lxc.payload.").filter(|id| !id.is_empty()) {
        return Some((id.to_owned(), Some(Runtime::Lxc)));
    }
    match parent {
        Some("lxc" | "lxc.payload") => return Some((name.to_owned(), Some(Runtime::Lxc))),
        // containerd's cgroup path is /NAMESPACE/ID; `default` is ctr's and nerdctl's namespace.
        Some("default") if index == 1 => return Some((name.to_owned(), Some(Runtime::Containerd))),
        _ => {}
    }
    if !is_id(name) {
        return None;
    }
    Some((name.to_owned(), if parent == Some("docker") && !in_pod { Some(Runtime::Docker) } else { None }))
}

/// 64 hexadecimal digits, what every OCI runtime's front end makes.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_unit(name: &str) -> bool {
    [".service", ".scope", ".socket", ".mount", ".swap"].iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";
    const OTHER: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const UID: &str = "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";

    fn parse(path: &str) -> Placement {
        let under = UID.replace('-', "_");
        Placement::parse(&path.replace("OTHER", OTHER).replace("ID", ID).replace("USCORE", &under).replace("UUU", UID))
    }

    #[test]
    fn containers_of_every_scheme() {
        use Runtime::*;
        for (path, runtime) in [
            ("/docker/ID", Some(Docker)),
            ("/docker/ID/sub/group", Some(Docker)),
            ("/ci-jobs/ID", None),
            ("/system.slice/docker-ID.scope", Some(Docker)),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", Some(Docker)),
            ("/system.slice/nerdctl-ID.scope", Some(Nerdctl)),
            ("/machine.slice/libpod-ID.scope", Some(Podman)),
            ("/machine.slice/libpod-ID.scope/container", Some(Podman)),
            ("/machine.slice/machine-libpod_pod_OTHER.slice/libpod-ID.scope", Some(Podman)),
            ("/libpod_parent/libpod-ID", Some(Podman)),
            ("/system.slice/web.service/libpod-payload-ID", Some(Podman)),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container", Some(Podman)),
            ("/kubepods/burstable/podUUU/ID", None),
            ("/kubepods/podUUU/ID", None),
            ("/kubepods/besteffort/podUUU/crio-ID", Some(Crio)),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUSCORE.slice/cri-containerd-ID.scope",
                Some(Containerd),
            ),
            ("/kubepods.slice/kubepods-podUSCORE.slice/crio-ID.scope/container", Some(Crio)),
            ("/system.slice/containerd.service/kubepods-burstable-podUSCORE.slice:cri-containerd:ID", Some(Containerd)),
            ("/docker/OTHER/docker/ID", Some(Docker)),
            (
                "/docker/OTHER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUSCORE.slice/cri-containerd-ID.scope",
                Some(Containerd),
            ),
            ("/docker/OTHER/kubelet/kubepods/burstable/podUUU/ID", None),
        ] {
            let place = parse(path).container.unwrap_or_else(|| panic!("no container in {path}"));
            assert_eq!((place.id.as_str(), place.runtime), (ID, runtime), "{path}");
        }
    }

    #[test]
    fn only_the_slice_at_the_top_is_a_users() {
        for (path, user) in [
            ("/user.slice/user-1000.slice", Some(1000)),
            ("/user.slice/user-1000.slice/user@1000.service/user-7.slice", Some(1000)),
            ("/user.slice/user-01000.slice", None),
            ("/user.slice/user-+1.slice", None),
            ("/user.slice", None),
            ("/system.slice/user-7.slice", None),
            ("/docker/user.slice/user-7.slice", None),
        ] {
            assert_eq!(user_of(path), user, "{path}");
        }
    }

    #[test]
    fn containers_that_have_names_instead_of_ids() {
        for (path, id, runtime) in [
            ("/default/web", "web", Runtime::Containerd),
            ("/lxc/web", "web", Runtime::Lxc),
            ("/lxc.payload/web/system.slice/ssh.service", "web", Runtime::Lxc),
            ("/lxc.payload.web", "web", Runtime::Lxc),
        ] {
            let place = parse(path).container.unwrap();
            assert_eq!((place.id.as_str(), place.runtime), (id, Some(runtime)), "{path}");
        }
    }

    #[test]
    fn an_inner_container_keeps_the_outer_one() {
        let inner = parse("/kubepods/burstable/podUUU/OTHER/docker/ID");
        let ids: Vec<&str> = inner.containers().map(|container| container.id.as_str()).collect();
        assert_eq!(ids, [ID, OTHER]);
        let (container, outer) = (inner.container.as_ref().unwrap(), inner.containers().nth(1).unwrap());
        assert_eq!((container.pod.is_some(), outer.pod.is_some()), (false, true));
        assert_eq!(inner.level(&outer.cgroup), LimitLevel::Container);
        assert_eq!(inner.level(&format!("/kubepods/burstable/pod{UID}")), LimitLevel::Pod);
        assert_eq!(parse("/docker/ID/system.slice/ssh.service").containers().count(), 1);
    }

    #[test]
    fn monitors_and_look_alikes_are_no_containers() {
        for path in [
            "/",
            "/system.slice/crio-conmon-ID.scope",
            "/machine.slice/libpod-conmon-ID.scope",
            "/lxc.monitor.web",
            "/docker",
            "/docker/short",
            "/system.slice/docker.service",
            "/system.slice/default/x.service",
            "/user.slice/user-1000.slice/session-4.scope",
            "/lxc.payload.",
        ] {
            assert_eq!(parse(path).container, None, "{path}");
        }
    }

    #[test]
    fn pods_have_uid_and_class() {
        let slices =
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUSCORE.slice/cri-containerd-ID.scope";
        for (path, qos, has_cgroup) in [
            ("/kubepods/burstable/podUUU/ID", Qos::Burstable, true),
            ("/kubepods/besteffort/podUUU/ID", Qos::BestEffort, true),
            ("/kubepods/podUUU/ID", Qos::Guaranteed, true),
            (slices, Qos::Burstable, true),
            ("/kubepods.slice/kubepods-podUSCORE.slice/crio-ID.scope", Qos::Guaranteed, true),
            ("/x.service/kubepods-besteffort-podUSCORE.slice:cri-containerd:ID", Qos::BestEffort, false),
        ] {
            let pod = parse(path).container.unwrap().pod.unwrap_or_else(|| panic!("no pod in {path}"));
            assert_eq!((pod.uid.as_str(), pod.qos, pod.cgroup.is_some()), (UID, qos, has_cgroup), "{path}");
        }
        for path in ["/docker/ID", "/burstable/ID", "/kubepods/podcast/ID", "/podUUU/ID"] {
            assert_eq!(parse(path).container.unwrap().pod, None, "{path}");
        }
    }

    #[test]
    fn units_outside_and_inside_containers() {
        for (path, unit) in [
            ("/system.slice/nginx.service", Some("nginx.service")),
            ("/system.slice/nginx.service/worker", Some("nginx.service")),
            ("/user.slice/user-1000.slice/session-4.scope", Some("session-4.scope")),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", Some("foo.service")),
            ("/system.slice/docker-ID.scope", None),
            ("/docker/ID/system.slice/ssh.service", Some("ssh.service")),
            ("/docker/ID/init.scope", Some("init.scope")),
            ("/system.slice", None),
            // Whoever has a cgroup of their own gives names in it.
            ("/system.slice/ci.service/ssh.service", Some("ci.service")),
            ("/system.slice/ci.service/x.slice/ssh.service", Some("ci.service")),
            ("/build/ssh.service", None),
            ("/build/x.slice/ssh.service", None),
            ("/docker/ID/x/ssh.service", None),
            ("/user.slice/user-1000.slice/session-4.scope/ssh.service", Some("session-4.scope")),
        ] {
            assert_eq!(parse(path).unit.as_deref(), unit, "{path}");
        }
    }

    #[test]
    fn a_limit_is_the_containers_the_pods_or_that_of_something_above() {
        let path = format!("/kubepods/burstable/pod{UID}/{ID}");
        let pod = Placement::parse(&path);
        assert_eq!(pod.level(&path), LimitLevel::Container);
        assert_eq!(pod.level(&format!("/kubepods/burstable/pod{UID}")), LimitLevel::Pod);
        assert_eq!(pod.level("/kubepods/burstable"), LimitLevel::Slice);
        assert_eq!(pod.level("/"), LimitLevel::Root);
        let crun = parse("/machine.slice/libpod-ID.scope/container");
        assert_eq!(crun.level(&format!("/machine.slice/libpod-{ID}.scope")), LimitLevel::Container);
        assert_eq!(crun.level(&format!("/machine.slice/libpod-{ID}.scope/container")), LimitLevel::Container);
        for (made, level) in
            [("/docker/ID/container", LimitLevel::Slice), ("/docker/ID/x/ssh.service", LimitLevel::Slice)]
        {
            assert_eq!(parse(made).level(&made.replace("ID", ID)), level, "{made}");
        }
        let unit = Placement::parse("/system.slice/a.service/sub");
        assert_eq!(unit.level("/system.slice/a.service"), LimitLevel::Unit);
        assert_eq!(unit.level("/system.slice"), LimitLevel::Slice);
        assert_eq!(
            parse("/docker/ID/made-by-itself").level(&format!("/docker/{ID}/made-by-itself")),
            LimitLevel::Slice
        );
    }
}
