//! What a memory curve shows.

use schemars::JsonSchema;
use serde::Serialize;

use crate::memory::climb::{Climb, FEWEST, MIB, Shape, climb};
use crate::memory::fit::theil_sen;
use crate::memory::forecast::{advised, reached};
use crate::memory::lives::lives;
use crate::memory::past::{Alike, alike, hours, is_enough};
use crate::memory::period::{drops, period, rise_against_fall};
use crate::memory::sample::Sample;
use crate::memory::series::Series;
use crate::memory::spike::spike;
use crate::memory::words;

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CurveKind")]
pub enum Kind {
    /// It climbs, and has done so for a day, over three periods or in three lives.
    Leak,
    /// It climbs, and has not been seen for long enough to call that a leak.
    Climbing,
    /// It rose at its start, and flattens.
    WarmUp,
    /// It rises and falls, and its floor does not rise.
    Sawtooth,
    /// It stood out for a short while.
    Spike,
    /// Nothing of all that.
    Steady,
    /// Page cache grows, which the kernel takes back.
    Cache,
    /// There is not enough of it.
    TooShort,
}

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
    /// The limit that this curve wants. Null: a limit is no remedy, or nothing is known.
    pub advised_limit_bytes: Option<u64>,
    /// What was seen, in one sentence.
    pub why: String,
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

/// A day, in hours.
const DAY: f64 = 24.0;

/// Judges a curve; its samples are [`cleaned`](crate::memory::sample::cleaned).
#[must_use]
pub fn judge(samples: &[Sample]) -> Verdict {
    let lives = lives(samples);
    // A life that has just begun says little: the one before it is judged.
    let judged = lives.iter().rev().find(|life| is_enough(life)).copied();
    let Some(life) = judged.filter(|life| Series::of(life, Sample::held).points.len() >= FEWEST) else {
        let longest = lives.iter().map(|life| hours(life)).fold(0.0, f64::max);
        return said(Kind::TooShort, Sure::Certain, words::too_short(samples.len(), lives.len(), longest));
    };
    Curve::of(life, &lives).judge()
}

/// A verdict of which there is no more to say.
fn said(verdict: Kind, confidence: Sure, why: String) -> Verdict {
    Verdict {
        verdict,
        confidence,
        since: None,
        bytes_per_hour: None,
        limit_reached_at: None,
        advised_limit_bytes: None,
        why,
    }
}

/// The life that is judged, and what stands around it.
struct Curve {
    start: f64,
    limit: Option<f64>,
    /// The limit, or the most that was in use.
    reference: f64,
    held: Series,
    charged: Series,
    usage: Series,
    cache: Series,
    /// What is cache and what is not is known apart.
    is_told_apart: bool,
    climb: Option<Climb>,
    alike: Alike,
    /// The most that was charged, in all lives.
    most: f64,
    /// It was the only life.
    is_alone: bool,
    /// An earlier life that had lasted as long had as much, and did not come to its limit.
    was_before: bool,
}

impl Curve {
    fn of(life: &[Sample], lives: &[&[Sample]]) -> Self {
        let held = Series::of(life, Sample::held);
        let limit = life.iter().rev().find_map(|sample| sample.limit);
        let reference = limit.unwrap_or_else(|| held.quantile(1.0));
        let most = lives.iter().map(|life| most(life)).fold(0.0, f64::max);
        Self {
            start: life.first().map_or(0.0, |sample| sample.t),
            limit,
            reference,
            charged: Series::of(life, Sample::charged),
            usage: Series::of(life, |sample| sample.usage),
            cache: Series::of(life, Sample::cache),
            is_told_apart: life.iter().any(|sample| sample.anon.is_some() || sample.file.is_some()),
            climb: climb(&held, reference),
            alike: alike(lives, reference),
            most,
            is_alone: lives.len() == 1,
            was_before: was_before(life, lives),
            held,
        }
    }

    fn judge(&self) -> Verdict {
        if let Some(cache) = self.usage_at_its_limit() {
            return cache;
        }
        match self.climb.filter(|climb| climb.shape == Shape::Steady) {
            Some(climb) => return self.climbs(&climb),
            None if self.alike.lives >= LIVES => return self.lives_climb(),
            None => {}
        }
        self.cache_grows().or_else(|| self.flattens()).or_else(|| self.spikes()).unwrap_or_else(|| self.stays())
    }

    /// Unix time of an hour of the life.
    fn time(&self, hour: f64) -> f64 {
        (self.start + hour * 3600.0).round()
    }

    /// For that need, or for all that was used.
    fn advised(&self, need: f64) -> Option<u64> {
        let cut_off = self.limit.filter(|limit| self.most >= 0.985 * limit);
        Some(advised(need.max(self.most), cut_off))
    }

    /// With a limit for what was used.
    fn bounded(&self, verdict: Kind, confidence: Sure, why: String) -> Verdict {
        let advised_limit_bytes = self.advised(0.0);
        Verdict {
            bytes_per_hour: Some(0.0),
            advised_limit_bytes,
            since: Some(self.time(0.0)),
            ..said(verdict, confidence, why)
        }
    }

    /// What cannot be taken back would have been killed there: it is page cache, whatever it is called.
    fn usage_at_its_limit(&self) -> Option<Verdict> {
        const LONG: f64 = 0.15;
        let limit = self.limit.filter(|_| !self.is_told_apart && self.is_alone)?;
        let full = |point: &&(f64, f64)| point.1 >= 0.97 * limit;
        let first = self.usage.points.iter().find(full)?;
        let count = self.usage.points.iter().filter(full).count() as f64;
        let is_there = self.usage.points.last().is_some_and(|point| point.1 >= 0.95 * limit);
        let since = Some(self.time(first.0));
        (is_there && count >= LONG * self.usage.points.len() as f64)
            .then(|| Verdict { since, ..said(Kind::Cache, Sure::Possible, words::usage_at_its_limit()) })
    }

    fn climbs(&self, climb: &Climb) -> Verdict {
        let seen = Seen::of(self, climb);
        let is_leak = !matches!(seen, Seen::TooShort | Seen::Unevenly);
        let others = (self.alike.lives >= LIVES).then_some((self.alike.low, self.alike.high));
        let reached =
            self.limit.and_then(|limit| reached(climb, &self.charged, limit, others)).map(|reached| LimitReached {
                median: self.time(reached.median),
                low: self.time(reached.low),
                high: reached.high.map(|high| self.time(high)),
            });
        // A warm-up that it has at each start is no climb to its limit.
        let is_known = self.was_before && !is_leak;
        let reached = reached.filter(|_| !is_known);
        let is_sure = match seen {
            Seen::Lives(_) => self.alike.high <= 1.3 * self.alike.low,
            Seen::Days(hours) => hours >= 3.0 * DAY && climb.line.tau > 0.9,
            Seen::Periods(_) | Seen::Unevenly | Seen::TooShort => false,
        };
        let confidence = match self.is_told_apart {
            true if is_sure => Sure::Certain,
            true if is_leak || climb.line.tau > 0.85 => Sure::Likely,
            _ => Sure::Possible,
        };
        // For a leak no limit is a remedy. A climb may end: what it has come to so far, and a little more, is the least.
        let need = climb.line.at(climb.from + 1.25 * climb.span);
        // Whoever will meet the limit is not helped by a lower one.
        let is_room = |bytes: u64| reached.is_none() || self.limit.is_none_or(|limit| bytes as f64 > limit);
        Verdict {
            since: Some(self.time(climb.from)),
            bytes_per_hour: Some(climb.line.slope.round()),
            limit_reached_at: reached,
            advised_limit_bytes: if is_leak { None } else { self.advised(need).filter(|bytes| is_room(*bytes)) },
            ..said(
                if is_leak { Kind::Leak } else { Kind::Climbing },
                confidence,
                words::climbs(climb, &seen, self.is_told_apart, is_known),
            )
        }
    }

    /// This one is too short to see it in; those before were not.
    fn lives_climb(&self) -> Verdict {
        let (now, level) = self.charged.points.last().copied().unwrap_or_default();
        let after = |slope: f64, limit: f64| self.time(now + (limit - level).max(0.0) / slope.max(1.0));
        let reached = self.limit.map(|limit| LimitReached {
            median: after(self.alike.slope, limit),
            low: after(1.2 * self.alike.high, limit),
            high: Some(after(0.8 * self.alike.low, limit)),
        });
        let bytes_per_hour = Some(self.alike.slope.round());
        Verdict {
            bytes_per_hour,
            limit_reached_at: reached,
            ..said(Kind::Leak, Sure::Likely, words::lives(&self.alike))
        }
    }

    fn cache_grows(&self) -> Option<Verdict> {
        if self.cache.points.len() < FEWEST {
            return None;
        }
        let ((first, last), (held_first, held_last)) = (self.cache.ends()?, self.held.ends()?);
        let (grown, other) = (last - first, (held_last - held_first).max(0.0));
        if grown < (0.1 * self.reference).max(8.0 * MIB) || grown < 0.7 * (grown + other) {
            return None;
        }
        let rate = grown / self.cache.span().max(f64::MIN_POSITIVE);
        let found = self.bounded(Kind::Cache, Sure::Likely, words::cache(rate));
        Some(Verdict { bytes_per_hour: Some(rate.round()), ..found })
    }

    fn flattens(&self) -> Option<Verdict> {
        let climb = self.climb.filter(|climb| climb.shape == Shape::Flattens)?;
        let rate = climb.trend.last_third.max(0.0) * climb.line.slope;
        let end = climb.line.at(climb.from + climb.span);
        let is_over = climb.trend.end_rate < 0.2 || climb.trend.last_third < 0.25;
        let first = climb.trend.first_third.max(0.0) * climb.line.slope;
        Some(Verdict {
            since: Some(self.time(climb.from)),
            bytes_per_hour: Some(rate.round()),
            advised_limit_bytes: self.advised(end + 0.3 * rate * climb.span),
            ..said(
                Kind::WarmUp,
                if is_over { Sure::Likely } else { Sure::Possible },
                words::flattens(climb.rise, first, rate),
            )
        })
    }

    fn spikes(&self) -> Option<Verdict> {
        let spike = spike(&self.held)?;
        let sure = if spike.highest > 2.0 * spike.usual { Sure::Likely } else { Sure::Possible };
        Some(Verdict { since: Some(self.time(spike.at)), ..self.bounded(Kind::Spike, sure, words::spike(&spike)) })
    }

    /// It does not climb.
    fn stays(&self) -> Verdict {
        if let Some((from, to, within)) = self.warmed_up() {
            return self.bounded(Kind::WarmUp, Sure::Likely, words::warmed_up(from, to, within));
        }
        if let Some(climb) = self.climb.filter(|climb| climb.shape == Shape::Step) {
            let why = words::step(climb.rise * climb.trend.greatest_step);
            return Verdict { since: Some(self.time(climb.from)), ..self.bounded(Kind::Steady, Sure::Possible, why) };
        }
        let (low, high) = (self.held.quantile(0.03), self.held.quantile(0.97));
        let period = period(&self.held);
        let swings = high - low >= (0.1 * self.held.quantile(0.5)).max(2.0 * MIB);
        let count = drops(&self.held);
        let is_sharp = period.is_some_and(|period| period.is_sharp) || count >= 5;
        if swings && count >= 3 && is_sharp && rise_against_fall(&self.held) < 0.75 {
            let sure = if period.is_some() { Sure::Likely } else { Sure::Possible };
            return self.bounded(Kind::Sawtooth, sure, words::sawtooth(low, high, period));
        }
        if let Some((from, to)) = self.falls() {
            return self.bounded(Kind::Steady, Sure::Likely, words::falls(from, to));
        }
        let (least, most) = self.held.range();
        let is_narrow = most - least <= (0.2 * self.held.quantile(0.5)).max(8.0 * MIB);
        let is_explained = is_narrow || (swings && period.is_some());
        let sure = match self.held.span() >= 6.0 {
            true if is_explained => Sure::Certain,
            false if !is_explained => Sure::Possible,
            _ => Sure::Likely,
        };
        let outlier = Some(most).filter(|most| *most > 1.1 * high);
        self.bounded(Kind::Steady, sure, words::steady(low, high, period.filter(|_| swings), outlier))
    }

    /// From what and to what, where it falls all the time.
    fn falls(&self) -> Option<(f64, f64)> {
        /// Points are compared two by two.
        const MOST: usize = 100;
        let points = &self.held.points;
        let each = points.len().div_ceil(MOST).max(1);
        let line = theil_sen(&points.iter().copied().step_by(each).collect::<Vec<_>>())?;
        let (first, last) = (points.first()?, points.last()?);
        let fall = line.slope * (first.0 - last.0);
        (line.tau < -0.6 && fall > 0.15 * self.held.quantile(0.5)).then(|| (line.at(first.0), line.at(last.0)))
    }

    /// From what, to what, and within how many hours, where it rose at its start and has stayed there.
    fn warmed_up(&self) -> Option<(f64, f64, f64)> {
        let points = &self.held.points;
        let few = (points.len() / 60).clamp(1, 5);
        let start = Series { points: points.iter().take(few).copied().collect() }.quantile(0.5);
        let late = Series { points: points.iter().skip(points.len() / 2).copied().collect() };
        let plateau = late.quantile(0.5);
        let scatter = late.quantile(0.95) - late.quantile(0.05);
        let rise = plateau - start;
        let still = theil_sen(&late.floor(12)).map_or(0.0, |line| line.slope * late.span());
        if rise < (0.2 * plateau).max(4.0 * MIB) || rise < 1.5 * scatter || still > 0.25 * rise {
            return None;
        }
        let there = points.iter().find(|point| point.1 >= start + 0.9 * rise)?.0;
        // What jumps there was asked to.
        let on_the_way = points.iter().filter(|point| (0.15..0.85).contains(&((point.1 - start) / rise))).count();
        (on_the_way >= 4 && there <= 0.6 * self.held.span()).then_some((start, plateau, there))
    }
}

/// The most of it that was charged.
fn most(life: &[Sample]) -> f64 {
    life.iter().filter_map(Sample::charged).fold(0.0, f64::max)
}

/// See [`Curve::was_before`].
fn was_before(life: &[Sample], lives: &[&[Sample]]) -> bool {
    const AT_LIMIT: f64 = 0.95;
    let (long, much) = (hours(life), most(life));
    let is_earlier = |other: &&&[Sample]| other.first().zip(life.first()).is_some_and(|(other, this)| other.t < this.t);
    lives.iter().filter(is_earlier).any(|other| {
        let limit = other.iter().rev().find_map(|sample| sample.limit);
        hours(other) >= long && most(other) >= much && limit.is_none_or(|limit| most(other) < AT_LIMIT * limit)
    })
}

/// Lives that climb alike, this one among them, that make a leak; and periods.
const LIVES: usize = 3;
const PERIODS: f64 = 3.0;
/// Below this evenness a climb may be two or three releases that each want more.
const EVEN: f64 = 0.3;

/// Over what a climb was seen: whether it may be called a leak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// In so many lives.
    Lives(usize),
    /// Over so many hours: a day and more.
    Days(f64),
    /// The floor rises over so many periods.
    Periods(f64),
    /// For so long, and in steps too few to say that it goes on.
    Unevenly,
    TooShort,
}

impl Seen {
    fn of(curve: &Curve, climb: &Climb) -> Self {
        let span = curve.held.span();
        let periods = climb.period.map_or(0.0, |period| span / period.hours);
        let is_straight = climb.trend.last_third >= 0.6 && climb.line.tau >= 0.75 && climb.evenness >= EVEN;
        let over_days = span >= DAY && climb.span >= DAY / 3.0;
        // A day's own rise, behind a collector's sawtooth, is no leak: that is not so steep.
        let over_periods =
            periods >= PERIODS && span >= DAY / 8.0 && climb.rise >= (0.25 * climb.line.at(climb.from)).max(MIB);
        match (is_straight, over_days, over_periods) {
            _ if curve.alike.lives >= LIVES => Self::Lives(curve.alike.lives),
            (true, true, _) => Self::Days(span),
            (true, _, true) => Self::Periods(periods.floor()),
            (false, true, _) | (false, _, true) => Self::Unevenly,
            (_, false, false) => Self::TooShort,
        }
    }
}
