//! Limits how many events other than kills are recorded for one process and for one container, so that no unprivileged process can
//! raise the cost of reading them.

use aya_ebpf::maps::LruHashMap;
use oomtrace_common::limits::{
    MAX_CGROUP_CHANGES, MAX_CONNECTIONS_OF_CGROUP, MAX_SIGNALS_OF_CGROUP, MAX_SIGNALS_OF_PROCESS, RATE_WINDOW_SHIFT,
};

use crate::{
    globals::{CGROUP_RATES, PROCESS_RATES},
    kernel::{boot_ns, cgroup, cgroup::Lineage, field},
};

/// The number of events of one kind recorded for one process or cgroup in one time window.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Rate {
    pub window: u32,
    pub count: u32,
}

/// Kinds of events with a limit of their own: the upper byte of a key. A process's id has 22 bits at most, a cgroup's far fewer
/// than 56.
const SIGNALS: u64 = 1 << 56;
const CONNECTIONS: u64 = 2 << 56;
const CGROUPS: u64 = 3 << 56;
/// A cgroup and everything below it.
const FAR: u64 = 1 << 63;

/// Whether one more signal sent by `task` may be recorded.
#[inline(never)]
pub fn allows_signal(task: u64) -> bool {
    let tgid: u32 = field!(task, task_tgid);
    takes(&PROCESS_RATES, SIGNALS | u64::from(tgid), MAX_SIGNALS_OF_PROCESS)
        && takes_of(&cgroup::lineage_of(task), SIGNALS, MAX_SIGNALS_OF_CGROUP)
}

/// Whether one more connection of `task`'s container may be recorded. The limit for a single process is in `unix_connect`.
#[inline(never)]
pub fn allows_connection(task: u64) -> bool {
    takes_of(&cgroup::lineage_of(task), CONNECTIONS, MAX_CONNECTIONS_OF_CGROUP)
}

/// Whether one more change of `cgroup` may be recorded. Counted by the cgroup's place, not by the current task, because the kernel
/// itself makes some of the changes.
#[inline(never)]
pub fn allows_cgroup(cgroup: u64) -> bool {
    takes(&CGROUP_RATES, CGROUPS | cgroup::lineage(cgroup).far, MAX_CGROUP_CHANGES)
}

/// A user with a subtree of cgroups can make new ones at will: all of them together get four times the limit.
#[inline(always)]
fn takes_of(lineage: &Lineage, kind: u64, limit: u32) -> bool {
    takes(&CGROUP_RATES, kind | lineage.near, limit) && takes(&CGROUP_RATES, FAR | kind | lineage.far, 4 * limit)
}

#[inline(always)]
fn takes(rates: &LruHashMap<u64, Rate>, key: u64, limit: u32) -> bool {
    let window = (boot_ns() >> RATE_WINDOW_SHIFT) as u32;
    if let Some(rate) = rates.get_ptr_mut(key) {
        // SAFETY: the map has checked the pointer, and its memory stays a map's while the program runs. Other CPUs may count there at
        // the same time, or the map may give the place to another key: each access is one load or store of an aligned number, and
        // so at worst a few more, or fewer, events are recorded.
        unsafe {
            if (*rate).window != window {
                *rate = Rate { window, count: 0 };
            }
            if (*rate).count >= limit {
                return false;
            }
            (*rate).count += 1;
        }
        return true;
    }
    // A full map evicts another entry, whose count then starts again at zero.
    let _: Result<(), i32> = rates.insert(key, Rate { window, count: 1 }, 0);
    true
}
