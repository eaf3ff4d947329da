//! Processes that no program on the machine is: this test binary plays them, when it is started with a role.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pause};

use super::cgroup::Cgroup;
use super::flood;
use super::process::Owned;

const ROLE: &str = "OOMTRACE_TEST_HELPER";

/// What to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Starts a process that shares its memory (CLONE_VM), and then allocates without end.
    SharesMemory,
    /// Allocates without end, on the second memory node alone (MPOL_BIND).
    BoundHog,
    /// Ends its first thread; another one waits to be killed.
    LeaderlessSleeper,
    /// Ends its first thread; another one allocates without end.
    LeaderlessHog,
    /// Starts and kills [`STORM`] processes, in batches, and ends.
    Killer,
    /// Sends itself a stop signal that it ignores, without end.
    IgnoredStops,
    /// Kills a process that has ended already, without end.
    KillsOfAZombie,
    /// Has processes connect to a socket of its own, without end.
    Connections,
    /// Connects to where health is asked for, as another user, without end; the environment names that in [`FILE`].
    AsksForHealth,
    /// Breaks the rules of seccomp's strict mode.
    Strict,
    /// Starts processes that start processes, as fast as it goes, until there are 2,000.
    ForkBomb,
    /// Says that its arguments are [`ENDLESS`] bytes long, and has a child that kills its own child.
    EndlessArguments,
    /// The same, with arguments in the file that the environment names in [`FILE`].
    ArgumentsInAFile,
}

/// Names a file.
pub const FILE: &str = "OOMTRACE_TEST_FILE";

/// Bytes of arguments of a [`Role::EndlessArguments`].
pub const ENDLESS: usize = 512 << 20;

/// Processes that a [`Role::Killer`] kills.
pub const STORM: usize = 10_000;
/// Processes alive at a time.
const BATCH: usize = 2_000;
/// Processes that a [`Role::ForkBomb`] starts: they all wait for each other when they end.
const BOMB: usize = 2_000;

const ROLES: [(&str, Role); 13] = [
    ("asks_for_health", Role::AsksForHealth),
    ("arguments_in_a_file", Role::ArgumentsInAFile),
    ("endless_arguments", Role::EndlessArguments),
    ("ignored_stops", Role::IgnoredStops),
    ("kills_of_a_zombie", Role::KillsOfAZombie),
    ("connections", Role::Connections),
    ("strict", Role::Strict),
    ("killer", Role::Killer),
    ("fork_bomb", Role::ForkBomb),
    ("bound_hog", Role::BoundHog),
    ("shares_memory", Role::SharesMemory),
    ("leaderless_sleeper", Role::LeaderlessSleeper),
    ("leaderless_hog", Role::LeaderlessHog),
];

impl Role {
    fn name(self) -> &'static str {
        ROLES.iter().find(|(_, role)| *role == self).unwrap().0
    }

    /// Starts a process with this role, in `cgroup` from its first instruction on.
    pub fn start(self, cgroup: Option<&Cgroup>) -> Owned {
        let me = std::env::current_exe().unwrap();
        let mut command = Command::new("sh");
        let enter = cgroup.map(|cgroup| format!("echo $$ > {} && ", cgroup.procs().display())).unwrap_or_default();
        // Of all processes on the machine, this one is to be chosen.
        let first = if self == Self::BoundHog { "echo 1000 > /proc/self/oom_score_adj && " } else { "" };
        command.args(["-c", &format!("{enter}{first}exec \"$0\""), me.to_str().unwrap()]).env(ROLE, self.name());
        Owned::spawn(&mut command)
    }

    /// The same with a name to use.
    pub fn start_named(self, name: &str) -> Owned {
        self.start_with(Path::new(name))
    }

    /// The same with a file to use.
    pub fn start_with(self, file: &Path) -> Owned {
        Owned::spawn(Command::new(std::env::current_exe().unwrap()).env(ROLE, self.name()).env(FILE, file))
    }
}

/// Plays the role that this process was started with, and never comes back; returns at once when it has none.
pub fn play() {
    let Ok(name) = std::env::var(ROLE) else { return };
    match ROLES.iter().find(|(role, _)| *role == name).unwrap().1 {
        Role::SharesMemory => {
            start_sharer();
            allocate()
        }
        Role::BoundHog => {
            bind_to_second_node();
            allocate()
        }
        Role::LeaderlessSleeper => leave(|| {
            loop {
                std::thread::park()
            }
        }),
        Role::LeaderlessHog => leave(|| allocate()),
        Role::IgnoredStops => flood::ignored_stops(),
        Role::KillsOfAZombie => flood::kills_of_a_zombie(),
        Role::Connections => flood::connections(),
        Role::AsksForHealth => flood::health(&std::env::var(FILE).unwrap()),
        Role::Strict => flood::strict(),
        Role::Killer => kill_in_batches(),
        Role::ForkBomb => multiply(),
        Role::EndlessArguments => {
            let (size, access) = (NonZeroUsize::new(ENDLESS).unwrap(), ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
            // SAFETY: a new mapping, wherever there is room. Nothing is written to it: it takes no memory.
            let start = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE) };
            kill_with_arguments_at(start.unwrap().as_ptr() as u64, ENDLESS as u64)
        }
        Role::ArgumentsInAFile => {
            let file = std::fs::File::open(std::env::var_os(FILE).unwrap()).unwrap();
            let size = NonZeroUsize::new(4096).unwrap();
            // SAFETY: a new mapping, wherever there is room.
            let start = unsafe { mmap(None, size, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE, file, 0) };
            kill_with_arguments_at(start.unwrap().as_ptr() as u64, 4096)
        }
    }
}

fn kill_in_batches() -> ! {
    for _ in 0..STORM / BATCH {
        // SAFETY: this process has one thread.
        let start = || match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => child,
            ForkResult::Child => loop {
                pause();
            },
        };
        let batch: Vec<Pid> = (0..BATCH).map(|_| start()).collect();
        batch.iter().for_each(|pid| kill(*pid, Signal::SIGKILL).unwrap());
        batch.into_iter().for_each(|pid| _ = waitpid(pid, None).unwrap());
    }
    std::process::exit(0)
}

/// Whoever starts it ends its children.
fn multiply() -> ! {
    let started = counter();
    loop {
        if started.fetch_add(1, Ordering::Relaxed) >= BOMB {
            pause();
        }
        // SAFETY: this process has one thread. A limit of processes makes it fail, and then it is tried again.
        _ = unsafe { fork() };
    }
}

/// A number that this process's children count with, too.
fn counter() -> &'static AtomicUsize {
    let (size, access) = (NonZeroUsize::MIN, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    // SAFETY: a new mapping, wherever there is room; zeroes are a number, and it is never unmapped.
    unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_SHARED).unwrap().cast::<AtomicUsize>().as_ref() }
}

/// Says that its arguments are there, and has a child that kills its own child.
fn kill_with_arguments_at(start: u64, bytes: u64) -> ! {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<u64> =
        stat.rsplit_once(')').unwrap().1.split_whitespace().skip(1).map(|f| f.parse().unwrap_or(0)).collect();
    // By their numbers in proc(5).
    let field = |number: usize| fields[number - 4];
    // SAFETY: it changes nothing.
    let end_of_heap = unsafe { libc::sbrk(0) } as u64;
    // prctl_mm_map (include/uapi/linux/prctl.h): code, data, heap, stack, arguments, environment, auxiliary vector, executable.
    let map = [
        field(26),
        field(27),
        field(45),
        field(46),
        field(47),
        end_of_heap,
        field(28),
        start,
        start + bytes,
        field(50),
        field(51),
        0,
        u64::from(u32::MAX) << 32,
    ];
    // SAFETY: the structure has the size that is said, and its addresses are only looked at.
    let set = unsafe { libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, map.as_ptr(), size_of_val(&map), 0) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: this process has one thread.
    if let ForkResult::Child = unsafe { fork() }.unwrap() {
        // SAFETY: as above.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => {
                kill(child, Signal::SIGKILL).unwrap();
                _ = waitpid(child, None);
                std::process::exit(0);
            }
            ForkResult::Child => loop {
                pause();
            },
        }
    }
    loop {
        pause();
    }
}

/// Takes memory until there is none.
fn allocate() -> ! {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(vec![1; 1 << 20]);
    }
}

/// This process's memory comes from the second node from now on.
fn bind_to_second_node() {
    // MPOL_BIND (include/uapi/linux/mempolicy.h).
    const BIND: libc::c_long = 2;
    let nodes: libc::c_ulong = 0b10;
    // SAFETY: the mask has as many bits as is said.
    let set = unsafe { libc::syscall(libc::SYS_set_mempolicy, BIND, &raw const nodes, libc::c_ulong::BITS) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

/// Starts a process that shares this one's memory and does nothing.
fn start_sharer() {
    extern "C" fn wait(_: *mut libc::c_void) -> libc::c_int {
        // SAFETY: both are system calls that touch no memory. It must not stay when its parent ends some other way.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        loop {
            // SAFETY: as above.
            unsafe { libc::pause() };
        }
    }
    const STACK: usize = 64 << 10;
    let stack = vec![0_u8; STACK].leak().as_mut_ptr();
    // SAFETY: the stack is the new process's alone, for ever, and grows down from its end; what runs on it is a system
    // call in a loop.
    let pid =
        unsafe { libc::clone(wait, stack.add(STACK).cast(), libc::CLONE_VM | libc::SIGCHLD, std::ptr::null_mut()) };
    assert!(pid > 0);
}

/// Goes on in another thread, and ends the first one: the process stays, its leader a zombie.
fn leave(go_on: impl FnOnce() + Send + 'static) -> ! {
    std::thread::spawn(go_on);
    // SAFETY: ends this thread alone; what it owns stays, as the process does.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("exit does not return");
}
