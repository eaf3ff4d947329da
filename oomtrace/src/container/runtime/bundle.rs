//! OCI bundles: the directories that containerd, CRI-O and podman keep for each running container. `config.json` in it has the
//! annotations that Kubernetes' runtimes write, which name the pod.
//!
//! | runtime | bundle |
//! |---|---|
//! | containerd (`ctr`, nerdctl, Kubernetes) | `STATE/io.containerd.runtime.v2.task/NAMESPACE/ID`, `STATE` being mostly `/run/containerd` |
//! | CRI-O, podman | `/run/containers/storage/overlay-containers/ID/userdata`, and below `/var/lib` the same |

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::container::containerds::Containerds;
use crate::container::is_file_name;
use crate::container::labels::Labels;
use crate::container::metadata::{Metadata, PodNames};
use crate::container::statement::{Statement, paths_of_oci};
use crate::model::Limits;
use crate::node::territory::Territory;

/// containerd's state directory by default (its `state` setting).
pub const CONTAINERD_STATE: &str = "/run/containerd";
/// Where containers/storage keeps bundles: CRI-O's and podman's.
const STORAGE: [&str; 2] =
    ["/run/containers/storage/overlay-containers", "/var/lib/containers/storage/overlay-containers"];

/// Below containerd's state directory: a directory for each of its namespaces, with a bundle for each container.
pub const TASKS: &str = "io.containerd.runtime.v2.task";
const CONFIG: &str = "config.json";
/// A bundle's config.json has some 20 KiB; one with many mounts and variables a few hundred.
const MAX_CONFIG: u64 = 1 << 20;
/// A pid in digits.
const MAX_PID: u64 = 16;
/// containerd's namespaces that are looked through.
const MAX_NAMESPACES: usize = 64;

/// Why a bundle says nothing.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("no bundle of {id} below {}", .below.join(" or "))]
    Gone { id: String, below: Vec<String> },
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
}

/// Where bundles are.
#[derive(Clone, Debug)]
pub struct Bundles {
    containerds: Containerds,
    storage: Vec<PathBuf>,
}

impl Bundles {
    /// Those of `containerds`, and of what keeps them in containers/storage.
    #[must_use]
    pub fn new(containerds: Containerds) -> Self {
        Self { containerds, storage: STORAGE.iter().map(PathBuf::from).collect() }
    }

    /// Whose bundles count.
    #[must_use]
    pub const fn containerds(&self) -> &Containerds {
        &self.containerds
    }

    /// What the bundle of the container `id` says.
    ///
    /// # Errors
    /// When there is none (any more), or it cannot be read.
    pub fn find(&self, id: &str) -> Result<FoundBundle, BundleError> {
        let open = || self.places(id).find_map(|(dir, owner)| Some((Territory::of_system(&dir).ok()?, dir, owner)));
        let is_name = is_file_name(id);
        // Its containerd may be at a place that nobody named, and may be new.
        let found = is_name.then(open).flatten().or_else(|| (is_name && self.containerds.look()).then(open).flatten());
        let Some((bundle, dir, containerd)) = found else {
            return Err(BundleError::Gone { id: id.to_owned(), below: self.below() });
        };
        let mut metadata = read(&bundle, &dir, None)?;
        let init_pid = bundle.read("init.pid", MAX_PID).ok();
        metadata.init_pid = init_pid.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
        metadata.stated = std::mem::take(&mut metadata.stated).with_init(metadata.init_pid, None);
        metadata.runtime_socket = containerd.as_ref().map(|containerd| containerd.socket.display().to_string());
        Ok(FoundBundle { metadata, containerd })
    }

    /// Where the bundle may be, and in which containerd's namespace.
    fn places(&self, id: &str) -> impl Iterator<Item = (PathBuf, Option<InContainerd>)> {
        let tasks = self.containerds.places().into_iter().flat_map(move |place| {
            let tasks = place.state.join(TASKS);
            let names = Territory::of_system(&tasks).map(|tasks| tasks.names("", MAX_NAMESPACES)).unwrap_or_default();
            names.into_iter().map(move |name| {
                let namespace = name.to_string_lossy().into_owned();
                (tasks.join(name), InContainerd { socket: place.socket.clone(), namespace })
            })
        });
        let (of_containerd, of_storage) = (id.to_owned(), id.to_owned());
        let tasks = tasks.map(move |(dir, containerd)| (dir.join(&of_containerd), Some(containerd)));
        tasks.chain(self.storage.iter().map(move |dir| (dir.join(&of_storage).join("userdata"), None)))
    }

    /// The directories that are here to be looked through, for a person.
    fn below(&self) -> Vec<String> {
        let states = self.containerds.places().into_iter().map(|place| place.state);
        let all = states.chain(self.storage.iter().cloned());
        let here: Vec<String> = all.filter(|dir| dir.exists()).map(|dir| dir.display().to_string()).collect();
        if here.is_empty() { vec!["any directory that runtimes keep them in".to_owned()] } else { here }
    }
}

/// What a bundle says of its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundBundle {
    pub metadata: Metadata,
    /// Where its labels are to be had, when the bundle is a containerd's.
    pub containerd: Option<InContainerd>,
}

/// One of a containerd's namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InContainerd {
    /// Where that containerd is asked.
    pub socket: PathBuf,
    pub namespace: String,
}

/// What the OCI configuration in a bundle says of its container, which is `user`'s own, or the machine's; `path` is the bundle's,
/// for a person.
///
/// # Errors
/// When it cannot be read.
pub fn read(bundle: &Territory, path: &Path, user: Option<u32>) -> Result<Metadata, BundleError> {
    let unreadable = |source| BundleError::Unreadable { path: path.join(CONFIG), source };
    let text = bundle.read(CONFIG, MAX_CONFIG).map_err(unreadable)?;
    parse(&text, user).map_err(|source| BundleError::Damaged { path: path.join(CONFIG), source })
}

/// What an OCI configuration says of its container.
///
/// # Errors
/// When it is none.
pub fn parse(config: &[u8], user: Option<u32>) -> Result<Metadata, serde_json::Error> {
    let config: Config = serde_json::from_slice(config)?;
    Ok(config.describe(user))
}

/// What is of interest in an OCI runtime configuration (opencontainers/runtime-spec, config.md).
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    annotations: Labels,
    linux: Option<Linux>,
}

#[derive(Deserialize)]
struct Linux {
    resources: Option<Resources>,
    #[serde(rename = "cgroupsPath")]
    cgroups_path: Option<String>,
}

#[derive(Deserialize)]
struct Resources {
    memory: Option<Memory>,
}

/// Bytes; -1 is no limit.
#[derive(Deserialize)]
struct Memory {
    limit: Option<i64>,
    reservation: Option<i64>,
    /// Memory and swap together.
    swap: Option<i64>,
}

impl Config {
    fn paths(&self, user: Option<u32>) -> Vec<String> {
        let path = self.linux.as_ref().and_then(|linux| linux.cgroups_path.as_deref());
        path.map(|path| paths_of_oci(path, user)).unwrap_or_default()
    }

    fn describe(&self, user: Option<u32>) -> Metadata {
        // containerd's CRI plugin (pkg/cri/annotations, 1.3 to 2.1), then CRI-O's (pkg/annotations, 1.20 to 1.33), then
        // nerdctl's (pkg/labels, from 1.0 on copied to annotations).
        let first = |names: &[&str]| {
            names.iter().find_map(|name| self.annotations.kept.get(*name)).filter(|value| !value.is_empty()).cloned()
        };
        Metadata {
            name: first(&["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"]),
            image: first(&["io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "nerdctl/image"]),
            pod: PodNames {
                name: first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]),
                namespace: first(&["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"]),
                uid: first(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]),
                sandbox: first(&["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"])
                    .is_some_and(|kind| kind == "sandbox"),
            },
            limits: self.limits(),
            stated: Statement { paths: self.paths(user), init: None },
            // podman's (pkg/annotations, 2.0 to 5.7).
            auto_remove: first(&["io.podman.annotations.autoremove"]).map(|value| value == "TRUE"),
            // What podman and CRI-O write (pkg/annotations, 1.20 to 1.33), and containerd's own label.
            stop_signal: first(&["org.opencontainers.image.stopSignal", "io.containerd.image.config.stop-signal"]),
            ..Metadata::default()
        }
        .bounded()
    }

    fn limits(&self) -> Option<Limits> {
        let memory = self.linux.as_ref()?.resources.as_ref()?.memory.as_ref()?;
        let bytes = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0);
        let limits = Limits {
            memory_bytes: bytes(memory.limit),
            memory_and_swap_bytes: bytes(memory.swap),
            reservation_bytes: bytes(memory.reservation),
        };
        (limits != Limits::default()).then_some(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn bundles(dir: &Path) -> Bundles {
        Bundles { containerds: Containerds::only(dir.join("containerd")), storage: vec![dir.join("storage")] }
    }

    fn write(dir: &Path, place: &str, config: &str) {
        let bundle = dir.join(place);
        fs::create_dir_all(&bundle).unwrap();
        fs::write(bundle.join("config.json"), config).unwrap();
    }

    /// Annotations as the two runtimes write them.
    #[test]
    fn kubernetes_runtimes_name_pod_and_container() {
        let dir = tempfile::tempdir().unwrap();
        let containerd = r#"{"ociVersion":"1.1.0","annotations":{"io.kubernetes.cri.container-name":"app",
            "io.kubernetes.cri.container-type":"container","io.kubernetes.cri.image-name":"docker.io/library/nginx:1.27",
            "io.kubernetes.cri.sandbox-name":"web-5d4","io.kubernetes.cri.sandbox-namespace":"shop",
            "io.kubernetes.cri.sandbox-uid":"2f1c8b1a-0c1d-4b5e-9a77-0123456789ab"},
            "linux":{"resources":{"memory":{"limit":33554432,"swap":-1}}}}"#;
        write(dir.path(), "containerd/io.containerd.runtime.v2.task/k8s.io/abc", containerd);
        fs::write(dir.path().join("containerd/io.containerd.runtime.v2.task/k8s.io/abc/init.pid"), "4711").unwrap();
        let crio = r#"{"annotations":{"io.kubernetes.container.name":"app","io.kubernetes.pod.name":"web-5d4",
            "io.kubernetes.cri-o.ImageName":"docker.io/library/nginx:1.27","io.kubernetes.pod.namespace":"shop",
            "io.kubernetes.pod.uid":"2f1c8b1a-0c1d-4b5e-9a77-0123456789ab","org.opencontainers.image.stopSignal":"3"}}"#;
        write(dir.path(), "storage/def/userdata", crio);
        let mut expected = Metadata {
            name: Some("app".to_owned()),
            image: Some("docker.io/library/nginx:1.27".to_owned()),
            pod: PodNames {
                name: Some("web-5d4".to_owned()),
                namespace: Some("shop".to_owned()),
                uid: Some("2f1c8b1a-0c1d-4b5e-9a77-0123456789ab".to_owned()),
                sandbox: false,
            },
            ..Metadata::default()
        };
        let find = |id: &str| bundles(dir.path()).find(id).unwrap();
        expected.stop_signal = Some("3".to_owned());
        assert_eq!(find("def"), FoundBundle { metadata: expected.clone(), containerd: None });
        expected.stop_signal = None;
        expected.init_pid = Some(4711);
        expected.limits = Some(Limits { memory_bytes: Some(32 << 20), ..Limits::default() });
        let socket = dir.path().join("containerd/containerd.sock");
        expected.runtime_socket = Some(socket.display().to_string());
        let containerd = Some(InContainerd { socket, namespace: "k8s.io".to_owned() });
        assert_eq!(find("abc"), FoundBundle { metadata: expected, containerd });
        for kind in ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"] {
            let sandbox = format!(r#"{{"annotations":{{"{kind}":"sandbox","io.kubernetes.pod.name":"web-5d4"}}}}"#);
            write(dir.path(), "storage/pause/userdata", &sandbox);
            assert!(find("pause").metadata.pod.sandbox, "{kind}");
        }
    }

    #[test]
    fn what_is_not_there_or_no_bundle_is_said_and_no_path_is_left() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "containerd/io.containerd.runtime.v2.task/default/plain", "{}");
        write(dir.path(), "containerd/io.containerd.runtime.v2.task/default/damaged", "{\"annotations\":7");
        write(dir.path(), "containerd/secret", "{}");
        let bundles = bundles(dir.path());
        let plain = bundles.find("plain").unwrap().metadata;
        assert_eq!(Metadata { runtime_socket: None, ..plain }, Metadata::default());
        assert!(matches!(bundles.find("damaged"), Err(BundleError::Damaged { .. })));
        for id in ["gone", "", "..", "../../secret", "a/b", ".hidden"] {
            assert!(matches!(bundles.find(id), Err(BundleError::Gone { .. })), "{id:?}");
        }
    }
}
