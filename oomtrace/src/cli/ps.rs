//! `oomtrace ps`: the containers that are known, so that a person can check what will be named.

use std::collections::BTreeMap;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use oomtrace::container::directory::{Directory, KEEP};
use oomtrace::container::list::{Listed, list};
use oomtrace::model::Container;
use oomtrace::node::cgroups;
use oomtrace::node::usage::Usage;
use oomtrace::sink::json;
use oomtrace::sink::notices;
use oomtrace::text::escape::escape;
use oomtrace::text::{bytes, short_id};
use unicode_width::UnicodeWidthStr as _;

use super::exit::{Failure, Status};
use super::options::Ps;
use super::output::Stdout;

/// From this share of the limit on, a container is close to it.
const CLOSE_PERCENT: u64 = 90;
/// Different reasons that are said.
const MAX_REASONS: usize = 5;
const COLUMNS: [&str; 8] = ["NAME", "RUNTIME", "ID", "MEMORY", "LIMIT", "USED", "OOM KILLS", "WHAT"];
/// Columns that hold numbers, which stand to the right.
const NUMBERS: std::ops::Range<usize> = 3..7;

pub fn run(options: &Ps) -> Result<Status, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let hierarchies = cgroups::hierarchies().context("cannot read /proc/self/mountinfo")?;
    if hierarchies.is_empty() {
        return Err(anyhow::anyhow!(
            "no cgroup hierarchy is mounted here: in a container, mount the host's /sys/fs/cgroup"
        )
        .into());
    }
    let all = tokio::task::LocalSet::new()
        .block_on(&runtime, async { list(&Directory::new(options.runtimes.sources(), KEEP), &hierarchies).await });
    let privacy = options.show.privacy();
    let all: Vec<Listed> = all.into_iter().map(|listed| listed.private(privacy)).collect();
    runtime.shutdown_background();
    say_missing(&all);
    let mut out = Stdout::new();
    if options.show.json {
        for listed in &all {
            let mut line = Vec::new();
            json::append(&mut line, listed)?;
            out.write_all(&line)?;
        }
    } else if all.is_empty() {
        writeln!(out, "no container has a cgroup on this node")?;
    } else {
        out.write_all(table(&all, options.show.color.on_stdout()).as_bytes())?;
    }
    out.flush()?;
    Ok(Status::Done)
}

/// Says once each what runtimes did not, for how many containers.
fn say_missing(all: &[Listed]) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for why in all.iter().flat_map(|listed| &listed.missing) {
        *reasons.entry(why).or_default() += 1;
    }
    for (why, containers) in reasons.iter().take(MAX_REASONS) {
        let of = if *containers > 1 { format!("of {containers} containers") } else { "of one container".to_owned() };
        notices::say(&format!("not known {of}: {why}"));
    }
}

fn table(all: &[Listed], color: bool) -> String {
    let rows: Vec<[String; 8]> = all.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
        cells.chain(COLUMNS.get(column).map(|head| head.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let paint = |style: Style, text: String| if color { format!("{style}{text}{style:#}") } else { text };
    let heads = COLUMNS.map(str::to_owned);
    let mut text = format!("{}\n", paint(Style::new().bold(), line(&heads, &widths)));
    for (row, listed) in rows.iter().zip(all) {
        let is_close = listed.memory.and_then(used_percent).is_some_and(|percent| percent >= CLOSE_PERCENT);
        let style = if is_close { AnsiColor::Yellow.on_default() } else { Style::new() };
        text.push_str(&paint(style, line(row, &widths)));
        text.push('\n');
    }
    text
}

fn line(cells: &[String; 8], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
        let blanks = " ".repeat(width.saturating_sub(cell.width()));
        if NUMBERS.contains(&column) { format!("{blanks}{cell}") } else { format!("{cell}{blanks}") }
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// Strings of runtimes are made safe before their width counts.
fn row(listed: &Listed) -> [String; 8] {
    let Listed { container, memory, .. } = listed;
    let unknown = || "?".to_owned();
    let none = || "-".to_owned();
    let name = container.name.as_deref().unwrap_or_else(|| short_id(&container.id));
    [
        escape(name).into_owned(),
        container.runtime.map_or_else(unknown, |runtime| runtime.name().to_owned()),
        escape(short_id(&container.id)).into_owned(),
        memory.and_then(|memory| memory.usage_bytes).map_or_else(unknown, bytes),
        memory.map_or_else(unknown, |memory| memory.limit_bytes.map_or_else(none, bytes)),
        memory.and_then(used_percent).map_or_else(none, |percent| format!("{percent} %")),
        memory.and_then(|memory| memory.oom_kills).map_or_else(unknown, |kills| kills.to_string()),
        escape(&what(container)).into_owned(),
    ]
}

fn used_percent(memory: Usage) -> Option<u64> {
    memory.usage_bytes?.saturating_mul(100).checked_div(memory.limit_bytes?)
}

/// `nginx:1.27 · compose shop/web`
fn what(container: &Container) -> String {
    let about = oomtrace::sink::human::belongs_to(container);
    if about.is_empty() { "-".to_owned() } else { about.join(" · ") }
}
