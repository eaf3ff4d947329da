//! Capabilities of the calling thread: which a watching oomtrace still needs, and giving up the others. They are a thread's own
//! (capabilities(7)); a new thread has those of the one that made it.

use std::io;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

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
    // Memory is locked again after some of it was given back, and the stack grows: the limit holds for whoever has no CAP_IPC_LOCK
    // (mm/mmap.c, mlock_future_ok).
    let has_limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(true, |(soft, _)| soft != RLIM_INFINITY);
    let wanted = [
        // proc(5): PTRACE_MODE_READ_FSCREDS; ptrace itself is refused by the filter of system calls.
        (Capability::SysPtrace, true, "to read which programs other users' processes run (/proc/PID/exe)"),
        (Capability::DacReadSearch, true, "to read what runtimes keep in directories of others"),
        (Capability::DacOverride, needs.users_socket, "to ask a runtime whose socket belongs to a user"),
        (Capability::IpcLock, has_limit, "to lock its memory again after a part of it was given back"),
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
    let all = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
    // The first that it refuses is one that this kernel does not know.
    _ = all.take_while(|capability| thread::remove_capability_from_bounding_set(*capability).is_ok()).count();
    // A kernel without ambient capabilities (to 4.2) has none to clear.
    _ = thread::clear_ambient_capability_set();
    let kept = kept.iter().map(|(capability, _)| CapabilitySet::from_bits_retain(1 << *capability as u64)).collect();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(thread::set_capabilities(None, sets)?)
}

/// This thread's effective capabilities.
///
/// # Errors
/// When `/proc` is not there.
pub fn held() -> Result<Capabilities, RequirementError> {
    capabilities()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_what_it_needs_and_no_more() {
        std::thread::spawn(|| {
            let before = held().unwrap();
            let wanted = kept(before, Needs::default());
            reduce(&wanted).unwrap();
            let names: Vec<_> = wanted.iter().map(|(capability, _)| capability.name()).collect();
            let mut left = held().unwrap().names();
            left.sort_by_key(|left| names.iter().position(|name| name == left));
            assert_eq!(left, names);
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let set = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            assert_eq!(set("CapPrm:"), set("CapEff:"));
            assert_eq!((set("CapInh:"), set("CapAmb:")), (Some("0000000000000000"), Some("0000000000000000")));
            // CAP_SETPCAP
            if before.names().contains(&"capability 8".to_owned()) {
                assert_eq!(set("CapBnd:"), Some("0000000000000000"));
            }
        })
        .join()
        .unwrap();
    }
}
