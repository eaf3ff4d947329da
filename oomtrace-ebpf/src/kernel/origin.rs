//! How a signal was generated, as far as its `siginfo` and the victim's limits show it.

use oomtrace_common::{event::Origin, layout::ABSENT};

use super::{KernelRead as _, Probed, field};
use crate::{globals::layout, record::Record};

/// `si_pid` and `si_uid` of a 64-bit `siginfo`, which no kernel can move: programs are compiled with it
/// (include/uapi/asm-generic/siginfo.h).
const SI_PID: u32 = 16;
/// Of `rlim[RLIMIT_CPU].rlim_max`, whose number is 0, and `rlim[RLIMIT_RTTIME].rlim_max`, whose number is 15, from the array's start
/// (include/uapi/asm-generic/resource.h).
const CPU_MAX: u32 = 8;
const RTTIME_MAX: u32 = 15 * 16 + 8;

/// Appends the [`Origin`] of a signal to `victim` with this `siginfo`, which may be one of the kernel's two that are none.
#[inline(always)]
pub fn push<T>(record: &Record<T>, info: u64, victim: u64) {
    let Some(end) = record.end() else { return };
    // The kernel's two are no addresses, and read as zeroes.
    let [si_pid, si_uid] = Probed::read(info, SI_PID);
    let signal: u64 = field!(victim, task_signal);
    let limit = |of: u32| match layout!(signal_rlim) {
        ABSENT => u64::MAX,
        rlim => Probed::read(signal, rlim + of),
    };
    let origin = Origin {
        si_pid,
        si_uid,
        cpu_limit: limit(CPU_MAX),
        rttime_limit: limit(RTTIME_MAX),
        // `cputime_atomic` comes first, its user and system time before the rest (include/linux/sched/types.h and
        // include/linux/sched/cputime.h, 5.4 to 7.3).
        cpu_used: field!(signal, signal_cputimer),
    };
    // SAFETY: `end` has room for a section. Strings of any length come before it, so it may not be aligned.
    unsafe { end.cast::<Origin>().write_unaligned(origin) };
    record.grow(size_of::<Origin>() as u64);
}
