//! Whose limit was hit, inferred from the victim's memory counters.
//!
//! The kernel charges from the victim's cgroup up and fails at the lowest counter that is over its limit; the charge is rolled back, and
//! was of the pages that were asked for and no more, so that counter stays exactly at its limit when that was one page
//! (mm/page_counter.c, and `try_charge_memcg` in mm/memcontrol.c, which gives up its batch first, 5.4 to 7.3).

use crate::event::decode::prefix;
use crate::event::{MarkVictim, MemcgLevel};

/// Where no counter is exactly at its limit any more, one within this of it is: a processor's precharge of up to 64 pages
/// (MEMCG_CHARGE_BATCH, include/linux/memcontrol.h), 4 KiB each, may have been given back since.
const SLACK_BYTES: u64 = 64 * 4096;

/// The level whose limit was hit, and whether it is the only one that it can be; none when no level has a limit.
#[must_use]
pub(super) fn limit_owner(levels: &[MemcgLevel]) -> Option<(&MemcgLevel, bool)> {
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
pub(super) fn at_limit(levels: &[MemcgLevel]) -> Vec<&MemcgLevel> {
    let within = |slack: u64| levels.iter().filter(|level| room(level) <= slack).collect::<Vec<_>>();
    let exactly = within(0);
    if exactly.is_empty() { within(SLACK_BYTES) } else { exactly }
}

/// The path of a level: the first names of the victim's.
pub(super) fn path_of(level: &MemcgLevel, victim_path: Option<&str>) -> Option<String> {
    if level.cgroup.level == 0 { Some("/".to_owned()) } else { Some(prefix(victim_path?, level.cgroup.level)) }
}

/// The path of the victim's memory cgroup.
pub(super) fn victim_path(mark: &MarkVictim) -> Option<&str> {
    mark.victim.as_ref()?.memory_path.as_deref()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::CgroupKey;

    pub const MIB: u64 = 1 << 20;

    pub fn level(depth: u32, usage: u64, limit: Option<u64>) -> MemcgLevel {
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
}
