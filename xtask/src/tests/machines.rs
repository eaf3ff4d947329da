//! The scenarios in virtual machines: the few that every test run sees, and the whole matrix.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use xtask::say;

use super::How;
use super::summary::{Counts, Part, Summary};
use super::verdicts::{self, Row};
use crate::binaries::{self, Binaries};
use crate::free_space::Lack;
use crate::time_limit::{Spoken, TimeLimit};
use crate::vm::accelerator::Accelerator;
use crate::vm::plan::{self, Boot, Init};
use crate::vm::results::{Outcome, Results, RunResults};
use crate::vm::{Cut, Lab, matrix};
use crate::{interrupt, recordings};

/// A machine that has less time than this is not started.
const SHORTEST: Duration = Duration::from_secs(120);
const SCENARIOS: &str = "scenarios in QEMU";
/// What is not shown of a failed run's log: what passed.
const PASSED: &str = " ... ok";

/// The results of machines.
#[derive(Default)]
pub struct InMachines {
    pub parts: Vec<Part>,
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

/// Runs what every test run sees of machines. The first must run where machines can be made at all: not where this machine lacks what
/// they are made with, the room on its disk included, which is reported as not run.
pub fn quick(workspace: &Path, how: &How, binaries: &Binaries) -> InMachines {
    let boots = plan::quick();
    let none_run = |why: String, is_required: bool| {
        let part = |(number, boot): (usize, &Boot)| {
            let part = Part::not_run(SCENARIOS, boot.describe(&boot.kernel), why.clone());
            if is_required && number == 0 { part.required() } else { part }
        };
        InMachines { parts: boots.iter().enumerate().map(part).collect(), ..InMachines::default() }
    };
    if !how.machines {
        return none_run("they were not asked for (--no-vm)".to_owned(), false);
    }
    if interrupt::came() {
        return none_run("interrupted".to_owned(), true);
    }
    let missing = Lab::missing();
    if !missing.is_empty() {
        return none_run(missing.join("; "), false);
    }
    say(&format!("virtual machines; {} are left for the whole run", Spoken(how.time.left())));
    let lab = match Lab::prepare(workspace, how.accelerator) {
        Ok(lab) => lab,
        Err(error) => return none_run(format!("{error:#}"), !error.is::<Lack>()),
    };
    let mut all = InMachines::default();
    for (number, boot) in boots.iter().enumerate() {
        let mut part = if interrupt::came() {
            Part::not_run(SCENARIOS, boot.describe(&boot.kernel), "interrupted").required()
        } else if how.time.left() < SHORTEST {
            let why = format!("no time was left of {} (--limit)", Spoken(how.time.whole()));
            Part::not_run(SCENARIOS, boot.describe(&boot.kernel), why).required()
        } else {
            boot_one(&lab, boot, binaries, how.time, &mut all.rows)
        };
        part.is_required &= number == 0;
        all.parts.push(part);
    }
    all.notes.extend(lab.accelerators.why_not_kvm().map(|why| format!("Machines were emulated, without KVM: {why}")));
    all
}

fn boot_one(lab: &Lab, boot: &Boot, binaries: &Binaries, time: TimeLimit, rows: &mut Vec<Row>) -> Part {
    let started = Instant::now();
    let part = match lab.run(boot, binaries, time, every_outcome) {
        Ok(results) => {
            report(&results);
            rows.extend(results.runs.iter().flat_map(|run| vm_rows(&results, run)));
            part_of(&results).required()
        }
        Err(error) => {
            say(&format!("{}: {error:#}", boot.describe(&boot.kernel)));
            broken(&error, boot)
        }
    };
    Part { took: started.elapsed(), ..part }
}

/// The part that did not get to its end. What no time was left for did not fail; what had failed by then did. One for which the disk has
/// no room cannot be required.
fn broken(error: &anyhow::Error, boot: &Boot) -> Part {
    use super::summary::Outcome;

    let part = Part::new(SCENARIOS, boot.describe(&boot.kernel));
    if let Some(cut) = error.downcast_ref::<Cut>() {
        return Part {
            outcome: Outcome::NotRun(cut.to_string()),
            counts: Counts { failed: cut.failures.len(), ..Counts::default() },
            failures: cut.failures.clone(),
            ..part.required()
        };
    }
    match error.downcast_ref::<Lack>() {
        Some(lack) => Part { outcome: Outcome::NotRun(lack.to_string()), ..part },
        None => Part { outcome: Outcome::Broke(format!("{error:#}")), ..part.required() },
    }
}

/// A machine's results as a part of a test run.
fn part_of(results: &Results) -> Part {
    let mut part = Part::new(SCENARIOS, results.boot.describe(&results.version));
    for run in &results.runs {
        let [passed, failed, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|it| run.count(it));
        part.counts.add(Counts { passed, failed, skipped });
        let hooks = if run.hooks.name() == "best" { String::new() } else { format!(", hooks: {}", run.hooks.name()) };
        let failed = run.scenarios.iter().filter(|(_, outcome)| *outcome == Outcome::Failed);
        part.failures.extend(failed.map(|(name, _)| format!("{name}{hooks}")));
        if !run.passed() && run.count(Outcome::Failed) == 0 {
            part.counts.failed += 1;
            part.failures.push(format!("the run did not get to its end{hooks}"));
        }
    }
    match &results.selftest {
        None => part.counts.passed += 1,
        Some(_) => {
            part.counts.failed += 1;
            part.failures.push("oomtrace selftest".to_owned());
        }
    }
    part
}

/// What the matrix is asked for.
#[derive(Debug)]
pub struct Wanted {
    /// Boots, in their order.
    pub boots: Vec<Boot>,
    /// How many machines run at once.
    pub jobs: usize,
    /// Nothing is booted: the results of the last time are taken.
    pub last: bool,
    /// The recordings become those that the ordinary tests judge.
    pub keep: bool,
    /// `docs/kernels.md` gets the table.
    pub write: bool,
    /// Forces KVM or emulation.
    pub accelerator: Option<Accelerator>,
    pub time: TimeLimit,
}

/// Runs scenarios in virtual machines, and prints the table of them; whether all passed.
pub fn run_in_vm(workspace: &Path, wanted: &Wanted) -> Result<bool> {
    let lab = Lab::prepare(workspace, wanted.accelerator).context("no virtual machine")?;
    let binaries = if wanted.last { Binaries::default() } else { binaries::build(workspace)? };
    let shown = if wanted.boots.len() > 1 { failures } else { every_outcome };
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, (Duration, Result<Results>)>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..wanted.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(boot) = wanted.boots.get(number) else { return };
                    if interrupt::came() || wanted.time.left() < SHORTEST {
                        return;
                    }
                    let started = Instant::now();
                    let results =
                        if wanted.last { lab.last(boot) } else { lab.run(boot, &binaries, wanted.time, shown) };
                    match &results {
                        Ok(results) => report(results),
                        Err(error) => say(&format!("{}: {error:#}", boot.describe(&boot.kernel))),
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, (started.elapsed(), results));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (mut parts, mut all) = (Vec::new(), Vec::new());
    for (number, boot) in wanted.boots.iter().enumerate() {
        let place = boot.describe(&boot.kernel);
        // Whoever asks for a machine wants it run.
        parts.push(match done.remove(&number) {
            None => Part::not_run(SCENARIOS, place, "no time was left, or interrupted").required(),
            Some((took, Err(error))) => Part { took, ..broken(&error, boot).required() },
            Some((took, Ok(results))) => {
                let part = Part { took, ..part_of(&results) };
                all.push(results);
                part
            }
        });
    }
    if wanted.keep {
        recordings::keep(workspace, &all)?;
    }
    if wanted.write {
        matrix::write(workspace, &all)?;
    }
    let rows: Vec<Row> =
        all.iter().flat_map(|results| results.runs.iter().flat_map(|run| vm_rows(results, run))).collect();
    if wanted.boots.len() == 1 {
        print!("{}", verdicts::format(&rows));
    } else {
        print!("\n{}", matrix::format(&all));
    }
    let notes = lab.accelerators.why_not_kvm().map(|why| format!("Machines were emulated, without KVM: {why}"));
    let summary = Summary {
        parts,
        verdicts: Some(verdicts::count(&rows)),
        notes: notes.into_iter().collect(),
        took: wanted.time.elapsed(),
    };
    print!("{}", summary.format());
    Ok(summary.passed())
}

fn every_outcome(line: &str) -> bool {
    line.starts_with("test ")
}

fn failures(line: &str) -> bool {
    line.starts_with("test ") && line.ends_with("FAILED")
}

/// Says how a machine ended, and what failed in whole.
fn report(results: &Results) {
    for run in &results.runs {
        let [passed, failed, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|it| run.count(it));
        say(&format!(
            "{}, hooks {}: {passed} passed, {failed} failed, {skipped} not possible there",
            results.boot.describe(&results.version),
            run.hooks.name(),
        ));
        if !run.passed() {
            run.log.lines().filter(|line| !line.ends_with(PASSED)).for_each(|line| eprintln!("{line}"));
        }
    }
    if let Some(selftest) = &results.selftest {
        say(&format!("Linux {}: the selftest failed:\n{selftest}", results.version));
    }
}

fn vm_rows(results: &Results, run: &RunResults) -> Vec<Row> {
    let (hooks, init) = (run.hooks.name(), results.boot.init);
    let with = if hooks == "best" { String::new() } else { format!(", {hooks}") };
    let under = if init == Init::Systemd { ", systemd" } else { "" };
    verdicts::rows(&run.table, &format!("{} (VM{with}{under})", results.version))
}
