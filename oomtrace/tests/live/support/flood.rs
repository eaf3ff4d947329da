//! Floods of events, as a process without any privilege makes them. Each goes on until it is ended.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::PathBuf;

use nix::libc;
use nix::sys::signal::{SigHandler, Signal, kill, raise, signal};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{ForkResult, Pid, fork, getppid};

/// Sends itself a stop signal that it ignores.
pub fn ignored_stops() -> ! {
    // SAFETY: no code of ours runs for an ignored signal.
    unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }.unwrap();
    loop {
        raise(Signal::SIGTERM).unwrap();
    }
}

/// Kills a process that has ended already, again and again.
pub fn kills_of_a_zombie() -> ! {
    // SAFETY: this process has one thread.
    let zombie = match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => std::process::exit(0),
    };
    waitid(Id::Pid(zombie), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
    loop {
        kill(zombie, Signal::SIGKILL).unwrap();
    }
}

/// Where [`connections`] of a process that `test` started go.
pub fn socket(test: u32) -> PathBuf {
    std::env::temp_dir().join(format!("oomtrace-test-{test}-flood.sock"))
}

/// Listens on a socket of its own, and has one process after the other connect to it.
pub fn connections() -> ! {
    let path = socket(getppid().as_raw().unsigned_abs());
    // Floods of one test share the socket, and may come in each other's way.
    let bind = || {
        _ = std::fs::remove_file(&path);
        UnixListener::bind(&path)
    };
    let listener = std::iter::repeat_with(bind).take(100).find_map(Result::ok).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut stack = vec![0_u8; 16 << 10];
    // SAFETY: all zeroes is an address.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_encoded_bytes();
    address.sun_path.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from as libc::c_char);
    loop {
        let top = stack.as_mut_ptr_range().end;
        let argument = (&raw mut address).cast();
        // SAFETY: the stack is the child's alone until it is waited for; it makes system calls alone, and its parent waits for it.
        let child = unsafe { libc::clone(connect, top.cast(), libc::CLONE_VM | libc::SIGCHLD, argument) };
        assert!(child > 0, "clone: {}", std::io::Error::last_os_error());
        nix::sys::wait::waitpid(Pid::from_raw(child), None).unwrap();
        while listener.accept().is_ok() {}
    }
}

extern "C" fn connect(address: *mut libc::c_void) -> libc::c_int {
    // SAFETY: system calls with numbers, and an address that outlives the process.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        libc::connect(socket, address.cast(), size_of::<libc::sockaddr_un>() as libc::socklen_t);
        libc::_exit(0)
    }
}

/// Enters seccomp's strict mode, and breaks its rules.
pub fn strict() -> ! {
    // SAFETY: both are system calls that take numbers.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT), 0);
        libc::getpid();
    }
    unreachable!("the kernel ends it");
}

/// Connects to the oomtrace that goes by `name`, as a user who is not root, and holds on to what it can.
pub fn health(name: &str) -> ! {
    let stranger = 65534;
    nix::unistd::setresuid(stranger.into(), stranger.into(), stranger.into()).unwrap();
    let address = SocketAddr::from_abstract_name(format!("oomtrace-health/{name}")).unwrap();
    let mut held = Vec::new();
    loop {
        held.extend(UnixStream::connect_addr(&address));
        if held.len() > 500 {
            held.clear();
        }
    }
}
