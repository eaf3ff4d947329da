//! The results of a machine's runs: the disk on which it left them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use xtask::succeed;

use super::plan::{Boot, Hooks};

/// Bytes of the disk that the results come back on.
const DISK: u64 = 64 << 20;
/// Where they are unpacked.
const FOLDER: &str = "results";

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    /// This machine lacks what it needs.
    Skipped,
}

/// The result of one run.
pub struct RunResults {
    pub hooks: Hooks,
    /// Each scenario, in the order in which they were run.
    pub scenarios: Vec<(String, Outcome)>,
    /// The rows of the table of verdicts.
    pub table: String,
    /// The directory with the scenarios' recordings.
    pub recordings: PathBuf,
    /// What the tests said.
    pub log: String,
}

impl RunResults {
    /// How many scenarios ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.scenarios.iter().filter(|(_, it)| *it == outcome).count()
    }

    /// Every scenario was run to its end, and none failed.
    pub fn passed(&self) -> bool {
        self.log.contains("\ntest result: ok.") && self.count(Outcome::Failed) == 0 && !self.scenarios.is_empty()
    }
}

/// The results of a machine.
pub struct Results {
    /// The kernel's version as upstream counts: `6.12.95`.
    pub version: String,
    pub boot: Boot,
    /// `oomtrace selftest` did not pass, and this is what it said.
    pub selftest: Option<String>,
    /// The machine's kernel has no memory controller on the hierarchy that was asked for.
    pub is_without_memory: bool,
    pub runs: Vec<RunResults>,
}

/// An empty disk.
pub fn make_disk(file: &Path) -> Result<()> {
    let disk = fs::File::create(file).context("cannot create the disk for the results")?;
    disk.set_len(DISK).context("cannot size the disk for the results")
}

/// Where they are, of the machine in `directory`.
pub fn folder(directory: &Path) -> PathBuf {
    directory.join(FOLDER)
}

/// Takes what a machine left on its disk.
pub fn unpack(directory: &Path, disk: &Path) -> Result<()> {
    let out = folder(directory);
    if out.exists() {
        fs::remove_dir_all(&out).context("cannot remove the last results")?;
    }
    fs::create_dir_all(&out).context("cannot create a directory for the results")?;
    succeed(Command::new("tar").arg("-xf").arg(disk).arg("-C").arg(&out).stderr(Stdio::null()))
        .context("cannot unpack the results")
}

/// Reads what was unpacked, now or in an earlier run. A run that the machine never came to is an error.
pub fn read(directory: &Path, version: &str, boot: &Boot) -> Result<Results> {
    let out = folder(directory);
    let read = |name: &str| fs::read_to_string(out.join(name));
    let console = directory.join("console.log");
    let status = read("selftest.status").with_context(|| format!("no results: see {}", console.display()))?;
    let selftest = (status.trim() != "0").then(|| read("selftest").unwrap_or_default());
    let mut runs = Vec::new();
    let is_without_memory = read("no-memory").is_ok();
    for run in boot.runs.iter().filter(|_| !is_without_memory) {
        let name = run.hooks.name();
        let log =
            read(&format!("{name}/log")).with_context(|| format!("no results of {name}: see {}", console.display()))?;
        if read(&format!("{name}/status")).is_err() {
            bail!("the machine ended in the middle of its run: see {}", console.display());
        }
        runs.push(RunResults {
            hooks: run.hooks,
            scenarios: scenarios(&log),
            // There is none when no scenario was run.
            table: read(&format!("{name}/table")).unwrap_or_default(),
            recordings: out.join(name).join("recordings"),
            log,
        });
    }
    Ok(Results { version: version.to_owned(), boot: boot.clone(), selftest, is_without_memory, runs })
}

/// The outcomes in what the tests said: `test oom::a_scenario   ... ok`. Other processes may write into a line.
fn scenarios(log: &str) -> Vec<(String, Outcome)> {
    let mut scenarios: Vec<(String, Outcome)> = Vec::new();
    for line in log.lines() {
        if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) {
            let outcome = match outcome.split_whitespace().last() {
                Some("ok") => Outcome::Passed,
                Some("ignored") => Outcome::Skipped,
                // Unless the next line says better.
                _ => Outcome::Failed,
            };
            scenarios.push((name.trim().to_owned(), outcome));
        } else if let (Some(last), "ok") = (scenarios.last_mut(), line.trim()) {
            last.1 = Outcome::Passed;
        }
    }
    scenarios
}

/// The scenarios that failed, in what a console shows of a run.
pub fn failures(console: &str) -> Vec<String> {
    let failed =
        |line: &str| Some(line.strip_prefix("test ")?.trim_end().strip_suffix("... FAILED")?.trim().to_owned());
    console.lines().filter_map(failed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_before_the_end_is_on_the_console() {
        let console = "oomtrace: user space\r\ntest oom::a   ... ok\r\ntest oom::bb  ... FAILED\r\ntest oom::c ... ";
        assert_eq!(failures(console), ["oom::bb"]);
    }

    #[test]
    fn outcomes_are_read_from_what_the_tests_say() {
        let log = "\nrunning 4 tests\ntest oom::a   ... ok\ntest oom::bb  ... ignored\ntest oom::ccc ... FAILED\n\
                   test oom::d ... Killed\nok\ntest oom::e ... Killed\n";
        let named = |name: &str, outcome| (name.to_owned(), outcome);
        assert_eq!(
            scenarios(log),
            [
                named("oom::a", Outcome::Passed),
                named("oom::bb", Outcome::Skipped),
                named("oom::ccc", Outcome::Failed),
                named("oom::d", Outcome::Passed),
                named("oom::e", Outcome::Failed),
            ]
        );
    }
}
