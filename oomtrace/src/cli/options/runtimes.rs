//! Options that say where runtimes are.

use std::ffi::OsStr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use oomtrace::container::containerds::Containerds;
use oomtrace::container::directory::Directory;
use oomtrace::container::readers::Readers;
use oomtrace::container::runtime::bundle::{self, Bundles};
use oomtrace::container::runtime::containerd;
use oomtrace::container::runtime::docker::{self, Docker};
use oomtrace::container::runtime::oci_state::States;
use oomtrace::container::sockets;
use oomtrace::container::sources::Sources;
use oomtrace::kubernetes::Kubernetes;
use oomtrace::own;
use oomtrace::redact::Privacy;
use oomtrace::resolve::detail::Detail;
use oomtrace::run::live::RuntimeConfig;

use super::docker_host::{self, DockerPlace};

/// Where runtimes are asked for names.
#[derive(Clone, Debug, Args)]
pub struct Runtimes {
    /// Docker's socket [default: /run/docker.sock, else that of DOCKER_HOST=unix://...]
    #[arg(long = "docker-socket", value_name = "PATH", value_parser = absolute())]
    docker_socket_named: Option<PathBuf>,
    /// containerd's state directory, with its containers' bundles
    #[arg(long, value_name = "PATH", default_value = bundle::CONTAINERD_STATE, hide_short_help = true, value_parser = absolute())]
    pub containerd_state: PathBuf,
    /// Decided when it is asked for first: a socket that comes or goes meanwhile makes no two places of it.
    #[arg(skip)]
    docker: OnceLock<DockerPlace>,
}

/// Docker's sockets of users' own that are there now; of very many, some.
fn users_sockets() -> impl Iterator<Item = PathBuf> {
    const MOST: usize = 64;
    let all = sockets::users().into_iter().filter_map(|uid| {
        let docker = Docker::of_user(uid);
        // A user may have anything there, as a link to what is another's.
        let found = std::fs::symlink_metadata(docker.socket()).ok()?;
        (found.file_type().is_socket() && found.uid() == uid).then(|| docker.socket().to_owned())
    });
    all.take(MOST)
}

/// Commands that are printed are pasted anywhere.
fn absolute() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(std::path::absolute)
}

impl Runtimes {
    /// Where Docker is asked: at the socket that was named, else at the usual one, or where that is not there at the one that DOCKER_HOST
    /// names.
    pub fn docker_socket(&self) -> PathBuf {
        self.docker_place().socket.clone()
    }

    /// What is to be said of DOCKER_HOST: that it is not followed, or not asked.
    pub fn docker_host_unused(&self) -> Option<String> {
        self.docker_place().unused.clone()
    }

    fn docker_place(&self) -> &DockerPlace {
        let host = std::env::var_os(docker_host::VARIABLE);
        self.decided(host.as_deref(), Path::exists)
    }

    fn decided(&self, host: Option<&OsStr>, is_there: impl Fn(&Path) -> bool) -> &DockerPlace {
        self.docker.get_or_init(|| docker_host::place(self.docker_socket_named.as_deref(), host, is_there))
    }

    pub fn sources(&self) -> Sources {
        Sources {
            docker: Docker::new(self.docker_socket()),
            bundles: Bundles::new(Containerds::of_node(self.containerd_state.clone())),
            states: States::default(),
            readers: Readers::default(),
        }
    }

    /// `keep_names`: how long a container that is gone is remembered.
    /// `kubernetes`: the API, if it is asked.
    pub fn runtimes(
        &self,
        keep_names: Duration,
        privacy: Privacy,
        sandbox: own::Mode,
        kubernetes: Kubernetes,
    ) -> RuntimeConfig {
        let sources = self.sources();
        let sockets = sockets::watched(&self.docker_socket(), &sources.bundles.containerds().places());
        let sockets_asked = self.sockets();
        let directory = Directory::new(sources, keep_names);
        RuntimeConfig {
            directory,
            sockets,
            privacy,
            sandbox,
            sockets_asked,
            kubernetes,
            health: None,
            detail: Detail::default(),
            flight: None,
            history: None,
        }
    }

    /// Places that were named on the command line, and where nothing is; and what DOCKER_HOST names and is not asked.
    pub fn absent(&self) -> impl Iterator<Item = String> {
        let state = Some(&self.containerd_state).filter(|path| *path != Path::new(bundle::CONTAINERD_STATE));
        let named = [("Docker's socket", self.docker_socket_named.as_ref()), ("containerd's state directory", state)];
        let named = named.into_iter().filter_map(|(what, path)| Some((what, path?)));
        let absent = named.filter(|(_, path)| *path != Path::new(docker::DEFAULT_SOCKET) && !path.exists());
        absent
            .map(|(what, path)| {
                format!("{what} is not at {}: its containers have no names until it is", path.display())
            })
            .chain(self.docker_host_unused())
    }

    /// Sockets of runtimes that are asked.
    pub fn sockets(&self) -> Vec<PathBuf> {
        [self.docker_socket(), self.containerd_socket()].into_iter().chain(users_sockets()).collect()
    }

    fn containerd_socket(&self) -> PathBuf {
        self.containerd_state.join(containerd::SOCKET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_docker_is_asked_is_decided_once() {
        let options = Runtimes {
            docker_socket_named: None,
            containerd_state: PathBuf::from(bundle::CONTAINERD_STATE),
            docker: OnceLock::new(),
        };
        let host = Some(OsStr::new("unix:///srv/docker.sock"));
        let found = options.decided(host, |path| path == Path::new("/srv/docker.sock")).clone();
        assert_eq!((found.socket.as_path(), &found.unused), (Path::new("/srv/docker.sock"), &None));
        // The usual one comes, and that one goes.
        assert_eq!(options.decided(host, |path| path == Path::new(docker::DEFAULT_SOCKET)), &found);
        assert_eq!((options.docker_socket(), options.docker_host_unused()), (found.socket.clone(), None));
        assert_eq!(options.clone().sockets().first(), Some(&found.socket));
    }
}
