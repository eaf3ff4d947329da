//! What others see of SIGKILLs: bpftrace's one-liner and bcc's sigsnoop, on the same tracepoint, and an empty program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::counters::Counting;
use super::{Tools, counters};

/// What bpftrace runs: killsnoop's line, from where every path of a signal comes by, and oomkill's.
const ONE_LINER: &str = r#"tracepoint:signal:signal_generate /args->sig == 9/ { printf("%d %s %d\n", pid, comm, args->pid); }
    tracepoint:oom:mark_victim { printf("OOM %d %s %d\n", pid, comm, args->pid); }"#;
/// Longer than any of them takes to attach.
const ATTACH_WITHIN: Duration = Duration::from_secs(30);

/// One of them, at work.
pub struct Peer {
    pub name: &'static str,
    /// Its program on the tracepoint; empty for any.
    program: &'static str,
    child: Child,
    out: PathBuf,
}

impl Peer {
    /// An empty program: what the tracepoint itself costs.
    pub fn empty(tools: &Tools) -> Result<Self> {
        let mut command = Command::new(&tools.kills);
        command.arg("empty");
        Self::start("an empty program", "", command)
    }

    pub fn bpftrace(_: &Tools) -> Result<Self> {
        Self::start("bpftrace, one-liner", "signal_generate", with_tracefs("bpftrace", &["-e", ONE_LINER]))
    }

    /// It writes through a buffer of the C library's, which is made one of lines.
    pub fn sigsnoop(_: &Tools) -> Result<Self> {
        Self::start("sigsnoop -s 9", "sig_trace", with_tracefs("stdbuf", &["-oL", "sigsnoop", "-s", "9"]))
    }

    fn start(name: &'static str, program: &'static str, mut command: Command) -> Result<Self> {
        let out = std::env::temp_dir().join(format!("oomtrace-bench-{}-{}", std::process::id(), program));
        let file = fs::File::create(&out).context("cannot create a file for a peer's output")?;
        let errors = file.try_clone().context("cannot share a file")?;
        // Its standard input stays open: one of them ends with it.
        let child = command.stdin(Stdio::piped()).stdout(file).stderr(errors).spawn();
        let mut peer = Self { name, program, child: child.with_context(|| format!("cannot run {name}"))?, out };
        let started = Instant::now();
        // That its program runs is known by the kernel's count of that.
        let _counting = Counting::start()?;
        while counters::of(peer.pid(), peer.program).map_or(0, |counters| counters.runs) == 0 {
            if started.elapsed() > ATTACH_WITHIN || peer.child.try_wait().is_ok_and(|status| status.is_some()) {
                bail!("{name} is not attached: {}", peer.said());
            }
            // A signal, for its program to run: that of a child's end.
            _ = Command::new("true").status();
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(peer)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn counters(&self) -> Result<counters::Counters> {
        counters::of(self.pid(), self.program)
    }

    /// What it has written so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// Waits until it writes nothing more, ends it, and gives what it wrote.
    pub fn end(mut self) -> String {
        let size = |out: &Path| out.metadata().map_or(0, |metadata| metadata.len());
        let mut last = size(&self.out);
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = size(&self.out);
            if now == last {
                break;
            }
            last = now;
        }
        _ = Command::new("kill").args(["-INT", &self.pid().to_string()]).status();
        _ = self.child.wait();
        self.said()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = fs::remove_file(&self.out);
    }
}

/// Both find the tracepoint through tracefs, which is mounted for them alone.
fn with_tracefs(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    let script = "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing; exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh", program]).args(arguments);
    command
}
