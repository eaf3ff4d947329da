//! Capabilities of the calling thread: which a watching oomtrace still needs, and giving up the others. They are a thread's own
//! (capabilities(7)); a new thread has those of the one that made it.

use std::io;

use nix::libc;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use crate::probe::requirements::{Capabilities, Capability, RequirementError, capabilities};

/// A capability that is kept, and what for.
pub type Kept = (Capability, &'static str);

/// What keeping depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Maps cannot be read without CAP_BPF on this kernel.
    pub bpf: bool,
    /// A runtime's socket belongs to a user, whom root is let through to by CAP_DAC_OVERRIDE alone.
    pub users_socket: bool,
}

/// What is kept of `held`, each with its reason. Everything else went into the start: loading programs (CAP_PERFMON), reading the
/// addresses of kernel functions (CAP_SYSLOG), asking other network namespaces (CAP_SYS_ADMIN), raising limits (CAP_SYS_RESOURCE).
#[must_use]
pub fn kept(held: Capabilities, needs: Needs) -> Vec<Kept> {
    // Memory stays locked, and more is mapped: the limit holds for whoever has no CAP_IPC_LOCK (mm/mmap.c, mlock_future_ok).
    let has_limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(true, |(soft, _)| soft != RLIM_INFINITY);
    let wanted = [
        // proc(5): PTRACE_MODE_READ_FSCREDS; ptrace itself is refused by the filter of system calls.
        (Capability::SysPtrace, true, "to read which programs other users' processes run (/proc/PID/exe)"),
        (Capability::DacReadSearch, true, "to read what runtimes keep in directories of others"),
        (Capability::DacOverride, needs.users_socket, "to ask a runtime whose socket belongs to a user"),
        (Capability::IpcLock, has_limit, "to map memory while all of it is locked"),
        (Capability::Bpf, needs.bpf, "to read and fill maps, for which this kernel wants it"),
    ];
    let is_kept = |(capability, is_wanted, _): &(Capability, bool, _)| *is_wanted && held.has(*capability);
    wanted.into_iter().filter(is_kept).map(|(capability, _, why)| (capability, why)).collect()
}

/// Leaves this thread, and those that it makes, `kept` as permitted and effective, and nothing to be inherited by a program.
///
/// # Errors
/// When the kernel refuses, which it does not for giving up.
pub fn reduce(kept: &[Kept]) -> io::Result<()> {
    // Without CAP_SETPCAP the bounding set stays, which matters to whoever runs another program: none is run.
    // SAFETY: prctl takes integers here.
    while_ok(|capability| unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) });
    // SAFETY: as above. A kernel without ambient capabilities (to 4.2) has none to clear.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    let mask = kept.iter().fold(0_u64, |mask, (capability, _)| mask | 1 << (*capability as u64));
    let set = |shift: u32| {
        let part = (mask >> shift & u64::from(u32::MAX)) as u32;
        Data { effective: part, permitted: part, inheritable: 0 }
    };
    let header = Header { version: VERSION_3, pid: 0 };
    let data = [set(0), set(32)];
    // SAFETY: both are what this version of the call reads (include/uapi/linux/capability.h), and live until it returns.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Calls `each` for every capability that a kernel may know, until it refuses one.
fn while_ok(each: impl Fn(libc::c_ulong) -> libc::c_int) {
    _ = (0..64).take_while(|capability| each(*capability) == 0).count();
}

/// This thread's effective capabilities.
///
/// # Errors
/// When `/proc` is not there.
pub fn held() -> Result<Capabilities, RequirementError> {
    capabilities()
}

/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

/// `struct __user_cap_data_struct`.
#[repr(C)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}
