//! Kills of this boot from before the screen was there, as the history has them.
//!
//! A program of its own reads it: what a disk does to a memory-mapped file, or to SQLite, must not end the one that watches, nor hold it up.

use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use jiff::Timestamp;
use oomtrace::filter::Filter;
use oomtrace::model::Record;
use oomtrace::node::identity::Identity;
use oomtrace::screen::kills::Kills;
use oomtrace::store::sink::wait_for_nobody;

use super::super::options::{LastKills, kept_at};

/// Kills that are read, the latest.
const MOST: u32 = 2_000;
/// Bytes of them.
const MOST_BYTES: u64 = 256 << 20;

/// The program that reads them.
pub struct Reader {
    out: ChildStdout,
    boot_id: Option<String>,
}

/// Starts it; none where there is no history, or none is wanted. To be called before signals are blocked, which it would inherit, and before
/// this process is confined.
pub fn start(from: &LastKills) -> Option<Reader> {
    let path = if from.no_history { None } else { kept_at(from.history.as_deref()).ok() };
    let path = path.filter(|path| path.exists())?;
    let started = spawn(&std::path::absolute(&path).unwrap_or(path));
    let mut child = started.inspect_err(|error| log::debug!("kills from before are not known: {error}")).ok()?;
    Some(Reader { out: child.stdout.take()?, boot_id: Identity::read().boot_id })
}

impl Reader {
    /// Hands over those that `filter` wants, once they are read, from a thread of its own.
    pub fn read(self, filter: Filter, done: impl FnOnce(Kills) + Send + 'static) {
        let Self { out, boot_id } = self;
        let work = move || done(kills(BufReader::new(out.take(MOST_BYTES)), boot_id.as_deref(), &filter));
        if let Err(error) = std::thread::Builder::new().name("earlier kills".to_owned()).spawn(work) {
            log::debug!("kills from before are not known: {error}");
        }
    }
}

fn spawn(path: &Path) -> io::Result<Child> {
    wait_for_nobody()?;
    let until = format!("{:.9}", Timestamp::now());
    Command::new("/proc/self/exe")
        .arg0("oomtrace")
        .args(["history", "--json", "--last", &MOST.to_string(), "--until", &until, "--history"])
        .arg(path)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Keys that end or stop are for the one that watches.
        .process_group(0)
        .spawn()
}

/// Those of this boot among JSON lines, the oldest first. After another one a cgroup of the same path is not the same.
fn kills(mut lines: impl BufRead, boot_id: Option<&str>, filter: &Filter) -> Kills {
    let mut kills = Kills::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        // What was read is what there is.
        if !lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            return kills;
        }
        let Ok(Record::Incident(incident)) = serde_json::from_slice(&line) else { continue };
        if boot_id.is_some() && incident.boot_id.as_deref() == boot_id && filter.wants_recorded(&incident) {
            kills.take(&incident);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn kill(number: u32, boot: &str) -> Value {
        json!({
            "type": "incident", "schema": 1, "id": format!("{number}"), "time": format!("2026-11-26T12:00:0{number}Z"), "boot_id": boot,
            "verdict": { "cause": "oom_host", "confidence": "certain", "summary": "x", "why": "x", "evidence": [], "advice": [] },
            "victim": { "pid": 1000 + number, "comm": "java", "cmdline_truncated": false, "container_init": true, "cgroup": "/a.slice" },
            "collateral": [], "sender": { "kind": "kernel", "ancestors": [] },
            "signal": { "number": 9, "name": "SIGKILL", "group": true, "kernel_stack": [] },
            "preceding": [], "attribution": "full", "missing": []
        })
    }

    #[test]
    fn kills_of_this_boot_that_are_wanted_are_taken_and_nothing_else_is() {
        let all = [kill(1, "now"), kill(2, "now"), kill(3, "before")].map(|kill| format!("{kill}\n")).concat();
        let text = format!("x\n{all}{{\"type\":\"incident\"");
        let last = |boot: Option<&str>, filter: &Filter| {
            let kills = kills(text.as_bytes(), boot, filter);
            kills.of("/a.slice", None).map(|kill| (kill.incident.clone(), kill.count))
        };
        assert_eq!(last(Some("now"), &Filter::default()), Some(("2".to_owned(), 2)));
        assert_eq!(last(Some("now"), &Filter { pids: vec![1001], ..Filter::default() }), Some(("1".to_owned(), 1)));
        assert_eq!(last(None, &Filter::default()), None);
    }
}
