//! The sockets on which runtimes take requests.

use std::path::Path;

use crate::container::clients::Socket;
use crate::container::containerds::Place;
use crate::node::territory::Territory;
use crate::placement::Runtime;
use crate::profile::{self, Profile};

/// Users whose sockets are watched.
pub const MAX_USERS: usize = 64;

/// All that are watched: those that the user names, those of the containerds that are known, and the others' usual ones; a `*` stands for
/// every user that is logged in. What is bound later is watched as well: it is the path that counts.
#[must_use]
pub fn watched(docker: &Path, containerds: &[Place]) -> Vec<Socket> {
    let of_containerd = |place: &Place| (place.socket.display().to_string(), Runtime::Containerd);
    let named = std::iter::once((docker.display().to_string(), Runtime::Docker));
    let of = |profile: &'static Profile| profile.sockets.iter().map(|path| ((*path).to_owned(), profile.runtime));
    let all = named.chain(containerds.iter().map(of_containerd)).chain(profile::ALL.into_iter().flat_map(of));
    let mut sockets: Vec<Socket> = Vec::new();
    for (path, runtime) in all {
        if sockets.iter().all(|known| known.path != path) {
            sockets.push(Socket { path, runtime });
        }
    }
    sockets
}

/// A path that a daemon may have bound a socket to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub path: String,
    /// The user whose daemon that is; root may as well.
    pub owner: u32,
}

/// The paths that a daemon may have bound the socket to: `/var/run` is `/run` on every system of today, and a daemon's
/// configuration has either.
#[must_use]
pub fn bound_paths(socket: &Socket, users: &[u32]) -> Vec<Bound> {
    let other = match (socket.path.strip_prefix("/var/run/"), socket.path.strip_prefix("/run/")) {
        (Some(rest), _) => Some(format!("/run/{rest}")),
        (None, Some(rest)) => Some(format!("/var/run/{rest}")),
        (None, None) => None,
    };
    let paths = std::iter::once(socket.path.clone()).chain(other);
    if socket.path.contains('*') {
        let of = |path: &str, uid: &u32| Bound { path: path.replace('*', &uid.to_string()), owner: *uid };
        return paths.flat_map(|path| users.iter().map(move |uid| of(&path, uid))).collect();
    }
    let owner = owner_of(&socket.path);
    paths.map(|path| Bound { path, owner }).collect()
}

/// Whose daemon listens at `path`, as `--docker-socket` may name a user's own.
fn owner_of(path: &str) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    let rest = path.strip_prefix("/var").unwrap_or(path).strip_prefix("/run/user/");
    let user = rest.and_then(|rest| rest.split('/').next()?.parse().ok());
    // Without a file there is no daemon yet, or it is root's.
    user.or_else(|| std::fs::symlink_metadata(path).ok().map(|file| file.uid())).unwrap_or_default()
}

/// Users that have a directory for their sockets: who is logged in, or lingers.
#[must_use]
pub fn users() -> Vec<u32> {
    let Ok(run) = Territory::of_system(Path::new("/run/user")) else { return Vec::new() };
    let names = run.names("", MAX_USERS);
    let uids = names.iter().filter_map(|name| name.to_str()?.parse::<u32>().ok());
    uids.filter(|uid| Territory::of_user(&Path::new("/run/user").join(uid.to_string()), *uid).is_ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_may_be_bound_by_either_name() {
        let bound = |path: &str| bound_paths(&Socket { path: path.to_owned(), runtime: Runtime::Docker }, &[0, 1000]);
        let paths = |path: &str| bound(path).into_iter().map(|bound| bound.path).collect::<Vec<_>>();
        let owners = |path: &str| bound(path).into_iter().map(|bound| bound.owner).collect::<Vec<_>>();
        assert_eq!(paths("/var/run/docker.sock"), ["/var/run/docker.sock", "/run/docker.sock"]);
        assert_eq!(paths("/run/a.sock"), ["/run/a.sock", "/var/run/a.sock"]);
        assert_eq!(paths("/tmp/a.sock"), ["/tmp/a.sock"]);
        assert_eq!(
            paths("/run/user/*/p.sock"),
            ["/run/user/0/p.sock", "/run/user/1000/p.sock", "/var/run/user/0/p.sock", "/var/run/user/1000/p.sock"]
        );
        assert_eq!(owners("/run/user/*/p.sock"), [0, 1000, 0, 1000]);
        assert_eq!(owners("/run/user/1000/docker.sock"), [1000, 1000]);
        assert_eq!(owners("/nonexistent/docker.sock"), [0]);
    }
}
