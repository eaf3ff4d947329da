//! The history of what was seen, and the agent that keeps one.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Answer, Cause, Incident, OutputName, Record, WhyRecord};
use tempfile::TempDir;

use crate::Scenario;
use crate::support::needs::Need::Tracing;
use crate::support::process::{Owned, comm, run, wait_until};
use crate::support::tracer::{Tracer, command};

pub const ALL: &[Scenario] = &[
    Scenario { name: "history::kills_are_kept_and_counted", needs: &[Tracing], run: kept },
    Scenario { name: "history::an_exit_with_137_that_was_no_kill_is_kept", needs: &[Tracing], run: exited },
    Scenario { name: "history::watching_goes_on_without_its_keeper", needs: &[Tracing], run: keeper_killed },
    Scenario { name: "history::a_full_disk_delays_it_and_nothing_else", needs: &[Tracing], run: full_disk },
    Scenario { name: "history::an_agent_tells_its_service_manager", needs: &[Tracing], run: agent },
];

/// A program that nobody else runs, by its name: what is kept of it is this scenario's.
struct Program {
    directory: TempDir,
    name: &'static str,
}

impl Program {
    fn new(name: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // By a process of its own: while this one has it open to write, nobody can run it.
        run(Command::new("cp").arg("/bin/sleep").arg(directory.path().join(name)));
        Self { directory, name }
    }

    /// Starts it, and kills it.
    fn killed(&self) -> u32 {
        let victim = Owned::spawn(Command::new(self.directory.path().join(self.name)).arg("1000"));
        wait_until("the program runs", || comm(victim.pid()) == self.name);
        victim.kill(Signal::SIGKILL);
        victim.pid()
    }
}

/// What `oomtrace history` has of the program.
fn history(path: &Path, pid: u32) -> Option<Incident> {
    let mut command = command();
    command.args(["history", "--json", "--last", "10", "--pid", &pid.to_string(), "--history"]).arg(path);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| match serde_json::from_str(line).unwrap() {
        Record::Incident(incident) if incident.victim.process.pid == pid => Some(incident),
        _ => None,
    })
}

fn kept() {
    let (directory, program) = (tempfile::tempdir().unwrap(), Program::new("kept-twice"));
    let path = directory.path().join("history.db");
    let mut tracer = Tracer::start(&["--history", path.to_str().unwrap()]);
    let first = program.killed();
    let seen = tracer.incident(first);
    assert_eq!(seen.earlier.as_ref().map(|earlier| earlier.count), Some(0));
    // While it watches.
    wait_until("the first kill is kept", || history(&path, first).is_some());
    assert_eq!(history(&path, first), Some(seen.clone()));
    let second = program.killed();
    let again = tracer.incident(second);
    let earlier = again.earlier.clone().unwrap();
    assert_eq!((earlier.count, earlier.same_cause, earlier.last), (1, 1, Some(seen.time)));
    tracer.end();
    // And after it has ended.
    assert_eq!(history(&path, second), Some(again));
    let listed = |more: &[&str]| {
        let mut list = command();
        list.args(["history", "--comm", "kept-twice"]).args(more).arg("--history").arg(&path);
        String::from_utf8(list.output().unwrap().stdout).unwrap()
    };
    // Two of a program are not one that was killed twice.
    let text = listed(&["--all"]);
    assert!(text.lines().count() == 2 && !text.contains(" time in "), "{text}");
    // They are alike.
    let text = listed(&[]);
    assert!(text.lines().count() == 1 && text.contains("kept-twice ×2 "), "{text}");
    // The first of them, asked for by itself.
    let mut why = command();
    why.args(["why", &seen.id, "--json", "--no-journal", "--no-kernel-log", "--kubernetes", "off", "--history"]);
    let WhyRecord::Why(answer) = serde_json::from_slice(&why.arg(&path).output().unwrap().stdout).unwrap();
    assert_eq!((answer.answer, answer.incident.map(|incident| incident.id)), (Answer::Watched, Some(seen.id.clone())));
    let report = command().args(["report", "--markdown", &seen.id, "--history"]).arg(&path).output().unwrap();
    assert!(String::from_utf8(report.stdout).unwrap().contains("kept"), "{}", report.status);
}

fn exited() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.db");
    let mut tracer = Tracer::start(&["--history", path.to_str().unwrap()]);
    // The first process of a pid namespace passes on how its child ended.
    let script = ": kept-exit; sleep 1000 & kill -9 $!; wait $!; exit 137";
    let mut init = Command::new("unshare");
    init.args(["--pid", "--fork", "--mount-proc", "sh", "-c", script]).stderr(Stdio::null());
    assert_eq!(init.status().unwrap().code(), Some(137));
    let seen = tracer.wait("the exit", |record| match record {
        Record::Exit(exited) if format!("{:?}", exited.process.cmdline).contains("kept-exit") => Some(exited.clone()),
        _ => None,
    });
    tracer.end();
    let why = |word: &str| {
        let mut why = command();
        why.args(["why", word, "--json", "--no-journal", "--no-kernel-log", "--kubernetes", "off", "--history"]);
        let WhyRecord::Why(answer) = serde_json::from_slice(&why.arg(&path).output().unwrap().stdout).unwrap();
        answer
    };
    for word in [format!("pid:{}", seen.process.pid), seen.id.clone()] {
        let answer = why(&word);
        assert_eq!((answer.answer, answer.exit.as_ref()), (Answer::Ended, Some(&seen)), "{word}");
        let child = answer.incident.unwrap();
        assert_eq!(Some(child.victim.process.pid), seen.after.as_ref().map(|after| after.pid), "{word}");
        assert!(
            answer.summary.contains("exited with 137 by itself: no SIGKILL ended it; its child"),
            "{}",
            answer.summary
        );
    }
}

/// The process that keeps the history of that tracer.
fn keeper(tracer: &Tracer) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", tracer.pid());
    let children = std::fs::read_to_string(children).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

fn keeper_killed() {
    let (directory, program) = (tempfile::tempdir().unwrap(), Program::new("kept-alone"));
    let path = directory.path().join("history.db");
    let mut tracer = Tracer::start(&["--history", path.to_str().unwrap()]);
    let first = program.killed();
    tracer.incident(first);
    wait_until("the first kill is kept", || history(&path, first).is_some());
    kill(Pid::from_raw(keeper(&tracer)), Signal::SIGKILL).unwrap();
    let second = program.killed();
    tracer.incident(second);
    let lost = tracer.wait("what is not kept", |record| match record {
        Record::Lost(lost) => lost.unwritten.filter(|unwritten| unwritten.output == OutputName::History),
        _ => None,
    });
    assert!(lost.kills > 0);
    assert!(history(&path, first).is_some() && history(&path, second).is_none());
    let ended = tracer.end();
    assert!(ended.stderr.contains("the history is not kept any more"), "{}", ended.stderr);
    assert!(!ended.status.success());
}

/// A file system with room for little.
struct Small(TempDir);

impl Small {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let none: Option<&str> = None;
        mount(none, directory.path(), Some("tmpfs"), MsFlags::empty(), Some("size=1m")).unwrap();
        Self(directory)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

fn full_disk() {
    let (disk, program) = (Small::new(), Program::new("kept-late"));
    let (path, filling) = (disk.0.path().join("history.db"), disk.0.path().join("filling"));
    let mut tracer = Tracer::start(&["--history", path.to_str().unwrap()]);
    let first = program.killed();
    tracer.incident(first);
    wait_until("the first kill is kept", || history(&path, first).is_some());
    // To the last byte.
    _ = std::fs::write(&filling, vec![0_u8; 2 << 20]);
    let victims: Vec<u32> = (0..40).map(|_| program.killed()).collect();
    // They are reported all the same.
    victims.iter().for_each(|victim| drop(tracer.incident(*victim)));
    let last = victims[victims.len() - 1];
    assert!(history(&path, last).is_none());
    assert!(history(&path, first).is_some());
    std::fs::remove_file(&filling).unwrap();
    wait_until("the last kill is kept", || history(&path, last).is_some());
    assert!(victims.iter().all(|victim| history(&path, *victim).is_some()));
    let ended = tracer.end();
    let said = ended.stderr;
    assert!(said.contains("it is tried again") && said.contains("the history can be written again"), "{said}");
    assert!(ended.status.success());
}

fn agent() {
    let (directory, program) = (tempfile::tempdir().unwrap(), Program::new("kept-by-agent"));
    let (path, address) = (directory.path().join("history.db"), directory.path().join("notify"));
    let manager = UnixDatagram::bind(&address).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let told = |expected: &str| {
        let mut buffer = [0; 1024];
        for _ in 0..100 {
            let length = manager.recv(&mut buffer).unwrap();
            if std::str::from_utf8(&buffer[..length]).unwrap().lines().any(|line| line == expected) {
                return;
            }
        }
        panic!("{expected} was never told");
    };
    let mut child = command()
        .args(["agent", "--sandbox=strict", "--history"])
        .arg(&path)
        .env("NOTIFY_SOCKET", &address)
        .env("WATCHDOG_USEC", "1000000")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    told("READY=1");
    let victim = program.killed();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(&format!("kept-by-agent[{victim}]")) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the agent has ended");
    }
    assert!(!line.contains('\u{1b}'), "{line}");
    told("WATCHDOG=1");
    wait_until("the kill is kept", || history(&path, victim).is_some());
    let cause = history(&path, victim).and_then(|incident| incident.verdict).map(|verdict| verdict.cause);
    assert_eq!(cause, Some(Cause::ProcessKill));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    told("STOPPING=1");
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(status.success(), "{stderr}");
}
