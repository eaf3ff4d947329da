//! oomtrace, at work.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::crowd;

/// Where no container's state is.
pub const NO_CONTAINERS: &str = "/nonexistent";

/// `oomtrace --json`, attached.
pub struct Watching {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// From exec to the line that says so.
    pub ready: Duration,
}

impl Watching {
    /// `state` is the directory that it takes for containerd's.
    pub fn start(binary: &Path, state: &Path) -> Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(["--json", "--docker-socket", "/nonexistent/docker.sock", "--containerd-state"])
            .arg(state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run oomtrace")?;
        let lines = BufReader::new(child.stdout.take().context("oomtrace has an output")?);
        let mut watching = Self { child, lines, ready: Duration::ZERO };
        let line = watching.line()?;
        if !line.contains("\"type\":\"ready\"") {
            bail!("oomtrace is not ready: {line}");
        }
        watching.ready = started.elapsed();
        Ok(watching)
    }

    /// As [`Self::start`], and asleep: it has read and asked all that it does before anything happens.
    pub fn settled(binary: &Path, state: &Path) -> Result<Self> {
        let watching = Self::start(binary, state)?;
        let started = Instant::now();
        let mut last = watching.processor_ticks()?;
        while started.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_secs(1));
            let now = watching.processor_ticks()?;
            if now == last {
                return Ok(watching);
            }
            last = now;
        }
        bail!("oomtrace is not quiet after two minutes")
    }

    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.lines.read_line(&mut line).context("cannot read what oomtrace says")? == 0 {
            bail!("oomtrace has ended");
        }
        Ok(line)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How often its threads were put on a processor.
    pub fn wake_ups(&self) -> Result<u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).context("oomtrace has ended")?;
        let texts = tasks.flatten().map(|task| fs::read_to_string(task.path().join("status")).unwrap_or_default());
        let switches = |text: String| -> u64 {
            let lines = text.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
        };
        Ok(texts.map(switches).sum())
    }

    /// Ends it in order, and gives what it had still to say.
    pub fn end(mut self) -> Result<Vec<String>> {
        let pid = self.child.id().to_string();
        let mut rest = Vec::new();
        _ = Command::new("kill").args(["-INT", &pid]).status();
        while let Ok(line) = self.line() {
            rest.push(line);
        }
        Ok(rest)
    }

    pub fn processor_ticks(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).context("oomtrace has ended")?;
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        Ok(fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum())
    }

    pub fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("oomtrace has ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).with_context(|| format!("no {name}"))
    }

    /// Kills the process, and waits for the line about it; whether it names the container.
    pub fn time_kill(&mut self, mut victim: Child) -> Result<(Duration, bool)> {
        let pid = format!("\"victim\":{{\"pid\":{},", victim.id());
        let killed = Instant::now();
        victim.kill().context("cannot kill")?;
        victim.wait().context("cannot wait")?;
        loop {
            let line = self.line()?;
            if line.contains(&pid) {
                return Ok((killed.elapsed(), line.contains(crowd::NAME)));
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It holds nothing that outlives it.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
