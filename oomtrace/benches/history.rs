//! How long questions to a large history take: `cargo bench -p oomtrace --bench history -- NUMBER [FILE]`, of so many incidents. They are
//! of 2,000 things on one node, made anew 50 times each, over 30 days, the last 100,000 of one thing: 80,000 of one kind, and then 20,000 of which
//! none is like another; FILE is kept and used again, where it is named.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use glob::Pattern;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use oomtrace::filter::Filter;
use oomtrace::model::{Cause, Incident};
use oomtrace::store::{Bounds, By, Entry, History, Identity, Line, Selection, Writer};

const THINGS: u64 = 2_000;
const LIVES: u64 = 50;
const SPAN_S: i64 = 30 * 86_400;
const CAUSES: [&str; 5] =
    ["oom_container_limit", "runtime_stop_timeout", "kubelet_probe_failure", "process_kill", "oom_host"];
/// Like ones that come last: half of all at the most. They are on one line, where there are so many that ten minutes lie between none of them.
const CROWD: u64 = 100_000;
/// The last of them, a fifth of them at the most, are unlike one another: each would have a line.
const UNLIKE: u64 = 20_000;
/// What an incident holds besides, so that it is as large as a real one.
const EVIDENCE: usize = 4_000;

fn main() {
    // `cargo bench` by itself has nothing to do here.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(number) = arguments.first().and_then(|number| number.parse::<u64>().ok()) else {
        println!("cargo bench -p oomtrace --bench history -- NUMBER [FILE]");
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let path = arguments.get(1).map_or_else(|| temporary.path().join("history.db"), PathBuf::from);
    if !path.exists() {
        fill(&path, number);
    }
    ask(&path, number);
}

fn incident(number: u64, of: u64, filler: &str) -> Incident {
    // Scattered, and the same in each run; the last are of one thing and one cause, as in a restart loop.
    let crowd = CROWD.min(of / 2);
    let is_crowd = number + crowd >= of;
    let program = if number + UNLIKE.min(crowd / 5) >= of { format!("app-{number}") } else { "app".to_owned() };
    let mixed = if is_crowd { 0 } else { number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33 };
    let thing = mixed % THINGS;
    let life = number * LIVES / of;
    let seconds = i64::try_from(number).unwrap() * SPAN_S / i64::try_from(of).unwrap();
    let at = start() + SignedDuration::from_secs(seconds);
    let value = serde_json::json!({
        "schema": 1, "id": format!("{number:012}-bench"), "time": format!("{at:.9}"), "node": "node-1",
        "verdict": {
            "cause": CAUSES[usize::try_from(mixed % 5).unwrap()], "confidence": "certain", "summary": filler, "why": "ran into its own limit",
            "evidence": [], "advice": []
        },
        "victim": { "pid": 1000 + number % 60_000, "comm": format!("app{}", thing % 40), "exe": "/usr/bin/app", "uid": 1000,
            "cmdline": [program], "cgroup": format!("/docker/{thing}"), "cmdline_truncated": false, "container_init": true },
        "collateral": [],
        "container": { "id": format!("{:064x}", thing * 1000 + life), "name": format!("app-{thing}"), "runtime": "docker",
            "image": format!("registry/app{}:{}", thing % 100, life), "cgroup": "/x", "labels": { "team": format!("team{}", thing % 20) } },
        "sender": { "kind": "kernel", "ancestors": [] },
        "signal": { "number": 9, "name": "SIGKILL", "group": true, "kernel_stack": [] },
        "preceding": [], "attribution": "full", "missing": []
    });
    serde_json::from_value(value).unwrap()
}

fn start() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_790_000_000)
}

fn fill(path: &Path, number: u64) {
    let filler = "x".repeat(EVIDENCE);
    let mut writer = Writer::open(path, Bounds { days: 36_500, bytes: u64::MAX }).unwrap();
    let began = Instant::now();
    let mut next = 0;
    while next < number {
        let batch: Vec<Entry> = (next..number.min(next + 1_000))
            .map(|number_of| Entry::Incident(Box::new(incident(number_of, number, &filler))))
            .collect();
        next += batch.len() as u64;
        writer.append(&batch).unwrap();
    }
    writer.settle().unwrap();
    println!("{number} incidents written in {:.0} s, 1,000 at a time.", began.elapsed().as_secs_f64());
}

fn ask(path: &Path, number: u64) {
    let size = std::fs::metadata(path).unwrap().len() >> 20;
    println!("{number} incidents, {size} MiB; the median and the longest of 7.\n");
    println!("| question | median | longest | found |\n|---|---:|---:|---:|");
    let of = |text: &str| vec![Pattern::new(text).unwrap()];
    let all = Selection { last: Some(100), ..Selection::default() };
    let filtered = |filter: Filter| Selection { filter, ..all.clone() };
    let hour_ago = start() + SignedDuration::from_secs(SPAN_S - 3600);
    for (name, selection) in [
        ("--last 100", all.clone()),
        ("the last hour", Selection { since: Some(hour_ago), last: None, ..Selection::default() }),
        ("--container app-7", filtered(Filter { containers: of("app-7"), ..Filter::default() })),
        ("--container 'app-1*'", filtered(Filter { containers: of("app-1*"), ..Filter::default() })),
        ("--container none", filtered(Filter { containers: of("none"), ..Filter::default() })),
        ("--image 'registry/app7:*'", filtered(Filter { images: of("registry/app7:*"), ..Filter::default() })),
        ("--cause oom_host", filtered(Filter { causes: vec![Cause::OomHost], ..Filter::default() })),
        (
            "--comm app3 --cause oom_host",
            filtered(Filter { comms: of("app3"), causes: vec![Cause::OomHost], ..Filter::default() }),
        ),
        ("--pid 1234", filtered(Filter { pids: vec![1234], ..Filter::default() })),
        ("--sender bash (none)", filtered(Filter { senders: of("bash"), ..Filter::default() })),
    ] {
        measure(path, name, |history| listed(history, &selection));
    }
    measure(path, "the last 100, of each its share", |history| {
        let (lines, rest) = history.folded_by_share(&all).unwrap();
        shown(history, &lines) + rest.len()
    });
    let everything = Selection::default();
    for by in [By::Cause, By::Container, By::Image, By::Comm, By::Node, By::Hour, By::Day] {
        let name = format!("--by {by:?}").to_lowercase();
        measure(path, &name, |history| history.count_by(&everything, by, &TimeZone::UTC).unwrap().len());
    }
    let of_one = Selection { last: None, ..filtered(Filter { containers: of("app-7"), ..Filter::default() }) };
    measure(path, "--by hour --container app-7", |history| {
        history.count_by(&of_one, By::Hour, &TimeZone::UTC).unwrap().len()
    });
    let identity = Identity::of(&incident(0, number, ""));
    let now = start() + SignedDuration::from_secs(SPAN_S);
    let before = i64::try_from(now.as_nanosecond()).unwrap();
    measure(path, "earlier kills, by cause", |history| {
        let causes = history.causes(identity.key(), before).unwrap().causes;
        usize::try_from(causes.iter().map(|(_, count)| count).sum::<u64>()).unwrap()
    });
    let same = Selection { identity: Some(identity), until: Some(now), last: Some(5), ..Selection::default() };
    measure(path, "earlier kills, the last 5", |history| history.seqs(&same).unwrap().len());
    // As `oomtrace top` asks when it starts.
    measure(path, "the last of each place", |history| {
        let latests = history.latest_of_each(&Filter::default(), hour_ago, now).unwrap();
        latests.of_cgroups.len() + latests.of_containers.len()
    });
}

/// As `oomtrace history` lists them: lines, the last incident of each of which is read.
fn listed(history: &History, selection: &Selection) -> usize {
    shown(history, &history.folded(selection).unwrap())
}

fn shown(history: &History, lines: &[Line]) -> usize {
    lines.iter().filter(|line| history.shown(line).unwrap().last.is_some()).count()
}

fn measure(path: &Path, name: &str, ask: impl Fn(&History) -> usize) {
    let mut found = 0;
    let mut times: Vec<Duration> = (0..7)
        .map(|_| {
            let began = Instant::now();
            found = ask(&History::open(path).unwrap());
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("| {name} | {:.1} ms | {:.1} ms | {found} |", ms(times[3]), ms(times[6]));
}
