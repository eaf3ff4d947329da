//! A storm of SIGKILLs, and how many of them each tool reports.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use super::peers::Peer;
use super::watching::{NO_CONTAINERS, Watching};
use super::{Tools, run_kills};

/// Batches.
pub const BATCHES: usize = 100;
/// Kills in one, in one go.
pub const BATCH: usize = 1_000;
/// Milliseconds from one batch to the next, when the machine can start processes as fast.
pub const INTERVAL_MS: usize = 100;

/// What one tool reported.
pub struct Row {
    pub name: &'static str,
    /// Kills that it reported.
    pub told: usize,
    /// Events that it says it lost; none when it does not say.
    pub lost: Option<u64>,
    /// How long the storm took with it, seconds.
    pub seconds: f64,
}

fn storm(tools: &Tools) -> Result<(u32, f64)> {
    let (pid, said) = run_kills(tools, &["storm", &BATCHES.to_string(), &BATCH.to_string(), &INTERVAL_MS.to_string()])?;
    Ok((pid, said.parse().context("the storm said no time")?))
}

pub fn measure(tools: &Tools) -> Result<Vec<Row>> {
    let mut rows = vec![oomtrace(tools, "oomtrace")?];
    let attacker = Attacker::start(tools)?;
    rows.push(oomtrace(tools, "oomtrace, beside an attacker")?);
    drop(attacker);
    for start in [Peer::bpftrace, Peer::sigsnoop] {
        let peer = start(tools)?;
        let name = peer.name;
        let (pid, seconds) = storm(tools)?;
        let text = peer.end();
        let pid = pid.to_string();
        let told = text.lines().filter(|line| line.split_whitespace().any(|word| word == pid)).count();
        // bpftrace: `Lost 123 events`; sigsnoop: `lost 123 events on CPU #1`.
        let lost_of = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| word.eq_ignore_ascii_case("lost"))?;
            words.get(at + 1)?.parse::<u64>().ok()
        };
        let lost = text.lines().filter_map(lost_of).sum();
        rows.push(Row { name, told, lost: Some(lost), seconds });
    }
    Ok(rows)
}

/// A process that floods oomtrace with what is no kill; see `attack` in the bench's program.
struct Attacker(Child);

impl Attacker {
    fn start(tools: &Tools) -> Result<Self> {
        let mut child = Command::new(&tools.kills);
        let mut child = child.arg("attack").stdout(Stdio::piped()).spawn().context("cannot run the attacker")?;
        let mut said = String::new();
        let output = child.stdout.take().context("the attacker has an output")?;
        BufReader::new(output).read_line(&mut said).context("the attacker says nothing")?;
        Ok(Self(child))
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        // It holds nothing that outlives it.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn oomtrace(tools: &Tools, name: &'static str) -> Result<Row> {
    let mut watching = Watching::settled(&tools.oomtrace, NO_CONTAINERS.as_ref())?;
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| storm(tools));
        let mut said = Said::default();
        // Its output is read while it comes, as a log's collector does; the storm's pid is known only at its end.
        while said.parents.len() < BATCHES * BATCH && !(storm.is_finished() && said.lost > 0) {
            said.take(&watching.line()?);
        }
        let (pid, seconds) = storm.join().map_err(|_| anyhow::anyhow!("the storm failed"))??;
        watching.end()?.iter().for_each(|line| said.take(line));
        let told = said.parents.iter().filter(|parent| **parent == Some(pid)).count();
        Ok(Row { name, told, lost: Some(said.lost), seconds })
    })
}

/// What oomtrace said of a storm.
#[derive(Default)]
struct Said {
    /// Each victim's parent.
    parents: Vec<Option<u32>>,
    lost: u64,
}

impl Said {
    fn take(&mut self, line: &str) {
        if line.contains("\"type\":\"incident\"") {
            self.parents.push(parent(line));
        } else {
            self.lost += lost_in(line);
        }
    }
}

/// The victim's parent.
fn parent(line: &str) -> Option<u32> {
    let victim = line.split_once("\"victim\":{")?.1;
    let ppid = victim.split_once("\"ppid\":")?.1;
    ppid.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// `{"type":"lost","events":12}`
fn lost_in(line: &str) -> u64 {
    let events = line.contains("\"type\":\"lost\"").then(|| line.split_once("\"events\":")).flatten();
    events.and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).unwrap_or_default()
}
