//! What a memory curve shows.

use schemars::JsonSchema;
use serde::Serialize;

use crate::memory::climb::FEWEST;
pub use crate::memory::kind::{Kind, LimitFor};
use crate::memory::life::Life;
use crate::memory::lives::lives;
use crate::memory::past::{hours, is_enough};
use crate::memory::sample::Sample;
use crate::memory::words;

/// How sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sure {
    /// Nothing else explains what was seen.
    Certain,
    /// It is what such a curve mostly is.
    Likely,
    /// Something else may explain it as well.
    Possible,
}

/// What is said of a curve. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CurveVerdict")]
pub struct Verdict {
    /// What it is.
    pub verdict: Kind,
    /// How sure that is.
    pub confidence: Sure,
    /// Since when it does so. Null: it does not apply.
    pub since: Option<f64>,
    /// How fast the floor rises. Null: not known.
    pub bytes_per_hour: Option<f64>,
    /// When the limit is reached, if it goes on so. Null: not by this, or there is no limit.
    pub limit_reached_at: Option<LimitReached>,
    /// The limit that this curve wants: the least, where it climbs or warms up; where page cache grows, without that. Null: a limit is no
    /// remedy, or nothing is known.
    pub advised_limit_bytes: Option<u64>,
    /// What was seen, in one sentence.
    pub why: String,
    /// The lives that it rests on: several for a leak that shows in what they have in common.
    #[serde(skip)]
    pub lives: usize,
    /// What an advised limit is good for.
    #[serde(skip)]
    pub limit_for: LimitFor,
}

/// When the limit is reached, in Unix seconds; in nine of ten cases between `low` and `high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LimitReached {
    /// Most likely.
    pub median: f64,
    /// Hardly before.
    pub low: f64,
    /// Hardly after. Null: it may never be.
    pub high: Option<f64>,
}

/// Judges a curve; its samples are [`cleaned`](crate::memory::sample::cleaned).
#[must_use]
pub fn judge(samples: &[Sample]) -> Verdict {
    let lives = lives(samples);
    // A life that has just begun says little: the one before it is judged.
    let judged = lives.iter().rposition(|life| is_enough(life));
    let Some((at, life)) = judged.and_then(|at| Some((at, *lives.get(at)?))).filter(|(_, life)| is_known(life)) else {
        let longest = lives.iter().map(|life| hours(life)).fold(0.0, f64::max);
        return said(Kind::TooShort, Sure::Certain, words::too_short(samples.len(), lives.len(), longest));
    };
    let judged = Life::of(life, &lives);
    match lives.get(at + 1..).and_then(<[_]>::last) {
        Some(newborn) => judged.ended(newborn),
        None => judged.judge(),
    }
}

/// What the last life of a curve shows, which has ended at its limit. Those before it speak for it only where it may have gone as they did.
/// None where that is not so, and it is too short to show anything by itself.
#[must_use]
pub fn judge_end(samples: &[Sample]) -> Option<Verdict> {
    let lives = lives(samples);
    let (last, before) = lives.split_last()?;
    if is_enough(last) && is_known(last) {
        return Some(Life::of(last, &lives).at_its_end(last));
    }
    let full = before.iter().rfind(|life| is_enough(life)).filter(|life| is_known(life))?;
    Life::of(full, &lives).goes_on_in(last, true)
}

/// Enough of it is known to say something.
fn is_known(life: &[Sample]) -> bool {
    let count = |size: fn(&Sample) -> Option<f64>| life.iter().filter_map(size).count();
    count(Sample::held) >= FEWEST || count(Sample::cache) >= FEWEST
}

impl Verdict {
    /// What is advised of a limit, or why none is, where that is to be said. `size`: how one is written.
    #[must_use]
    pub fn advice(&self, size: impl Fn(u64) -> String) -> Option<String> {
        match self.advised_limit_bytes {
            Some(limit) => Some(words::advised(self.limit_for, &size(limit))),
            None => words::not_advised(self.verdict).map(str::to_owned),
        }
    }

    /// What is left of it when another life has begun since: this is what the one before it did, and that comes to no limit any more.
    pub fn of_the_life_before(self, newborn: &[Sample]) -> Self {
        let why = words::of_the_life_before(&self.why, hours(newborn));
        Self { limit_reached_at: None, why, ..self }
    }
}

/// A verdict of which there is no more to say.
pub fn said(verdict: Kind, confidence: Sure, why: String) -> Verdict {
    Verdict {
        verdict,
        confidence,
        since: None,
        bytes_per_hour: None,
        limit_reached_at: None,
        advised_limit_bytes: None,
        why,
        lives: 1,
        limit_for: LimitFor::All,
    }
}
