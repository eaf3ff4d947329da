//! The node's configuration files.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::images;
use super::network::{ADDRESS, API, PODS};
use super::node::Surroundings;

/// Whoever has it may do anything on this API server.
pub const TOKEN: &str = "oomtrace";
/// The node's name.
pub const NAME: &str = "oomtrace";
/// Memory that all pods together may have, in bytes: a node that is full must not fill the machine.
pub const PODS_MEMORY: u64 = 1 << 30;
/// With less than that left of it, in MiB, kubelet evicts pods.
const EVICT_BELOW_MIB: u64 = 192;

/// A link to containerd's state directory, in the node's.
pub const CONTAINERD_STATE: &str = "containerd-state";

/// Who makes the pods' cgroups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// kubelet and runc, by hand, in the node's own cgroup.
    #[default]
    Cgroupfs,
    /// The machine's systemd, which kubelet and runc ask for slices and scopes below the root.
    Systemd,
}

impl Driver {
    /// As kubelet calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cgroupfs => "cgroupfs",
            Self::Systemd => "systemd",
        }
    }
}

/// Where the node's files are.
pub struct Places {
    /// For everything; it goes with the node.
    pub directory: PathBuf,
    /// The node's programs.
    pub programs: PathBuf,
    /// containerd's state directory.
    pub containerd: PathBuf,
}

impl Places {
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn containerd_socket(&self) -> PathBuf {
        self.containerd.join("containerd.sock")
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// Where kubelet looks for static pods.
    pub fn manifests(&self) -> PathBuf {
        self.path("manifests")
    }
}

/// Writes them all; `cgroup` is the node's.
///
/// # Errors
/// When one cannot be written.
pub fn write(places: &Places, cgroup: &str, surroundings: &Surroundings) -> Result<()> {
    for name in ["manifests", "cni", "plugins"] {
        let directory = places.path(name);
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let files = [
        ("tokens", format!("{TOKEN},admin,admin,\"system:masters\"\n")),
        ("kubeconfig", kubeconfig().to_string()),
        ("kubelet.json", kubelet(places, cgroup, surroundings)?.to_string()),
        ("containerd.toml", containerd(places, surroundings.driver)),
        ("cni/10-ptp.conflist", network(places).to_string()),
        ("resolv.conf", String::new()),
    ];
    for (name, content) in files {
        let path = places.path(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn kubeconfig() -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": NAME,
            "cluster": { "server": "https://127.0.0.1", "insecure-skip-tls-verify": true },
        }],
        "users": [{ "name": "admin", "user": { "token": TOKEN } }],
        "contexts": [{ "name": NAME, "context": { "cluster": NAME, "user": "admin" } }],
        "current-context": NAME,
    })
}

fn kubelet(places: &Places, cgroup: &str, surroundings: &Surroundings) -> Result<serde_json::Value> {
    // What is not for pods is reserved: their cgroup has the rest as its limit.
    let text = fs::read_to_string("/proc/meminfo").context("cannot read how much memory there is")?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let total: u64 = total.context("cannot read how much memory there is")?;
    let reserved = (total << 10).saturating_sub(PODS_MEMORY);
    let driver = surroundings.driver;
    // It gives the API server as long for each answer.
    let status_frequency = if surroundings.is_emulated { "10s" } else { "2s" };
    // Slices' names are their paths: those of pods are what they are on every node.
    let root = if driver == Driver::Systemd { "/" } else { cgroup };
    Ok(json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": { "anonymous": { "enabled": true }, "webhook": { "enabled": false } },
        "authorization": { "mode": "AlwaysAllow" },
        "cgroupDriver": driver.name(),
        "cgroupRoot": root,
        "enforceNodeAllocatable": ["pods"],
        "systemReserved": { "memory": reserved.to_string() },
        "evictionHard": { "memory.available": format!("{EVICT_BELOW_MIB}Mi") },
        "evictionPressureTransitionPeriod": "5s",
        "failSwapOn": false,
        "makeIPTablesUtilChains": false,
        "enableControllerAttachDetach": false,
        // Lower ones want a capability that not every root has.
        "oomScoreAdj": 0,
        // 110 by default; a bench has more than twice as many.
        "maxPods": 300,
        // The device plug-ins' socket is below /var/lib/kubelet, wherever kubelet's own directory is.
        "featureGates": { "DevicePlugins": false },
        "hairpinMode": "none",
        // A disk that is full is none of its business.
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": status_frequency,
        "syncFrequency": "10s",
        "fileCheckFrequency": "1s",
        "readOnlyPort": 0,
        "resolvConf": places.path("resolv.conf"),
        "staticPodPath": places.manifests(),
        "serializeImagePulls": false,
        "volumeStatsAggPeriod": "10s",
    }))
}

fn containerd(places: &Places, driver: Driver) -> String {
    let path = |name: &str| places.path(name).display().to_string();
    let programs = places.programs.display();
    format!(
        r#"version = 2
root = {root:?}
state = {state:?}
[grpc]
address = {socket:?}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
# Without CAP_SYS_RESOURCE a score cannot be lowered.
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{programs}"
conf_dir = {cni:?}
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{programs}/runc"
SystemdCgroup = {is_systemd}
"#,
        root = path("containerd"),
        state = places.containerd,
        socket = places.containerd_socket(),
        pause = images::PAUSE,
        is_systemd = driver == Driver::Systemd,
        cni = path("cni"),
    )
}

fn network(places: &Places) -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": NAME,
        "plugins": [{
            "type": "ptp",
            "ipMasq": false,
            "ipam": {
                "type": "host-local",
                "ranges": [[{ "subnet": PODS }]],
                "routes": [{ "dst": format!("{ADDRESS}/32") }, { "dst": format!("{API}/32") }],
                "dataDir": places.path("addresses"),
            },
        }],
    })
}
