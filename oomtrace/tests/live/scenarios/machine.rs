//! A machine that runs out of memory, or seems to: only where it belongs to the tests alone.

use std::fs;
use std::process::{Command, Stdio};

use oomtrace::model::{Cause, Confidence, OomOrigin, OomScope};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::docker::Container;
use crate::support::helper::Role;
use crate::support::needs::Need::{self, Busybox, Docker, Earlyoom, MemoryV2, OwnMachine, Tracing, TwoNodes};
use crate::support::process::{Owned, wait_until};
use crate::support::tracer::Tracer;
use crate::support::truth;

const NEEDS: &[Need] = &[Tracing, OwnMachine];
const DOCKER_NEEDS: &[Need] = &[Tracing, OwnMachine, Busybox, Docker];
const NODES_NEEDS: &[Need] = &[Tracing, OwnMachine, TwoNodes, MemoryV2];
const EARLYOOM_NEEDS: &[Need] = &[Tracing, OwnMachine, Earlyoom];

pub const ALL: &[Scenario] = &[
    Scenario { name: "machine::it_runs_out_of_memory", needs: NEEDS, run: runs_out },
    Scenario { name: "machine::it_runs_out_and_the_victim_is_in_a_container", needs: DOCKER_NEEDS, run: container },
    Scenario { name: "machine::a_memory_policys_nodes_run_out", needs: NODES_NEEDS, run: memory_policy },
    Scenario { name: "machine::a_cpusets_nodes_run_out", needs: NODES_NEEDS, run: cpuset },
    Scenario { name: "machine::somebody_asks_for_an_oom_kill_by_sysrq", needs: NEEDS, run: sysrq },
    Scenario { name: "machine::earlyoom_kills_before_the_kernel_has_to", needs: EARLYOOM_NEEDS, run: earlyoom },
];

/// Of all processes, this one is to be chosen.
const FIRST: &str = "echo 1000 > /proc/self/oom_score_adj";

/// Keeps the tests themselves from being chosen, and so its children, until it goes out of scope.
pub struct Protected(String);

impl Protected {
    pub fn now() -> Self {
        let before = fs::read_to_string(SCORE_ADJ).unwrap();
        fs::write(SCORE_ADJ, "-1000").unwrap();
        Self(before)
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        fs::write(SCORE_ADJ, self.0.trim()).unwrap();
    }
}

const SCORE_ADJ: &str = "/proc/self/oom_score_adj";

/// KiB in a line of /proc/meminfo.
fn meminfo_kib(name: &str) -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A command that takes nearly all memory that the machine has, in one go: a buffer that no kernel refuses at first sight.
pub fn hog() -> String {
    format!("exec dd if=/dev/zero of=/dev/null bs={}k", meminfo_kib("MemTotal") * 95 / 100)
}

fn runs_out() {
    let _protected = Protected::now();
    let mut tracer = Tracer::start(&[]);
    let script = format!("{FIRST}; {}", hog());
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", &script]));
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is_oom(&incident, Cause::OomHost);
    let oom = incident.oom.unwrap();
    assert_eq!((oom.scope, oom.limit_owner), (Some(OomScope::Host), None));
    assert_eq!(oom.origin, Some(OomOrigin::Allocation));
    let memory = incident.memory.unwrap();
    let host = memory.host.unwrap();
    // The victim has given back some of it by the time that this is read.
    assert!(host.total_bytes.unwrap() > oom.victim_memory.unwrap().anon_bytes, "{host:?}");
    assert_eq!(memory.largest.first().map(|user| user.pid), Some(victim.pid()));
}

fn container() {
    let _protected = Protected::now();
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--oom-score-adj", "1000"], &hog());
    let incident = tracer.incident_in(&container.name);
    truth::is_oom(&incident, Cause::OomHost);
    assert_eq!(incident.oom.unwrap().limit_owner, None);
    assert!(incident.victim.container_init);
}

fn memory_policy() {
    let _protected = Protected::now();
    let mut tracer = Tracer::start(&[]);
    let mut victim = Role::BoundHog.start(None);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is_oom(&incident, Cause::OomConstrained);
    assert_eq!(incident.oom.unwrap().scope, Some(OomScope::Mempolicy));
}

fn cpuset() {
    let _protected = Protected::now();
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::v2();
    cgroup.write("cpuset.mems", "1");
    let script = format!("{FIRST}; echo $$ > {}; exec tail /dev/zero", cgroup.procs().display());
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", &script]));
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is_oom(&incident, Cause::OomConstrained);
    let oom = incident.oom.unwrap();
    assert_eq!((oom.scope, oom.limit_owner), (Some(OomScope::Cpuset), None));
}

fn sysrq() {
    let _protected = Protected::now();
    let mut tracer = Tracer::start(&[]);
    let script = format!("{FIRST}; exec sleep 1000");
    let victim = Owned::spawn(Command::new("sh").args(["-c", &script]));
    let adj = format!("/proc/{}/oom_score_adj", victim.pid());
    wait_until("the victim is the first to be chosen", || fs::read_to_string(&adj).is_ok_and(|adj| adj == "1000\n"));
    fs::write("/proc/sysrq-trigger", "f").unwrap();
    let incident = tracer.incident(victim.pid());
    let verdict = truth::is_oom(&incident, Cause::OomHost);
    let oom = incident.oom.unwrap();
    assert_eq!(oom.origin, Some(OomOrigin::Sysrq));
    assert!(oom.order.is_none_or(|order| order == -1), "{:?}", oom.order);
    assert!(verdict.evidence.iter().any(|e| e.fact.contains("sysrq-f")), "{:?}", verdict.evidence);
}

/// The daemon is set to keep half of what is free now, which a large process takes more than.
fn earlyoom() {
    let _protected = Protected::now();
    let mut tracer = Tracer::start(&[]);
    let (total, available) = (meminfo_kib("MemTotal"), meminfo_kib("MemAvailable"));
    let keep = available * 60 / total;
    // Below the one it sends SIGTERM, below the other SIGKILL.
    let minimum = format!("{keep},{keep}");
    let daemon = ["-r", "0", "-m", &minimum, "-s", "100,100"];
    let _daemon =
        Owned::spawn(Command::new("/usr/bin/earlyoom").args(daemon).stdout(Stdio::null()).stderr(Stdio::null()));
    let script = format!("{FIRST}; head -c {} /dev/zero | tail", available * 1024 * 6 / 10);
    let shell = Owned::spawn(Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()));
    let incident = tracer.wait("a kill by earlyoom", |record| match record {
        oomtrace::model::Record::Incident(i) if i.victim.process.ppid == Some(shell.pid()) => Some(i.clone()),
        _ => None,
    });
    let verdict = truth::is(&incident, Cause::UserspaceOomKiller, Confidence::Likely);
    assert_eq!(incident.oom, None);
    assert!(verdict.evidence.iter().any(|e| e.fact == "the sender's executable is /usr/bin/earlyoom"));
}
