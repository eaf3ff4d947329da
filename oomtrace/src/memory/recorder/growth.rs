//! How fast a curve grows now, cheaply enough for a screen that shows hundreds of them.

use crate::memory::fit::{Point as FitPoint, theil_sen};
use crate::memory::recorder::curve::Curve;
use crate::memory::recorder::point::Tenths;

/// It is looked at so far back.
const WITHIN: Tenths = 36_000;
/// The shortest time that says something: two minutes.
const SHORTEST: Tenths = 1200;
const PARTS: usize = 12;
const FEWEST: usize = 5;

/// What cannot be taken back grows by so many bytes an hour, by the floor of its last hour; none where too little was seen of it.
#[must_use]
pub fn growth(curve: &Curve) -> Option<f64> {
    let last = curve.latest()?.at;
    let from = last.saturating_sub(WITHIN);
    let life = curve.life();
    // What stays the same has a point at its beginning and one at its end: where the hour begins in between, it is as at the beginning.
    let mut before = life.clone().take_while(|point| point.at < from).last().copied();
    if let Some(before) = &mut before {
        before.at = from;
    }
    let points = before.into_iter().chain(life.filter(|point| point.at >= from).copied());
    let first = points.clone().next()?.at;
    let span = last - first;
    if span < SHORTEST {
        return None;
    }
    let mut floor: [Option<FitPoint>; PARTS] = [None; PARTS];
    for point in points {
        let part = (u64::from(point.at - first) * PARTS as u64 / u64::from(span)) as usize;
        let held = point.held() as f64;
        if let Some(lowest) = floor.get_mut(part.min(PARTS - 1))
            && lowest.is_none_or(|(_, lowest)| held < lowest)
        {
            *lowest = Some((f64::from(point.at) / 36_000.0, held));
        }
    }
    let floor: Vec<FitPoint> = floor.into_iter().flatten().collect();
    // What stays the same has no points in between.
    if floor.len() < FEWEST {
        let (first, last) = (floor.first()?, floor.last()?);
        return (last.0 > first.0).then(|| (last.1 - first.1) / (last.0 - first.0));
    }
    theil_sen(&floor).map(|line| line.slope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::recorder::point::Point;
    use crate::node::gauge::Reading;

    const MIB: u64 = 1 << 20;

    fn curve(usage: impl Fn(u32) -> u64, steps: u32) -> Curve {
        let mut curve = Curve::default();
        for step in 0..steps {
            let reading = Reading { usage: usage(step), anon: Some(usage(step)), file: Some(0), ..Reading::default() };
            curve.push(Point::of(&reading, step * 100, None, false));
        }
        curve
    }

    #[test]
    fn a_sawtooth_grows_by_its_floor() {
        // 36 MiB an hour, under a sawtooth of 40 MiB.
        let climbing = curve(|step| (100 + u64::from(step / 10) + u64::from(step % 20) * 2) * MIB, 360);
        let found = growth(&climbing).unwrap() / MIB as f64;
        assert!((30.0..42.0).contains(&found), "{found}");
        let flat = curve(|_| 100 * MIB, 360);
        assert_eq!(growth(&flat), Some(0.0));
        assert_eq!(growth(&curve(|step| u64::from(step) * MIB, 5)), None);
        assert_eq!(growth(&Curve::default()), None);
    }

    #[test]
    fn what_has_been_still_for_long_grows_by_nothing() {
        let point = |at: Tenths, usage: u64, restart| {
            let reading = Reading { usage, anon: Some(usage), file: Some(0), ..Reading::default() };
            Point::of(&reading, at, None, restart)
        };
        for seconds in [3661, 7200, 86_400] {
            let mut curve = Curve::default();
            for at in (0..=seconds).step_by(60).chain([seconds]) {
                curve.push(point(at * 10, 64 * MIB, false));
            }
            assert_eq!((growth(&curve), curve.points().count()), (Some(0.0), 2), "{seconds}");
            // What it had before it was started again is no rise of it.
            curve.push(point(seconds * 10 + 10, 8 * MIB, true));
            assert_eq!(growth(&curve), None, "{seconds}");
            curve.push(point(seconds * 10 + 36_000, 8 * MIB, false));
            assert_eq!(growth(&curve), Some(0.0), "{seconds}");
        }
    }
}
