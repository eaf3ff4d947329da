//! Earlier lives of what a memory limit has killed before in this run, and of what the history has from runs before: what each looked
//! like, in a few points. Pure, as [`crate::resolve::limits_before`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::event::BootNs;
use crate::memory::held::{held_at, page_cache};
use crate::memory::sample::Sample;
use crate::model::{Incident, LimitLevel, TimelinePoint, Victim};
use crate::recent::Recent;
use crate::resolve::limits_before::{LimitsBefore, place_of};

/// Places that are remembered, lives of each, and points of a life.
const PLACES: usize = 256;
pub const LIVES: usize = 6;
const POINTS: usize = 24;

/// One life: seconds before its end, what was held, and the limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// Seconds from its end to the end of the one that is judged.
    pub ended_before_s: f64,
    /// Its beginning was seen: its first point is not only where it was first looked at.
    #[serde(default)]
    pub began: bool,
    /// The age of the container's first process at its end, in seconds, where it was that which was killed.
    #[serde(default)]
    pub init_age_s: Option<f32>,
    /// Seconds before its own end, what could not be taken back, and the limit, in bytes; the oldest first.
    pub points: Vec<(f32, f32, Option<f32>)>,
}

impl Life {
    /// What is kept of a timeline. `init_age_s`: see [`init_age_s()`].
    #[must_use]
    pub fn of(points: &[TimelinePoint], init_age_s: Option<f64>) -> Self {
        let step = points.len().div_ceil(POINTS).max(1);
        // The lowest of each few: the floor is what is looked at. The last one is how far it came.
        let mut kept: Vec<_> =
            points.chunks(step).filter_map(|few| few.iter().min_by_key(|point| held_at(point))).collect();
        if let Some(last) = points.last()
            && kept.last().is_some_and(|kept| kept.before_ms != last.before_ms)
        {
            kept.push(last);
        }
        let packed = |point: &&TimelinePoint| {
            let limit = point.limit_bytes.map(|limit| limit as f32);
            ((point.before_ms as f64 / 1000.0) as f32, held_at(point) as f32, limit)
        };
        let began = began(points, init_age_s);
        let init_age_s = init_age_s.map(|age| age as f32);
        Self { ended_before_s: 0.0, began, init_age_s, points: kept.iter().map(packed).collect() }
    }

    /// Seconds from its beginning to its end, as far as that was seen: it may have been followed for less than it has lived.
    #[must_use]
    pub fn lasted_s(&self) -> f64 {
        let followed_s = self.points.first().map_or(0.0, |(before, ..)| *before);
        f64::from(followed_s.max(self.init_age_s.unwrap_or_default()))
    }

    /// Seconds from its first point to the end of the one that is judged.
    fn began_before_s(&self) -> f64 {
        self.ended_before_s + self.points.first().map_or(0.0, |(before, ..)| f64::from(*before))
    }

    /// As samples, with times relative to the end of the life that is judged; it begins a life.
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        let ended = self.ended_before_s;
        self.points.iter().enumerate().map(move |(index, (before, held, limit))| Sample {
            restart: index == 0,
            ..sample(ended + f64::from(*before), f64::from(*held), limit.map(f64::from))
        })
    }
}

/// Of the life that is judged, as those of the lives before it, with which they are compared; and with its page cache.
pub fn samples(life: &[TimelinePoint]) -> impl Iterator<Item = Sample> {
    life.iter().map(|point| {
        let held =
            sample(point.before_ms as f64 / 1000.0, held_at(point) as f64, point.limit_bytes.map(|limit| limit as f64));
        let file = page_cache(point.file_bytes, point.shmem_bytes).map(|cache| cache as f64);
        Sample {
            // What of it is page cache is not known.
            anon: held.anon.filter(|_| file.is_some()),
            file,
            usage: Some(point.usage_bytes as f64),
            restart: point.restart,
            ..held
        }
    })
}

/// So many seconds before the kill. What is held is the kernel's own memory as well, whatever it is called here.
fn sample(before_s: f64, held: f64, limit: Option<f64>) -> Sample {
    Sample { t: -before_s, anon: Some(held), limit, is_watched: true, ..Sample::default() }
}

/// How old a container's first process was when it was killed at `time`, in seconds. None where the victim is another process.
#[must_use]
pub fn init_age_s(time: &str, victim: &Victim) -> Option<f64> {
    let seconds = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|time| time.as_nanosecond() as f64 / 1e9);
    let started = seconds(victim.process.started.as_deref()?)?;
    victim.container_init.then_some(seconds(time)? - started)
}

/// The beginning of a life was seen: it was made anew then, had next to nothing, or the container's first process is as old.
#[must_use]
pub fn began(life: &[TimelinePoint], init_age_s: Option<f64>) -> bool {
    const SLACK_S: f64 = 15.0;
    let (Some(first), Some(last)) = (life.first(), life.last()) else { return false };
    let is_empty = last.limit_bytes.is_some_and(|limit| held_at(first) <= limit / 20);
    let is_as_old = init_age_s.is_some_and(|age| age - first.before_ms as f64 / 1000.0 < SLACK_S);
    first.restart || is_empty || is_as_old
}

/// Of a timeline, the life that ended with the kill: since it was made anew, or since the kill before, so long ago.
#[must_use]
pub fn last_life(timeline: &[TimelinePoint], since_before_ms: Option<u64>) -> &[TimelinePoint] {
    let begins =
        |point: &TimelinePoint| point.restart || since_before_ms.is_some_and(|before| point.before_ms >= before);
    let (last, is_restart) = match timeline.iter().rposition(begins) {
        Some(at) => (at, timeline.get(at).is_some_and(|point| point.restart)),
        None => return timeline,
    };
    timeline.get(if is_restart { last } else { last + 1 }..).unwrap_or_default()
}

/// A life that the history has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptLife {
    /// Whose limit ended it.
    pub level: LimitLevel,
    /// The same as a cgroup's path.
    #[serde(default)]
    pub owner: String,
    pub life: Life,
}

/// Those of the level whose limit `incident` hit of which each was over before the next one began, and the last before `began_s`, in seconds
/// before the kill; the latest first. What ran beside it, as replicas of one service do, is not what it was before, and nor is what one
/// program did in another cgroup that is no container.
fn in_turn<'a>(kept: &'a [KeptLife], incident: &'a Incident, mut began_s: f64) -> impl Iterator<Item = &'a Life> {
    let owner = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref());
    let is_contained = incident.container.is_some();
    let is_its = move |kept: &&KeptLife| {
        owner.is_some_and(|owner| kept.level == owner.level && (is_contained || kept.owner == owner.path))
    };
    kept.iter().rev().filter(is_its).map(|kept| &kept.life).filter(move |life| {
        let was_over = life.ended_before_s >= began_s;
        if was_over {
            began_s = life.began_before_s();
        }
        was_over
    })
}

/// When the life that `incident` ended began to be followed, in seconds before the kill; the kill before was `since_before_ms` ago. None
/// where it was not followed.
fn followed_for_s(incident: &Incident, since_before_ms: Option<u64>) -> Option<f64> {
    let timeline = incident.memory.as_ref()?.timeline.as_deref()?;
    last_life(timeline, since_before_ms).first().map(|first| first.before_ms as f64 / 1000.0)
}

/// Adds those that the history has from before to the lives that this run has seen of `incident`'s place.
pub fn add_kept(lives: &mut (Vec<Life>, Option<u64>), kept: &[KeptLife], incident: &Incident) {
    let Some(began_s) = followed_for_s(incident, lives.1) else { return };
    let began_s = lives.0.first().map_or(began_s, Life::began_before_s);
    let missing = LIVES.saturating_sub(lives.0.len());
    for life in in_turn(kept, incident, began_s).take(missing) {
        lives.0.insert(0, life.clone());
    }
}

/// Adds the limits of those to what is known of this run: what is made anew has another cgroup, and its limit is one that was raised all the
/// same. It goes back from the kill, as far as that was followed, and stops at a larger limit: there it was lowered.
pub fn add_limits(before: &mut LimitsBefore, kept: &[KeptLife], incident: &Incident, since_before_ms: Option<u64>) {
    let limit = incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()?.limit_bytes);
    let (Some(limit), Some(began_s)) = (limit, followed_for_s(incident, since_before_ms)) else { return };
    // A life has sizes with seven digits.
    let is_one = |one: u64, other: u64| one.abs_diff(other) <= one / 1000;
    // Of the life that came next.
    let mut next = limit;
    let (mut same, mut smaller) = (0, Vec::new());
    for life in in_turn(kept, incident, began_s) {
        let Some(then) = life.points.last().and_then(|(.., limit)| *limit).map(|limit| limit as u64) else { continue };
        if is_one(then, next) {
            same += u64::from(next == limit);
        } else if then > next {
            break;
        } else {
            next = then;
            smaller.insert(0, then);
        }
    }
    before.kills = before.kills.max(same);
    smaller.retain(|then| !before.smaller.iter().any(|known| is_one(*known, *then)));
    smaller.append(&mut before.smaller);
    before.smaller = smaller;
}

#[derive(Debug)]
struct Past {
    /// When the last one ended.
    at: BootNs,
    /// With its time; the latest last.
    lives: VecDeque<(BootNs, Life)>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct LivesBefore {
    pasts: Recent<String, Past, PLACES>,
}

impl LivesBefore {
    /// Takes a kill at `at`; the lives before, the oldest first, and how many milliseconds ago the last one ended.
    pub fn take(&mut self, incident: &Incident, at: BootNs) -> (Vec<Life>, Option<u64>) {
        let timeline = incident.memory.as_ref().and_then(|memory| memory.timeline.as_deref());
        let (Some((place, _)), Some(timeline)) = (place_of(incident), timeline) else { return (Vec::new(), None) };
        let known = self.pasts.take(&place);
        let since = known.as_ref().map(|past| at.saturating_sub(past.at) / 1_000_000);
        let mut past = known.unwrap_or(Past { at, lives: VecDeque::new() });
        let before = past
            .lives
            .iter()
            .map(|(ended, life)| Life { ended_before_s: at.saturating_sub(*ended) as f64 / 1e9, ..life.clone() })
            .collect();
        let age = init_age_s(&incident.time, &incident.victim);
        past.at = at;
        past.lives.push_back((at, Life::of(last_life(timeline, since), age)));
        if past.lives.len() > LIVES {
            past.lives.pop_front();
        }
        self.pasts.put(place, past);
        (before, since)
    }
}

#[cfg(test)]
mod tests;
