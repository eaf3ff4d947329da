//! Who may have made a cgroup: a name alone says nothing of what is in it.

use super::Placement;

/// The user whose own the cgroup at `path` is: below `user-UID.slice` at its one place, which only root makes. Further below, a user
/// gives names as they like.
#[must_use]
pub fn user_of(path: &str) -> Option<u32> {
    let name = path.strip_prefix("/user.slice/")?.split('/').next()?;
    let digits = name.strip_prefix("user-")?.strip_suffix(".slice")?;
    // One number has one name.
    digits.parse().ok().filter(|uid: &u32| uid.to_string() == digits)
}

/// The user's service manager that has the cgroup at `path`: `user@1000.service`.
#[must_use]
pub fn user_manager(path: &str) -> Option<&str> {
    path.split('/').find(|name| is_user_manager(name))
}

/// A user's own systemd.
pub fn is_user_manager(name: &str) -> bool {
    name.starts_with("user@") && name.ends_with(".service")
}

/// A unit that may have been given to another user, to make cgroups in (`Delegate=`, systemd.resource-control(5)).
#[must_use]
pub fn may_be_given(name: &str) -> bool {
    name.ends_with(".service") || name.ends_with(".scope")
}

/// None but root has made the container's cgroup, unless root has let somebody: it lies below no user's, in no unit that may have been
/// given away, and in no other container.
#[must_use]
pub fn is_roots(cgroup: &str) -> bool {
    let above = cgroup.rsplit_once('/').map_or("", |(above, _)| above);
    // Below /user each user has cgroups of their own on v1 (libpam-cgfs).
    let is_users = user_of(cgroup).is_some() || cgroup.starts_with("/user/");
    !is_users && !above.split('/').any(may_be_given) && Placement::parse(above).container.is_none()
}
