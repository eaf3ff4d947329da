//! Which cgroups are followed: containers' own, pods', and systemd's services and scopes.

use crate::model::LimitLevel;
use crate::placement::{Placement, user_of};

/// A cgroup that may be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// A container, a pod or a unit.
    pub level: LimitLevel,
    /// The place of another's than root's that it is in, where anybody may make any number of them: a user's slice, or the outermost
    /// container around it.
    pub region: Option<String>,
}

/// What the cgroup at `path` is, if it is to be followed.
#[must_use]
pub fn scope(path: &str) -> Option<Scope> {
    let placement = Placement::parse(path);
    let level = if placement.container.as_ref().is_some_and(|container| container.cgroup == path) {
        LimitLevel::Container
    } else if placement.container.is_none() && placement.unit_cgroup.as_deref() == Some(path) {
        LimitLevel::Unit
    } else if placement.container.is_none() && placement.in_pod && is_pod(path) {
        LimitLevel::Pod
    } else {
        return None;
    };
    Some(Scope { level, region: region_of(path, &placement) })
}

/// What the cgroup at `path` is, which is a container's though its path does not tell.
#[must_use]
pub fn of_container(path: &str) -> Scope {
    Scope { level: LimitLevel::Container, region: region(path) }
}

/// See [`Scope::region`].
#[must_use]
pub fn region(path: &str) -> Option<String> {
    region_of(path, &Placement::parse(path))
}

fn region_of(path: &str, placement: &Placement) -> Option<String> {
    match user_of(path) {
        Some(uid) => Some(format!("/user.slice/user-{uid}.slice")),
        None => placement
            .containers()
            .last()
            .map(|outermost| outermost.cgroup.clone())
            .filter(|outermost| outermost != path),
    }
}

/// Its own name is a pod's.
fn is_pod(path: &str) -> bool {
    let mut names = path.rsplit('/');
    let (name, parent) = (names.next().unwrap_or_default(), names.next());
    !name.contains(':') && crate::placement::pod_of(name, parent).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";
    const UID: &str = "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";

    #[test]
    fn containers_pods_and_units_are_followed_and_what_they_make_below_is_not() {
        use LimitLevel::*;
        let user = Some("/user.slice/user-1000.slice".to_owned());
        let docker = format!("/docker/{ID}");
        for (path, expected) in [
            (docker.clone(), Some((Container, None))),
            (format!("{docker}/below"), None),
            (format!("{docker}/docker/{ID}"), Some((Container, Some(docker.clone())))),
            (format!("{docker}/system.slice/a.service"), None),
            (format!("/kubepods/burstable/pod{UID}"), Some((Pod, None))),
            (format!("/kubepods/burstable/pod{UID}/{ID}"), Some((Container, None))),
            (format!("/kubepods/burstable/pod{UID}/{ID}/x"), None),
            ("/kubepods/burstable".to_owned(), None),
            ("/system.slice/nginx.service".to_owned(), Some((Unit, None))),
            ("/system.slice/nginx.service/worker".to_owned(), None),
            ("/system.slice".to_owned(), None),
            ("/".to_owned(), None),
            ("/user.slice/user-1000.slice/session-3.scope".to_owned(), Some((Unit, user.clone()))),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope".to_owned(), Some((Unit, user.clone()))),
            (
                format!("/user.slice/user-1000.slice/user@1000.service/docker-{ID}.scope"),
                Some((Container, user.clone())),
            ),
        ] {
            let found = scope(&path).map(|scope| (scope.level, scope.region));
            assert_eq!(found, expected, "{path}");
        }
        // A name makes nobody's place root's.
        for (path, region) in [
            ("/jobs/web".to_owned(), None),
            ("/user.slice/user-1000.slice/my/own".to_owned(), user),
            (format!("{docker}/my/own"), Some(docker)),
        ] {
            assert_eq!(scope(&path), None, "{path}");
            assert_eq!(of_container(&path), Scope { level: Container, region }, "{path}");
        }
    }
}
