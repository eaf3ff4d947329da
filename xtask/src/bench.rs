//! `cargo xtask bench`: what oomtrace costs and how fast it is, measured here and now, into BENCHMARKS.md.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use xtask::packages::is_root;
use xtask::{say, succeed};

use crate::{cargo, target_dir};

mod crowd;

use crowd::Crowd;

/// Kills whose way to standard output is timed.
const KILLS: usize = 200;
/// Starts that are timed.
const STARTS: usize = 10;

/// Measures, and writes BENCHMARKS.md.
pub fn run(workspace: &Path) -> Result<()> {
    if !is_root() {
        bail!("this is not root, who may trace");
    }
    succeed(cargo(workspace).args(["build", "--release", "--package", "oomtrace"]))?;
    let binary = target_dir(workspace).join("release/oomtrace");
    let mut rows = Vec::new();
    for containers in [0, 1_000, 10_000] {
        say(&format!("measuring with {containers} containers in {} cgroups", containers * crowd::CGROUPS_EACH));
        rows.push(measure(&binary, containers)?);
    }
    let text = report(&rows)?;
    let path = workspace.join("BENCHMARKS.md");
    fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    print!("{text}");
    Ok(())
}

/// One row: how things are with so many containers.
struct Row {
    containers: usize,
    cgroups: usize,
    /// From the start of the process to the line that says that every hook is attached.
    ready: Duration,
    resident_kib: u64,
    anonymous_kib: u64,
    /// From before kill(2) to the line on standard output: median and 99th of a hundred.
    verdict: [Duration; 2],
    named: usize,
}

fn measure(binary: &Path, containers: usize) -> Result<Row> {
    let crowd = Crowd::make(containers)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Watching::start(binary, &crowd)?.ready);
    }
    let mut watching = Watching::start(binary, &crowd)?;
    watching.wait_until_quiet()?;
    let (resident_kib, anonymous_kib) = (watching.status("VmRSS")?, watching.status("RssAnon")?);
    let mut times = Vec::new();
    let mut named = 0;
    for number in 0..KILLS {
        let victim = crowd.process(number)?;
        let (took, is_named) = watching.time_kill(victim)?;
        times.push(took);
        named += usize::from(is_named);
    }
    Ok(Row {
        containers,
        cgroups: containers * crowd::CGROUPS_EACH,
        ready: percentile(&mut starts, 50),
        resident_kib,
        anonymous_kib,
        verdict: [percentile(&mut times, 50), percentile(&mut times, 99)],
        named,
    })
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

/// oomtrace, at work.
struct Watching {
    child: Child,
    lines: BufReader<ChildStdout>,
    ready: Duration,
}

impl Watching {
    fn start(binary: &Path, crowd: &Crowd) -> Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(["--json", "--docker-socket", "/nonexistent/docker.sock", "--containerd-state"])
            .arg(crowd.state())
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

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.lines.read_line(&mut line).context("cannot read what oomtrace says")? == 0 {
            bail!("oomtrace has ended");
        }
        Ok(line)
    }

    /// Its processor time stands still: it has asked for all names.
    fn wait_until_quiet(&self) -> Result<()> {
        let started = Instant::now();
        let mut last = self.processor_ticks()?;
        while started.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_secs(1));
            let now = self.processor_ticks()?;
            if now == last {
                return Ok(());
            }
            last = now;
        }
        bail!("oomtrace is not quiet after two minutes")
    }

    fn processor_ticks(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).context("oomtrace has ended")?;
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        Ok(fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum())
    }

    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("oomtrace has ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).with_context(|| format!("no {name}"))
    }

    /// Kills the process, and waits for the line about it; whether it names the container.
    fn time_kill(&mut self, mut victim: Child) -> Result<(Duration, bool)> {
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

fn report(rows: &[Row]) -> Result<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let processor =
        processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().context("cannot run date")?;
    let mut text = format!(
        "# Benchmarks\n\nMade by `cargo xtask bench`, never by hand. {} on {} processors ({}), Linux {}.\n\n\
         ## Many containers\n\nCgroups named as Kubernetes names them, {} each, with a bundle of containerd's for each \
         container; no runtime runs. Start is from exec to the `ready` line, the median of {STARTS}; memory is read when every \
         name is known. A verdict's time is from before kill(2) to its line on standard output, over {KILLS} kills of a process in a \
         container (outside one with none); its victim's end is waited for.\n\n\
         | containers | cgroups | start | resident | of it anonymous | verdict, median | 99 % | named |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|\n",
        String::from_utf8_lossy(&date.stdout).trim(),
        std::thread::available_parallelism().map_or(0, usize::from),
        processor.unwrap_or("unknown"),
        read("/proc/sys/kernel/osrelease").trim(),
        crowd::CGROUPS_EACH,
    );
    for row in rows {
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} of {KILLS} |\n",
            row.containers,
            row.cgroups,
            ms(row.ready),
            mib(row.resident_kib),
            mib(row.anonymous_kib),
            ms(row.verdict[0]),
            ms(row.verdict[1]),
            row.named,
        ));
    }
    text.push_str("\nThe ring buffer (8 MiB) is mapped twice, which counts 16 MiB as resident whatever it holds.\n");
    Ok(text)
}

/// Removes what was made, also when measuring failed.
fn remove_tree(dir: &Path) {
    let below: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    for path in below.iter().filter(|path| path.is_dir()) {
        remove_tree(path);
    }
    _ = fs::remove_dir(dir);
}
