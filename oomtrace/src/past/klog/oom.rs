//! OOM reports, put together from the lines of the kernel's log. The OOM killer holds one lock while it writes one (`oom_lock`,
//! mm/oom_kill.c), so that reports do not mix, whatever others write in between.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::past::klog::lines::{Counter, Killed, Line, read};
use crate::past::klog::record::{Record, Stamp};
use crate::past::klog::summary::{Constraint, Summary, summary, task_in};

/// Reports that are kept, the latest ones.
const MAX_REPORTS: usize = 2048;
/// Rows of a table of tasks that are kept.
const MAX_TASKS: usize = 512;
/// Entries of memory.stat; a kernel has some sixty.
const MAX_STAT: usize = 256;
/// Victims of one report that are kept: all of a cgroup with memory.oom.group.
const MAX_VICTIMS: usize = 256;
/// Lines that name a victim and its limit, of one report: a report has one.
const MAX_SUMMARIES: usize = 8;
/// Lines after which a report that has no victim is over.
const MAX_LINES: usize = 100_000;
/// A record of several lines that is longer was cut at its end (LOG_LINE_MAX, kernel/printk/printk.c).
const CUT: usize = 900;

/// A report, as far as the log has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// When the first victim was killed; else when it began.
    pub at: Option<Timestamp>,
    /// The same by the kernel's own clock.
    pub stamp: Option<Stamp>,
    /// The log has its beginning. Without it the kernel left the report out, or the log has lost it.
    pub has_start: bool,
    pub trigger: Option<Trigger>,
    pub gfp: Option<String>,
    pub order: Option<i32>,
    /// A memory cgroup ran out; none where nothing says so.
    pub constraint: Option<Constraint>,
    /// The cgroup whose limit was hit.
    pub owner: Option<String>,
    /// The first victim's memory cgroup.
    pub cgroup: Option<String>,
    pub memory: Option<Usage>,
    pub swap: Option<Usage>,
    pub memory_and_swap: Option<Usage>,
    pub kernel: Option<Usage>,
    /// memory.stat of the limit's owner.
    pub stat: BTreeMap<String, u64>,
    /// Tasks that it could choose among, in the order of the table.
    pub tasks: Vec<Task>,
    /// Everything in this cgroup was killed with the victim.
    pub group: Option<String>,
    /// The first one is the one that was chosen.
    pub victims: Vec<Victim>,
    /// The kernel left reports out right before or within this one.
    pub suppressed: u64,
    /// The machine's memory, where that ran out.
    pub host_pages: Option<u64>,
    /// A name in it could be read in two ways: somebody chose it so.
    pub is_ambiguous: bool,
    /// Each line of it is the kernel's by its source's word.
    pub by_kernel: bool,
    /// Each line of it may be a further line of a record about something else: such a report is left out.
    pub may_be_imitated: bool,
}

/// Who asked for the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
    pub comm: String,
    pub pid: Option<u32>,
}

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub usage_bytes: u64,
    /// None: no limit.
    pub limit_bytes: Option<u64>,
}

/// A process that was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Victim {
    pub pid: u32,
    pub comm: String,
    pub uid: Option<u32>,
    pub total_vm_bytes: u64,
    pub anon_bytes: u64,
    pub file_bytes: u64,
    pub shmem_bytes: Option<u64>,
    pub page_tables_bytes: Option<u64>,
    pub swap_pages: Option<u64>,
    pub oom_score_adj: Option<i32>,
}

/// A row of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    pub pid: u32,
    pub uid: u32,
    pub comm: String,
    pub resident_pages: u64,
    pub swap_pages: u64,
    pub oom_score_adj: i32,
}

/// What a log says of OOM kills.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The oldest first.
    pub reports: Vec<Report>,
    /// Reports that the kernel left out.
    pub suppressed: u64,
    /// Records that were lost before they were written.
    pub dropped: u64,
    /// Reports that are none of these: all their lines may be of records about something else.
    pub imitated: u64,
}

/// Reads them.
#[must_use]
pub fn reports<'a>(records: impl IntoIterator<Item = &'a Record>) -> Found {
    let mut reader = Reader::default();
    for record in records {
        reader.take(record);
    }
    reader.end();
    reader.found
}

/// In which part of a report the next line is.
#[derive(Debug, Default)]
enum Part {
    #[default]
    Other,
    Stat,
    Table(Vec<String>),
}

#[derive(Debug, Default)]
struct Reader {
    found: Found,
    open: Option<Report>,
    part: Part,
    lines: usize,
    /// The owner, as its own line has it.
    stat_of: Option<String>,
    stats: usize,
    /// The latest first: which one is of this report, its victim's pid says.
    summaries: Vec<String>,
    is_task_in_unread: bool,
    chosen_in_memcg: Option<bool>,
    suppressed: u64,
    /// Of the line before, in microseconds.
    stamp_us: Option<u64>,
}

impl Reader {
    /// The line may be a further one of the record that the line before is of: in a file of text each line of a record has its prefix (`dmesg
    /// -S`, util-linux), and whoever names a file with line feeds, of which the kernel says something, writes such lines. The kernel's own reports
    /// are of many records, at different times.
    fn goes_on(&mut self, record: &Record) -> bool {
        let us = record.stamp.map(|stamp| stamp.us);
        let before = std::mem::replace(&mut self.stamp_us, us);
        us.is_some() && before == us && record.number.is_none() && !record.by_kernel
    }

    fn take(&mut self, record: &Record) {
        let goes_on = self.goes_on(record);
        self.lines += 1;
        if self.lines > MAX_LINES {
            self.end();
        }
        let part = std::mem::take(&mut self.part);
        let is_of_part = match &part {
            Part::Stat => self.stat(&record.text),
            Part::Table(columns) => self.row(columns, &record.text),
            Part::Other => false,
        };
        if is_of_part {
            self.wrote(record, goes_on);
            return self.part = part;
        }
        let line = read(&record.text);
        let is_other = line == Line::Other;
        match line {
            Line::Invoked { comm, gfp, order } => {
                self.end();
                let report = self.report(record);
                report.has_start = true;
                report.trigger = Some(Trigger { comm: comm.to_owned(), pid: None });
                (report.gfp, report.order) = (Some(gfp.to_owned()), Some(order));
            }
            Line::Context { pid, comm } => {
                if let Some(trigger) = self.open.as_mut().and_then(|report| report.trigger.as_mut())
                    && trigger.pid.is_none()
                    && trigger.comm == comm
                {
                    trigger.pid = Some(pid);
                }
            }
            Line::Counter { which, usage_bytes, limit_bytes } => {
                if let Some(report) = self.open.as_mut().filter(|report| report.victims.is_empty()) {
                    let of = match which {
                        Counter::Memory => &mut report.memory,
                        Counter::Swap => &mut report.swap,
                        Counter::MemoryAndSwap => &mut report.memory_and_swap,
                        Counter::Kernel => &mut report.kernel,
                    };
                    of.get_or_insert(Usage { usage_bytes, limit_bytes });
                }
            }
            Line::StatOf { path, inline } => self.stat_of(path, inline),
            Line::Table(columns) => {
                if self.open.is_some() {
                    self.part = Part::Table(columns.into_iter().map(str::to_owned).collect());
                }
            }
            Line::Summary(text) => {
                self.summaries.truncate(MAX_SUMMARIES - 1);
                self.summaries.insert(0, text.to_owned());
            }
            Line::TaskIn(text) => {
                if let Some(report) = self.open.as_mut().filter(|report| report.victims.is_empty()) {
                    match task_in(text) {
                        Some((cgroup, owner)) => {
                            (report.cgroup, report.owner) = (Some(cgroup), Some(owner));
                            report.constraint = Some(Constraint::Memcg);
                        }
                        None => (self.is_task_in_unread, self.part) = (true, part),
                    }
                }
            }
            Line::Chosen { in_memcg } => self.chosen_in_memcg = Some(in_memcg),
            Line::Group { path } => {
                if let Some(report) = &mut self.open {
                    report.group = Some(path.to_owned());
                }
            }
            Line::HostPages(pages) => {
                if let Some(report) = &mut self.open {
                    report.host_pages.get_or_insert(pages);
                }
            }
            Line::Killed(killed) => self.killed(record, &killed),
            Line::Suppressed(count) => {
                self.found.suppressed += count;
                self.suppressed += count;
            }
            Line::Dropped(count) => self.found.dropped += count,
            // The kernel writes lines of others' doings into a report as well, as of a process that crashed.
            Line::Other => self.part = part,
        }
        self.wrote(record, goes_on || is_other);
    }

    /// Whoever wrote this had a part in the report that is open.
    fn wrote(&mut self, record: &Record, goes_on: bool) {
        if let Some(report) = &mut self.open {
            report.by_kernel &= record.by_kernel;
            report.may_be_imitated &= goes_on;
        }
    }

    /// The report that is open, or a new one.
    fn report(&mut self, record: &Record) -> &mut Report {
        let suppressed = &mut self.suppressed;
        self.open.get_or_insert_with(|| Report {
            at: record.at,
            stamp: record.stamp,
            by_kernel: record.by_kernel,
            may_be_imitated: true,
            suppressed: std::mem::take(suppressed),
            ..Report::default()
        })
    }

    /// A victim ends a report, but for those that die with it.
    fn killed(&mut self, record: &Record, killed: &Killed<'_>) {
        let in_memcg = killed.in_memcg.or(self.chosen_in_memcg);
        let is_more = self.open.as_ref().is_some_and(|report| report.group.is_some() && !report.victims.is_empty());
        let (summaries, known) = (std::mem::take(&mut self.summaries), self.stat_of.take());
        let is_task_in_unread = std::mem::take(&mut self.is_task_in_unread);
        if self.open.as_ref().is_some_and(|report| !report.victims.is_empty()) && !is_more {
            self.end();
        }
        let report = self.report(record);
        if report.victims.is_empty() {
            report.at = record.at.or(report.at);
            report.stamp = record.stamp.or(report.stamp);
            let summaries: Vec<Summary> = summaries.iter().map(|text| summary(text, known.as_deref())).collect();
            // It is about this very victim.
            if let Some(found) = summaries.iter().find(|found| found.pid == Some(killed.pid)) {
                report.is_ambiguous |= found.is_ambiguous;
                // Of a memory cgroup it said NONE before 5.1.
                let is_memcg = found.constraint == Some(Constraint::None) && found.owner.is_some();
                report.constraint = if is_memcg { Some(Constraint::Memcg) } else { found.constraint };
                (report.owner, report.cgroup) = (found.owner.clone(), found.cgroup.clone());
            } else {
                let is_unread = is_task_in_unread && report.cgroup.is_none();
                report.is_ambiguous |= is_unread || summaries.iter().any(|found| found.is_ambiguous);
            }
            // Of the line before, which names no cgroup where there is none.
            report.constraint = match (report.constraint, in_memcg) {
                (None, Some(true)) => Some(Constraint::Memcg),
                (None, Some(false)) if report.has_start => Some(Constraint::None),
                (constraint, _) => constraint,
            };
            report.owner = report.owner.take().or(known.filter(|_| report.constraint == Some(Constraint::Memcg)));
        }
        // A group's members are killed in turn, the one that was chosen among them.
        let is_known = report.victims.iter().any(|victim| victim.pid == killed.pid);
        if report.victims.len() < MAX_VICTIMS && !is_known {
            let row = report.tasks.iter().find(|task| task.pid == killed.pid);
            report.victims.push(Victim {
                pid: killed.pid,
                comm: killed.comm.to_owned(),
                uid: killed.uid.or(row.map(|row| row.uid)),
                total_vm_bytes: killed.total_vm_bytes,
                anon_bytes: killed.anon_bytes,
                file_bytes: killed.file_bytes,
                shmem_bytes: killed.shmem_bytes,
                page_tables_bytes: killed.page_tables_bytes,
                swap_pages: row.map(|row| row.swap_pages),
                oom_score_adj: killed.oom_score_adj.or(row.map(|row| row.oom_score_adj)),
            });
        }
    }

    /// The first is the limit's owner; to 4.20 there is one for each cgroup below it, too.
    fn stat_of(&mut self, path: &str, inline: &str) {
        let Some(report) = self.open.as_mut().filter(|report| report.victims.is_empty()) else { return };
        self.stats += 1;
        if self.stats > 1 {
            // What the first has is its own alone, then: no figures of all.
            report.stat.retain(|name, _| !name.starts_with("total_"));
            return;
        }
        self.stat_of = Some(path.to_owned());
        if inline.is_empty() {
            self.part = Part::Stat;
            return;
        }
        let all = format!("cache:{inline}");
        for (name, size) in all.split(' ').filter_map(|pair| pair.split_once(':')) {
            let bytes = size.strip_suffix("KB").and_then(|size| size.parse::<u64>().ok()?.checked_mul(1024));
            if let Some(bytes) = bytes.filter(|_| report.stat.len() < MAX_STAT) {
                report.stat.insert(name.to_owned(), bytes);
                report.stat.insert(format!("total_{name}"), bytes);
            }
        }
    }

    /// Lines of memory.stat, one or several in a record (5.3 to 6.1); false when it is something else.
    fn stat(&mut self, text: &str) -> bool {
        let Some(report) = &mut self.open else { return false };
        let lines: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
        let is_cut = lines.len() > 1 && text.len() >= CUT && !text.ends_with('\n');
        let whole = lines.len().saturating_sub(usize::from(is_cut));
        // dmesg indents what follows a record's first line.
        let pair = |line: &str| {
            line.trim_start().split_once(' ').and_then(|(name, number)| Some((name.to_owned(), number.parse().ok()?)))
        };
        // All of it or nothing: a process's name within another line may have line feeds.
        let pairs: Option<Vec<(String, u64)>> = lines.iter().take(whole).map(|line| pair(line)).collect();
        let Some(pairs) = pairs.filter(|_| !lines.is_empty()) else { return false };
        for (name, number) in pairs {
            if report.stat.len() < MAX_STAT {
                report.stat.insert(name, number);
            }
        }
        true
    }

    /// A row of the table; false when it is something else.
    fn row(&mut self, columns: &[String], text: &str) -> bool {
        let Some(report) = &mut self.open else { return false };
        let Some(task) = row(columns, text) else { return false };
        if report.tasks.len() < MAX_TASKS {
            report.tasks.push(task);
        } else if let Some(least) = report.tasks.iter_mut().min_by_key(|task| task.resident_pages)
            && least.resident_pages < task.resident_pages
        {
            *least = task;
        }
        true
    }

    fn end(&mut self) {
        (self.lines, self.stats) = (0, 0);
        (self.stat_of, self.chosen_in_memcg) = (None, None);
        (self.summaries, self.is_task_in_unread) = (Vec::new(), false);
        // One without a victim found none to kill, or its end is lost.
        if let Some(report) = self.open.take().filter(|report| !report.victims.is_empty()) {
            if report.may_be_imitated {
                self.found.imitated += 1;
                return;
            }
            if self.found.reports.len() >= MAX_REPORTS {
                self.found.reports.remove(0);
            }
            self.found.reports.push(report);
        }
    }
}

/// `[   9881] 12345  9881     6769     6449     6048 …             0 tail`
fn row(columns: &[String], text: &str) -> Option<Task> {
    let (pid, mut rest) = text.strip_prefix('[')?.split_once(']')?;
    let mut task = Task { pid: pid.trim().parse().ok()?, ..Task::default() };
    for column in columns.iter().take(columns.len().saturating_sub(1)) {
        let (number, after) = rest.trim_start_matches(' ').split_once(' ')?;
        rest = after;
        let size = || number.parse().ok();
        match column.as_str() {
            "uid" => task.uid = number.parse().ok()?,
            "rss" => task.resident_pages = size()?,
            "swapents" => task.swap_pages = size()?,
            "oom_score_adj" => task.oom_score_adj = number.parse().ok()?,
            _ => {
                number.parse::<i64>().ok()?;
            }
        }
    }
    task.comm = rest.to_owned();
    Some(task)
}

#[cfg(test)]
mod tests;
