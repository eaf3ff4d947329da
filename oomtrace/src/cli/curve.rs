//! `oomtrace curve`: what anybody's memory curve shows.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use oomtrace::memory::gaps::{gaps, long, stretches};
use oomtrace::memory::lives::lives;
use oomtrace::memory::read::{Read, read};
use oomtrace::memory::sample::{Sample, cleaned, span_s};
use oomtrace::memory::verdict::{self, Kind, LimitReached, Verdict};
use oomtrace::screen::glyphs::Glyphs;
use oomtrace::sink::notices;
use oomtrace::sink::wrap::wrap;
use oomtrace::text::bytes;

use super::exit::{Failure, Status};
use super::output::{self, width_of_any};
use super::{input, options};

/// A curve's file is not larger: 512 MiB.
const MOST: u64 = 512 << 20;
/// Columns where there is no terminal to ask, or a wider one.
const WIDTH: usize = 100;
/// Rows of the plot.
const ROWS: usize = 8;

/// Reads a curve, and says what it shows.
pub fn run(options: &options::Curve) -> Result<Status, Failure> {
    let name = input::named(&options.file).display();
    let text = contents(&options.file).with_context(|| format!("cannot read {name}"))?;
    let Read { samples, left_out } = read(&text).with_context(|| format!("{name} is no memory curve"))?;
    if let Some(what) = left_out {
        notices::say(&format!("{name}: {what}"));
    }
    let samples = cleaned(samples);
    let verdict = verdict::judge(&samples);
    let mut out = output::text_or_data(!options.json);
    if options.json {
        serde_json::to_writer(&mut out, &verdict)?;
        writeln!(out)?;
    } else {
        let width = width_of_any().map_or(WIDTH, |width| width.clamp(40, WIDTH));
        for line in plot(&samples, width) {
            writeln!(out, "{line}")?;
        }
        let end = samples.last().map_or(0.0, |last| last.t);
        for line in said(&verdict, end).into_iter().chain(unseen(&samples)) {
            for line in wrap(&line, Some(width)) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    Ok(Status::Done)
}

/// Of a file, or of standard input where it is `-`.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let count = input::open(path, "a curve")?.take(MOST + 1).read_to_end(&mut text)?;
    if count as u64 > MOST {
        return Err(io::Error::other(format!("it is larger than {}", bytes(MOST))));
    }
    Ok(text)
}

/// Columns before the plot: a size, and the axis.
const AXIS: usize = 11;

fn plot(samples: &[Sample], width: usize) -> Vec<String> {
    let size = |sample: &Sample| sample.in_use().or(sample.held());
    let most = samples.iter().filter_map(size).fold(0.0, f64::max);
    let limit = samples.iter().rev().find_map(|sample| sample.limit).filter(|limit| *limit < 20.0 * most);
    let top = limit.unwrap_or(0.0).max(most);
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let (span, columns) = (span_s(samples).max(f64::MIN_POSITIVE), width.saturating_sub(AXIS).max(20));
    if top <= 0.0 {
        return Vec::new();
    }
    let point = |sample: &Sample| Some(((sample.t - first.t) / span, size(sample)? / top));
    // No line is drawn over what nobody saw.
    let parts_of = |life| stretches(life, &long(&gaps(life), span_s(life)));
    let stretches = lives(samples).into_iter().flat_map(parts_of);
    let parts: Vec<Vec<(f64, f64)>> = stretches.map(|part| part.iter().filter_map(point).collect()).collect();
    let glyphs = if output::shows_ascii() { Glyphs::Ascii } else { Glyphs::Unicode };
    let axis = glyphs.axis();
    let mut lines: Vec<String> = glyphs
        .plot_parts(&parts, columns, ROWS)
        .iter()
        .enumerate()
        .map(|(row, dots)| {
            let label = match row {
                0 => bytes(top as u64),
                row if row == ROWS / 2 => bytes((top / 2.0) as u64),
                _ => String::new(),
            };
            format!("{label:>9} {axis}{dots}").trim_end().to_owned()
        })
        .collect();
    let (from, to) = (time(first.t), time(last.t));
    let between = columns.saturating_sub(from.len() + to.len()).max(1);
    lines.push(format!("{:>9}  {from}{}{to}", "0", " ".repeat(between)));
    if let Some(limit) = limit {
        let what = if limit >= most { "the upper edge is the limit" } else { "the limit at the end" };
        lines.push(format!("{:>9}  {what}, {}", "", bytes(limit as u64)));
    }
    lines
}

/// When there were no samples, where that is worth a line.
fn unseen(samples: &[Sample]) -> Option<String> {
    const MOST: usize = 3;
    let gaps = long(&gaps(samples), span_s(samples));
    let times: Vec<String> =
        gaps.iter().take(MOST).map(|gap| format!("from {} to {}", time(gap.from), time(gap.to))).collect();
    let more = gaps.len().saturating_sub(MOST);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    (!times.is_empty()).then(|| format!("no samples {}{more}", times.join(", ")))
}

/// A limit to be set, which is whole MiB: not rounded, for less would be too little.
fn whole_mib(limit: u64) -> String {
    format!("{} MiB", limit.div_ceil(1 << 20))
}

/// In the words of the verdict; `now` is when the curve ends.
fn said(verdict: &Verdict, now: f64) -> Vec<String> {
    let kind = match verdict.verdict {
        Kind::Leak => "a leak",
        Kind::Climbing => "climbing",
        Kind::WarmUp => "a warm-up",
        Kind::Sawtooth => "a sawtooth",
        Kind::Spike => "a spike",
        Kind::Steady => "steady",
        Kind::Cache => "page cache",
        Kind::TooShort => "too short",
    };
    let sure = format!("{:?}", verdict.confidence).to_lowercase();
    let since = verdict.since.map(|since| format!(", since {}", time(since))).unwrap_or_default();
    let mut lines = vec![format!("{kind} ({sure}){since}: {}", verdict.why)];
    lines.extend(verdict.limit_reached_at.map(|reached| match reached.median <= now {
        true => "what is in use has come to the limit".to_owned(),
        false => format!("if it goes on so, the limit is reached at {}", when(&reached)),
    }));
    lines.extend(verdict.advice(whole_mib));
    lines
}

fn when(reached: &LimitReached) -> String {
    let high = reached.high.map_or_else(|| "or never".to_owned(), |high| format!("and {}", time(high)));
    let low = time(reached.low);
    let between =
        if reached.high.is_some() { format!("between {low} {high}") } else { format!("not before {low}, {high}") };
    format!("{} ({between})", time(reached.median))
}

/// `2026-11-25 06:10`, where this machine is.
fn time(unix: f64) -> String {
    let stamp = jiff::Timestamp::from_second(unix as i64);
    stamp.map_or_else(
        |_| format!("{unix}"),
        |stamp| stamp.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}
