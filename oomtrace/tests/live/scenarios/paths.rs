//! One scenario for each way that a SIGKILL can take through the kernel, as far as a process can take it.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Command;

use nix::libc;
use oomtrace::model::{Cause, Confidence, Incident, SenderKind, SignalPath};

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
    Scenario { name: "paths::ptrace_kill", needs: &[Tracing], run: ptrace_kill },
    Scenario { name: "paths::bpf_send_signal", needs: &[Tracing], run: bpf_send_signal },
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

/// A tracer that asks for it (PTRACE_KILL).
fn ptrace_kill() {
    let mut tracer = Tracer::start(&[]);
    let victim = Owned::sleeper();
    let pid = libc::c_long::from(victim.pid());
    let killed = std::thread::spawn(move || {
        let ptrace = |request: libc::c_uint| {
            // SAFETY: both requests take integers only, and the process is ours.
            unsafe { libc::syscall(libc::SYS_ptrace, request, pid, 0, 0) }
        };
        (ptrace(libc::PTRACE_SEIZE), ptrace(libc::PTRACE_KILL))
    });
    assert_eq!(killed.join().unwrap(), (0, 0));
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::Ptrace, Confidence::Certain);
    assert_eq!(incident.sender.process.map(|sender| sender.pid), Some(std::process::id()));
    assert_eq!(incident.signal.path, Some(SignalPath::Ptrace));
}

/// A BPF program on every system call, which kills one process.
fn bpf_send_signal() {
    let mut tracer = Tracer::start(&[]);
    let victim = Owned::spawn(Command::new("sh").args(["-c", "while :; do sleep 0.01; done"]));
    let _program = Killer::load(victim.pid());
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::BpfProgram, Confidence::Certain);
    assert_eq!((incident.sender.kind, incident.signal.path), (SenderKind::Kernel, Some(SignalPath::BpfSendSignal)));
}

/// `enum bpf_cmd` and `enum bpf_prog_type` (include/uapi/linux/bpf.h).
const PROG_LOAD: libc::c_int = 5;
const RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const PROG_TYPE_RAW_TRACEPOINT: u64 = 17;

/// The program and where it is attached; both go with it.
struct Killer {
    _program: OwnedFd,
    _link: OwnedFd,
}

impl Killer {
    /// Seven instructions: `if (bpf_get_current_pid_tgid() >> 32 == pid) bpf_send_signal(SIGKILL);`
    fn load(pid: u32) -> Self {
        let instruction = |code: u8, register: u8, offset: i16, value: i32| {
            let [o0, o1] = offset.to_ne_bytes();
            let [v0, v1, v2, v3] = value.to_ne_bytes();
            [code, register, o0, o1, v0, v1, v2, v3]
        };
        let (call, exit, set, shift_right, skip_unless) = (0x85, 0x95, 0xb7, 0x77, 0x55);
        let program = [
            instruction(call, 0, 0, 14),
            instruction(shift_right, 0, 0, 32),
            instruction(skip_unless, 0, 2, i32::try_from(pid).unwrap()),
            instruction(set, 1, 0, libc::SIGKILL),
            instruction(call, 0, 0, 109),
            instruction(set, 0, 0, 0),
            instruction(exit, 0, 0, 0),
        ];
        // union bpf_attr: type, instructions, their address, the license's.
        let mut load = [0_u64; 16];
        load[0] = PROG_TYPE_RAW_TRACEPOINT | (program.len() as u64) << 32;
        load[1] = program.as_ptr() as u64;
        load[2] = c"GPL".as_ptr() as u64;
        let loaded = bpf(PROG_LOAD, &load);
        // The tracepoint's name, the program.
        let mut open = [0_u64; 16];
        open[0] = c"sys_enter".as_ptr() as u64;
        open[1] = loaded.as_raw_fd() as u64;
        let link = bpf(RAW_TRACEPOINT_OPEN, &open);
        Self { _program: loaded, _link: link }
    }
}

fn bpf(command: libc::c_int, attributes: &[u64; 16]) -> OwnedFd {
    let size = size_of_val(attributes);
    // SAFETY: the attributes are as long as is said, and what they point to lives until the call is over.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), size) };
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) }
}
