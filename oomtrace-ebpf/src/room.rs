//! How much of the ring buffer each kind of event may fill, so that events which an unprivileged process can produce do not crowd
//! out kills.
//!
//! - Signals that are no kills, connections and cgroups: an eighth.
//! - Arguments of processes that take their SIGKILL: half. They accompany kills, and matter less than kills do.
//! - Kills, the OOM killer's records and ends of processes: all of it. The last quarter is divided into shares, one per container, so
//!   that a container that keeps killing its own processes does not use up the room of others.

use crate::{
    globals::{EVENTS, SHARES, settings},
    kernel::cgroup::lineage_of,
};

/// Bytes that are written and not read yet (`BPF_RB_AVAIL_DATA`, include/uapi/linux/bpf.h, 5.8).
const UNREAD: u64 = 0;
/// Where the reader is (`BPF_RB_CONS_POS`).
const READER: u64 = 2;

/// What all events besides those of kills may fill: an eighth.
pub const OTHERS: u32 = 3;
/// What the ends of processes that had connected may fill: a quarter, more than connections, so that a recorded connection also gets
/// its end recorded.
pub const ENDS: u32 = 2;
/// What events that accompany kills, and matter less, may fill: half.
pub const COMPANIONS: u32 = 1;

/// Shares of a cgroup for its kills.
pub const KILLS: u64 = 1;
/// Shares of a cgroup for what follows a kill (the OOM killer's mark, the end): twice as many, so that there is room for it where
/// there was room for the kill.
pub const REST: u64 = 2;

/// What a cgroup has taken of the ring's last quarter.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Share {
    /// The reader's position when the count began.
    pub since: u64,
    /// Bytes since then.
    pub bytes: u64,
}

/// The ring is filled to less than one part of `2^shift`.
#[inline(always)]
pub fn is_free(shift: u32) -> bool {
    EVENTS.query(UNREAD) < ring_bytes() >> shift
}

/// Whether there is room for `bytes` about the end of `task`: the first three quarters are shared by all.
#[inline(always)]
pub fn is_free_for(task: u64, bytes: u64, shares: u64) -> bool {
    EVENTS.query(UNREAD) < ring_bytes() - (ring_bytes() >> 2) || has_share(task, bytes, shares)
}

/// Whether `task`'s container has used less than that many of its shares of the last quarter; if so, `bytes` are charged to it.
///
/// A function of its own: it runs only when the reader is far behind.
#[inline(never)]
fn has_share(task: u64, bytes: u64, shares: u64) -> bool {
    let lineage = lineage_of(task);
    let share = shares * (ring_bytes() >> 5);
    // A user with a subtree of cgroups can make new ones at will: all of them together get twice as much.
    take(lineage.near, bytes, share) && take(lineage.far | FAR, bytes, 2 * share)
}

/// A cgroup and everything below it.
const FAR: u64 = 1 << 63;

#[inline(always)]
fn take(cgroup: u64, bytes: u64, share: u64) -> bool {
    let reader = EVENTS.query(READER);
    if let Some(taken) = SHARES.get_ptr_mut(cgroup) {
        // SAFETY: the map has checked the pointer, and its memory stays a map's while the program runs. Other CPUs may count there at
        // the same time, or the map may give the place to another key: each access is one load or store of an aligned number, and
        // so at worst a share is a few events larger or smaller.
        unsafe {
            // Once the reader has advanced by the whole ring, everything that was charged has been read.
            if reader.wrapping_sub((*taken).since) >= ring_bytes() {
                *taken = Share { since: reader, bytes: 0 };
            }
            if (*taken).bytes >= share {
                return false;
            }
            (*taken).bytes += bytes;
        }
        return true;
    }
    // A full map evicts another cgroup's entry; that cgroup then has its whole share again.
    let _: Result<(), i32> = SHARES.insert(cgroup, Share { since: reader, bytes }, 0);
    true
}

#[inline(always)]
fn ring_bytes() -> u64 {
    let bytes: u32 = settings!(ring_bytes);
    u64::from(bytes)
}
