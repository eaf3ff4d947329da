//! What a signal did, from what the kernel had made of it by the time of the tracepoint (kernel/signal.c, 5.4 to 7.3).

use crate::event::{Disposition, Outcome, Signal};
use crate::model::Effect;
use crate::node::signals::SIGKILL;

/// By default they stop a process: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU (`SIG_KERNEL_STOP_MASK`, include/linux/signal.h).
const STOPS: [u32; 4] = [19, 20, 21, 22];
const SIGCONT: u32 = 18;
/// By default they do nothing: SIGCHLD, SIGURG, SIGWINCH (`SIG_KERNEL_IGNORE_MASK`, which has SIGCONT, too).
const NOTHING: [u32; 3] = [17, 23, 28];
/// By default they end a process once its memory is dumped: SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU,
/// SIGXFSZ, SIGSYS (`SIG_KERNEL_COREDUMP_MASK`).
const DUMPS: [u32; 10] = [3, 4, 5, 6, 7, 8, 11, 24, 25, 31];

/// None for a SIGKILL, and where a tracer decides.
#[must_use]
pub fn effect(signal: &Signal) -> Option<Effect> {
    if signal.number == SIGKILL {
        return None;
    }
    match (signal.victim.group_exit, signal.outcome) {
        // `complete_signal` has begun to end the whole process by this very signal.
        (Some(status), Outcome::Delivered) if status & 0x7f == signal.number => return Some(Effect::Ends),
        (Some(_), _) => return Some(Effect::AlreadyEnding),
        (None, Outcome::AlreadyPending) => return Some(Effect::AlreadyPending),
        (None, Outcome::Ignored) => return Some(Effect::Ignored),
        (None, Outcome::Delivered | Outcome::Other(_)) => {}
    }
    match signal.disposition? {
        Disposition::Blocked => Some(Effect::Blocked),
        Disposition::Handled => Some(Effect::Handled),
        Disposition::Ignored => Some(Effect::Ignored),
        Disposition::Default => match signal.number {
            SIGCONT => Some(Effect::Continues),
            number if STOPS.contains(&number) => Some(Effect::Stops),
            number if NOTHING.contains(&number) => Some(Effect::Ignored),
            number if DUMPS.contains(&number) => Some(Effect::Ends),
            // Those that end a process had begun to by now, unless it is traced.
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::fixture;

    #[test]
    fn what_a_signal_did_is_what_the_kernel_made_of_it() {
        use Disposition::{Blocked, Default, Handled, Ignored};
        let delivered = Outcome::Delivered;
        for (number, outcome, disposition, group_exit, expected) in [
            (15, delivered, Some(Default), Some(15), Some(Effect::Ends)),
            (15, delivered, Some(Handled), None, Some(Effect::Handled)),
            (15, delivered, Some(Blocked), None, Some(Effect::Blocked)),
            // Its first thread blocks it; another one does not.
            (15, delivered, Some(Blocked), Some(15), Some(Effect::Ends)),
            (15, Outcome::Ignored, Some(Ignored), None, Some(Effect::Ignored)),
            (15, Outcome::Ignored, Some(Default), None, Some(Effect::Ignored)),
            (15, Outcome::Ignored, Some(Default), Some(9), Some(Effect::AlreadyEnding)),
            (15, delivered, Some(Default), Some(9), Some(Effect::AlreadyEnding)),
            (15, Outcome::AlreadyPending, Some(Blocked), None, Some(Effect::AlreadyPending)),
            (15, delivered, Some(Default), None, None),
            (15, delivered, None, None, None),
            (6, delivered, Some(Default), None, Some(Effect::Ends)),
            (20, delivered, Some(Default), None, Some(Effect::Stops)),
            (18, delivered, Some(Default), None, Some(Effect::Continues)),
            (17, delivered, Some(Default), None, Some(Effect::Ignored)),
            (9, delivered, None, Some(9), None),
        ] {
            let mut signal = Signal { number, outcome, disposition, ..fixture::signal(5, 20) };
            signal.victim.group_exit = group_exit;
            assert_eq!(effect(&signal), expected, "{number} {outcome:?} {disposition:?} {group_exit:?}");
        }
    }
}
