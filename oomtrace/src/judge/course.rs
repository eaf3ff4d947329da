//! What kind of death by memory it was: by the curve that led to it, by earlier lives of the same, and by what most of the memory was.
//!
//! | kind | when |
//! |---|---|
//! | limit lowered | what was in use was near the limit when that was lowered, stayed there, and would have room under the one before |
//! | neighbour | the machine ran out, and another cgroup has half of what all have, or grew fastest of the largest (oomd's rule) |
//! | tmpfs, kernel, page cache, many processes | that had half of what ran out |
//! | leak, climbing | as [`crate::memory::verdict`] has it, over this life and those before |
//! | spike | it stood at two thirds of the limit at the most for nearly all of its life, and rose to it at once |
//! | too small | it met its limit as it started or warmed up, or was near it for most of its life |
//! | climbing | as too small, but it has met lower limits before, as fast: what needs no more than it has at its start would not have met this one |
//!
//! Where none holds, nothing is said. What a curve shows is never certain.

use crate::judge::memory_use::{MemoryClass, MemoryUse};
use crate::memory::fit::median;
use crate::memory::held::held_at;
use crate::memory::sample::Sample;
use crate::memory::still::filled;
use crate::memory::verdict::{Kind, Sure, Verdict, judge_end};
use crate::model::{Confidence, CourseKind, Incident, OomOrigin, OomScope, TimelinePoint};
use crate::resolve::lives_before::{self, Life, began, init_age_s, last_life};
use crate::text::age_ms;

/// What was seen, with its data: sentences come from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    pub kind: CourseKind,
    pub confidence: Confidence,
    /// Seconds before the kill.
    pub since_s: Option<f64>,
    pub bytes_per_hour: Option<f64>,
    /// Lives that it rests upon, this one among them: 1 where it says nothing of others.
    pub lives: u32,
    pub advised_limit_bytes: Option<u64>,
    pub detail: Detail,
}

/// See [`Course`].
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// From, to, in bytes; and between which readings, in seconds before the kill.
    Lowered { from: u64, to: u64, before_s: f64, at_most_s: f64 },
    /// The cgroup that took the machine, what it had and what all had, in bytes; whether it was the largest, or grew fastest.
    Neighbour { cgroup: String, bytes: u64, of_bytes: u64, by_growth: bool },
    /// It grew by so many bytes within so many seconds.
    Grew { bytes: u64, over_s: f64 },
    /// In the words of the rule for curves.
    Curve(String),
    /// From what was usual to the limit, in bytes, within so many seconds.
    Spike { usual: u64, highest: u64, within_s: f64 },
    /// It met its limit so many seconds after its start.
    AtStart { after_s: f64 },
    /// It met its limit so many seconds after its start, as fast as the lower one that it had before: in bytes, and after so many seconds.
    Outgrew { after_s: f64, lower: u64, lower_after_s: f64 },
    /// It was beyond that share of the limit, in hundredths, for most of its life.
    Near { percent: u64 },
    /// So many processes.
    Many { count: u32 },
}

/// The fewest points that say something: what stays the same has two, and the kill is the third.
const FEWEST: usize = 3;
/// The longest life that met its limit as it started, and the shortest one that says what is usual.
const SHORT_S: f64 = 300.0;
const USUAL_S: f64 = 60.0;
/// What was met as fast as another was met within these shares of its rate: a start takes as long as the machine has time for it.
const ALIKE: std::ops::RangeInclusive<f64> = 0.5..=2.0;
/// The share of the time for which what stayed near a limit was near it.
const STAYED: f64 = 0.9;

/// None where nothing can be said. `lives`: earlier ones, and how many milliseconds ago the last one ended.
#[must_use]
pub fn course(incident: &Incident, lives: &(Vec<Life>, Option<u64>), memory_use: Option<&MemoryUse>) -> Option<Course> {
    let oom = incident.oom.as_ref()?;
    let memory = incident.memory.as_ref()?;
    let timeline = memory.timeline.as_deref().unwrap_or_default();
    let life = last_life(timeline, lives.1);
    if let Some(lowered) = lowered(life, oom.origin) {
        return Some(lowered);
    }
    if oom.scope == Some(OomScope::Host)
        && let Some(neighbour) = neighbour(incident)
    {
        return Some(neighbour);
    }
    if let Some(found) = memory_use.and_then(|found| of_class(found, life)) {
        return Some(found);
    }
    if oom.limit_owner.is_none() || life.len() < FEWEST {
        return None;
    }
    // What no process has for itself fills a larger limit as well: that one is too low is not said.
    let is_own = memory_use.is_none_or(|found| match found.class {
        MemoryClass::OneProcess { .. } | MemoryClass::ManyProcesses { .. } => true,
        MemoryClass::Tmpfs | MemoryClass::SharedMemory | MemoryClass::Kernel(_) | MemoryClass::PageCache(_) => false,
    });
    let is_newcomers = memory_use.is_some_and(|found| is_newcomers(incident, found, life));
    let too_small = || too_small(incident, life, &lives.0).filter(|_| is_own && !is_newcomers);
    by_curve(life, &lives.0).or_else(|| spike(life)).or_else(too_small)
}

/// One process took it by itself that has not been there for long: a command that was run there, and no need of what the limit is for.
fn is_newcomers(incident: &Incident, found: &MemoryUse, life: &[TimelinePoint]) -> bool {
    let victim = &incident.victim;
    let age = age_ms(incident).map(|ms| ms as f64 / 1000.0);
    let is_late = age.is_some_and(|age| age < span(life) / 2.0);
    matches!(found.class, MemoryClass::OneProcess { is_victim: true, .. }) && !victim.container_init && is_late
}

fn seconds(point: &TimelinePoint) -> f64 {
    point.before_ms as f64 / 1000.0
}

/// The last change of the limit to a lower one, which is the limit still, where what could not be taken back was near that already, stayed
/// there, and has grown by less since then than the limit gave up: under the one before there would be room yet.
fn lowered(life: &[TimelinePoint], origin: Option<OomOrigin>) -> Option<Course> {
    let pairs = life.iter().zip(life.iter().skip(1)).enumerate();
    let mut changes = pairs.filter_map(|(index, (before, after))| {
        let (from, to) = (before.limit_bytes?, after.limit_bytes?);
        let in_use = held_at(before).max(held_at(after));
        (to < from - from / 100).then_some((from, to, in_use, index + 1, seconds(before)))
    });
    let (from, to, in_use, at, at_most_s) = changes.next_back()?;
    let since = life.get(at..)?;
    let before_s = seconds(since.first()?);
    let is_in_force = since.last()?.limit_bytes.is_some_and(|limit| limit.abs_diff(to) <= to / 100);
    let has_stayed = near_for(since, to / 100 * NEAR) >= STAYED * span(since);
    let has_grown = to.saturating_sub(in_use);
    let did_not_fit = in_use >= to / 10 * 9 && has_stayed && has_grown <= from - to;
    let is_it = is_in_force && (origin == Some(OomOrigin::LimitLowered) || did_not_fit);
    is_it.then_some(Course {
        kind: CourseKind::LimitLowered,
        confidence: Confidence::Likely,
        since_s: Some(before_s),
        bytes_per_hour: None,
        lives: 1,
        // That had been enough.
        advised_limit_bytes: Some(from),
        detail: Detail::Lowered { from, to, before_s, at_most_s },
    })
}

fn neighbour(incident: &Incident) -> Option<Course> {
    let hog = incident.memory.as_ref()?.hog.as_ref()?;
    let of_victim = incident.victim.process.cgroup.as_deref().unwrap_or_default();
    let is_own =
        of_victim.strip_prefix(hog.cgroup.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (!is_own).then(|| Course {
        kind: CourseKind::Neighbour,
        confidence: if hog.by_growth { Confidence::Possible } else { Confidence::Likely },
        since_s: None,
        bytes_per_hour: None,
        lives: 1,
        advised_limit_bytes: None,
        detail: Detail::Neighbour {
            cgroup: hog.cgroup.clone(),
            bytes: hog.usage_bytes,
            of_bytes: hog.of_bytes,
            by_growth: hog.by_growth,
        },
    })
}

/// What no process has for itself, or many have together.
fn of_class(found: &MemoryUse, life: &[TimelinePoint]) -> Option<Course> {
    let (kind, size): (_, fn(&TimelinePoint) -> Option<u64>) = match found.class {
        MemoryClass::Tmpfs | MemoryClass::SharedMemory => (CourseKind::Tmpfs, |point| point.shmem_bytes),
        MemoryClass::Kernel(_) => (CourseKind::Kernel, |point| point.kernel_bytes),
        MemoryClass::PageCache(_) => (CourseKind::PageCache, |point| point.file_bytes),
        MemoryClass::ManyProcesses { .. } => (CourseKind::ManyProcesses, |point| point.anon_bytes),
        MemoryClass::OneProcess { .. } => return None,
    };
    let known: Vec<(f64, u64)> = life.iter().filter_map(|point| Some((seconds(point), size(point)?))).collect();
    let (first, last) = (known.first()?, known.last()?);
    // What rose is said with its time; its least since is where that began.
    let least = known.iter().min_by_key(|(_, bytes)| *bytes).unwrap_or(first);
    let (bytes, over_s) = (last.1.saturating_sub(least.1), least.0 - last.0);
    let rate = (over_s >= USUAL_S && bytes > 0).then(|| bytes as f64 / over_s * 3600.0);
    let detail = match found.class {
        MemoryClass::ManyProcesses { count, .. } => Detail::Many { count },
        _ => Detail::Grew { bytes, over_s },
    };
    (bytes > 0 || matches!(detail, Detail::Many { .. })).then_some(Course {
        kind,
        confidence: Confidence::Likely,
        since_s: Some(least.0),
        bytes_per_hour: rate,
        lives: 1,
        advised_limit_bytes: None,
        detail,
    })
}

/// From the first point to the last one.
fn span(points: &[TimelinePoint]) -> f64 {
    points.first().zip(points.last()).map_or(0.0, |(first, last)| seconds(first) - seconds(last))
}

/// For so many seconds as much was held, or more.
fn near_for(points: &[TimelinePoint], near: u64) -> f64 {
    let pairs = points.iter().zip(points.iter().skip(1));
    pairs.filter(|(_, point)| held_at(point) >= near).map(|(a, b)| seconds(a) - seconds(b)).sum()
}

fn by_curve(life: &[TimelinePoint], before: &[Life]) -> Option<Course> {
    let mut samples: Vec<Sample> = before.iter().flat_map(Life::samples).collect();
    let earlier = samples.len();
    samples.extend(lives_before::samples(life));
    if let Some(first) = samples.get_mut(earlier) {
        first.restart = true;
    }
    // Two kills may be reported in one moment.
    samples.sort_by(|a, b| a.t.total_cmp(&b.t));
    let Verdict { verdict, confidence, since, bytes_per_hour, advised_limit_bytes, why, lives, .. } =
        judge_end(&filled(&samples))?;
    let kind = match verdict {
        Kind::Leak => CourseKind::Leak,
        Kind::Climbing => CourseKind::Climbing,
        _ => return None,
    };
    Some(Course {
        kind,
        confidence: match confidence {
            // It is a curve's word, and no kernel's.
            Sure::Certain | Sure::Likely => Confidence::Likely,
            Sure::Possible => Confidence::Possible,
        },
        since_s: since.map(|since| (-since).max(0.0)),
        bytes_per_hour,
        lives: u32::try_from(lives).unwrap_or(u32::MAX),
        advised_limit_bytes,
        detail: Detail::Curve(why),
    })
}

/// It stood far below, and was at its limit at once.
fn spike(life: &[TimelinePoint]) -> Option<Course> {
    let limit = life.last()?.limit_bytes?;
    let span = span(life);
    if span < USUAL_S {
        return None;
    }
    let usual = usual(life, span)?;
    if usual > limit / 3 * 2 {
        return None;
    }
    let line = usual + (limit - usual) / 4;
    let low = life.iter().rev().find(|point| held_at(point) <= line)?;
    let within_s = seconds(low);
    (within_s <= (span / 10.0).max(5.0)).then_some(Course {
        kind: CourseKind::Spike,
        confidence: Confidence::Likely,
        since_s: Some(within_s),
        bytes_per_hour: None,
        lives: 1,
        advised_limit_bytes: None,
        detail: Detail::Spike { usual, highest: limit, within_s },
    })
}

/// What was held for most of the time before its last tenth: points are the denser the later, so each counts for the time since the one
/// before.
fn usual(life: &[TimelinePoint], span: f64) -> Option<u64> {
    let end = seconds(life.last()?) + span / 10.0;
    // What stays the same may have its second point right before the kill.
    let early = life.iter().zip(life.iter().skip(1)).filter(|(before, _)| seconds(before) > end);
    let mut values: Vec<f64> = early
        .flat_map(|(before, point)| {
            let lasted = seconds(before) - seconds(point).max(end);
            let share = (lasted / span * 100.0).ceil().clamp(1.0, 100.0) as usize;
            std::iter::repeat_n(held_at(point) as f64, share)
        })
        .collect();
    median(&mut values).map(|bytes| bytes as u64)
}

/// Hundredths of the limit that are near it.
const NEAR: u64 = 85;

fn too_small(incident: &Incident, life: &[TimelinePoint], before: &[Life]) -> Option<Course> {
    let limit = life.last()?.limit_bytes?;
    let (first, span) = (life.first()?, span(life));
    let advised_limit_bytes = Some(crate::memory::forecast::advised(limit as f64, Some(limit as f64)));
    let found = |confidence, lives, detail| {
        Some(Course {
            kind: CourseKind::TooSmall,
            confidence,
            since_s: None,
            bytes_per_hour: None,
            lives,
            advised_limit_bytes,
            detail,
        })
    };
    if span >= SHORT_S && near_for(life, limit / 100 * NEAR) >= span / 2.0 {
        return found(Confidence::Likely, 1, Detail::Near { percent: NEAR });
    }
    // Its beginning was seen, and that was not long ago.
    // It may have been followed for less than it has lived.
    let age_s = init_age_s(&incident.time, &incident.victim);
    let after_s = age_s.unwrap_or_default().max(seconds(first));
    let began = began(life, age_s);
    if !began || span > SHORT_S || held_at(first) > limit / 2 {
        return None;
    }
    // Of one whose beginning was not seen nobody knows how long it took.
    let known = before.iter().filter(|life| life.began);
    let lower = outgrown(known.clone(), limit, after_s);
    if let Some((highest, highest_after_s)) = lower.last().copied() {
        return Some(Course {
            kind: CourseKind::Climbing,
            // What needs more than it was ever given looks the same until it has it.
            confidence: Confidence::Possible,
            // Of so short a life nobody wants to know what that makes in an hour.
            since_s: None,
            bytes_per_hour: None,
            lives: u32::try_from(lower.len() + 1).unwrap_or(u32::MAX),
            advised_limit_bytes: None,
            detail: Detail::Outgrew { after_s, lower: highest, lower_after_s: highest_after_s },
        });
    }
    let alike = known.filter(|life| (0.3..3.0).contains(&(life.lasted_s() / after_s.max(0.1)))).count();
    let confidence = if alike >= 2 { Confidence::Likely } else { Confidence::Possible };
    found(confidence, u32::try_from(alike + 1).unwrap_or(u32::MAX), Detail::AtStart { after_s })
}

/// Lower limits of lives before, each of which was met as fast for its size, and after how many seconds; the highest last.
fn outgrown<'a>(lives: impl Iterator<Item = &'a Life>, limit: u64, after_s: f64) -> Vec<(u64, f64)> {
    const LOWER: f64 = 0.85;
    // What is over sooner has no rate that anybody has seen.
    const SHORTEST_S: f64 = 1.0;
    if after_s < SHORTEST_S {
        return Vec::new();
    }
    let rate = limit as f64 / after_s;
    let met = lives.filter_map(|life| {
        let (lasted, limit_then) = (life.lasted_s(), f64::from(life.points.last()?.2?));
        let is_alike = ALIKE.contains(&(limit_then / lasted / rate));
        (limit_then <= LOWER * limit as f64 && is_alike && lasted >= SHORTEST_S).then_some((limit_then as u64, lasted))
    });
    let mut all: Vec<(u64, f64)> = met.collect();
    all.sort_by_key(|(limit, _)| *limit);
    all.dedup_by_key(|(limit, _)| *limit);
    all
}

#[cfg(test)]
mod tests;
