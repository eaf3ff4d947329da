//! What `/proc` adds to a process that the kernel side named: its command line and its executable. Read as soon as the
//! event arrives, because a killed process keeps them only until its memory is gone.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use crate::event::ProcessKey;
use crate::redact::Privacy;
pub(super) use cgroups::parse_memory_cgroup;
pub use cgroups::{cgroups, parse_cgroups};
pub use details::{Details, arguments};
pub use outline::{Outline, is_alive, is_self, outline};
use reader::{Answer, Reader};
use stat::tick_ns;
pub use stat::{Stat, ticks};

mod cgroups;
mod details;
mod outline;
mod reader;
mod stat;

/// Processes remembered: those looked up last. A sender's parents are looked up again with each of its kills, also when they
/// have ended meanwhile.
const CAPACITY: usize = 2048;
/// Bytes that they take at most, together.
const MAX_BYTES: usize = 4 << 20;

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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::stat::tests::stat;
    use super::*;
    use crate::event::arguments::MAX_ARGUMENTS;

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
