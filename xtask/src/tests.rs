//! The tests: cargo's, and the scenarios in virtual machines; what every scenario gave, and how it all ended.

mod host;
mod kubernetes;
mod machines;
mod summary;
mod verdicts;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use xtask::dockerd::{Dockerd, SOCKET_VARIABLE};
use xtask::say;

use crate::binaries::{self, Binaries};
use crate::time_limit::{Spoken, TimeLimit};
use crate::vm::accelerator::Accelerator;
use crate::{cargo, image, target_dir};
pub use machines::{Wanted, run_in_vm};
use summary::{Part, Summary};

/// Environment variable: where the scenarios' table goes.
const TABLE_VARIABLE: &str = "OOMTRACE_TEST_TABLE";
/// Environment variable: where the image's build context is.
const IMAGE_VARIABLE: &str = "OOMTRACE_TEST_IMAGE";
/// How long all of it may take unless another limit is asked for: a CI that gives an hour sees the end of it.
pub const LIMIT: Duration = Duration::from_secs(40 * 60);

/// Which tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    Scenarios,
}

/// How they are run.
#[derive(Clone, Debug)]
pub struct How {
    pub which: Which,
    /// For cargo: only what they choose is run, and no virtual machine.
    pub arguments: Vec<String>,
    /// Forces KVM or emulation.
    pub accelerator: Option<Accelerator>,
    /// Virtual machines are run where they can be.
    pub machines: bool,
    pub time: TimeLimit,
}

/// Runs the tests and says how they ended; whether all passed.
pub fn run(workspace: &Path, how: &How) -> Result<bool> {
    let table_file = target_dir(workspace).join("scenarios");
    _ = fs::remove_file(&table_file);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let is_whole = how.arguments.is_empty();
    // Nothing else can run where they do not compile.
    let binaries = if is_whole { Some(build(workspace)?) } else { None };
    let place = format!("here, Linux {kernel}");
    let mut parts = on_host(workspace, how, &table_file, binaries.as_ref(), &place)?;
    let mut rows = verdicts::rows(&fs::read_to_string(&table_file).unwrap_or_default(), &kernel);
    let mut notes = Vec::new();
    if let Some(binaries) = &binaries {
        // Where its programs need be built first, that takes what is left when the machines are done.
        let on_node = kubernetes::quick(workspace, how.time, &place, true)?;
        let in_machines = machines::quick(workspace, how, binaries);
        parts.extend(in_machines.parts);
        rows.extend(in_machines.rows);
        notes.extend(in_machines.notes);
        parts.extend(match on_node {
            Some(on_node) => on_node,
            None => kubernetes::quick(workspace, how.time, &place, false)?.unwrap_or_default(),
        });
    }
    let counted = (is_whole || !rows.is_empty()).then(|| verdicts::count(&rows));
    if !rows.is_empty() {
        print!("{}", verdicts::format(&rows));
    }
    let summary = Summary { parts, verdicts: counted, notes, took: how.time.elapsed() };
    print!("{}", summary.format());
    Ok(summary.passed())
}

fn build(workspace: &Path) -> Result<Binaries> {
    say("building static binaries for virtual machines and the image");
    binaries::build(workspace)
}

/// cargo's tests on this machine.
fn on_host(workspace: &Path, how: &How, table: &Path, binaries: Option<&Binaries>, place: &str) -> Result<Vec<Part>> {
    say(&format!("cargo's tests; {} are left for the whole run", Spoken(how.time.left())));
    let daemon = Dockerd::start()?;
    let mut command = cargo(workspace);
    command.args(["test", "--no-fail-fast", "--features", "oomtrace/kubernetes"]).env(TABLE_VARIABLE, table);
    if how.which == Which::Scenarios {
        command.args(["--package", "oomtrace", "--test", "live"]);
    }
    command.args(&how.arguments);
    if let Some(daemon) = &daemon {
        command.env(SOCKET_VARIABLE, daemon.socket());
    }
    if let Some(binaries) = binaries {
        command.env(IMAGE_VARIABLE, image::context(workspace, &binaries.oomtrace)?);
    }
    host::run(&mut command, "cargo test", place, how.time)
}
