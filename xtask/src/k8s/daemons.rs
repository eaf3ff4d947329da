//! The node's daemons, kept running as systemd keeps them: one that ends is started again, so that a test may end it.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use xtask::say;

use super::settings::Places;

const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Moves itself into the daemons' cgroup, and becomes the daemon, which ends when this process is killed.
const SHELL: &str = r#"echo $$ > "$0" && exec setpriv --pdeathsig TERM "$@""#;

/// How a daemon is run.
pub struct Plan {
    pub name: &'static str,
    pub arguments: Vec<String>,
}

struct Daemon {
    plan: Plan,
    child: Child,
    started: Instant,
}

/// Those that run.
pub struct Daemons {
    directory: PathBuf,
    programs: PathBuf,
    cgroup: PathBuf,
    running: Vec<Daemon>,
}

impl Daemons {
    /// None yet; `cgroup` is the file that they write their pids into.
    pub fn new(places: &Places, cgroup: PathBuf) -> Self {
        Self { directory: places.directory.clone(), programs: places.programs.clone(), cgroup, running: Vec::new() }
    }

    /// Starts one more.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start(&mut self, plan: Plan) -> Result<()> {
        let child = self.spawn(&plan)?;
        self.running.push(Daemon { plan, child, started: Instant::now() });
        Ok(())
    }

    fn spawn(&self, plan: &Plan) -> Result<Child> {
        let log = self.directory.join(format!("{}.log", plan.name));
        let log = OpenOptions::new().create(true).append(true).open(&log);
        let log = log.with_context(|| format!("cannot open the log of {}", plan.name))?;
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.programs.display());
        let mut command = Command::new("sh");
        command.args(["-c", SHELL]).arg(&self.cgroup).arg(self.programs.join(plan.name)).args(&plan.arguments);
        // Ctrl-C is for this process alone, which then ends them in order.
        command.env("PATH", path).current_dir(&self.directory).process_group(0).stdin(Stdio::null());
        command.stdout(log.try_clone().context("cannot share a log")?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", plan.name))?;
        // For tests, which may end it.
        fs::write(self.directory.join(format!("{}.pid", plan.name)), child.id().to_string())
            .with_context(|| format!("cannot write the pid of {}", plan.name))?;
        Ok(child)
    }

    /// Starts those again that have ended, but for those that a test wants to stay away: it makes a file for that.
    ///
    /// # Errors
    /// When one cannot be run.
    pub fn look_after(&mut self) -> Result<()> {
        const PAUSE: Duration = Duration::from_secs(1);
        for index in 0..self.running.len() {
            let Some(daemon) = self.running.get_mut(index) else { continue };
            let has_ended = daemon.child.try_wait().context("cannot look after a daemon")?.is_some();
            let is_held = self.directory.join(format!("{}.held", daemon.plan.name)).exists();
            if !has_ended || is_held || daemon.started.elapsed() < PAUSE {
                continue;
            }
            let Some(daemon) = self.running.get(index) else { continue };
            let child = self.spawn(&daemon.plan)?;
            if let Some(daemon) = self.running.get_mut(index) {
                (daemon.child, daemon.started) = (child, Instant::now());
            }
        }
        Ok(())
    }

    /// What one said last.
    pub fn last_words(&self, name: &str) -> String {
        let text = fs::read(self.directory.join(format!("{name}.log"))).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().rev().take(5).rev().copied().collect::<Vec<_>>().join("\n")
    }

    /// Ends them, the last one first.
    pub fn end(&mut self) {
        while let Some(mut daemon) = self.running.pop() {
            if let Ok(pid) = i32::try_from(daemon.child.id()) {
                // It may have ended already.
                _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            let started = Instant::now();
            while started.elapsed() < STOP_WITHIN && daemon.child.try_wait().is_ok_and(|status| status.is_none()) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if let Err(error) = daemon.child.kill().and_then(|()| daemon.child.wait()) {
                say(&format!("{} may be left: {error}", daemon.plan.name));
            }
        }
    }
}
