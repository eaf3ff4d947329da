//! Pods, made through the API as anybody makes them.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api;
use crate::node::node;
use crate::support::process::{patience, wait_until};

/// Made by `cargo xtask k8s`; no registry has it.
const IMAGE: &str = "oomtrace.test/busybox:1";
/// kubelet looks at volumes, at memory and at back-offs now and then only.
fn slow() -> Duration {
    patience().max(Duration::from_secs(120))
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A container whose first process is a shell with this script.
pub fn container(name: &str, script: &str) -> Value {
    json!({ "name": name, "image": IMAGE, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", script] })
}

/// The same, with a memory limit.
pub fn limited(name: &str, script: &str, limit: &str) -> Value {
    let resources = json!({ "resources": { "limits": { "memory": limit } } });
    with(container(name, script), resources)
}

/// An object with the fields of another.
pub fn with(mut object: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("no object: {more}") };
    object.as_object_mut().unwrap().extend(more);
    object
}

/// A pod of these containers, each of which runs once.
pub fn once(containers: &[Value]) -> Value {
    json!({ "containers": containers, "restartPolicy": "Never" })
}

/// A pod; it is deleted when it goes out of scope.
pub struct Pod {
    pub name: String,
    pub uid: String,
    qos: String,
    /// Of a static pod, which is deleted by deleting that.
    manifest: Option<PathBuf>,
}

impl Pod {
    /// Creates one whose name begins so.
    pub fn create(name: &str, spec: Value) -> Self {
        Self::create_unplaced(name, with(spec, json!({ "nodeName": "oomtrace" })))
    }

    /// The same, which the scheduler finds a node for.
    pub fn create_unplaced(name: &str, spec: Value) -> Self {
        let name = format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let spec = with(spec, json!({ "enableServiceLinks": false, "automountServiceAccountToken": false }));
        let manifest = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec });
        let mut made = None;
        wait_slowly("the API server takes the pod", || {
            made = made_of(&manifest);
            made.is_some()
        });
        Self::of(&made.unwrap(), None)
    }

    /// Puts a manifest where kubelet finds it.
    pub fn create_static(name: &str, spec: Value) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let metadata = json!({ "name": format!("{name}-{number}"), "namespace": node().namespace });
        let manifest = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
        let file = node().manifests().join(format!("{name}-{number}.json"));
        fs::write(&file, manifest.to_string()).unwrap();
        // kubelet names it after itself.
        let name = format!("{name}-{number}-oomtrace");
        let mut found = None;
        wait_slowly("the static pod is known to the API", || {
            found = node().pod(&name);
            found.is_some()
        });
        Self::of(&found.unwrap(), Some(file))
    }

    /// The pod that a controller makes, by its label `app`.
    pub fn made_for(app: &str) -> Self {
        let mut found = None;
        wait_until("the controller makes a pod", || {
            let all = node().pods_with(Some(&node().namespace), &format!("app={app}"));
            // One that goes is none that comes.
            found = all.into_iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null());
            found.is_some()
        });
        Self::of(&found.unwrap(), None)
    }

    fn of(object: &Value, manifest: Option<PathBuf>) -> Self {
        let metadata = &object["metadata"];
        // A static pod's cgroup and bundle have the uid that kubelet made, and not the one of its image in the API.
        let uid = metadata["annotations"]["kubernetes.io/config.hash"].as_str().or(metadata["uid"].as_str());
        Self {
            name: metadata["name"].as_str().unwrap().to_owned(),
            uid: uid.unwrap().to_owned(),
            qos: object["status"]["qosClass"].as_str().unwrap_or("Burstable").to_owned(),
            manifest,
        }
    }

    /// As the API has it; none when it has none.
    pub fn object(&self) -> Option<Value> {
        node().pod(&self.name)
    }

    /// Its cgroup, as kubelet names it.
    pub fn cgroup(&self) -> String {
        node().driver.pod(&node().cgroup, &self.qos, &self.uid)
    }

    /// What the API says of a container, init containers too.
    pub fn status(&self, container: &str) -> Option<Value> {
        let object = self.object()?;
        let lists = ["containerStatuses", "initContainerStatuses"].map(|list| object["status"][list].clone());
        let statuses = lists.iter().filter_map(Value::as_array).flatten();
        statuses.into_iter().find(|status| status["name"] == container).cloned()
    }

    /// Waits until a container runs; its id.
    pub fn id(&self, container: &str) -> String {
        let mut id = None;
        wait_until("the container runs", || {
            let status = self.status(container).unwrap_or_default();
            id = status["containerID"].as_str().and_then(|id| id.strip_prefix("containerd://")).map(str::to_owned);
            status["state"]["running"].is_object() && id.is_some()
        });
        id.unwrap()
    }

    /// Waits until a container runs; the pid of its first process, on the host.
    pub fn init(&self, container: &str) -> u32 {
        let id = self.id(container);
        node().init(&id).unwrap()
    }

    /// Waits until its cgroup has a process of that name; its pid.
    pub fn process(&self, comm: &str) -> u32 {
        let mut found = None;
        wait_until("the process is in the pod", || {
            let all = crate::cgroup::pids(&node().memory(&self.cgroup()));
            found = all.into_iter().find(|pid| crate::support::process::comm(*pid) == comm);
            found.is_some()
        });
        found.unwrap()
    }

    /// Reasons and messages of its events so far.
    pub fn events(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = node().events_with(&format!("involvedObject.name={}", self.name));
        items.iter().map(|event| (text(&event["reason"]), text(&event["message"]))).collect()
    }

    /// Waits for an event with this reason and these words in its message: that is why kubelet did what it did.
    pub fn wait_for_event(&self, reason: &str, words: &str) {
        let started = Instant::now();
        loop {
            let events = self.events();
            if events.iter().any(|(its, message)| its == reason && message.contains(words)) {
                return;
            }
            assert!(started.elapsed() < slow(), "no event {reason} with {words:?} of {}: {events:?}", self.name);
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Runs a command in a container.
    pub fn exec(&self, container: &str, command: &[&str]) {
        let mut kubectl = node().kubectl();
        let output = kubectl.args(["exec", &self.name, "--container", container, "--"]).args(command).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Has it deleted, and does not wait.
    pub fn delete(&self, options: &[&str]) {
        let mut kubectl = node().kubectl();
        let output = kubectl.args(["delete", "pod", &self.name, "--wait=false"]).args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Takes a static pod's manifest away: what the API has of it is an image, and none of its containers ends for the sake of that.
    pub fn remove_manifest(&self) {
        fs::remove_file(self.manifest.as_ref().unwrap()).unwrap();
    }

    /// Waits until nothing of it is left on the node.
    pub fn wait_until_gone(&self) {
        let cgroup = node().memory(&self.cgroup());
        wait_until("the pod is gone", || !cgroup.exists());
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(manifest) = &self.manifest {
            _ = fs::remove_file(manifest);
            return;
        }
        _ = api::delete(&format!("{}/{}", node().pods_path(), self.name), &json!({ "gracePeriodSeconds": 0 }));
    }
}

/// Creates an object of another kind in the pods' namespace.
pub fn create(object: &Value) {
    let mut create = node().kubectl();
    create.args(["create", "--validate=false", "--filename", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = create.spawn().unwrap();
    child.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{object} is not created");
}

/// The pod that the API server has made of a manifest; none where it had no time for that.
fn made_of(manifest: &Value) -> Option<Value> {
    let refused = match api::post(&node().pods_path(), manifest) {
        Ok(made) => return Some(made),
        Err(refused) => refused,
    };
    match refused.status {
        // It had been made, and the answer came too late.
        Some(409) => node().pod(manifest["metadata"]["name"].as_str().unwrap()),
        // An emulated machine's is late now and then.
        None | Some(500..) => None,
        Some(_) => panic!("{manifest} is not created: {refused:?}"),
    }
}

/// Waits for what kubelet does now and then.
pub fn wait_slowly(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < slow(), "{what}: not within {:?}", slow());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until containerd, which was started again, answers.
pub fn wait_for_containerd() {
    wait_slowly("containerd answers again", || {
        let version = node().ctr().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    });
}

/// Some scripts and probes wait for that file in their container.
pub const GO: &str = "/tmp/go";

/// Puts it there; `init` is the container's first process.
pub fn go(init: u32) {
    fs::write(format!("/proc/{init}/root{GO}"), "").unwrap();
}
