//! Units of a real systemd: services, scopes, and a user's own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Confidence, LimitLevel};

use crate::Scenario;
use crate::support::docker::Container;
use crate::support::needs::Need::{
    self, Busybox, Docker, MemoryCgroup, MemoryV2, Oomd, OwnMachine, Systemd, Tracing, User,
};
use crate::support::process::{run, run_as_printed, wait_until};
use crate::support::tracer::Tracer;
use crate::support::truth;
use crate::support::user;

const NEEDS: &[Need] = &[Tracing, Systemd, MemoryCgroup];
const OOMD_NEEDS: &[Need] = &[Tracing, Systemd, MemoryV2, OwnMachine, Oomd];
const POD_NEEDS: &[Need] = &[Tracing, Systemd, MemoryV2, Docker, Busybox];
const USER_NEEDS: &[Need] = &[Tracing, Systemd, User];

pub const ALL: &[Scenario] = &[
    Scenario { name: "systemd::a_service_over_its_limit", needs: NEEDS, run: over_its_limit },
    Scenario { name: "systemd::a_stop_that_runs_into_its_time_out", needs: NEEDS, run: stop_time_out },
    Scenario { name: "systemd::a_scope", needs: NEEDS, run: scope },
    Scenario { name: "systemd::oomd_kills_a_service_under_pressure", needs: OOMD_NEEDS, run: oomd },
    Scenario { name: "systemd::a_pods_slice_over_its_limit", needs: POD_NEEDS, run: pod },
    Scenario { name: "systemd::a_users_own_service", needs: USER_NEEDS, run: of_a_user },
    Scenario { name: "systemd::a_session", needs: USER_NEEDS, run: session },
];

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A transient unit that is stopped when it goes out of scope.
struct Unit {
    name: String,
    of_user: bool,
}

impl Unit {
    fn run(of_user: bool, options: &[&str], command: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unit = Self { name: format!("oomtrace-test-{}-{number}.service", std::process::id()), of_user };
        let mut start = unit.command("systemd-run");
        start.args(["--quiet", "--collect", "--unit", &unit.name]).args(options).args(["sh", "-c", command]);
        run(&mut start);
        unit
    }

    fn command(&self, program: &str) -> Command {
        if self.of_user {
            let mut command = user::command(program);
            command.arg("--user");
            return command;
        }
        Command::new(program)
    }

    fn main_pid(&self) -> u32 {
        let pid = || run(self.command("systemctl").args(["show", "--property", "MainPID", "--value", &self.name]));
        wait_until("the unit runs", || pid().parse::<u32>().is_ok_and(|pid| pid > 0));
        pid().parse().unwrap()
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        _ = self.command("systemctl").args(["kill", "--signal", "KILL", &self.name]).output();
        _ = self.command("systemctl").args(["stop", &self.name]).output();
    }
}

fn over_its_limit() {
    let mut tracer = Tracer::start(&[]);
    // It goes on: a transient unit that has ended has nothing left to set.
    let options = ["-p", "MemoryMax=24M", "-p", "MemorySwapMax=0", "-p", "OOMPolicy=continue"];
    let unit = Unit::run(false, &options, "tail /dev/zero; sleep 1000");
    let incident = tracer.wait("the unit's OOM kill", |record| match record {
        oomtrace::model::Record::Incident(i) if i.unit.as_ref() == Some(&unit.name) => Some(i.clone()),
        _ => None,
    });
    let verdict = truth::is_oom(&incident, Cause::OomUnitLimit);
    let owner = incident.oom.unwrap().limit_owner.unwrap();
    assert_eq!((owner.level, owner.limit_bytes), (LimitLevel::Unit, Some(24 << 20)));
    let command = format!("systemctl set-property {} MemoryMax=36M", unit.name);
    assert_eq!(verdict.advice[0].command.as_ref(), Some(&command));
    run_as_printed(&command);
    let set = run(Command::new("systemctl").args(["show", "--property", "MemoryMax", "--value", &unit.name]));
    assert_eq!(set, (36 << 20).to_string());
}

fn stop_time_out() {
    let mut tracer = Tracer::start(&[]);
    let script = "trap '' TERM; while :; do sleep 0.1; done";
    let unit = Unit::run(false, &["-p", "TimeoutStopSec=1s"], script);
    let pid = unit.main_pid();
    run(Command::new("systemctl").args(["stop", &unit.name]));
    let incident = tracer.incident(pid);
    truth::is(&incident, Cause::ServiceManagerKill, Confidence::Likely);
    assert_eq!(incident.unit.as_ref(), Some(&unit.name));
    assert!(incident.preceding.iter().any(|stop| stop.signal == 15), "{:?}", incident.preceding);
}

fn scope() {
    let mut tracer = Tracer::start(&[]);
    let name = format!("oomtrace-test-{}.scope", std::process::id());
    let mut command = Command::new("systemd-run");
    command.args(["--quiet", "--collect", "--scope", "--unit", &name, "sleep", "1000"]).stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let is_in = || std::fs::read_to_string(format!("/proc/{}/cgroup", child.id())).is_ok_and(|at| at.contains(&name));
    wait_until("the process is in its scope", is_in);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(child.id());
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_eq!(incident.unit, Some(name));
    child.wait().unwrap();
}

/// The daemon is set to have no patience; the service works in far less memory than it uses. Pressure is not enough: the daemon
/// kills only where memory was reclaimed of late (src/oom/oomd-manager.c, systemd 252), and without swap only a file's can be.
fn oomd() {
    let settings = Path::new("/run/systemd/oomd.conf.d");
    fs::create_dir_all(settings).unwrap();
    fs::write(settings.join("oomtrace.conf"), "[OOM]\nDefaultMemoryPressureDurationSec=1s\n").unwrap();
    run(Command::new("systemctl").args(["restart", "systemd-oomd.service"]));
    let mut tracer = Tracer::start(&[]);
    let options = [
        "-p",
        "MemoryHigh=16M",
        "-p",
        "ManagedOOMMemoryPressure=kill",
        "-p",
        "ManagedOOMMemoryPressureLimit=1%",
        "-p",
        "MemorySwapMax=0",
    ];
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = directory.path().join("file");
    let script = format!(
        "head -c 32M /dev/zero > {0}; head -c 64M /dev/zero | tail & while :; do cat {0} > /dev/null; done",
        file.display()
    );
    let unit = Unit::run(false, &options, &script);
    let incident = tracer.wait("a kill by systemd-oomd", |record| match record {
        oomtrace::model::Record::Incident(i) if i.unit.as_ref() == Some(&unit.name) => Some(i.clone()),
        _ => None,
    });
    truth::is(&incident, Cause::UserspaceOomKiller, Confidence::Likely);
    assert_eq!(incident.sender.process.unwrap().comm, "systemd-oomd");
    assert_eq!(incident.oom, None);
}

/// A slice that is called as kubelet calls a pod's, with a limit that its container does not have.
fn pod() {
    let slice = format!("kubepods-burstable-pod{:08x}_0000_0000_0000_000000000000.slice", std::process::id());
    run(Command::new("systemctl").args(["set-property", "--runtime", &slice, "MemoryMax=24M", "MemorySwapMax=0"]));
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--cgroup-parent", &slice], "tail /dev/zero; sleep 1000");
    let incident = tracer.incident_in(&container.name);
    truth::is_oom(&incident, Cause::OomPodLimit);
    let owner = incident.oom.unwrap().limit_owner.unwrap();
    assert_eq!((owner.level, owner.limit_bytes), (LimitLevel::Pod, Some(24 << 20)));
    assert!(owner.path.ends_with(&slice), "{}", owner.path);
    drop(container);
    run(Command::new("systemctl").args(["stop", &slice]));
}

fn of_a_user() {
    let mut tracer = Tracer::start(&[]);
    let unit = Unit::run(true, &[], "exec sleep 1000");
    let pid = unit.main_pid();
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(pid);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_eq!(incident.unit.as_ref(), Some(&unit.name));
    assert_eq!(incident.victim.process.user.as_deref(), Some(user::NAME));
    let cgroup = incident.victim.process.cgroup.unwrap();
    assert!(cgroup.starts_with("/user.slice/user-1000.slice/user@1000.service/"), "{cgroup}");
}

/// A log-in, which PAM puts into a scope, and audit gives a number.
fn session() {
    let mut tracer = Tracer::start(&[]);
    let mut su = Command::new("su");
    let mut child =
        su.args(["--login", user::NAME, "--command", "exec sleep 1001"]).stdin(Stdio::null()).spawn().unwrap();
    let sleeper = || {
        let mut pids = crate::support::process::children(child.id());
        pids.retain(|pid| crate::support::process::comm(*pid) == "sleep");
        pids.first().copied()
    };
    wait_until("the log-in is there", || sleeper().is_some());
    let pid = sleeper().unwrap();
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(pid);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let unit = incident.unit.unwrap();
    assert!(unit.starts_with("session-") && unit.ends_with(".scope"), "{unit}");
    child.wait().unwrap();
}
