//! Memory as user space sees it right after the OOM killer has chosen: memory.stat, what the machine has left, and who
//! uses most of what ran out. Read within a fraction of a millisecond of the kill, which is near it, but not at it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::event::BootNs;
use crate::model::{Hog, HostMemory, MemoryUser, Timeline};
use crate::node::cgroups;
use crate::node::files::{self, SMALL};
use crate::node::processes::parse_memory_cgroup;

/// Processes looked at for the largest. More of them would take longer than a verdict may.
const MAX_PROCESSES: usize = 4096;
/// Cgroups walked through below the limit owner.
const MAX_CGROUPS: usize = 1024;
/// The time that looking for the largest may take: events wait meanwhile.
const MAX_TIME: Duration = Duration::from_millis(100);
/// Entries of one directory that are looked at.
const MAX_ENTRIES: usize = 1 << 16;
/// Numbers in a memory.stat that are kept; the kernel's have some 60.
const MAX_NUMBERS: usize = 256;
/// Levels of cgroups that are looked at for a limit.
const MAX_LEVELS: usize = 16;
/// What v1 shows for no limit is as many whole pages as a long can count (mm/page_counter.c, `PAGE_COUNTER_MAX`); v2 says `max`.
const NO_LIMIT: u64 = 1 << 62;
/// The largest processes that are kept.
const TOP: usize = 5;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The cgroup whose limit was taken to be hit when this was read; none: the machine's memory.
    pub owner: Option<String>,
    /// memory.stat of the victim's memory cgroup; none when it was gone.
    pub stat: Option<BTreeMap<String, u64>>,
    /// memory.stat of the limit owner, when that is another cgroup.
    pub owner_stat: Option<BTreeMap<String, u64>>,
    pub host: Option<HostMemory>,
    /// The largest processes below the limit owner, or of the whole machine, the victim left out; largest first.
    pub largest: Vec<MemoryUser>,
    /// There were more processes than were looked at.
    pub incomplete: bool,
    /// Processes below the limit owner, or of the whole machine; none when there were more than were counted.
    #[serde(default)]
    pub processes: Option<u32>,
    /// cgroup v1: the kernel's own memory on behalf of the limit owner, in bytes.
    #[serde(default)]
    pub kernel_bytes: Option<u64>,
    /// What was followed of the limit's owner, or of what the victim was in, before the kill.
    #[serde(default)]
    pub timeline: Option<Timeline>,
    /// Who took the machine's memory, where that ran out.
    #[serde(default)]
    pub hog: Option<Hog>,
    /// Why there may be none, where there is none.
    #[serde(default)]
    pub unfollowed: Option<String>,
}

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub struct MemoryScope<'a> {
    /// The victim's memory cgroup.
    pub cgroup: &'a str,
    /// The cgroup whose limit was hit; none: the machine's memory ran out.
    pub owner: Option<&'a str>,
    pub victim: u32,
    /// When the victim was marked.
    pub at: BootNs,
}

/// Where to read.
#[derive(Clone, Debug)]
pub struct MemoryFiles {
    /// Mount point of the hierarchy that has the memory controller.
    mount: Option<PathBuf>,
    proc: PathBuf,
    page_size: u64,
}

impl MemoryFiles {
    /// Finds the hierarchy; without one there is no memory.stat. `page_size` in bytes.
    #[must_use]
    pub fn find(page_size: u64) -> Self {
        let all = cgroups::hierarchies().unwrap_or_default();
        let mount = cgroups::memory(&all).map(|hierarchy| hierarchy.mount.clone());
        Self { mount, proc: PathBuf::from("/proc"), page_size }
    }

    /// Reads processes below `proc`, and no cgroups.
    #[cfg(test)]
    pub(super) fn at(proc: &Path, page_size: u64) -> Self {
        Self { mount: None, proc: proc.to_owned(), page_size }
    }

    /// Reads everything that there is.
    #[must_use]
    pub fn read(&self, scene: MemoryScope<'_>) -> Snapshot {
        let meminfo = files::read_text(&self.proc.join("meminfo"), SMALL).ok();
        let until = Instant::now() + MAX_TIME;
        let (pids, more) = self.processes(scene.owner, until);
        let processes = u32::try_from(pids.len()).ok().filter(|count| *count > 0 && !more);
        let (mut largest, late) = self.largest(pids.into_iter().filter(|pid| *pid != scene.victim), until);
        // Where a limit was hit, it is known where they are.
        for user in largest.iter_mut().filter(|_| scene.owner.is_none()) {
            user.cgroup = self.cgroup(user.pid);
            user.limited = user.cgroup.as_deref().and_then(|cgroup| self.is_limited(cgroup));
        }
        Snapshot {
            owner: scene.owner.map(str::to_owned),
            stat: self.stat(scene.cgroup),
            owner_stat: scene.owner.filter(|owner| *owner != scene.cgroup).and_then(|owner| self.stat(owner)),
            host: meminfo.map(|text| parse_meminfo(&text)),
            largest,
            incomplete: more || late,
            processes,
            kernel_bytes: scene.owner.and_then(|owner| self.kernel(owner)),
            timeline: None,
            hog: None,
            unfollowed: None,
        }
    }

    /// Where processes are read, and the kernel's page size in bytes.
    pub(super) fn proc(&self) -> (&Path, u64) {
        (&self.proc, self.page_size)
    }

    fn dir(&self, cgroup: &str) -> Option<PathBuf> {
        Some(self.mount.as_ref()?.join(cgroup.trim_start_matches('/')))
    }

    fn stat(&self, cgroup: &str) -> Option<BTreeMap<String, u64>> {
        let text = files::read_text(&self.dir(cgroup)?.join("memory.stat"), SMALL).ok()?;
        Some(parse_stat(&text))
    }

    /// Of v1 (mm/memcontrol-v1.c, `mem_cgroup_legacy_files`).
    fn kernel(&self, cgroup: &str) -> Option<u64> {
        let text = files::read_text(&self.dir(cgroup)?.join("memory.kmem.usage_in_bytes"), SMALL).ok()?;
        text.trim().parse().ok()
    }

    /// The processes in a cgroup and below it, or of the whole machine; and whether there were more.
    pub(super) fn processes(&self, owner: Option<&str>, until: Instant) -> (Vec<u32>, bool) {
        let mut pids = Vec::new();
        let incomplete = match owner.map(|owner| self.dir(owner)) {
            None => {
                let entries = fs::read_dir(&self.proc).into_iter().flatten().flatten();
                let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
                pids.extend(all.take(MAX_PROCESSES + 1));
                false
            }
            Some(None) => true,
            Some(Some(dir)) => walk(dir, &mut pids, until),
        };
        let more = pids.len() > MAX_PROCESSES;
        pids.truncate(MAX_PROCESSES);
        (pids, incomplete || more)
    }

    /// The largest of `pids`; and whether there was no time to look at all of them.
    fn largest(&self, pids: impl Iterator<Item = u32>, until: Instant) -> (Vec<MemoryUser>, bool) {
        let mut late = false;
        let in_time = pids.take_while(|_| {
            late = Instant::now() >= until;
            !late
        });
        let mut sizes: Vec<(u64, u32)> = in_time.filter_map(|pid| Some((self.resident(pid)?, pid))).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.truncate(TOP);
        let named = sizes.into_iter().filter(|(bytes, _)| *bytes > 0).filter_map(|(resident_bytes, pid)| {
            let comm = files::read(&self.proc.join(pid.to_string()).join("comm"), SMALL).ok()?;
            let comm = String::from_utf8_lossy(&comm).trim_end().to_owned();
            Some(MemoryUser { pid, comm, resident_bytes, cgroup: None, limited: None })
        });
        (named.collect(), late)
    }

    /// The memory cgroup of a process (cgroups(7)).
    fn cgroup(&self, pid: u32) -> Option<String> {
        parse_memory_cgroup(&files::read(&self.proc.join(pid.to_string()).join("cgroup"), SMALL).ok()?)
    }

    /// Whether a limit is set on the cgroup or on one above it; none where that cannot be read.
    fn is_limited(&self, cgroup: &str) -> Option<bool> {
        let mut dir = self.dir(cgroup)?;
        let mount = self.mount.as_ref()?;
        for _ in 0..MAX_LEVELS {
            // The root has no such file on v2, and no limit on v1.
            if dir == *mount || !dir.starts_with(mount) {
                return Some(false);
            }
            let read = |file: &str| files::read_text(&dir.join(file), SMALL).ok();
            let limit = read("memory.max").or_else(|| read("memory.limit_in_bytes"))?;
            if limit.trim().parse::<u64>().is_ok_and(|limit| limit < NO_LIMIT) {
                return Some(true);
            }
            dir.pop();
        }
        None
    }

    /// Resident memory, in bytes: the second field of statm (proc(5)).
    fn resident(&self, pid: u32) -> Option<u64> {
        let text = files::read_text(&self.proc.join(pid.to_string()).join("statm"), SMALL).ok()?;
        text.split(' ').nth(1)?.parse::<u64>().ok()?.checked_mul(self.page_size)
    }
}

/// Collects the processes in the cgroup at `dir` and below it; whether there were more than are looked at.
fn walk(dir: PathBuf, pids: &mut Vec<u32>, until: Instant) -> bool {
    let mut waiting = vec![dir];
    let mut cgroups = 0;
    while let Some(dir) = waiting.pop() {
        cgroups += 1;
        if cgroups > MAX_CGROUPS || pids.len() > MAX_PROCESSES || Instant::now() >= until {
            return true;
        }
        let listed = files::read_start(&dir.join("cgroup.procs"), SMALL).unwrap_or_default();
        let text = files::text(listed.bytes);
        // The last line may be half a number, and there are too many anyway.
        let lines = text.lines().take(if listed.cut { MAX_PROCESSES + 1 } else { usize::MAX });
        // 0 is a process in a pid namespace that cannot be seen from here.
        pids.extend(lines.filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0));
        // One more than are walked through, so that it shows.
        let room = (MAX_CGROUPS + 1).saturating_sub(cgroups + waiting.len());
        waiting.extend(below(&dir).take(room));
    }
    false
}

fn below(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(MAX_ENTRIES).flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// `anon 4096` a line.
pub(super) fn parse_stat(text: &str) -> BTreeMap<String, u64> {
    text.lines()
        .filter_map(|line| {
            let (key, value) = line.split_once(' ')?;
            Some((key.to_owned(), value.trim().parse().ok()?))
        })
        .take(MAX_NUMBERS)
        .collect()
}

/// `MemAvailable:   123 kB` (proc(5)).
fn parse_meminfo(meminfo: &str) -> HostMemory {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    HostMemory {
        total_bytes: field("MemTotal"),
        available_bytes: field("MemAvailable"),
        free_bytes: field("MemFree"),
        swap_total_bytes: field("SwapTotal"),
        swap_free_bytes: field("SwapFree"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_and_meminfo_are_read_and_damaged_lines_left_out() {
        let stat = parse_stat("anon 4096\nfile 8192\nbad\nworse x\n");
        assert_eq!(stat.get("file"), Some(&8192));
        assert_eq!(stat.len(), 2);
        let host = parse_meminfo("MemTotal: 1 kB\nMemAvailable:     2048 kB\nMemFree: many kB\n");
        assert_eq!((host.total_bytes, host.available_bytes, host.free_bytes), (Some(1024), Some(2 << 20), None));
        assert_eq!(parse_meminfo(""), HostMemory::default());
    }

    /// A tree as the kernel shows it: two processes in a cgroup below the owner, one beside it.
    #[test]
    fn the_largest_processes_below_the_owner_are_named_largest_first() {
        let dir = tempfile::tempdir().unwrap();
        let (mount, proc) = (dir.path().join("memory"), dir.path().join("proc"));
        for (cgroup, pids) in [("pod", "1\n0\n"), ("pod/a", "2\n3\n"), ("other", "4\n")] {
            fs::create_dir_all(mount.join(cgroup)).unwrap();
            fs::write(mount.join(cgroup).join("cgroup.procs"), pids).unwrap();
        }
        for (pid, pages) in [(1, 10), (2, 30), (3, 20), (4, 99)] {
            fs::create_dir_all(proc.join(pid.to_string())).unwrap();
            fs::write(proc.join(pid.to_string()).join("statm"), format!("500 {pages} 1 1 0 9 0\n")).unwrap();
            fs::write(proc.join(pid.to_string()).join("comm"), format!("p{pid}\n")).unwrap();
        }
        let files = MemoryFiles { mount: Some(mount), proc, page_size: 4096 };
        let largest = |owner| {
            let snapshot = files.read(MemoryScope { cgroup: "/pod/a", owner, victim: 3, at: 0 });
            assert!(!snapshot.incomplete);
            snapshot.largest.into_iter().map(|user| (user.comm, user.resident_bytes >> 12)).collect::<Vec<_>>()
        };
        assert_eq!(largest(Some("/pod")), [("p2".to_owned(), 30), ("p1".to_owned(), 10)]);
        assert_eq!(largest(None)[0], ("p4".to_owned(), 99));
        for (pid, cgroup) in [(1, "4:memory:/pod"), (2, "4:memory:/pod/a"), (4, "2:cpu:/x\n0::/other")] {
            fs::write(files.proc.join(pid.to_string()).join("cgroup"), format!("{cgroup}\n")).unwrap();
        }
        for (cgroup, limit) in [("pod", "9223372036854771712"), ("pod/a", "4096"), ("other", "max")] {
            fs::write(files.mount.as_ref().unwrap().join(cgroup).join("memory.limit_in_bytes"), limit).unwrap();
        }
        let of_machine = files.read(MemoryScope { cgroup: "/pod/a", owner: None, victim: 3, at: 0 });
        let placed: Vec<_> =
            of_machine.largest.iter().map(|user| (user.pid, user.cgroup.as_deref(), user.limited)).collect();
        assert_eq!(
            placed,
            [(4, Some("/other"), Some(false)), (2, Some("/pod/a"), Some(true)), (1, Some("/pod"), Some(false)),]
        );
        assert_eq!(largest(Some("/gone")), []);
    }
}
