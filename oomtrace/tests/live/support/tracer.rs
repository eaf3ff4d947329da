//! oomtrace itself, run as a user runs it, and its output.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::incident::model::{Incident, Ready, Record};

use super::process::PATIENCE;

/// The binary under test.
pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_oomtrace"))
}

/// `oomtrace --json`, attached.
pub struct Tracer {
    child: Child,
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
        let mut command = command();
        command.arg("--json").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(socket) = super::docker::socket()
            && !arguments.contains(&"--docker-socket")
        {
            command.arg("--docker-socket").arg(socket);
        }
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take();
        let (send, records) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.unwrap();
                assert!(!line.chars().any(char::is_control), "a control character in {line:?}");
                let record: Record = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if send.send(record).is_err() {
                    return;
                }
            }
        });
        match records.recv_timeout(PATIENCE) {
            Ok(Record::Ready(ready)) => Self { child, records, stderr, ready, seen: Vec::new() },
            other => {
                _ = child.kill();
                let mut text = String::new();
                _ = stderr.unwrap().read_to_string(&mut text);
                panic!("oomtrace is not ready: {other:?} {text}");
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the first record that `wanted` gives something for; those seen already count.
    pub fn wait<T>(&mut self, what: &str, wanted: impl Fn(&Record) -> Option<T>) -> T {
        if let Some(found) = self.seen.iter().find_map(&wanted) {
            return found;
        }
        let started = Instant::now();
        while let Some(left) = PATIENCE.checked_sub(started.elapsed()) {
            match self.records.recv_timeout(left) {
                Ok(record) => {
                    let found = wanted(&record);
                    self.seen.push(record);
                    if let Some(found) = found {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: oomtrace has ended; seen {:#?}", self.seen),
            }
        }
        panic!("{what}: not within {PATIENCE:?}; seen {:#?}", self.seen);
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
        while let Ok(record) = self.records.recv_timeout(Duration::from_secs(5)) {
            self.seen.push(record);
        }
        Ended { status, records: std::mem::take(&mut self.seen), stderr }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// All incidents among records.
pub fn incidents(records: &[Record]) -> impl Iterator<Item = &Incident> {
    records.iter().filter_map(|record| match record {
        Record::Incident(incident) => Some(incident),
        _ => None,
    })
}
