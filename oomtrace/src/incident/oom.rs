//! What ran out, and whose limit it was: inferred from the kernel stack and from the victim's memory counters.
//!
//! The kernel charges from the victim's cgroup up and fails at the lowest counter that is over its limit; the charge is
//! rolled back, so that counter stays at its limit, give or take one charge (mm/page_counter.c, 5.4 to 7.3).

use super::model::{LimitOwner, Memory, MemoryLevel, OomScope};
use crate::container::placement::Placement;
use crate::probe::decode::prefix;
use crate::probe::event::{MarkVictim, MemcgLevel};

/// A counter within this of its limit is full: the kernel charges up to 64 pages at once (MEMCG_CHARGE_BATCH,
/// include/linux/memcontrol.h), 4 KiB each.
pub const SLACK_BYTES: u64 = 64 * 4096;

/// How a statement about an OOM was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The kernel stack shows it.
    Stack,
    /// The counters suggest it.
    Counters,
}

/// What ran out, by the stack, else by whether a counter is full.
#[must_use]
pub fn scope(symbols: &[String], levels: &[MemcgLevel]) -> (OomScope, Basis) {
    let on_stack = |name: &str| symbols.iter().any(|s| s.split_once('.').map_or(s.as_str(), |(base, _)| base) == name);
    if on_stack("mem_cgroup_out_of_memory") {
        return (OomScope::Memcg, Basis::Stack);
    }
    if on_stack("out_of_memory") || on_stack("moom_callback") {
        return (OomScope::Host, Basis::Stack);
    }
    let full = levels.iter().any(is_full);
    (if full { OomScope::Memcg } else { OomScope::Host }, Basis::Counters)
}

/// The level whose limit was hit, and whether it is the only one that it can be; none when no level has a limit.
#[must_use]
pub fn limit_owner(levels: &[MemcgLevel]) -> Option<(&MemcgLevel, bool)> {
    let mut full = levels.iter().filter(|level| is_full(level));
    if let Some(lowest) = full.next() {
        return Some((lowest, full.next().is_none()));
    }
    // Memory was given back between the charge and the kill: the one with the least room left.
    levels.iter().filter(|l| l.limit_bytes.is_some()).min_by_key(|l| room(l)).map(|level| (level, false))
}

fn room(level: &MemcgLevel) -> u64 {
    let left = |limit: Option<u64>, usage: u64| limit.map_or(u64::MAX, |limit| limit.saturating_sub(usage));
    let memory = left(level.limit_bytes, level.usage_bytes);
    // On v1 the second counter is memory and swap together, and its limit kills as well; on v2 it is swap alone, and a
    // full one only stops swapping.
    let is_v1 = level.cgroup.hierarchy != 0;
    if is_v1 { memory.min(left(level.swap_limit_bytes, level.swap_usage_bytes)) } else { memory }
}

fn is_full(level: &MemcgLevel) -> bool {
    room(level) <= SLACK_BYTES
}

/// The path of a level: the first names of the victim's.
fn path_of(level: &MemcgLevel, victim_path: Option<&str>) -> Option<String> {
    if level.cgroup.level == 0 { Some("/".to_owned()) } else { Some(prefix(victim_path?, level.cgroup.level)) }
}

/// The contract's form of the limit owner.
#[must_use]
pub fn describe_owner(level: &MemcgLevel, victim_path: Option<&str>, placement: &Placement) -> Option<LimitOwner> {
    let path = path_of(level, victim_path)?;
    Some(LimitOwner {
        level: placement.level(&path),
        path,
        limit_bytes: level.limit_bytes,
        usage_bytes: Some(level.usage_bytes),
        peak_bytes: Some(level.peak_bytes),
    })
}

/// The contract's form of all levels.
#[must_use]
pub fn describe_levels(mark: &MarkVictim, victim_path: Option<&str>) -> Option<Memory> {
    let levels: Vec<MemoryLevel> = mark
        .levels
        .iter()
        .filter_map(|level| {
            Some(MemoryLevel {
                path: path_of(level, victim_path)?,
                usage_bytes: level.usage_bytes,
                limit_bytes: level.limit_bytes,
                peak_bytes: level.peak_bytes,
            })
        })
        .collect();
    (!levels.is_empty()).then_some(Memory { levels, stat: None, timeline: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::event::CgroupKey;

    const MIB: u64 = 1 << 20;

    fn level(depth: u32, usage: u64, limit: Option<u64>) -> MemcgLevel {
        MemcgLevel {
            cgroup: CgroupKey { id: u64::from(depth) + 1, hierarchy: 4, level: depth },
            usage_bytes: usage,
            limit_bytes: limit,
            peak_bytes: usage,
            swap_usage_bytes: usage,
            swap_limit_bytes: None,
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
}
