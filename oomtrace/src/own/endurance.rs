//! What lets oomtrace go on while the machine runs out of memory: a tracer that dies of what it should report is no use.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::mm::{MlockAllFlags, mlockall, munlockall};

use crate::probe::requirements::{self, Capability};

/// Makes this process the last to be chosen, and keeps its memory where it is. What this process may not do stays as it is.
pub fn outlast() {
    shun_oom_killer();
    lock_memory();
}

/// Makes this process the last to be chosen. Needs CAP_SYS_RESOURCE.
pub fn shun_oom_killer() {
    const SCORE_ADJ: &str = "-999";
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", SCORE_ADJ) {
        log::debug!("oom_score_adj stays as it is: {error}");
    }
}

/// This process's memory is locked.
static LOCKED: AtomicBool = AtomicBool::new(false);

/// What is mapped stays once it was touched, code and data: a machine that is short of memory drops a program's code first, and then reads
/// it again and again. `MCL_ONFAULT` (4.4) takes no more memory than without. What is mapped later is not locked (`MCL_FUTURE`): threads
/// that have given up CAP_IPC_LOCK could map nothing any more, RLIMIT_MEMLOCK being far below what is locked, and the first larger
/// allocation would end the process.
fn lock_memory() {
    if !requirements::capabilities().is_ok_and(|capabilities| capabilities.has(Capability::IpcLock)) {
        log::debug!("memory is not locked: no CAP_IPC_LOCK");
        return;
    }
    lock();
}

fn lock() {
    let locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT);
    if let Err(error) = locked {
        log::debug!("memory is not locked: {}", io::Error::from(error));
    }
    LOCKED.store(locked.is_ok(), Ordering::Relaxed);
}

/// Does what locked memory stands in the way of: one thread at a time.
pub fn unlocked(work: impl FnOnce()) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let was_locked = LOCKED.load(Ordering::Relaxed);
    if was_locked {
        // It does not fail on Linux.
        _ = munlockall();
    }
    work();
    if was_locked {
        lock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_without_privileges_still_gets_memory() {
        lock_memory();
        let (done, is_done) = std::sync::mpsc::channel();
        // More than any limit of locked memory that a system has by default, at once and by growth.
        crate::own::writer::spawn("writer", move || {
            let mut large = vec![1_u8; 96 << 20];
            large.reserve(96 << 20);
            done.send(large.len()).unwrap();
        })
        .unwrap();
        assert_eq!(is_done.recv().unwrap(), 96 << 20);
        _ = munlockall();
    }
}
