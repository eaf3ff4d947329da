//! Who took the machine's memory: oomd's rule (plugins/KillMemoryGrowth, `kill_by_memory_size_or_growth`). The largest where it has half
//! of what its siblings and it have; else, of the largest fifth, the one that has grown most against its own average, by a quarter at the
//! least.

use crate::memory::recorder::curve::Curve;
use crate::memory::recorder::point::Tenths;
use crate::model::Hog;

/// A cgroup, what it has, and what it had on average, in bytes. None of them is below another: what that has would be counted twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub cgroup: &'a str,
    pub usage: u64,
    pub average: u64,
}

/// The least part of all that one may have which is said to have taken it: a tenth.
const LEAST_PART: u64 = 10;
/// An average is of this time.
const HOUR: Tenths = 36_000;

impl<'a> Candidate<'a> {
    /// With what it had in use by `kill`, and in the hour before; none where nothing was read of it.
    #[must_use]
    pub fn of(cgroup: &'a str, curve: &Curve, kill: Tenths) -> Option<Self> {
        let by_then = curve.points().take_while(|point| point.at <= kill);
        let last = by_then.clone().last().or_else(|| curve.latest())?;
        let from = kill.saturating_sub(HOUR);
        // Points are dense where memory moves: each counts for the time since the one before, and the last one for the time until the kill.
        let pairs = by_then.clone().zip(by_then.skip(1)).filter(|(_, point)| !point.restart);
        let spans = pairs.map(|(before, point)| (point.at.saturating_sub(before.at.max(from)), point.usage()));
        let spans = spans.chain([(kill.saturating_sub(last.at.max(from)), last.usage())]);
        let (time, sum) = spans.fold((0_u64, 0_u64), |(time, sum), (span, usage)| {
            let span = u64::from(span);
            (time.saturating_add(span), sum.saturating_add(usage.saturating_mul(span)))
        });
        let usage = last.usage();
        Some(Self { cgroup, usage, average: sum.checked_div(time).unwrap_or(usage) })
    }
}

/// See the module's documentation.
#[must_use]
pub fn hog(mut candidates: Vec<Candidate<'_>>) -> Option<Hog> {
    candidates.sort_by(|a, b| b.usage.cmp(&a.usage).then(a.cgroup.cmp(b.cgroup)));
    let of_bytes = candidates.iter().fold(0_u64, |sum, candidate| sum.saturating_add(candidate.usage));
    let found = |candidate: &Candidate<'_>, by_growth| Hog {
        cgroup: candidate.cgroup.to_owned(),
        usage_bytes: candidate.usage,
        average_bytes: candidate.average,
        of_bytes,
        by_growth,
    };
    let largest = candidates.first()?;
    if largest.usage > 0 && largest.usage >= of_bytes.div_ceil(2) {
        return Some(found(largest, false));
    }
    let grown = |candidate: &Candidate<'_>| candidate.usage as f64 / candidate.average.max(1) as f64;
    let fifth = candidates.iter().take(candidates.len().div_ceil(5));
    let fastest = fifth.max_by(|a, b| grown(a).total_cmp(&grown(b)))?;
    (grown(fastest) >= 1.25 && fastest.usage >= of_bytes / LEAST_PART).then(|| found(fastest, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::recorder::point::Point;
    use crate::node::gauge::Reading;

    const MIB: u64 = 1 << 20;

    #[test]
    fn an_average_is_over_time_and_what_is_had_is_no_peak() {
        let curve = |points: &[(Tenths, u64, bool)]| {
            let mut curve = Curve::default();
            for (at, mib, restart) in points {
                let reading = Reading { usage: mib * MIB, peak: Some(900 * MIB), ..Reading::default() };
                curve.push(Point::of(&reading, *at, None, *restart));
            }
            curve
        };
        let of = |points: &[(Tenths, u64, bool)], kill| {
            Candidate::of("/a", &curve(points), kill).map(|found| (found.usage / MIB, found.average / MIB))
        };
        // It was still for most of the hour, and moved each second at its end.
        let mut points = vec![(0, 100, false), (35_000, 100, false)];
        points.extend((1..=100).map(|second| (35_000 + second * 10, if second % 2 == 0 { 510 } else { 490 }, false)));
        assert_eq!(of(&points, 36_000), Some((510, 111)));
        // What comes after the kill is nothing of it.
        assert_eq!(of(&points, 35_005), Some((100, 100)));
        // Of a longer stretch the last hour, and until the kill as it was.
        assert_eq!(of(&[(0, 100, false), (60_000, 100, false), (78_000, 300, false)], 96_000), Some((300, 300)));
        assert_eq!(of(&[(0, 100, false), (60_000, 100, false), (78_000, 300, false)], 87_000), Some((300, 250)));
        // While it was not there, it had nothing that is known.
        assert_eq!(
            of(&[(0, 100, false), (100, 100, false), (200, 400, true), (300, 400, false)], 300),
            Some((400, 250))
        );
        assert_eq!(of(&[(50, 100, false)], 10), Some((100, 100)));
        assert_eq!(of(&[], 10), None);
    }

    #[test]
    fn the_largest_by_far_or_the_fastest_of_the_largest() {
        let named = |sizes: &[(u64, u64)]| {
            let names = ["/a", "/b", "/c", "/d", "/e", "/f"];
            let all = names.iter().zip(sizes).map(|(cgroup, (usage, average))| Candidate {
                cgroup,
                usage: *usage,
                average: *average,
            });
            hog(all.collect()).map(|hog| (hog.cgroup, hog.by_growth))
        };
        for (sizes, expected) in [
            (&[(60, 60), (30, 30), (10, 10)][..], Some(("/a", false))),
            // Of the largest fifth of six, two, the one that grew.
            (&[(30, 30), (29, 10), (20, 20), (10, 1), (6, 6), (5, 5)], Some(("/b", true))),
            (&[(30, 29), (29, 28), (20, 1), (10, 1), (6, 6), (5, 5)], None),
            (&[(0, 0)], None),
            (&[], None),
        ] {
            let expected = expected.map(|(cgroup, by_growth)| (cgroup.to_owned(), by_growth));
            assert_eq!(named(sizes), expected, "{sizes:?}");
        }
    }
}
