//! The curve that led to a kill, on one line: a plot, its scale, and what it shows.

use crate::model::{CourseKind, Incident, TimelinePoint};
use crate::text::bytes;
use crate::text::plot::{ascii, braille_parts};

use super::Look;
use super::words::when;

/// Fewer points, or a shorter time in milliseconds, are no curve.
const FEWEST: usize = 3;
const SHORTEST_MS: u64 = 3000;
/// Columns of the plot: it fits on a line of 60, and says the same on each terminal.
const COLUMNS: usize = 16;

/// `⣀⣀⣠⣤⣤⣶⣶⣿ 120 → 512 MiB in 3 h; climbing since 06:10:00 by 38 MiB/h (likely)`; none where too little was seen.
pub fn curve(incident: &Incident, look: Look) -> Option<String> {
    let memory = incident.memory.as_ref()?;
    let course = memory.course.as_ref().map(|_| said(incident, look)).filter(|said| !said.is_empty());
    let plot = memory.timeline.as_deref().and_then(|points| plot(points, look));
    let parts: Vec<String> = plot.into_iter().chain(course).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn plot(points: &[TimelinePoint], look: Look) -> Option<String> {
    let (first, last) = (points.first()?, points.last()?);
    let span = first.before_ms - last.before_ms.min(first.before_ms);
    if points.len() < FEWEST || span < SHORTEST_MS {
        return None;
    }
    let most = points.iter().map(|point| point.peak_bytes).max()?;
    let top = most.max(last.limit_bytes.unwrap_or_default()).max(1);
    let scaled = |point: &TimelinePoint| {
        let x = (first.before_ms - point.before_ms.min(first.before_ms)) as f64 / span as f64;
        (x, point.peak_bytes as f64 / top as f64)
    };
    // While it was not there it had nothing.
    let lives = points.chunk_by(|_, next| !next.restart);
    let parts: Vec<Vec<(f64, f64)>> = lives.map(|life| life.iter().map(scaled).collect()).collect();
    let dots = if look.ascii { ascii(&parts, COLUMNS) } else { braille_parts(&parts, COLUMNS, 1).concat() };
    // A column without a dot is no blank that anybody sees.
    let dots = dots.replace('\u{2800}', if look.ascii { "_" } else { "⢀" });
    let arrow = if look.ascii { "to" } else { "→" };
    Some(format!("{dots} {} {arrow} {} in {}", bytes(first.usage_bytes), bytes(last.usage_bytes), span_of(span)))
}

/// `climbing since 06:10:00, by 38 MiB/h (likely)`.
fn said(incident: &Incident, look: Look) -> String {
    let Some(course) = incident.memory.as_ref().and_then(|memory| memory.course.as_ref()) else { return String::new() };
    let rate = course.bytes_per_hour.filter(|rate| *rate > 0).map(|rate| format!(" by {}/h", bytes(rate)));
    let since = course.since.as_deref().map(|since| when(since, look));
    let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
    let text = match course.kind {
        CourseKind::Climbing if rate.is_none() => format!("climbing: {}", course.why),
        CourseKind::Leak | CourseKind::Climbing => {
            let kind = if course.kind == CourseKind::Leak { "a leak, climbing" } else { "climbing" };
            let lives = if course.lives > 2 { format!(", in {} lives", course.lives) } else { String::new() };
            format!("{kind}{since}{}{lives}", rate.unwrap_or_default())
        }
        CourseKind::Spike => format!("a spike: {}", course.why),
        CourseKind::TooSmall => format!("the limit is too low: {}", course.why),
        _ => course.why.clone(),
    };
    if text.is_empty() { text } else { course.confidence.behind(text) }
}

/// `8 s`, `40 min`, `3 h`, `3.5 days`.
fn span_of(ms: u64) -> String {
    crate::words::span(ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::oom;
    use crate::model::{Confidence, Course, LimitLevel, OomScope};

    const MIB: u64 = 1 << 20;

    fn killed(points: u64) -> Incident {
        let mut incident = oom(&[("/a", 512, Some(512))], Some((0, LimitLevel::Container)), OomScope::Memcg);
        let point = |n: u64| TimelinePoint {
            before_ms: (points - 1 - n) * 60_000,
            usage_bytes: (n + 1) * 512 * MIB / points,
            peak_bytes: (n + 1) * 512 * MIB / points,
            limit_bytes: Some(512 * MIB),
            ..TimelinePoint::default()
        };
        incident.memory.as_mut().unwrap().timeline = Some((0..points).map(point).collect());
        incident
    }

    #[test]
    fn a_climb_is_one_line_with_its_scale() {
        let mut incident = killed(181);
        let look = Look { width: Some(80), time: super::super::TimeForm::Utc, ..Look::default() };
        let line = curve(&incident, look).unwrap();
        assert!(line.ends_with("⣿ 2.8 MiB → 512 MiB in 3.0 h") && line.starts_with('⣀'), "{line}");
        assert_eq!(line.split(' ').next().unwrap().chars().count(), COLUMNS, "{line}");
        let ascii = curve(&incident, Look { ascii: true, ..look }).unwrap();
        assert!(ascii.is_ascii() && ascii.starts_with('.') && ascii.contains("# 2.8 MiB to 512 MiB"), "{ascii}");
        incident.memory.as_mut().unwrap().course = Some(Course {
            kind: CourseKind::Climbing,
            confidence: Confidence::Likely,
            since: Some("2020-01-01T06:10:00Z".to_owned()),
            bytes_per_hour: Some(38 * MIB),
            lives: 1,
            advised_limit_bytes: None,
            neighbour: None,
            why: "climbing".to_owned(),
        });
        let line = curve(&incident, look).unwrap();
        assert!(line.contains("3.0 h; climbing since ") && line.ends_with("06:10:00Z by 38 MiB/h (likely)"), "{line}");
    }

    #[test]
    fn too_little_is_no_curve() {
        let look = Look::default();
        assert_eq!(curve(&killed(2), look), None);
        let mut incident = killed(5);
        for point in incident.memory.as_mut().unwrap().timeline.as_mut().unwrap() {
            point.before_ms /= 1000;
        }
        assert_eq!(curve(&incident, look), None);
        incident.memory = None;
        assert_eq!(curve(&incident, look), None);
    }
}
