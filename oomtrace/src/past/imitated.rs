//! Whose a cgroup is, when somebody is asked about by name. A path proves little: a user may call a unit of their own `nginx.service`, and
//! whoever may make cgroups, as a container's root below its own, may call them after another's pod, unit or container.

use crate::filter::is_below;
use crate::model::Container;
use crate::placement::{Placement, user_manager, user_of};

/// The cgroup is the unit's, of the machine's own systemd, or lies in it: neither a user's unit of that name, nor one within a container.
#[must_use]
pub fn is_of_unit(path: &str, unit: &str) -> bool {
    is_machines(path, unit) == Some(true)
}

/// The cgroup is of a unit that only has that name.
#[must_use]
pub fn imitates_unit(path: &str, unit: &str) -> bool {
    is_machines(path, unit) == Some(false)
}

/// Whether the unit of that name that the cgroup is of is one of the machine's; none when it is of another unit.
fn is_machines(path: &str, unit: &str) -> Option<bool> {
    let placement = Placement::parse(path);
    let own = placement.unit_cgroup.as_deref().filter(|_| placement.unit.as_deref() == Some(unit))?;
    let above = own.rsplit_once('/').map_or("", |(above, _)| above);
    let is_users = user_manager(above).is_some();
    let is_within = Placement::parse(above).container.is_some();
    Some(!is_users && !is_within)
}

/// The cgroup is that of a unit of the machine's own systemd, or lies in it, whatever else it lies in below that.
#[must_use]
pub fn lies_in_unit(path: &str, unit: &str) -> bool {
    let mut ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    let is_unit = |own: &&str| own.rsplit_once('/').is_some_and(|(_, name)| name == unit);
    let own = ends.find_map(|end| path.get(..end).filter(is_unit));
    let above = own.and_then(|own| own.rsplit_once('/')).map(|(above, _)| above);
    above.is_some_and(|above| user_manager(above).is_none() && Placement::parse(above).container.is_none())
}

/// The cgroup is the pod's that has the uid, or lies in it: where root alone makes cgroups, and in no container.
#[must_use]
pub fn is_of_pod(path: &str, uid: &str) -> bool {
    let placement = Placement::parse(path);
    // The outermost one's pod is the node's.
    let outermost = placement.containers().last();
    user_of(path).is_none() && outermost.and_then(|place| place.pod.as_ref()).is_some_and(|pod| pod.uid == uid)
}

/// The cgroup is the container's, or lies in it, as far as its path says: where its runtime has said which cgroup it has, that one alone;
/// where its runtime knows it, and no longer where it was, one as runtimes make it by default, where nobody else can, and in no other container.
#[must_use]
pub fn may_be_of_container(path: &str, container: &Container) -> bool {
    let placement = Placement::parse(path);
    match container.cgroup.as_str() {
        // A user's own daemon vouches for that user's cgroups alone.
        "" if container.confirmed && container.user.is_some() => {
            user_of(path) == container.user && placement.containers().any(|place| place.id == container.id)
        }
        "" if container.confirmed => {
            let outermost = placement.containers().last().filter(|place| place.id == container.id);
            outermost.is_some_and(|place| is_where_runtimes_put_them(&place.cgroup))
        }
        own if container.confirmed && own != "/" => is_below(path, own),
        _ => placement.containers().any(|place| place.id == container.id),
    }
}

/// Docker and Podman put a container's cgroup there by themselves: right below their own, or in slices of systemd's. A service or a scope may be
/// another user's to make cgroups in (`Delegate=`, systemd.resource-control(5)), and a slice is not; but below a user's all is that user's.
fn is_where_runtimes_put_them(cgroup: &str) -> bool {
    let Some((above, _)) = cgroup.rsplit_once('/') else { return false };
    let is_in_slices = || above.split('/').skip(1).all(|name| name.ends_with(".slice"));
    user_of(cgroup).is_none()
        && (["/docker", "/libpod_parent"].contains(&above) || (!above.is_empty() && is_in_slices()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";
    const OTHER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const UID: &str = "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";

    #[test]
    fn a_unit_is_the_machines_own() {
        for (path, is_it) in [
            ("/system.slice/nginx.service".to_owned(), true),
            ("/system.slice/nginx.service/worker".to_owned(), true),
            // A container in it is asked about by its own name.
            (format!("/system.slice/nginx.service/libpod-payload-{ID}"), false),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service".to_owned(), false),
            (format!("/docker/{ID}/system.slice/nginx.service"), false),
            (format!("/system.slice/docker-{ID}.scope/system.slice/nginx.service"), false),
            ("/system.slice/nginx2.service".to_owned(), false),
        ] {
            assert_eq!(is_of_unit(&path, "nginx.service"), is_it, "{path}");
        }
        assert!(is_of_unit("/user.slice/user-1000.slice/user@1000.service", "user@1000.service"));
    }

    #[test]
    fn what_a_unit_holds_lies_in_it() {
        let scope = format!("docker-{ID}.scope");
        for (path, unit, is_in) in [
            ("/system.slice/nginx.service".to_owned(), "nginx.service", true),
            ("/system.slice/nginx.service/worker".to_owned(), "nginx.service", true),
            (format!("/system.slice/web.service/libpod-payload-{ID}"), "web.service", true),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope".to_owned(), "user@1000.service", true),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope".to_owned(), "x.scope", false),
            (format!("/system.slice/{scope}/init"), scope.as_str(), true),
            (format!("/system.slice/{scope}/system.slice/nginx.service"), "nginx.service", false),
            ("/system.slice/nginx.service2".to_owned(), "nginx.service", false),
            ("/".to_owned(), "nginx.service", false),
        ] {
            assert_eq!(lies_in_unit(&path, unit), is_in, "{path} {unit}");
        }
    }

    #[test]
    fn a_pod_is_the_nodes_own() {
        let pod = format!("kubepods/burstable/pod{UID}/{ID}");
        for (path, is_it) in [
            (format!("/{pod}"), true),
            (format!("/{pod}/{OTHER}"), true),
            (format!("/docker/{OTHER}/{pod}"), false),
            (format!("/user.slice/user-1000.slice/user@1000.service/{pod}"), false),
        ] {
            assert_eq!(is_of_pod(&path, UID), is_it, "{path}");
        }
    }

    #[test]
    fn a_container_is_where_its_runtime_says() {
        let own = format!("/docker/{ID}");
        let known = Container { id: ID.to_owned(), cgroup: own.clone(), confirmed: true, ..Container::default() };
        let ended = Container { cgroup: String::new(), ..known.clone() };
        let gone = Container { id: ID.to_owned(), ..Container::default() };
        for (path, of_known, of_ended, of_gone) in [
            (own.clone(), true, true, true),
            (format!("{own}/below"), true, true, true),
            (format!("{own}2"), false, false, false),
            (format!("/system.slice/docker-{ID}.scope"), false, true, true),
            (format!("/batch.slice/docker-{ID}.scope/below"), false, true, true),
            (format!("/system.slice/ci-runner.service/docker-{ID}.scope"), false, false, true),
            (format!("/system.slice/ci-runner.service/docker/{ID}"), false, false, true),
            (format!("/docker-{ID}.scope"), false, false, true),
            (format!("/x/{ID}"), false, false, true),
            (format!("/docker/{OTHER}/docker/{ID}"), false, false, true),
            (format!("/user.slice/user-1000.slice/docker-{ID}.scope"), false, false, true),
            (format!("/docker/{OTHER}"), false, false, false),
        ] {
            let is_of = |container| may_be_of_container(&path, container);
            assert_eq!((is_of(&known), is_of(&ended), is_of(&gone)), (of_known, of_ended, of_gone), "{path}");
        }
        let of_user = Container { user: Some(1000), ..ended };
        let users = format!("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope");
        for (path, is_its) in [(users.clone(), true), (users.replace("1000", "1001"), false), (own, false)] {
            assert_eq!(may_be_of_container(&path, &of_user), is_its, "{path}");
        }
    }
}
