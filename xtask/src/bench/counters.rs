//! The kernel's run-time counters of BPF programs (`kernel.bpf_stats_enabled`, 5.1).

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// The kernel counts; as before when this goes out of scope.
pub struct Counting(String);

impl Counting {
    pub fn start() -> Result<Self> {
        let before = fs::read_to_string(SWITCH).with_context(|| format!("cannot read {SWITCH}"))?;
        fs::write(SWITCH, "1").with_context(|| format!("cannot write {SWITCH}"))?;
        Ok(Self(before))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        _ = fs::write(SWITCH, self.0.trim());
    }
}

/// A program's counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub run_ns: u64,
    pub runs: u64,
}

impl Counters {
    pub fn since(self, before: Self) -> Self {
        Self { run_ns: self.run_ns.saturating_sub(before.run_ns), runs: self.runs.saturating_sub(before.runs) }
    }
}

/// Counters of the programs whose names start with `name` (all, when it is empty) that a process holds, added up.
pub fn of(pid: u32, name: &str) -> Result<Counters> {
    let ids = programs(pid)?;
    let output = Command::new("bpftool").args(["prog", "show"]).output().context("cannot run bpftool")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut sum = Counters::default();
    // `49488: tracepoint  name signal_generate  tag c0883a2c5c110499  gpl run_time_ns 2623 run_cnt 4`
    for line in text.lines() {
        let Some((id, rest)) = line.split_once(": ") else { continue };
        if !id.parse().is_ok_and(|id: u32| ids.contains(&id)) {
            continue;
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        let after = |key: &str| words.iter().skip_while(|word| **word != key).nth(1).copied().unwrap_or_default();
        if after("name").starts_with(name) {
            sum.run_ns += after("run_time_ns").parse::<u64>().unwrap_or_default();
            sum.runs += after("run_cnt").parse::<u64>().unwrap_or_default();
        }
    }
    Ok(sum)
}

/// The kernel's ids of the programs that a process holds.
fn programs(pid: u32) -> Result<BTreeSet<u32>> {
    let directory = fs::read_dir(format!("/proc/{pid}/fdinfo")).context("a program that is measured has ended")?;
    let texts = directory.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    Ok(texts
        .filter_map(|text| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok()))
        .collect())
}
