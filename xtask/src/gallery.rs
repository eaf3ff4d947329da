//! `cargo xtask gallery`: the page of situations, of recordings of real kills.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use xtask::say;
use xtask::situations::{self, DIRECTORY, SCENARIOS, Situation, Source};
use xtask::succeed;

use crate::binaries;
use crate::time_limit::TimeLimit;
use crate::vm::Lab;
use crate::vm::accelerator::Accelerator;
use crate::vm::plan;
use crate::vm::results::{Outcome, Results};
use crate::{NO_LIMIT, cargo, interrupt, setup};

/// The kernel that they are made on.
const KERNEL: &str = "6.12";
/// The test that makes the page, or compares it.
const TEST: [&str; 8] = ["test", "--quiet", "--package", "oomtrace", "--features", "kubernetes", "--test", "gallery"];

/// What is asked for.
#[derive(Debug, Default)]
struct Wanted {
    /// Makes recordings anew.
    record: bool,
    /// Boots nothing: takes the recordings of the last time.
    last: bool,
    /// Situations whose names start so; all when there are none.
    only: Vec<String>,
    /// Columns; only prints then.
    width: Option<usize>,
    /// Recordings made on a Kubernetes node, which are taken.
    node: Option<PathBuf>,
    accelerator: Option<Accelerator>,
}

/// Makes the page; with some situations or a width alone, prints these.
///
/// # Errors
/// When a situation has no recording, or cannot be recorded.
pub fn run(workspace: &Path, arguments: &[String]) -> Result<()> {
    let wanted = wanted(arguments)?;
    if let Some(start) = wanted.only.iter().find(|start| !situations::all().any(|it| it.name.starts_with(*start))) {
        bail!("no situation's name starts with {start}");
    }
    if let Some(directory) = &wanted.node {
        take_kubernetes(workspace, directory, &wanted)?;
    }
    if wanted.record {
        record(workspace, &wanted)?;
    }
    setup::ensure(workspace)?;
    let mut test = cargo(workspace);
    test.args(TEST).args(["--", "--nocapture"]);
    let is_part = !wanted.only.is_empty() || wanted.width.is_some();
    if is_part && !wanted.record {
        test.arg("print").env("OOMTRACE_GALLERY_PRINT", wanted.only.join(" "));
        test.env("OOMTRACE_GALLERY_WIDTH", wanted.width.unwrap_or(situations::WIDTH).to_string());
    } else {
        test.arg("the_page").env("UPDATE", "1");
    }
    succeed(&mut test)
}

fn wanted(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--record" => wanted.record = true,
            "--last" => (wanted.record, wanted.last) = (true, true),
            "--only" => wanted.only.push(value()?.clone()),
            "--width" => wanted.width = Some(value()?.parse().context("--width wants a number of columns")?),
            "--node" => wanted.node = Some(PathBuf::from(value()?)),
            "--accel" => wanted.accelerator = Some(Accelerator::parse(value()?)?),
            other => bail!("gallery knows no {other}"),
        }
    }
    Ok(wanted)
}

fn is_wanted(wanted: &Wanted, situation: &Situation) -> bool {
    wanted.only.is_empty() || wanted.only.iter().any(|start| situation.name.starts_with(start.as_str()))
}

/// Makes the kills in a virtual machine, and keeps the recordings of those that are judged as they must be.
fn record(workspace: &Path, wanted: &Wanted) -> Result<()> {
    let own: Vec<&Situation> =
        situations::all().filter(|it| it.source == Source::Own && is_wanted(wanted, it)).collect();
    if own.is_empty() {
        bail!("none of these is made here: test scenarios make them, or those on a Kubernetes node");
    }
    let names: Vec<String> = own.iter().map(|situation| format!("{SCENARIOS}{}", situation.name)).collect();
    let only = if wanted.only.is_empty() { vec![SCENARIOS.to_owned()] } else { names };
    let boot = plan::systemd(KERNEL, &only);
    interrupt::listen()?;
    setup::ensure(workspace)?;
    let lab = Lab::prepare(workspace, wanted.accelerator).context("no virtual machine")?;
    let results = if wanted.last {
        lab.last(&boot)?
    } else {
        setup::ensure_for_tests(workspace)?;
        let binaries = binaries::build(workspace)?;
        lab.run(&boot, &binaries, TimeLimit::new(NO_LIMIT), |line| line.starts_with("test "))?
    };
    keep(workspace, &results)
}

fn keep(workspace: &Path, results: &Results) -> Result<()> {
    let directory = workspace.join(DIRECTORY).join("recordings");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let (mut kept, mut failed) = (0, Vec::new());
    for run in &results.runs {
        for (name, outcome) in &run.scenarios {
            let Some(situation) = name.strip_prefix(SCENARIOS) else { continue };
            if *outcome != Outcome::Passed {
                failed.push(situation);
                continue;
            }
            copy(&run.recordings.join(format!("gallery.{situation}.rec")), &directory, situation)?;
            kept += 1;
        }
        if !failed.is_empty() {
            run.log.lines().filter(|line| !line.ends_with(" ... ok")).for_each(|line| eprintln!("{line}"));
        }
    }
    say(&format!("{kept} recordings kept"));
    if !failed.is_empty() {
        bail!("not made: {}; the page is as it was", failed.join(", "));
    }
    Ok(())
}

/// Takes those that scenarios on a Kubernetes node left in `from`, as `OOMTRACE_TEST_RECORDINGS` has them do.
fn take_kubernetes(workspace: &Path, from: &Path, wanted: &Wanted) -> Result<()> {
    let directory = workspace.join(DIRECTORY).join("recordings");
    for situation in situations::all().filter(|it| is_wanted(wanted, it)) {
        let Source::Kubernetes(scenario) = situation.source else { continue };
        let file = from.join(format!("{}.rec", scenario.replace("::", ".")));
        if file.exists() {
            copy(&file, &directory, situation.name)?;
        } else {
            say(&format!("{} has no {}", from.display(), file.display()));
        }
    }
    Ok(())
}

fn copy(from: &Path, directory: &Path, situation: &str) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let to = directory.join(format!("{situation}.rec"));
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}
