//! What stays the same has two samples where the recorder kept it, one at its beginning and one at its end. A rule that counts samples would
//! take it for nothing, however long it lasted: here it gets those in between.

use crate::memory::past::hours;
use crate::memory::sample::Sample;

/// A life that stays the same all the time has so many parts: a rule's floor has no more.
const PARTS: f64 = 24.0;
/// Sizes are the same that differ by less than this share of the greater one, as [`crate::memory::recorder::point::Point::is_like`] has it.
const NEAR: f64 = 1.0 / 256.0;

/// The samples, in the order of time, with those in between where neighbours of one life are the same and far apart for that life.
#[must_use]
pub fn filled(samples: &[Sample]) -> Vec<Sample> {
    let mut all = Vec::with_capacity(samples.len());
    for life in samples.chunk_by(|_, next| !next.restart) {
        let each_s = hours(life) * 3600.0 / PARTS;
        all.extend(life.first());
        for (before, next) in life.iter().zip(life.iter().skip(1)) {
            let gap_s = next.t - before.t;
            if each_s > 0.0 && gap_s >= 2.0 * each_s && is_same(before, next) {
                let parts = (gap_s / each_s) as u32;
                let between = |part: u32| Sample { t: before.t + gap_s * f64::from(part) / f64::from(parts), ..*next };
                all.extend((1..parts).map(between));
            }
            all.push(*next);
        }
    }
    all
}

fn is_same(one: &Sample, other: &Sample) -> bool {
    let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= a.max(b) * NEAR,
        (a, b) => a == b,
    };
    let pairs =
        [(one.anon, other.anon), (one.file, other.file), (one.shmem, other.shmem), (one.in_use(), other.in_use())];
    one.limit == other.limit && pairs.into_iter().all(|(a, b)| near(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(t: f64, usage: f64) -> Sample {
        Sample { t, usage: Some(usage), ..Sample::default() }
    }

    #[test]
    fn what_stays_the_same_has_samples_in_between_and_what_moves_has_not() {
        let still = filled(&[sample(0.0, 100.0), sample(2400.0, 100.2)]);
        assert_eq!(
            still.iter().map(|sample| sample.t).collect::<Vec<_>>(),
            Vec::from_iter((0..=24).map(|n| f64::from(n) * 100.0))
        );
        assert!(still.iter().skip(1).all(|sample| sample.usage == Some(100.2)));
        let moves = [sample(0.0, 100.0), sample(2400.0, 110.0)];
        assert_eq!(filled(&moves), moves);
        let limited = [sample(0.0, 100.0), Sample { limit: Some(500.0), ..sample(2400.0, 100.0) }];
        assert_eq!(filled(&limited), limited);
        assert_eq!(filled(&[]), []);
        // Nothing that is close together, and nothing that has no time.
        let dense: Vec<Sample> = (0..100).map(|n| sample(f64::from(n), 100.0)).collect();
        assert_eq!(filled(&dense), dense);
        assert_eq!(filled(&[sample(5.0, 1.0), sample(5.0, 1.0)]).len(), 2);
    }

    #[test]
    fn each_life_has_its_own_parts() {
        let born = Sample { restart: true, ..sample(90_000.0, 50.0) };
        let all = filled(&[sample(0.0, 100.0), sample(86_400.0, 100.0), born, sample(90_600.0, 50.0)]);
        assert_eq!(all.len(), 50);
        assert_eq!(all.iter().filter(|sample| sample.restart).count(), 1);
        assert_eq!((all[25].t, all[26].t), (90_000.0, 90_025.0));
    }
}
