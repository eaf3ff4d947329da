//! Floods of events, in which no kill may be lost unseen; and ends by SIGKILL that no signal explains.

use std::os::unix::process::ExitStatusExt as _;

use nix::libc;
use nix::sys::signal::Signal;
use oomtrace::model::{Attribution, Cause, Confidence, Incident, Limited, Lost, Record, SignalPath};

use crate::Scenario;
use crate::support::cgroup::{Cgroup, Nested};
use crate::support::flood;
use crate::support::helper::{Role, STORM};
use crate::support::needs::Need::{Alone, CgroupKill, Connections, CpuCgroup, SteadyCpus, Tracing};
use crate::support::process::{Owned, wait_until};
use crate::support::tracer::{Ended, Tracer, incidents};

pub const ALL: &[Scenario] = &[
    Scenario { name: "hostile::ring::ignored_stop_signals", needs: &[Alone, Tracing, CpuCgroup], run: stops },
    Scenario { name: "hostile::ring::connections", needs: &[Alone, Tracing, Connections, CpuCgroup], run: connections },
    Scenario { name: "hostile::ring::kills_of_a_zombie", needs: &[Alone, Tracing, CpuCgroup], run: zombie },
    Scenario {
        name: "hostile::ring::a_container_that_kills_its_own_without_end",
        needs: &[Alone, Tracing, CgroupKill],
        run: fair,
    },
    Scenario {
        name: "hostile::ring::a_storm_of_kills_beside_floods",
        needs: &[Alone, Tracing, SteadyCpus],
        run: storm,
    },
    Scenario {
        name: "hostile::ring::a_cgroup_killed_beside_floods",
        needs: &[Alone, Tracing, SteadyCpus, CgroupKill],
        run: cgroup_kill,
    },
    Scenario {
        name: "hostile::ring::crowds_with_long_paths_killed_as_one",
        needs: &[Alone, Tracing, SteadyCpus, CgroupKill],
        run: long_paths,
    },
    Scenario { name: "hostile::ring::a_tracer_ends_a_process_without_a_signal", needs: &[Tracing], run: injected },
    Scenario { name: "hostile::ring::seccomps_strict_mode", needs: &[Tracing], run: strict },
];

/// Kills of others while a flood goes on.
const KILLS: usize = 40;
/// The manifest's request of processor time, in thousandths.
fn request() -> u64 {
    let manifest = include_str!("../../../../../deploy/daemonset.yaml");
    let request = manifest.lines().find_map(|line| line.trim().strip_prefix("cpu: ")?.strip_suffix('m')).unwrap();
    request.parse().unwrap()
}

/// All that was not recorded.
fn lost(ended: &Ended) -> Lost {
    let each =
        ended.records.iter().filter_map(|record| if let Record::Lost(lost) = record { Some(lost) } else { None });
    each.fold(Lost::default(), |sum, lost| sum.plus(lost))
}

/// While `role` floods on every processor, and oomtrace has no more of them than its manifest asks for, each of some kills is reported.
fn kills_beside(role: Role, arguments: &[&str]) -> Lost {
    let request = Cgroup::with_cpu_request(request());
    let mut tracer = Tracer::start(arguments);
    request.add(tracer.pid());
    let floods: Vec<Owned> = (0..2).map(|_| role.start(None)).collect();
    let mut victims: Vec<Owned> = (0..KILLS).map(|_| Owned::sleeper()).collect();
    for victim in &mut victims {
        victim.kill(Signal::SIGKILL);
        victim.wait();
    }
    for victim in &victims {
        let incident = tracer.incident(victim.pid());
        assert_eq!(incident.sender.process.map(|sender| sender.pid), Some(std::process::id()));
    }
    drop(floods);
    let ended = tracer.end();
    let lost = lost(&ended);
    assert_eq!((lost.kills, lost.oom_marks, lost.exits), (0, 0, 0), "{lost:?}");
    assert!(!ended.stderr.contains("KILLS WERE LOST"), "{}", ended.stderr);
    lost
}

fn stops() {
    let lost = kills_beside(Role::IgnoredStops, &[]);
    assert!(lost.limited.stop_signals > 0, "{lost:?}");
}

fn connections() {
    let socket = flood::socket(std::process::id());
    let lost = kills_beside(Role::Connections, &["--docker-socket", socket.to_str().unwrap()]);
    _ = std::fs::remove_file(socket);
    assert!(lost.limited.connections > 0, "{lost:?}");
}

/// They end nothing, and are not even recorded.
fn zombie() {
    let lost = kills_beside(Role::KillsOfAZombie, &[]);
    assert_eq!((lost.events, lost.limited), (0, Limited::default()));
}

/// While nobody reads, a container fills the ring with kills of its own; another one's kill still has room. What is lost is counted,
/// and said so that nobody can miss it.
fn fair() {
    let (flooding, other) = (Cgroup::v2(), Cgroup::v2());
    let mut tracer = Tracer::start(&["--ring-size", "1M"]);
    let mut victim = Owned::sleeper();
    other.add(victim.pid());
    tracer.signal(Signal::SIGSTOP);
    let mut killer = Role::Killer.start(Some(&flooding));
    assert!(killer.wait().success());
    victim.kill(Signal::SIGKILL);
    victim.wait();
    tracer.signal(Signal::SIGCONT);
    let incident = tracer.incident(victim.pid());
    assert_eq!(incident.sender.process.as_ref().map(|sender| sender.pid), Some(std::process::id()));
    assert!(incident.victim.exit.is_some(), "its end is known, too");
    let ended = tracer.end();
    let lost = lost(&ended);
    let of_killer = |incident: &&Incident| incident.victim.process.ppid == Some(killer.pid());
    let seen =
        incidents(&ended.records).filter(of_killer).filter(|i| i.signal.path != Some(SignalPath::Unseen)).count();
    // Other processes of the machine may have been killed meanwhile, and lost as well.
    assert!(lost.kills > 0 && seen as u64 + lost.kills >= STORM as u64, "{seen} seen, {lost:?}");
    assert!(ended.stderr.contains(&format!("KILLS WERE LOST: {}", lost.kills)), "{}", ended.stderr);
}

/// Ten thousand kills, and none is lost among what others do.
fn storm() {
    let mut tracer = Tracer::start(&[]);
    let floods = [Role::IgnoredStops.start(None), Role::KillsOfAZombie.start(None)];
    let mut killer = Role::Killer.start(None);
    assert!(killer.wait().success());
    let mut left = STORM;
    while left > 0 {
        let Record::Incident(incident) = tracer.next("every victim's incident") else { continue };
        left -= usize::from(incident.victim.process.ppid == Some(killer.pid()));
    }
    drop(floods);
    let lost = lost(&tracer.end());
    assert_eq!((lost.kills, lost.exits), (0, 0), "{lost:?}");
}

/// A cgroup of many is killed at once, while others flood, and nobody reads until it is over.
fn cgroup_kill() {
    const ENOUGH: usize = 1_500;
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::v2();
    let mut bomb = Role::ForkBomb.start(Some(&cgroup));
    wait_until("it has multiplied", || cgroup.pids().len() > ENOUGH);
    tracer.signal(Signal::SIGSTOP);
    let floods = [Role::IgnoredStops.start(None), Role::KillsOfAZombie.start(None)];
    cgroup.write("cgroup.kill", "1");
    bomb.wait();
    wait_until("all are gone", || cgroup.pids().is_empty());
    tracer.signal(Signal::SIGCONT);
    let name = cgroup.name.clone();
    let killed = |record: &Record| match record {
        Record::Incident(i) if i.victim.process.cgroup.as_deref() == Some(name.as_str()) => {
            Some(1 + i.collateral.len())
        }
        _ => None,
    };
    tracer.wait("the incident", killed);
    drop(floods);
    let ended = tracer.end();
    let told: usize = ended.records.iter().filter_map(killed).sum();
    let lost = lost(&ended);
    assert!(told > ENOUGH && lost.kills == 0 && lost.exits == 0, "{told} told, {lost:?}");
}

/// Whoever has cgroups of their own chooses how long their paths are: thousands of victims with such a path each, killed by one thread
/// without a pause.
fn long_paths() {
    const NAMES: usize = 12;
    const CROWDS: usize = 3;
    const ENOUGH: usize = 1_500;
    let mut tracer = Tracer::start(&[]);
    tracer.wait_until_settled();
    let name = "x".repeat(250);
    let above = Nested::v2(std::iter::repeat_n(name.as_str(), NAMES));
    let crowds: Vec<Cgroup> = (0..CROWDS).map(|n| above.innermost().child(&format!("crowd{n}"))).collect();
    let bombs: Vec<Owned> = crowds.iter().map(|crowd| Role::ForkBomb.start(Some(crowd))).collect();
    wait_until("they have multiplied", || crowds.iter().all(|crowd| crowd.pids().len() > ENOUGH));
    for crowd in &crowds {
        crowd.write("cgroup.kill", "1");
    }
    drop(bombs);
    wait_until("all are gone", || crowds.iter().all(|crowd| crowd.pids().is_empty()));
    let deepest = above.innermost().name.clone();
    let is_theirs = |i: &Incident| i.victim.process.cgroup.as_deref().is_some_and(|path| path.starts_with(&deepest));
    let mut left = CROWDS * ENOUGH;
    while left > 0 {
        let seen = match tracer.next("every victim, or that it is lost") {
            Record::Incident(incident) if is_theirs(&incident) => 1 + incident.collateral.len(),
            // The ring does not hold as much at a time.
            Record::Lost(lost) => lost.kills as usize,
            _ => 0,
        };
        left = left.saturating_sub(seen);
    }
    let most = tracer.status_bytes("VmHWM");
    assert!(most < 64 << 20, "{most} bytes");
    let ended = tracer.end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

fn is_unseen(incident: &Incident) {
    let verdict = incident.verdict.as_ref().unwrap();
    assert_eq!((verdict.cause, verdict.confidence), (Cause::OtherKernel, Confidence::Possible));
    assert_eq!((incident.signal.path, incident.attribution), (Some(SignalPath::Unseen), Attribution::Partial));
    assert_eq!(incident.sender.process, None);
    assert_eq!(incident.victim.exit.as_ref().map(|exit| exit.status), Some(9));
    assert!(incident.missing.iter().any(|what| what.contains("no signal was generated")), "{:?}", incident.missing);
}

fn says(incident: &Incident, fact: &str) -> bool {
    incident.verdict.as_ref().unwrap().evidence.iter().any(|evidence| evidence.fact.contains(fact))
}

/// PTRACE_CONT with SIGKILL at another signal: no signal is generated.
fn injected() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = Owned::sleeper();
    let pid = victim.pid() as libc::pid_t;
    let ptrace = |request, data: libc::c_int| {
        // SAFETY: none of these requests writes to this process's memory.
        let result = unsafe { libc::ptrace(request, pid, 0, libc::c_long::from(data)) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    };
    ptrace(libc::PTRACE_SEIZE, 0);
    victim.kill(Signal::SIGUSR1);
    let mut status = 0;
    // SAFETY: the status is this function's own.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }, pid);
    assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGUSR1, "{status:#x}");
    ptrace(libc::PTRACE_CONT, libc::SIGKILL);
    assert_eq!(victim.wait().signal(), Some(libc::SIGKILL));
    let incident = tracer.incident(victim.pid());
    is_unseen(&incident);
    assert!(says(&incident, &format!("[{}] traced it", std::process::id())), "{incident:#?}");
    assert_eq!(lost(&tracer.end()).kills, 0);
}

fn strict() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = Role::Strict.start(None);
    assert_eq!(victim.wait().signal(), Some(libc::SIGKILL));
    let incident = tracer.incident(victim.pid());
    is_unseen(&incident);
    assert!(says(&incident, "seccomp's strict mode"), "{incident:#?}");
}
