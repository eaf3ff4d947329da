//! Options about what has been.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use oomtrace::past::gather::{JournalFrom, KernelFrom};
use oomtrace::past::logins;

use super::keeping::{NoHistory, kept_at};
use super::{Runtimes, Select, Show, TimeForm, heading};
use crate::cli::kubernetes::KubernetesOptions;

const AFTER_HELP: &str = "\
A target is a container by its name or the beginning of its id, a pod (NAME or NAMESPACE/NAME), a systemd unit, a pid, or the id of an \
incident, or the beginning of one. Where a word may mean several, they are listed: container:web, pod:shop/web, unit:web.service, pid:4711 \
and incident:ID say which.

What oomtrace saw while it ran is the answer, where it did. Else the answer is put together after the fact, from the kernel's log, the \
journal, what Docker, Podman, the kubelet and systemd say of ends, counters, and who was logged in; it says so, and how sure it is.

Exit status:
  0  a kill or an end was found
  1  none was found, it lives, or something failed
  2  the word means nothing that is known, or several things";

/// Why what ended.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Why {
    /// A container, a pod, a systemd unit, a pid, or an incident's id; without it, the last kill on this node
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
    /// Print one JSON object in place of text (`oomtrace schema why` describes it)
    #[arg(long)]
    pub json: bool,
    /// Show in text the evidence, where each of it comes from, and where it was looked
    #[arg(long, short, conflicts_with = "json")]
    pub verbose: bool,
    /// How to show times in text; without it, as local
    #[arg(long, value_enum, value_name = "HOW", conflicts_with = "json")]
    pub time: Option<TimeForm>,
    /// Read the kernel's log from this file: what dmesg printed, /var/log/kern.log, `journalctl -k -o json`, or a copy of /dev/kmsg
    #[arg(long, value_name = "FILE", conflicts_with = "no_kernel_log")]
    pub kernel_log: Option<PathBuf>,
    /// Leave the kernel's log out, but for what the journal has of it
    #[arg(long)]
    pub no_kernel_log: bool,
    /// Read the journal in this directory, as of another machine's disk: journalctl -D
    #[arg(long, value_name = "DIR", conflicts_with = "no_journal")]
    pub journal: Option<PathBuf>,
    /// Leave the journal out
    #[arg(long)]
    pub no_journal: bool,
    /// The history that an oomtrace which watches keeps; without it the one that OOMTRACE_HISTORY names, or /var/lib/oomtrace/history.db
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Leave the history out
    #[arg(long, conflicts_with = "history")]
    pub no_history: bool,
    /// The record of logins
    #[arg(long, value_name = "FILE", default_value = logins::WTMP, hide_short_help = true)]
    pub wtmp: PathBuf,
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub show: Show,
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub runtimes: Runtimes,
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub kubernetes: KubernetesOptions,
}

impl Why {
    pub fn kernel_from(&self) -> KernelFrom {
        match (&self.kernel_log, self.no_kernel_log) {
            (Some(file), _) => KernelFrom::File(file.clone()),
            (None, true) => KernelFrom::Off,
            (None, false) => KernelFrom::Here,
        }
    }

    /// The history; or why there is none.
    pub fn history(&self) -> Result<PathBuf, String> {
        if self.no_history {
            return Err("left out (--no-history)".to_owned());
        }
        kept_at(self.history.as_deref()).map_err(|NoHistory| "left out (OOMTRACE_HISTORY=off)".to_owned())
    }

    pub fn journal_from(&self) -> JournalFrom {
        match (&self.journal, self.no_journal) {
            (Some(directory), _) => JournalFrom::Directory(directory.clone()),
            (None, true) => JournalFrom::Off,
            (None, false) => JournalFrom::Here,
        }
    }
}

const AFTER_REPORT: &str = "\
Examples:
  oomtrace report --since yesterday -o report.html         of the history that a watching oomtrace keeps
  oomtrace report --container web --cause oom -o web.html  OOM kills of web in the last day
  oomtrace report 18ea58b4 -o report.html                  of one incident of it
  oomtrace report --from kills.jsonl -o report.html        of what `oomtrace --json` has written
  oomtrace replay kills.rec --json | oomtrace report --from - -o report.html
  sudo oomtrace why web --json | oomtrace report --from - --markdown

The page is one file: it loads nothing, runs no script, is dark or light as its reader's system is, and prints on A4.";

/// What to report, and how.
#[derive(Debug, Args)]
#[command(after_help = AFTER_REPORT)]
pub struct Report {
    /// One incident, by its id or the beginning of that; without it, all of them
    #[arg(value_name = "INCIDENT")]
    pub incident: Option<String>,
    /// Of these JSON lines, as `oomtrace --json` or `oomtrace why --json` prints them; - is standard input; without it, of the history
    #[arg(long, value_name = "FILE", conflicts_with_all = ["history", "since", "until"])]
    pub from: Option<PathBuf>,
    /// The history that an oomtrace which watches keeps; without it the one that OOMTRACE_HISTORY names, or /var/lib/oomtrace/history.db
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Only kills since then: '2 h ago', 'yesterday 03:00', 2026-11-25, or RFC 3339; without it, of the last day
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only kills before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Write it to this file; without it, to standard output, if that is no terminal
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// As Markdown, to paste into a ticket, in place of HTML
    #[arg(long)]
    pub markdown: bool,
    /// Routine kills, too, and each of those that are alike by itself
    #[arg(long)]
    pub all: bool,
    /// How to show times; without it, as local. The page says which
    #[arg(long, value_enum, value_name = "HOW", default_value_t = PageTime::Local, hide_default_value = true)]
    pub time: PageTime,
    #[command(flatten, next_help_heading = heading::FILTERS)]
    pub select: Select,
}

/// How a page shows times: it is read on other days, and in other places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PageTime {
    /// In this machine's time zone
    Local,
    /// In UTC
    Utc,
}

impl PageTime {
    pub fn zone(self) -> TimeZone {
        match self {
            Self::Local => TimeZone::system(),
            Self::Utc => TimeZone::UTC,
        }
    }
}

impl Report {
    pub fn conflict(&self) -> Option<&'static str> {
        let is_chosen = self.incident.is_some() && !self.select.filter().is_everything();
        is_chosen.then_some("an incident is chosen by its id alone; filters are for all of them")
    }

    /// The history; or that there is none.
    pub fn history(&self) -> Result<PathBuf, NoHistory> {
        kept_at(self.history.as_deref())
    }
}
