//! What oomtrace does to its own process: once every hook is attached and what is read once has been opened, it gives up what the
//! next step does not need. Whoever takes it over through a hostile byte then holds little.
//!
//! - Capabilities: see [`capabilities::kept`], which has a reason for each; nothing can be inherited by a program.
//! - `no_new_privs` (prctl(2)): no program that is run gains any.
//! - A filter of system calls: see [`calls`].
//!
//! Landlock is for threads that write ([`writer`]), and for them alone: a thread in a Landlock domain may not look at a process outside of
//! it (security/landlock/ptrace.c, `hook_ptrace_access_check`, 5.13 to 7.3, for reading as well), so `/proc/PID/exe` of every other
//! process would be hidden, which is what distinguishes `runc` from a program that calls itself so. Elsewhere the filter refuses to open a file for
//! writing.

pub mod calls;
pub mod capabilities;
pub mod descriptors;
pub mod endurance;
pub mod heap;
pub mod writer;

use std::io;
use std::path::Path;

use nix::libc;

use crate::model::Sandbox;
use calls::{Network, Refusal};
use capabilities::Needs;

/// How much is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: to debug oomtrace itself.
    Off,
    #[default]
    On,
    /// As much, and a system call that is not on the list ends oomtrace: for tests.
    Strict,
}

/// Gives up what watching does not need: in this thread and those that it makes from now on; the filter is for all. `network` says who may
/// use that from now on, `reads_maps`
/// whether maps can be read by a thread without CAP_BPF. What the kernel refuses stays as it is, and the answer says what is in force.
pub fn confine(mode: Mode, sockets: &[&Path], network: Network, reads_maps: impl FnOnce() -> bool + Send) -> Sandbox {
    let refusal = match mode {
        Mode::Off => return in_force(false),
        Mode::On => Refusal::Answered,
        Mode::Strict => Refusal::Fatal,
    };
    let needs = Needs { bpf: needs_bpf(reads_maps), users_socket: sockets.iter().any(|socket| is_users(socket)) };
    match capabilities::held() {
        Ok(held) => {
            if let Err(error) = capabilities::reduce(&capabilities::kept(held, needs)) {
                log::warn!("capabilities are not given up: {error}");
            }
        }
        Err(error) => log::warn!("capabilities are not given up: {error}"),
    }
    // It is not undone, and has no other effect than on programs that are run.
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        log::warn!("no_new_privs is not set: {}", io::Error::from(error));
    }
    let filtered = calls::filter(refusal, network);
    if let Err(error) = &filtered {
        log::warn!("system calls are not filtered: {error}");
    }
    in_force(filtered.is_ok())
}

/// Maps are read by bpf(2), for which a kernel before 5.19 wants CAP_BPF where unprivileged users may not use it (kernel/bpf/syscall.c).
/// A thread without it tries; where unprivileged users may, that says nothing about tomorrow.
fn needs_bpf(reads_maps: impl FnOnce() -> bool + Send) -> bool {
    let may_change =
        std::fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled").is_ok_and(|text| text.trim() == "0");
    let tries = || capabilities::reduce(&[]).is_ok() && reads_maps();
    may_change || !std::thread::scope(|scope| scope.spawn(tries).join().unwrap_or(false))
}

/// The socket belongs to a user other than this process's.
#[must_use]
pub fn is_users(socket: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let own = nix::unistd::geteuid().as_raw();
    std::fs::metadata(socket).is_ok_and(|socket| socket.uid() != own)
}

/// The version of Landlock that this kernel offers (5.13); none when it has none, or does not use it.
#[must_use]
pub fn landlock_version() -> Option<i64> {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no attributes, and makes nothing.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, LANDLOCK_CREATE_RULESET_VERSION) };
    (version > 0).then_some(version)
}

/// What this thread is confined by now.
fn in_force(filtered: bool) -> Sandbox {
    let held = capabilities::held().map(|held| held.names()).unwrap_or_default();
    let no_new_privs = rustix::thread::no_new_privs().unwrap_or(false);
    Sandbox { capabilities: held, no_new_privs, seccomp: filtered }
}
