//! `cargo xtask gallery`: the page of situations, of recordings of real kills.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use xtask::say;
use xtask::situations::{self, DIRECTORY, KUBERNETES, SCENARIOS, Situation, Source};
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
    /// What scenarios on a Kubernetes node left, which is taken.
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
    if let Some(file) = &wanted.node {
        take_kubernetes(workspace, file)?;
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

/// Takes what the scenarios on a Kubernetes node were said to be by the tracer on the node, as `from` has it; a scenario that was not run this
/// time keeps what it has.
fn take_kubernetes(workspace: &Path, from: &Path) -> Result<()> {
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let to = workspace.join(KUBERNETES);
    let mut kept = by_scenario(&if to.exists() { read(&to)? } else { String::new() })?;
    // Where it was built says nothing to a reader.
    let text = read(from)?.replace(&workspace.display().to_string(), "/src/oomtrace");
    kept.extend(by_scenario(&text)?);
    let lines: String = kept.values().flatten().map(|line| format!("{line}\n")).collect();
    fs::write(&to, lines).with_context(|| format!("cannot write {}", to.display()))?;
    say(&format!("incidents of {} scenarios on a Kubernetes node kept", kept.len()));
    Ok(())
}

/// The lines about each scenario that are of the tracer on the node, without its mark: that has none.
fn by_scenario(text: &str) -> Result<BTreeMap<String, Vec<Value>>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in text.lines() {
        let mut line: Value = serde_json::from_str(line).context("a line of what the scenarios left is no JSON")?;
        let scenario = line
            .get("scenario")
            .and_then(Value::as_str)
            .context("a line of what the scenarios left has no scenario")?
            .to_owned();
        let tracer = line.as_object_mut().and_then(|line| line.remove("tracer"));
        if tracer.is_none_or(|tracer| tracer == "") {
            found.entry(scenario).or_default().push(line);
        }
    }
    Ok(found)
}

fn copy(from: &Path, directory: &Path, situation: &str) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let to = directory.join(format!("{situation}.rec"));
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}
