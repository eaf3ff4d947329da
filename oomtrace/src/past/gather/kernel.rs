//! The kernel's log, from all places that have it, and whose its reports are.

use std::io;
use std::path::Path;

use jiff::Timestamp;

use crate::model::{Container, LookedAt, TargetKind};
use crate::node::namespaces;
use crate::past::gather::{JournalFrom, KernelFrom, Places, Whom, copies, looked, unread};
use crate::past::imitated::{is_of_pod, is_of_unit, may_be_of_container};
use crate::past::journal::{self, Entry, Journal};
use crate::past::klog::kmsg;
use crate::past::klog::oom::{self, Report};
use crate::past::klog::record::Record;
use crate::past::klog::saved;
use crate::past::placed::Placed;
use crate::placement::Placement;

/// Reports of one target that are looked at, the latest ones: each may take a question to a runtime.
const MAX_ASKED: usize = 64;
/// The same without a target.
const MAX_NAMED: usize = 6;

/// What the kernel's log says, and the journal besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelLog {
    /// The oldest first.
    pub reports: Vec<Report>,
    /// What systemd, logind and Podman say, the oldest first.
    pub entries: Vec<Entry>,
    pub looked: Vec<LookedAt>,
    since: Option<Timestamp>,
    /// Something of it is lost.
    has_gaps: bool,
    slept_ms: i64,
}

impl KernelLog {
    /// Since when every OOM kill is in it.
    #[must_use]
    pub fn whole_since(&self) -> Option<Timestamp> {
        self.since.filter(|_| !self.has_gaps)
    }

    /// How long its clock has stood still since boot, in milliseconds: its times before that are too late by as long.
    #[must_use]
    pub const fn slept_ms(&self) -> i64 {
        self.slept_ms
    }
}

/// Reads all places.
#[must_use]
pub fn kernel_log(kernel: &KernelFrom, journal: &JournalFrom, since: Timestamp) -> KernelLog {
    let mut log = KernelLog::default();
    match kernel {
        KernelFrom::Here => device(&mut log),
        KernelFrom::File(path) => file(&mut log, path),
        KernelFrom::Off => log.looked.push(looked("kernel log", false, None, "left out (--no-kernel-log)")),
    }
    match journal {
        // Of others' entries journalctl says nothing to whoever may not read them, and does not say so.
        JournalFrom::Here => of_journal(&mut log, journal::read(None, since), journal::closed().as_deref()),
        JournalFrom::Directory(directory) => {
            of_journal(&mut log, journal::read(Some(directory), since), None);
            // Of another time, or of another machine.
            log.has_gaps = true;
        }
        JournalFrom::Off => log.looked.push(looked("journal", false, None, "left out (--no-journal)")),
    }
    log.reports.retain(|report| report.at.is_none_or(|at| at >= since));
    log.reports.sort_by_key(|report| report.at);
    log
}

fn device(log: &mut KernelLog) {
    match kmsg::read(Path::new(kmsg::PATH)) {
        Ok(read) => {
            log.slept_ms = kmsg::slept_ms();
            let records: Vec<Record> = read.records.into_iter().filter(|record| record.by_kernel).collect();
            let begins =
                if read.is_wrapped { "its beginning was overwritten" } else { "whole since the machine's start" };
            let cut = if read.is_cut { ", not read to its end" } else { "" };
            // The newest of it is what is missing.
            log.has_gaps |= read.is_cut;
            take(log, "kernel log", &records, &format!("{begins}{cut}"), read.is_cut);
        }
        Err(error) => log.looked.push(unread("kernel log", format!("{}: {error}", kmsg::PATH))),
    }
}

fn file(log: &mut KernelLog, path: &Path) {
    match saved::read(path, Timestamp::now()) {
        Ok(read) => {
            // Of another time, or of another machine.
            log.has_gaps = true;
            let cut = if read.is_cut { ", of which only the end was read" } else { "" };
            take(log, "kernel log", &read.records, &format!("{}{cut}", path.display()), read.is_cut);
        }
        Err(error) => log.looked.push(unread("kernel log", format!("{}: {error}", path.display()))),
    }
}

/// `closed`: what of it may not be read.
fn of_journal(log: &mut KernelLog, read: io::Result<Journal>, closed: Option<&Path>) {
    match read {
        Ok(read) => {
            let records: Vec<Record> = read.kernel.entries.into_iter().filter_map(Entry::kernel).collect();
            log.entries = read.others.entries;
            // It is whole from the oldest that was read on.
            let cut = if read.kernel.is_cut { "not read to its beginning, " } else { "" };
            let others_cut = if read.others.is_cut { ", the oldest not read" } else { "" };
            let had = log.reports.len();
            let others = log.entries.len();
            let of = format!("{cut}{others} other entries about ends and logins{others_cut}");
            take(log, "journal", &records, &of, read.kernel.is_cut || read.others.is_cut);
            copies::drop_copies(&mut log.reports, had, log.slept_ms);
            if let Some(closed) = closed
                && let Some(looked) = log.looked.last_mut()
            {
                looked.is_missing = true;
                log.has_gaps = true;
                looked.said = format!("{}; without the right to read {}", looked.said, closed.display());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            log.looked.push(looked("journal", false, None, error.to_string()));
        }
        Err(error) => log.looked.push(unread("journal", error.to_string())),
    }
}

/// Adds what records say; `is_cut`: there are more of them.
fn take(log: &mut KernelLog, place: &str, records: &[Record], of: &str, is_cut: bool) {
    let found = oom::reports(records);
    let since = records.iter().find_map(|record| record.at);
    let lost = match (found.suppressed, found.dropped) {
        (0, 0) => String::new(),
        (reports, 0) => format!("; the kernel left {reports} reports out, for there were too many at once"),
        (0, records) => format!("; {records} records were lost before they were written"),
        (reports, records) => format!("; {reports} reports were left out, and {records} records lost"),
    };
    let imitated = match found.imitated {
        0 => "",
        _ => {
            "; what looks like further OOM reports is all of one moment, as lines are of which somebody chose a name with line feeds"
        }
    };
    log.has_gaps |= found.suppressed + found.dropped > 0;
    let kills = match found.reports.len() {
        0 => "no OOM kill".to_owned(),
        1 => "one OOM kill".to_owned(),
        count => format!("{count} OOM kills"),
    };
    let said = if records.is_empty() {
        format!("nothing of the kernel's; {of}")
    } else {
        format!("{kills}; {of}{lost}{imitated}")
    };
    log.looked.push(LookedAt { is_missing: is_cut, ..looked(place, true, since, said) });
    log.since = [log.since, since].into_iter().flatten().min();
    log.reports.extend(found.reports);
}

/// The reports about a target, or all of them, each with its container as its runtime knows it; the oldest first.
pub async fn of(places: &Places, whom: Option<&Whom>, log: &KernelLog) -> Vec<Placed> {
    let its: Vec<&Report> =
        log.reports.iter().filter(|report| whom.is_none_or(|whom| is_about(report, whom))).collect();
    // Without a target the last one is the answer, those before it have a line each, and the others are only counted.
    let asked = if whom.is_none() { MAX_NAMED } else { MAX_ASKED };
    let from = its.len().saturating_sub(asked);
    let mut found = Vec::new();
    for (index, report) in its.into_iter().enumerate() {
        let place = report.cgroup.as_deref().map(Placement::parse).and_then(|placement| placement.container);
        let mut placed = Placed {
            report: report.clone(),
            systemd: namespaces::is_booted_by_systemd(),
            is_removed: whom.is_some_and(|whom| whom.is_removed),
            ..Placed::default()
        };
        if let Some(place) = place {
            if index < from {
                placed.container = Some(Container { confirmed: false, ..place.container() });
            } else {
                let completed = places.directory.complete(&place, None).await;
                let container =
                    whom.filter(|whom| whom.kind == TargetKind::Container).and_then(|whom| whom.container.as_ref());
                if container.is_some_and(|container| !has(completed.container.as_ref(), container)) {
                    // It only has the name of the one that is asked about.
                    continue;
                }
                placed.container = completed.container;
                placed.missing = completed.missing;
            }
            if let (Some(container), Some(known)) =
                (&mut placed.container, whom.and_then(|whom| whom.container.as_ref()))
                && believe(container, known)
            {
                // It was not known whether it is that one's.
                placed.missing.clear();
            }
        } else if let Some(known) = whom.and_then(|whom| whom.container.as_ref()).filter(|_| report.cgroup.is_some()) {
            // A container whose cgroup's path does not tell that it is one.
            placed.container = Some(known.clone());
        }
        found.push(placed);
    }
    found
}

/// `found` is `container`, or runs in it.
fn has(found: Option<&Container>, container: &Container) -> bool {
    std::iter::successors(found, |found| found.outer.as_deref()).any(|found| found.id == container.id)
}

/// What the target's own runtime, or the kubelet, says of the container, where the report's cgroup is that one's.
fn believe(container: &mut Container, known: &Container) -> bool {
    let is_there = known.cgroup.is_empty() || container.cgroup == known.cgroup;
    let is_it = !container.confirmed && known.confirmed && container.id == known.id && is_there;
    if is_it {
        *container = Container { cgroup: container.cgroup.clone(), ..known.clone() };
    }
    is_it
}

/// A report is about a target: its container's own cgroup or one below it, the pod's, the unit's, or the process's number.
#[must_use]
pub fn is_about(report: &Report, whom: &Whom) -> bool {
    if let Some(pid) = whom.pid {
        return report.victims.iter().any(|victim| victim.pid == pid);
    }
    let Some(cgroup) = &report.cgroup else { return false };
    match whom {
        Whom { unit: Some(unit), .. } => is_of_unit(cgroup, unit),
        Whom { pod_uid: Some(uid), .. } => is_of_pod(cgroup, uid),
        Whom { container: Some(container), .. } => may_be_of_container(cgroup, container),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::past::journal::{Answer, Said};

    /// A journal with a kill in the kernel's log at these seconds.
    fn journal(seconds: &[i64], is_cut: bool) -> Journal {
        let text = "Memory cgroup out of memory: Killed process 7 (x) total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 \
                    pgtables:4kB oom_score_adj:0";
        let entry = |second: &i64| Entry {
            at: Timestamp::from_second(*second).unwrap(),
            said: Said::Kernel { text: text.to_owned(), by_kernel: true, stamp: None },
        };
        Journal { kernel: Answer { entries: seconds.iter().map(entry).collect(), is_cut }, ..Journal::default() }
    }

    #[test]
    fn a_journal_that_was_cut_counts_from_where_it_was_read_and_says_so() {
        for (is_cut, said) in
            [(false, "2 OOM kills; 0 other"), (true, "2 OOM kills; not read to its beginning, 0 other")]
        {
            let mut log = KernelLog::default();
            of_journal(&mut log, Ok(journal(&[100_000, 200_000], is_cut)), None);
            // The newest is read first.
            assert_eq!(log.whole_since(), Timestamp::from_second(100_000).ok());
            let looked = &log.looked[0];
            assert_eq!((looked.is_read, looked.is_missing), (true, is_cut));
            assert!(looked.said.starts_with(said), "{}", looked.said);
        }
        let mut log = KernelLog::default();
        let others = Answer { is_cut: true, ..Answer::default() };
        of_journal(&mut log, Ok(Journal { others, ..journal(&[100_000], false) }), None);
        // The kernel's records are whole, however many the others are.
        assert_eq!((log.whole_since(), log.looked[0].is_missing), (Timestamp::from_second(100_000).ok(), true));
        assert!(log.looked[0].said.ends_with("logins, the oldest not read"), "{}", log.looked[0].said);
        let mut log = KernelLog::default();
        of_journal(&mut log, Ok(journal(&[100_000], false)), Some(Path::new("/var/log/journal")));
        assert_eq!((log.whole_since(), log.looked[0].is_missing), (None, true));
    }

    #[test]
    fn of_a_saved_log_that_is_too_large_it_is_said_that_its_beginning_is_missing() {
        let mut log = KernelLog::default();
        take(&mut log, "kernel log", &[], "kern.log, of which only the end was read", true);
        assert!(log.looked[0].is_missing);
    }
}
