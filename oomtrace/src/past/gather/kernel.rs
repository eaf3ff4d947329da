//! The kernel's log, from all places that have it, and whose its reports are.

use std::path::Path;

use jiff::Timestamp;

use crate::model::{Container, LookedAt, TargetKind};
use crate::node::namespaces;
use crate::past::gather::{JournalFrom, KernelFrom, Places, Whom, looked, unread};
use crate::past::imitated::{is_of_pod, is_of_unit, may_be_of_container};
use crate::past::journal::{self, Entry, Said};
use crate::past::klog::kmsg;
use crate::past::klog::oom::{self, Report};
use crate::past::klog::record::Record;
use crate::past::klog::saved;
use crate::past::placed::Placed;
use crate::placement::Placement;

/// Reports of one target that are looked at, the latest ones: each may take a question to a runtime.
const MAX_ASKED: usize = 64;
/// The same report in the kernel's log and in the journal: their clocks are not the same. In milliseconds.
const SAME_MS: u64 = 5_000;

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
        JournalFrom::Here => of_journal(&mut log, None, since),
        JournalFrom::Directory(directory) => of_journal(&mut log, Some(directory), since),
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
            log.has_gaps |= read.is_cut;
            take(log, "kernel log", &records, &format!("{begins}{cut}"));
        }
        Err(error) => log.looked.push(unread("kernel log", format!("{}: {error}", kmsg::PATH))),
    }
}

fn file(log: &mut KernelLog, path: &Path) {
    match saved::read(path, Timestamp::now()) {
        Ok(records) => {
            // Of another time, or of another machine.
            log.has_gaps = true;
            take(log, "kernel log", &records, &path.display().to_string());
        }
        Err(error) => log.looked.push(unread("kernel log", format!("{}: {error}", path.display()))),
    }
}

fn of_journal(log: &mut KernelLog, directory: Option<&Path>, since: Timestamp) {
    match journal::read(directory, since) {
        Ok(read) => {
            let mut records = Vec::new();
            for entry in read.entries {
                match entry.said {
                    Said::Kernel { .. } => records.extend(entry.kernel()),
                    _ => log.entries.push(entry),
                }
            }
            let cut = if read.is_cut { "not read to its end, " } else { "" };
            let had = log.reports.len();
            let others = log.entries.len();
            take(log, "journal", &records, &format!("{cut}{others} other entries about ends and logins"));
            drop_copies(&mut log.reports, had);
            // Of others' entries journalctl says nothing to whoever may not read them, and does not say so.
            if let Some(closed) = directory.is_none().then(journal::closed).flatten()
                && let Some(looked) = log.looked.last_mut()
            {
                looked.is_missing = true;
                log.has_gaps = true;
                looked.said = format!("{}; without the right to read {}", looked.said, closed.display());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            log.looked.push(looked("journal", false, None, error.to_string()));
        }
        Err(error) => log.looked.push(unread("journal", error.to_string())),
    }
}

/// Adds what records say.
fn take(log: &mut KernelLog, place: &str, records: &[Record], of: &str) {
    let found = oom::reports(records);
    let since = records.iter().find_map(|record| record.at);
    let lost = match (found.suppressed, found.dropped) {
        (0, 0) => String::new(),
        (reports, 0) => format!("; the kernel left {reports} reports out, for there were too many at once"),
        (0, records) => format!("; {records} records were lost before they were written"),
        (reports, records) => format!("; {reports} reports were left out, and {records} records lost"),
    };
    log.has_gaps |= found.suppressed + found.dropped > 0;
    let kills = match found.reports.len() {
        0 => "no OOM kill".to_owned(),
        1 => "one OOM kill".to_owned(),
        count => format!("{count} OOM kills"),
    };
    let said =
        if records.is_empty() { format!("nothing of the kernel's; {of}") } else { format!("{kills}; {of}{lost}") };
    log.looked.push(looked(place, true, since, said));
    log.since = [log.since, since].into_iter().flatten().min();
    log.reports.extend(found.reports);
}

/// Drops those from `had` on that are there already: journald copies the kernel's log. The one with more of it stays.
fn drop_copies(reports: &mut Vec<Report>, had: usize) {
    let copies = reports.split_off(had.min(reports.len()));
    for copy in copies {
        let is_same = |known: &&mut Report| {
            let near = known
                .at
                .zip(copy.at)
                .is_some_and(|(one, other)| one.as_millisecond().abs_diff(other.as_millisecond()) <= SAME_MS);
            near && known.victims.first().map(|victim| victim.pid) == copy.victims.first().map(|victim| victim.pid)
        };
        match reports.iter_mut().find(is_same) {
            Some(known) if known.has_start || !copy.has_start => {}
            Some(known) => *known = copy,
            None => reports.push(copy),
        }
    }
}

/// The reports about a target, or all of them, each with its container as its runtime knows it; the oldest first.
pub async fn of(places: &Places, whom: Option<&Whom>, log: &KernelLog) -> Vec<Placed> {
    let its: Vec<&Report> =
        log.reports.iter().filter(|report| whom.is_none_or(|whom| is_about(report, whom))).collect();
    // Without a target the last one is the answer, and the others are only counted.
    let asked = if whom.is_none() { 1 } else { MAX_ASKED };
    let from = its.len().saturating_sub(asked);
    let mut found = Vec::new();
    for (index, report) in its.into_iter().enumerate() {
        let place = report.cgroup.as_deref().map(Placement::parse).and_then(|placement| placement.container);
        let mut placed =
            Placed { report: report.clone(), systemd: namespaces::is_booted_by_systemd(), ..Placed::default() };
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
            {
                believe(container, known);
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
fn believe(container: &mut Container, known: &Container) {
    if !container.confirmed && known.confirmed && container.id == known.id && container.cgroup == known.cgroup {
        *container = known.clone();
    }
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

    #[test]
    fn what_journald_copied_is_there_once() {
        let report = |second: i64, pid: u32, has_start: bool| Report {
            at: Timestamp::from_second(second).ok(),
            has_start,
            victims: vec![oom::Victim { pid, ..oom::Victim::default() }],
            ..Report::default()
        };
        let mut all = vec![
            report(100, 7, false),
            report(200, 8, true),
            report(101, 7, true),
            report(203, 8, false),
            report(300, 8, true),
        ];
        drop_copies(&mut all, 2);
        let kept: Vec<_> = all.iter().map(|report| (report.at.unwrap().as_second(), report.has_start)).collect();
        assert_eq!(kept, [(101, true), (200, true), (300, true)]);
    }
}
