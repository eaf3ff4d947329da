//! How like a series is to itself some time later, at all lags at once: by Fourier's transform, for a curve of weeks has tens of thousands
//! of places, and as many lags.

use std::f64::consts::TAU;

/// A complex number.
type Complex = (f64, f64);

/// For each lag from 0 to `most`: 1 for a series that is the same so many places later, 0 for one that has nothing to do with that, −1 for one
/// that is the opposite. `values` are about zero.
#[must_use]
pub fn likeness(values: &[f64], most: usize) -> Vec<f64> {
    let lags = most.min(values.len().saturating_sub(1));
    // Zeros behind it, so that its end is not held against its beginning.
    let size = (values.len() + lags + 1).next_power_of_two();
    let turns: Vec<Complex> = (0..size / 2)
        .map(|index| {
            let (sin, cos) = (TAU * index as f64 / size as f64).sin_cos();
            (cos, -sin)
        })
        .collect();
    let mut places: Vec<Complex> = values.iter().map(|value| (*value, 0.0)).collect();
    places.resize(size, (0.0, 0.0));
    forth(&mut places, &turns);
    places.iter_mut().for_each(|place| *place = (place.0 * place.0 + place.1 * place.1, 0.0));
    back(&mut places, &turns);
    // What is left of both ends where they overlap.
    let all: f64 = values.iter().map(|value| value * value).sum();
    let (mut early, mut late) = (all, all);
    let mut ends = values.iter().rev().zip(values);
    places
        .iter()
        .take(lags + 1)
        .map(|(both, _)| {
            let like = both / size as f64 / (early * late).max(0.0).sqrt().max(f64::MIN_POSITIVE);
            if let Some((last, first)) = ends.next() {
                early -= last * last;
                late -= first * first;
            }
            like
        })
        .collect()
}

/// Gentleman's and Sande's steps: from the order of time to frequencies in the order of their bits turned round.
fn forth(places: &mut [Complex], turns: &[Complex]) {
    let mut size = places.len();
    while size > 1 {
        let each = (places.len() / size).max(1);
        for part in places.chunks_exact_mut(size) {
            let (low, high) = part.split_at_mut(size / 2);
            for ((a, b), turn) in low.iter_mut().zip(high).zip(turns.iter().step_by(each)) {
                let (x, y) = (a.0 - b.0, a.1 - b.1);
                *a = (a.0 + b.0, a.1 + b.1);
                *b = (x * turn.0 - y * turn.1, x * turn.1 + y * turn.0);
            }
        }
        size /= 2;
    }
}

/// Cooley's and Tukey's, which take them in that order, and give back as many times what was there as there are places.
fn back(places: &mut [Complex], turns: &[Complex]) {
    let mut size = 2;
    while size <= places.len() {
        let each = (places.len() / size).max(1);
        for part in places.chunks_exact_mut(size) {
            let (low, high) = part.split_at_mut(size / 2);
            for ((a, b), turn) in low.iter_mut().zip(high).zip(turns.iter().step_by(each)) {
                let (x, y) = (b.0 * turn.0 + b.1 * turn.1, b.1 * turn.0 - b.0 * turn.1);
                (*a, *b) = ((a.0 + x, a.1 + y), (a.0 - x, a.1 - y));
            }
        }
        size *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By its definition.
    fn slowly(values: &[f64], lag: usize) -> f64 {
        let pairs = || values.iter().zip(&values[lag..]);
        let both: f64 = pairs().map(|(x, y)| x * y).sum();
        let (x, y) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a * a, y + b * b));
        both / (x * y).sqrt().max(f64::MIN_POSITIVE)
    }

    #[test]
    fn it_is_what_its_definition_says() {
        for count in [0, 1, 2, 3, 24, 100, 257] {
            let values: Vec<f64> =
                (0..count).map(|index| 1e8 * ((f64::from(index) * 0.7).sin() + f64::from(index % 7) - 3.0)).collect();
            let most = values.len() * 2 / 5;
            let found = likeness(&values, most);
            assert_eq!(found.len(), if count == 0 { 1 } else { most + 1 });
            for (lag, like) in found.iter().enumerate().take(values.len()) {
                assert!((like - slowly(&values, lag)).abs() < 1e-9, "{count} {lag}: {like}");
            }
        }
        assert!(likeness(&[0.0; 50], 20).iter().all(|like| like.abs() < 1e-9));
    }
}
