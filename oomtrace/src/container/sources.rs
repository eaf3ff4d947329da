//! Whom to ask about a container: one place for all runtimes.

use std::sync::Arc;

use crate::container::metadata::{Metadata, PodNames};
use crate::container::readers::{Late, Readers};
use crate::container::runtime::bundle::{BundleError, Bundles, FoundBundle, InContainerd};
use crate::container::runtime::containerd::Containerd;
use crate::container::runtime::docker::{Docker, DockerError};
use crate::container::runtime::lxc;
use crate::container::runtime::oci_state::States;
use crate::container::runtime::storage;
use crate::node::users;
use crate::placement::{ContainerPlace, Runtime};

/// Every runtime's daemon or files: the machine's, and below a user's slice that user's alone, whose word counts for the user's own
/// cgroups and for no others.
#[derive(Clone, Debug)]
pub struct Sources {
    pub docker: Docker,
    pub bundles: Bundles,
    pub states: States,
    pub readers: Readers,
}

/// Why nothing more is known of a container: the reason alone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unknown {
    /// Docker, which is worth asking later.
    #[error("{0}")]
    Docker(DockerError),
    #[error("{0}")]
    Late(#[from] Late),
    #[error("{0}")]
    Bundle(Arc<BundleError>),
    #[error("containers/storage has no container {id}")]
    NotStored { id: String },
    #[error("{}'s state of it is gone", .runtime.name())]
    NoState { runtime: Runtime },
    #[error("{} of user {uid} is not asked", .runtime.map_or("the runtime", Runtime::name))]
    NotAsked { runtime: Option<Runtime>, uid: u32 },
}

impl Unknown {
    /// What is missing for it.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Docker(_) => "its name, image and labels",
            Self::Late(_) | Self::Bundle(_) | Self::NotStored { .. } => "its name and image",
            Self::NoState { .. } => "its first process",
            Self::NotAsked { .. } => "its name",
        }
    }
}

impl Sources {
    /// The Docker that may have made the container: the machine's, or the user's own.
    #[must_use]
    pub fn docker_of(&self, place: &ContainerPlace) -> Docker {
        self.docker_of_user(place.user())
    }

    /// The user's own Docker, or without one the machine's.
    #[must_use]
    pub fn docker_of_user(&self, user: Option<u32>) -> Docker {
        user.map_or_else(|| self.docker.clone(), Docker::of_user)
    }

    /// Asks all but Docker, whose answers are bounded by its own client; none for a container of Docker's.
    pub async fn ask(&self, place: &ContainerPlace) -> Option<Result<Metadata, Unknown>> {
        let files = {
            let (bundles, states, place) = (self.bundles.clone(), self.states.clone(), place.clone());
            let (user, has_docker) = (place.user(), self.docker.socket().exists());
            self.readers.run(user, move || read(&bundles, &states, &place, has_docker)).await
        };
        let Files { said, containerd } = match files {
            Ok(files) => files,
            Err(late) => return Some(Err(late.into())),
        };
        match (said?, containerd) {
            (Ok(metadata), Some(containerd)) => Some(Ok(with_labels(metadata, containerd, &place.id).await)),
            (said, _) => Some(said),
        }
    }
}

/// The bundle names the pod; labels are containerd's alone. Without them the container still has its name.
async fn with_labels(metadata: Metadata, InContainerd { socket, namespace }: InContainerd, id: &str) -> Metadata {
    match Containerd::new(socket).get(&namespace, id).await {
        Ok(said) => metadata.or(said),
        Err(error) => {
            log::debug!("{error}");
            metadata
        }
    }
}

/// What files say.
struct Files {
    /// None of a container of Docker's.
    said: Option<Result<Metadata, Unknown>>,
    /// Whose API has more.
    containerd: Option<InContainerd>,
}

impl Files {
    const DOCKER: Self = Self { said: None, containerd: None };
}

/// Reads the runtime's files. On a file system that hangs this hangs, which is why it has a thread of its own.
fn read(bundles: &Bundles, states: &States, place: &ContainerPlace, has_docker: bool) -> Files {
    let said = |said| Files { said: Some(said), containerd: None };
    let user = place.user();
    if let Some(uid) = user
        .filter(|_| !matches!(place.runtime, Some(Runtime::Docker | Runtime::Podman | Runtime::Runc | Runtime::Crun)))
    {
        return said(Err(Unknown::NotAsked { runtime: place.runtime, uid }));
    }
    match place.runtime {
        Some(Runtime::Docker) => Files::DOCKER,
        Some(runtime @ (Runtime::Runc | Runtime::Crun)) => {
            said(states.find(runtime, &place.id, user).map(without_pod).ok_or(Unknown::NoState { runtime }))
        }
        Some(Runtime::Lxc) => said(Ok(lxc::find(&place.id))),
        Some(Runtime::Podman) => {
            let home = user.and_then(|uid| Some((users::home(uid)?, uid)));
            // A user without a home has no storage, and root's is not the user's.
            let stored = match (user, &home) {
                (Some(_), None) => None,
                (_, home) => storage::find(home.as_ref().map(|(home, uid)| (home.as_path(), *uid)), &place.id),
            };
            let unknown = || Unknown::NotStored { id: place.id.clone() };
            said(stored.map(|known| with(without_pod(known), Runtime::Podman)).ok_or_else(unknown))
        }
        Some(runtime @ (Runtime::Containerd | Runtime::Crio | Runtime::Nerdctl)) => match find(bundles, &place.id) {
            Ok(found) => {
                let mut metadata = with(found.metadata, runtime);
                if runtime == Runtime::Crio {
                    metadata = metadata.or(storage::find(None, &place.id).unwrap_or_default());
                }
                Files { said: Some(Ok(metadata)), containerd: found.containerd }
            }
            Err(error) => said(Err(Unknown::Bundle(Arc::new(error)))),
        },
        // A bare id is Docker's, or a pod's whose runtime is containerd or CRI-O: whoever has a bundle of it made it. Docker's
        // containers have one too, made by containerd in its own namespace, with less in it than Docker knows.
        None => match find(bundles, &place.id) {
            Ok(found) if !found.metadata.pod.is_empty() || place.pod.is_some() => {
                let runtime = if found.containerd.is_some() { Runtime::Containerd } else { Runtime::Crio };
                Files { said: Some(Ok(with(found.metadata, runtime))), containerd: found.containerd }
            }
            // Kubernetes has not had Docker since 1.24 (dockershim); where that is not here, it is not the reason.
            Err(error) if place.pod.is_some() && !has_docker => said(Err(Unknown::Bundle(Arc::new(error)))),
            _ => Files::DOCKER,
        },
    }
}

/// What a bundle says. Of pods only that which Kubernetes' own runtimes write counts: for others an image may have the same annotations, or
/// whoever started the container.
fn find(bundles: &Bundles, id: &str) -> Result<FoundBundle, BundleError> {
    let mut found = bundles.find(id)?;
    // The namespace that containerd's CRI plugin has its containers in (pkg/cri/constants, 1.3 to 2.1).
    if found.containerd.as_ref().is_some_and(|containerd| containerd.namespace != "k8s.io") {
        found.metadata = without_pod(found.metadata);
    }
    Ok(found)
}

fn without_pod(metadata: Metadata) -> Metadata {
    Metadata { pod: PodNames::default(), ..metadata }
}

fn with(metadata: Metadata, runtime: Runtime) -> Metadata {
    Metadata { runtime: Some(runtime), ..metadata }
}
