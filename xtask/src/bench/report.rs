//! BENCHMARKS.md.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cost::{self, Cost};
use super::idle::{self, Idle};
use super::many::{KILLS, Row, STARTS};
use super::{crowd, oom, storm};

/// The storm is over by then, where the machine keeps up with it.
const STORM_SECONDS: f64 = 10.5;

/// A budget, and whether it is kept.
struct Line {
    what: &'static str,
    budget: &'static str,
    measured: String,
    is_kept: bool,
    /// Why not.
    why: &'static str,
}

pub fn write(costs: &[Cost], ooms: &[oom::Cost], storms: &[storm::Row], idle: &Idle, many: &[Row]) -> Result<String> {
    let mut text = format!("# Benchmarks\n\nMade by `cargo xtask bench`, never by hand. {}.\n\n", place()?);
    text.push_str(&budgets(&lines(costs, storms, idle, many)?));
    text.push_str(&in_the_kernel(costs, ooms));
    text.push_str(&in_a_storm(storms));
    text.push_str(&with_many(many));
    Ok(text)
}

/// `2026-11-26 on 2 processors (…), Linux 6.18`
pub fn place() -> Result<String> {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().context("cannot run date")?;
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let processor =
        processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    Ok(format!(
        "{} on {} processors ({}), Linux {}",
        String::from_utf8_lossy(&date.stdout).trim(),
        std::thread::available_parallelism().map_or(0, usize::from),
        processor.unwrap_or("unknown"),
        read("/proc/sys/kernel/osrelease").trim(),
    ))
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn lines(costs: &[Cost], storms: &[storm::Row], idle: &Idle, many: &[Row]) -> Result<Vec<Line>> {
    let of = |name: &str| costs.iter().find(|cost| cost.name == name).with_context(|| format!("no cost of {name}"));
    let (own, empty) = (of("oomtrace")?, of("an empty program")?);
    let ratio = own.other_ns / empty.other_ns;
    let storm = storms.first().context("no storm")?;
    let none = many.first().context("no row without containers")?;
    let thousand = many.iter().find(|row| row.containers == 1_000).context("no row with 1,000 containers")?;
    Ok(vec![
        Line {
            what: "a signal that is not wanted",
            budget: "1.5 × an empty program",
            measured: format!("{:.0} ns, {ratio:.2} ×", own.other_ns),
            is_kept: ratio <= 1.5,
            why: "It compares the signal's number with a constant, and returns. Runs this short are counted unsteadily: those of \
                  the empty program differ by more than two times within one measurement (below).",
        },
        Line {
            what: "a captured SIGKILL, with stack, parents and command line",
            budget: "5 µs in the kernel",
            measured: format!("{:.1} µs", own.kill_ns / 1000.0),
            is_kept: own.kill_ns <= 5_000.0,
            why: "Left out one by one, the kernel stack (`bpf_get_stack`, which unwinds frame by frame) is worth 2.2 µs of it, the two \
                  executables' paths 1.6 µs, cgroup paths 0.6 µs, the command line 0.4 µs. On a machine whose caches are full of \
                  something else, each takes longer: compare with the others' programs, which record a handful of numbers (below).",
        },
        Line {
            what: "storm: 10,000 SIGKILL/s for 10 s on two processors",
            budget: "nothing lost",
            measured: format!(
                "{} told, {} lost, in {:.1} s",
                storm.told,
                storm.lost.unwrap_or_default(),
                storm.seconds
            ),
            is_kept: storm.told == storm::BATCHES * storm::BATCH
                && storm.lost == Some(0)
                && storm.seconds <= STORM_SECONDS,
            why: "Either this machine cannot start and kill processes as fast with oomtrace beside it, or events did not fit into \
                  the ring buffer (--ring-size), which are counted as lost.",
        },
        Line {
            what: "kernel to verdict on standard output, 99 %",
            budget: "20 ms",
            measured: format!("{:.1} ms", ms(thousand.verdict[1])),
            is_kept: ms(thousand.verdict[1]) <= 20.0,
            why: "",
        },
        Line {
            what: "start to attached",
            budget: "150 ms",
            measured: format!("{:.0} ms", ms(none.ready)),
            is_kept: ms(none.ready) <= 150.0,
            why: "A third of it is aya's loader, which reads all of the kernel's types, wanted or not; a third the kernel's verifier.",
        },
        Line {
            what: "resident memory with 1,000 containers",
            budget: "20 MiB",
            measured: format!("{:.1} MiB", mib(thousand.resident_kib)),
            is_kept: mib(thousand.resident_kib) <= 20.0,
            why: "Half of it are the program's own pages; the rest are names of containers, cgroups and kernel functions.",
        },
        Line {
            what: "wake-ups while nothing happens",
            budget: "none",
            measured: format!(
                "{} in {} s, {} ticks of processor time (the quietest of {} times)",
                idle.wake_ups,
                idle::SECONDS,
                idle.processor_ticks,
                idle::TIMES,
            ),
            is_kept: idle.wake_ups == 0,
            why: "Kills and ends of containers elsewhere on the machine wake it, too.",
        },
    ])
}

fn budgets(lines: &[Line]) -> String {
    let mut text = "## Budgets\n\n| what | budget | measured | |\n|---|---|---|---|\n".to_owned();
    for line in lines {
        let kept = if line.is_kept { "kept" } else { "**missed**" };
        _ = writeln!(text, "| {} | {} | {} | {kept} |", line.what, line.budget, line.measured);
    }
    for line in lines.iter().filter(|line| !line.is_kept) {
        _ = writeln!(text, "\nMissed: {}. {}", line.what, line.why);
    }
    text.push('\n');
    text
}

fn in_the_kernel(costs: &[Cost], ooms: &[oom::Cost]) -> String {
    let mut text = format!(
        "## In the kernel\n\nThe kernel's own run-time counters (`kernel.bpf_stats_enabled`, which adds some 30 ns to each run) of the \
         program on `signal_generate`, one tool after the other, with the same signals: {} SIGCHLDs, then {} SIGKILLs; the \
         medians of {} such rounds. oomtrace records who killed whom with stacks, parents, executables, cgroups and the command line; the others five numbers \
         and a name. OOM kill: the program on `mark_victim`, over {} kills in a memory cgroup; oomtrace records the memory of the \
         victim and of each cgroup above it.\n\n| | SIGCHLD | SIGKILL | OOM kill |\n|---|---:|---:|---:|\n",
        cost::CHILDREN,
        cost::KILLS,
        cost::ROUNDS,
        oom::KILLS,
    );
    for cost in costs {
        let oom =
            ooms.iter().find(|oom| oom.name == cost.name).map_or_else(String::new, |oom| format!("{:.0} ns", oom.ns));
        _ = writeln!(text, "| {} | {:.0} ns | {:.0} ns | {oom} |", cost.name, cost.other_ns, cost.kill_ns);
    }
    text.push('\n');
    text
}

fn in_a_storm(storms: &[storm::Row]) -> String {
    let mut text = format!(
        "## In a storm\n\n{} batches of {} processes, one every {} ms where the machine can start them as fast, each killed in one go; one tool after \
         the other. oomtrace \
         judges each kill and writes some 2 KiB of JSON about it.\n\n\
         | | told | lost, by its own count | the storm took |\n|---|---:|---:|---:|\n",
        storm::BATCHES,
        storm::BATCH,
        storm::INTERVAL_MS
    );
    for row in storms {
        let lost = row.lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string());
        _ = writeln!(text, "| {} | {} | {lost} | {:.1} s |", row.name, row.told, row.seconds);
    }
    text.push('\n');
    text
}

fn with_many(many: &[Row]) -> String {
    let mut text = format!(
        "## Many containers\n\nCgroups named as Kubernetes names them, {} each, with a bundle of containerd's for each \
         container; no runtime runs. Start is from exec to the `ready` line, the median of {STARTS}; memory is read when every \
         name is known. A verdict's time is from before kill(2) to its line on standard output, over {KILLS} kills of a process in a \
         container (outside one with none); its victim's end is waited for.\n\n\
         | containers | cgroups | start | resident | of it anonymous | verdict, median | 99 % | named |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|\n",
        crowd::CGROUPS_EACH,
    );
    for row in many {
        _ = writeln!(
            text,
            "| {} | {} | {:.1} ms | {:.1} MiB | {:.1} MiB | {:.1} ms | {:.1} ms | {} of {KILLS} |",
            row.containers,
            row.cgroups,
            ms(row.ready),
            mib(row.resident_kib),
            mib(row.anonymous_kib),
            ms(row.verdict[0]),
            ms(row.verdict[1]),
            row.named,
        );
    }
    text
}
