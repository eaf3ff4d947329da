//! What stands behind a kill, said in one clause: timeout(1), a person at a terminal, a CI runner; what the memory was; and 137 without a
//! SIGKILL.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Confidence, Exited, Record, Role};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::needs::Need::{MachineRoot, MemoryCgroup, OwnNamespaces, Tracing};
use crate::support::process::{Owned, children, comm, wait_until};
use crate::support::tracer::{Tracer, incidents};
use crate::support::truth;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "reasons::timeout_and_its_process_group_are_one_incident",
        needs: &[Tracing, MachineRoot],
        run: timeout,
    },
    Scenario {
        name: "reasons::timeout_without_its_command_is_no_second_incident",
        needs: &[Tracing, MachineRoot],
        run: timeout_without_its_command,
    },
    Scenario { name: "reasons::a_kill_by_hand_at_a_terminal", needs: &[Tracing, MachineRoot], run: by_hand },
    Scenario { name: "reasons::a_ci_runner_is_only_likely", needs: &[Tracing, MachineRoot], run: ci_runner },
    Scenario { name: "reasons::a_limit_that_tmpfs_fills", needs: &[Tracing, MemoryCgroup], run: tmpfs },
    Scenario { name: "reasons::a_limit_that_many_small_processes_fill", needs: &[Tracing, MemoryCgroup], run: many },
    Scenario { name: "reasons::an_init_that_exits_137_by_itself", needs: &[Tracing, OwnNamespaces], run: exits_137 },
    Scenario {
        name: "reasons::an_init_that_passes_its_childs_137_on",
        needs: &[Tracing, OwnNamespaces, MemoryCgroup],
        run: passes_137_on,
    },
];

fn timeout() {
    let mut tracer = Tracer::start(&[]);
    // The command has a child of its own, which is of the group, too.
    let mut parent = Owned::spawn(
        Command::new("/usr/bin/timeout")
            .args(["-s", "KILL", "0.5", "sh", "-c", "sleep 1000 & sleep 1000; :"])
            .process_group(0),
    );
    wait_until("the command runs", || children(parent.pid()).first().is_some_and(|sh| children(*sh).len() == 2));
    let command = children(parent.pid())[0];
    let rest = children(command);
    parent.wait();
    let incident = tracer.incident(command);
    let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let expected =
        "its time limit of 0.5 s was up: /usr/bin/timeout -s KILL 0.5 sh -c 'sleep 1000 & sleep 1000; :' (likely)";
    assert_eq!(verdict.why, expected);
    let others: Vec<u32> = incident.collateral.iter().map(|other| other.process.pid).collect();
    assert!(incident.collateral.iter().all(|other| other.role == Role::ProcessGroup), "{:?}", incident.collateral);
    assert!(rest.iter().chain([&parent.pid()]).all(|pid| others.contains(pid)), "{others:?}");
    let ended = tracer.end();
    let mut all = incidents(&ended.records).map(|incident| incident.victim.process.pid);
    assert!(all.all(|pid| pid != parent.pid() && !rest.contains(&pid)));
}

/// A command that has left timeout's group, and is killed after --kill-after: timeout's own end, by the call for its group, is part of that.
fn timeout_without_its_command() {
    let mut tracer = Tracer::start(&[]);
    let stubborn = ["setsid", "sh", "-c", "trap '' TERM; sleep 1000 & wait; wait"];
    let mut parent =
        Owned::spawn(Command::new("/usr/bin/timeout").args(["-k", "0.3", "0.3"]).args(stubborn).process_group(0));
    wait_until("the command runs", || {
        children(parent.pid()).first().is_some_and(|command| !children(*command).is_empty())
    });
    let command = children(parent.pid())[0];
    let rest = children(command);
    parent.wait();
    let incident = tracer.incident(command);
    rest.into_iter().for_each(|pid| _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL));
    let others: Vec<u32> = incident.collateral.iter().map(|other| other.process.pid).collect();
    assert_eq!(others, [parent.pid()]);
    let ended = tracer.end();
    assert!(incidents(&ended.records).all(|incident| incident.victim.process.pid != parent.pid()));
}

/// A shell that somebody types into has a terminal, which script(1) makes.
fn by_hand() {
    let mut tracer = Tracer::start(&[]);
    let (first, second) = (Owned::sleeper(), Owned::sleeper());
    let mut terminal = Command::new("script")
        .args(["-q", "-c", "bash -i", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut typed = terminal.stdin.take().unwrap();
    writeln!(typed, "/bin/kill -9 {}", first.pid()).unwrap();
    writeln!(typed, "kill -9 {}", second.pid()).unwrap();
    typed.flush().unwrap();
    for (victim, tool) in [(&first, format!("/bin/kill -9 {} in bash", first.pid())), (&second, "in bash".to_owned())] {
        let incident = tracer.incident(victim.pid());
        let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
        let on = format!(" killed it by hand: {tool} on pts/");
        assert!(verdict.why.contains(&on) && verdict.why.ends_with(" (likely)"), "{}", verdict.why);
    }
    writeln!(typed, "exit").unwrap();
    drop(typed);
    terminal.wait().unwrap();
}

/// Any program may be called so.
fn ci_runner() {
    let directory = tempfile::tempdir().unwrap();
    let runner = directory.path().join("Runner.Worker");
    fs::copy(fs::canonicalize("/bin/sh").unwrap(), &runner).unwrap();
    let mut tracer = Tracer::start(&[]);
    for (kill, said) in [
        ("kill", ", the runner of GitHub Actions, killed it, as at a job's end, time-out or cancellation (likely)"),
        ("/bin/kill", " killed it, in a job of GitHub Actions (likely)"),
    ] {
        let victim = Owned::sleeper();
        // It stays what it is while its name is read.
        let script = format!("{kill} -9 {}; kill -STOP $$", victim.pid());
        let _runner = Owned::spawn(Command::new(&runner).args(["-c", &script]));
        let incident = tracer.incident(victim.pid());
        let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
        assert!(verdict.why.ends_with(said), "{}", verdict.why);
    }
}

/// A file in /dev/shm stays when the process that wrote it is killed.
fn tmpfs() {
    const LIMIT: u64 = 32 << 20;
    let file = tempfile::Builder::new().tempfile_in("/dev/shm").unwrap();
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    let script = format!(
        "echo $$ > {} && exec dd if=/dev/zero of={} bs=1M count=64",
        cgroup.procs().display(),
        file.path().display()
    );
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()));
    victim.wait();
    let verdict = truth::is_oom(&tracer.incident(victim.pid()), Cause::OomSliceLimit);
    let said = " of 32 MiB is tmpfs or shared memory: killing does not free it";
    assert!(verdict.why.contains(said), "{}", verdict.why);
    // It was freed with nobody's end: the file is there.
    assert!(fs::metadata(file.path()).unwrap().len() >= LIMIT / 2);
}

fn many() {
    const LIMIT: u64 = 64 << 20;
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(LIMIT);
    // Each holds some megabytes of its own, so that it is not the kernel's memory for processes that fills the limit.
    let small = "x=$(head -c 3000000 /dev/zero | tr \"\\0\" a); sleep 1000; echo $x";
    let script =
        format!("echo $$ > {} && for i in $(seq 60); do sh -c '{small}' & done; wait", cgroup.procs().display());
    let _all = Owned::spawn(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()));
    let incident = tracer.wait("an OOM kill at the limit", |record| match record {
        Record::Incident(incident) if incident.victim.process.cgroup.as_deref() == Some(cgroup.name.as_str()) => {
            Some(incident.clone())
        }
        _ => None,
    });
    let verdict = truth::is_oom(&incident, Cause::OomSliceLimit);
    assert!(verdict.why.contains(" processes, the largest has "), "{} {:?}", verdict.why, incident.memory);
}

/// The end of the first process of a pid namespace of its own that `outer` has made.
fn exit_of(tracer: &mut Tracer, outer: &Owned) -> Exited {
    tracer.wait("the init's end", |record| match record {
        Record::Exit(exited) if exited.process.ppid == Some(outer.pid()) => Some(exited.clone()),
        _ => None,
    })
}

/// A pid namespace whose first process, in `cgroup`, runs that. Its parent is what is given back.
fn init(script: &str, cgroup: Option<&Cgroup>) -> Owned {
    let moves = cgroup.map(|cgroup| format!("echo $$ > {} && ", cgroup.procs().display())).unwrap_or_default();
    let whole = format!("{moves}exec unshare --pid --fork sh -c '{script}'");
    Owned::spawn(Command::new("sh").args(["-c", &whole]))
}

fn exits_137() {
    let mut tracer = Tracer::start(&[]);
    let mut outer = init("exit 137", None);
    outer.wait();
    let exited = exit_of(&mut tracer, &outer);
    assert_eq!((exited.code, exited.container_init, &exited.after), (137, true, &None));
    assert!(exited.why.starts_with("exited with 137 by itself: no SIGKILL ended it"), "{}", exited.why);
    // Another code is no matter, and a SIGKILL is an incident.
    let mut other = init("exit 3", None);
    other.wait();
    let mut killed = init("exec sleep 1000", None);
    wait_until("it sleeps", || children(killed.pid()).first().is_some_and(|child| comm(*child) == "sleep"));
    let victim = children(killed.pid())[0];
    kill(Pid::from_raw(victim as i32), Signal::SIGKILL).unwrap();
    killed.wait();
    truth::is(&tracer.incident(victim), Cause::ProcessKill, Confidence::Certain);
    let ended = tracer.end();
    let exits = ended.records.iter().filter_map(|record| match record {
        Record::Exit(exited) => exited.process.ppid,
        _ => None,
    });
    let exits: Vec<u32> = exits.collect();
    assert!(!exits.contains(&other.pid()) && !exits.contains(&killed.pid()), "{exits:?}");
}

fn passes_137_on() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(16 << 20);
    let mut outer = init("tail /dev/zero; exit $?", Some(&cgroup));
    outer.wait();
    let exited = exit_of(&mut tracer, &outer);
    let after = exited.after.as_ref().unwrap_or_else(|| panic!("{exited:?}"));
    assert_eq!((after.comm.as_str(), after.is_child, after.is_oom), ("tail", true, true));
    let said = format!("; its child tail[{}] was OOM-killed ", after.pid);
    assert!(exited.why.contains(&said) && exited.why.ends_with(" before"), "{}", exited.why);
    let incident = tracer.incident(after.pid);
    assert_eq!(Some(&incident.id), after.incident.as_ref());
    truth::is_oom(&incident, Cause::OomSliceLimit);
}
