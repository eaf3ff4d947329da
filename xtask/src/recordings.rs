//! The recordings that the ordinary tests judge again, taken from virtual machines.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::vm::plan::{Cgroups, Hooks, Init};
use crate::vm::results::{Results, RunResults};

/// Bytes of the largest that is kept.
const LARGEST: u64 = 48 << 10;

/// For each kernel and cgroup hierarchy a directory with each scenario's recording, but for the few large ones, and what it must be
/// judged as. Replaces what was there of the same kernels.
pub fn keep(workspace: &Path, all: &[Results]) -> Result<()> {
    let directory = workspace.join("oomtrace/tests/recordings");
    for results in all {
        for run in &results.runs {
            keep_run(&directory.join(name(results, run)), run)?;
        }
    }
    Ok(())
}

/// The name of a kernel and its state: `6.12.95`, `6.1.176-v1`, `7.3.4-neither`.
fn name(results: &Results, run: &RunResults) -> String {
    let mut name = results.version.clone();
    for (is_told, what) in [
        (results.boot.cgroups != Cgroups::V2, results.boot.cgroups.name()),
        (results.boot.init == Init::Systemd, "systemd"),
        (run.hooks != Hooks::Best, run.hooks.name()),
    ] {
        if is_told {
            name.push('-');
            name.push_str(what);
        }
    }
    name
}

fn keep_run(directory: &Path, run: &RunResults) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).context("cannot remove the last recordings")?;
    }
    let rows: Vec<Vec<&str>> = run.table.lines().map(|line| line.split('\t').collect()).collect();
    let mut truth = String::new();
    for row in &rows {
        let [scenario, expected, got, confidence, pid] = row[..] else { continue };
        // A scenario that starts oomtrace several times keeps its first recording only: it is no fixture.
        let is_single = rows.iter().filter(|other| other.first() == Some(&scenario)).count() == 1;
        let file = format!("{}.rec", scenario.replace("::", "."));
        let from = run.recordings.join(&file);
        let is_small = from.metadata().is_ok_and(|metadata| metadata.len() <= LARGEST);
        if !is_single || !is_small || expected != got || pid == "0" {
            continue;
        }
        fs::create_dir_all(directory).context("cannot create the directory for recordings")?;
        fs::copy(&from, directory.join(&file)).with_context(|| format!("cannot copy {}", from.display()))?;
        truth.push_str(&format!("{scenario}\t{expected}\t{confidence}\t{pid}\n"));
    }
    if truth.is_empty() {
        return Ok(());
    }
    fs::write(directory.join("truth"), truth).context("cannot write what the recordings are")
}
