//! The sockets on which runtimes take requests.

use std::path::Path;

use super::placement::Runtime;
use crate::incident::clients::Socket;
use crate::node::territory::Territory;

/// Users whose sockets are watched.
pub const MAX_USERS: usize = 64;
/// Besides those that the user names.
const OTHERS: [(&str, Runtime); 4] = [
    // The containerd that dockerd starts when there is no other.
    ("/run/docker/containerd/containerd.sock", Runtime::Containerd),
    ("/run/podman/podman.sock", Runtime::Podman),
    ("/run/user/*/podman/podman.sock", Runtime::Podman),
    ("/run/crio/crio.sock", Runtime::Crio),
];

/// All that are watched; a `*` stands for every user that is logged in.
#[must_use]
pub fn watched(docker: &Path, containerd: &Path) -> Vec<Socket> {
    let named = [(docker, Runtime::Docker), (containerd, Runtime::Containerd)];
    let named = named.iter().map(|(path, runtime)| (path.display().to_string(), *runtime));
    let all = named.chain(OTHERS.iter().map(|(path, runtime)| ((*path).to_owned(), *runtime)));
    all.map(|(path, runtime)| Socket { path, runtime }).collect()
}

/// The paths that a daemon may have bound the socket to: `/var/run` is `/run` on every system of today, and a daemon's
/// configuration has either.
#[must_use]
pub fn bound_paths(socket: &Socket, users: &[u32]) -> Vec<String> {
    let other = match (socket.path.strip_prefix("/var/run/"), socket.path.strip_prefix("/run/")) {
        (Some(rest), _) => Some(format!("/run/{rest}")),
        (None, Some(rest)) => Some(format!("/var/run/{rest}")),
        (None, None) => None,
    };
    let paths = std::iter::once(socket.path.clone()).chain(other);
    if socket.path.contains('*') {
        return paths.flat_map(|path| users.iter().map(move |uid| path.replace('*', &uid.to_string()))).collect();
    }
    paths.collect()
}

/// Users that have a folder for their sockets: who is logged in, or lingers.
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
        let paths = |path: &str| bound_paths(&Socket { path: path.to_owned(), runtime: Runtime::Docker }, &[0, 1000]);
        assert_eq!(paths("/var/run/docker.sock"), ["/var/run/docker.sock", "/run/docker.sock"]);
        assert_eq!(paths("/run/a.sock"), ["/run/a.sock", "/var/run/a.sock"]);
        assert_eq!(paths("/tmp/a.sock"), ["/tmp/a.sock"]);
        assert_eq!(
            paths("/run/user/*/p.sock"),
            ["/run/user/0/p.sock", "/run/user/1000/p.sock", "/var/run/user/0/p.sock", "/var/run/user/1000/p.sock"]
        );
    }
}
