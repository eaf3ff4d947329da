//! What `cargo xtask bench` measures with: processes that are killed, or end by themselves, in great numbers; and an empty BPF
//! program on `signal_generate`, which is what a program costs there that does nothing.
//!
//! Usage: `kills storm BATCHES SIZE INTERVAL_MS`, `kills children COUNT`, `kills oom COUNT CGROUP`, `kills attack`, `kills empty`. Each says a line when it is done (the storm: its
//! seconds; `empty`: once it is attached) and `empty` stays until its standard input ends.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on fails by panicking"
)]

use std::io::Read as _;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

fn main() {
    // `cargo bench` by itself has nothing to do here.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize| arguments[at].parse::<usize>().unwrap();
    match arguments.first().map(String::as_str) {
        Some("storm") => storm(number(1), number(2), number(3)),
        Some("children") => children(number(1)),
        Some("oom") => oom(number(1), &arguments[2]),
        Some("attack") => attack(),
        Some("empty") => empty(),
        _ => println!("used by cargo xtask bench"),
    }
}

/// Bytes of a child's stack.
const STACK: usize = 16 << 10;

/// Starts a process that shares this one's memory, so that starting and ending it takes no longer than it must: it sleeps until it
/// is killed, or ends at once. Its stack is the `number`th of `stacks`.
fn child(stacks: &mut [u8], number: usize, sleeps: bool) -> Pid {
    extern "C" fn sleep(_: *mut libc::c_void) -> libc::c_int {
        loop {
            // SAFETY: a system call that touches no memory.
            unsafe { libc::pause() };
        }
    }
    extern "C" fn end(_: *mut libc::c_void) -> libc::c_int {
        // SAFETY: ends the child without running what the parent has registered for its own end.
        unsafe { libc::_exit(0) }
    }
    let top = stacks[number * STACK..][..STACK].as_mut_ptr_range().end;
    let run = if sleeps { sleep } else { end };
    // SAFETY: the stack is this child's alone until it is waited for, and grows down from its end; what runs on it is a system call.
    let pid = unsafe { libc::clone(run, top.cast(), libc::CLONE_VM | libc::SIGCHLD, std::ptr::null_mut()) };
    assert!(pid > 0, "clone: {}", std::io::Error::last_os_error());
    Pid::from_raw(pid)
}

/// Sends itself a stop signal that it ignores, as fast as it can, until it is killed: what any process may do, and what is recorded as
/// the possible beginning of a stop.
fn attack() -> ! {
    // SAFETY: SIG_IGN runs no code.
    unsafe { nix::sys::signal::signal(Signal::SIGTERM, nix::sys::signal::SigHandler::SigIgn) }.unwrap();
    println!("attacking");
    loop {
        kill(Pid::this(), Signal::SIGTERM).unwrap();
    }
}

/// So many processes killed in one go, so many times, with a time from one batch's start to the next one's.
fn storm(batches: usize, size: usize, interval_ms: usize) {
    let mut stacks = vec![0; STACK * size];
    let started = Instant::now();
    for batch in 0..batches {
        let victims: Vec<Pid> = (0..size).map(|number| child(&mut stacks, number, true)).collect();
        for victim in &victims {
            kill(*victim, Signal::SIGKILL).unwrap();
        }
        for victim in victims {
            waitpid(victim, None).unwrap();
        }
        let next = Duration::from_millis((interval_ms * (batch + 1)) as u64);
        std::thread::sleep(next.saturating_sub(started.elapsed()));
    }
    println!("{}", started.elapsed().as_secs_f64());
}

/// Each sends its parent a SIGCHLD, and nothing else is sent.
fn children(count: usize) {
    let mut stack = vec![0; STACK];
    for _ in 0..count {
        waitpid(child(&mut stack, 0, false), None).unwrap();
    }
    println!("done");
}

/// So many processes, one after the other, that each take more memory than `cgroup` may have.
fn oom(count: usize, cgroup: &str) {
    for _ in 0..count {
        // SAFETY: this process has one thread.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => _ = waitpid(child, None).unwrap(),
            ForkResult::Child => {
                std::fs::write(format!("{cgroup}/cgroup.procs"), "0").unwrap();
                let mut all: Vec<Vec<u8>> = Vec::new();
                loop {
                    all.push(vec![1; 1 << 20]);
                }
            }
        }
    }
    println!("done");
}

/// `BPF_PROG_LOAD`'s attributes, as far as they are used (include/uapi/linux/bpf.h).
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    unused: [u64; 16],
}

/// `BPF_RAW_TRACEPOINT_OPEN`'s.
#[repr(C)]
struct Open {
    name: u64,
    prog_fd: u32,
    reserved: u32,
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> libc::c_long {
    // SAFETY: the kernel reads the attributes, whose size goes with them, and what they point to, which outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    assert!(fd >= 0, "bpf({command}): {}", std::io::Error::last_os_error());
    fd
}

fn empty() {
    const PROG_LOAD: libc::c_int = 5;
    const RAW_TRACEPOINT_OPEN: libc::c_int = 17;
    const RAW_TRACEPOINT: u32 = 17;
    // r0 = 0; exit
    let program: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
    let load = Load {
        prog_type: RAW_TRACEPOINT,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        ..Load::default()
    };
    let prog_fd = bpf(PROG_LOAD, &load) as u32;
    bpf(RAW_TRACEPOINT_OPEN, &Open { name: c"signal_generate".as_ptr() as u64, prog_fd, reserved: 0 });
    println!("attached");
    // Both descriptors live as long as this process.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
