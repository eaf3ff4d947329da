//! How much of the ring buffer each kind of event may fill, so that no kind that anybody can make at will takes the room of kills.
//!
//! - Signals that are no kills, connections and cgroups: an eighth.
//! - The arguments of those that take their SIGKILL: half. They come with kills, and are less than they are.
//! - Kills, the OOM killer's records and ends of processes: all of it. But from three quarters on each container has a share of what
//!   is left: one that kills its own processes without end takes no other's room.

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
/// The ends of those that had connected may: a quarter, so that one that is recorded has an end.
pub const ENDS: u32 = 2;
/// What comes with kills, and is less than they are, may: half.
pub const COMPANIONS: u32 = 1;

/// Shares of a cgroup for its kills.
pub const KILLS: u64 = 1;
/// With these, there is room for what follows a kill that had room: the OOM killer's mark, and the end.
pub const REST: u64 = 2;

/// What a cgroup has taken of the ring's last quarter.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Share {
    /// Where the reader was when this began.
    pub since: u64,
    /// Bytes since then.
    pub bytes: u64,
}

/// The ring is filled to less than one part of `2^shift`.
#[inline(always)]
pub fn is_free(shift: u32) -> bool {
    EVENTS.query(UNREAD) < ring_bytes() >> shift
}

/// There is room for `bytes` about the end of `task`: three quarters are everybody's.
#[inline(always)]
pub fn is_free_for(task: u64, bytes: u64, shares: u64) -> bool {
    EVENTS.query(UNREAD) < ring_bytes() - (ring_bytes() >> 2) || has_share(task, bytes, shares)
}

/// `task`'s container has not used up so many of its shares of the last quarter, and takes `bytes` of them.
///
/// A function of its own: it runs only when the reader is far behind.
#[inline(never)]
fn has_share(task: u64, bytes: u64, shares: u64) -> bool {
    let lineage = lineage_of(task);
    let share = shares * (ring_bytes() >> 5);
    // A user with a subtree of cgroups can make new ones at will: all of them together have twice as much.
    take(lineage.near, bytes, share) && take(lineage.far | FAR, bytes, 2 * share)
}

/// A cgroup with all that is below it.
const FAR: u64 = 1 << 63;

#[inline(always)]
fn take(cgroup: u64, bytes: u64, share: u64) -> bool {
    let reader = EVENTS.query(READER);
    if let Some(taken) = SHARES.get_ptr_mut(cgroup) {
        // SAFETY: the map has checked the pointer, and its memory stays a map's while the program runs. Other CPUs may count there at
        // the same time, or the map may give the place to another key: each access is one load or store of an aligned number, and
        // what comes of it is a share that is a few events larger or smaller.
        unsafe {
            // What was taken has been read once the reader is a whole ring further.
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
    // A full map forgets another cgroup's share, which it then has again.
    let _: Result<(), i32> = SHARES.insert(cgroup, Share { since: reader, bytes }, 0);
    true
}

#[inline(always)]
fn ring_bytes() -> u64 {
    let bytes: u32 = settings!(ring_bytes);
    u64::from(bytes)
}
