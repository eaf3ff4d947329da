//! What could not be seen of one incident, in words.

use crate::model::{MissingPart, NamedMissing, Process};
use crate::text;

/// Processes that are named in an entry.
const NAMED: usize = 3;
/// Why a command line is not known that is there.
pub const LATE: &str = "/proc did not answer in time";

/// See the module's documentation.
#[derive(Default)]
pub struct Gaps {
    /// Says who or why less surely.
    pub attribution: Vec<String>,
    /// Leaves a field empty.
    pub detail: Vec<String>,
    /// Those of both that have a name.
    pub named: Vec<NamedMissing>,
}

impl Gaps {
    /// It is less sure because the OOM killer's own record is not read.
    pub fn without_oom_record(&mut self, what: &str) {
        let entry = format!("{what} (oom_control is not read)");
        self.attribution.push(entry.clone());
        self.named.push(NamedMissing { part: MissingPart::OomRecord, entry });
    }

    /// The victim's command line is not known.
    pub fn without_command_line(&mut self, why: &str) {
        let entry = format!("the victim's command line ({why})");
        self.detail.push(entry.clone());
        self.named.push(NamedMissing { part: MissingPart::VictimCommandLine, entry });
    }
}

/// What some of `processes` run, of which `/proc` did not answer in time; none where nothing is missing for that.
pub fn unread<'a>(processes: impl Iterator<Item = &'a Process>, late: &[u32]) -> Option<String> {
    let is_missing = |process: &&Process| process.cmdline.is_none() || process.exe.is_none();
    let mut found: Vec<&Process> = Vec::new();
    for process in processes.filter(|process| late.contains(&process.pid)).filter(is_missing) {
        if found.iter().all(|known| known.pid != process.pid) {
            found.push(process);
        }
    }
    let mut names: Vec<String> = found.iter().take(NAMED).map(|process| text::process(process)).collect();
    let others = found.len().saturating_sub(NAMED);
    if others > 0 {
        names.push(format!("{others} others"));
    }
    let last = names.pop()?;
    let (who, run) = match names.is_empty() {
        true => (last, "runs"),
        false => (format!("{} and {last}", names.join(", ")), "run"),
    };
    Some(format!("what {who} {run} ({LATE})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_in_time_is_said_of_those_that_miss_it() {
        let process = |pid: u32, exe: Option<&str>, cmdline: bool| Process {
            pid,
            comm: format!("p{pid}"),
            exe: exe.map(str::to_owned),
            cmdline: cmdline.then(Vec::new),
            ..Process::default()
        };
        let said = |processes: &[Process], late: &[u32]| unread(processes.iter(), late);
        let bare: Vec<Process> = (1..=5).map(|pid| process(pid, None, false)).collect();
        assert_eq!(said(&bare, &[]), None);
        assert_eq!(said(&bare, &[2]).as_deref(), Some("what p2[2] runs (/proc did not answer in time)"));
        let twice = [bare.as_slice(), bare.as_slice()].concat();
        assert_eq!(said(&twice, &[2, 3]).as_deref(), Some("what p2[2] and p3[3] run (/proc did not answer in time)"));
        let all = said(&bare, &[1, 2, 3, 4, 5]);
        assert_eq!(all.as_deref(), Some("what p1[1], p2[2], p3[3] and 2 others run (/proc did not answer in time)"));
        // The kernel side had read it.
        assert_eq!(said(&[process(1, Some("/bin/sh"), true)], &[1]), None);
        assert!(said(&[process(1, Some("/bin/sh"), false), process(2, None, true)], &[1, 2]).is_some());
    }
}
