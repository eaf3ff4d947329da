//! What was seen of a curve, in words.

use crate::memory::climb::Climb;
use crate::memory::gaps::Gap;
use crate::memory::kind::{Kind, LimitFor};
use crate::memory::past::Alike;
use crate::memory::period::Period;
use crate::memory::seen::Seen;
use crate::memory::shift::Shift;
use crate::memory::spike::Spike;
use crate::text;

pub fn too_short(samples: usize, lives: usize, longest_h: f64) -> String {
    let lives = if lives > 1 { format!(" in {lives} lives, the longest of") } else { " over".to_owned() };
    format!(
        "not enough to say anything: {samples} {}{lives} {}",
        if samples == 1 { "sample" } else { "samples" },
        span(longest_h)
    )
}

pub fn usage_at_its_limit() -> String {
    "usage stays at its limit, as page cache does: what the kernel cannot take back would have been killed, or swapped out"
        .to_owned()
}

pub fn climbs(climb: &Climb, climb_h: f64, seen: &Seen, is_told_apart: bool, is_known: bool) -> String {
    let seen = match seen {
        Seen::Lives(lives) => format!("{lives} lives climbed alike"),
        Seen::Days(hours) => format!("the floor rose over {}", span(*hours)),
        Seen::Periods(periods) => format!("the floor rose over {periods:.0} periods"),
        Seen::Unevenly => "not evenly enough to call it a leak: a few steps may be work of their own".to_owned(),
        Seen::TooShort => {
            "too short a time to call it a leak, which takes a day, three periods or three lives".to_owned()
        }
    };
    let cache = if is_told_apart { "" } else { "; page cache may be in it, for only usage is known" };
    let known = if is_known { "; an earlier life climbed as far, and did not come to its limit" } else { "" };
    let (rate, low, high) = (size(climb.line.slope), size(climb.line.low), size(climb.line.high));
    let by = match climb.trend.faster {
        Some(_) => format!("faster and faster: by {rate}/h on the whole, and by {}/h now", size(climb.rate_now())),
        None if low == high => format!("by {rate}/h"),
        None => format!("by {rate}/h (between {low}/h and {high}/h)"),
    };
    format!("climbing for {}, {by}; {seen}{cache}{known}", span(climb_h))
}

pub fn kernel_climbs(climb: &Climb, climb_h: f64) -> String {
    format!(
        "what is neither the program's own nor page cache climbs, for {} by {}/h: kernel memory, as of files, sockets and page tables; the \
         kernel may take some of it back",
        span(climb_h),
        size(climb.line.slope)
    )
}

/// `start`: of the life, in Unix seconds.
pub fn with_gaps(why: &str, gaps: &[Gap], start: f64) -> String {
    let hours = |gap: &Gap| (gap.to - gap.from) / 3600.0;
    let Some(longest) = gaps.iter().max_by(|a, b| hours(a).total_cmp(&hours(b))) else { return why.to_owned() };
    let (long, from) = (span(hours(longest)), span((longest.from - start) / 3600.0));
    match gaps.len() {
        1 => format!("{why}; no samples for {long}, from {from} after the first one on, which is not counted"),
        count => format!(
            "{why}; no samples for {} in all, which are not counted: {count} gaps, the longest one of {long}, from {from} after the first \
             sample on",
            span(gaps.iter().map(hours).sum())
        ),
    }
}

pub fn shift(shift: &Shift, lasted_h: f64) -> String {
    let (how, by) = if shift.after > shift.before {
        ("up", shift.after - shift.before)
    } else {
        ("down", shift.before - shift.after)
    };
    let number = text::ordinal(shift.count as u64);
    let often = if shift.count == 1 { String::new() } else { format!(" (the {number} change of its level)") };
    format!(
        "it stepped {how} by {}, from {} to {}, {} after its start{often}, and has stayed there for {}",
        size(by),
        size(shift.before),
        size(shift.after),
        span(shift.at),
        span(lasted_h)
    )
}

pub fn of_the_life_before(why: &str, newborn_h: f64) -> String {
    format!("the life before this one, which is {} old: {why}", span(newborn_h))
}

pub fn unlike_earlier(why: &str, alike: &Alike) -> String {
    format!("{why}; {} earlier lives climbed by some {}/h, and this one does not", alike.lives, size(alike.slope))
}

pub fn cache_alone(low: f64, high: f64) -> String {
    format!(
        "page cache alone is known, and does not grow: between {} and {}. What the program itself holds is not in it",
        size(low),
        size(high)
    )
}

pub fn lives(alike: &Alike) -> String {
    let lasted = alike.lasted.map(|hours| format!(", each for some {}", span(hours))).unwrap_or_default();
    format!("{} lives climbed alike, by {}/h{lasted}; this one is too short to tell", alike.lives, size(alike.slope))
}

pub fn cache(rate: f64) -> String {
    format!(
        "page cache grows by {}/h, and the program's own memory does not: the kernel takes cache back at the limit",
        size(rate)
    )
}

pub fn cache_is_full(grown: f64) -> String {
    format!(
        "page cache grew by {}, and does so no more; the program's own memory did not: the kernel takes cache back at the limit",
        size(grown)
    )
}

pub fn after_a_spike(spike: &Spike, now: &str) -> String {
    format!(
        "the life before this one ended at {}, where {} was usual: a spike ended it; of this one: {now}",
        size(spike.highest),
        size(spike.usual)
    )
}

pub fn flattens(rise: f64, first: f64, now: f64) -> String {
    if now >= first {
        return format!("it rose by {}, most of it for a while in the middle, and by {}/h now", size(rise), size(now));
    }
    format!("it rose by {}, and flattens: {}/h at first, {}/h now", size(rise), size(first), size(now))
}

pub fn warmed_up(from: f64, to: f64, within_h: f64) -> String {
    format!("it rose from {} to {} within {}, and has stayed there", size(from), size(to), span(within_h))
}

pub fn spike(spike: &Spike) -> String {
    let often = if spike.count == 1 { "once".to_owned() } else { format!("{} times", spike.count) };
    let end = if spike.at_end { ", the last time at the end" } else { "" };
    format!("{} is usual, and up to {} was in use {often}{end}", size(spike.usual), size(spike.highest))
}

pub fn step(by: f64) -> String {
    format!("it rose once, by {}, and stayed there", size(by))
}

pub fn sawtooth(low: f64, high: f64, period: Option<Period>) -> String {
    let every = period.map(|period| format!(" every {}", span(period.hours))).unwrap_or_default();
    format!("it rises and falls between {} and {}{every}, and its floor stays", size(low), size(high))
}

pub fn steady(low: f64, high: f64, period: Option<Period>, outlier: Option<f64>) -> String {
    let how = period.map(|period| format!(", with what repeats every {}", span(period.hours))).unwrap_or_default();
    let but = outlier.map(|most| format!("; for a moment it was {}", size(most))).unwrap_or_default();
    match (size(low), size(high)) {
        (low, high) if low == high => format!("it stays at {low}{how}{but}"),
        (low, high) => format!("it stays between {low} and {high}{how}{but}"),
    }
}

pub fn falls(from: f64, to: f64) -> String {
    format!("it does not grow: it falls, from {} to {}", size(from), size(to))
}

/// A limit that is advised, written as `limit`.
pub fn advised(limit_for: LimitFor, limit: &str) -> String {
    match limit_for {
        LimitFor::All => format!("a limit that fits: {limit}"),
        LimitFor::ItsEnd => {
            format!("a limit of {limit} or more, if it ends soon: what goes on climbing comes to any limit")
        }
        LimitFor::SoFar => format!("a limit of {limit} or more: for what it has come to so far, and some room"),
        LimitFor::NoCache => format!(
            "a limit of {limit} or more: so much is for the program's own memory alone, and page cache that has no room is read from the \
             disk again"
        ),
        LimitFor::Before => {
            format!("a limit that fits the most it had: {limit}; if it stays as it is now, less is enough")
        }
        LimitFor::Since => format!("a limit that fits what it has since it fell: {limit}; less than it had before"),
    }
}

/// Why none is advised, where a limit is what one would think of.
pub const fn not_advised(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Leak => Some("no limit is advised: a leak comes to any limit, to a higher one later"),
        Kind::Climbing => Some("no limit is advised: if it goes on climbing, it comes to any limit"),
        Kind::Cache => Some("no limit is advised: how much of it is page cache is not known"),
        _ => None,
    }
}

fn size(bytes: f64) -> String {
    // Negative ones do not come: they would be a fault, and read as nothing.
    text::bytes(bytes.max(0.0) as u64)
}

/// `40 min`, `31 h`, `3.5 days`.
fn span(hours: f64) -> String {
    match hours {
        hours if hours >= 48.0 => format!("{:.1} days", hours / 24.0),
        hours if hours >= 10.0 => format!("{hours:.0} h"),
        hours if hours >= 1.5 => format!("{hours:.1} h"),
        hours if hours * 60.0 >= 1.0 => format!("{:.0} min", hours * 60.0),
        hours => format!("{:.0} s", hours * 3600.0),
    }
}
