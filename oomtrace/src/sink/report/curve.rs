//! The memory curve that led to a kill, as lines of an SVG.

use crate::model::{Incident, TimelinePoint};
use crate::sink::report::look::{Look, round};
use crate::text::{bytes, elapsed_ms};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 242.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 708.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 212.0;
/// Points of a curve that are drawn.
const MAX_POINTS: usize = 2000;

/// What the template draws.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    pub width: f64,
    pub height: f64,
    pub left: f64,
    pub right: f64,
    pub left_text: f64,
    pub ticks_y: f64,
    pub area: String,
    /// The curve; several where a container was restarted in between.
    pub uses: Vec<String>,
    pub limits: Vec<String>,
    pub grid: Vec<Grid>,
    pub ticks: Vec<Tick>,
    /// The same in words.
    pub said: String,
}

/// A line across, and what it stands for.
#[derive(Clone, Debug)]
pub struct Grid {
    pub y: f64,
    pub text_y: f64,
    pub label: String,
}

/// A time below.
#[derive(Clone, Debug)]
pub struct Tick {
    pub x: f64,
    pub anchor: &'static str,
    pub label: String,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    before_ms: u64,
    usage: u64,
    limit: Option<u64>,
    restart: bool,
}

/// None where there is no curve, or a single point of one.
pub fn curve(incident: &Incident, look: &Look) -> Option<Curve> {
    let points = points(incident);
    let (first, last) = (*points.first()?, *points.last()?);
    let span = first.before_ms.checked_sub(last.before_ms).filter(|span| *span > 0)?;
    let most = points.iter().map(|point| point.usage).max()?;
    // A limit that is far above would leave no room for the curve.
    let limits = points.iter().filter_map(|point| point.limit);
    let limit = limits.filter(|limit| *limit < most.saturating_mul(20)).max();
    let top = limit.unwrap_or(0).max(most).max(1);
    let x =
        |point: &Point| LEFT + (RIGHT - LEFT) * (first.before_ms.saturating_sub(point.before_ms)) as f64 / span as f64;
    let y = |size: u64| BOTTOM - (BOTTOM - TOP) * size.min(top) as f64 / top as f64;
    let lives: Vec<&[Point]> = {
        let starts =
            points.iter().enumerate().filter(|(index, point)| *index > 0 && point.restart).map(|(index, _)| index);
        let bounds: Vec<usize> = std::iter::once(0).chain(starts).chain([points.len()]).collect();
        bounds
            .windows(2)
            .filter_map(|pair| points.get(*pair.first()?..*pair.last()?))
            .filter(|life| !life.is_empty())
            .collect()
    };
    let line = |life: &[Point]| path(life.iter().map(|point| (x(point), y(point.usage))));
    let area = lives
        .iter()
        .filter_map(|life| {
            let (from, to) = (x(life.first()?), x(life.last()?));
            Some(format!("{} L{} {BOTTOM} L{} {BOTTOM} Z", line(life), round(to), round(from)))
        })
        .collect::<Vec<_>>()
        .join(" ");
    // A limit that changes is a step; where there was none, there is no line.
    let mut limits = Vec::new();
    let mut open: Vec<(f64, f64)> = Vec::new();
    // One point makes no line.
    let close = |open: &mut Vec<(f64, f64)>| Some(std::mem::take(open)).filter(|open| open.len() > 1);
    for point in &points {
        // Between two lives there was nothing that it was the limit of.
        if point.restart {
            limits.extend(close(&mut open));
        }
        match point.limit.filter(|limit| *limit <= top) {
            Some(limit) => {
                if let Some((_, before)) = open.last().copied() {
                    open.push((x(point), before));
                }
                open.push((x(point), y(limit)));
            }
            None => limits.extend(close(&mut open)),
        }
    }
    let last_limit = close(&mut open);
    let dashed = if last_limit.is_some() { " (dashed)" } else { "" };
    limits.extend(last_limit);
    let limits = limits.into_iter().map(|line| path(line.into_iter())).collect();
    let grid = [top, top / 2, 0].map(|size| Grid {
        y: round(y(size)),
        text_y: round(y(size) + 4.0),
        label: if size == 0 { "0".to_owned() } else { bytes(size) },
    });
    let ticks = [
        Tick { x: LEFT, anchor: "start", label: format!("{} before", elapsed_ms(first.before_ms)) },
        Tick { x: RIGHT, anchor: "end", label: look.time(&incident.time) },
    ];
    // The limit as it was in the end: what it was before is no measure of what was in use then.
    let of_limit = last.limit.map(|limit| format!(", of a limit of {}{dashed}", bytes(limit))).unwrap_or_default();
    let said = format!(
        "Memory in use over the {} before: from {} to {}{of_limit}; the most was {}.",
        elapsed_ms(span),
        bytes(first.usage),
        bytes(last.usage),
        bytes(most)
    );
    Some(Curve {
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        right: RIGHT,
        left_text: LEFT - 8.0,
        ticks_y: BOTTOM + 22.0,
        area,
        uses: lives.iter().map(|life| line(life)).collect(),
        limits,
        grid: grid.into(),
        ticks: ticks.into(),
        said,
    })
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (index, (x, y)) in points.enumerate() {
        let step = if index == 0 { "M" } else { " L" };
        text.push_str(&format!("{step}{} {}", round(x), round(y)));
    }
    text
}

/// The incident's curve, the oldest point first.
fn points(incident: &Incident) -> Vec<Point> {
    let timeline = incident.memory.as_ref().and_then(|memory| memory.timeline.as_ref());
    let of = |point: &TimelinePoint| Point {
        before_ms: point.before_ms,
        usage: point.peak_bytes,
        limit: point.limit_bytes,
        restart: point.restart,
    };
    let mut points: Vec<Point> = timeline.into_iter().flatten().take(MAX_POINTS).map(of).collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.before_ms));
    points
}
