//! `cargo xtask bench`: what oomtrace costs and how fast it is, measured here and now and side by side with others, into
//! BENCHMARKS.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use xtask::packages::{self, is_root, on_path};
use xtask::{say, succeed};

use crate::{cargo, target_dir};

mod cost;
mod counters;
mod crowd;
mod flight;
mod history;
mod idle;
mod many;
mod oom;
mod peers;
mod report;
mod rules;
mod sections;
mod storm;
mod watching;

/// What is measured with, and what besides oomtrace.
const PROGRAMS: [(&str, &str); 3] = [("bpftool", "bpftool"), ("bpftrace", "bpftrace"), ("sigsnoop", "libbpf-tools")];

/// The programs that measuring takes.
struct Tools {
    oomtrace: PathBuf,
    /// `oomtrace/benches/kills.rs`.
    kills: PathBuf,
}

/// The sections that are named on the command line.
pub fn only(arguments: Vec<String>) -> Result<Vec<String>> {
    let (mut only, mut arguments) = (Vec::new(), arguments.into_iter());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => only.push(arguments.next().context("--only takes a section's name")?),
            _ => bail!("bench takes --only SECTION, and no {argument}"),
        }
    }
    Ok(only)
}

/// Measures, and writes BENCHMARKS.md; of a file that is there, only the sections that are named, where some are.
pub fn run(workspace: &Path, only: &[String]) -> Result<()> {
    let path = workspace.join("BENCHMARKS.md");
    if !only.is_empty() {
        return sections::renew(workspace, &path, only);
    }
    if !is_root() {
        bail!("this is not root, who may trace");
    }
    for (program, package) in PROGRAMS {
        if !on_path(program) {
            packages::install(&[package], "measuring")?;
        }
    }
    succeed(cargo(workspace).args(["build", "--release", "--package", "oomtrace", "--bins", "--benches"]))?;
    let tools = Tools {
        oomtrace: target_dir(workspace).join("release/oomtrace"),
        kills: crate::executable(workspace, &["bench", "--package", "oomtrace", "--bench", "kills"], None)?,
    };
    say("measuring what a signal costs in the kernel");
    let cost = cost::measure(&tools)?;
    say("measuring what an OOM kill costs there");
    let oom = oom::measure(&tools)?;
    say("measuring a storm");
    let storm = storm::measure(&tools)?;
    say("measuring what it does while nothing happens");
    let idle = idle::measure(&tools)?;
    let mut many = Vec::new();
    for containers in [0, 1_000, 10_000] {
        say(&format!("measuring with {containers} containers in {} cgroups", containers * crowd::CGROUPS_EACH));
        many.push(many::measure(&tools.oomtrace, containers)?);
    }
    let mut text = report::write(&cost, &oom, &storm, &idle, &many)?;
    for section in sections::ALL {
        text.push_str(&section.measured(workspace)?);
    }
    fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    print!("{text}");
    Ok(())
}

/// Runs it to its end; what it said.
fn run_kills(tools: &Tools, arguments: &[&str]) -> Result<(u32, String)> {
    let child = Command::new(&tools.kills).args(arguments).stdout(std::process::Stdio::piped()).spawn();
    let child = child.context("cannot run the bench's program")?;
    let pid = child.id();
    let output = child.wait_with_output().context("cannot wait for the bench's program")?;
    if !output.status.success() {
        bail!("kills {}: {}", arguments.join(" "), output.status);
    }
    Ok((pid, String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}
