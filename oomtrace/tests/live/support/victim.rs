//! Processes that bring SIGKILL on themselves in ways that no shell has, and one that is busy with system calls meanwhile: this test
//! binary plays them, when it is started with a part.

use std::process::Command;

use nix::libc;

use super::process::Owned;

const PART: &str = "OOMTRACE_TEST_PART";

/// What a process does. Each runs on the first processor alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Has a timer of this clock send it SIGKILL after so many nanoseconds, and sleeps; of a clock that counts processor time, it
    /// works.
    Timer(libc::clockid_t, i64),
    /// Makes this system call without end, in a way that does nothing.
    Calls(Call),
    /// Asks to be notified of a message in the queue of that number by SIGKILL, and sleeps.
    Queue(u32),
    /// Has a socket send it SIGKILL when there is something to read, and a child write into it.
    Async,
    /// Starts a child that ends at once, whose exit signal is SIGKILL.
    ExitSignal,
    /// Works with a real-time policy until that is too long; and with a limit of processor time far away.
    RealTime,
}

/// A system call that sends signals, and here signal 0, which is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Kill,
    Tgkill,
    PidfdSendSignal,
}

impl Part {
    /// Starts a process with this part.
    pub fn start(self) -> Owned {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let part = match self {
            Self::Timer(clock, after) => format!("timer {clock} {after}"),
            Self::Calls(Call::Kill) => "kill 0 0".to_owned(),
            Self::Calls(Call::Tgkill) => "tgkill 0 0".to_owned(),
            Self::Calls(Call::PidfdSendSignal) => "pidfd 0 0".to_owned(),
            Self::Queue(number) => format!("queue {number} 0"),
            Self::Async => "async 0 0".to_owned(),
            Self::ExitSignal => "exit_signal 0 0".to_owned(),
            Self::RealTime => "real_time 0 0".to_owned(),
        };
        Owned::spawn(command.env(PART, part))
    }
}

/// Plays the part that this process was started with, and never comes back; returns at once when it has none.
pub fn play() {
    let Ok(part) = std::env::var(PART) else { return };
    let [name, first, second] = part.split(' ').collect::<Vec<_>>()[..] else { panic!("{part:?}") };
    pin_to_first_processor();
    match name {
        "timer" => kill_by_timer(first.parse().unwrap(), second.parse().unwrap()),
        "kill" => call(libc::SYS_kill, [pid(), 0, 0]),
        "tgkill" => call(libc::SYS_tgkill, [pid(), pid(), 0]),
        "pidfd" => {
            // SAFETY: takes integers only.
            let own = unsafe { libc::syscall(libc::SYS_pidfd_open, pid(), 0) };
            call(libc::SYS_pidfd_send_signal, [own, 0, 0])
        }
        "queue" => wait_for_message(first.parse().unwrap()),
        "async" => wait_for_input(),
        "exit_signal" => start_child_that_kills(),
        "real_time" => run_in_real_time(),
        _ => panic!("{part:?}"),
    }
}

fn pid() -> libc::c_long {
    std::process::id().into()
}

fn pin_to_first_processor() {
    // SAFETY: a set of processors is plain bits, of which zeroes are a value.
    let mut first: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is this function's own, and as large as is said.
    let set = unsafe {
        libc::CPU_SET(0, &mut first);
        libc::sched_setaffinity(0, size_of_val(&first), &raw const first)
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

fn sleep() -> ! {
    loop {
        nix::unistd::pause();
    }
}

#[expect(clippy::empty_loop, reason = "it is there to use up processor time")]
fn work() -> ! {
    loop {}
}

fn by_sigkill() -> libc::sigevent {
    // SAFETY: zeroes are a value of each of its fields.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    (event.sigev_notify, event.sigev_signo) = (libc::SIGEV_SIGNAL, libc::SIGKILL);
    event
}

fn kill_by_timer(clock: libc::clockid_t, after_ns: i64) -> ! {
    let mut event = by_sigkill();
    let mut timer: libc::timer_t = std::ptr::null_mut();
    // SAFETY: zeroes are a value of each of its fields.
    let mut when: libc::itimerspec = unsafe { std::mem::zeroed() };
    when.it_value = libc::timespec { tv_sec: after_ns / 1_000_000_000, tv_nsec: after_ns % 1_000_000_000 };
    // SAFETY: all that is pointed to is this function's own.
    let set = unsafe {
        assert_eq!(libc::timer_create(clock, &raw mut event, &raw mut timer), 0, "{}", std::io::Error::last_os_error());
        libc::timer_settime(timer, 0, &raw const when, std::ptr::null_mut())
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    if matches!(clock, libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID) { work() } else { sleep() }
}

fn call(number: libc::c_long, [first, second, third]: [libc::c_long; 3]) -> ! {
    loop {
        // SAFETY: signal 0 does nothing to any process, and a null pointer is no siginfo.
        unsafe { libc::syscall(number, first, second, third, 0) };
    }
}

/// The queue's name.
pub fn queue(number: u32) -> std::ffi::CString {
    std::ffi::CString::new(format!("/oomtrace-test-{number}")).unwrap()
}

fn wait_for_message(number: u32) -> ! {
    let event = by_sigkill();
    // SAFETY: the name lives until the call is over, and the event until it is over, too.
    unsafe {
        let found = libc::mq_open(queue(number).as_ptr(), libc::O_RDONLY);
        assert!(found >= 0, "{}", std::io::Error::last_os_error());
        // One at a time may ask, and whoever waits for this process tries.
        while libc::mq_notify(found, &raw const event) != 0 {
            let error = std::io::Error::last_os_error();
            assert_eq!(error.raw_os_error(), Some(libc::EBUSY), "{error}");
        }
    }
    sleep()
}

fn wait_for_input() -> ! {
    let mut ends = [0; 2];
    // SAFETY: all of these take integers, and an array of two for the new descriptors.
    unsafe {
        assert_eq!(libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()), 0);
        // F_SETSIG (include/uapi/asm-generic/fcntl.h).
        assert_eq!(libc::fcntl(ends[0], 10, libc::SIGKILL), 0, "{}", std::io::Error::last_os_error());
        assert_eq!(libc::fcntl(ends[0], libc::F_SETOWN, libc::getpid()), 0);
        assert_eq!(libc::fcntl(ends[0], libc::F_SETFL, libc::O_ASYNC), 0);
        if libc::fork() == 0 {
            libc::write(ends[1], c"x".as_ptr().cast(), 1);
            libc::_exit(0);
        }
    }
    sleep()
}

fn start_child_that_kills() -> ! {
    // SAFETY: as fork(2), of which this process, with one thread, may do anything.
    if unsafe { libc::syscall(libc::SYS_clone, libc::SIGKILL, 0, 0, 0, 0) } == 0 {
        // SAFETY: ends this process alone.
        unsafe { libc::_exit(0) };
    }
    sleep()
}

fn limit(of: libc::__rlimit_resource_t, most: libc::rlim_t) {
    let limits = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the limits are this function's own.
    assert_eq!(unsafe { libc::setrlimit(of, &raw const limits) }, 0);
}

fn run_in_real_time() -> ! {
    limit(libc::RLIMIT_RTTIME, 100_000);
    limit(libc::RLIMIT_CPU, 1_000);
    assert!(real_time(), "{}", std::io::Error::last_os_error());
    work()
}

/// This process gets a real-time policy.
fn real_time() -> bool {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the priority is this function's own.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const lowest) == 0 }
}

/// Why no process may have one here.
pub fn why_no_real_time() -> Option<String> {
    let asked = std::thread::spawn(|| {
        let given = real_time();
        let why = std::io::Error::last_os_error();
        let usual = libc::sched_param { sched_priority: 0 };
        // SAFETY: the priority is this function's own.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const usual) };
        (!given).then(|| format!("no real-time policy may be set here ({why})"))
    });
    asked.join().unwrap()
}
