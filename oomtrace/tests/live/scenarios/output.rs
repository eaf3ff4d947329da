//! What is printed, to whom, and how it is asked for.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Confidence, Record};

use crate::Scenario;
use crate::support::needs::Need::{MemoryCgroup, Tracing};
use crate::support::process::{Owned, comm, wait_until};
use crate::support::tracer::{Tracer, command, incidents};
use crate::support::truth;

pub const ALL: &[Scenario] = &[
    Scenario { name: "output::a_hostile_name_reaches_no_terminal", needs: &[Tracing], run: hostile_name },
    Scenario { name: "output::signals_that_were_asked_for", needs: &[Tracing], run: other_signals },
    Scenario { name: "output::only_the_pids_asked_for", needs: &[Tracing], run: pids },
    Scenario { name: "output::selftest_passes", needs: &[Tracing, MemoryCgroup], run: selftest },
    Scenario { name: "output::doctor_finds_every_hook", needs: &[Tracing], run: doctor },
    Scenario { name: "output::the_kernel_sides_log_reaches_the_log", needs: &[Tracing], run: kernel_log },
];

/// Runs `oomtrace` as text, kills `victim` once it watches, and gives its standard output.
fn text_of_killing(victim: &Owned) -> String {
    let mut child = command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("watching"), "{line}");
    // It is attached by now; what it has seen is printed before it ends.
    victim.kill(Signal::SIGKILL);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    text
}

fn hostile_name() {
    let dir = tempfile::tempdir().unwrap();
    let name = "\x1b[2J\x07\u{202e}x";
    let program = dir.path().join(name);
    fs::copy("/bin/sleep", &program).unwrap();
    let mut tracer = Tracer::start(&[]);
    let victim = Owned::spawn(Command::new(&program).arg("1000"));
    wait_until("the program runs", || comm(victim.pid()).starts_with('\x1b'));
    let text = text_of_killing(&victim);
    // As a shell would take it.
    assert!(text.contains("$'\\033[2J\\007"), "{text:?}");
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    // The tracer's reader asserts the same of each JSON line; the name itself is not lost there.
    assert!(tracer.incident(victim.pid()).victim.process.comm.starts_with("\x1b[2J\x07"));
}

fn other_signals() {
    // SIGTERM is recorded anyhow; for the other one there is a program of its own.
    for (asked, signal) in [(["TERM", "sigusr1"], Signal::SIGTERM), (["TERM", "sigabrt"], Signal::SIGABRT)] {
        let mut tracer = Tracer::start(&["--signal", asked[0], "--signal", asked[1]]);
        let (victim, killed) = (Owned::sleeper(), Owned::sleeper());
        victim.kill(signal);
        let record = tracer.wait("the signal", |record| match record {
            Record::Signal(signal) if signal.victim.process.pid == victim.pid() => Some(signal.clone()),
            _ => None,
        });
        assert_eq!((record.signal.number, record.verdict), (signal as u32, None));
        assert_eq!(record.sender.process.unwrap().pid, std::process::id());
        killed.kill(Signal::SIGKILL);
        truth::is(&tracer.incident(killed.pid()), Cause::ProcessKill, Confidence::Certain);
        let ended = tracer.end();
        assert!(incidents(&ended.records).all(|i| i.victim.process.pid != victim.pid()));
    }
}

fn pids() {
    let (wanted, other) = (Owned::sleeper(), Owned::sleeper());
    let mut tracer = Tracer::start(&["--pid", &wanted.pid().to_string()]);
    other.kill(Signal::SIGKILL);
    wanted.kill(Signal::SIGKILL);
    tracer.incident(wanted.pid());
    assert_eq!(incidents(&tracer.end().records).count(), 1);
}

fn selftest() {
    let output = command().arg("selftest").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("0 failed") && !text.contains("FAIL"), "{text}");
}

fn doctor() {
    let output = command().arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for expected in
        ["signal_generate      loaded and attached", "mark_victim          loaded and attached", "CAP_BPF", "kallsyms"]
    {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    assert!(!text.contains('\x1b'), "colour without a terminal");
}

fn kernel_log() {
    let mut command = command();
    command.env("OOMTRACE_LOG", "debug").arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    // Kept open: oomtrace ends when nobody reads it any more.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    let expected = format!("signal 9 from {} to {}", std::process::id(), victim.pid());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    wait_until("the line of the kernel side", || {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it has ended: {seen}");
        seen.push_str(&line);
        line.contains(&expected)
    });
    assert!(seen.lines().any(|line| line.contains(&expected) && line.contains("DEBUG")), "{seen}");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    child.wait().unwrap();
}
