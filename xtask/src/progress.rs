//! Long steps that say nothing by themselves: shown to be at work, ended with the run or at their limit.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use xtask::say;

use crate::interrupt;
use crate::time_limit::Spoken;

const LOOK: Duration = Duration::from_millis(100);
/// A step that goes on is mentioned this often.
const MENTION: Duration = Duration::from_secs(30);

/// Runs `command`, which does `what`, to its end.
///
/// # Errors
/// When it cannot be run, fails, takes longer than `limit`, or this run is interrupted; it is ended then, with all that it started.
pub fn run(command: &mut Command, what: &str, limit: Duration) -> Result<()> {
    let mut child =
        command.stdin(Stdio::null()).process_group(0).spawn().with_context(|| format!("cannot run {command:?}"))?;
    let started = Instant::now();
    let mut mentioned = started;
    loop {
        if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for {command:?}"))? {
            if !status.success() {
                bail!("{what}: {status}");
            }
            return Ok(());
        }
        if interrupt::came() {
            end(&mut child);
            bail!("{what}: interrupted");
        }
        if started.elapsed() >= limit {
            end(&mut child);
            bail!("{what}: not done after {}", Spoken(limit));
        }
        if mentioned.elapsed() >= MENTION {
            mentioned = Instant::now();
            say(&format!("{what}: at it for {}", Spoken(started.elapsed())));
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends a child that leads a process group, with all that it started.
pub fn end(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // All of it may have ended already.
        _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    if let Err(error) = child.wait() {
        say(&format!("cannot wait for process {}: {error}", child.id()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<()> {
        run(Command::new("sh").args(["-c", script]), "a step", limit)
    }

    #[test]
    fn a_step_that_hangs_or_fails_is_said() {
        let long = Duration::from_secs(60);
        shell("true", long).unwrap();
        assert!(shell("exit 3", long).unwrap_err().to_string().contains("a step: exit status: 3"));
        let error = shell("sleep 1000 & wait", Duration::from_millis(300)).unwrap_err();
        assert!(error.to_string().contains("not done after"), "{error}");
    }
}
