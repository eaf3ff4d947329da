//! What ran out, and whose limit it was: from the OOM killer's own record where it can be read, else inferred from the
//! kernel stack and the victim's memory counters.
//!
//! The inference: the kernel charges from the victim's cgroup up and fails at the lowest counter that is over its limit; the charge is
//! rolled back, and was of the pages that were asked for and no more, so that counter stays exactly at its limit when that was one
//! page (mm/page_counter.c, and `try_charge_memcg` in mm/memcontrol.c, which gives up its batch first, 5.4 to 7.3).

use crate::correlate::path;
use crate::event::decode::prefix;
use crate::event::{Constraint, MarkVictim, MemcgLevel, OomChoice};
use crate::model::{
    LimitOwner, Memory, MemoryLevel, MemoryUser, Oom, OomOrigin, OomScope, Timeline, TimelinePoint, VictimMemory,
};
use crate::node::memory::Snapshot;
use crate::placement::Placement;
use crate::resolve::gaps::Gaps;
use crate::resolve::gfp;

/// Where no counter is exactly at its limit any more, one within this of it is: a processor's precharge of up to 64 pages
/// (MEMCG_CHARGE_BATCH, include/linux/memcontrol.h), 4 KiB each, may have been given back since.
const SLACK_BYTES: u64 = 64 * 4096;

/// The order of an OOM kill that a person asks for (`is_sysrq_oom`, mm/oom_kill.c, 5.4 to 7.3).
const SYSRQ: i32 = -1;

/// How a statement about an OOM was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The kernel stack shows it.
    Stack,
    /// The counters suggest it.
    Counters,
}

/// The function is on the stack, or a part of it that the compiler split off (`oom_kill_process.cold`).
fn is_on_stack(symbols: &[String], name: &str) -> bool {
    path::own(symbols).iter().any(|symbol| path::is(symbol, name))
}

/// What ran out, by the stack, else by whether a counter is full.
#[must_use]
pub fn scope(symbols: &[String], levels: &[MemcgLevel]) -> (OomScope, Basis) {
    let on_stack = |name: &str| is_on_stack(symbols, name);
    if on_stack("mem_cgroup_out_of_memory") {
        return (OomScope::Memcg, Basis::Stack);
    }
    if on_stack("out_of_memory") || on_stack("moom_callback") {
        return (OomScope::Host, Basis::Stack);
    }
    let full = !at_limit(levels).is_empty();
    (if full { OomScope::Memcg } else { OomScope::Host }, Basis::Counters)
}

/// What called the OOM killer; none without a stack.
#[must_use]
pub fn origin(symbols: &[String]) -> Option<OomOrigin> {
    let on_stack = |name: &str| is_on_stack(symbols, name);
    // moom_callback is sysrq-f's, lru_gen_age_node min_ttl's (6.1). cgroup v1 refuses a limit below the usage instead.
    Some(match symbols {
        [] => return None,
        _ if on_stack("moom_callback") => OomOrigin::Sysrq,
        _ if on_stack("lru_gen_age_node") => OomOrigin::MinTtl,
        _ if on_stack("memory_max_write") => OomOrigin::LimitLowered,
        _ => OomOrigin::Allocation,
    })
}

/// The path of the cgroup that the OOM killer kills as one: of those with memory.oom.group from the victim's up to the limit
/// owner's, or to the root when there is none, the highest (mm/memcontrol.c, mem_cgroup_get_oom_group, 4.19 to 7.3).
fn group_cgroup(mark: &MarkVictim, owner: Option<&str>) -> Option<String> {
    let path = |level: &MemcgLevel| path_of(level, victim_path(mark));
    let up_to = mark.levels.iter().position(|level| path(level).as_deref() == owner).unwrap_or(mark.levels.len());
    mark.levels.iter().take(up_to + 1).rev().find(|level| level.oom_group).and_then(path)
}

/// The path of the cgroup whose limit was hit, as far as is known when the victim is marked: by the OOM killer's record,
/// else by the counters.
#[must_use]
pub fn owner_path(choice: Option<&OomChoice>, mark: &MarkVictim) -> Option<String> {
    match choice {
        Some(choice) => choice.owner.as_ref()?.1.clone(),
        None if at_limit(&mark.levels).is_empty() => None,
        None => limit_owner(&mark.levels).and_then(|(level, _)| path_of(level, victim_path(mark))),
    }
}

/// The level whose limit was hit, and whether it is the only one that it can be; none when no level has a limit.
#[must_use]
pub fn limit_owner(levels: &[MemcgLevel]) -> Option<(&MemcgLevel, bool)> {
    // Memory may have been given back between the charge and the kill: the one with the least room left, the lowest where several have
    // none. A pod with one container has that one's limit, and its sandbox's memory besides: it is the pod that fills up.
    let limited = levels.iter().filter(|level| room(level) < u64::MAX);
    limited.min_by_key(|level| room(level)).map(|level| (level, at_limit(levels).len() == 1))
}

fn room(level: &MemcgLevel) -> u64 {
    let left = |limit: Option<u64>, usage: u64| limit.map_or(u64::MAX, |limit| limit.saturating_sub(usage));
    let memory = left(level.limit_bytes, level.usage_bytes);
    // On v1 the second counter is memory and swap together, and its limit kills as well; on v2 it is swap alone, and a
    // full one only stops swapping.
    let is_v1 = level.cgroup.hierarchy != 0;
    if is_v1 { memory.min(left(level.swap_limit_bytes, level.swap_usage_bytes)) } else { memory }
}

/// The levels that were at their limit, the lowest first: exactly at it, or where none is, nearly.
fn at_limit(levels: &[MemcgLevel]) -> Vec<&MemcgLevel> {
    let within = |slack: u64| levels.iter().filter(|level| room(level) <= slack).collect::<Vec<_>>();
    let exactly = within(0);
    if exactly.is_empty() { within(SLACK_BYTES) } else { exactly }
}

/// The path of a level: the first names of the victim's.
fn path_of(level: &MemcgLevel, victim_path: Option<&str>) -> Option<String> {
    if level.cgroup.level == 0 { Some("/".to_owned()) } else { Some(prefix(victim_path?, level.cgroup.level)) }
}

/// All that is known of one OOM kill.
pub struct Facts<'a> {
    /// The OOM killer's own record, where it can be read.
    pub choice: Option<&'a OomChoice>,
    pub mark: Option<&'a MarkVictim>,
    /// Functions on the kernel stack.
    pub symbols: &'a [String],
    /// Where the victim lives.
    pub placement: &'a Placement,
}

/// The contract's form. What could not be seen goes to `gaps`.
#[must_use]
pub fn describe(facts: &Facts<'_>, group: bool, gaps: &mut Gaps) -> Oom {
    let (scope, limit_owner) = match facts.choice {
        Some(choice) => by_record(choice, facts.placement),
        None => by_inference(facts, gaps),
    };
    let group_cgroup = facts.mark.and_then(|mark| group_cgroup(mark, limit_owner.as_ref().map(|o| o.path.as_str())));
    if facts.mark.is_none() {
        gaps.attribution.push("the victim's memory and limits (no mark_victim event came)".to_owned());
    }
    let levels = facts.mark.map(|mark| at_limit(&mark.levels)).unwrap_or_default();
    let path = facts.mark.and_then(victim_path);
    Oom {
        scope: Some(scope),
        origin: match facts.choice {
            // The record says it where no function has a name.
            Some(choice) if choice.order == SYSRQ => Some(OomOrigin::Sysrq),
            _ => origin(facts.symbols),
        },
        limit_owner,
        at_limit: levels.into_iter().filter_map(|level| path_of(level, path)).collect(),
        order: facts.choice.map(|choice| choice.order),
        gfp: facts.choice.map(|choice| gfp::names(choice.gfp)),
        group_cgroup,
        // Known where the levels are: set on one of them up to the limit's owner, or members died of it.
        group: if group { Some(true) } else { facts.mark.map(MarkVictim::is_group_kill) },
        chosen_points: facts.choice.map(|choice| choice.chosen_points),
        oom_score_adj: facts.mark.map(|m| m.oom_score_adj),
        victim_memory: facts.mark.map(|m| VictimMemory {
            anon_bytes: m.anon_bytes,
            file_bytes: m.file_bytes,
            shmem_bytes: m.shmem_bytes,
            swap_bytes: m.swap_bytes,
            page_tables_bytes: m.page_table_bytes,
            total_vm_bytes: m.total_vm_bytes,
        }),
        trigger_stack: None,
        candidates: None,
    }
}

/// What the OOM killer itself says.
fn by_record(choice: &OomChoice, placement: &Placement) -> (OomScope, Option<LimitOwner>) {
    let owner = choice.owner.as_ref().and_then(|(level, path)| Some(owner_of(level, path.clone()?, placement)));
    let scope = match (choice.constraint, &choice.owner) {
        (Constraint::Memcg, _) | (_, Some(_)) => OomScope::Memcg,
        (Constraint::Cpuset, None) => OomScope::Cpuset,
        (Constraint::MemoryPolicy, None) => OomScope::Mempolicy,
        (Constraint::None | Constraint::Other(_), None) => OomScope::Host,
    };
    (scope, owner)
}

/// What the stack and the counters suggest.
fn by_inference(facts: &Facts<'_>, gaps: &mut Gaps) -> (OomScope, Option<LimitOwner>) {
    let levels = facts.mark.map(|m| m.levels.as_slice()).unwrap_or_default();
    let (scope, basis) = scope(facts.symbols, levels);
    if basis == Basis::Counters {
        gaps.attribution.push("what ran out is guessed from how full each memory cgroup was".to_owned());
    }
    if scope == OomScope::Host {
        gaps.without_oom_record("whether a cpuset or a memory policy narrowed the choice");
        return (scope, None);
    }
    let Some((level, only)) = limit_owner(levels) else {
        gaps.attribution.push("which limit was hit (no memory cgroup of the victim shows one)".to_owned());
        return (scope, None);
    };
    if only {
        gaps.without_oom_record("which limit was hit is read off the counters: the only full one");
    } else if at_limit(levels).is_empty() {
        gaps.attribution.push("which limit was hit: none was full any more when the victim was chosen".to_owned());
    } else {
        gaps.without_oom_record("which limit was hit: more than one was full when the victim was chosen");
    }
    let path = path_of(level, facts.mark.and_then(victim_path));
    (scope, path.map(|path| owner_of(level, path, facts.placement)))
}

fn owner_of(level: &MemcgLevel, path: String, placement: &Placement) -> LimitOwner {
    LimitOwner {
        level: placement.level(&path),
        path,
        limit_bytes: level.limit_bytes,
        usage_bytes: Some(level.usage_bytes),
        peak_bytes: Some(level.peak_bytes),
    }
}

/// The path of the victim's memory cgroup.
fn victim_path(mark: &MarkVictim) -> Option<&str> {
    mark.victim.as_ref()?.memory_path.as_deref()
}

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
    largest.sort_by_key(|user| std::cmp::Reverse(user.resident_bytes));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CgroupKey;

    const MIB: u64 = 1 << 20;

    fn level(depth: u32, usage: u64, limit: Option<u64>) -> MemcgLevel {
        MemcgLevel {
            cgroup: CgroupKey { id: u64::from(depth) + 1, hierarchy: 4, level: depth },
            usage_bytes: usage,
            limit_bytes: limit,
            peak_bytes: usage,
            swap_usage_bytes: usage,
            swap_limit_bytes: None,
            oom_group: false,
        }
    }

    fn owner(levels: &[MemcgLevel]) -> Option<(u32, bool)> {
        limit_owner(levels).map(|(level, only)| (level.cgroup.level, only))
    }

    #[test]
    fn the_lowest_full_level_owns_the_limit() {
        let (root, host) = (level(0, 9000 * MIB, None), level(1, 800 * MIB, None));
        // The container's own limit.
        assert_eq!(owner(&[level(2, 512 * MIB, Some(512 * MIB)), host, root]), Some((2, true)));
        // One page of charge below it.
        assert_eq!(owner(&[level(2, 512 * MIB - 4096, Some(512 * MIB)), host, root]), Some((2, true)));
        // The container has room: its parent's limit was hit.
        let parent = level(1, 700 * MIB, Some(700 * MIB));
        assert_eq!(owner(&[level(2, 300 * MIB, Some(512 * MIB)), parent, root]), Some((1, true)));
        // A pod of one container: the container is nearly full, and what the pod has besides fills it first.
        let pod = level(1, 64 * MIB, Some(64 * MIB));
        assert_eq!(owner(&[level(2, 64 * MIB - (228 << 10), Some(64 * MIB)), pod, root]), Some((1, true)));
        // Some was given back since, as much of both.
        let (nearly, pod) =
            (level(2, 63 * MIB + (800 << 10), Some(64 * MIB)), level(1, 64 * MIB - 4096, Some(64 * MIB)));
        assert_eq!(owner(&[nearly, pod, root]), Some((1, false)));
        // Both are full: the lowest fails first, but it may be the other one.
        assert_eq!(owner(&[level(2, 512 * MIB, Some(512 * MIB)), parent, root]), Some((2, false)));
        // Nothing is full any more.
        assert_eq!(
            owner(&[level(2, 300 * MIB, Some(512 * MIB)), level(1, 690 * MIB, Some(700 * MIB)), root]),
            Some((1, false))
        );
        assert_eq!(owner(&[host, root]), None);
        assert_eq!(owner(&[]), None);
    }

    #[test]
    fn memory_and_swap_together_kill_on_v1_only() {
        let mut swapped = level(2, 300 * MIB, Some(512 * MIB));
        (swapped.swap_usage_bytes, swapped.swap_limit_bytes) = (600 * MIB, Some(600 * MIB));
        let parent = level(1, 700 * MIB, Some(700 * MIB));
        assert_eq!(owner(&[swapped, parent]), Some((2, false)));
        swapped.cgroup.hierarchy = 0;
        assert_eq!(owner(&[swapped, parent]), Some((1, true)));
    }

    #[test]
    fn the_stack_says_what_ran_out_and_the_counters_only_suggest_it() {
        let stack = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let full = [level(1, MIB, Some(MIB))];
        for (symbols, levels, expected) in [
            ("oom_kill_process out_of_memory mem_cgroup_out_of_memory", &[][..], (OomScope::Memcg, Basis::Stack)),
            ("oom_kill_process out_of_memory __alloc_pages_may_oom", &full[..], (OomScope::Host, Basis::Stack)),
            ("oom_kill_process out_of_memory.cold", &full[..], (OomScope::Host, Basis::Stack)),
            ("", &full[..], (OomScope::Memcg, Basis::Counters)),
            ("", &[][..], (OomScope::Host, Basis::Counters)),
        ] {
            assert_eq!(scope(&stack(symbols), levels), expected, "{symbols}");
        }
    }

    #[test]
    fn the_stack_says_who_called_the_oom_killer() {
        for (stack, expected) in [
            ("out_of_memory __alloc_pages_may_oom", Some(OomOrigin::Allocation)),
            ("out_of_memory moom_callback process_one_work", Some(OomOrigin::Sysrq)),
            ("out_of_memory lru_gen_age_node balance_pgdat kswapd", Some(OomOrigin::MinTtl)),
            ("mem_cgroup_out_of_memory memory_max_write.cold kernfs_fop_write_iter", Some(OomOrigin::LimitLowered)),
            ("", None),
        ] {
            let symbols: Vec<String> = stack.split_whitespace().map(str::to_owned).collect();
            assert_eq!(origin(&symbols), expected, "{stack}");
        }
    }

    #[test]
    fn the_highest_oom_group_up_to_the_limit_owner_counts() {
        let mut mark = crate::correlate::fixture::mark(10, 20);
        mark.victim.as_mut().unwrap().memory_path = Some("/pod/box/inner".to_owned());
        let with = |depth, oom_group| MemcgLevel { oom_group, ..level(depth, MIB, None) };
        mark.levels = vec![with(3, true), with(2, true), with(1, true), with(0, false)];
        assert_eq!(group_cgroup(&mark, Some("/pod/box")).as_deref(), Some("/pod/box"));
        assert_eq!(group_cgroup(&mark, Some("/pod/box/inner")).as_deref(), Some("/pod/box/inner"));
        assert_eq!(group_cgroup(&mark, None).as_deref(), Some("/pod"));
        mark.levels = vec![with(3, false), with(2, false), with(1, true)];
        assert_eq!(group_cgroup(&mark, Some("/pod/box")), None);
    }

    fn choice(constraint: Constraint, owner: Option<MemcgLevel>) -> OomChoice {
        OomChoice {
            at: 0,
            trigger_tid: 10,
            chosen: crate::event::ProcessKey { pid: 20, start: 0 },
            chosen_points: 300,
            total_pages: 1000,
            constraint,
            order: 0,
            gfp: 0xcc0,
            owner: owner.map(|level| (level, Some("/a".to_owned()))),
        }
    }

    #[test]
    fn the_oom_killers_own_record_outweighs_every_inference() {
        let placement = Placement::default();
        let stack = ["mem_cgroup_out_of_memory".to_owned()];
        for (constraint, owner, scope) in [
            (Constraint::Memcg, Some(level(1, 5 * MIB, Some(9 * MIB))), OomScope::Memcg),
            (Constraint::None, None, OomScope::Host),
            (Constraint::Cpuset, None, OomScope::Cpuset),
            (Constraint::MemoryPolicy, None, OomScope::Mempolicy),
        ] {
            let choice = choice(constraint, owner);
            let facts = Facts { choice: Some(&choice), mark: None, symbols: &stack, placement: &placement };
            let mut gaps = Gaps::default();
            let oom = describe(&facts, false, &mut gaps);
            assert_eq!(
                (oom.scope, oom.chosen_points, oom.gfp.as_deref()),
                (Some(scope), Some(300), Some("GFP_KERNEL"))
            );
            // It is not full, and it is the owner all the same.
            assert_eq!(
                oom.limit_owner.map(|o| (o.path, o.limit_bytes)),
                owner.map(|o| ("/a".to_owned(), o.limit_bytes))
            );
            // Only the mark is missing here.
            assert_eq!((gaps.attribution.len(), gaps.named.len()), (1, 0), "{:?}", gaps.attribution);
        }
    }
}
