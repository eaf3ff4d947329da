//! The tests: cargo's, and the scenarios in a virtual machine that need one; and the table of what every scenario gave.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use xtask::dockerd::{Dockerd, SOCKET_VARIABLE};
use xtask::say;

use crate::image::{self, Profile};
use crate::vm::plan::{self, Boot, Init};
use crate::vm::results::{Outcome, Results, RunResults};
use crate::vm::{Lab, matrix};
use crate::{cargo, executable, recordings, target_dir};

/// Tells the scenarios where their table goes.
const TABLE_VARIABLE: &str = "OOMTRACE_TEST_TABLE";
/// Tells the scenarios where the image's build context is.
const IMAGE_VARIABLE: &str = "OOMTRACE_TEST_IMAGE";
/// What is run where the tests are not built.
#[derive(Debug, Default)]
pub struct Binaries {
    /// The scenarios.
    pub live: PathBuf,
    /// oomtrace itself.
    pub oomtrace: PathBuf,
}

/// Which tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    Scenarios,
}

/// Runs the tests and prints the table; whether all passed. With `arguments`, which go to cargo, only what they choose.
pub fn run(workspace: &Path, which: Which, arguments: &[String]) -> Result<bool> {
    let table_file = target_dir(workspace).join("scenarios");
    _ = fs::remove_file(&table_file);
    let daemon = Dockerd::start()?;
    let mut command = cargo(workspace);
    command.arg("test").env(TABLE_VARIABLE, &table_file);
    if which == Which::Scenarios {
        command.args(["--package", "oomtrace", "--test", "live"]);
    }
    command.args(arguments);
    if let Some(daemon) = &daemon {
        command.env(SOCKET_VARIABLE, daemon.socket());
        command.env(IMAGE_VARIABLE, image::context(workspace, Profile::Dev)?);
    }
    let mut passed = command.status().context("cannot run cargo")?.success();
    drop(daemon);
    if !arguments.is_empty() {
        return Ok(passed);
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut rows = rows(&fs::read_to_string(&table_file).unwrap_or_default(), release.trim());
    match Lab::prepare(workspace) {
        Ok(lab) => {
            let binaries = build(workspace)?;
            for boot in plan::quick() {
                let results = lab.run(&boot, &binaries, every_outcome)?;
                passed &= report(&results);
                rows.extend(results.runs.iter().flat_map(|run| vm_rows(&results, run)));
            }
        }
        Err(why) => say(&format!("the scenarios that need a virtual machine are skipped: {why:#}")),
    }
    print!("{}", format(&rows));
    Ok(passed)
}

/// What the matrix is asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Boots, in their order.
    pub boots: Vec<Boot>,
    /// How many machines run at once.
    pub jobs: usize,
    /// Nothing is booted: the results of the last time are taken.
    pub last: bool,
    /// The recordings become those that the ordinary tests judge.
    pub keep: bool,
    /// The README gets the table.
    pub write: bool,
}

/// Runs scenarios in virtual machines, and prints the table of them; whether all passed.
pub fn run_in_vm(workspace: &Path, wanted: &Wanted) -> Result<bool> {
    let lab = Lab::prepare(workspace).context("no virtual machine")?;
    let binaries = if wanted.last { Binaries::default() } else { build(workspace)? };
    let shown = if wanted.boots.len() > 1 { failures } else { every_outcome };
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<Results>>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..wanted.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(boot) = wanted.boots.get(number) else { return };
                    let results = if wanted.last { lab.last(boot) } else { lab.run(boot, &binaries, shown) };
                    match &results {
                        Ok(results) => _ = report(results),
                        Err(error) => say(&format!("Linux {}: {error:#}", boot.kernel)),
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, results);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let booted = done.len();
    let all: Vec<Results> = done.into_values().filter_map(Result::ok).collect();
    if wanted.keep {
        recordings::keep(workspace, &all)?;
    }
    if wanted.write {
        matrix::write(workspace, &all)?;
    }
    if let ([results], 1) = (&all[..], booted) {
        let rows: Vec<Row> = results.runs.iter().flat_map(|run| vm_rows(results, run)).collect();
        print!("{}", format(&rows));
    } else {
        print!("\n{}", matrix::format(&all));
    }
    Ok(all.len() == wanted.boots.len() && all.iter().all(Results::passed))
}

fn every_outcome(line: &str) -> bool {
    line.starts_with("test ")
}

fn failures(line: &str) -> bool {
    line.starts_with("test ") && line.ends_with("FAILED")
}

/// Says what came of a machine, and what failed in whole; whether nothing did.
fn report(results: &Results) -> bool {
    for run in &results.runs {
        let [passed, failed, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|it| run.count(it));
        say(&format!(
            "Linux {}, cgroup {}, hooks {}: {passed} passed, {failed} failed, {skipped} not possible there",
            results.version,
            results.boot.cgroups.name(),
            run.hooks.name(),
        ));
        if !run.passed() {
            eprintln!("{}", run.log);
        }
    }
    if let Some(selftest) = &results.selftest {
        say(&format!("Linux {}: the selftest failed:\n{selftest}", results.version));
    }
    results.passed()
}

/// Builds what the virtual machine runs.
fn build(workspace: &Path) -> Result<Binaries> {
    let live = executable(workspace, &["test", "--package", "oomtrace", "--test", "live"])?;
    // Copies: what is built meanwhile is for the next run.
    let folder = target_dir(workspace).join("vm/binaries");
    fs::create_dir_all(&folder).context("cannot create a folder for the binaries")?;
    let binaries = Binaries { live: folder.join("live"), oomtrace: folder.join("oomtrace") };
    for (from, to) in [(live, &binaries.live), (target_dir(workspace).join("debug/oomtrace"), &binaries.oomtrace)] {
        fs::copy(&from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(binaries)
}

/// One verdict: scenario, expected, got, confidence, kernel.
type Row = [String; 5];

fn vm_rows(results: &Results, run: &RunResults) -> Vec<Row> {
    let (hooks, init) = (run.hooks.name(), results.boot.init);
    let with = if hooks == "best" { String::new() } else { format!(", {hooks}") };
    let under = if init == Init::Systemd { ", systemd" } else { "" };
    rows(&run.table, &format!("{} (VM{with}{under})", results.version))
}

/// The rows of a scenario table, seen on the kernel `release`.
fn rows(table: &str, release: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let [scenario, expected, got, confidence] = std::array::from_fn(|_| fields.next().unwrap_or_default());
        [scenario, expected, got, confidence, release.to_owned()]
    };
    table.lines().map(row).collect()
}

/// The table, its columns aligned.
fn format(rows: &[Row]) -> String {
    let head: Row = ["scenario", "expected", "got", "confidence", "Linux"].map(str::to_owned);
    let all: Vec<&Row> = std::iter::once(&head).chain(rows).collect();
    let widths: [usize; 5] =
        std::array::from_fn(|column| all.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0));
    let line = |row: &Row| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let wrong = rows.iter().filter(|[_, expected, got, ..]| expected != got).count();
    let mut lines: Vec<(String, usize)> = Vec::new();
    for line in all.into_iter().map(line) {
        // A storm has the same verdict again and again.
        match lines.iter_mut().find(|(other, _)| *other == line) {
            Some((_, times)) => *times += 1,
            None => lines.push((line, 1)),
        }
    }
    let lines = lines.into_iter().map(|(line, times)| match times {
        1 => line,
        _ => format!("{}  {times} times\n", line.trim_end()),
    });
    format!("\n{}\n{} verdicts, {wrong} wrong\n", lines.collect::<String>(), rows.len())
}
