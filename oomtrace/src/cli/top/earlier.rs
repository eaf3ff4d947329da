//! Kills of this boot from before the screen was there, as the history has them.
//!
//! A program of its own reads it: what a disk does to a memory-mapped file, or to SQLite, must not end the one that watches, nor hold it up.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use oomtrace::filter::Filter;
use oomtrace::node::clock::WallClock;
use oomtrace::node::identity::Identity;
use oomtrace::screen::kills::{Kills, Placed};
use oomtrace::screen::state::Before;
use oomtrace::store::sink::wait_for_nobody;
use oomtrace::store::{History, Latests};
use serde::{Deserialize, Serialize};

use super::super::exit::{Failure, Status};
use super::super::options::{LastKills, Select, kept_at};
use super::super::output::Stdout;

/// Bytes of what is read.
const MOST_BYTES: u64 = 64 << 20;

/// Bytes of why it could not.
const MOST_WORDS: u64 = 2 << 10;

/// What the program that reads them says, a line each.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// The last kill of some places; those that were later come later.
    Kill(Placed),
    /// That is all.
    Read { before: Before, left_out: usize, unreadable: usize },
}

/// The program that reads them; or why none could be started.
pub struct Reader(io::Result<Child>);

/// What was read.
#[derive(Debug, Default)]
pub struct Earlier {
    pub kills: Kills,
    /// How many there were; none where that could not be read.
    pub before: Option<Before>,
    /// What of it is not known, in words.
    pub missing: Option<String>,
}

impl Earlier {
    /// Nothing could be read.
    pub fn unread(why: &str) -> Self {
        let missing = format!("kills from before this start are not known: {why}");
        Self { missing: Some(missing), ..Self::default() }
    }
}

/// Starts it; none where there is no history, or none is wanted. To be called before signals are blocked, which it would inherit, and before
/// this process is confined.
pub fn start(from: &LastKills, select: &Select) -> Option<Reader> {
    let path = if from.no_history { None } else { kept_at(from.history.as_deref()).ok() }?;
    // A directory that may not be looked into is the reader's to name.
    let is_absent = std::fs::metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if is_absent {
        return None;
    }
    Some(Reader(spawn(&std::path::absolute(&path).unwrap_or(path), select)))
}

impl Reader {
    /// Hands over what was read, from a thread of its own.
    pub fn read(self, done: impl FnOnce(Earlier) + Send + 'static) {
        let work = move || done(self.0.map_or_else(|error| Earlier::unread(&error.to_string()), of_child));
        if let Err(error) = std::thread::Builder::new().name("earlier kills".to_owned()).spawn(work) {
            log::warn!("kills from before this start are not known: {error}");
        }
    }
}

fn of_child(mut child: Child) -> Earlier {
    let mut out = match child.stdout.take() {
        Some(out) => BufReader::new(out.take(MOST_BYTES)),
        None => return Earlier::default(),
    };
    // Its status is nobody's: it leaves nothing behind. It gives something, or says why not.
    let is_empty = out.fill_buf().is_ok_and(<[u8]>::is_empty);
    let earlier = kills(out);
    let mut said = String::new();
    if is_empty && let Some(words) = child.stderr.take() {
        // What cannot be read says nothing.
        _ = words.take(MOST_WORDS).read_to_string(&mut said);
    }
    let said = said.trim().trim_start_matches("oomtrace: ");
    if said.is_empty() { earlier } else { Earlier::unread(said) }
}

fn spawn(path: &Path, select: &Select) -> io::Result<Child> {
    wait_for_nobody()?;
    let until = format!("{:.9}", Timestamp::now());
    Command::new("/proc/self/exe")
        .arg0("oomtrace")
        .arg("last-kills")
        .arg(path)
        .arg(until)
        .args(select.arguments())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Keys that end or stop are for the one that watches.
        .process_group(0)
        .spawn()
}

/// The program itself: reads the history at `path`, and says what it has of this boot.
pub fn print(path: &Path, until: Timestamp, filter: &Filter) -> Result<Status, Failure> {
    // The clock may have been set since; whatever is of another boot shows by that boot's id.
    let booted = WallClock::read().ok().and_then(|clock| clock.at(0)).unwrap_or(Timestamp::UNIX_EPOCH);
    let history = History::open(path).map_err(super::super::history::advised)?;
    let latests = history.latest_of_each(filter, booted, until)?;
    let mut out = Stdout::new();
    for said in said(latests, Identity::read().boot_id.as_deref()) {
        let mut line = serde_json::to_vec(&said).map_err(io::Error::from)?;
        line.push(b'\n');
        out.write_all(&line)?;
    }
    out.flush()?;
    Ok(Status::Done)
}

/// Those of this boot, the oldest first. After another one a cgroup of the same path is not the same.
fn said(latests: Latests, boot_id: Option<&str>) -> Vec<Said> {
    let Latests { of_cgroups, of_containers, left_out, unreadable, count, first } = latests;
    let first =
        first.and_then(|first| Timestamp::from_nanosecond(first.into()).ok()).map(|first| format!("{first:.9}"));
    let is_of_boot = |id: Option<&str>| boot_id.is_some() && id == boot_id;
    let mut all = Vec::new();
    for (latests, placed) in [(of_cgroups, Placed::in_cgroups as fn(&_) -> _), (of_containers, Placed::in_container)] {
        let own = latests.into_iter().rev().filter(|latest| is_of_boot(latest.incident.boot_id.as_deref()));
        all.extend(own.filter_map(|latest| Some(Said::Kill(placed(&latest.incident)?.counted(latest.count.max(1))))));
    }
    all.push(Said::Read { before: Before { kills: count, first }, left_out, unreadable });
    all
}

/// What the program has said.
fn kills(lines: impl BufRead) -> Earlier {
    let mut earlier = Earlier::default();
    for line in lines.split(b'\n') {
        match line.ok().and_then(|line| serde_json::from_slice(&line).ok()) {
            Some(Said::Kill(placed)) => earlier.kills.put(placed),
            Some(Said::Read { before, left_out, unreadable }) => {
                earlier.before = Some(before);
                let left_out = (left_out > 0).then(|| {
                    format!("the last kills of {left_out} places are not shown: too many others were killed later")
                });
                let unreadable = oomtrace::store::unreadable(unreadable).map(|said| format!("in the history {said}"));
                let missing: Vec<String> = left_out.into_iter().chain(unreadable).collect();
                earlier.missing = (!missing.is_empty()).then(|| missing.join("; "));
                return earlier;
            }
            None => break,
        }
    }
    // The reader ended in the middle, or has more to say than is read.
    earlier.missing = Some("not all kills from before this start are known: the history's reader broke off".to_owned());
    earlier
}

#[cfg(test)]
mod tests {
    use oomtrace::model::Incident;
    use oomtrace::store::Latest;
    use serde_json::json;

    use super::*;

    fn kill(number: u32, boot: &str) -> Incident {
        let value = json!({
            "schema": 1, "id": format!("{number}"), "time": format!("2026-11-26T12:00:0{number}Z"), "boot_id": boot,
            "verdict": { "cause": "oom_host", "confidence": "certain", "summary": "x", "why": "x", "evidence": [], "advice": [] },
            "victim": { "pid": 1000 + number, "comm": "java", "cmdline_truncated": false, "container_init": true, "cgroup": "/a.slice/b" },
            "collateral": [], "sender": { "kind": "kernel", "ancestors": [] },
            "signal": { "number": 9, "name": "SIGKILL", "group": true, "kernel_stack": [] },
            "preceding": [], "attribution": "full", "missing": []
        });
        serde_json::from_value(value).unwrap()
    }

    fn lines(said: &[Said]) -> String {
        said.iter().map(|said| serde_json::to_string(said).unwrap() + "\n").collect()
    }

    #[test]
    fn the_last_kills_of_this_boot_come_through_with_how_many_there_were() {
        let latest = |number, boot: &str, count| Latest { incident: kill(number, boot), count };
        let mut other = latest(1, "now", 3);
        other.incident.victim.process.cgroup = Some("/a.slice/c".to_owned());
        let latests = Latests {
            of_cgroups: vec![latest(2, "now", 2_500), other],
            count: 2_503,
            first: Some(0),
            ..Latests::default()
        };
        let read = |boot: Option<&str>| kills(lines(&said(latests.clone(), boot)).as_bytes());
        let Earlier { kills: found, before, missing } = read(Some("now"));
        let of = |cgroup: &str| found.of(cgroup, None).map(|kill| (kill.incident.as_str(), kill.count));
        assert_eq!((of("/a.slice/b"), of("/a.slice/c")), (Some(("2", 2_500)), Some(("1", 3))));
        assert_eq!(of("/a.slice"), Some(("2", 2_503)));
        let first = Some("1970-01-01T00:00:00.000000000Z".to_owned());
        assert_eq!((before, missing), (Some(Before { kills: 2_503, first }), None));
        for boot in [Some("before"), None] {
            assert_eq!(read(boot).kills.of("/a.slice/b", None), None);
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        let read = |left_out, unreadable| Said::Read { before: Before::default(), left_out, unreadable };
        let missing = |said: &[Said]| kills(lines(said).as_bytes()).missing;
        assert!(missing(&[read(7, 0)]).unwrap().starts_with("the last kills of 7 places are not shown"));
        assert!(missing(&[read(0, 1)]).unwrap().starts_with("in the history 1 incident cannot be read"));
        assert_eq!(missing(&[read(0, 0)]), None);
        assert!(missing(&[]).unwrap().ends_with("the history's reader broke off"));
        let ended = |script: &str| {
            let mut child = Command::new("sh");
            child.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
            of_child(child.spawn().unwrap()).missing
        };
        let said = ended("echo 'oomtrace: h.db is damaged' >&2; exit 1").unwrap();
        assert_eq!(said, "kills from before this start are not known: h.db is damaged");
        assert!(ended("echo '{}'; echo 'oomtrace: x' >&2").unwrap().ends_with("broke off"));
    }

    #[test]
    fn a_history_that_may_not_be_looked_at_is_not_taken_for_none() {
        let dir = tempfile::tempdir().unwrap();
        let from = |path: &str| LastKills { history: Some(dir.path().join(path)), no_history: false };
        let none = || Select::default();
        assert!(start(&from("absent.db"), &none()).is_none());
        std::fs::write(dir.path().join("file"), "").unwrap();
        // Not a directory: any error but that there is none.
        assert!(start(&from("file/history.db"), &none()).is_some());
    }
}
