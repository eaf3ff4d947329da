//! oomtrace itself, run as a user runs it, and its output.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Incident, Ready, Record};
use oomtrace::probe::requirements::Capability;
use tempfile::TempDir;

use super::needs;
use super::process::{field, patience, wait_until};
use super::truth;

/// Threads that read at the start, and then end. One that is just being made still has its parent's name.
const READERS: [&str; 4] = ["oomtrace", "kallsyms", "cgroups", "connections"];

/// What oomtrace says when its outputs could not take everything before it had to end.
const NEVER_WRITTEN: &str = "never written";

/// The recording's name in its directory.
const RECORDING: &str = "recording";

/// The binary under test: cargo's, unless the environment names another, as in a virtual machine.
pub fn binary() -> PathBuf {
    std::env::var_os("OOMTRACE_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_oomtrace").into(), PathBuf::from)
}

/// The binary under test, to be run.
pub fn command() -> Command {
    let mut command = Command::new(binary());
    // The machine's own history has no scenarios in it.
    command.env("OOMTRACE_HISTORY", "off");
    command
}

/// `oomtrace record FILE --json`, attached. When it has ended, its recording is replayed, which must give the same lines.
pub struct Tracer {
    child: Child,
    directory: TempDir,
    /// What was chosen on the command line, for the replay.
    select: Vec<String>,
    lines: Arc<Mutex<Vec<String>>>,
    checked: bool,
    records: Receiver<Record>,
    stderr: Option<ChildStderr>,
    pub ready: Ready,
    /// Seen so far, in order.
    pub seen: Vec<Record>,
}

/// What is left when it has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub records: Vec<Record>,
    pub stderr: String,
}

impl Tracer {
    /// Starts it and waits until it says that it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_as(arguments, |_| {})
    }

    /// The same with these capabilities alone.
    pub fn start_with(arguments: &[&str], capabilities: &'static [Capability]) -> Self {
        Self::start_as(arguments, |command| {
            with_privileges(command, capabilities);
        })
    }

    /// The same, of a process that `prepare` makes another one.
    pub fn start_as(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command();
        command
            .arg("record")
            .arg(directory.path().join(RECORDING))
            .arg("--json")
            .args(arguments)
            // A system call that the filter does not know ends it, and the scenario fails.
            .args(
                ["--sandbox=strict"]
                    .iter()
                    .filter(|_| !arguments.iter().any(|argument| argument.starts_with("--sandbox"))),
            )
            .args(needs::without().iter().flat_map(|absent| ["--without", absent.as_str()]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(socket) = super::docker::socket()
            && !arguments.contains(&"--docker-socket")
        {
            command.arg("--docker-socket").arg(socket);
        }
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take();
        let (send, records) = channel();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.unwrap();
                kept.lock().unwrap().push(line.clone());
                assert!(!line.chars().any(char::is_control), "a control character in {line:?}");
                let record: Record = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if send.send(record).is_err() {
                    return;
                }
            }
        });
        match records.recv_timeout(patience()) {
            Ok(Record::Ready(ready)) => {
                let select = selection(arguments);
                Self { child, directory, select, lines, checked: false, records, stderr, ready, seen: Vec::new() }
            }
            other => {
                _ = child.kill();
                let mut text = String::new();
                _ = stderr.unwrap().read_to_string(&mut text);
                panic!("oomtrace is not ready: {other:?} {text}");
            }
        }
    }

    /// Waits until it has looked what was there before it, and holds what it will hold while nothing happens.
    pub fn wait_until_settled(&self) {
        let tasks = format!("/proc/{}/task", self.child.id());
        let main = self.child.id().to_string();
        let is_reading = || {
            let tasks = std::fs::read_dir(&tasks).unwrap().flatten().filter(|task| task.file_name() != main.as_str());
            let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
            names.into_iter().any(|name| READERS.contains(&name.trim_end()))
        };
        wait_until("oomtrace has looked around", || !is_reading());
    }

    /// What it has put out so far, as it came.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The recording that it writes.
    pub fn recording(&self) -> PathBuf {
        self.directory.path().join(RECORDING)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A size in its `/proc/<pid>/status`, in bytes.
    pub fn status_bytes(&self, name: &str) -> u64 {
        field(self.pid(), name)
    }

    /// Ends it in the middle, without an order of its own; what it said is not looked at.
    pub fn kill(mut self, signal: Signal) {
        self.signal(signal);
        self.child.wait().unwrap();
        self.checked = true;
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the next record that was not seen yet.
    pub fn next(&mut self, what: &str) -> Record {
        let record = self.records.recv_timeout(patience());
        let record = record.unwrap_or_else(|error| panic!("{what}: {error}; {} seen", self.seen.len()));
        self.seen.push(record.clone());
        record
    }

    /// Waits for the first record that `wanted` gives something for; those seen already count.
    pub fn wait<T>(&mut self, what: &str, wanted: impl Fn(&Record) -> Option<T>) -> T {
        let found = self.wait_within(what, patience(), wanted);
        found.unwrap_or_else(|| panic!("{what}: not within {:?}; seen {:#?}", patience(), self.seen))
    }

    /// The same; none when there is none in time.
    pub fn wait_within<T>(&mut self, what: &str, time: Duration, wanted: impl Fn(&Record) -> Option<T>) -> Option<T> {
        if let Some(found) = self.seen.iter().find_map(&wanted) {
            return Some(found);
        }
        let started = Instant::now();
        while let Some(left) = time.checked_sub(started.elapsed()) {
            match self.records.recv_timeout(left) {
                Ok(record) => {
                    let found = wanted(&record);
                    self.seen.push(record);
                    if let Some(found) = found {
                        return Some(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: oomtrace has ended; seen {:#?}", self.seen),
            }
        }
        None
    }

    /// Waits for the incident whose victim is `pid`.
    pub fn incident(&mut self, pid: u32) -> Incident {
        self.wait(&format!("an incident of pid {pid}"), |record| match record {
            Record::Incident(incident) if incident.victim.process.pid == pid => Some(incident.clone()),
            _ => None,
        })
    }

    /// Waits for an incident in the container named `name`.
    pub fn incident_in(&mut self, name: &str) -> Incident {
        self.wait(&format!("an incident in {name}"), |record| match record {
            Record::Incident(i) if i.container.as_ref().and_then(|c| c.name.as_deref()) == Some(name) => {
                Some(i.clone())
            }
            _ => None,
        })
    }

    /// Stops it by SIGINT and takes everything that it still says.
    pub fn end(mut self) -> Ended {
        self.signal(Signal::SIGINT);
        self.ended()
    }

    /// Waits until it ends by itself.
    pub fn ended(&mut self) -> Ended {
        let mut stderr = String::new();
        self.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        self.take_rest();
        self.check_replay(stderr.contains(NEVER_WRITTEN));
        Ended { status, records: std::mem::take(&mut self.seen), stderr }
    }
}

impl Tracer {
    /// Takes what it said last.
    fn take_rest(&mut self) {
        while let Ok(record) = self.records.recv_timeout(patience()) {
            self.seen.push(record);
        }
    }

    /// The recording is judged without root as the live kernel was, to the byte; `is_cut`: not all was put out before the end, as
    /// beside another scenario's storm.
    fn check_replay(&mut self, is_cut: bool) {
        self.checked = true;
        let recording = self.directory.path().join(RECORDING);
        let mut replay = command();
        replay.arg("replay").arg(&recording).arg("--json").args(&self.select);
        let output = without_privileges(&mut replay).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        // Where filters leave out all that there is, that is said.
        let is_of_filters = !self.select.is_empty() && stderr.ends_with("what the filters ask for\n");
        assert!(output.status.success() && (stderr.is_empty() || is_of_filters), "{stderr}");
        let text = String::from_utf8(output.stdout).unwrap();
        let live = self.lines.lock().unwrap();
        if is_cut {
            let replayed: std::collections::HashSet<&str> = text.lines().collect();
            let is_apart =
                |line: &str| line.starts_with(r#"{"type":"lost""#) || line.starts_with(r#"{"type":"contradiction""#);
            let mut live = live.iter().map(String::as_str).filter(|line| !is_apart(line));
            assert!(live.all(|line| replayed.contains(line)));
            return keep(&recording);
        }
        // In any order: incidents overtake one whose runtime takes long, and what comes of no event has its place only roughly.
        let sorted = |lines: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            let mut lines: Vec<String> = lines.map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        let (live, replayed) = (sorted(&mut live.iter().map(String::as_str)), sorted(&mut text.lines()));
        assert!(live == replayed, "live:\n{live:#?}\nreplayed:\n{replayed:#?}");
        keep(&recording);
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        if self.checked || std::thread::panicking() {
            _ = self.child.kill();
            _ = self.child.wait();
            return;
        }
        self.signal(Signal::SIGINT);
        let mut stderr = String::new();
        if let Some(mut pipe) = self.stderr.take() {
            pipe.read_to_string(&mut stderr).unwrap();
        }
        let is_cut = stderr.contains(NEVER_WRITTEN);
        assert!(self.child.wait().unwrap().success() || is_cut, "{stderr}");
        self.take_rest();
        self.check_replay(is_cut);
    }
}

/// The options that say which incidents are wanted.
fn selection(arguments: &[&str]) -> Vec<String> {
    let pairs = arguments.windows(2).filter(|pair| matches!(pair[0], "--container" | "--pid" | "--cgroup" | "--cause"));
    let privacy = arguments
        .iter()
        .filter(|argument| matches!(**argument, "--no-redact" | "--no-cmdline" | "--stack" | "--candidates"));
    pairs.flatten().chain(privacy).map(|argument| (*argument).to_owned()).collect()
}

/// Has `command` run with no capability at all.
fn without_privileges(command: &mut Command) -> &mut Command {
    with_privileges(command, &[])
}

/// Has `command` run with no capability but these.
fn with_privileges<'a>(command: &'a mut Command, kept: &'static [Capability]) -> &'a mut Command {
    // SAFETY: prctl is async-signal-safe, and takes integers only.
    unsafe {
        command.pre_exec(move || {
            for capability in (0..64_u64).filter(|number| kept.iter().all(|kept| *kept as u64 != *number)) {
                // Those that this kernel does not have are refused.
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
            Ok(())
        })
    }
}

/// Keeps a scenario's recording, when they are asked for: its first, if it has several.
fn keep(recording: &Path) {
    let Some(directory) = std::env::var_os("OOMTRACE_TEST_RECORDINGS") else { return };
    let file = Path::new(&directory).join(format!("{}.rec", truth::scenario().replace("::", ".")));
    if !file.exists() {
        std::fs::copy(recording, file).unwrap();
    }
}

/// All incidents among records.
pub fn incidents(records: &[Record]) -> impl Iterator<Item = &Incident> {
    records.iter().filter_map(|record| match record {
        Record::Incident(incident) => Some(incident),
        _ => None,
    })
}
