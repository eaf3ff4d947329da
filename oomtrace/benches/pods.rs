//! What a node with many pods costs oomtrace, with the Kubernetes API asked: `cargo bench -p oomtrace --features kubernetes --bench pods --
//! NUMBER`, run by `cargo xtask k8s -- …` beside the node that it makes. The pods are real: each has its sandbox and a container that sleeps,
//! in the host's network.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Starts that are timed.
const STARTS: usize = 10;
/// How long the kubelet may take to start a pod.
const A_POD: Duration = Duration::from_secs(10);
const NAMESPACE: &str = "oomtrace-k8s";

fn main() {
    // `cargo bench` by itself has nothing to do here.
    let number = std::env::args().skip(1).find_map(|argument| argument.parse::<u32>().ok());
    let (Some(number), Some(programs)) = (number, std::env::var_os("OOMTRACE_K8S_PROGRAMS")) else {
        println!("cargo xtask k8s -- cargo bench -p oomtrace --features kubernetes --bench pods -- NUMBER");
        return;
    };
    let node = Node { kubectl: PathBuf::from(programs).join("kubectl") };
    measure("no pod", &node, 0);
    node.create(number);
    let running = node.wait_until_they_run(number);
    println!("{running} pods of {number} run");
    measure(&format!("{running} pods"), &node, running);
}

/// Starts it some times, and says how long that took and what it holds when it knows every pod.
fn measure(what: &str, node: &Node, pods: usize) {
    let mut starts: Vec<Duration> = (0..STARTS).map(|_| Watching::start().ready).collect();
    starts.sort_unstable();
    let watching = Watching::start();
    // It has asked for all of them when it names each in `ps`; what was allocated on the way is there by then.
    let named = node.wait_until_named(pods);
    std::thread::sleep(Duration::from_secs(10));
    println!(
        "{what}: start to attached {:.0} ms (median of {STARTS}), resident {:.1} MiB, of it anonymous {:.1} MiB, {named} named with requests",
        starts.get(STARTS / 2).copied().unwrap_or_default().as_secs_f64() * 1e3,
        watching.status("VmRSS"),
        watching.status("RssAnon"),
    );
}

struct Node {
    kubectl: PathBuf,
}

impl Node {
    fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.args(["--namespace", NAMESPACE]).stdin(Stdio::null());
        command
    }

    fn create(&self, number: u32) {
        let pod = |number: u32| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": format!("bench-{number:03}"), "labels": { "app": "bench", "team": "platform" } },
                "spec": {
                    "nodeName": "oomtrace", "hostNetwork": true, "enableServiceLinks": false,
                    "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": "app", "image": "oomtrace.test/busybox:1", "imagePullPolicy": "Never",
                        "command": ["sleep", "100000"],
                        "resources": { "requests": { "memory": "4Mi" }, "limits": { "memory": "32Mi" } },
                    }],
                },
            })
        };
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": (0..number).map(pod).collect::<Vec<Value>>() });
        let mut create = self.kubectl();
        create.args(["create", "--validate=false", "--filename", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = create.spawn().unwrap();
        child.stdin.take().unwrap().write_all(list.to_string().as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "the pods are not created");
    }

    /// How many of them run in the end.
    fn wait_until_they_run(&self, number: u32) -> usize {
        let started = Instant::now();
        loop {
            let mut get = self.kubectl();
            get.args(["get", "pods", "--selector", "app=bench", "--field-selector", "status.phase=Running"]);
            let output = get.args(["--output", "name"]).output().unwrap();
            let running = String::from_utf8_lossy(&output.stdout).lines().count();
            if running >= number as usize || started.elapsed() > A_POD * number {
                return running;
            }
            std::thread::sleep(Duration::from_secs(2));
        }
    }

    /// How many of the pods a second oomtrace names with what the API alone knows of them, once it names all.
    fn wait_until_named(&self, pods: usize) -> usize {
        let started = Instant::now();
        loop {
            let output = oomtrace().args(["ps", "--json"]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            let named = text.matches(r#""qos":"Burstable""#).count();
            if named >= pods || started.elapsed() > Duration::from_secs(60) {
                return named;
            }
        }
    }
}

fn oomtrace() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oomtrace"));
    command.env("OOMTRACE_HISTORY", "off").stdin(Stdio::null());
    command
}

/// oomtrace, watching.
struct Watching {
    child: Child,
    /// From the start of the process to the line that says that every hook is attached.
    ready: Duration,
}

impl Watching {
    fn start() -> Self {
        let mut command = oomtrace();
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready = lines.any(|line| line.is_ok_and(|line| line.contains(r#""type":"ready""#)));
        assert!(is_ready, "it ended before it was ready");
        let ready = started.elapsed();
        // What it says later has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, ready }
    }

    /// A figure of /proc/PID/status, in MiB.
    fn status(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
