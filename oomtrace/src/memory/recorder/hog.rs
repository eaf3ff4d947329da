//! Who took the machine's memory: oomd's rule (plugins/KillMemoryGrowth, `kill_by_memory_size_or_growth`). The largest where it has half
//! of what its siblings and it have; else, of the largest fifth, the one that has grown most against its own average, by a quarter at the
//! least.

use crate::model::Hog;

/// A cgroup, what it has, and what it had on average, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub cgroup: &'a str,
    pub usage: u64,
    pub average: u64,
}

/// The least part of all that one may have which is said to have taken it: a tenth.
const LEAST_PART: u64 = 10;

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
