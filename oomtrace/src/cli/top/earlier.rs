//! Kills of this boot from before the screen was there, as the history has them.
//!
//! A program of its own reads it: what a disk does to a memory-mapped file, or to SQLite, must not end the one that watches, nor hold it up.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use oomtrace::filter::Filter;
use oomtrace::model::Record;
use oomtrace::node::identity::Identity;
use oomtrace::screen::kills::Kills;
use oomtrace::store::sink::wait_for_nobody;

use super::super::history::NONE;
use super::super::options::{LastKills, kept_at};

/// Kills that are read, the latest.
const MOST: u32 = 2_000;
/// Bytes of them.
const MOST_BYTES: u64 = 256 << 20;

/// Bytes of why it could not.
const MOST_WORDS: u64 = 2 << 10;

/// The program that reads them.
pub struct Reader {
    child: io::Result<Child>,
    boot_id: Option<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Earlier {
    pub kills: Kills,
    /// What of it is not known, in words.
    pub missing: Option<String>,
}

impl Earlier {
    /// Nothing could be read.
    pub fn unread(why: &str) -> Self {
        let missing = format!("kills from before this start are not known: {why}");
        Self { kills: Kills::default(), missing: Some(missing) }
    }
}

/// Starts it; none where there is no history, or none is wanted. To be called before signals are blocked, which it would inherit, and before
/// this process is confined.
pub fn start(from: &LastKills) -> Option<Reader> {
    let path = if from.no_history { None } else { kept_at(from.history.as_deref()).ok() };
    let path = path.filter(|path| path.exists())?;
    let child = spawn(&std::path::absolute(&path).unwrap_or(path));
    Some(Reader { child, boot_id: Identity::read().boot_id })
}

impl Reader {
    /// Hands over those that `filter` wants, once they are read, from a thread of its own.
    pub fn read(self, filter: Filter, done: impl FnOnce(Earlier) + Send + 'static) {
        let Self { child, boot_id } = self;
        let work = move || {
            done(child.map_or_else(
                |error| Earlier::unread(&error.to_string()),
                |child| of_child(child, boot_id.as_deref(), &filter),
            ))
        };
        if let Err(error) = std::thread::Builder::new().name("earlier kills".to_owned()).spawn(work) {
            log::warn!("kills from before this start are not known: {error}");
        }
    }
}

fn of_child(mut child: Child, boot_id: Option<&str>, filter: &Filter) -> Earlier {
    let mut out = match child.stdout.take() {
        Some(out) => BufReader::new(out.take(MOST_BYTES)),
        None => return Earlier::default(),
    };
    // Its status is nobody's: it leaves nothing behind. Of what it read it gives something, or says why not.
    let is_empty = out.fill_buf().is_ok_and(<[u8]>::is_empty);
    let earlier = kills(out, boot_id, filter);
    let mut said = String::new();
    if is_empty && let Some(words) = child.stderr.take() {
        // What cannot be read says nothing.
        _ = words.take(MOST_WORDS).read_to_string(&mut said);
    }
    let said = said.trim().trim_start_matches("oomtrace: ");
    if said.is_empty() || said.starts_with(NONE) { earlier } else { Earlier::unread(said) }
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
        .stderr(Stdio::piped())
        // Keys that end or stop are for the one that watches.
        .process_group(0)
        .spawn()
}

/// Those of this boot among JSON lines, the oldest first. After another one a cgroup of the same path is not the same.
fn kills(mut lines: impl BufRead, boot_id: Option<&str>, filter: &Filter) -> Earlier {
    let (mut kills, mut count, mut oldest) = (Kills::default(), 0, None);
    let (mut line, mut is_cut) = (Vec::new(), false);
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => {
                is_cut = true;
                break;
            }
        }
        // The reader ended in the middle, or has more to say than is read.
        is_cut |= line.last() != Some(&b'\n');
        let Ok(Record::Incident(incident)) = serde_json::from_slice(&line) else { continue };
        let is_of_boot = boot_id.is_some() && incident.boot_id.as_deref() == boot_id;
        count += 1;
        oldest = oldest.or_else(|| Some((incident.time.clone(), is_of_boot)));
        if is_of_boot && filter.wants_recorded(&incident) {
            kills.take(&incident);
        }
    }
    // Of a boot before this one nothing is wanted.
    let before = oldest.filter(|(_, is_of_boot)| count >= MOST && *is_of_boot).map(|(time, _)| time);
    let missing = before.map(|time| format!("kills of before {time} are not shown: there were {MOST} after them"));
    let cut =
        is_cut.then(|| "not all kills from before this start are known: the history's reader broke off".to_owned());
    let missing = cut.or(missing);
    Earlier { kills, missing }
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
            let Earlier { kills, missing } = kills(text.as_bytes(), boot, filter);
            assert!(missing.is_some_and(|missing| missing.ends_with("the history's reader broke off")));
            kills.of("/a.slice", None).map(|kill| (kill.incident.clone(), kill.count))
        };
        assert_eq!(last(Some("now"), &Filter::default()), Some(("2".to_owned(), 2)));
        assert_eq!(last(Some("now"), &Filter { pids: vec![1001], ..Filter::default() }), Some(("1".to_owned(), 1)));
        assert_eq!(last(None, &Filter::default()), None);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let many = |boot: &str| (0..MOST).map(|_| format!("{}\n", kill(1, boot))).collect::<String>();
        let missing = |text: &str| kills(text.as_bytes(), Some("now"), &Filter::default()).missing;
        let said = missing(&many("now")).unwrap();
        assert!(said.starts_with("kills of before 2026-11-26T12:00:01Z are not shown"), "{said}");
        assert_eq!(missing(&many("before")), None);
        assert_eq!(missing(&format!("{}\n", kill(1, "now"))), None);
        assert!(missing(&format!("{}", kill(1, "now"))).is_some());
        let ended = |script: &str| {
            let mut child = Command::new("sh");
            child.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
            of_child(child.spawn().unwrap(), Some("now"), &Filter::default()).missing
        };
        assert_eq!(ended("true"), None);
        assert_eq!(ended("echo 'oomtrace: the history has no such kill' >&2"), None);
        assert_eq!(ended("echo '{}'; echo 'oomtrace: 1 incident cannot be read' >&2"), None);
        let said = ended("echo 'oomtrace: h.db is damaged' >&2; exit 1").unwrap();
        assert_eq!(said, "kills from before this start are not known: h.db is damaged");
    }
}
