//! Processes that scenarios kill. Each belongs to its scenario and is ended with it.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::cgroup::Cgroup;

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

    /// A child that is there already.
    pub fn of(child: Child) -> Self {
        Self(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Its own resident memory, in bytes: a ring buffer's pages are the kernel's, and count once they were touched.
    pub fn resident(&self) -> u64 {
        field(self.pid(), "RssAnon")
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

/// A process that has taken memory, and waits.
pub struct Large {
    pub shell: Owned,
    /// The process itself.
    pub pid: u32,
}

impl Large {
    /// It has `bytes` when this returns, and is in `cgroup` from the start.
    pub fn start(cgroup: Option<&Cgroup>, bytes: u64) -> Self {
        let enter = cgroup.map(|cgroup| format!("echo $$ > {};", cgroup.procs().display())).unwrap_or_default();
        // tail keeps what it reads from a pipe that stays open, and then waits for more.
        let script = format!("{enter} (head -c {bytes} /dev/zero; exec sleep 1000) | tail");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let shell = Owned::spawn(&mut command);
        let tail = || children(shell.pid()).into_iter().find(|pid| comm(*pid) == "tail");
        wait_until("the large process is large", || tail().is_some_and(|pid| field(pid, "RssAnon") >= bytes));
        // What still starts takes memory, too.
        let sleeps = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.contains("(sleep) S ")
        };
        wait_until("its pipe stays open", || children(shell.pid()).iter().any(sleeps));
        let pid = tail().unwrap();
        Self { shell, pid }
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        // Its pipe's other end goes with it, also when the shell is gone already. None may be left.
        _ = killpg(Pid::from_raw(self.shell.pid() as i32), Signal::SIGKILL);
    }
}

/// A size in `/proc/<pid>/status`, in bytes.
pub fn field(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
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

/// What a process is and does, for a test that waits for it in vain.
pub fn describe(pid: u32) -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    format!("{pid}: {} {} {}", read("stat").trim_end(), read("wchan"), read("stack").replace('\n', " "))
}

/// Runs a line that oomtrace printed as a user pastes it, with Docker's clients pointed at the private daemon; what it printed.
pub fn run_as_printed(line: &str) -> String {
    let mut shell = Command::new("sh");
    if let Some(socket) = super::docker::socket() {
        shell.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    }
    run(shell.args(["-c", line]).stdin(Stdio::null()))
}

/// Runs a command to its end; panics when it fails.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
