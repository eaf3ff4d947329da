//! The node: etcd, an API server, its controllers and scheduler, containerd and kubelet, with cgroups of their own and in this process's
//! network namespace. The API server lets everybody do what RBAC allows and nothing else, and gives pods tokens, as on every cluster.
//!
//! Its daemons are in the machine's mount namespace, as they are on every node: a program in one of its own may be anything at
//! `/usr/sbin/runc`, and oomtrace takes none such for a runtime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use xtask::{say, succeed};

use super::cgroups::Cgroups;
use super::daemons::{Daemons, Plan};
use super::leftovers;
use super::network::{ADDRESS, SERVICES};
use super::propagation;
use super::settings::{self, Driver, NAME, Places};
use super::sources::Programs;
use crate::interrupt;

const PREFIX: &str = "oomtrace-k8s-";
/// What each step of starting may take, on a machine that has much else to do, and on one that is emulated.
const START_WITHIN: Duration = Duration::from_secs(180);
const START_EMULATED_WITHIN: Duration = Duration::from_secs(600);

/// Where k3s has its containerd: the usual place may have one of this machine's.
const K3S: &str = "/run/k3s/containerd";
/// The token that a service account has, once a controller has made it.
const TOKEN: &str = "jsonpath={.secrets[0].name}";

/// What a node finds where it is to run.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// containerd's state directory, where that is not to be that of k3s, which is known to oomtrace and below `/run`, as the manifests
    /// want it.
    pub containerd: Option<PathBuf>,
    pub driver: Driver,
    /// A key for the tokens of service accounts, where the machine has no openssl to make one.
    pub key: Option<PathBuf>,
    /// The machine's processors are emulated, and slow.
    pub is_emulated: bool,
}

/// Those that the scenarios need: all of them keep an emulated API server busy.
const CONTROLLERS: [&str; 13] = [
    "daemonset",
    "deployment",
    "disruption",
    "garbagecollector",
    "job",
    "namespace",
    "nodelifecycle",
    "podgc",
    "replicaset",
    "root-ca-cert-publisher",
    "serviceaccount",
    "serviceaccount-token",
    "statefulset",
];

/// A running node; dropping it ends it, and removes all of it.
pub struct Node {
    pub places: Places,
    cgroups: Cgroups,
    daemons: Daemons,
    start_within: Duration,
}

impl Node {
    /// Starts one, and waits until pods run on it. This process is in its network namespace already.
    ///
    /// # Errors
    /// When a part of it does not start.
    pub fn start(programs: &Programs, archives: &[PathBuf], surroundings: &Surroundings) -> Result<Self> {
        remove_stale();
        let name = format!("{PREFIX}{}", std::process::id());
        // Not in the target directory: the path of a Unix socket has at most 108 bytes.
        let directory = std::env::temp_dir().join(&name);
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let containerd = surroundings.containerd.clone().unwrap_or_else(|| K3S.into());
        let places = Places { directory, programs: programs.directory().to_owned(), containerd };
        let cgroups = Cgroups::of(&name);
        let daemons = Daemons::new(&places, cgroups.daemons()?);
        // From here on whatever fails, it is removed.
        let start_within = if surroundings.is_emulated { START_EMULATED_WITHIN } else { START_WITHIN };
        let mut node = Self { places, cgroups, daemons, start_within };
        node.link_containerd()?;
        node.cgroups = Cgroups::create(&name)?;
        propagation::share(&node.places.directory)?;
        settings::write(&node.places, &node.cgroups.path(), surroundings)?;
        node.start_containerd(archives)?;
        node.start_api(surroundings)?;
        node.start_control(surroundings)?;
        node.start_kubelet()?;
        Ok(node)
    }

    /// Makes containerd's state directory, and has it known to whoever removes the node.
    fn link_containerd(&self) -> Result<()> {
        let state = &self.places.containerd;
        if state.exists() {
            bail!("{} is there already: another containerd may be using it", state.display());
        }
        fs::create_dir_all(state).with_context(|| format!("cannot create {}", state.display()))?;
        let link = self.places.path(settings::CONTAINERD_STATE);
        std::os::unix::fs::symlink(state, &link).with_context(|| format!("cannot create {}", link.display()))
    }

    fn start_containerd(&mut self, archives: &[PathBuf]) -> Result<()> {
        let config = self.places.path("containerd.toml").display().to_string();
        self.daemons.start(Plan { name: "containerd", arguments: vec!["--config".to_owned(), config] })?;
        self.wait("containerd", |node| {
            let version = node.ctr().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        })?;
        for archive in archives {
            succeed(self.ctr().args(["--namespace", "k8s.io", "images", "import"]).arg(archive).stdout(Stdio::null()))?;
        }
        Ok(())
    }

    fn start_api(&mut self, surroundings: &Surroundings) -> Result<()> {
        let path = |name: &str| self.places.path(name).display().to_string();
        let key = path("tokens.key");
        match &surroundings.key {
            Some(ready) => _ = fs::copy(ready, &key).with_context(|| format!("cannot copy {}", ready.display()))?,
            None => make_key(Path::new(&key))?,
        }
        let etcd = [
            format!("--data-dir={}", path("etcd")),
            "--listen-client-urls=http://127.0.0.1:2379".to_owned(),
            "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
            "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
            // What it knows goes with it.
            "--unsafe-no-fsync".to_owned(),
        ];
        let mut api = vec![
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            // The namespace is its own: pods reach it there, and nobody else does.
            "--bind-address=0.0.0.0".to_owned(),
            "--secure-port=443".to_owned(),
            format!("--advertise-address={ADDRESS}"),
            format!("--cert-dir={}", path("apiserver")),
            format!("--token-auth-file={}", path("tokens")),
            "--authorization-mode=RBAC".to_owned(),
            format!("--service-cluster-ip-range={SERVICES}"),
            "--service-account-issuer=https://oomtrace.test".to_owned(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            "--allow-privileged".to_owned(),
        ];
        if surroundings.is_emulated {
            // It gives up on a pod when it has no time for quotas, of which there are none.
            api.push("--disable-admission-plugins=ResourceQuota".to_owned());
        }
        // For whoever asks often: it costs little, and a kubectl for each question much.
        let proxy = [
            format!("--kubeconfig={}", path("kubeconfig")),
            "proxy".to_owned(),
            "--address=127.0.0.1".to_owned(),
            "--port=8001".to_owned(),
        ];
        self.daemons.start(Plan { name: "etcd", arguments: etcd.to_vec() })?;
        self.daemons.start(Plan { name: "kube-apiserver", arguments: api })?;
        self.wait("kube-apiserver", |node| node.asks(&["get", "--raw", "/readyz"]).is_some())?;
        self.daemons.start(Plan { name: "kubectl", arguments: proxy.to_vec() })?;
        succeed(self.kubectl().args(["create", "namespace", leftovers::NAMESPACE]).stdout(Stdio::null()))
    }

    /// Controllers and scheduler: DaemonSets, Deployments and Jobs have pods, and these have a node; namespaces have service accounts.
    fn start_control(&mut self, surroundings: &Surroundings) -> Result<()> {
        let path = |name: &str| self.places.path(name).display().to_string();
        let kubeconfig = format!("--kubeconfig={}", path("kubeconfig"));
        let mut controllers = vec![
            kubeconfig.clone(),
            format!("--service-account-private-key-file={}", path("tokens.key")),
            // What the API server shows to pods, so that they know that it is it.
            format!("--root-ca-file={}", path("apiserver/apiserver.crt")),
            // Each with the rights of its own, as on a cluster.
            "--use-service-account-credentials".to_owned(),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--port=0".to_owned(),
            "--secure-port=10257".to_owned(),
        ];
        if surroundings.is_emulated {
            controllers.push(format!("--controllers={}", CONTROLLERS.join(",")));
        }
        let scheduler = [
            kubeconfig,
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--port=0".to_owned(),
            "--secure-port=10259".to_owned(),
        ];
        self.daemons.start(Plan { name: "kube-controller-manager", arguments: controllers })?;
        self.daemons.start(Plan { name: "kube-scheduler", arguments: scheduler.to_vec() })?;
        // The first that they do for pods.
        let account = ["get", "serviceaccount", "default", "--namespace", leftovers::NAMESPACE, "-o", TOKEN];
        self.wait("kube-controller-manager", |node| node.asks(&account).is_some_and(|token| !token.is_empty()))
    }

    fn start_kubelet(&mut self) -> Result<()> {
        let path = |name: &str| self.places.path(name).display().to_string();
        let kubelet = [
            format!("--config={}", path("kubelet.json")),
            format!("--kubeconfig={}", path("kubeconfig")),
            format!("--root-dir={}", path("kubelet")),
            format!("--cert-dir={}", path("kubelet-certificates")),
            format!("--volume-plugin-dir={}", path("plugins")),
            "--container-runtime=remote".to_owned(),
            format!("--container-runtime-endpoint=unix://{}", self.places.containerd_socket().display()),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={ADDRESS}"),
            "--v=2".to_owned(),
        ];
        self.daemons.start(Plan { name: "kubelet", arguments: kubelet.to_vec() })?;
        let ready = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        self.wait("kubelet", |node| node.asks(&["get", "node", NAME, "-o", ready]).is_some_and(|word| word == "True"))
    }

    /// What kubectl answers; none when it fails.
    fn asks(&self, arguments: &[&str]) -> Option<String> {
        let output = self.kubectl().args(arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until `name` answers.
    fn wait(&mut self, name: &str, answers: impl Fn(&Self) -> bool) -> Result<()> {
        say(&format!("starting {name}"));
        let started = Instant::now();
        while !answers(self) {
            if interrupt::came() {
                bail!("interrupted");
            }
            if started.elapsed() > self.start_within {
                bail!("{name} does not answer; it said last:\n{}", self.daemons.last_words(name));
            }
            self.look_after()?;
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Starts daemons again that have ended.
    ///
    /// # Errors
    /// When one cannot be run.
    pub fn look_after(&mut self) -> Result<()> {
        self.daemons.look_after()
    }

    /// kubectl, as the node's administrator.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(self.places.programs.join("kubectl"));
        command.arg("--kubeconfig").arg(self.places.kubeconfig()).args(["--request-timeout", "20s"]);
        command.env("HOME", &self.places.directory).stdin(Stdio::null());
        command
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new(self.places.programs.join("ctr"));
        command.arg("--address").arg(self.places.containerd_socket()).stdin(Stdio::null());
        command
    }

    /// The node's cgroup, as its path from a hierarchy's root.
    pub fn cgroup(&self) -> String {
        self.cgroups.path()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.daemons.end();
        if let Some(directory) = std::env::var_os("OOMTRACE_K8S_LOGS") {
            keep_logs(&self.places.directory, Path::new(&directory));
        }
        // Shims and containers outlive their containerd.
        if let Err(error) = self.cgroups.remove() {
            say(&format!("{error:#}"));
        }
        leftovers::remove(&self.places.directory);
    }
}

/// Copies the daemons' logs, for whoever looks why a test failed.
fn keep_logs(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            _ = fs::create_dir_all(to);
            if let Err(error) = fs::copy(entry.path(), to.join(entry.file_name())) {
                say(&format!("cannot keep {}: {error}", entry.path().display()));
            }
        }
    }
}

/// Makes a key for the tokens of service accounts.
///
/// # Errors
/// When openssl cannot.
pub fn make_key(file: &Path) -> Result<()> {
    succeed(Command::new("openssl").args(["genrsa", "-out"]).arg(file).arg("2048").stderr(Stdio::null()))
}

/// Who has the place where a node's containerd is; none when nobody has.
pub fn place_is_taken() -> Option<String> {
    remove_stale();
    Path::new(K3S).exists().then(|| format!("{K3S} is there already: another containerd may be using it"))
}

/// Ends and removes what a run left that was killed.
fn remove_stale() {
    let temporary = std::env::temp_dir();
    let entries = fs::read_dir(&temporary).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with(PREFIX));
    names.extend(Cgroups::names(PREFIX));
    names.sort();
    names.dedup();
    for name in names {
        let pid = name.strip_prefix(PREFIX).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            if let Err(error) = Cgroups::of(&name).remove() {
                say(&format!("{error:#}"));
            }
            leftovers::remove(&temporary.join(&name));
        }
    }
}
