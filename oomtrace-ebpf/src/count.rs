//! Counts what is not recorded.

use oomtrace_common::counts::{Counts, KINDS};

use crate::globals::COUNTS;

/// Counts an event of `kind` for which there was no room.
#[inline(always)]
pub fn lost(kind: usize) {
    // SAFETY: the pointer is one to this CPU's counts.
    add_one(kind, |counts| unsafe { &raw mut (*counts).lost });
}

/// Counts an event of `kind` that was more than one process or cgroup may have recorded.
#[inline(always)]
pub fn limited(kind: usize) {
    // SAFETY: the pointer is one to this CPU's counts.
    add_one(kind, |counts| unsafe { &raw mut (*counts).limited });
}

/// Counts a SIGKILL that ends nothing.
#[inline(always)]
pub fn no_kill() {
    if let Some(counts) = COUNTS.get_ptr_mut(0) {
        // SAFETY: the map has checked the pointer, and `signal_generate` alone counts here, with interrupts off.
        unsafe { (*counts).no_kills += 1 };
    }
}

/// Adds one to the number of `kind` among those that `numbers` chooses.
#[inline(always)]
fn add_one(kind: usize, numbers: impl FnOnce(*mut Counts) -> *mut [u64; KINDS]) {
    if kind < KINDS
        && let Some(counts) = COUNTS.get_ptr_mut(0)
    {
        // SAFETY: the map has checked the pointer, and `kind` is one of the array's. Each kind is counted by the programs of one hook,
        // which do not interrupt themselves, so a plain addition will do; those that they interrupt add to other numbers.
        unsafe { *numbers(counts).cast::<u64>().add(kind) += 1 };
    }
}
