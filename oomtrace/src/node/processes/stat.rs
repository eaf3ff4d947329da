//! `/proc/<pid>/stat`: which process it is, and whether it has ended.

use oomtrace_common::event::PF_EXITING;

use crate::event::BootNs;

/// What is of interest in `/proc/<pid>/stat` (proc(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub comm: String,
    pub flags: u32,
    pub threads: u32,
    pub start_ticks: u64,
}

impl Stat {
    /// Reads it. The name in parentheses may itself hold blanks, parentheses and any bytes: it ends at the last one.
    #[must_use]
    pub fn parse(stat: &[u8]) -> Option<Self> {
        let start = stat.iter().position(|byte| *byte == b'(')?;
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let comm = String::from_utf8_lossy(stat.get(start + 1..end)?).into_owned();
        let fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        let field = |number: usize| fields.split_ascii_whitespace().nth(number)?.parse::<u64>().ok();
        // Behind the name: flags are the ninth field of all, the number of threads the twentieth, the start the twenty-second.
        let small = |number: usize| u32::try_from(field(number)?).ok();
        Some(Self { comm, flags: small(6)?, threads: small(17)?, start_ticks: field(19)? })
    }

    /// It is of the process that started at `start`: ticks round down.
    pub(super) fn is_of(&self, tick_ns: u64, start: BootNs) -> bool {
        Some(self.start_ticks) == start.checked_div(tick_ns)
    }

    /// It is of a process that is a zombie, or on its way there.
    pub(super) fn has_ended(&self) -> bool {
        self.flags & PF_EXITING != 0 && self.threads <= 1
    }
}

/// Nanoseconds of one tick in `/proc/<pid>/stat`.
pub(super) fn tick_ns() -> u64 {
    use nix::unistd::{SysconfVar, sysconf};
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|t| u64::try_from(t).ok());
    // USER_HZ is 100 on every architecture that Linux runs on today.
    1_000_000_000 / ticks.filter(|t| *t > 0).unwrap_or(100)
}

/// A start on `CLOCK_BOOTTIME` as `/proc/PID/stat` has it, in ticks.
#[must_use]
pub fn ticks(start: BootNs) -> u64 {
    start.checked_div(tick_ns()).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn stat(name: &str, ticks: u64) -> String {
        format!("7 ({name}) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {ticks} 0 0")
    }

    #[test]
    fn a_reused_pid_is_not_the_process() {
        let tick = 10_000_000;
        for name in ["sh", "a b", ") S 1 (", "))"] {
            let is_of = |ticks| Stat::parse(stat(name, ticks).as_bytes()).unwrap().is_of(tick, 1_239_999_999);
            assert!(is_of(123) && !is_of(124), "{name}");
            assert_eq!(Stat::parse(stat(name, 1).as_bytes()).unwrap().comm, name);
        }
        for damaged in ["", "7 (sh", "7 (sh) S 1", ")(", "7 )( S 1"] {
            assert_eq!(Stat::parse(damaged.as_bytes()), None, "{damaged:?}");
        }
        let bytes = [b"7 (\xff\xfe".as_slice(), stat("", 5).split_once('(').unwrap().1.as_bytes()].concat();
        assert_eq!(
            Stat::parse(&bytes).map(|stat| (stat.comm, stat.start_ticks)),
            Some(("\u{fffd}\u{fffd}".to_owned(), 5))
        );
    }

    #[test]
    fn one_that_is_on_its_way_to_a_zombie_has_ended() {
        let stat =
            |flags: u32, threads: u32| format!("7 (a) b) S 1 7 7 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 {threads} 0 9 0");
        for (stat, ended) in [(stat(0x40_0100, 1), false), (stat(0x40_0104, 1), true), (stat(0x40_0104, 2), false)] {
            assert_eq!(Stat::parse(stat.as_bytes()).unwrap().has_ended(), ended, "{stat}");
        }
    }
}
