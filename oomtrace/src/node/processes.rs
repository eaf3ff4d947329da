//! What `/proc` adds to a process that the kernel side named: its command line and its executable. Read as soon as the
//! event arrives, because a killed process keeps them only until its memory is gone.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use oomtrace_common::event::PF_EXITING;
use serde::{Deserialize, Serialize};

use super::files;
use crate::probe::event::{BootNs, ProcessKey};
use crate::redact::Privacy;

/// Processes remembered: those looked up last. A sender's parents are looked up again with each of its kills, also when they
/// have ended meanwhile.
const CAPACITY: usize = 2048;
/// Bytes of a command line that are kept, as in the kernel side.
const MAX_CMDLINE: usize = oomtrace_common::limits::MAX_CMDLINE;

/// Bytes of `/proc/PID/stat`, which has some fifty numbers and a name of at most 64 bytes.
const MAX_STAT: u64 = 4 << 10;
/// Bytes of `/proc/PID/cgroup`: a path has at most 4096, and there are some twelve hierarchies.
const MAX_CGROUP: u64 = 64 << 10;

/// What `/proc` says of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    pub exe: Option<String>,
    pub cmdline: Option<Vec<String>>,
    pub cmdline_truncated: bool,
}

impl Details {
    /// What of it may be shown.
    #[must_use]
    pub fn private(self, privacy: Privacy) -> Self {
        let Some(cmdline) = self.cmdline else { return self };
        let (cmdline, cmdline_truncated) = privacy.cmdline(cmdline, self.cmdline_truncated);
        Self { cmdline: Some(cmdline), cmdline_truncated, ..self }
    }
}

/// Looks processes up in `/proc` and remembers them.
#[derive(Debug)]
pub struct Processes {
    proc: PathBuf,
    privacy: Privacy,
    /// Nanoseconds of one tick in `/proc/<pid>/stat`.
    tick_ns: u64,
    /// What is known, and when it was last asked for.
    known: HashMap<ProcessKey, (Details, u64)>,
    asked: u64,
    unknown: Details,
}

impl Default for Processes {
    fn default() -> Self {
        Self::new(PathBuf::from("/proc"), Privacy::Shown)
    }
}

impl Processes {
    /// Looks up in the proc file system at `proc`; of command lines, what `privacy` lets through is given.
    #[must_use]
    pub fn new(proc: PathBuf, privacy: Privacy) -> Self {
        Self { proc, privacy, tick_ns: tick_ns(), known: HashMap::new(), asked: 0, unknown: Details::default() }
    }

    /// What is known of the process; looks it up the first time. Empty when it is gone, a zombie, or its pid is another's by
    /// now: that is not remembered, because the dead are many and not asked for again.
    pub fn look_up(&mut self, key: ProcessKey) -> &Details {
        self.asked += 1;
        if !self.known.contains_key(&key) {
            let Some(details) = read(&self.proc, self.tick_ns, key) else { return &self.unknown };
            self.make_room();
            self.known.insert(key, (details.private(self.privacy), 0));
        }
        match self.known.get_mut(&key) {
            Some((details, asked)) => {
                *asked = self.asked;
                details
            }
            None => &self.unknown,
        }
    }

    /// Forgets the half that was asked for longest ago, when there are too many.
    fn make_room(&mut self) {
        if self.known.len() < CAPACITY {
            return;
        }
        let mut times: Vec<u64> = self.known.values().map(|(_, asked)| *asked).collect();
        let (_, median, _) = times.select_nth_unstable(CAPACITY / 2);
        let oldest_kept = *median;
        self.known.retain(|_, (_, asked)| *asked >= oldest_kept);
    }
}

fn read(proc: &Path, tick_ns: u64, key: ProcessKey) -> Option<Details> {
    let dir = proc.join(key.pid.to_string());
    // One byte more tells that there is more. A process can make it gigabytes long (prctl(2), PR_SET_MM_MAP).
    let cmdline = files::read(&dir.join("cmdline"), MAX_CMDLINE as u64 + 1).ok()?;
    let exe = fs::read_link(dir.join("exe")).ok();
    // Last, so that a pid that changed hands meanwhile is noticed.
    if !same_process(&files::read_text(&dir.join("stat"), MAX_STAT).ok()?, tick_ns, key.start) {
        return None;
    }
    let cmdline_truncated = cmdline.len() > MAX_CMDLINE;
    let kept = cmdline.get(..MAX_CMDLINE).unwrap_or(&cmdline);
    let mut arguments: Vec<String> =
        kept.split(|b| *b == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect();
    while arguments.last().is_some_and(String::is_empty) {
        arguments.pop();
    }
    let details = Details {
        exe: exe.map(|path| path.to_string_lossy().into_owned()),
        cmdline: (!arguments.is_empty()).then_some(arguments),
        cmdline_truncated,
    };
    // A zombie has neither.
    (details != Details::default()).then_some(details)
}

/// A process that no event has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    pub comm: String,
    /// On `CLOCK_BOOTTIME`, in nanoseconds, to a tick.
    pub start: BootNs,
    pub uid: Option<u32>,
    /// Paths of its cgroups on all hierarchies.
    pub cgroups: Vec<String>,
}

/// What `/proc` says of the process `pid`; none when it is gone.
#[must_use]
pub fn outline(pid: u32) -> Option<Outline> {
    use std::os::unix::fs::MetadataExt as _;
    let dir = Path::new("/proc").join(pid.to_string());
    let stat = files::read_text(&dir.join("stat"), MAX_STAT).ok()?;
    let comm = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
    let cgroups = files::read_text(&dir.join("cgroup"), MAX_CGROUP).ok()?;
    let paths = cgroups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).map(str::to_owned);
    Some(Outline {
        comm,
        start: start_ticks(&stat)?.checked_mul(tick_ns())?,
        uid: fs::metadata(&dir).ok().map(|dir| dir.uid()),
        cgroups: paths.collect(),
    })
}

/// The process has not begun to end, as `/proc` tells: its end is still to come, for whoever waits for that. Of one whose first
/// thread has ended the other threads count.
#[must_use]
pub fn is_alive(key: ProcessKey) -> bool {
    let stat = files::read_text(Path::new(&format!("/proc/{}/stat", key.pid)), MAX_STAT).unwrap_or_default();
    same_process(&stat, tick_ns(), key.start) && !has_ended(&stat)
}

/// `stat` is of a process that is a zombie, or on its way there.
fn has_ended(stat: &str) -> bool {
    let field = |number: usize| stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(number)?.parse::<u32>().ok();
    // Behind the name: flags, the ninth field of all, and the number of threads, the twentieth (proc(5)).
    let (Some(flags), Some(threads)) = (field(6), field(17)) else { return true };
    flags & PF_EXITING != 0 && threads <= 1
}

/// Nanoseconds of one tick in `/proc/<pid>/stat`.
fn tick_ns() -> u64 {
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

/// The process that `stat` is of started at `start`: field 22 counts in ticks, and rounds down (proc(5)).
fn same_process(stat: &str, tick_ns: u64, start: BootNs) -> bool {
    start_ticks(stat) == start.checked_div(tick_ns)
}

fn start_ticks(stat: &str) -> Option<u64> {
    // The name in parentheses may itself hold blanks and parentheses: count from the last one.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(name: &str, ticks: u64) -> String {
        format!("7 ({name}) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {ticks} 0 0")
    }

    #[test]
    fn a_reused_pid_is_not_the_process() {
        let tick = 10_000_000;
        for name in ["sh", "a b", ") S 1 (", "))"] {
            assert!(same_process(&stat(name, 123), tick, 1_239_999_999), "{name}");
            assert!(!same_process(&stat(name, 124), tick, 1_239_999_999), "{name}");
        }
        for damaged in ["", "7 (sh", "7 (sh) S 1"] {
            assert!(!same_process(damaged, tick, 0), "{damaged:?}");
        }
    }

    #[test]
    fn a_process_that_is_ending_has_ended() {
        let stat =
            |flags: u32, threads: u32| format!("7 (a) b) S 1 7 7 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 {threads} 0 9 0");
        for (stat, ended) in [
            (stat(0x40_0100, 1), false),
            (stat(0x40_0104, 1), true),
            (stat(0x40_0104, 2), false),
            ("7 (sh".to_owned(), true),
        ] {
            assert_eq!(has_ended(&stat), ended, "{stat}");
        }
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let outline = outline(child.id()).unwrap();
        let key = ProcessKey { pid: child.id(), start: outline.start };
        // It stays a zombie until it is waited for.
        while is_alive(key) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        let own = super::outline(std::process::id()).unwrap();
        assert!(is_alive(ProcessKey { pid: std::process::id(), start: own.start }));
    }

    /// A sender's parent is asked for with each of its kills, and stays known after it has ended.
    #[test]
    fn what_is_asked_for_again_and_again_is_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::new(dir.path().to_owned(), Privacy::Masked);
        let write = |pid: u32| {
            let process = dir.path().join(pid.to_string());
            fs::create_dir_all(&process).unwrap();
            fs::write(process.join("cmdline"), format!("p{pid}\0")).unwrap();
            fs::write(process.join("stat"), stat("x", 0)).unwrap();
        };
        let key = |pid| ProcessKey { pid, start: 0 };
        write(1);
        assert!(processes.look_up(key(1)).cmdline.is_some());
        fs::remove_dir_all(dir.path().join("1")).unwrap();
        for pid in 2..CAPACITY as u32 * 2 {
            write(pid);
            assert!(processes.look_up(key(pid)).cmdline.is_some());
            assert_eq!(processes.look_up(key(1)).cmdline.as_deref(), Some(&["p1".to_owned()][..]));
            assert!(processes.known.len() <= CAPACITY);
        }
        fs::remove_dir_all(dir.path().join("2")).unwrap();
        assert_eq!(*processes.look_up(key(2)), Details::default());
        // The dead of a large incident push nobody out.
        let before = processes.known.len();
        fs::write(dir.path().join("3/cmdline"), "").unwrap();
        assert_eq!(*processes.look_up(key(3)), Details::default());
        assert_eq!(processes.known.len(), before);
    }

    #[test]
    fn this_process_is_found_and_another_start_is_not() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let ticks: u64 = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().parse().unwrap();
        let mut processes = Processes::default();
        let key = ProcessKey { pid: std::process::id(), start: ticks * processes.tick_ns };
        let found = processes.look_up(key).clone();
        assert_eq!(found.exe, std::env::current_exe().ok().map(|p| p.to_string_lossy().into_owned()));
        assert_eq!(found.cmdline.as_deref().map(<[_]>::len), Some(std::env::args().count()));
        let other = ProcessKey { start: (ticks + 1) * processes.tick_ns, ..key };
        assert_eq!(*processes.look_up(other), Details::default());
    }
}
