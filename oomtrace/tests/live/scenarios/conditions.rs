//! Bad conditions: full buffers, closed pipes, interruptions, missing privileges.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Attribution, Cause, Confidence, Record};
use oomtrace::node::cgroups;
use oomtrace::probe::hook::Hook;

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::needs::Need::{Alone, MemoryCgroup, OwnNamespaces, Tracing};
use crate::support::needs::attached;
use crate::support::process::{Owned, run, wait_until};
use crate::support::tracer::{Tracer, binary, command, incidents};
use crate::support::truth;

pub const ALL: &[Scenario] = &[
    Scenario { name: "conditions::lost_events_are_counted_and_shown", needs: &[Alone, Tracing], run: lost },
    Scenario { name: "conditions::sigint_and_sigterm_end_it_in_order", needs: &[Tracing], run: interrupted },
    Scenario { name: "conditions::an_early_sigint_leaves_nothing", needs: &[Alone, Tracing], run: interrupted_early },
    Scenario { name: "conditions::a_reader_that_goes_away_ends_it", needs: &[Tracing], run: closed_pipe },
    Scenario {
        name: "conditions::an_interrupted_selftest_leaves_nothing",
        needs: &[Tracing, MemoryCgroup],
        run: selftest_interrupted,
    },
    Scenario { name: "conditions::without_root_it_says_what_is_missing", needs: &[Tracing], run: unprivileged },
    Scenario {
        name: "conditions::without_a_hook_the_other_goes_on",
        needs: &[Tracing, MemoryCgroup],
        run: without_a_hook,
    },
    Scenario {
        name: "conditions::a_kernel_that_forbids_tracing",
        needs: &[Tracing, OwnNamespaces],
        run: forbidding_kernel,
    },
    Scenario { name: "conditions::a_missing_capability_is_named", needs: &[Tracing], run: one_capability },
];

/// While the tracer is stopped nobody empties its ring: what does not fit is lost, and each of them is counted.
fn lost() {
    const KILLS: usize = 400;
    let tracer = Tracer::start(&["--ring-size", "64K"]);
    let mut victims: Vec<Owned> = (0..KILLS).map(|_| Owned::sleeper()).collect();
    tracer.signal(Signal::SIGSTOP);
    victims.iter().for_each(|victim| victim.kill(Signal::SIGKILL));
    for victim in &mut victims {
        victim.wait();
    }
    tracer.signal(Signal::SIGCONT);
    let ended = tracer.end();
    let pids: Vec<u32> = victims.iter().map(Owned::pid).collect();
    let seen = incidents(&ended.records).filter(|i| pids.contains(&i.victim.process.pid)).count();
    let lost: u64 = ended.records.iter().map(|r| if let Record::Lost(lost) = r { lost.kills } else { 0 }).sum();
    assert!(lost > 0 && seen > 0, "{seen} seen, {lost} lost");
    // Other processes of the machine may have been killed meanwhile, and lost as well.
    assert!(seen as u64 + lost >= KILLS as u64, "{seen} seen and {lost} lost of {KILLS}");
    assert!(ended.stderr.contains("did not fit into the ring buffer"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("KILLS WERE LOST: {lost}")), "{}", ended.stderr);
}

fn interrupted() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut tracer = Tracer::start(&[]);
        let victim = Owned::sleeper();
        victim.kill(Signal::SIGKILL);
        // At once: what was killed before is still reported.
        tracer.signal(signal);
        let ended = tracer.ended();
        assert_eq!(ended.status.code(), Some(0), "{signal}: {}", ended.stderr);
        assert!(incidents(&ended.records).any(|i| i.victim.process.pid == victim.pid()), "{signal}");
        assert_eq!(ended.stderr, "", "{signal}");
    }
}

/// At any time from its start on: it ends by the signal before it has a handler, and in order afterwards.
fn interrupted_early() {
    for after_ms in [0, 5, 10, 20, 40, 80, 160] {
        let mut child = command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(after_ms));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = child.wait().unwrap();
        let by_signal = std::os::unix::process::ExitStatusExt::signal(&status) == Some(2);
        assert!(by_signal || status.code() == Some(0), "after {after_ms} ms: {status} {stderr}");
        assert!(!stderr.contains("panic"), "{stderr}");
    }
}

fn closed_pipe() {
    for arguments in [&["--json"][..], &[]] {
        let mut child = command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        if arguments.is_empty() { stderr.read_line(&mut line) } else { stdout.read_line(&mut line) }.unwrap();
        drop(stdout);
        // Without any kill in between.
        let mut status = None;
        wait_until("it ends", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(status.unwrap().code(), Some(0), "{rest}");
        // What cannot be seen on this kernel was said at the start.
        let complaint = |line: &&str| line.contains("rror") || line.contains("panic");
        let complaint = rest.lines().filter(|line| !line.contains("not seen here")).find(complaint);
        assert_eq!(complaint, None, "{rest}");
    }
}

fn selftest_interrupted() {
    let all = cgroups::hierarchies().unwrap();
    let mount = cgroups::memory(&all).unwrap().mount.clone();
    for after_ms in [0, 10, 30, 60, 120, 200] {
        let mut child = command().arg("selftest").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(after_ms));
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        child.wait().unwrap();
        let scratch = mount.join(format!("oomtrace-selftest-{}", child.id()));
        assert!(!scratch.exists(), "after {after_ms} ms {} is left", scratch.display());
    }
    // A selftest that was itself killed is tidied up after by the next one.
    let stale = mount.join("oomtrace-selftest-4194305");
    fs::create_dir(&stale).unwrap();
    assert!(command().arg("selftest").stdout(Stdio::null()).status().unwrap().success());
    assert!(!stale.exists());
}

/// The binary where everybody can run it.
fn public_copy() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let copy = dir.path().join("oomtrace");
    // A program that this process has open for writing cannot be run, and a child of another scenario keeps what is open here
    // until it is another program.
    run(Command::new("cp").arg(binary()).arg(&copy));
    (dir, copy)
}

fn unprivileged() {
    let (_dir, copy) = public_copy();
    for (arguments, status) in [(&[][..], 3), (&["--json"], 3), (&["selftest"], 3), (&["doctor"], 3), (&["schema"], 0)]
    {
        let output = Command::new(&copy).args(arguments).uid(65534).gid(65534).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {stderr}");
        if status == 3 && arguments != ["doctor"] {
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            assert!(stderr.contains("CAP_BPF") && stderr.contains("sudo oomtrace"), "{stderr}");
        }
    }
}

fn without_a_hook() {
    // Without signals an OOM kill is known by its mark alone, and cannot be distinguished from a process that was dying.
    let mut tracer = Tracer::start(&["--without", "signal_generate"]);
    assert_eq!(tracer.ready.attached.first().map(String::as_str), Some("mark_victim"));
    assert!(tracer.ready.missing.iter().any(|m| m.contains("signal_generate could not be attached")));
    let pid = oom_kill();
    let incident = tracer.incident(pid);
    truth::is(&incident, Cause::OomSliceLimit, Confidence::Possible);
    assert_eq!(incident.attribution, Attribution::Partial);
    assert!(incident.missing.iter().any(|m| m.contains("the SIGKILL itself")), "{:?}", incident.missing);

    // Without marks it is known by its kernel stack, and by the OOM killer's record where there is one; without sizes.
    let mut tracer = Tracer::start(&["--without", "mark_victim"]);
    assert_eq!(tracer.ready.attached.first().map(String::as_str), Some("signal_generate"));
    assert!(!tracer.ready.attached.contains(&"mark_victim".to_owned()));
    let pid = oom_kill();
    let incident = tracer.incident(pid);
    let by_record = attached().contains(&Hook::OomKillProcess);
    let confidence = if by_record { Confidence::Certain } else { Confidence::Possible };
    truth::is(&incident, Cause::OomSliceLimit, confidence);
    assert_eq!(incident.memory, None);
    assert!(incident.missing.iter().any(|m| m.contains("no mark_victim event came")), "{:?}", incident.missing);

    // Without ends a verdict waits for nothing.
    let mut tracer = Tracer::start(&["--without", "sched_process_exit"]);
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    let incident = tracer.incident(victim.pid());
    assert_eq!((incident.victim.exit, incident.verdict.unwrap().cause), (None, Cause::ProcessKill));

    let output = command().args(["--without", "mark_victim", "--without", "signal_generate"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(4), 1), "{stderr}");
    assert!(stderr.contains("no hook could be attached"), "{stderr}");
}

/// An OOM kill in a cgroup of its own; gives the victim.
fn oom_kill() -> u32 {
    let cgroup = Cgroup::with_memory_limit(16 << 20);
    let script = format!("echo $$ > {} && exec tail /dev/zero", cgroup.procs().display());
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", &script]));
    victim.wait();
    victim.pid()
}

/// Each in a mount or user namespace of its own, where the kernel seems to be, or is, one that forbids it.
fn forbidding_kernel() {
    let (_dir, copy) = public_copy();
    let oomtrace = copy.to_str().unwrap();
    let locked = "mount -t tmpfs none /sys/kernel/security && echo 'none integrity [confidentiality]' > /sys/kernel/security/lockdown";
    for (unshare, before, expected) in [
        ("--user --map-root-user", "true", "the kernel refused bpf()"),
        ("--mount", "mount -t tmpfs none /sys/kernel/btf", "CONFIG_DEBUG_INFO_BTF=y"),
        ("--mount", locked, "lockdown=integrity"),
    ] {
        for verb in ["", "--json", "selftest"] {
            let script = format!("{before} && exec {oomtrace} {verb}");
            let output = Command::new("unshare").args(unshare.split(' ')).args(["sh", "-c", &script]).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(4), "{unshare} {verb}: {stderr}");
            assert!(stderr.starts_with("oomtrace: ") && stderr.contains(expected), "{unshare} {verb}: {stderr}");
            assert_eq!(stderr.lines().count(), 1, "{unshare} {verb}: {stderr}");
            assert!(output.stdout.is_empty(), "{unshare} {verb}");
        }
    }
}

fn one_capability() {
    let (_dir, copy) = public_copy();
    let output = Command::new("setpriv")
        .args(["--bounding-set", "-perfmon,-sys_admin", "--inh-caps", "-perfmon,-sys_admin"])
        .arg(&copy)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.starts_with("oomtrace: CAP_PERFMON missing"), "{stderr}");
    let with = run(Command::new("setpriv").args(["--bounding-set", "-sys_admin"]).arg(&copy).arg("doctor"));
    assert!(with.contains("signal_generate      loaded and attached"), "{with}");
}
