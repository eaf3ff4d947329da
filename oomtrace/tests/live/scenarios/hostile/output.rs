//! Readers that stall or go, and disks that are full.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Effect, Incident, OutputName, Record};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::helper::Role;
use crate::support::needs::Need::{Alone, MemoryCgroup, SteadyCpus, Tracing};
use crate::support::process::{Owned, patience, run, wait_until};
use crate::support::tracer::{Tracer, command, incidents};

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "hostile::output::a_disk_that_is_full_for_a_moment",
        needs: &[Alone, Tracing],
        run: full_for_a_moment,
    },
    Scenario { name: "hostile::output::standard_error_that_is_full", needs: &[Tracing], run: full_stderr },
    Scenario { name: "hostile::output::a_reader_that_stalls", needs: &[Alone, Tracing], run: stalled_reader },
    Scenario { name: "hostile::output::a_terminal_that_is_stopped", needs: &[Tracing], run: stopped_terminal },
    Scenario { name: "hostile::output::descriptors_that_are_closed", needs: &[Tracing], run: closed_descriptors },
    Scenario { name: "hostile::output::a_runtime_that_hangs", needs: &[Tracing, MemoryCgroup], run: hanging_runtime },
    Scenario {
        name: "hostile::output::a_recording_whose_disk_is_full",
        needs: &[Alone, Tracing, SteadyCpus],
        run: full_recording,
    },
    Scenario { name: "hostile::output::a_second_sigint", needs: &[Tracing], run: second_sigint },
    Scenario { name: "hostile::output::what_a_signal_did", needs: &[Tracing], run: effects },
    Scenario { name: "hostile::output::verbs_on_a_full_disk_and_a_closed_pipe", needs: &[Tracing], run: verbs },
];

/// An oomtrace that is ended with its scenario.
struct Watching(Child);

impl Watching {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }

    /// How it ends, once it is asked to: in two seconds whatever it waits for, and a little that the kernel takes to unload programs.
    fn ended(&mut self) -> ExitStatus {
        let (told, mut status) = (Instant::now(), None);
        wait_until("oomtrace ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        // A fifteenth is two seconds on a machine that is not emulated.
        let took = told.elapsed();
        assert!(took < patience() / 15 + Duration::from_secs(1), "it took {took:?}");
        status.unwrap()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A file system of its own.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "oomtrace-test"])
            .arg(directory.path()));
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut rest = File::create(self.path("filler")).unwrap();
        assert!(std::io::copy(&mut File::open("/dev/zero").unwrap(), &mut rest).is_err());
    }

    fn free(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// The whole lines of a file.
fn records(file: &Path) -> Vec<Record> {
    let text = fs::read_to_string(file).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))).collect()
}

fn has(records: &[Record], pid: u32) -> bool {
    incidents(records).any(|incident| incident.victim.process.pid == pid)
}

fn killed() -> Owned {
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    victim
}

/// Waits until standard error says so.
fn wait_said(stderr: &Path, what: &str) {
    wait_until(what, || fs::read_to_string(stderr).unwrap().contains(what));
}

/// It says so, keeps what comes, and goes on when there is room. No line is torn.
fn full_for_a_moment() {
    let directory = tempfile::tempdir().unwrap();
    let stderr = directory.path().join("stderr");
    let disk = Disk::new("1m");
    let file = disk.path("kills");
    let out = File::options().create(true).append(true).open(&file).unwrap();
    let mut oomtrace = Watching::start(command().arg("--json").stdout(out).stderr(File::create(&stderr).unwrap()));
    wait_until("it is ready", || records(&file).first().is_some_and(|record| matches!(record, Record::Ready(_))));
    let mut pids = Vec::new();
    for round in 1..=3 {
        disk.fill();
        // More than may still fit into a page that is there already.
        pids.extend((0..4).map(|_| killed().pid()));
        wait_until("it says so", || {
            fs::read_to_string(&stderr).unwrap().matches("cannot write to standard output").count() >= round
        });
        disk.free();
        let last = *pids.last().unwrap();
        wait_until("the incident is written", || has(&records(&file), last));
    }
    oomtrace.signal(Signal::SIGTERM);
    assert_eq!(oomtrace.ended().code(), Some(0));
    let records = records(&file);
    assert!(pids.iter().all(|pid| has(&records, *pid)), "{records:#?}");
    assert!(fs::read_to_string(&file).unwrap().ends_with('\n'));
}

/// Nothing of it panics or ends, and standard output says it.
fn full_stderr() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut oomtrace = Watching::start(command().args(["--all", "--brief"]).stdout(Stdio::piped()).stderr(full));
    let mut out = BufReader::new(oomtrace.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    // Its greeting.
    assert!(out.any(|line| line.contains("LOST") && line.contains("standard error")));
    let victim = killed();
    // A line each: what is like another scenario's kill would only be counted below its block.
    let name = format!("sleep[{}]", victim.pid());
    assert!(out.any(|line| line.contains(&name)));
    oomtrace.signal(Signal::SIGTERM);
    assert_eq!(oomtrace.ended().code(), Some(0));
}

/// Nobody reads: the trace goes on, signals end it, and what was not written is said. A reader that comes back has everything.
fn stalled_reader() {
    const KILLS: usize = 100;
    for comes_back in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (recording, stderr) = (directory.path().join("recording"), directory.path().join("stderr"));
        let mut record = command();
        record.arg("record").arg(&recording).arg("--json").stdout(Stdio::piped());
        let mut oomtrace = Watching::start(record.stderr(File::create(&stderr).unwrap()));
        let mut out = BufReader::new(oomtrace.0.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let pids: Vec<u32> = (0..KILLS).map(|_| killed().pid()).collect();
        let in_recording = || {
            let replay = command().args(["replay", "--json"]).arg(&recording).stderr(Stdio::null()).output().unwrap();
            let text = String::from_utf8(replay.stdout).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Record>>()
        };
        // Its disk takes what its reader does not.
        wait_until("the last one is recorded", || has(&in_recording(), pids[KILLS - 1]));
        if comes_back {
            let all: Vec<u32> = out
                .by_ref()
                .lines()
                .filter_map(|line| match serde_json::from_str(&line.unwrap()).unwrap() {
                    Record::Incident(incident) => Some(incident.victim.process.pid),
                    _ => None,
                })
                .filter(|pid| pids.contains(pid))
                .take(KILLS)
                .collect();
            assert_eq!(all, pids);
        }
        oomtrace.signal(Signal::SIGTERM);
        let status = oomtrace.ended();
        let said = fs::read_to_string(&stderr).unwrap();
        assert_eq!(status.code(), Some(if comes_back { 0 } else { 1 }), "{said}");
        assert_eq!(said.contains("never written to standard output"), !comes_back, "{said}");
        assert!(pids.iter().all(|pid| has(&in_recording(), *pid)));
    }
}

/// An oomtrace whose terminal is stopped by Ctrl-S, which holds a write in the kernel for ever.
struct OnStoppedTerminal {
    oomtrace: Watching,
    stderr: PathBuf,
    _folder: tempfile::TempDir,
    _master: File,
    _victim: Owned,
}

fn on_stopped_terminal() -> OnStoppedTerminal {
    let (mut master, mut slave) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: both descriptors are filled in; a name and settings are not asked for.
    assert_eq!(unsafe { libc::openpty(&mut master, &mut slave, none, none.cast(), none.cast()) }, 0);
    // SAFETY: both were just made, and are nobody else's.
    let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    let directory = tempfile::tempdir().unwrap();
    let stderr = directory.path().join("stderr");
    let oomtrace = Watching::start(command().stdout(slave).stderr(File::create(&stderr).unwrap()));
    wait_said(&stderr, "watching every OOM kill");
    std::io::Write::write_all(&mut &master, b"\x13").unwrap();
    let victim = killed();
    let waits = format!("/proc/{}/task", oomtrace.0.id());
    wait_until("it waits in a write", || {
        let tasks = fs::read_dir(&waits).unwrap().flatten();
        let read = |task: &fs::DirEntry, name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let mut writers = tasks.filter(|task| read(task, "comm") == "standard output\n");
        // write(2) is the first system call of x86-64, and 64 elsewhere.
        writers.any(|task| ["1 ", "64 "].iter().any(|write| read(&task, "syscall").starts_with(write)))
    });
    OnStoppedTerminal { oomtrace, stderr, _folder: directory, _master: master, _victim: victim }
}

fn stopped_terminal() {
    let mut on = on_stopped_terminal();
    on.oomtrace.signal(Signal::SIGINT);
    assert_eq!(on.oomtrace.ended().code(), Some(1));
    wait_said(&on.stderr, "never written to standard output");
}

/// Whoever presses Ctrl-C again does not wait for what cannot be written, nor for what there is to say of that.
fn second_sigint() {
    let mut on = on_stopped_terminal();
    let mut status = None;
    wait_until("it ends", || {
        on.oomtrace.signal(Signal::SIGINT);
        status = on.oomtrace.0.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(1));
    let said = fs::read_to_string(&on.stderr).unwrap();
    assert!(!said.contains("never written"), "{said}");
}

/// Nothing of oomtrace's own gets a standard descriptor and is written to.
fn closed_descriptors() {
    let binary = crate::support::tracer::binary();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" >&- 2>&- <&-"]).arg(binary);
    let mut oomtrace = Watching::start(&mut shell);
    let link = |fd: &str| fs::read_link(format!("/proc/{}/fd/{fd}", oomtrace.0.id())).unwrap_or_default();
    // The last thing that it does before it watches.
    let is_confined = || {
        let status = fs::read_to_string(format!("/proc/{}/status", oomtrace.0.id())).unwrap_or_default();
        status.lines().any(|line| line == "NoNewPrivs:\t1")
    };
    wait_until("it watches", is_confined);
    for fd in ["0", "1", "2"] {
        assert_eq!(link(fd), Path::new("/dev/null"), "{fd}");
    }
    drop(killed());
    oomtrace.signal(Signal::SIGTERM);
    assert_eq!(oomtrace.ended().code(), Some(0));
}

/// A runtime that takes connections and never answers does not hold up the end: what is known is written.
fn hanging_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut watch = command();
    watch.arg("--json").arg("--docker-socket").arg(&socket).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut oomtrace = Watching::start(&mut watch);
    let mut out = BufReader::new(oomtrace.0.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let parent = Cgroup::with_memory_limit(1 << 30);
    let cgroup = parent.child_with_memory_limit(&format!("docker-{:064x}.scope", 0x0b57), 1 << 29);
    let victim = Owned::sleeper();
    cgroup.add(victim.pid());
    victim.kill(Signal::SIGKILL);
    oomtrace.signal(Signal::SIGTERM);
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(oomtrace.ended().code(), Some(0), "{text}");
    let records: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(has(&records, victim.pid()), "{records:#?}");
}

/// A recording is its owner's alone. What its disk does not take is counted, and the replay says where it was.
fn full_recording() {
    let disk = Disk::new("1m");
    let directory = tempfile::tempdir().unwrap();
    let (out, stderr) = (directory.path().join("stdout"), directory.path().join("stderr"));
    let recording = disk.path("recording");
    let mut record = command();
    record.arg("record").arg(&recording).arg("--json").stdout(File::create(&out).unwrap());
    let mut oomtrace = Watching::start(record.stderr(File::create(&stderr).unwrap()));
    wait_until("it is ready", || !records(&out).is_empty());
    assert_eq!(fs::metadata(&recording).unwrap().permissions().mode() & 0o777, 0o600);
    disk.fill();
    let fill = || assert!(Role::Killer.start(None).wait().success());
    fill();
    wait_said(&stderr, "cannot write to the recording");
    let is_counted = |records: &[Record]| {
        records.iter().any(|record| match record {
            Record::Lost(lost) => {
                lost.unwritten.as_ref().is_some_and(|u| u.output == OutputName::Recording && u.kills > 0)
            }
            _ => false,
        })
    };
    wait_until("more than waits for the disk is dropped", || {
        fill();
        fs::read_to_string(&stderr).unwrap().contains("takes too little")
    });
    // Its last ones are put out, though not recorded.
    run(Command::new("mount").args(["-o", "remount,size=256m"]).arg(disk.0.path()));
    disk.free();
    let put_out = |what: &str| fs::read_to_string(&out).unwrap().rfind(what);
    wait_until("what is missing is counted", || put_out("\"output\":\"recording\"").is_some());
    // So many were killed before that one of them may have had a victim's pid: the one meant is the last. And one that is killed while
    // the last of those are worked off may be lost with them.
    let before = fs::metadata(&out).unwrap().len() as usize;
    let name = |victim: &Owned| format!("\"victim\":{{\"pid\":{},", victim.pid());
    let (mut victims, mut asked) = (vec![killed()], Instant::now());
    let mut seen = None;
    wait_until("it goes on", || {
        if asked.elapsed() > Duration::from_secs(2) {
            victims.push(killed());
            asked = Instant::now();
        }
        seen = victims.iter().position(|victim| put_out(&name(victim)).is_some_and(|at| at >= before));
        seen.is_some()
    });
    let victim = &victims[seen.unwrap()];
    oomtrace.signal(Signal::SIGTERM);
    assert_eq!(oomtrace.ended().code(), Some(1), "what is not in the recording makes a failure");
    let replay = command().args(["replay", "--json"]).arg(&recording).output().unwrap();
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    let text = String::from_utf8(replay.stdout).unwrap();
    let replayed: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(is_counted(&replayed));
    let of_victim = |incident: &&Incident| incident.victim.process.pid == victim.pid();
    let incident = incidents(&replayed).filter(of_victim).last().expect("what came after the gap");
    assert!(incident.missing.iter().any(|what| what.contains("gap of the recording")), "{:?}", incident.missing);
}

/// A process that handles a signal, or ignores it, was not killed.
fn effects() {
    let mut tracer = Tracer::start(&["--signal", "TERM"]);
    for (trap, effect) in [("trap : TERM;", Effect::Handled), ("trap '' TERM;", Effect::Ignored), ("", Effect::Ends)] {
        let script = format!("{trap} echo ready; while :; do read never; done");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = Watching(shell.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(shell.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        shell.signal(Signal::SIGTERM);
        let pid = shell.0.id();
        let signal = tracer.wait("the signal", |record| match record {
            Record::Signal(signal) if signal.victim.process.pid == pid => Some(signal.clone()),
            _ => None,
        });
        assert_eq!(signal.signal.effect, Some(effect), "{trap}");
        let ended = signal.victim.exit.and_then(|exit| exit.signal);
        assert_eq!(ended, (effect == Effect::Ends).then_some(Signal::SIGTERM as u32), "{trap}");
    }
    // So does the text.
    let mut watch = command();
    watch.args(["--signal", "TERM"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut oomtrace = Watching::start(&mut watch);
    let mut line = String::new();
    BufReader::new(oomtrace.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGTERM);
    let name = format!("to        sleep[{}]", victim.pid());
    let mut lines = BufReader::new(oomtrace.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(&name)));
    let did = lines.next().unwrap();
    assert!(did.contains("did       it ended the process"), "{did}");
    oomtrace.signal(Signal::SIGINT);
    assert_eq!(oomtrace.ended().code(), Some(0));
}

/// What prints and ends is quiet when nobody reads, and fails when it cannot be written.
fn verbs() {
    for arguments in [&["schema"][..], &["explain", "137"], &["doctor"], &["completions", "bash"], &["--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command().args(arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("cannot write to standard output: No space left"), "{arguments:?}: {stderr}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command().args(arguments).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
}
