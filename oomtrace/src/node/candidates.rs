//! The processes that the OOM killer could choose among, as /proc shows them right after it has: the kernel keeps no table.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::model::{Candidate, Candidates, Skipped};
use crate::node::files::{self, SMALL};
use crate::node::memory::MemoryFiles;

/// The time that looking may take: events wait meanwhile.
const MAX_TIME: Duration = Duration::from_millis(100);
/// Those that are kept.
const MAX_KEPT: usize = 512;
/// `OOM_SCORE_ADJ_MIN` (include/uapi/linux/oom.h).
const NEVER: i32 = -1000;

/// Whom to look at.
#[derive(Clone, Copy, Debug)]
pub struct CandidateScope<'a> {
    /// The cgroup whose limit was hit; none: the machine's memory ran out.
    pub owner: Option<&'a str>,
    /// The victim, which is known better.
    pub victim: u32,
    /// `oom_control.totalpages`, of which oom_score_adj counts thousandths; none: not known.
    pub total_pages: Option<u64>,
}

impl MemoryFiles {
    /// Reads them, the victim left out; the time is for whoever has a clock to say.
    #[must_use]
    pub fn candidates(&self, scope: CandidateScope<'_>) -> Candidates {
        let until = Instant::now() + MAX_TIME;
        let (proc, page_size) = self.proc();
        let (pids, mut incomplete) = self.processes(scope.owner, until);
        let mut processes = Vec::new();
        for pid in pids.into_iter().filter(|pid| *pid != scope.victim) {
            if Instant::now() >= until {
                incomplete = true;
                break;
            }
            // A kernel thread has no memory, and one that is gone no file.
            processes.extend(candidate(proc, pid, page_size, scope.total_pages));
        }
        let seen = u32::try_from(processes.len()).unwrap_or(u32::MAX);
        sort(&mut processes);
        processes.truncate(MAX_KEPT);
        Candidates { read_after_us: None, seen, incomplete, processes }
    }
}

/// The most points first, those that would be skipped last.
pub fn sort(processes: &mut [Candidate]) {
    let pages = |candidate: &Candidate| candidate.rss_bytes.saturating_add(candidate.swap_bytes);
    processes.sort_by_key(|candidate| {
        let points = std::cmp::Reverse((candidate.points, pages(candidate)));
        (candidate.would_be_skipped.is_some(), points, candidate.pid)
    });
}

/// `oom_badness` (mm/oom_kill.c, 5.9 to 7.3): pages in memory, in swap and of page tables, and thousandths of the total.
#[must_use]
pub fn points(bytes: u64, page_size: u64, adj: i32, total_pages: Option<u64>) -> Option<i64> {
    let pages = i64::try_from(bytes.checked_div(page_size)?).ok()?;
    if adj == 0 {
        return Some(pages);
    }
    let share = i64::try_from(total_pages?).ok()? / 1000;
    pages.checked_add(i64::from(adj).checked_mul(share)?)
}

fn candidate(proc: &Path, pid: u32, page_size: u64, total_pages: Option<u64>) -> Option<Candidate> {
    let dir = proc.join(pid.to_string());
    let status = files::read(&dir.join("status"), SMALL).ok()?;
    let status = String::from_utf8_lossy(&status);
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let size = |name: &str| field(name)?.strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024);
    let rss_bytes = size("VmRSS")?;
    let (swap_bytes, page_tables_bytes) = (size("VmSwap").unwrap_or(0), size("VmPTE").unwrap_or(0));
    let adj = files::read_text(&dir.join("oom_score_adj"), SMALL).ok()?.trim().parse().ok()?;
    let bytes = rss_bytes.saturating_add(swap_bytes).saturating_add(page_tables_bytes);
    Some(Candidate {
        pid,
        comm: field("Name")?.to_owned(),
        uid: field("Uid").and_then(|uids| uids.split_whitespace().nth(1)?.parse().ok()),
        chosen: false,
        points: points(bytes, page_size, adj, total_pages),
        rss_bytes,
        swap_bytes,
        page_tables_bytes,
        oom_score_adj: adj,
        would_be_skipped: match (pid, adj) {
            (1, _) => Some(Skipped::GlobalInit),
            (_, NEVER) => Some(Skipped::OomScoreAdj),
            _ => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn points_are_pages_and_thousandths_of_the_total() {
        for (bytes, adj, total, expected) in [
            (40 << 12, 0, None, Some(40)),
            (40 << 12, 0, Some(9000), Some(40)),
            (40 << 12, 500, Some(9000), Some(4540)),
            (40 << 12, -1000, Some(9000), Some(-8960)),
            // The kernel divides first.
            (40 << 12, 1000, Some(999), Some(40)),
            (40 << 12, 1, None, None),
            (0, 1000, Some(u64::MAX), None),
        ] {
            assert_eq!(points(bytes, 4096, adj, total), expected, "{bytes} {adj} {total:?}");
        }
        assert_eq!(points(1, 0, 0, None), None);
    }

    #[test]
    fn each_process_with_memory_is_a_candidate_and_those_that_are_skipped_come_last() {
        let proc = tempfile::tempdir().unwrap();
        for (pid, status, adj) in [
            (1, "Name:\tinit\nUid:\t0\t0\t0\t0\nVmRSS:\t  900000 kB\n", "0"),
            (2, "Name:\tkthreadd\nUid:\t0\t0\t0\t0\n", "0"),
            (30, "Name:\ta b\nUid:\t7\t8\t8\t8\nVmRSS:\t    40 kB\nVmSwap:\t  8 kB\nVmPTE:\t   4 kB\n", "0"),
            (31, "Name:\tbig\nUid:\t0\t0\t0\t0\nVmRSS:\t   400 kB\n", "-1000"),
            (32, "Name:\tsmall\nUid:\t0\t0\t0\t0\nVmRSS:\t   4 kB\n", "300"),
            (33, "Name:\tvictim\nUid:\t0\t0\t0\t0\nVmRSS:\t   4 kB\n", "0"),
            (34, "damaged", "x"),
        ] {
            let dir = proc.path().join(pid.to_string());
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("status"), status).unwrap();
            fs::write(dir.join("oom_score_adj"), format!("{adj}\n")).unwrap();
        }
        let read = |total_pages| {
            let files = MemoryFiles::at(proc.path(), 4096);
            files.candidates(CandidateScope { owner: None, victim: 33, total_pages })
        };
        let found = read(Some(100_000));
        assert!(!found.incomplete && found.seen == 4);
        let rows: Vec<_> =
            found.processes.iter().map(|one| (one.pid, one.points, one.uid, one.would_be_skipped)).collect();
        assert_eq!(
            rows,
            [
                (32, Some(30_001), Some(0), None),
                (30, Some(13), Some(8), None),
                (1, Some(225_000), Some(0), Some(Skipped::GlobalInit)),
                (31, Some(100 - 100_000), Some(0), Some(Skipped::OomScoreAdj)),
            ]
        );
        assert_eq!(found.processes[1].comm, "a b");
        let of_32 = read(None).processes.into_iter().find(|one| one.pid == 32).unwrap();
        assert_eq!((of_32.points, of_32.oom_score_adj), (None, 300));
    }
}
