//! Whether oomtrace watches, as whoever keeps it running asks for it.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::Signal;
use oomtrace::model::{Cause, Confidence};

use crate::Scenario;
use crate::support::helper::Role;
use crate::support::needs::Need::Tracing;
use crate::support::process::{Owned, wait_until};
use crate::support::tracer::{Tracer, binary};
use crate::support::truth;

pub const ALL: &[Scenario] = &[
    Scenario { name: "health::an_oomtrace_that_watches_is_well", needs: &[Tracing], run: watches },
    Scenario { name: "health::where_none_answers_none_is_well", needs: &[Tracing], run: none_answers },
    Scenario { name: "health::a_loop_that_stands_still_is_not_well", needs: &[Tracing], run: stands_still },
    Scenario { name: "health::strangers_neither_ask_nor_hinder", needs: &[Tracing], run: strangers },
    Scenario { name: "health::a_name_that_a_stranger_has_stops_nothing", needs: &[Tracing], run: taken },
];

/// A user who is not root.
const STRANGER: u32 = 65534;

fn new_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn watching(name: &str) -> Tracer {
    Tracer::start(&[&format!("--health={name}")])
}

fn ask(name: &str) -> Output {
    Command::new(binary()).args(["health", name]).output().unwrap()
}

/// It is not well, and says why in one line.
fn why_not(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), text.lines().count(), output.stdout.len()), (Some(1), 1, 0), "{text}");
    text
}

fn is_well(name: &str) {
    let output = ask(name);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn watches() {
    let name = new_name();
    let mut tracer = watching(&name);
    let output = ask(&name);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = format!("{} hooks attached, and what they report is read\n", tracer.ready.attached.len());
    assert_eq!((output.status.code(), text), (Some(0), expected));
    // It goes on to.
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    truth::is(&tracer.incident(victim.pid()), Cause::ProcessKill, Confidence::Certain);
    is_well(&name);
    assert!(tracer.end().status.success());
    assert!(why_not(&ask(&name)).contains("no oomtrace answers"));
}

fn none_answers() {
    let _without = Tracer::start(&[]);
    let text = why_not(&ask(&new_name()));
    assert!(text.contains("no oomtrace answers") && text.contains("--health"), "{text}");
}

/// Its other threads go on: it is not enough that the process is there.
fn stands_still() {
    let name = new_name();
    let tracer = watching(&name);
    is_well(&name);
    let main = libc::pid_t::try_from(tracer.pid()).unwrap();
    let (none, still) = (std::ptr::null_mut::<libc::c_void>(), "has not come to answer for 2 s");
    // SAFETY: of the thread alone whose number is the process's; nothing is read or written.
    unsafe {
        assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, main, none, none), 0);
        assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, main, none, none), 0);
        assert_eq!(libc::waitpid(main, std::ptr::null_mut(), libc::__WALL), main);
    }
    let (first, second) = (why_not(&ask(&name)), why_not(&ask(&name)));
    // SAFETY: as above.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_DETACH, main, none, none) }, 0);
    assert!(first.contains(still) && second.contains(still), "{first}{second}");
    wait_until("it is well again", || ask(&name).status.success());
}

/// Connections of another user, as fast as they come, from many at once.
fn strangers() {
    let name = new_name();
    let _tracer = watching(&name);
    let mut stranger = Command::new("setpriv");
    stranger.args(["--reuid", &STRANGER.to_string(), "--regid", &STRANGER.to_string(), "--clear-groups"]);
    let output = stranger.arg(reachable()).args(["health", &name]).output().unwrap();
    assert!(why_not(&output).contains("a process of uid 0 answers"));
    let floods: Vec<Owned> = (0..8).map(|_| Role::AsksForHealth.start_named(&name)).collect();
    let until = Instant::now() + Duration::from_secs(3);
    let mut slowest = Duration::ZERO;
    while Instant::now() < until {
        let started = Instant::now();
        is_well(&name);
        slowest = slowest.max(started.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    drop(floods);
}

/// The binary, where another user may run it.
fn reachable() -> std::path::PathBuf {
    static COPY: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let directory = COPY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), mode).unwrap();
        std::fs::copy(binary(), directory.path().join("oomtrace")).unwrap();
        directory
    });
    directory.path().join("oomtrace")
}

fn taken() {
    let name = new_name();
    let address = SocketAddr::from_abstract_name(format!("oomtrace-health/{name}")).unwrap();
    let _holder = UnixListener::bind_addr(&address).unwrap();
    let mut tracer = watching(&name);
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    truth::is(&tracer.incident(victim.pid()), Cause::ProcessKill, Confidence::Certain);
    // It is this user's, but no oomtrace, and silent.
    assert!(why_not(&ask(&name)).contains("does not answer"));
    let said = tracer.end().stderr;
    assert!(said.contains("nobody can ask") && said.contains("it watches all the same"), "{said}");
}
