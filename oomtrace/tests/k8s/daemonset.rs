//! oomtrace as a cluster runs it: the pods of the manifests in `deploy`, which watch beside the scenarios' own. Their findings are in their
//! logs, where whoever collects logs would find them. And one on the node that does not ask the Kubernetes API.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use oomtrace::model::{Incident, Record};

use crate::claims::corrected_within;
use crate::node::node;
use crate::support::process::{Owned, patience, run, wait_until};
use crate::support::tracer::binary;

/// Environment variable: where the manifests are, where that is not this checkout.
const MANIFESTS_DIRECTORY: &str = "OOMTRACE_K8S_MANIFESTS";
/// Where the kubelet has containers' logs.
const LOGS: &str = "/var/log/pods";
/// A field that Kubernetes has since 1.30, and the test node's does not know; AppArmor is not there either.
const APPARMOR: [&str; 2] = ["            appArmorProfile:\n", "              type: Unconfined\n"];

/// What a pod says is in its log by then: the kubelet and its runtime have a hand in that.
fn comes_within() -> Duration {
    (patience() / 4).max(Duration::from_secs(10))
}
/// Two incidents of one process that are so near to each other are one kill.
const SAME: SignedDuration = SignedDuration::from_secs(2);

/// A manifest, and how the claims about what its pod says are marked.
pub struct Manifest {
    pub label: &'static str,
    file: &'static str,
    namespace: &'static str,
    /// Its text as the test node takes it.
    text: fn(String) -> String,
}

pub const MANIFESTS: [Manifest; 2] = [
    Manifest { label: "pod", file: "daemonset.yaml", namespace: "kube-system", text: |text| text },
    Manifest {
        label: "pod with few capabilities",
        file: "daemonset-least-capabilities.yaml",
        namespace: "oomtrace-k8s-least",
        text: beside_the_other,
    },
];

/// Both are there at once, for which one has other names.
fn beside_the_other(text: String) -> String {
    let field = APPARMOR.concat();
    // The comment goes with it.
    assert!(text.contains(&field), "the manifest says nothing of AppArmor");
    let text = text.replace(&field, "").replace("namespace: kube-system", "namespace: oomtrace-k8s-least");
    let rename = |document: &str| match document.contains("apiVersion: rbac.authorization.k8s.io") {
        true => document.replace("\n  name: oomtrace\n", "\n  name: oomtrace-least\n"),
        false => document.to_owned(),
    };
    text.split("---\n").map(rename).collect::<Vec<_>>().join("---\n")
}

impl Manifest {
    /// The API server's opinion of it, which changes nothing.
    pub fn dry_run(&self) -> Output {
        self.kubectl().args(["apply", "--dry-run=server", "--filename"]).arg(self.path()).output().unwrap()
    }

    /// Its text, in a file.
    fn path(&self) -> PathBuf {
        let of_checkout = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let directory = std::env::var_os(MANIFESTS_DIRECTORY).map_or_else(of_checkout, PathBuf::from);
        let original = directory.join(self.file);
        let path = node().directory.join(self.file);
        fs::write(&path, (self.text)(fs::read_to_string(&original).unwrap())).unwrap();
        path
    }

    fn kubectl(&self) -> Command {
        let mut command = node().kubectl_in(self.namespace);
        command.args(["--request-timeout", &format!("{}s", patience().as_secs().max(120))]);
        command
    }

    fn apply(&self) {
        if self.namespace != "kube-system" {
            run(node().kubectl_in("default").args(["create", "namespace", self.namespace]));
        }
        run(self.kubectl().arg("apply").arg("--filename").arg(self.path()));
    }

    /// Waits for its pod.
    fn pod(&self) -> Watcher {
        run(self.kubectl().args([
            "rollout",
            "status",
            "daemonset/oomtrace",
            "--timeout",
            &format!("{}s", patience().as_secs().max(90)),
        ]));
        let pods = run(self.kubectl().args(["get", "pods", "--output"]).args([
            r#"jsonpath={range .items[*]}{.metadata.name}_{.metadata.uid}{"\n"}{end}"#,
            "--selector",
            "app.kubernetes.io/name=oomtrace",
        ]));
        let name = pods.lines().next().unwrap().to_owned();
        let file = Path::new(LOGS).join(format!("{}_{name}", self.namespace)).join("oomtrace/0.log");
        Watcher { label: self.label, pod: Some(name), file, log: Mutex::default(), _process: None }
    }
}

/// One that watches beside the scenarios' own.
pub struct Watcher {
    pub label: &'static str,
    /// Of the pod; none where it runs on the node.
    pub pod: Option<String>,
    /// Its records are there.
    file: PathBuf,
    log: Mutex<Log>,
    /// Ends with this process.
    _process: Option<Owned>,
}

/// The label of the one that does not ask the Kubernetes API.
pub const WITHOUT_API: &str = "without the API";

/// What was read so far.
#[derive(Default)]
struct Log {
    read: usize,
    line: String,
    incidents: HashMap<u32, Vec<Incident>>,
    /// What was waited for, and did not come.
    missed: HashSet<String>,
}

static WATCHERS: OnceLock<Vec<Watcher>> = OnceLock::new();

/// Environment variable: with `none` no pod watches.
const PODS: &str = "OOMTRACE_K8S_PODS";

/// Whether the manifests' pods are to watch: an emulated machine has little time for them.
pub fn are_pods_wanted() -> bool {
    std::env::var_os(PODS).is_none_or(|pods| pods != "none")
}

/// Has them watch from now on.
pub fn start() {
    WATCHERS.get_or_init(|| {
        let manifests = if are_pods_wanted() { MANIFESTS.as_slice() } else { &[] };
        manifests.iter().for_each(Manifest::apply);
        let without_api = Watcher::without_api();
        manifests.iter().map(Manifest::pod).chain([without_api]).collect()
    });
}

/// Those that watch.
pub fn watchers() -> &'static [Watcher] {
    WATCHERS.get().map_or(&[], Vec::as_slice)
}

impl Watcher {
    /// On the node, without the Kubernetes API.
    fn without_api() -> Self {
        let file = node().directory.join("without-api.jsonl");
        // Nobody drops what is kept until the end.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binary());
        command.args(["--json", "--kubernetes", "off", "--containerd-state"]).arg(&node().containerd);
        command.stdin(Stdio::null()).stdout(File::create(&file).unwrap()).stderr(Stdio::null());
        let process = Owned::spawn(&mut command);
        wait_until("the one without the API watches", || fs::read_to_string(&file).unwrap().contains("\"ready\""));
        Self { label: WITHOUT_API, pod: None, file, log: Mutex::default(), _process: Some(process) }
    }

    /// What it says of the kill that `other` is about; with what it says of it later, where that is not as wanted.
    pub fn like(&self, other: &Incident, is_settled: &dyn Fn(&Incident) -> bool) -> Option<Incident> {
        let found = self.first(other)?;
        let started = Instant::now();
        let mut latest = found;
        while self.label != WITHOUT_API && !is_settled(&latest) && started.elapsed() < corrected_within() {
            std::thread::sleep(Duration::from_millis(200));
            latest = self.first(other)?;
        }
        Some(latest)
    }

    /// What it says of that kill by now.
    fn first(&self, other: &Incident) -> Option<Incident> {
        let started = Instant::now();
        let pid = other.victim.process.pid;
        let time = |incident: &Incident| incident.time.parse::<Timestamp>().unwrap();
        loop {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.read(&self.file, self.pod.is_some());
            // Another process may have had the number before.
            let same = |incident: &&Incident| time(incident).duration_since(time(other)).abs() < SAME;
            if let Some(found) = log.incidents.get(&pid).and_then(|all| all.iter().find(same)) {
                return Some(found.clone());
            }
            if started.elapsed() > comes_within() || log.missed.contains(&other.id) {
                log.missed.insert(other.id.clone());
                return None;
            }
            drop(log);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Log {
    /// Reads on.
    fn read(&mut self, file: &Path, is_pods: bool) {
        let text = fs::read(file).unwrap_or_default();
        let new = String::from_utf8_lossy(&text[self.read.min(text.len())..]).into_owned();
        // A line that is being written is read the next time.
        let whole = new.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole;
        for line in new[..whole].lines() {
            if is_pods {
                self.part(line);
            } else {
                self.record(line);
            }
        }
    }

    /// Of a pod's log a line is `TIME STREAM TAG TEXT`; one that is long is several, of which the last has the tag F (CRI's format).
    fn part(&mut self, line: &str) {
        let mut fields = line.splitn(4, ' ').skip(1);
        let (Some(stream), Some(tag), Some(part)) = (fields.next(), fields.next(), fields.next()) else { return };
        if stream != "stdout" {
            return;
        }
        self.line.push_str(part);
        if tag.starts_with('F') {
            let line = std::mem::take(&mut self.line);
            self.record(&line);
        }
    }

    fn record(&mut self, line: &str) {
        match serde_json::from_str(line).unwrap() {
            Record::Incident(incident) => {
                self.incidents.entry(incident.victim.process.pid).or_default().push(incident);
            }
            Record::Correction(correction) => {
                let mut all = self.incidents.values_mut().flatten();
                if let Some(incident) = all.find(|incident| incident.id == correction.incident) {
                    incident.correct(correction);
                }
            }
            _ => {}
        }
    }
}
