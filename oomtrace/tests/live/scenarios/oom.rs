//! OOM kills at limits of the scenarios' own cgroups.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use oomtrace::incident::model::{Cause, Confidence, LimitLevel, OomScope, SenderKind, SignalPath, Source};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::needs::Need::{MemoryCgroup, Tracing};
use crate::support::process::{Owned, children, comm, wait_until};
use crate::support::tracer::Tracer;

const LIMIT: u64 = 24 << 20;

pub const ALL: &[Scenario] = &[
    Scenario { name: "oom::a_cgroups_limit_is_named_with_its_size", needs: &[Tracing, MemoryCgroup], run: own_limit },
    Scenario {
        name: "oom::trigger_and_victim_are_told_apart",
        needs: &[Tracing, MemoryCgroup],
        run: trigger_is_not_victim,
    },
];

/// A shell that moves into `cgroup` and then becomes a program that allocates without end.
fn hog(cgroup: &Cgroup) -> Owned {
    let script = format!("echo $$ > {} && exec tail /dev/zero", cgroup.procs().display());
    Owned::spawn(Command::new("sh").args(["-c", &script]))
}

fn own_limit() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    let mut victim = hog(&cgroup);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    assert_eq!(incident.victim.process.comm, "tail");
    assert_eq!(incident.victim.process.cgroup.as_deref(), Some(cgroup.name.as_str()));
    let verdict = incident.verdict.unwrap();
    assert_eq!((verdict.cause, verdict.confidence), (Cause::OomSliceLimit, Confidence::Likely));
    let oom = incident.oom.unwrap();
    assert_eq!(oom.scope, Some(OomScope::Memcg));
    let owner = oom.limit_owner.unwrap();
    assert_eq!((owner.path.as_str(), owner.level), (cgroup.name.as_str(), LimitLevel::Slice));
    assert_eq!(owner.limit_bytes, Some(LIMIT));
    assert!(owner.usage_bytes.unwrap() > LIMIT - (1 << 20) && owner.usage_bytes.unwrap() <= LIMIT);
    // The victim's size is not the limit: it is what the process had.
    let memory = oom.victim_memory.unwrap();
    assert!(memory.anon_bytes > LIMIT / 2 && memory.total_vm_bytes > memory.anon_bytes, "{memory:?}");
    assert_eq!(oom.oom_score_adj, Some(score_adj_of_this_process()));
    assert!(verdict.evidence.iter().any(|e| e.source == Source::Procfs && e.fact.starts_with("the machine had ")));
    let memory = incident.memory.unwrap();
    assert!(!memory.stat.unwrap().is_empty());
    let levels = memory.levels;
    assert_eq!(levels.first().unwrap().path, cgroup.name);
    assert_eq!(levels.last().unwrap().path, "/");
    assert_eq!(incident.trigger.unwrap().pid, victim.pid());
    assert_eq!((incident.sender.kind, incident.sender.process), (SenderKind::Kernel, None));
    assert_eq!((incident.signal.path, incident.signal.code), (Some(SignalPath::OomKill), None));
    assert!(incident.signal.kernel_stack.iter().any(|f| f == "mem_cgroup_out_of_memory"));
    // What is inferred is said to be.
    assert!(incident.missing.iter().any(|m| m.contains("read off the counters")), "{:?}", incident.missing);
}

/// A child inherits it.
fn score_adj_of_this_process() -> i32 {
    std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap()
}

/// A large process sleeps; a small one, protected by its score, allocates the last bytes: the large one dies of it.
fn trigger_is_not_victim() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    // tail keeps what it reads from a pipe that stays open: 16 MiB, then it waits for more.
    let script =
        format!("echo $$ > {}; (head -c 16777216 /dev/zero; exec sleep 1000) | tail", cgroup.procs().display());
    let large = Owned::spawn(Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()));
    let resident = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap_or("0 kB").trim().to_owned();
        line.trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    };
    let tail = || children(large.pid()).into_iter().find(|pid| comm(*pid) == "tail");
    wait_until("the large process is large", || tail().is_some_and(|pid| resident(pid) >= 16 << 20));
    let victim = tail().unwrap();
    let script =
        format!("echo -999 > /proc/self/oom_score_adj; echo $$ > {}; exec tail /dev/zero", cgroup.procs().display());
    let trigger = Owned::spawn(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()));
    let incident = tracer.incident(victim);
    assert_eq!(incident.trigger.unwrap().pid, trigger.pid());
    assert_eq!(incident.victim.process.comm, "tail");
    assert_eq!(incident.verdict.unwrap().cause, Cause::OomSliceLimit);
    trigger.kill(Signal::SIGKILL);
    // Its pipe's other end goes with its shell.
    for pid in children(large.pid()) {
        _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), Signal::SIGKILL);
    }
}
