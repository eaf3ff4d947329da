//! Options that say where runtimes are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
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

/// Where runtimes are asked for names.
#[derive(Clone, Debug, Args)]
pub struct Runtimes {
    /// Docker's socket
    #[arg(long, value_name = "PATH", default_value = docker::DEFAULT_SOCKET)]
    pub docker_socket: PathBuf,
    /// containerd's state directory, with its containers' bundles
    #[arg(long, value_name = "PATH", default_value = bundle::CONTAINERD_STATE, hide_short_help = true)]
    pub containerd_state: PathBuf,
}

impl Runtimes {
    pub fn sources(&self) -> Sources {
        Sources {
            docker: Docker::new(self.docker_socket.clone()),
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
        let sockets = sockets::watched(&self.docker_socket, &sources.bundles.containerds().places());
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

    /// Places that were named on the command line, and where nothing is.
    pub fn absent(&self) -> impl Iterator<Item = String> {
        let named = [
            ("Docker's socket", &self.docker_socket, docker::DEFAULT_SOCKET),
            ("containerd's state directory", &self.containerd_state, bundle::CONTAINERD_STATE),
        ];
        let absent = named.into_iter().filter(|(_, path, default)| *path != Path::new(default) && !path.exists());
        absent.map(|(what, path, _)| {
            format!("{what} is not at {}: its containers have no names until it is", path.display())
        })
    }

    /// Sockets of runtimes that are asked.
    pub fn sockets(&self) -> Vec<PathBuf> {
        vec![self.docker_socket.clone(), self.containerd_socket()]
    }

    fn containerd_socket(&self) -> PathBuf {
        self.containerd_state.join(containerd::SOCKET)
    }
}
