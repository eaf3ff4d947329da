//! The journal, by journalctl: the kernel's records also of earlier boots, what systemd says of its units' ends, who logged in, and what
//! Podman keeps there.
//!
//! Whoever writes to the journal chooses the fields of an entry, but for those that begin with `_`: these are journald's own word for who
//! wrote it (systemd.journal-fields(7)), and what counts here.

mod entry;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::past::child;

pub use entry::{Entry, Said, parse};
use entry::{FIELDS, id};

/// Entries of a question that are kept, the latest ones.
const MAX_ENTRIES: usize = 200_000;
/// Bytes of what journalctl prints to a question.
const MAX_BYTES: usize = 256 << 20;
/// How long a question may take.
const WITHIN: Duration = Duration::from_secs(10);

/// What was read: two questions, so that nothing takes the room of the kernel's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The kernel's records.
    pub kernel: Answer,
    /// What systemd, logind and Podman say.
    pub others: Answer,
}

/// What was read of one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The oldest first.
    pub entries: Vec<Entry>,
    /// journalctl was ended before it had said everything: what is older than the oldest entry here was not read.
    pub is_cut: bool,
}

/// Asks journalctl for what was logged from `since` on; of the machine's journal, or of that in a directory. Each question has the bounds for
/// itself.
///
/// # Errors
/// When there is no journalctl, or no journal.
pub fn read(directory: Option<&Path>, since: Timestamp) -> io::Result<Journal> {
    let absent = || io::Error::new(io::ErrorKind::NotFound, "there is no journalctl here");
    let program = child::program("journalctl").ok_or_else(absent)?;
    let ask = |of: &[String]| run(&program, &arguments(directory, since, of), MAX_ENTRIES, WITHIN);
    Ok(Journal { kernel: ask(&[OF_KERNEL.to_owned()])?, others: ask(&of_others())? })
}

/// journald's own word: nobody else's entries have it.
const OF_KERNEL: &str = "_TRANSPORT=kernel";

/// What is asked for besides: of root's alone, for everybody may write entries with these fields, as many and as large as he likes.
fn of_others() -> Vec<String> {
    let ids = [
        id::UNIT_OUT_OF_MEMORY,
        id::UNIT_OOMD_KILL,
        id::UNIT_PROCESS_EXIT,
        id::UNIT_FAILURE_RESULT,
        id::SESSION_START,
        id::SESSION_STOP,
    ];
    // Those with one field are any of them, those with different ones are all of them; + stands between what is asked for besides.
    let mut of = vec![OF_ROOT.to_owned()];
    of.extend(ids.iter().map(|id| format!("MESSAGE_ID={id}")));
    of.extend(["+", OF_ROOT, "PODMAN_EVENT=died"].map(str::to_owned));
    of
}

const OF_ROOT: &str = "_UID=0";

fn arguments(directory: Option<&Path>, since: Timestamp, of: &[String]) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--output=json".to_owned(),
        format!("--output-fields={FIELDS}"),
        "--quiet".to_owned(),
        "--no-pager".to_owned(),
        // The newest first: where it says too much, or too slowly, the oldest is what is left out.
        "--reverse".to_owned(),
        format!("--since=@{}", since.as_second()),
    ]
    .into();
    arguments.extend(directory.map(|directory| format!("--directory={}", directory.display())));
    arguments.extend_from_slice(of);
    arguments
}

/// Reads `most` entries at the most of what it prints, the newest first.
fn run(program: &Path, arguments: &[String], most: usize, within: Duration) -> io::Result<Answer> {
    let mut answer = Answer::default();
    let ended = child::lines(program, arguments, (MAX_BYTES, within), |line| {
        let entry = parse(line);
        if entry.is_some() && answer.entries.len() >= most {
            return ControlFlow::Break(());
        }
        answer.entries.extend(entry);
        ControlFlow::Continue(())
    })?;
    if let Some(error) = ended.error.filter(|_| answer.entries.is_empty()) {
        // As src/journal-util.c of systemd has it.
        let is_there = !error.contains("No journal files were found");
        return Err(if is_there { io::Error::other(error) } else { io::Error::new(io::ErrorKind::NotFound, error) });
    }
    // In journald's own order, which a report's lines are read by: their times may be equal, or go back.
    answer.entries.reverse();
    answer.is_cut = ended.is_cut;
    Ok(answer)
}

/// Where journald keeps what it writes, and what is lost at the next boot (systemd-journald.service(8)).
const KEPT: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

/// The machine's journal, where it is there and may not be read.
#[must_use]
pub fn closed() -> Option<PathBuf> {
    KEPT.iter().find_map(|kept| closed_below(Path::new(kept)))
}

fn closed_below(kept: &Path) -> Option<PathBuf> {
    let is_closed =
        |path: &Path| std::fs::File::open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    if is_closed(kept) {
        return Some(kept.to_owned());
    }
    // A directory for each machine, of which there is mostly one.
    let machines = std::fs::read_dir(kept).ok()?.take(16).flatten();
    machines.map(|machine| machine.path().join("system.journal")).find(|path| is_closed(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_for_that_anybody_may_write() {
        for of in [vec![OF_KERNEL.to_owned()], of_others()] {
            for group in of.split(|term| term == "+") {
                let is_sure = |term: &String| matches!(term.as_str(), "_TRANSPORT=kernel" | "_UID=0");
                assert!(group.iter().any(is_sure), "{group:?}");
            }
            // What others make the machine write takes none of the kernel's room.
            assert_eq!(of.iter().any(|term| term == OF_KERNEL), of.len() == 1, "{of:?}");
        }
    }

    /// A shell in journalctl's place, which prints entries of these seconds and then `then`.
    fn printed(seconds: &[u32], then: &str, most: usize) -> (Vec<i64>, bool) {
        let lines: String = seconds
            .iter()
            .map(|second| {
                format!(
                    r#"{{"__REALTIME_TIMESTAMP":"{second}000000","_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","MESSAGE":"x"}}\n"#
                )
            })
            .collect();
        let arguments = ["-c".to_owned(), format!("printf '{lines}'; {then}")];
        let answer = run(Path::new("/bin/sh"), &arguments, most, Duration::from_millis(500)).unwrap();
        (answer.entries.iter().map(|entry| entry.at.as_second()).collect(), answer.is_cut)
    }

    #[test]
    fn of_what_is_too_much_or_too_slow_the_newest_is_read() {
        let arguments = arguments(None, Timestamp::UNIX_EPOCH, &[]);
        assert!(arguments.iter().any(|argument| argument == "--reverse"), "{arguments:?}");
        // It would have the first ones after --since in some versions, and is cut without a word.
        assert!(!arguments.iter().any(|argument| argument.starts_with("--lines")), "{arguments:?}");
        assert_eq!(printed(&[30, 20, 10], "true", 3), (vec![10, 20, 30], false));
        assert_eq!(printed(&[30, 20, 10], "true", 2), (vec![20, 30], true));
        assert_eq!(printed(&[30, 20], "exec sleep 1000", 9), (vec![20, 30], true));
    }
}
