//! oomtrace's own image, run by the private Docker daemon.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use oomtrace::model::{Incident, Record};

use super::docker::{docker, socket};
use super::process::{patience, run};

/// Names the directory with the static binary.
pub const CONTEXT: &str = "OOMTRACE_TEST_IMAGE";
const NAME: &str = "oomtrace-test:image";

/// Where the private daemon's socket is seen inside: not where it is outside.
const SOCKET: &str = "/run/docker.sock";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// How the image is run: as its documentation says, but for the socket of a private daemon; `mounts` are all that it gets.
fn command(arguments: &[&str], mounts: &[&str]) -> (String, std::process::Command) {
    ensure();
    let name = format!("oomtrace-test-image-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut command = docker();
    command.args(["run", "--rm", "--name", &name, "--pid", "host", "--uts", "host", "--network", "none"]);
    command.args(privileges());
    for mount in mounts {
        command.args(["--volume", mount]);
    }
    command.arg(NAME).args(arguments);
    (name, command)
}

/// `--privileged` asks for every capability there is; where this machine itself lacks one, all that oomtrace uses.
fn privileges() -> &'static [&'static str] {
    let number = |text: &str| u64::from_str_radix(text.trim(), 16).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).map(number).unwrap();
    let last: u32 = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
    if bounding == (1 << (last + 1)) - 1 {
        return &["--privileged"];
    }
    const UNCONFINED: [&str; 3] = ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"];
    // SYS_ADMIN includes BPF and PERFMON, which an older Docker does not know.
    const CAPABILITIES: [&str; 4] = ["SYS_ADMIN", "SYSLOG", "SYS_PTRACE", "DAC_READ_SEARCH"];
    static ALL: OnceLock<Vec<&str>> = OnceLock::new();
    ALL.get_or_init(|| {
        let options = UNCONFINED.iter().flat_map(|option| ["--security-opt", option]);
        options.chain(CAPABILITIES.iter().flat_map(|capability| ["--cap-add", capability])).collect()
    })
}

/// The mounts that it is documented with.
pub fn mounts() -> Vec<String> {
    let socket = format!("{}:{SOCKET}", socket().unwrap().display());
    ["/sys/fs/cgroup:/sys/fs/cgroup", "/etc/passwd:/etc/passwd:ro", &socket].map(str::to_owned).to_vec()
}

/// Runs it to its end.
pub fn output(arguments: &[&str], mounts: &[&str]) -> Output {
    command(arguments, mounts).1.stdin(Stdio::null()).output().unwrap()
}

/// It, watching; removed when this goes out of scope.
pub struct Watching {
    name: String,
    child: Child,
    records: Receiver<Record>,
    seen: Vec<Record>,
}

impl Watching {
    pub fn start(mounts: &[&str]) -> Self {
        let (name, mut command) = command(&["--json"], mounts);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, records) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let record: Record = serde_json::from_str(&line.unwrap()).unwrap();
                if send.send(record).is_err() {
                    return;
                }
            }
        });
        let ready = records.recv_timeout(patience()).expect("the image watches");
        assert!(matches!(ready, Record::Ready(_)), "{ready:?}");
        Self { name, child, records, seen: Vec::new() }
    }

    /// Waits for the first incident that is `wanted`.
    pub fn incident(&mut self, wanted: impl Fn(&Incident) -> bool) -> Incident {
        let started = Instant::now();
        while let Some(left) = patience().checked_sub(started.elapsed()) {
            let Ok(record) = self.records.recv_timeout(left) else { break };
            if let Record::Incident(incident) = &record
                && wanted(incident)
            {
                return incident.clone();
            }
            self.seen.push(record);
        }
        panic!("not within {:?}; seen {:#?}", patience(), self.seen);
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        _ = docker().args(["rm", "--force", &self.name]).output();
        _ = self.child.wait();
    }
}

fn ensure() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let dockerfile: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "Dockerfile"].iter().collect();
        let context = std::env::var_os(CONTEXT).unwrap();
        run(docker().args(["build", "--quiet", "--tag", NAME, "--file"]).arg(dockerfile).arg(context));
    });
}
