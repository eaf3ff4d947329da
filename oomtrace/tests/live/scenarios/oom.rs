//! OOM kills at limits of the scenarios' own cgroups.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use oomtrace::model::{
    self, Cause, Confidence, Incident, LimitLevel, OomOrigin, OomScope, SenderKind, SignalPath, Source,
};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::helper::Role;
use crate::support::needs::Need::{Fentry, MemoryCgroup, MemoryV2, Tracing};
use crate::support::process::{Large, Owned};
use crate::support::tracer::{Tracer, incidents};
use crate::support::truth;

const LIMIT: u64 = 24 << 20;
/// Most of it.
const LARGE: u64 = 16 << 20;

pub const ALL: &[Scenario] = &[
    Scenario { name: "oom::a_cgroups_limit_is_named_with_its_size", needs: &[Tracing, MemoryCgroup], run: own_limit },
    Scenario {
        name: "oom::trigger_and_victim_are_told_apart",
        needs: &[Tracing, MemoryCgroup],
        run: trigger_is_not_victim,
    },
    Scenario {
        name: "oom::a_parents_limit_hit_by_one_child_kills_in_another",
        needs: &[Tracing, MemoryCgroup],
        run: shared_parent,
    },
    Scenario {
        name: "oom::a_process_that_shares_the_victims_memory",
        needs: &[Tracing, MemoryCgroup],
        run: shared_memory,
    },
    Scenario { name: "oom::a_victim_whose_first_thread_has_ended", needs: &[Tracing, MemoryCgroup], run: leaderless },
    Scenario {
        name: "oom::without_kprobes_the_record_is_read_by_fentry",
        needs: &[Tracing, MemoryCgroup, Fentry],
        run: by_fentry,
    },
    Scenario { name: "oom::without_the_record_the_limit_is_inferred", needs: &[Tracing, MemoryCgroup], run: inferred },
    Scenario { name: "oom::a_cgroup_that_is_killed_as_one", needs: &[Tracing, MemoryV2], run: oom_group },
    Scenario { name: "oom::a_limit_lowered_below_what_is_in_use", needs: &[Tracing, MemoryV2], run: lowered_limit },
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
    let verdict = truth::is_oom(&incident, Cause::OomSliceLimit);
    assert_eq!(incident.victim.process.comm, "tail");
    assert_eq!(incident.victim.process.cgroup.as_deref(), Some(cgroup.name.as_str()));
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
    let inferred = incident.missing.iter().any(|m| m.contains("read off the counters"));
    assert_eq!(inferred, verdict.confidence != Confidence::Certain, "{:?}", incident.missing);
}

/// A child inherits it.
fn score_adj_of_this_process() -> i32 {
    std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap()
}

/// A process that allocates without end in `cgroup`, and is not to be chosen itself.
fn protected_hog(cgroup: &Cgroup) -> Owned {
    let script =
        format!("echo -999 > /proc/self/oom_score_adj; echo $$ > {}; exec tail /dev/zero", cgroup.procs().display());
    Owned::spawn(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()))
}

/// A large process sleeps; a small one, protected by its score, allocates the last bytes: the large one dies of it.
fn trigger_is_not_victim() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    let victim = Large::start(Some(&cgroup), LARGE);
    let trigger = protected_hog(&cgroup);
    let incident = tracer.incident(victim.pid);
    let verdict = truth::is_oom(&incident, Cause::OomSliceLimit);
    assert_eq!(incident.trigger.unwrap().pid, trigger.pid());
    assert_eq!(incident.victim.process.comm, "tail");
    // The trigger may be gone by the time that its size is read, or larger than the victim was.
    let largest = incident.memory.unwrap().largest;
    assert!(largest.iter().any(|user| user.pid == victim.pid), "{largest:?}");
    assert!(largest.is_sorted_by_key(|user| std::cmp::Reverse(user.resident_bytes)), "{largest:?}");
    // Which of the small ones are named is a matter of a few pages, which newer kernels count only roughly.
    let others = largest.iter().map(|user| format!("[{}]", user.pid)).filter(|pid| *pid != format!("[{}]", victim.pid));
    let others: Vec<String> = others.collect();
    let is_named = |fact: &str| fact.starts_with("the largest besides") && others.iter().any(|pid| fact.contains(pid));
    assert!(others.is_empty() || verdict.evidence.iter().any(|e| is_named(&e.fact)), "{:?}", verdict.evidence);
    trigger.kill(Signal::SIGKILL);
}

/// Two cgroups without limits of their own below one that has one.
fn shared_parent() {
    let mut tracer = Tracer::start(&[]);
    let parent = Cgroup::with_memory_limit(LIMIT);
    let (of_victim, of_trigger) = (parent.child("victim"), parent.child("trigger"));
    let victim = Large::start(Some(&of_victim), LARGE);
    let trigger = protected_hog(&of_trigger);
    let incident = tracer.incident(victim.pid);
    truth::is_oom(&incident, Cause::OomSliceLimit);
    let owner = incident.oom.unwrap().limit_owner.unwrap();
    assert_eq!((owner.path, owner.limit_bytes), (parent.name.clone(), Some(LIMIT)));
    assert_eq!(incident.victim.process.cgroup.as_deref(), Some(of_victim.name.as_str()));
    let trigger_seen = incident.trigger.unwrap();
    assert_eq!((trigger_seen.pid, trigger_seen.cgroup.as_deref()), (trigger.pid(), Some(of_trigger.name.as_str())));
    let memory = incident.memory.unwrap();
    let levels: Vec<&str> = memory.levels.iter().map(|level| level.path.as_str()).collect();
    assert_eq!(levels, [of_victim.name.as_str(), parent.name.as_str(), "/"]);
    assert!(memory.owner_stat.is_some() && memory.stat.is_some());
    trigger.kill(Signal::SIGKILL);
}

/// The other process has no mark of its own.
fn shared_memory() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    let mut victim = Role::SharesMemory.start(Some(&cgroup));
    victim.wait();
    let of_parent = |i: &&Incident| i.victim.process.pid == victim.pid() || i.victim.process.ppid == Some(victim.pid());
    let incident = tracer
        .wait("an incident of the two", |record| incidents(std::slice::from_ref(record)).find(of_parent).cloned());
    truth::is_oom(&incident, Cause::OomSliceLimit);
    assert_eq!(incident.collateral.len(), 1, "{:?}", incident.collateral);
    assert_eq!(incident.collateral[0].role, model::Role::SharedMm);
    assert_eq!(incidents(&tracer.end().records).filter(of_parent).count(), 1);
}

/// `mark_victim` names a thread that is not the process's first.
fn leaderless() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    let mut victim = Role::LeaderlessHog.start(Some(&cgroup));
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is_oom(&incident, Cause::OomSliceLimit);
    assert_eq!(incident.victim.exit.and_then(|exit| exit.signal), Some(9));
}

/// What is said of an OOM kill when oomtrace does without something.
fn without(absent: &str, confidence: Confidence) -> Incident {
    let mut tracer = Tracer::start(&["--without", absent]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    let mut victim = hog(&cgroup);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::OomSliceLimit, confidence);
    assert_eq!(incident.oom.as_ref().unwrap().limit_owner.as_ref().unwrap().path, cgroup.name);
    incident
}

fn by_fentry() {
    let oom = without("kprobe", Confidence::Certain).oom.unwrap();
    assert!(oom.chosen_points.unwrap() > 0 && oom.gfp.unwrap().starts_with("GFP_"));
    assert_eq!(oom.order, Some(0));
}

fn inferred() {
    let incident = without("oom_kill_process", Confidence::Likely);
    let oom = incident.oom.unwrap();
    assert_eq!((oom.chosen_points, oom.order, oom.gfp), (None, None, None));
    assert!(incident.missing.iter().any(|m| m.contains("read off the counters")), "{:?}", incident.missing);
}

/// memory.oom.group: every process of the cgroup goes with the chosen one.
fn oom_group() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    cgroup.write("memory.oom.group", "1");
    let bystanders: Vec<Owned> = (0..3).map(|_| Owned::sleeper()).collect();
    bystanders.iter().for_each(|process| cgroup.add(process.pid()));
    let mut victim = hog(&cgroup);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    let verdict = truth::is_oom(&incident, Cause::OomSliceLimit);
    let oom = incident.oom.unwrap();
    assert_eq!((oom.group, oom.group_cgroup.as_deref()), (Some(true), Some(cgroup.name.as_str())));
    let mut killed: Vec<u32> = incident.collateral.iter().map(|c| c.process.pid).collect();
    killed.sort_unstable();
    let mut expected: Vec<u32> = bystanders.iter().map(Owned::pid).collect();
    expected.sort_unstable();
    assert_eq!(killed, expected);
    assert!(incident.collateral.iter().all(|c| c.role == model::Role::OomGroup));
    let fact = format!("memory.oom.group is set on {}", cgroup.name);
    assert!(verdict.evidence.iter().any(|e| e.fact.starts_with(&fact)), "{:?}", verdict.evidence);
    assert_eq!(incidents(&tracer.end().records).filter(|i| expected.contains(&i.victim.process.pid)).count(), 0);
}

/// The kernel kills in the context of whoever writes memory.max.
fn lowered_limit() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(4 * LIMIT);
    let victim = Large::start(Some(&cgroup), LARGE);
    cgroup.write("memory.max", "2097152");
    let incident = tracer.incident(victim.pid);
    let verdict = truth::is_oom(&incident, Cause::OomSliceLimit);
    let oom = incident.oom.unwrap();
    assert_eq!(oom.origin, Some(OomOrigin::LimitLowered));
    assert_eq!(oom.limit_owner.unwrap().path, cgroup.name);
    assert_eq!(incident.trigger.unwrap().pid, std::process::id());
    assert!(verdict.evidence.iter().any(|e| e.fact.starts_with("the limit was lowered")), "{:?}", verdict.evidence);
    // It was not enough: the same write goes on to kill, and each of these kills is an incident of its own.
    let own = |i: &&Incident| i.oom.is_some() && i.victim.process.cgroup.as_deref() == Some(cgroup.name.as_str());
    let records = tracer.end().records;
    assert!(incidents(&records).filter(own).all(|i| i.collateral.is_empty()), "{records:#?}");
}
