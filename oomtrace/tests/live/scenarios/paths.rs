//! One scenario for each way that a SIGKILL can take through the kernel, as far as a process can take it.

use std::process::Command;

use nix::libc;
use oomtrace::incident::model::{Cause, Confidence, Incident, SenderKind, SignalPath};

use crate::Scenario;
use crate::support::needs::Need::Tracing;
use crate::support::process::Owned;
use crate::support::tracer::Tracer;
use crate::support::truth;

pub const ALL: &[Scenario] = &[
    Scenario { name: "paths::tgkill", needs: &[Tracing], run: tgkill },
    Scenario { name: "paths::tkill", needs: &[Tracing], run: tkill },
    Scenario { name: "paths::pidfd_send_signal", needs: &[Tracing], run: pidfd },
    Scenario { name: "paths::rt_sigqueueinfo", needs: &[Tracing], run: sigqueue },
    Scenario { name: "paths::rlimit_cpu", needs: &[Tracing], run: rlimit_cpu },
    Scenario { name: "paths::a_tracers_exit", needs: &[Tracing], run: tracers_exit },
];

/// Has `send` kill a process of ours, and checks what every such kill has in common.
fn killed_by(send: impl Fn(libc::c_long), path: SignalPath) -> Incident {
    let mut tracer = Tracer::start(&[]);
    let victim = Owned::sleeper();
    send(libc::c_long::from(victim.pid()));
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_eq!(incident.signal.path, Some(path));
    assert_eq!(incident.sender.process.as_ref().map(|s| s.pid), Some(std::process::id()));
    incident
}

fn tgkill() {
    // SAFETY: tgkill takes integers only, and the process is ours.
    let send = |pid: libc::c_long| assert_eq!(unsafe { libc::syscall(libc::SYS_tgkill, pid, pid, libc::SIGKILL) }, 0);
    let incident = killed_by(send, SignalPath::Tgkill);
    assert_eq!((incident.signal.code, incident.signal.group), (Some(-6), false));
}

fn tkill() {
    // SAFETY: tkill takes integers only, and the process is ours.
    let send = |pid: libc::c_long| assert_eq!(unsafe { libc::syscall(libc::SYS_tkill, pid, libc::SIGKILL) }, 0);
    assert!(!killed_by(send, SignalPath::Tkill).signal.group);
}

fn pidfd() {
    let send = |pid: libc::c_long| {
        // SAFETY: both take integers, and a null pointer for "no siginfo"; the descriptor is closed with the process.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        assert!(fd >= 0);
        let null = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: as above.
        assert_eq!(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, null, 0) }, 0);
        // SAFETY: the descriptor was opened above and is used by nobody else.
        assert_eq!(unsafe { libc::close(i32::try_from(fd).unwrap()) }, 0);
    };
    assert!(killed_by(send, SignalPath::PidfdSendSignal).signal.group);
}

fn sigqueue() {
    let send = |pid: libc::c_long| {
        let value = libc::sigval { sival_ptr: std::ptr::null_mut() };
        // SAFETY: sigqueue takes integers and a value that it only passes on.
        assert_eq!(unsafe { libc::sigqueue(i32::try_from(pid).unwrap(), libc::SIGKILL, value) }, 0);
    };
    assert_eq!(killed_by(send, SignalPath::RtSigqueueinfo).signal.code, Some(-1));
}

fn rlimit_cpu() {
    let mut tracer = Tracer::start(&[]);
    // Soft and hard limit in one: the kernel looks at the hard one first.
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", "ulimit -t 1; while :; do :; done"]));
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::RlimitCpu, Confidence::Certain);
    assert_eq!((incident.sender.kind, incident.signal.path), (SenderKind::Kernel, Some(SignalPath::RlimitCpu)));
}

/// A tracer that asked for it (PTRACE_O_EXITKILL) takes its tracee along.
fn tracers_exit() {
    let mut tracer = Tracer::start(&[]);
    let victim = Owned::sleeper();
    let pid = libc::c_long::from(victim.pid());
    // A thread is a tracer of its own: its end is the tracer's end.
    let seized = std::thread::spawn(move || {
        let (seize, exit_kill) = (libc::PTRACE_SEIZE, libc::PTRACE_O_EXITKILL);
        // SAFETY: PTRACE_SEIZE takes integers only, and the process is ours.
        unsafe { libc::syscall(libc::SYS_ptrace, seize, pid, 0, exit_kill) }
    });
    assert_eq!(seized.join().unwrap(), 0);
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::Ptrace, Confidence::Certain);
    assert_eq!((incident.sender.kind, incident.signal.path), (SenderKind::Kernel, Some(SignalPath::Ptrace)));
}
