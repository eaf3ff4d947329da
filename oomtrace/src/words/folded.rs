//! Like kills on one line, for whoever reads what has been: a restart loop must not hide all others.

use jiff::Timestamp;

use crate::model::EarlierKill;
use crate::text::nanoseconds;
use crate::words::repeats::APART_MS;

/// The longest that may lie between two that are counted together, in nanoseconds: as while watching.
pub const APART_NS: i64 = APART_MS as i64 * 1_000_000;

/// Like kills, of which the last is shown; one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    count: u64,
    first: i64,
    last: i64,
}

impl Folded {
    /// One by itself, at that time in nanoseconds since 1970.
    #[must_use]
    pub const fn single(at: i64) -> Self {
        Self { count: 1, first: at, last: at }
    }

    /// With one more, at that time.
    #[must_use]
    pub fn with(self, at: i64) -> Self {
        Self { count: self.count.saturating_add(1), first: self.first.min(at), last: self.last.max(at) }
    }

    /// The same, where no more than [`APART_NS`] lies between it and these.
    #[must_use]
    pub fn with_near(self, at: i64) -> Option<Self> {
        let is_near = at.saturating_sub(self.last) <= APART_NS && self.first.saturating_sub(at) <= APART_NS;
        is_near.then(|| self.with(at))
    }

    /// Without so many of the latest, so that the last was at that time; none, where none is left.
    #[must_use]
    pub fn without_latest(self, count: u64, last: i64) -> Option<Self> {
        let left = self.count.checked_sub(count).filter(|left| *left > 0)?;
        Some(Self { count: left, first: self.first.min(last), last })
    }

    /// How many, with the last.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// When the first was, in nanoseconds since 1970.
    #[must_use]
    pub const fn first(&self) -> i64 {
        self.first
    }

    /// When the last was.
    #[must_use]
    pub const fn last(&self) -> i64 {
        self.last
    }

    /// `×40 from 03:10:00 to 03:40:00`; none of a single one. `time` shows an RFC 3339 time.
    #[must_use]
    pub fn said(&self, time: impl Fn(&str) -> String) -> Option<String> {
        let shown = |ns: i64| {
            let at = Timestamp::from_nanosecond(ns.into()).unwrap_or_default();
            time(&format!("{at:.9}"))
        };
        let (first, last) = (shown(self.first), shown(self.last));
        (self.count > 1).then(|| match first == last {
            true => format!("×{} at {first}", self.count),
            false => format!("×{} from {first} to {last}", self.count),
        })
    }
}

/// A list of what is read, the latest first: like ones on one line, of the last of them, where no more than [`APART_NS`] lies between each and
/// the next. `kind` says what it has in common with others, and when it was; none of what is like no other.
#[must_use]
pub fn fold<'a, T, K: PartialEq>(
    all: &'a [T],
    kind: impl Fn(&'a T) -> Option<(K, i64)>,
) -> Vec<(&'a T, Option<Folded>)> {
    let mut lines: Vec<(&'a T, Option<(K, Folded)>)> = Vec::new();
    for one in all {
        let Some((own, at)) = kind(one) else {
            lines.push((one, None));
            continue;
        };
        // The earliest line of the kind is the one that may grow.
        let like = lines.iter_mut().rev().filter_map(|(_, line)| line.as_mut()).find(|(known, _)| *known == own);
        match like.and_then(|(_, folded)| Some((folded.with_near(at)?, folded))) {
            Some((grown, folded)) => *folded = grown,
            None => lines.push((one, Some((own, Folded::single(at))))),
        }
    }
    lines.into_iter().map(|(one, line)| (one, line.map(|(_, folded)| folded))).collect()
}

/// Kills of before, as they are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier<'a> {
    pub lines: Vec<(&'a EarlierKill, Option<Folded>)>,
    /// How many kills are on none of the lines.
    pub left: u64,
}

/// The same of kills of before, the latest first, on `most` lines at most: these are alike of which the same is said, but for when it was and for
/// numbers, of processes and of what they had.
#[must_use]
pub fn earlier(all: &[EarlierKill], most: usize) -> Earlier<'_> {
    let mut lines = fold(all, |kill| {
        let at = nanoseconds(kill.time.as_deref()?)?;
        Some(((&kill.place, kill.cause, kill.confidence, kill.limit_bytes, without_numbers(&kill.why)), at))
    });
    lines.truncate(most);
    let listed: u64 = lines.iter().map(|(_, folded)| folded.map_or(1, |folded| folded.count())).sum();
    Earlier { lines, left: (all.len() as u64).saturating_sub(listed) }
}

fn without_numbers(text: &str) -> String {
    text.split(|c: char| c.is_ascii_digit() || c == '.').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}

/// That so many kills are not shown by themselves; nothing of none.
#[must_use]
pub fn not_by_themselves(kills: u64) -> Option<String> {
    match kills {
        0 => None,
        1 => Some("1 kill is counted with a later one like it".to_owned()),
        kills => Some(format!("{kills} kills are counted with a later one like them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_at_least() {
        let all = Folded::single(5).with(9).with(7);
        assert_eq!((all.count(), all.first(), all.last()), (3, 5, 9));
        let left = all.without_latest(1, 7).unwrap();
        assert_eq!((left.count(), left.first(), left.last()), (2, 5, 7));
        assert_eq!((all.without_latest(3, 5), all.without_latest(4, 5)), (None, None));
    }

    #[test]
    fn like_ones_are_one_line_where_little_lies_between() {
        const MINUTE: i64 = 60_000_000_000;
        // Two kinds beside one another, one of no kind, and a gap.
        let all = [("a", 60), ("b", 59), ("a", 55), ("?", 54), ("b", 50), ("a", 45), ("a", 34), ("?", 33), ("a", 30)];
        let lines = fold(&all, |(kind, minute)| (*kind != "?").then_some((*kind, minute * MINUTE)));
        let found: Vec<(&str, i64, Option<u64>)> = lines
            .iter()
            .map(|((kind, minute), folded)| (*kind, *minute, folded.map(|folded| folded.count())))
            .collect();
        let expected = [("a", 60, Some(3)), ("b", 59, Some(2)), ("?", 54, None), ("a", 34, Some(2)), ("?", 33, None)];
        assert_eq!(found, expected);
    }

    #[test]
    fn kills_of_before_that_have_no_line_are_counted() {
        let kill = |time: Option<&str>, why: &str| EarlierKill {
            time: time.map(str::to_owned),
            place: "web".to_owned(),
            why: why.to_owned(),
            ..EarlierKill::default()
        };
        // Two alike but for the numbers, one whose time is not known, and another.
        let all = [
            kill(Some("2026-11-20T03:20:00Z"), "killed by sh[7]"),
            kill(None, "killed by sh[8]"),
            kill(Some("2026-11-20T03:12:00Z"), "killed by sh[9]"),
            kill(Some("2026-11-20T03:11:00Z"), "killed by bash[9]"),
        ];
        for (most, counts, left) in [
            (9, vec![Some(2), None, Some(1)], 0),
            (3, vec![Some(2), None, Some(1)], 0),
            (2, vec![Some(2), None], 1),
            (1, vec![Some(2)], 2),
            (0, vec![], 4),
        ] {
            let found = earlier(&all, most);
            let lines: Vec<Option<u64>> =
                found.lines.iter().map(|(_, folded)| folded.map(|folded| folded.count())).collect();
            assert_eq!((lines, found.left), (counts, left), "{most}");
        }
    }

    #[test]
    fn how_many_are_not_shown_by_themselves_is_said() {
        assert_eq!(not_by_themselves(0), None);
        assert_eq!(not_by_themselves(1).as_deref(), Some("1 kill is counted with a later one like it"));
        assert_eq!(not_by_themselves(39).as_deref(), Some("39 kills are counted with a later one like them"));
    }
}
