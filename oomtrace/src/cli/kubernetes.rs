//! Options about the Kubernetes API.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use oomtrace::kubernetes::{EventsMode, Kubernetes, Options};
use oomtrace::node::identity::Identity;

/// Whether the Kubernetes API is asked, and how.
#[derive(Clone, Debug, Args)]
pub struct KubernetesOptions {
    /// Whether the Kubernetes API is asked why the kubelet had a container killed: with the service account's credentials in a pod, else by
    /// a kubeconfig of root's
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Auto, hide_short_help = true)]
    pub kubernetes: When,
    /// The kubeconfig; without it $KUBECONFIG, or the administrator's or root's in a usual place
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub kubeconfig: Option<PathBuf>,
}

/// Whether the API is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where there are credentials
    Auto,
    /// Never
    Off,
}

/// Whether Events are put on pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Events {
    /// When it runs in a pod
    Auto,
    /// Always
    On,
    /// Never
    Off,
}

impl From<Events> for EventsMode {
    fn from(when: Events) -> Self {
        match when {
            Events::Auto => Self::InCluster,
            Events::On => Self::On,
            Events::Off => Self::Off,
        }
    }
}

impl KubernetesOptions {
    /// Why the API is not asked, where somebody wants it to be: credentials are named, or Events are asked for.
    pub fn why_not(&self, kubernetes: &Kubernetes, events: Events) -> Option<String> {
        let is_named = self.kubeconfig.is_some() || std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty());
        let why = kubernetes.why_off().filter(|_| is_named || events == Events::On)?;
        Some(format!("the Kubernetes API is not asked: {why}"))
    }

    /// Finds credentials, and begins to ask.
    pub fn start(&self, events: EventsMode) -> Kubernetes {
        if self.kubernetes == When::Off {
            return Kubernetes::off("--kubernetes off");
        }
        let identity = Identity::read();
        Kubernetes::start(&Options {
            node: Identity::named(),
            // As the kubelet names a node by default.
            host: identity.node.unwrap_or_default().to_ascii_lowercase(),
            boot_id: identity.boot_id,
            kubeconfig: self.kubeconfig.clone(),
            events,
        })
    }
}
