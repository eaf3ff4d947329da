//! Whose a cgroup is, when somebody is asked about by name. A path proves little: a user may call a unit of their own `nginx.service`, and
//! whoever may make cgroups, as a container's root below its own, may call them after another's pod, unit or container.

use crate::filter::is_below;
use crate::model::Container;
use crate::placement::{Placement, is_roots, user_manager, user_of};

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

/// `seen`, a container that something was killed in, may be the very one that `known` is: it has that id by its runtime's word, or by its
/// cgroup's name where that may be of `known`. Whoever may make a cgroup may call it after another's container, also after one that is gone.
#[must_use]
pub fn may_be_container(seen: &Container, known: &Container) -> bool {
    let is_one = || match (seen.confirmed, known.confirmed) {
        (true, _) => true,
        (false, true) if known.cgroup.is_empty() && known.user.is_none() => is_roots(&seen.cgroup),
        (false, true) => may_be_of_container(&seen.cgroup, known),
        (false, false) => seen.cgroup == known.cgroup || is_roots(&seen.cgroup) || !is_roots(&known.cgroup),
    };
    (&seen.id, seen.user) == (&known.id, known.user) && is_one()
}

/// What stands for a container's being what it is called; what is worth most comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// It is a user's own.
    Users,
    /// The name of a cgroup that may be anybody's.
    Anybodys,
    /// The name of a cgroup where root alone makes any.
    Roots,
    /// The machine's runtime says so.
    Runtimes,
}

impl Word {
    #[must_use]
    pub fn of(container: &Container) -> Self {
        match container.user {
            Some(_) => Self::Users,
            None if container.confirmed => Self::Runtimes,
            None if is_roots(&container.cgroup) => Self::Roots,
            None => Self::Anybodys,
        }
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

    #[test]
    fn a_container_that_was_seen_is_the_one_that_is_known() {
        const USERS: &str = "/user.slice/user-7711.slice/user@7711.service";
        let own = format!("/system.slice/docker-{ID}.scope");
        let seen = |cgroup: &str, user, confirmed| Container {
            id: ID.to_owned(),
            cgroup: cgroup.to_owned(),
            user,
            confirmed,
            ..Container::default()
        };
        let runs = seen(&own, None, true);
        let ended = seen("", None, true);
        let gone = seen(&own, None, false);
        let users = seen("", Some(7711), true);
        let below = |above: &str| format!("{above}/docker-{ID}.scope");
        for (cgroup, user, confirmed, of_runs, of_ended, of_gone, of_users, word) in [
            (own.clone(), None, true, true, true, true, false, Word::Runtimes),
            (own.clone(), None, false, true, true, true, false, Word::Roots),
            // Its runtime says that it was made elsewhere.
            (below("/batch.slice"), None, false, false, true, true, false, Word::Roots),
            // A kubelet's, and one below what `--cgroup-parent` names.
            (format!("/kubepods/burstable/pod{UID}/{ID}"), None, false, false, true, true, false, Word::Roots),
            (format!("/x/{ID}"), None, false, false, true, true, false, Word::Roots),
            (below(USERS), Some(7711), false, false, false, false, true, Word::Users),
            (below(USERS), Some(7711), true, false, false, false, true, Word::Users),
            // As an older oomtrace has written it down.
            (below(USERS), None, false, false, false, false, false, Word::Anybodys),
            (below(USERS).replace("7711", "7712"), Some(7712), false, false, false, false, false, Word::Users),
            (below("/system.slice/ci.service"), None, false, false, false, false, false, Word::Anybodys),
            (format!("/docker/{OTHER}/docker/{ID}"), None, false, false, false, false, false, Word::Anybodys),
        ] {
            let it = seen(&cgroup, user, confirmed);
            let is_of = |known| may_be_container(&it, known);
            let found = (is_of(&runs), is_of(&ended), is_of(&gone), is_of(&users));
            assert_eq!(found, (of_runs, of_ended, of_gone, of_users), "{cgroup} {confirmed}");
            assert_eq!(Word::of(&it), word, "{cgroup} {confirmed}");
            let other = Container { id: OTHER.to_owned(), ..it };
            assert!(!may_be_container(&other, &runs) && !may_be_container(&other, &gone), "{cgroup}");
        }
    }
}
