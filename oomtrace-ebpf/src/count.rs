//! Counts what is not recorded.

use oomtrace_common::counts::Counts;

use crate::globals::COUNTS;

/// Counts an event of `kind` for which there was no room.
#[inline(always)]
pub fn lost(kind: usize) {
    // Each kind is counted by one program, which does not interrupt itself: a plain addition will do.
    change(|counts| {
        if let Some(lost) = counts.lost.get_mut(kind) {
            *lost += 1;
        }
    });
}

/// Counts an event of `kind` that was more than one process or cgroup may have recorded.
#[inline(always)]
pub fn limited(kind: usize) {
    change(|counts| {
        if let Some(limited) = counts.limited.get_mut(kind) {
            *limited += 1;
        }
    });
}

/// Counts a SIGKILL that ends nothing.
#[inline(always)]
pub fn no_kill() {
    change(|counts| counts.no_kills += 1);
}

#[inline(always)]
fn change(change: impl FnOnce(&mut Counts)) {
    if let Some(counts) = COUNTS.get_ptr_mut(0) {
        change(unsafe { &mut *counts });
    }
}
