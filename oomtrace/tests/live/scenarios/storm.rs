//! Storms: far more kills at once than on any node, and what oomtrace is then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use aya::programs::loaded_programs;
use nix::libc;
use nix::sys::signal::Signal;
use oomtrace::model::{Cause, Confidence, Incident, Record};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::helper::{Role, STORM};
use crate::support::needs::Need::{self, Alone, CgroupKill, MemoryCgroup, OwnMachine, SteadyCpus, Tracing};
use crate::support::process::{Owned, wait_until};
use crate::support::tracer::{Tracer, incidents};
use crate::support::truth;

const NEEDS: &[Need] = &[Alone, Tracing, SteadyCpus];

pub const ALL: &[Scenario] = &[
    Scenario { name: "storm::ten_thousand_kills_lose_nothing", needs: NEEDS, run: kills },
    Scenario {
        name: "storm::a_fork_bomb_that_is_killed",
        needs: &[Alone, Tracing, SteadyCpus, CgroupKill],
        run: fork_bomb,
    },
    Scenario {
        name: "storm::a_hundred_cgroups_over_their_limits",
        needs: &[Alone, Tracing, MemoryCgroup],
        run: hundred,
    },
    Scenario { name: "storm::the_machine_runs_out_again_and_again", needs: &[Alone, Tracing, OwnMachine], run: host },
    Scenario { name: "storm::a_tracer_that_is_killed_leaves_nothing", needs: &[Tracing], run: killed_tracer },
];

fn lost(records: &[Record]) -> u64 {
    records.iter().map(|record| if let Record::Lost(lost) = record { lost.kills } else { 0 }).sum()
}

/// Every victim of the storm has its incident, nothing is lost, and the tracer keeps nothing of it.
fn kills() {
    let mut tracer = Tracer::start(&[]);
    tracer.wait_until_settled();
    let before = tracer.status_bytes("RssAnon");
    for _ in 0..2 {
        let mut killer = Role::Killer.start(None);
        assert!(killer.wait().success());
        let mut left = STORM;
        while left > 0 {
            let Record::Incident(incident) = tracer.next("every victim's incident") else { continue };
            left -= usize::from(incident.victim.process.ppid == Some(killer.pid()));
        }
        // What is kept are the latest kills' processes.
        wait_until("it has given its memory back", || tracer.status_bytes("RssAnon") < before + (4 << 20));
    }
    let ended = tracer.end();
    assert_eq!(lost(&ended.records), 0);
}

/// Ends all of a cgroup, also when its scenario fails.
struct Defused<'a>(&'a Cgroup);

impl Drop for Defused<'_> {
    fn drop(&mut self) {
        // Among hundreds that fork, whoever writes would stand still between two victims for longer than any call does.
        // SAFETY: both are system calls that take numbers. Where more is not allowed, it stays as it is.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, -20) };
        self.0.write("cgroup.kill", "1");
        // SAFETY: as above.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, 0) };
    }
}

/// Processes that are started while their cgroup is being killed are killed as well, and belong to the same incident.
fn fork_bomb() {
    const ENOUGH: usize = 500;
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::v2();
    let defused = Defused(&cgroup);
    let mut bomb = Role::ForkBomb.start(Some(&cgroup));
    wait_until("it has multiplied", || cgroup.pids().len() > ENOUGH);
    drop(defused);
    bomb.wait();
    wait_until("all are gone", || cgroup.pids().is_empty());
    let name = cgroup.name.clone();
    let of_bomb = move |incident: &&Incident| incident.victim.process.cgroup.as_deref() == Some(name.as_str());
    let incident = tracer
        .wait("the bomb's incident", |record| incidents(std::slice::from_ref(record)).find(|i| of_bomb(i)).cloned());
    truth::is(&incident, Cause::CgroupKill, Confidence::Certain);
    assert!(incident.collateral.len() >= ENOUGH, "{}", incident.collateral.len());
    assert_eq!(incident.sender.process.as_ref().map(|sender| sender.pid), Some(std::process::id()));
    let pids: BTreeSet<u32> = incident.collateral.iter().map(|c| c.process.pid).collect();
    assert_eq!(pids.len(), incident.collateral.len(), "a process was counted twice");
    let ended = tracer.end();
    assert_eq!((lost(&ended.records), incidents(&ended.records).filter(|i| of_bomb(i)).count()), (0, 1));
}

/// A hundred cgroups, each called as Docker calls a container's, and a process in each that takes more than it may.
fn hundred() {
    const LIMIT: u64 = 8 << 20;
    let mut tracer = Tracer::start(&[]);
    let parent = Cgroup::with_memory_limit(1 << 40);
    let name = |number: u32| format!("docker-{:064x}.scope", 0x0a11 + number);
    let cgroups: Vec<Cgroup> = (0..100).map(|number| parent.child_with_memory_limit(&name(number), LIMIT)).collect();
    // They wait for a file, so that all begin at once.
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    let mut hogs: BTreeMap<u32, (Owned, &str)> = BTreeMap::new();
    for cgroup in &cgroups {
        let wait = format!("until [ -e {} ]; do sleep 0.2; done", gate.display());
        let script = format!("{wait}; echo $$ > {} && exec tail /dev/zero", cgroup.procs().display());
        let hog = Owned::spawn(Command::new("sh").args(["-c", &script]));
        hogs.insert(hog.pid(), (hog, &cgroup.name));
    }
    fs::write(&gate, "").unwrap();
    for (pid, (hog, name)) in &mut hogs {
        hog.wait();
        let incident = tracer.incident(*pid);
        truth::is_oom(&incident, Cause::OomContainerLimit);
        let id = incident.container.unwrap().id;
        assert!(name.ends_with(&format!("/docker-{id}.scope")), "{id} for {name}");
        let owner = incident.oom.unwrap().limit_owner.unwrap();
        assert_eq!((owner.path.as_str(), owner.limit_bytes), (*name, Some(LIMIT)));
    }
    assert_eq!(lost(&tracer.end().records), 0);
}

/// One hog after the other takes all that there is. The tracer is the last to be chosen, and reports each.
fn host() {
    let _protected = super::machine::Protected::now();
    let mut tracer = Tracer::start(&[]);
    assert!(tracer.status_bytes("VmLck") > 0, "its memory is not locked");
    for _ in 0..5 {
        let script = format!("echo 1000 > /proc/self/oom_score_adj; {}", super::machine::hog());
        let mut hogs: Vec<Owned> = (0..3).map(|_| Owned::spawn(Command::new("sh").args(["-c", &script]))).collect();
        // Those that were not chosen got no memory to start with.
        let killed: Vec<u32> = hogs
            .iter_mut()
            .filter_map(|hog| {
                let status = hog.wait();
                (std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)).then(|| hog.pid())
            })
            .collect();
        assert!(!killed.is_empty(), "the machine did not run out");
        for pid in killed {
            truth::is_oom(&tracer.incident(pid), Cause::OomHost);
        }
    }
    assert_eq!(lost(&tracer.end().records), 0);
}

/// The kernel's ids of the programs that a process holds.
fn programs_of(pid: u32) -> Vec<u32> {
    let directory = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = directory.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.filter_map(|text| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok())).collect()
}

/// Nothing of it is pinned: its programs go with it.
fn killed_tracer() {
    let tracer = Tracer::start(&[]);
    let programs = programs_of(tracer.pid());
    let loaded = || -> Vec<u32> { loaded_programs().flatten().map(|program| program.id()).collect() };
    assert!(!programs.is_empty() && programs.iter().all(|program| loaded().contains(program)), "{programs:?}");
    tracer.kill(Signal::SIGKILL);
    wait_until("its programs are unloaded", || !programs.iter().any(|program| loaded().contains(program)));
}
