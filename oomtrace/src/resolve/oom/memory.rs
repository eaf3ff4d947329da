//! What memory the victim's cgroups, the limit's owner and the host had: what the kernel recorded, and what user space read for it.

use std::cmp::Reverse;

use super::limit::{path_of, victim_path};
use crate::event::MarkVictim;
use crate::model::{Memory, MemoryLevel, MemoryUser, Oom, OomScope, Timeline, TimelinePoint};
use crate::node::memory::Snapshot;

/// The contract's form of all levels, and of what user space read for `oom`. What could not be seen goes to `unseen`, in words.
#[must_use]
pub fn describe_memory(
    mark: &MarkVictim,
    oom: &Oom,
    snapshot: Option<Snapshot>,
    unseen: &mut Vec<String>,
) -> Option<Memory> {
    let levels: Vec<MemoryLevel> = mark
        .levels
        .iter()
        .filter_map(|level| {
            let is_v2 = level.cgroup.hierarchy == 0;
            Some(MemoryLevel {
                path: path_of(level, victim_path(mark))?,
                usage_bytes: level.usage_bytes,
                limit_bytes: level.limit_bytes,
                peak_bytes: level.peak_bytes,
                swap_usage_bytes: is_v2.then_some(level.swap_usage_bytes),
                swap_limit_bytes: level.swap_limit_bytes.filter(|_| is_v2),
                memsw_usage_bytes: (!is_v2).then_some(level.swap_usage_bytes),
                memsw_limit_bytes: level.swap_limit_bytes.filter(|_| !is_v2),
            })
        })
        .collect();
    let Snapshot {
        owner,
        stat,
        mut owner_stat,
        host,
        mut largest,
        incomplete,
        mut processes,
        mut kernel_bytes,
        timeline,
        unfollowed,
        hog,
    } = snapshot.unwrap_or_default();
    let (timeline_of, timeline) = timeline.map(|timeline| with_kill(timeline, &levels)).unzip();
    // It was read for another cgroup than the one that turned out to be the owner: it says nothing about that one.
    let is_of_owner = match &oom.limit_owner {
        Some(limit) => owner.as_ref() == Some(&limit.path),
        None => owner.is_none() && oom.scope != Some(OomScope::Memcg),
    };
    if !is_of_owner {
        (owner_stat, largest, processes, kernel_bytes) = (None, Vec::new(), None, None);
    }
    if levels.is_empty() && host.is_none() {
        return None;
    }
    unseen.extend(unfollowed.map(|why| format!("what its memory did before ({why})")));
    if incomplete {
        unseen.push("all of the largest processes: there were too many to look at".to_owned());
    }
    largest.splice(0..0, victim(mark, oom.scope == Some(OomScope::Host)));
    largest.sort_by_key(|user| Reverse(user.resident_bytes));
    Some(Memory {
        levels,
        stat,
        owner_stat,
        host,
        largest,
        processes,
        kernel_bytes,
        timeline,
        timeline_of,
        course: None,
        hog,
    })
}

/// What was followed, with the kernel's own record of the kill behind it; and of which cgroup.
fn with_kill(mut timeline: Timeline, levels: &[MemoryLevel]) -> (String, Vec<TimelinePoint>) {
    if let Some(level) = levels.iter().find(|level| level.path == timeline.cgroup) {
        let (usage_bytes, limit_bytes) = (level.usage_bytes, level.limit_bytes);
        let kill = TimelinePoint { usage_bytes, peak_bytes: usage_bytes, limit_bytes, ..TimelinePoint::default() };
        timeline.points.push(kill);
    }
    (timeline.cgroup, timeline.points)
}

/// The victim as one of the largest, with what it had when it was chosen.
fn victim(mark: &MarkVictim, is_machine: bool) -> Option<MemoryUser> {
    let task = mark.victim.as_ref()?;
    let resident_bytes = mark.anon_bytes.saturating_add(mark.file_bytes).saturating_add(mark.shmem_bytes);
    let cgroup = task.memory_path.clone().filter(|_| is_machine);
    let is_limited = || mark.levels.iter().any(|level| level.limit_bytes.is_some());
    let limited = (is_machine && !mark.levels.is_empty()).then(is_limited);
    Some(MemoryUser { pid: task.key.pid, comm: task.comm.clone(), resident_bytes, cgroup, limited })
}
