//! One life of a curve, judged with the others beside it.

use crate::memory::climb::{Climb, FEWEST, MIB, Shape, climb, least_rise};
use crate::memory::forecast::{Reached, advised, reached};
use crate::memory::gaps::{Gap, back, gaps, long, paused, went_on, without};
use crate::memory::onset::lately;
use crate::memory::others::{are_ends_known, cut_off, ended_before, most, was_before};
use crate::memory::past::{Alike, LIVES, alike, limit};
use crate::memory::period::drops;
use crate::memory::sample::Sample;
use crate::memory::seen::{DAY, Seen};
use crate::memory::series::Series;
use crate::memory::spike::{Spike, spike};
use crate::memory::verdict::{Kind, LimitFor, LimitReached, Sure, Verdict, said};
use crate::memory::words;

mod stays;

/// The life that is judged, and what stands around it.
pub struct Life {
    start: f64,
    /// Unix time of its last sample.
    end: f64,
    /// Where there are no samples, and those of these whose time is left out, for it did not go on meanwhile.
    gaps: Vec<Gap>,
    cut: Vec<Gap>,
    limit: Option<f64>,
    /// The limit, or the most that was in use.
    reference: f64,
    held: Series,
    charged: Series,
    cache: Series,
    /// What is neither, where all of it is known.
    kernel: Series,
    /// Usage, as a share of the limit of its time.
    fullness: Series,
    /// What is cache and what is not is known apart.
    is_told_apart: bool,
    climb: Option<Climb>,
    alike: Alike,
    /// The most that was charged, in all lives.
    most: f64,
    /// The highest limit that a life came to, which cut off what it wanted.
    cut_off: Option<f64>,
    /// It was the only life.
    is_alone: bool,
    /// Each life began by the curve's own word, or behind one that had come to its limit: work that gives back all that it took looks like an
    /// end, too.
    are_ends_known: bool,
    /// The life before this one ended while it stood out.
    ended_before: Option<Spike>,
    /// An earlier life that had lasted as long had as much, and did not come to its limit.
    was_before: bool,
}

/// What a rise is held against: the limit, or the most that was in use. Far from its limit a program climbs by little of that and by much of what
/// it has, so that a limit counts for a few times the most alone.
fn reference(limit: Option<f64>, most: f64) -> f64 {
    const TIMES: f64 = 3.0;
    limit.map_or(most, |limit| limit.min(TIMES * most))
}

impl Life {
    /// A life among all of them.
    #[must_use]
    pub fn of(life: &[Sample], lives: &[&[Sample]]) -> Self {
        let gaps = gaps(life);
        let cut = paused(life, &gaps);
        if !cut.is_empty() {
            let found = Self::seen(&without(life, &cut), lives, gaps.clone(), cut);
            if found.is_steady() {
                return found;
            }
        }
        let mut found = Self::seen(life, lives, gaps, Vec::new());
        if !found.is_steady() {
            let filled = went_on(life, &found.gaps).and_then(|held| climb(&held, found.reference));
            found.climb = filled.filter(|climb| climb.shape == Shape::Steady).or(found.climb);
        }
        found
    }

    /// What was seen of it, in which the time of those that are `cut` is left out already.
    fn seen(life: &[Sample], lives: &[&[Sample]], gaps: Vec<Gap>, cut: Vec<Gap>) -> Self {
        let held = Series::of(life, Sample::held);
        let limit = limit(life);
        let reference = reference(limit, held.quantile(1.0));
        let most = lives.iter().map(|life| most(life)).fold(0.0, f64::max);
        Self {
            start: life.first().map_or(0.0, |sample| sample.t),
            end: life.last().map_or(0.0, |sample| back(sample.t, &cut)),
            gaps,
            cut,
            limit,
            reference,
            charged: Series::of(life, Sample::charged),
            cache: Series::of(life, Sample::cache),
            kernel: Series::of(life, Sample::kernel),
            fullness: Series::of(life, |sample| Some(sample.in_use()? / sample.limit?)),
            is_told_apart: life.iter().any(Sample::is_told_apart),
            climb: match climb(&held, reference) {
                Some(whole) if whole.shape == Shape::Steady => Some(whole),
                whole => lately(&held, reference).or(whole),
            },
            alike: alike(lives, reference),
            most,
            cut_off: cut_off(lives),
            is_alone: lives.len() == 1,
            are_ends_known: are_ends_known(lives),
            ended_before: ended_before(life, lives),
            was_before: was_before(life, lives),
            held,
        }
    }

    /// What it shows, as long as it goes on.
    #[must_use]
    pub fn judge(&self) -> Verdict {
        self.with_gaps(self.judged())
    }

    /// And for how long nobody looked, where that is worth a word.
    fn with_gaps(&self, found: Verdict) -> Verdict {
        let long = long(&self.gaps, self.end - self.start);
        if long.is_empty() {
            return found;
        }
        Verdict { why: words::with_gaps(&found.why, &long, self.start), ..found }
    }

    fn judged(&self) -> Verdict {
        if self.held.points.len() < FEWEST {
            return self.cache_grows().unwrap_or_else(|| self.cache_alone());
        }
        if let Some(cache) = self.usage_at_its_limit() {
            return cache;
        }
        match self.climb.filter(|climb| climb.shape == Shape::Steady) {
            Some(climb) => self.climbs(&climb),
            None if self.alike.lives >= LIVES && self.may_be_like_earlier() => {
                let (hour, level) = self.charged.points.last().copied().unwrap_or_default();
                self.lives_climb((self.time(hour), level), self.limit)
            }
            None => self.by_its_shape(),
        }
    }

    /// What it shows where it does not climb for sure, whatever those before it did.
    fn by_its_shape(&self) -> Verdict {
        let kernel = self.kernel_climbs();
        // What climbs now is more than what the life before ended in.
        let before = self.ended_before.filter(|_| kernel.is_none());
        let found = kernel.or_else(|| self.cache_grows()).or_else(|| self.flattens()).or_else(|| self.spikes());
        let found = found.unwrap_or_else(|| self.stays());
        if let Some(spike) = before {
            return self.after_a_spike(&spike, &found);
        }
        if self.alike.lives < LIVES {
            return found;
        }
        Verdict { why: words::unlike_earlier(&found.why, &self.alike), ..found }
    }

    /// The same of one that has ended at its limit: those before it speak for it only where it has risen as they would have by then.
    #[must_use]
    pub fn at_its_end(&self, life: &[Sample]) -> Verdict {
        let is_by_itself = self.alike.lives < LIVES || self.is_steady() || self.alike.may_be(life, self.reference);
        if is_by_itself { self.judge() } else { self.with_gaps(self.by_its_shape()) }
    }

    /// What it shows, where another life has begun since, of which nothing can be said yet.
    #[must_use]
    pub fn ended(&self, newborn: &[Sample]) -> Verdict {
        self.goes_on_in(newborn, false).unwrap_or_else(|| self.judge().of_the_life_before(newborn))
    }

    /// What the lives up to this one say of the next one, of which nothing can be said by itself. `has_ended`: that one did so at its limit.
    /// None where they are too few, this one did not go as those before it, or the next one has not either.
    #[must_use]
    pub fn goes_on_in(&self, newborn: &[Sample], has_ended: bool) -> Option<Verdict> {
        let is_mended = !self.is_steady() && !self.may_be_like_earlier();
        if self.alike.lives < LIVES || is_mended || (has_ended && !self.alike.may_be(newborn, self.reference)) {
            return None;
        }
        let begun = newborn.first().map_or(self.start, |sample| sample.t);
        let last = newborn.iter().rev().find_map(|sample| Some((sample.t, sample.charged()?)));
        Some(self.lives_climb(last.unwrap_or((begun, 0.0)), limit(newborn)))
    }

    /// It climbs for sure.
    fn is_steady(&self) -> bool {
        self.climb.is_some_and(|climb| climb.shape == Shape::Steady)
    }

    /// It does not climb for sure, and may yet do so as earlier lives did: it is shorter than those, and has not risen by much less by now
    /// than they would have.
    fn may_be_like_earlier(&self) -> bool {
        /// Of what the slowest of them would have risen by.
        const MUCH: f64 = 0.4;
        let expected = self.alike.low * self.held.span();
        let risen = self.held.ends().map_or(0.0, |(first, last)| last - first);
        let is_shorter = self.alike.lasted.is_none_or(|lasted| self.held.span() < lasted);
        is_shorter && (expected < least_rise(&self.held, self.reference) || risen >= MUCH * expected)
    }

    /// Unix time of an hour of the life.
    fn time(&self, hour: f64) -> f64 {
        back(self.start + hour * 3600.0, &self.cut).round()
    }

    /// The hours from that one on, of so many, that samples stand for.
    fn seen_of(&self, hours: f64, from: f64) -> f64 {
        // Hours are counted without what is cut out, and gaps are where they were.
        let from = back(self.start + from * 3600.0, &self.cut);
        let is_in = |gap: &&Gap| gap.to > from && !self.cut.contains(gap);
        hours - self.gaps.iter().filter(is_in).map(|gap| gap.unseen() / 3600.0).sum::<f64>()
    }

    /// For that need, or for all that was used.
    fn advised(&self, need: f64) -> Option<u64> {
        Some(advised(need.max(self.most), self.cut_off))
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
        if self.is_told_apart || !self.is_alone {
            return None;
        }
        let points = &self.fullness.points;
        let full = |point: &&(f64, f64)| point.1 >= 0.97;
        let first = points.iter().find(full)?;
        let count = points.iter().filter(full).count() as f64;
        let is_there = points.last().is_some_and(|point| point.1 >= 0.95);
        let since = Some(self.time(first.0));
        (is_there && count >= LONG * points.len() as f64)
            .then(|| Verdict { since, ..said(Kind::Cache, Sure::Possible, words::usage_at_its_limit()) })
    }

    fn climbs(&self, climb: &Climb) -> Verdict {
        let climb_h = self.seen_of(climb.span, climb.from);
        let seen = Seen::of(climb, self.seen_of(self.held.covers(), 0.0), climb_h, &self.alike);
        let is_leak = seen.is_leak();
        let others = matches!(seen, Seen::Lives(_)).then_some((self.alike.low, self.alike.high));
        let reached = self.limit.and_then(|limit| reached(climb, &self.charged, limit, others));
        let reached = reached.map(|reached| self.at(&reached));
        // A warm-up that it has at each start is no climb to its limit.
        let is_known = self.was_before && !is_leak;
        let reached = reached.filter(|_| !is_known);
        let is_sure = match seen {
            Seen::Lives(_) => self.are_ends_known && self.alike.high <= 1.3 * self.alike.low,
            Seen::Days(hours) => {
                let is_narrow = climb.line.low >= 0.5 * climb.line.slope;
                hours >= 3.0 * DAY && climb.line.tau > 0.9 && is_narrow
            }
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
            limit_for: LimitFor::ItsEnd,
            since: Some(self.time(climb.from)),
            bytes_per_hour: Some(climb.rate_now().round()),
            limit_reached_at: reached,
            advised_limit_bytes: if is_leak { None } else { self.advised(need).filter(|bytes| is_room(*bytes)) },
            lives: if let Seen::Lives(lives) = seen { lives } else { 1 },
            ..said(
                if is_leak { Kind::Leak } else { Kind::Climbing },
                confidence,
                words::climbs(climb, climb_h, &seen, self.is_told_apart, is_known),
            )
        }
    }

    /// The same in Unix time.
    fn at(&self, reached: &Reached) -> LimitReached {
        LimitReached {
            median: self.time(reached.median),
            low: self.time(reached.low),
            high: reached.high.map(|high| self.time(high)),
        }
    }

    /// A life that has come to `level` at that Unix time is too short to see it in; those before were not.
    fn lives_climb(&self, (now, level): (f64, f64), limit: Option<f64>) -> Verdict {
        let after = |slope: f64, limit: f64| (now + (limit - level).max(0.0) / slope.max(1.0) * 3600.0).round();
        let reached = limit.map(|limit| LimitReached {
            median: after(self.alike.slope, limit),
            low: after(1.2 * self.alike.high, limit),
            high: Some(after(0.8 * self.alike.low, limit)),
        });
        Verdict {
            bytes_per_hour: Some(self.alike.slope.round()),
            limit_reached_at: reached,
            lives: self.alike.lives,
            ..said(Kind::Leak, Sure::Likely, words::lives(&self.alike))
        }
    }

    /// Memory that the kernel holds for it. How much of that it would give back is not known, so it is called no leak.
    fn kernel_climbs(&self) -> Option<Verdict> {
        let climb = climb(&self.kernel, self.reference).filter(|climb| climb.shape == Shape::Steady)?;
        let found = self.climbs(&climb);
        let why = words::kernel_climbs(&climb, self.seen_of(climb.span, climb.from));
        Some(Verdict { verdict: Kind::Climbing, confidence: Sure::Possible, why, ..found })
    }

    fn cache_grows(&self) -> Option<Verdict> {
        /// What rises in the last third of the time, of all that it rose by, where it still grows.
        const STILL: f64 = 0.05;
        // What comes and goes is work, and not what piles up.
        if self.cache.points.len() < FEWEST || drops(&self.cache) >= 2 {
            return None;
        }
        let ((first, last), (held_first, held_last)) = (self.cache.ends()?, self.held.ends().unwrap_or_default());
        let (grown, other) = (last - first, (held_last - held_first).max(0.0));
        if grown < (0.1 * self.reference).max(8.0 * MIB) || grown < 0.7 * (grown + other) {
            return None;
        }
        let span = self.cache.span().max(f64::MIN_POSITIVE);
        let late = self.cache.since(2.0 / 3.0 * span).ends().map_or(0.0, |(from, to)| to - from);
        if late < STILL * grown {
            let found = self.bounded(Kind::Cache, Sure::Likely, words::cache_is_full(grown));
            return Some(Verdict { limit_for: LimitFor::NoCache, ..found });
        }
        let rate = grown / span;
        let found = self.bounded(Kind::Cache, Sure::Likely, words::cache(rate));
        Some(Verdict { bytes_per_hour: Some(rate.round()), limit_for: LimitFor::NoCache, ..found })
    }

    /// What the program itself holds is not known.
    fn cache_alone(&self) -> Verdict {
        let (low, high) = (self.cache.quantile(0.03), self.cache.quantile(0.97));
        said(Kind::Steady, Sure::Possible, words::cache_alone(low, high))
    }

    fn flattens(&self) -> Option<Verdict> {
        let climb = self.climb.filter(|climb| climb.shape == Shape::Flattens)?;
        let rate = climb.trend.last_third.max(0.0) * climb.line.slope;
        let end = climb.line.at(climb.from + climb.span);
        let is_over = climb.trend.end_rate < 0.2 || climb.trend.last_third < 0.25;
        let first = climb.trend.first_third.max(0.0) * climb.line.slope;
        Some(Verdict {
            limit_for: LimitFor::SoFar,
            since: Some(self.time(climb.from)),
            bytes_per_hour: Some(rate.round()),
            advised_limit_bytes: self.advised(end + if is_over { 0.0 } else { 0.3 * rate * climb.span }),
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

    /// It goes on as before, and the life before it did not: what that one wanted in the end is not known, but where it came to its limit.
    fn after_a_spike(&self, spike: &Spike, found: &Verdict) -> Verdict {
        Verdict {
            since: None,
            advised_limit_bytes: found.advised_limit_bytes.filter(|_| self.cut_off.is_some()),
            bytes_per_hour: found.bytes_per_hour,
            ..said(Kind::Spike, Sure::Likely, words::after_a_spike(spike, &found.why))
        }
    }
}
