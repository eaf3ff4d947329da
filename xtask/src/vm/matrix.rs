//! The table of every scenario on every kernel.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::plan::{Cgroups, Hooks, Init};
use super::results::{Outcome, Results, RunResults};

/// The columns' marks, in this order, for each kernel.
const STATES: [(&str, Cgroups, Hooks); 6] = [
    ("cgroup v2", Cgroups::V2, Hooks::Best),
    ("hybrid", Cgroups::Hybrid, Hooks::Best),
    ("v1", Cgroups::V1, Hooks::Best),
    ("kprobes alone", Cgroups::V2, Hooks::Kprobe),
    ("fentry alone", Cgroups::V2, Hooks::Fentry),
    ("neither", Cgroups::V2, Hooks::Neither),
];

/// The page with the table, below the workspace, and where on it that is.
const PAGE: &str = "docs/kernels.md";
const BEGIN: &str = "<!-- matrix: written by `cargo xtask vm --write` -->\n";
const END: &str = "<!-- matrix: end -->\n";

fn mark(outcome: Outcome) -> char {
    match outcome {
        Outcome::Passed => '+',
        Outcome::Failed => 'F',
        Outcome::Skipped => '.',
    }
}

/// Versions in the order of their numbers.
fn versions(all: &[Results]) -> Vec<&str> {
    let mut versions: Vec<&str> = Vec::new();
    for results in all {
        if !versions.contains(&results.version.as_str()) {
            versions.push(&results.version);
        }
    }
    versions
}

/// The run in that state of that kernel, under either first process.
fn runs<'a>(all: &'a [Results], version: &str, cgroups: Cgroups, hooks: Hooks) -> Vec<&'a RunResults> {
    let of_state = all.iter().filter(|results| results.version == version && results.boot.cgroups == cgroups);
    of_state.flat_map(|results| results.runs.iter().filter(|run| run.hooks == hooks)).collect()
}

/// A line for each state of each kernel: how many scenarios passed, failed, and could not be run there.
fn summary(all: &[Results]) -> String {
    let mut text = "| Linux | first process | cgroups | functions hooked by | passed | failed | not possible there | `selftest` |\n\
                    |---|---|---|---|---:|---:|---:|---|\n"
        .to_owned();
    for results in all {
        if results.is_without_memory {
            let (version, cgroups) = (&results.version, results.boot.cgroups.name());
            _ = writeln!(text, "| {version} | | {cgroups} | no memory controller there | | | | |");
        }
        for (number, run) in results.runs.iter().enumerate() {
            let init = if results.boot.init == Init::Systemd { "systemd" } else { "the tests" };
            let hooks = match run.hooks {
                Hooks::Best => "what is best",
                Hooks::Kprobe => "kprobes",
                Hooks::Fentry => "fentry",
                Hooks::Neither => "nothing",
            };
            let selftest = match (number, &results.selftest) {
                (0, None) => "passed",
                (0, Some(_)) => "failed",
                _ => "",
            };
            _ = writeln!(
                text,
                "| {} | {init} | {} | {hooks} | {} | {} | {} | {selftest} |",
                results.version,
                results.boot.cgroups.name(),
                run.count(Outcome::Passed),
                run.count(Outcome::Failed),
                run.count(Outcome::Skipped),
            );
        }
    }
    text
}

/// A line for each scenario, a column for each kernel, a mark for each state.
fn table(all: &[Results]) -> String {
    let versions = versions(all);
    let mut order: Vec<&str> = Vec::new();
    let mut cells: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for results in all {
        for (name, _) in results.runs.iter().flat_map(|run| &run.scenarios) {
            if !order.contains(&name.as_str()) {
                order.push(name);
            }
        }
    }
    for version in &versions {
        for name in &order {
            let marks = STATES.iter().map(|(_, cgroups, hooks)| {
                let outcomes = runs(all, version, *cgroups, *hooks).into_iter().flat_map(|run| &run.scenarios);
                // Passed under one first process and impossible under the other is passed.
                let worst = outcomes.filter(|(scenario, _)| scenario == name).map(|(_, outcome)| *outcome);
                worst.max_by_key(|outcome| match outcome {
                    Outcome::Failed => 2,
                    Outcome::Passed => 1,
                    Outcome::Skipped => 0,
                })
            });
            cells.insert((name, version), marks.map(|outcome| outcome.map_or(' ', mark)).collect());
        }
    }
    let width = order.iter().map(|name| name.len()).max().unwrap_or_default();
    let column = versions.iter().map(|version| version.len()).max().unwrap_or_default().max(STATES.len());
    let line = |name: &str, of: &dyn Fn(&str) -> String| {
        let cells: Vec<String> = versions.iter().map(|version| format!("{:<column$}", of(version))).collect();
        format!("{}\n", format!("{name:<width$}  {}", cells.join("  ")).trim_end())
    };
    let mut text = line("scenario", &|version| version.to_owned());
    for name in &order {
        text.push_str(&line(name, &|version| cells.get(&(*name, version)).cloned().unwrap_or_default()));
    }
    text
}

/// Both, as people read them.
pub fn format(all: &[Results]) -> String {
    let states: Vec<&str> = STATES.iter().map(|(name, ..)| *name).collect();
    format!(
        "{}\n<details>\n<summary>Every scenario on every kernel</summary>\n\n\
         The marks of a cell, in this order: {}. `+` passed, `F` failed, `.` not possible there, blank: not run so.\n\n\
         ```\n{}```\n\n</details>\n",
        summary(all),
        states.join(", "),
        table(all)
    )
}

/// Puts the table, with today's date, where the page has the last one.
pub fn write(workspace: &Path, all: &[Results]) -> Result<()> {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().context("cannot run date")?;
    let path = workspace.join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let table = format!("Of {}, by `cargo xtask vm`:\n\n{}", String::from_utf8_lossy(&date.stdout).trim(), format(all));
    let text = with_table(&page, &table)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The page with that table instead of its last one.
fn with_table(page: &str, table: &str) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has no place for the table"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("the table in {PAGE} has no end"))?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_place_for_the_table() {
        let page = include_str!("../../../docs/kernels.md");
        let text = with_table(page, "a table\n").unwrap();
        assert!(text.contains(&format!("{BEGIN}a table\n{END}")) && text.matches("| Linux |").count() == 0, "{text}");
        assert_eq!(with_table(&text, "a table\n").unwrap(), text);
        assert!(with_table("no place", "").is_err());
    }
}
