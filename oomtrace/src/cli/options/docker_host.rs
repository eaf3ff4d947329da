//! Which of Docker's sockets is asked, where DOCKER_HOST names one as well (docs.docker.com/reference/cli/docker/#environment-variables).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use oomtrace::container::runtime::docker::DEFAULT_SOCKET;
use oomtrace::text::quote::quote;

/// The variable of the environment that Docker's own client goes by.
pub const VARIABLE: &str = "DOCKER_HOST";

/// Where Docker is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerPlace {
    pub socket: PathBuf,
    /// Why DOCKER_HOST is not followed, and what that costs.
    pub unused: Option<String>,
}

/// `named`: on the command line. `host`: what DOCKER_HOST says.
pub fn place(named: Option<&Path>, host: Option<&OsStr>, is_there: impl Fn(&Path) -> bool) -> DockerPlace {
    let default = Path::new(DEFAULT_SOCKET);
    let at = |socket: &Path, unused| DockerPlace { socket: socket.to_owned(), unused };
    let host = host.filter(|host| !host.is_empty());
    let Some((host, None)) = host.zip(Some(named)) else { return at(named.unwrap_or(default), None) };
    let host = host.to_string_lossy();
    let Some(socket) = host.strip_prefix("unix://").map(Path::new).filter(|socket| socket.is_absolute()) else {
        // What follows may be a password.
        let scheme = host.split_once("://").map(|(scheme, _)| format!(" ({}://)", quote(scheme))).unwrap_or_default();
        let why = format!(
            "DOCKER_HOST{scheme} is not followed, which is no socket of this machine's (unix:///PATH): Docker is asked at {DEFAULT_SOCKET}"
        );
        return at(default, Some(why));
    };
    let is_usual = [default, Path::new("/var/run/docker.sock")].contains(&socket);
    match (is_usual || is_users(socket), is_there(default), is_there(socket)) {
        // A user's own daemon is asked about that user's containers, wherever the machine's is.
        (true, _, _) => at(default, None),
        (false, false, true) => at(socket, None),
        (false, true, true) => {
            let why = format!(
                "Docker is asked at {DEFAULT_SOCKET}, and not at that of DOCKER_HOST, whose containers go by their ids: \
                 --docker-socket {} asks there instead",
                quote(&socket.to_string_lossy())
            );
            at(default, Some(why))
        }
        (false, _, false) => {
            let why = format!(
                "DOCKER_HOST={} names no socket that is there: Docker is asked at {DEFAULT_SOCKET}",
                quote(&host)
            );
            at(default, Some(why))
        }
    }
}

/// Where rootless mode has a user's own.
fn is_users(socket: &Path) -> bool {
    let below = socket.strip_prefix("/run/user").or_else(|_| socket.strip_prefix("/var/run/user"));
    let parts: Vec<&OsStr> = below.map(|below| below.iter().collect()).unwrap_or_default();
    matches!(parts[..], [uid, name] if name == "docker.sock" && uid.to_str().is_some_and(|uid| uid.parse::<u32>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_docker_host_names_is_one_more_place() {
        const OTHER: &str = "/srv/docker.sock";
        let both = &[DEFAULT_SOCKET, OTHER][..];
        for (named, host, there, socket, said) in [
            (None, None, both, DEFAULT_SOCKET, None),
            (None, Some(""), both, DEFAULT_SOCKET, None),
            (Some("/x.sock"), Some("unix:///srv/docker.sock"), both, "/x.sock", None),
            (Some("/x.sock"), Some("tcp://10.0.0.1:2375"), both, "/x.sock", None),
            (None, Some("unix:///srv/docker.sock"), &[OTHER], OTHER, None),
            (None, Some("unix:///srv/docker.sock"), both, DEFAULT_SOCKET, Some("--docker-socket /srv/docker.sock")),
            (
                None,
                Some("unix:///srv/docker.sock"),
                &[DEFAULT_SOCKET],
                DEFAULT_SOCKET,
                Some("names no socket that is there"),
            ),
            (None, Some("unix:///var/run/docker.sock"), &[], DEFAULT_SOCKET, None),
            (None, Some("unix:///run/user/1000/docker.sock"), both, DEFAULT_SOCKET, None),
            (None, Some("unix://docker.sock"), both, DEFAULT_SOCKET, Some("is not followed")),
            (None, Some("tcp://10.0.0.1:2375"), both, DEFAULT_SOCKET, Some("DOCKER_HOST (tcp://) is not followed")),
            (None, Some("ssh://root:secret@host"), &[], DEFAULT_SOCKET, Some("DOCKER_HOST (ssh://) is not followed")),
        ] {
            let is_there = |path: &Path| there.iter().any(|there| path == Path::new(there));
            let found = place(named.map(Path::new), host.map(OsStr::new), is_there);
            assert_eq!(found.socket, Path::new(socket), "{named:?} {host:?} {there:?}");
            assert_eq!(found.unused.is_some(), said.is_some(), "{host:?} {:?}", found.unused);
            assert!(
                said.is_none_or(|said| found.unused.as_ref().unwrap().contains(said)),
                "{host:?} {:?}",
                found.unused
            );
        }
    }
}
