//! The filter of system calls (seccomp(2)): those that watching needs are let through, every other one is answered as by a kernel
//! that does not have it.
//!
//! `ENOSYS`, and not an end: a C library or a runtime of another version tries a newer call first and falls back, and a tracer that
//! dies of that at night is no use. What must never be is not on the list: to run a program, to write into another process, to load
//! a program into the kernel, to open a file for writing, to mount, to load a module, to make memory executable. The tests run with
//! every call that is not on the list made fatal, so that the list is known to be whole.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, apply_filter_all_threads,
};

/// Commands of bpf(2) on maps that are there (include/uapi/linux/bpf.h): look up, update, delete, next key, information, look up
/// many. None makes or loads anything.
const MAP_COMMANDS: [u64; 6] = [1, 2, 3, 4, 15, 24];
/// ioctl(2) for a terminal's size, to read and set its mode (`oomtrace top` gives it back as it was), for blocking, and to switch a perf
/// event, which a kprobe hangs on, on and off.
const IOCTLS: [u64; 9] = [0x5401, 0x5402, 0x802c_542a, 0x402c_542b, 0x5413, 0x5421, 0x5451, 0x2400, 0x2401];
/// prctl(2) for a thread's and a mapping's name, and to ask whether privileges can be gained.
const PRCTLS: [u64; 4] =
    [libc::PR_SET_NAME as u64, libc::PR_GET_NAME as u64, 0x5356_4d41, libc::PR_GET_NO_NEW_PRIVS as u64];
/// Flags of open(2) that write, make or cut off.
const WRITES: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64;

/// Calls that are let through whatever their arguments.
const ALLOWED: &[libc::c_long] = &[
    // files that are open, and reading others; openat2 takes its flags in memory, and is for reading below a directory
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    // what systemd-oomd has noted on a cgroup
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_getdents64,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_flock,
    // memory
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_mlockall,
    libc::SYS_munlockall,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_mlock2,
    libc::SYS_membarrier,
    // signals, threads, time
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getgroups,
    libc::SYS_getcpu,
    libc::SYS_getrusage,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // only ever gives up more
    libc::SYS_capget,
    libc::SYS_capset,
    // waiting, and runtimes' sockets
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_connect,
    // who asks for health; the socket listens already
    libc::SYS_accept4,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
];

/// Older forms of the same, which architectures that came later do not have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLD: &[libc::c_long] = &[
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_readlink,
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_time,
    libc::SYS_getrlimit,
    libc::SYS_getdents,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLD: &[libc::c_long] = &[];

/// System calls on the list.
#[must_use]
pub fn count() -> usize {
    ALLOWED.len() + ALLOWED_OLD.len() + conditional(Network::Nobody).map_or(0, |calls| calls.len())
}

/// What becomes of a call that is not on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `ENOSYS`.
    Answered,
    /// oomtrace says which, and ends: for tests.
    Fatal,
}

/// Who may use the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Nobody,
    /// Threads that are there already, which asking the Kubernetes API needs; not the one that asks for the filter.
    Others,
}

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("the filter of system calls cannot be made: {0}")]
    Make(#[from] seccompiler::BackendError),
    #[error("the kernel takes no filter of system calls: {0}")]
    Install(#[from] seccompiler::Error),
    #[error("what a refused call ends in cannot be set up: {0}")]
    Handler(#[from] nix::Error),
}

/// Filters the calls of every thread of this process, for good, and has no program that is run gain privileges.
///
/// # Errors
/// When the kernel has no seccomp, or does not let it be used.
pub fn filter(refusal: Refusal, network: Network) -> Result<(), FilterError> {
    if refusal == Refusal::Fatal {
        say_refused()?;
        // Tried first by glibc for each thread, and its arguments cannot be seen by a filter: the older clone can.
        apply_filter_all_threads(&program(answered_only(libc::SYS_clone3)?)?)?;
    }
    apply_filter_all_threads(&program(list(refusal, network)?)?)?;
    if network == Network::Others {
        apply_filter(&program(no_network()?)?)?;
    }
    Ok(())
}

fn program(filter: SeccompFilter) -> Result<BpfProgram, FilterError> {
    Ok(filter.try_into()?)
}

fn architecture() -> Result<seccompiler::TargetArch, seccompiler::BackendError> {
    std::env::consts::ARCH.try_into()
}

/// Refuses sockets of the network in the calling thread, and in those that it makes from now on.
fn no_network() -> Result<SeccompFilter, seccompiler::BackendError> {
    let families = [libc::AF_INET, libc::AF_INET6].into_iter();
    let rules = families.map(|family| condition(0, SeccompCmpOp::Eq, family as u64)).collect::<Result<Vec<_>, _>>()?;
    let refused = SeccompAction::Errno(libc::ENOSYS as u32);
    SeccompFilter::new([(libc::SYS_socket, rules)].into(), SeccompAction::Allow, refused, architecture()?)
}

fn list(refusal: Refusal, network: Network) -> Result<SeccompFilter, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().chain(ALLOWED_OLD).map(|call| (*call, Vec::new())).collect();
    for (call, conditions) in conditional(network)? {
        rules.insert(call, conditions);
    }
    let refused = match refusal {
        Refusal::Answered => SeccompAction::Errno(libc::ENOSYS as u32),
        Refusal::Fatal => {
            // It is answered by the other filter.
            rules.insert(libc::SYS_clone3, Vec::new());
            SeccompAction::Trap
        }
    };
    SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture()?)
}

fn answered_only(call: libc::c_long) -> Result<SeccompFilter, seccompiler::BackendError> {
    let rules = [(call, Vec::new())].into_iter().collect();
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32), architecture()?)
}

/// Calls that are let through with some arguments only: one of the rules must hold.
fn conditional(network: Network) -> Result<Vec<(i64, Vec<SeccompRule>)>, seccompiler::BackendError> {
    let is = |argument: u8, value: u64| condition(argument, SeccompCmpOp::Eq, value);
    let without = |argument: u8, bits: u64| condition(argument, SeccompCmpOp::MaskedEq(bits), 0);
    let one_of =
        |argument: u8, values: &[u64]| values.iter().map(|value| is(argument, *value)).collect::<Result<Vec<_>, _>>();
    let executable = libc::PROT_EXEC as u64;
    let thread = (libc::CLONE_THREAD | libc::CLONE_VM) as u64;
    let mut prctls = PRCTLS.to_vec();
    if network == Network::Others {
        // The thread that is not to use the network gives that up by a filter more, which can only refuse more.
        prctls.push(libc::PR_SET_NO_NEW_PRIVS as u64);
    }
    let prctls = prctls.as_slice();
    let families: &[u64] = match network {
        Network::Nobody => &[libc::AF_UNIX as u64, libc::AF_NETLINK as u64],
        Network::Others => {
            &[libc::AF_UNIX as u64, libc::AF_NETLINK as u64, libc::AF_INET as u64, libc::AF_INET6 as u64]
        }
    };
    let mut calls = vec![
        (libc::SYS_openat, vec![without(2, WRITES)?]),
        (libc::SYS_mmap, vec![without(2, executable)?]),
        (libc::SYS_mprotect, vec![without(2, executable)?]),
        (libc::SYS_clone, vec![condition(0, SeccompCmpOp::MaskedEq(thread), thread)?]),
        (libc::SYS_bpf, one_of(0, &MAP_COMMANDS)?),
        (libc::SYS_ioctl, one_of(1, &IOCTLS)?),
        (libc::SYS_prctl, one_of(0, prctls)?),
        // Only looked at.
        (libc::SYS_prlimit64, vec![condition64(2, 0)?]),
        (libc::SYS_socket, one_of(0, families)?),
        (libc::SYS_socketpair, vec![is(0, libc::AF_UNIX as u64)?]),
        // Who was connected before is looked up by a thread that still has the capability for it.
        (libc::SYS_setns, vec![is(1, libc::CLONE_NEWNET as u64)?]),
        // abort(3) and panics.
        (libc::SYS_tgkill, vec![is(0, u64::from(std::process::id()))?]),
    ];
    if network == Network::Others {
        calls.push((libc::SYS_seccomp, vec![is(0, libc::SECCOMP_SET_MODE_FILTER as u64)?]));
    }
    #[cfg(target_arch = "x86_64")]
    calls.push((libc::SYS_open, vec![without(1, WRITES)?]));
    Ok(calls)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?])
}

fn condition64(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)?])
}

/// Has a refused call say its number on standard error, and end the process.
fn say_refused() -> nix::Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let action = SigAction::new(SigHandler::SigAction(on_refused), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler ends the process, and calls nothing that a signal may not interrupt but for the text, in tests only.
    unsafe { sigaction(Signal::SIGSYS, &action) }.map(|_| ())
}

/// Where `si_syscall` is in a siginfo_t (include/uapi/asm-generic/siginfo.h, `_sigsys`): behind three numbers, a hole and a pointer.
const SI_SYSCALL: usize = 24;

extern "C" fn on_refused(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a whole siginfo_t, of 128 bytes.
    let call = unsafe { info.cast::<u8>().add(SI_SYSCALL).cast::<i32>().read_unaligned() };
    _ = writeln!(io::stderr(), "oomtrace: system call {call} is not on the list of those that watching needs");
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(128 + libc::SIGSYS) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::path::Path;

    /// What a call gives in a thread that is filtered.
    fn filtered<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(|| {
            apply_filter(&program(list(Refusal::Answered, Network::Nobody).unwrap()).unwrap()).unwrap();
            call()
        })
        .join()
        .unwrap()
    }

    #[test]
    fn what_must_never_be_is_refused() {
        let path = CString::new("/bin/true").unwrap();
        let refused = filtered(move || {
            let file = CString::new("/dev/null").unwrap();
            let none = std::ptr::null::<libc::c_char>();
            // SAFETY: every call is refused before it looks at its arguments, or fails by them.
            let results = unsafe {
                [
                    ("execve", libc::syscall(libc::SYS_execve, path.as_ptr(), none, none)),
                    ("execveat", libc::syscall(libc::SYS_execveat, libc::AT_FDCWD, path.as_ptr(), none, none, 0)),
                    ("fork", libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0)),
                    ("ptrace", libc::syscall(libc::SYS_ptrace, 16, 1, 0, 0)),
                    ("process_vm_writev", libc::syscall(libc::SYS_process_vm_writev, 1, 0, 0, 0, 0, 0)),
                    ("bpf: load", libc::syscall(libc::SYS_bpf, 5, 0, 0)),
                    ("kill", libc::syscall(libc::SYS_kill, libc::getpid(), 0)),
                    ("mount", libc::syscall(libc::SYS_mount, 0, 0, 0, 0, 0)),
                    ("init_module", libc::syscall(libc::SYS_init_module, 0, 0, 0)),
                    ("kexec_load", libc::syscall(libc::SYS_kexec_load, 0, 0, 0, 0)),
                    ("reboot", libc::syscall(libc::SYS_reboot, 0, 0, 0, 0)),
                    ("setuid", libc::syscall(libc::SYS_setuid, 0)),
                    ("unlinkat", libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, none, 0)),
                    ("open to write", libc::syscall(libc::SYS_openat, libc::AT_FDCWD, file.as_ptr(), libc::O_WRONLY)),
                    ("open to append", libc::syscall(libc::SYS_openat, libc::AT_FDCWD, file.as_ptr(), libc::O_RDWR)),
                    ("socket to the world", libc::syscall(libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM, 0)),
                    (
                        "executable memory",
                        libc::syscall(
                            libc::SYS_mmap,
                            0,
                            4096,
                            libc::PROT_EXEC,
                            libc::MAP_PRIVATE | libc::MAP_ANON,
                            -1,
                            0,
                        ),
                    ),
                    ("another user namespace", libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER)),
                    ("perf_event_open", libc::syscall(libc::SYS_perf_event_open, 0, 0, 0, 0, 0)),
                    ("process_madvise", libc::syscall(libc::SYS_process_madvise, 0, 0, 0, 0, 0)),
                ]
            };
            results.map(|(name, result)| (name, result, io::Error::last_os_error().raw_os_error()))
        });
        for (name, result, errno) in refused {
            // The last call's errno is that of all.
            assert_eq!((result, errno), (-1, Some(libc::ENOSYS)), "{name}");
        }
    }

    #[test]
    fn only_threads_that_are_there_use_the_network() {
        let socket = |family: libc::c_int| {
            // SAFETY: makes a socket, or fails; it goes with the test.
            let made = unsafe { libc::socket(family, libc::SOCK_STREAM, 0) };
            if made >= 0 { Ok(()) } else { Err(io::Error::last_os_error().raw_os_error()) }
        };
        let (asked, to_ask) = std::sync::mpsc::channel::<()>();
        let results = std::thread::spawn(move || {
            // As for all threads, but for this one and its own.
            apply_filter(&program(list(Refusal::Answered, Network::Others).unwrap()).unwrap()).unwrap();
            let before = std::thread::spawn(move || {
                _ = to_ask.recv();
                socket(libc::AF_INET)
            });
            apply_filter(&program(no_network().unwrap()).unwrap()).unwrap();
            drop(asked);
            let after = std::thread::spawn(move || socket(libc::AF_INET6)).join().unwrap();
            (before.join().unwrap(), after, socket(libc::AF_INET), socket(libc::AF_UNIX))
        });
        let refused = Err(Some(libc::ENOSYS));
        assert_eq!(results.join().unwrap(), (Ok(()), refused, refused, Ok(())));
    }

    #[test]
    fn what_watching_does_still_works() {
        let read = filtered(|| std::fs::read_to_string("/proc/self/status").unwrap());
        let field = |name: &str| read.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // The main thread's, which is not filtered.
        assert!(field("Seccomp:").is_some());
        filtered(|| {
            std::thread::spawn(|| vec![1_u8; 1 << 20].len()).join().unwrap();
            std::os::unix::net::UnixStream::pair().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
        });
        // What is called without the C library.
        filtered(|| {
            let proc = crate::node::territory::Territory::of_system(Path::new("/proc/sys/kernel")).unwrap();
            assert!(proc.read("ostype", 16).is_ok());
            let none = rustix::fs::getxattr("/proc", "user.oomd_kill", &mut [0_u8; 8]);
            assert_ne!(none, Err(rustix::io::Errno::NOSYS));
            rustix::mm::munlockall().unwrap();
            crate::own::capabilities::reduce(&[]).unwrap();
            rustix::thread::no_new_privs().unwrap();
        });
    }
}
