//! What `/proc` adds to a process that the kernel side named: its command line and its executable. Read as soon as the
//! event arrives, because a killed process keeps them only until its memory is gone.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

mod reader;

use oomtrace_common::event::PF_EXITING;
use serde::{Deserialize, Serialize};

use crate::event::{Arguments, BootNs, ProcessKey};
use crate::node::files::{self, SMALL};
use crate::redact::Privacy;
use reader::{Answer, Reader};

/// Processes remembered: those looked up last. A sender's parents are looked up again with each of its kills, also when they
/// have ended meanwhile.
const CAPACITY: usize = 2048;
/// Bytes that they take at most, together.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of a command line that are kept, as in the kernel side.
const MAX_CMDLINE: usize = oomtrace_common::limits::MAX_CMDLINE;

/// What `/proc` says of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    pub exe: Option<String>,
    pub cmdline: Option<Vec<String>>,
    pub cmdline_truncated: bool,
    /// The name that the process had then, by which it is seen when it runs another program.
    #[serde(default)]
    pub comm: Option<String>,
    /// They were not read in time, and nothing is known for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl Details {
    /// They are of the program that has the name `comm`. A process that runs another program has another name.
    #[must_use]
    pub fn are_of(&self, comm: Option<&str>) -> bool {
        match (self.comm.as_deref(), comm) {
            (Some(known), Some(comm)) => known == comm,
            // Recordings before wire version 7 do not say.
            _ => true,
        }
    }

    /// Bytes that they take, about.
    fn size(&self) -> usize {
        const OVERHEAD: usize = 64;
        let arguments = self.cmdline.iter().flatten().map(|argument| argument.len() + OVERHEAD);
        arguments.sum::<usize>() + self.exe.as_ref().map_or(0, String::len) + 4 * OVERHEAD
    }
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
    reader: Reader,
    privacy: Privacy,
    /// What is known, and when it was last asked for.
    known: HashMap<ProcessKey, (Details, u64)>,
    asked: u64,
    bytes: usize,
    /// Those that were not read in time, and may be gone by now.
    late: HashSet<ProcessKey>,
    unknown: Details,
    unread: Details,
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
        let reader = Reader::new(proc, tick_ns());
        let (unknown, unread) = (Details::default(), Details { late: true, ..Details::default() });
        Self { reader, privacy, known: HashMap::new(), asked: 0, bytes: 0, late: HashSet::new(), unknown, unread }
    }

    /// What is known of the process when it ran the program that has the name `comm`, if that is given; looks it up the first
    /// time. Empty when it is gone, a zombie, runs another program or its pid is another's by now: that is not remembered, because
    /// the dead are many and not asked for again. One that was not read in time while it was there stays late.
    pub fn look_up(&mut self, key: ProcessKey, comm: Option<&str>) -> &Details {
        self.asked += 1;
        if !self.known.get(&key).is_some_and(|(details, _)| details.are_of(comm)) {
            match self.reader.read(key) {
                Answer::Known(details) if details.are_of(comm) => {
                    self.late.remove(&key);
                    self.remember(key, details.private(self.privacy));
                }
                Answer::Known(_) | Answer::Gone if !self.late.contains(&key) => return &self.unknown,
                Answer::Known(_) | Answer::Gone => return &self.unread,
                Answer::Late => {
                    if self.late.len() >= CAPACITY {
                        self.late.clear();
                    }
                    self.late.insert(key);
                    return &self.unread;
                }
            }
        }
        match self.known.get_mut(&key) {
            Some((details, asked)) => {
                *asked = self.asked;
                details
            }
            None => &self.unknown,
        }
    }

    fn remember(&mut self, key: ProcessKey, details: Details) {
        self.bytes += details.size();
        if let Some((before, _)) = self.known.insert(key, (details, self.asked)) {
            self.bytes = self.bytes.saturating_sub(before.size());
        }
        while self.known.len() > CAPACITY || (self.bytes > MAX_BYTES && self.known.len() > 1) {
            self.make_room();
        }
    }

    /// Forgets the half that was asked for longest ago.
    fn make_room(&mut self) {
        let mut times: Vec<u64> = self.known.values().map(|(_, asked)| *asked).collect();
        let middle = times.len().saturating_sub(1) / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let newest_forgotten = *median;
        // Each was asked for at a time of its own, so that some are always forgotten.
        self.known.retain(|_, (_, asked)| *asked > newest_forgotten);
        self.bytes = self.known.values().map(|(details, _)| details.size()).sum();
    }
}

fn read(proc: &Path, tick_ns: u64, key: ProcessKey) -> Option<Details> {
    let dir = proc.join(key.pid.to_string());
    let stat = |dir: &Path| files::read(&dir.join("stat"), SMALL).ok().and_then(|stat| Stat::parse(&stat));
    let before = stat(&dir)?;
    let cmdline = files::read_start(&dir.join("cmdline"), MAX_CMDLINE as u64).ok()?;
    let exe = fs::read_link(dir.join("exe")).ok();
    // Again, so that a pid that changed hands meanwhile is noticed, and a process that began to run another program.
    let after = stat(&dir)?;
    let is_same = (&before.comm, before.start_ticks) == (&after.comm, after.start_ticks);
    if !after.is_of(tick_ns, key.start) || !is_same {
        return None;
    }
    let (cmdline, cmdline_truncated) = arguments(&cmdline.bytes, cmdline.cut);
    let details = Details {
        exe: exe.map(|path| path.to_string_lossy().into_owned()),
        cmdline,
        cmdline_truncated,
        ..Details::default()
    };
    // A zombie has neither.
    (details != Details::default()).then_some(Details { comm: Some(after.comm), ..details })
}

/// The arguments in the first bytes of a command line; and whether there are more, if only for `cut`.
#[must_use]
pub fn arguments(cmdline: &[u8], cut: bool) -> (Option<Vec<String>>, bool) {
    let Some((shown, more)) = Arguments::new(cmdline).map(|arguments| arguments.to_vec()) else { return (None, cut) };
    (Some(shown), cut || more)
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
    let stat = Stat::parse(&files::read(&dir.join("stat"), SMALL).ok()?)?;
    Some(Outline {
        comm: stat.comm,
        start: stat.start_ticks.checked_mul(tick_ns())?,
        uid: fs::metadata(&dir).ok().map(|dir| dir.uid()),
        cgroups: cgroups(pid),
    })
}

/// Paths of the process's cgroups on all hierarchies; none when it is gone.
#[must_use]
pub fn cgroups(pid: u32) -> Vec<String> {
    // Each hierarchy's path may be as long as a path can be.
    const MAX: u64 = 256 << 10;
    let path = Path::new("/proc").join(pid.to_string()).join("cgroup");
    parse_cgroups(&files::read(&path, MAX).unwrap_or_default())
}

/// `4:memory:/path` a line (cgroups(7)).
#[must_use]
pub fn parse_cgroups(text: &[u8]) -> Vec<String> {
    cgroup_lines(text).map(|(_, path)| path).collect()
}

/// The path on the hierarchy that has the memory controller: a v1 hierarchy of its own, else v2's. None where neither has a line.
#[must_use]
pub(super) fn parse_memory_cgroup(text: &[u8]) -> Option<String> {
    let all: Vec<(String, String)> = cgroup_lines(text).collect();
    let on_v1 = all.iter().position(|(controllers, _)| controllers.split(',').any(|controller| controller == "memory"));
    let found = on_v1.or_else(|| all.iter().position(|(controllers, _)| controllers.is_empty()))?;
    all.into_iter().nth(found).map(|(_, path)| path)
}

/// The controllers and the path of each line.
fn cgroup_lines(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
        let mut next = || fields.next().map(|field| String::from_utf8_lossy(field).into_owned());
        Some((next()?, next()?))
    })
}

/// The process has not begun to end, by `/proc`: its end is still to come, for whoever waits for that. Of one whose first
/// thread has ended the other threads count.
#[must_use]
pub fn is_alive(key: ProcessKey) -> bool {
    let stat =
        files::read(Path::new(&format!("/proc/{}/stat", key.pid)), SMALL).ok().and_then(|stat| Stat::parse(&stat));
    stat.is_some_and(|stat| stat.is_of(tick_ns(), key.start) && !stat.has_ended())
}

/// It is this process. Seen from a pid namespace of its own it is not known again: there it has another number.
#[must_use]
pub fn is_self(key: ProcessKey) -> bool {
    key.pid == std::process::id() && is_alive(key)
}

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
    fn is_of(&self, tick_ns: u64, start: BootNs) -> bool {
        Some(self.start_ticks) == start.checked_div(tick_ns)
    }

    /// It is of a process that is a zombie, or on its way there.
    fn has_ended(&self) -> bool {
        self.flags & PF_EXITING != 0 && self.threads <= 1
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::arguments::MAX_ARGUMENTS;

    fn stat(name: &str, ticks: u64) -> String {
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
    fn a_process_that_is_ending_has_ended() {
        let stat =
            |flags: u32, threads: u32| format!("7 (a) b) S 1 7 7 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 {threads} 0 9 0");
        for (stat, ended) in [(stat(0x40_0100, 1), false), (stat(0x40_0104, 1), true), (stat(0x40_0104, 2), false)] {
            assert_eq!(Stat::parse(stat.as_bytes()).unwrap().has_ended(), ended, "{stat}");
        }
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let outline = outline(child.id()).unwrap();
        let key = ProcessKey { pid: child.id(), start: outline.start };
        // It stays a zombie until it is waited for.
        while is_alive(key) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        let own = crate::node::processes::outline(std::process::id()).unwrap();
        assert!(is_alive(ProcessKey { pid: std::process::id(), start: own.start }));
        assert!(is_self(ProcessKey { pid: std::process::id(), start: own.start }));
        // Another one of that number, in another pid namespace.
        assert!(!is_self(ProcessKey { pid: std::process::id(), start: own.start + tick_ns() }));
    }

    #[test]
    fn what_was_not_read_in_time_is_missing_for_that_until_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::new(dir.path().to_owned(), Privacy::Masked);
        let key = |pid| ProcessKey { pid, start: 0 };
        processes.late.insert(key(7));
        // Gone by now, as the other one is.
        assert!(processes.look_up(key(7), None).late);
        assert!(!processes.look_up(key(8), None).late);
        let process = dir.path().join("7");
        fs::create_dir_all(&process).unwrap();
        fs::write(process.join("cmdline"), "sh\0").unwrap();
        fs::write(process.join("stat"), stat("sh", 0)).unwrap();
        assert!(!processes.look_up(key(7), Some("sh")).late);
        assert!(processes.late.is_empty());
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
        assert!(processes.look_up(key(1), None).cmdline.is_some());
        fs::remove_dir_all(dir.path().join("1")).unwrap();
        for pid in 2..CAPACITY as u32 * 2 {
            write(pid);
            // On a machine that is short of processors one of thousands may not be read in time.
            processes.look_up(key(pid), None);
            assert_eq!(processes.look_up(key(1), None).cmdline.as_deref(), Some(&["p1".to_owned()][..]));
            assert!(processes.known.len() <= CAPACITY);
        }
        fs::remove_dir_all(dir.path().join("2")).unwrap();
        assert_eq!(*processes.look_up(key(2), None), Details::default());
        // The dead of a large incident push nobody out.
        let before = processes.known.len();
        fs::write(dir.path().join("3/cmdline"), "").unwrap();
        assert_eq!(*processes.look_up(key(3), None), Details::default());
        assert_eq!(processes.known.len(), before);
    }

    /// What it runs by now is not what an earlier event saw it run.
    #[test]
    fn another_programs_answer_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let write = |comm: &str| {
            fs::create_dir_all(dir.path().join("7")).unwrap();
            fs::write(dir.path().join("7/cmdline"), format!("{comm}\0")).unwrap();
            fs::write(dir.path().join("7/stat"), stat(comm, 0)).unwrap();
        };
        let mut processes = Processes::new(dir.path().to_owned(), Privacy::Masked);
        let key = ProcessKey { pid: 7, start: 0 };
        let mut cmdline =
            |comm: &str| processes.look_up(key, Some(comm)).cmdline.clone().map(|arguments| arguments.concat());
        write("sudo");
        assert_eq!(cmdline("attacker"), None);
        assert_eq!(cmdline("sudo").as_deref(), Some("sudo"));
        write("sh");
        // It is remembered, and is no answer for the next program.
        assert_eq!(cmdline("sudo").as_deref(), Some("sudo"));
        assert_eq!(cmdline("sh").as_deref(), Some("sh"));
        assert_eq!(cmdline("sudo"), None);
    }

    #[test]
    fn arguments_are_bounded_in_number_and_in_memory() {
        assert_eq!(arguments(b"a\0\xff\0\0", false), (Some(vec!["a".to_owned(), "\u{fffd}".to_owned()]), false));
        assert_eq!(arguments(b"\0\0", true), (None, true));
        let (kept, cut) = arguments(&b"x\0".repeat(MAX_ARGUMENTS + 1), false);
        assert_eq!((kept.unwrap().len(), cut), (MAX_ARGUMENTS, true));
        let mut processes = Processes::default();
        for pid in 0..CAPACITY as u32 {
            processes.asked += 1;
            let cmdline = Some(vec!["x".to_owned(); MAX_ARGUMENTS]);
            processes.remember(ProcessKey { pid, start: 0 }, Details { cmdline, ..Details::default() });
            assert!(processes.bytes <= MAX_BYTES);
        }
        assert!(!processes.known.is_empty());
    }

    #[test]
    fn this_process_is_found_and_another_start_is_not() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let ticks: u64 = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().parse().unwrap();
        let mut processes = Processes::default();
        let key = ProcessKey { pid: std::process::id(), start: ticks * tick_ns() };
        let found = processes.look_up(key, None).clone();
        assert_eq!(found.exe, std::env::current_exe().ok().map(|p| p.to_string_lossy().into_owned()));
        assert_eq!(found.cmdline.as_deref().map(<[_]>::len), Some(std::env::args().count()));
        let other = ProcessKey { start: (ticks + 1) * tick_ns(), ..key };
        assert_eq!(*processes.look_up(other, None), Details::default());
    }
}
