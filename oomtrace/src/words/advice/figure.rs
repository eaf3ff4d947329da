//! How much: what a memory limit should be at the least, from what was seen of the need.

use crate::model::{Incident, MemoryLevel};
use crate::resolve::limits_before::LimitsBefore;
use crate::text::bytes;

/// The least limit that is proposed: Docker takes no smaller one (daemon/daemon_unix.go, `linuxMinMemory`).
pub const LEAST: u64 = 6 << 20;

/// A limit that is proposed. The kill ended the need before it was known: every proposal is a lower bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    pub mib: u64,
    /// What it was reckoned from, as a clause.
    pub basis: String,
}

/// What may be used beyond memory itself, in swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    Bytes(u64),
    Unlimited,
    Unknown,
}

/// None where no limit is known.
#[must_use]
pub fn figure(incident: &Incident, before: &LimitsBefore) -> Option<Figure> {
    let owner = incident.oom.as_ref()?.limit_owner.as_ref()?;
    let limit = owner.limit_bytes?;
    let with_swap = level(incident).map_or(0, |level| in_use(level).saturating_add(swapped(level)));
    let peak = owner.peak_bytes.unwrap_or_default();
    let seen = limit.max(with_swap).max(peak);
    // Half as much again shows whether the need is bounded. Where that was not enough, or the same happens again, it takes larger steps.
    let is_first = before.kills == 0 && before.smaller.is_empty();
    let proposed = if is_first { seen.saturating_add(seen / 2) } else { seen.saturating_mul(2) };
    let basis = if let Some(last) = before.smaller.last() {
        format!("{} were used up before, and now {}", bytes(*last), bytes(limit))
    } else if with_swap > limit.saturating_add(limit / 16) {
        format!("{} were in use with what was swapped out", bytes(with_swap))
    } else if peak > limit.saturating_add(limit / 16) {
        format!("{} were in use once", bytes(peak))
    } else if before.kills > 0 {
        format!("{} were not enough {}", bytes(limit), so_often(before.kills.saturating_add(1)))
    } else {
        format!("more than {} is needed, and how much more is not known", bytes(limit))
    };
    let course = incident.memory.as_ref().and_then(|memory| memory.course.as_ref());
    let by_curve = course.and_then(|course| course.advised_limit_bytes).filter(|advised| *advised > proposed);
    let (proposed, basis) = match by_curve {
        Some(advised) => (advised, format!("by its curve it would have needed some {}", bytes(advised))),
        None => (proposed, basis),
    };
    Some(Figure { mib: (friendly(proposed.max(LEAST)) >> 20).max(1), basis })
}

/// What the limit's owner may have in swap besides.
#[must_use]
pub fn swap(incident: &Incident) -> Swap {
    let told = incident.container.as_ref().and_then(|container| container.limits.as_ref());
    let told = told.and_then(|limits| limits.memory_and_swap_bytes?.checked_sub(limits.memory_bytes?));
    let Some(level) = level(incident) else { return told.map_or(Swap::Unknown, Swap::Bytes) };
    let limit = level.limit_bytes.unwrap_or_default();
    if level.memsw_usage_bytes.is_some() {
        return level.memsw_limit_bytes.map_or(Swap::Unlimited, |both| Swap::Bytes(both.saturating_sub(limit)));
    }
    if level.swap_usage_bytes.is_some() {
        return level.swap_limit_bytes.map_or(Swap::Unlimited, Swap::Bytes);
    }
    told.map_or(Swap::Unknown, Swap::Bytes)
}

/// The limit's owner is on a v1 hierarchy; none where that is not known.
#[must_use]
pub fn is_v1(incident: &Incident) -> Option<bool> {
    let level = level(incident)?;
    match (level.memsw_usage_bytes, level.swap_usage_bytes) {
        (Some(_), _) => Some(true),
        (None, Some(_)) => Some(false),
        (None, None) => None,
    }
}

/// The limit's owner, as the kernel counts it.
#[must_use]
pub fn level(incident: &Incident) -> Option<&MemoryLevel> {
    let owner = incident.oom.as_ref()?.limit_owner.as_ref()?;
    incident.memory.as_ref()?.levels.iter().find(|level| level.path == owner.path)
}

fn in_use(level: &MemoryLevel) -> u64 {
    level.usage_bytes
}

fn swapped(level: &MemoryLevel) -> u64 {
    let on_v1 = level.memsw_usage_bytes.map(|both| both.saturating_sub(level.usage_bytes));
    on_v1.or(level.swap_usage_bytes).unwrap_or_default()
}

/// The next size that people write: 36, 40, 48, 96, 768 MiB. It is at most an eighth more.
fn friendly(size: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    let mib = size.div_ceil(MIB);
    let step = (1 << mib.max(1).ilog2()) / 8;
    mib.next_multiple_of(step.max(1)).saturating_mul(MIB)
}

/// `twice`, `3 times`.
fn so_often(count: u64) -> String {
    if count == 2 { "twice".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::oom;
    use crate::model::{Confidence, Course, CourseKind, LimitLevel, OomScope};

    fn at(mib: u64, change: impl FnOnce(&mut MemoryLevel)) -> Incident {
        let mut incident = oom(&[("/a", mib, Some(mib))], Some((0, LimitLevel::Container)), OomScope::Memcg);
        change(&mut incident.memory.as_mut().unwrap().levels[0]);
        incident
    }

    #[test]
    fn the_figure_grows_with_what_was_seen() {
        let past = |kills, smaller: &[u64]| LimitsBefore { kills, smaller: smaller.iter().map(|m| m << 20).collect() };
        for (limit, swapped, before, mib, basis) in [
            (24, 0, past(0, &[]), 36, "more than 24 MiB is needed, and how much more is not known"),
            (512, 0, past(0, &[]), 768, "more than 512 MiB is needed, and how much more is not known"),
            (100, 0, past(0, &[]), 160, "more than 100 MiB"),
            (1, 0, past(0, &[]), 6, "more than 1 MiB"),
            (512, 0, past(1, &[]), 1024, "512 MiB were not enough twice"),
            (512, 0, past(6, &[]), 1024, "512 MiB were not enough 7 times"),
            (768, 0, past(0, &[512]), 1536, "512 MiB were used up before, and now 768 MiB"),
            (512, 488, past(0, &[]), 1536, "1000 MiB were in use with what was swapped out"),
            // A few pages.
            (512, 1, past(0, &[]), 832, "more than 512 MiB"),
        ] {
            let incident = at(limit, |level| level.swap_usage_bytes = Some(swapped << 20));
            let figure = figure(&incident, &before).unwrap();
            assert_eq!(figure.mib, mib, "{limit} {figure:?}");
            assert!(figure.basis.starts_with(basis), "{figure:?}");
        }
        let mut peaked = at(64, |_| {});
        peaked.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().peak_bytes = Some(100 << 20);
        assert_eq!(
            figure(&peaked, &LimitsBefore::default()),
            Some(Figure { mib: 160, basis: "100 MiB were in use once".to_owned() })
        );
        peaked.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().limit_bytes = None;
        assert_eq!(figure(&peaked, &LimitsBefore::default()), None);
    }

    #[test]
    fn a_curve_that_wanted_more_is_given_more_and_one_that_wanted_less_is_not() {
        for (advised, mib) in [(2000, 2048), (40, 768)] {
            let mut incident = at(512, |_| {});
            incident.memory.as_mut().unwrap().course = Some(Course {
                kind: CourseKind::Climbing,
                confidence: Confidence::Likely,
                since: None,
                bytes_per_hour: None,
                lives: 1,
                advised_limit_bytes: Some(advised << 20),
                neighbour: None,
                why: String::new(),
            });
            assert_eq!(figure(&incident, &LimitsBefore::default()).unwrap().mib, mib, "{advised}");
        }
    }

    #[test]
    fn memory_and_swap_together_are_told_from_swap_alone() {
        let mib = |mib: u64| Some(mib << 20);
        for (usage, limit, found, version) in [
            ((None, mib(0)), (None, mib(64)), Swap::Bytes(64 << 20), Some(false)),
            ((None, mib(0)), (None, mib(0)), Swap::Bytes(0), Some(false)),
            ((None, mib(0)), (None, None), Swap::Unlimited, Some(false)),
            ((mib(64), None), (mib(128), None), Swap::Bytes(64 << 20), Some(true)),
            ((mib(64), None), (None, None), Swap::Unlimited, Some(true)),
            ((None, None), (None, None), Swap::Unknown, None),
        ] {
            let incident = at(64, |level| {
                (level.memsw_usage_bytes, level.swap_usage_bytes) = usage;
                (level.memsw_limit_bytes, level.swap_limit_bytes) = limit;
            });
            assert_eq!((swap(&incident), is_v1(&incident)), (found, version), "{usage:?} {limit:?}");
        }
    }

    #[test]
    fn sizes_are_rounded_up_to_what_people_write_and_never_wrap() {
        for (mib, rounded) in
            [(1, 1), (7, 7), (9, 9), (17, 18), (36, 36), (70, 72), (150, 160), (1500, 1536), (2049, 2304)]
        {
            assert_eq!(friendly(mib << 20) >> 20, rounded, "{mib}");
        }
        assert!(friendly(u64::MAX) > u64::MAX / 2);
    }
}
