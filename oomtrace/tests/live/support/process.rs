//! Processes that scenarios kill. Each belongs to its scenario and is ended with it.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub const BUSYBOX: &str = "/bin/busybox";
/// Long enough for a starved machine, unless the environment says that this one is slower still; only a failing scenario
/// waits this long.
pub fn patience() -> Duration {
    let seconds = std::env::var("OOMTRACE_TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(30))
}

/// A child that is killed and reaped when it goes out of scope.
pub struct Owned(Child);

impl Owned {
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }

    /// A process that does nothing until it is killed.
    pub fn sleeper() -> Self {
        let sleeper = Self::spawn(Command::new("sleep").arg("1000"));
        // exec lets the parent go on before it sets the new name and, last, the arguments.
        let cmdline = format!("/proc/{}/cmdline", sleeper.pid());
        wait_until("the sleeper has its arguments", || fs::read(&cmdline).is_ok_and(|c| c == b"sleep\x001000\0"));
        sleeper
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn kill(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < patience(), "process {} does not end", self.pid());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Waits until `condition` holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < patience(), "{what}: not within {:?}", patience());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The pids of a process's children.
pub fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The process's name, as the kernel has it.
pub fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// Runs a command to its end; panics when it fails.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
