//! Kills by processes on the host.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use oomtrace::model::{Attribution, Cause, Confidence, Incident, Record, Role, SenderKind, SignalPath};
use oomtrace::probe::btf::{Btf, Kind};
use oomtrace::probe::load::{Options, Probe};
use oomtrace::probe::requirements;
use oomtrace::sink::human::{self, Look};
use serde_json::Value;

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::helper;
use crate::support::needs::Need::{Alone, Busybox, CgroupKill, SteadyCpus, Tracing};
use crate::support::process::{BUSYBOX, Owned, children, comm, wait_until};
use crate::support::tracer::{Tracer, incidents};
use crate::support::truth;

pub const ALL: &[Scenario] = &[
    Scenario { name: "host::a_kill_names_victim_sender_and_ancestors", needs: &[Tracing], run: kill_by_this_process },
    Scenario { name: "host::kernel_memory_is_read_by_its_types", needs: &[Tracing], run: by_types },
    Scenario {
        name: "host::a_thousand_short_lived_killers_are_all_named",
        needs: &[Alone, Tracing, Busybox],
        run: a_thousand,
    },
    Scenario { name: "host::a_sigkill_that_ends_nothing_is_no_incident", needs: &[Tracing], run: zombie },
    Scenario { name: "host::a_process_that_kills_itself", needs: &[Tracing], run: itself },
    Scenario { name: "host::cgroup_kill_is_one_incident", needs: &[Tracing, CgroupKill], run: cgroup_kill },
    Scenario {
        name: "host::a_cgroup_of_5000_is_one_readable_incident",
        needs: &[Alone, Tracing, CgroupKill, Busybox, SteadyCpus],
        run: cgroup_of_5000,
    },
    Scenario { name: "host::the_sweep_after_a_killed_init_is_its_collateral", needs: &[Tracing], run: pid_namespace },
    Scenario { name: "host::the_sweep_after_an_init_that_exited_by_itself", needs: &[Tracing], run: init_exits },
    Scenario { name: "host::a_process_group_killed_by_one_call", needs: &[Tracing], run: process_group },
    Scenario { name: "host::a_process_whose_first_thread_has_ended", needs: &[Tracing], run: leaderless },
    Scenario { name: "host::an_end_that_is_no_sigkill_is_no_incident", needs: &[Tracing], run: no_sigkill },
    Scenario { name: "host::a_parents_death_is_told_from_a_kill", needs: &[Tracing], run: parent_death },
];

/// Where the verifier knows the kernel's types, they are used; and either way of reading sees the same.
fn by_types() {
    let btf = fs::read(requirements::BTF_PATH).unwrap();
    let helper = Btf::parse(&btf, &[]).unwrap().find(&[("bpf_get_current_task_btf", Kind::Func)]);
    let untyped = Probe::load(&Options::default()).unwrap().untyped;
    assert_eq!(untyped.is_none(), helper[0].is_some(), "{untyped:?}");
    let (mut typed, mut probed) = (Tracer::start(&[]), Tracer::start(&["--without", "tp_btf"]));
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    let [typed, probed] = [&mut typed, &mut probed].map(|tracer| {
        let mut incident = serde_json::to_value(tracer.incident(victim.pid())).unwrap();
        forget_times(&mut incident);
        incident
    });
    assert_eq!(typed, probed);
}

/// Each process reads the wall clock for itself, and each program that of the kernel.
fn forget_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !["id", "time", "started", "after_us"].contains(&name.as_str()));
            fields.values_mut().for_each(forget_times);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

fn kill_by_this_process() {
    let mut tracer = Tracer::start(&[]);
    assert_eq!(tracer.ready.attached[..3], ["signal_generate", "mark_victim", "sched_process_exit"]);
    // Functions can be hooked only where the kernel has kprobes or fentry.
    let is_of_function =
        |missing: &String| missing.starts_with("oom_kill_process") || missing.starts_with("unix_connect");
    assert!(tracer.ready.missing.iter().all(is_of_function), "{:?}", tracer.ready.missing);
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let me = std::process::id();
    assert_eq!(incident.victim.process.comm, "sleep");
    assert_eq!(incident.victim.process.ppid, Some(me));
    assert!(incident.victim.process.exe.as_deref().unwrap().ends_with("/sleep"));
    assert!(!incident.victim.container_init && incident.container.is_none());
    assert_eq!(incident.victim.process.cmdline.as_deref().unwrap(), ["sleep", "1000"]);
    let exit = incident.victim.exit.unwrap();
    assert_eq!((exit.status, exit.signal, exit.code), (9, Some(9), None));
    assert!(exit.after_us.unwrap() < 10_000_000, "{exit:?}");
    let sender = incident.sender.process.unwrap();
    assert_eq!((incident.sender.kind, sender.pid), (SenderKind::Process, me));
    assert_eq!(sender.cmdline, Some(std::env::args().collect()));
    // The kernel's path starts at its mount's root, which a chroot of the tests' own is below.
    let exe = std::env::current_exe().unwrap();
    assert!(Path::new(sender.exe.as_deref().unwrap()).ends_with(exe.strip_prefix("/").unwrap()), "{:?}", sender.exe);
    assert_eq!(sender.uid, Some(nix::unistd::getuid().as_raw()));
    let parent = nix::unistd::getppid().as_raw() as u32;
    assert_eq!(incident.sender.ancestors.first().map(|a| a.pid), Some(parent));
    assert_eq!(incident.sender.ancestors.last().map(|a| a.pid), Some(1));
    let signal = incident.signal;
    assert_eq!((signal.number, signal.name.as_str()), (9, "SIGKILL"));
    // SI_USER; from 7.3 on kill(2) brings no siginfo.
    assert_eq!(signal.code.unwrap_or_default(), 0);
    assert_eq!((signal.group, signal.path), (true, Some(SignalPath::Kill)));
    // From 7.3 on the compiler makes a part of it (`kill_something_info.constprop.0`).
    assert!(signal.kernel_stack.iter().any(|f| f.starts_with("kill_something_info")), "{:?}", signal.kernel_stack);
    assert_eq!((incident.attribution, incident.oom), (Attribution::Full, None));
}

/// Each child has a killer of its own that is gone within a millisecond.
fn a_thousand() {
    const COUNT: usize = 1000;
    let tracer = Tracer::start(&[]);
    let script = format!(
        "i=0; while [ $i -lt {COUNT} ]; do sleep 1000 & {BUSYBOX} kill -9 $!; wait $! 2>/dev/null; i=$((i+1)); done; true"
    );
    let mut shell = Owned::spawn(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()));
    let pid = shell.pid();
    assert!(shell.wait().success());
    let ended = tracer.end();
    let ours: Vec<_> = incidents(&ended.records).filter(|i| i.victim.process.ppid == Some(pid)).collect();
    assert_eq!(ours.len(), COUNT, "lost or doubled; {}", ended.stderr);
    // Many are killed before they are sleep: a fork of the shell, with its arguments.
    let own = [vec!["sleep".to_owned(), "1000".to_owned()], vec!["sh".to_owned(), "-c".to_owned(), script]];
    let with_cmdline = ours.iter().filter(|i| i.victim.process.cmdline.as_ref().is_some_and(|c| own.contains(c)));
    assert!(with_cmdline.count() >= COUNT * 99 / 100);
    // From 7.0 on an end may be missed while another one is being recorded on the same CPU; that is said.
    let without_end = ours.iter().filter(|i| i.victim.exit.is_none()).count();
    assert!(without_end <= COUNT / 100, "{without_end} without an end");
    for incident in ours {
        let is_said = || incident.missing.iter().any(|missing| missing.contains("end"));
        assert!(incident.victim.exit.as_ref().map_or_else(is_said, |exit| exit.signal == Some(9)), "{incident:#?}");
        let sender = incident.sender.process.as_ref().unwrap();
        let expected = [BUSYBOX, "kill", "-9", &incident.victim.process.pid.to_string()].map(str::to_owned);
        assert_eq!(sender.cmdline.as_deref(), Some(&expected[..]));
        assert_eq!(incident.sender.ancestors[0].pid, pid);
    }
}

/// A zombie cannot be killed, nor can what was killed be killed again.
fn zombie() {
    let tracer = Tracer::start(&[]);
    let mut victim = Owned::sleeper();
    victim.kill(Signal::SIGTERM);
    let stat = format!("/proc/{}/stat", victim.pid());
    wait_until("the victim is a zombie", || std::fs::read_to_string(&stat).unwrap_or_default().contains(") Z "));
    victim.kill(Signal::SIGKILL);
    let dead = victim.pid();
    victim.wait();
    let twice = Owned::sleeper();
    twice.kill(Signal::SIGKILL);
    twice.kill(Signal::SIGKILL);
    let ended = tracer.end();
    let count = |pid| incidents(&ended.records).filter(|i| i.victim.process.pid == pid).count();
    assert_eq!((count(dead), count(twice.pid())), (0, 1));
}

fn itself() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", "kill -9 $$"]));
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::SelfKill, Confidence::Certain);
    // Its own command line is read from its own memory.
    assert_eq!(incident.victim.process.cmdline.unwrap(), ["sh", "-c", "kill -9 $$"]);
}

fn cgroup_kill() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::v2();
    let victims: Vec<Owned> = (0..20).map(|_| Owned::sleeper()).collect();
    victims.iter().for_each(|victim| cgroup.add(victim.pid()));
    cgroup.write("cgroup.kill", "1");
    let mut pids: Vec<u32> = victims.iter().map(Owned::pid).collect();
    let incident = tracer.wait("an incident of the cgroup", |record| {
        incidents(std::slice::from_ref(record)).find(|i| pids.contains(&i.victim.process.pid)).cloned()
    });
    truth::is(&incident, Cause::CgroupKill, Confidence::Certain);
    assert_eq!(incident.signal.path, Some(SignalPath::CgroupKill));
    assert_eq!(incident.sender.process.unwrap().pid, std::process::id());
    assert!(incident.collateral.iter().all(|c| c.role == Role::CgroupKill));
    let mut reported: Vec<u32> = incident.collateral.iter().map(|c| c.process.pid).collect();
    reported.push(incident.victim.process.pid);
    reported.sort_unstable();
    pids.sort_unstable();
    assert_eq!(reported, pids);
}

/// Complete in JSON, a handful of lines as text, and nothing lost.
fn cgroup_of_5000() {
    const COUNT: usize = 5000;
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::v2();
    let script = format!(
        "echo $$ > {}; i=0; while [ $i -lt {COUNT} ]; do {BUSYBOX} sleep 1000 & i=$((i+1)); done; wait",
        cgroup.procs().display()
    );
    let shell = Owned::spawn(Command::new("sh").args(["-c", &script]));
    wait_until("all are there", || cgroup.pids().len() == COUNT + 1);
    let pids = cgroup.pids();
    cgroup.write("cgroup.kill", "1");
    let incident = tracer.wait("an incident of the cgroup", |record| {
        let is_of = |i: &&Incident| pids.contains(&i.victim.process.pid);
        incidents(std::slice::from_ref(record)).find(is_of).cloned()
    });
    truth::is(&incident, Cause::CgroupKill, Confidence::Certain);
    let text = human::block(&incident, Look::default());
    assert!(text.lines().count() <= 6 && text.contains("and 4995 more"), "{text}");
    let mut reported: Vec<u32> = incident.collateral.iter().map(|c| c.process.pid).collect();
    reported.push(incident.victim.process.pid);
    reported.sort_unstable();
    let mut expected = pids.clone();
    expected.sort_unstable();
    assert_eq!(reported, expected);
    drop(shell);
    // Other scenarios' floods may be limited meanwhile.
    let is_loss = |record: &Record| matches!(record, Record::Lost(lost) if lost.kills > 0);
    assert!(!tracer.end().records.iter().any(is_loss));
}

fn pid_namespace() {
    let mut tracer = Tracer::start(&[]);
    let unshare = Owned::spawn(
        Command::new("unshare").args(["--pid", "--fork", "sh", "-c", "sleep 1000 & wait"]).stderr(Stdio::null()),
    );
    wait_until("the namespace has a child", || {
        children(unshare.pid()).first().is_some_and(|init| !children(*init).is_empty())
    });
    let init = children(unshare.pid())[0];
    let child = children(init)[0];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(init as i32), Signal::SIGKILL).unwrap();
    let first = tracer.incident(init);
    truth::is(&first, Cause::ProcessKill, Confidence::Certain);
    assert_eq!((first.victim.container_init, first.victim.process.pid_in_namespace), (true, Some(1)));
    // What the kernel then swept is collateral of that one kill, and no incident of its own.
    let swept: Vec<_> = first.collateral.iter().map(|c| (c.process.pid, c.role)).collect();
    assert_eq!(swept, [(child, Role::PidNamespace)]);
    assert!(incidents(&tracer.end().records).all(|i| i.victim.process.pid != child));
}

/// Nobody killed init: the sweep is an incident, and says how init ended.
fn init_exits() {
    let mut tracer = Tracer::start(&[]);
    let script = "sleep 1000 & echo $! > /dev/null; read go; exit 3";
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "sh", "-c", script]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut unshare = command.spawn().unwrap();
    let pid = unshare.id();
    wait_until("the namespace has a child", || {
        children(pid).first().is_some_and(|init| children(*init).first().is_some_and(|child| comm(*child) == "sleep"))
    });
    let init = children(pid)[0];
    let child = children(init)[0];
    drop(unshare.stdin.take());
    unshare.wait().unwrap();
    let incident = tracer.incident(child);
    let verdict = truth::is(&incident, Cause::PidNamespaceExit, Confidence::Certain);
    assert_eq!((incident.sender.kind, incident.sender.process), (SenderKind::Kernel, None));
    let fact = format!("sh[{init}], the init of the pid namespace, exited with 3");
    assert!(verdict.evidence.iter().any(|e| e.fact == fact), "{:?}", verdict.evidence);
}

fn parent_death() {
    let mut tracer = Tracer::start(&[]);
    // setpriv sets PR_SET_PDEATHSIG and then becomes the sleeper.
    let script = "setpriv --pdeathsig KILL sleep 1000 & wait";
    let parent = Owned::spawn(Command::new("sh").args(["-c", script]));
    wait_until("the child sleeps", || children(parent.pid()).first().is_some_and(|pid| comm(*pid) == "sleep"));
    let child = children(parent.pid())[0];
    parent.kill(Signal::SIGKILL);
    let incident = tracer.incident(child);
    truth::is(&incident, Cause::ParentExit, Confidence::Certain);
    assert_eq!(incident.signal.path, Some(SignalPath::ParentDeath));
    assert_eq!(incident.sender.kind, SenderKind::Kernel);
}

fn process_group() {
    let mut tracer = Tracer::start(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 & sleep 1000 & wait"]).process_group(0);
    let shell = Owned::spawn(&mut command);
    let sleepers = || children(shell.pid()).into_iter().filter(|pid| comm(*pid) == "sleep").count();
    wait_until("the group is there", || sleepers() == 2);
    let mut pids = children(shell.pid());
    pids.push(shell.pid());
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(shell.pid() as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.wait("an incident of the group", |record| {
        incidents(std::slice::from_ref(record)).find(|i| pids.contains(&i.victim.process.pid)).cloned()
    });
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert!(incident.collateral.iter().all(|c| c.role == Role::ProcessGroup), "{:?}", incident.collateral);
    let mut reported: Vec<u32> = incident.collateral.iter().map(|c| c.process.pid).collect();
    reported.push(incident.victim.process.pid);
    reported.sort_unstable();
    pids.sort_unstable();
    assert_eq!(reported, pids);
}

fn leaderless() {
    let mut tracer = Tracer::start(&[]);
    let victim = helper::Role::LeaderlessSleeper.start(None);
    let stat = format!("/proc/{}/stat", victim.pid());
    wait_until("its first thread has ended", || std::fs::read_to_string(&stat).unwrap_or_default().contains(") Z "));
    victim.kill(Signal::SIGKILL);
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let exit = incident.victim.exit.unwrap();
    assert_eq!((exit.status, exit.signal), (9, Some(9)));
}

/// 137, 143 and 139 are what a shell and a runtime show for all of these.
fn no_sigkill() {
    let tracer = Tracer::start(&[]);
    let mut pids = Vec::new();
    for (script, code, signal) in
        [("exit 137", Some(137), None), ("kill -TERM $$", None, Some(15)), ("kill -SEGV $$", None, Some(11))]
    {
        let mut victim = Owned::spawn(Command::new("sh").args(["-c", script]));
        let status = victim.wait();
        let by = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!((status.code(), by), (code, signal), "{script}");
        pids.push(victim.pid());
    }
    let ended = tracer.end();
    truth::is_none(incidents(&ended.records).filter(|i| pids.contains(&i.victim.process.pid)));
}
