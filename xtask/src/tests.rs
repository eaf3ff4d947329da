//! The tests: cargo's, and the scenarios in a virtual machine that need one; and the table of what every scenario gave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use xtask::dockerd::{Dockerd, SOCKET_VARIABLE};
use xtask::say;

use crate::image::{self, Profile};
use crate::vm::{Init, Machine, Results};
use crate::{cargo, target_dir};

/// Tells the scenarios where their table goes.
const TABLE_VARIABLE: &str = "OOMTRACE_TEST_TABLE";
/// Tells the scenarios where the image's build context is.
const IMAGE_VARIABLE: &str = "OOMTRACE_TEST_IMAGE";
/// Scenarios that only a machine of their own shows as they are: whose limit is read from the OOM killer's own record there.
const IN_VM: [&str; 2] = ["machine::", "oom::"];
/// Scenarios that need systemd: units and users, and runtimes that put their containers below them.
const UNDER_SYSTEMD: [&str; 4] = ["systemd::", "podman::", "runtimes::", "requester::docker"];

/// What is run where the tests are not built.
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
    match Machine::prepare(workspace) {
        Ok(machine) => {
            let binaries = build(workspace)?;
            for (init, only) in [(Init::Tests, &IN_VM[..]), (Init::Systemd, &UNDER_SYSTEMD)] {
                let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
                let results = machine.run(&binaries, init, &only)?;
                passed &= results.passed;
                rows.extend(self::rows(&results.table, &format!("{} (VM)", results.release)));
            }
        }
        Err(why) => say(&format!("the scenarios that need a virtual machine are skipped: {why:#}")),
    }
    print!("{}", format(&rows));
    Ok(passed)
}

/// Runs scenarios in the virtual machine alone: those whose names start with one of `only`, or all. With `keep` their
/// recordings become those that the ordinary tests judge.
pub fn run_in_vm(workspace: &Path, init: Init, only: &[String], keep: bool) -> Result<bool> {
    let machine = Machine::prepare(workspace).context("no virtual machine")?;
    let results = machine.run(&build(workspace)?, init, only)?;
    if keep {
        keep_recordings(workspace, &results)?;
    }
    print!("{}", format(&rows(&results.table, &format!("{} (VM)", results.release))));
    Ok(results.passed)
}

/// Copies each scenario's recording, but for the few large ones, and writes what it must be judged as.
fn keep_recordings(workspace: &Path, results: &Results) -> Result<()> {
    const LARGEST: u64 = 48 << 10;
    let folder = workspace.join("oomtrace/tests/recordings");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the last recordings")?;
    }
    fs::create_dir_all(&folder).context("cannot create the folder for recordings")?;
    let mut truth = String::new();
    for line in results.table.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        // A scenario that starts oomtrace several times keeps its first recording only: it is no fixture.
        let is_single =
            results.table.lines().filter(|other| other.split('\t').next() == fields.first().copied()).count() == 1;
        let [scenario, expected, got, confidence, pid] = fields[..] else { continue };
        let file = format!("{}.rec", scenario.replace("::", "."));
        let from = results.recordings.join(&file);
        let small = from.metadata().is_ok_and(|metadata| metadata.len() <= LARGEST);
        if !is_single || !small || expected != got || pid == "0" {
            continue;
        }
        fs::copy(&from, folder.join(&file)).with_context(|| format!("cannot copy {}", from.display()))?;
        truth.push_str(&format!("{scenario}\t{expected}\t{confidence}\t{pid}\n"));
    }
    fs::write(folder.join("truth"), truth).context("cannot write what the recordings are")
}

/// Builds what the virtual machine runs.
fn build(workspace: &Path) -> Result<Binaries> {
    let mut command = cargo(workspace);
    command.args(["test", "--package", "oomtrace", "--test", "live", "--no-run", "--color", "never"]);
    let output = command.stdout(Stdio::null()).output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the tests cannot be built:\n{text}");
    }
    // `  Executable tests/live/main.rs (target/debug/deps/live-0123456789abcdef)`
    let path = text.lines().find_map(|line| {
        let (before, path) = line.trim().strip_suffix(')')?.split_once(" (")?;
        before.starts_with("Executable").then(|| workspace.join(path))
    });
    Ok(Binaries {
        live: path.context("cargo named no test binary")?,
        oomtrace: target_dir(workspace).join("debug/oomtrace"),
    })
}

/// One verdict: scenario, expected, got, confidence, kernel.
type Row = [String; 5];

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
    let lines: String = all.into_iter().map(line).collect();
    format!("\n{lines}\n{} verdicts, {wrong} wrong\n", rows.len())
}
