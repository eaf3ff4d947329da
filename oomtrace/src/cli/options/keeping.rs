//! Options of the history: whether it is kept, and what is wanted of it.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use oomtrace::store::{Bounds, By, DEFAULT_PATH};

use super::{Color, Form, Reading, Select, Show, Watch, heading};
use crate::cli::values::history_size;

/// Whether and where incidents are kept.
#[derive(Clone, Debug, Args)]
pub struct Keep {
    /// Keep the incidents in this file, for `oomtrace history`; without it root keeps them in /var/lib/oomtrace/history.db
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Keep no history
    #[arg(long, conflicts_with_all = ["history", "history_days", "history_size"])]
    pub no_history: bool,
    /// How many days of history are kept
    #[arg(long, value_name = "DAYS", default_value_t = Bounds::DEFAULT.days, value_parser = clap::value_parser!(u32).range(1..=3660), hide_short_help = true)]
    pub history_days: u32,
    /// How large the history may be (for example 64M, 1G); the oldest incidents go first, those of whoever has more than a quarter of all before
    /// the others': a user with all that they have, a container with all in it
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = history_size, hide_short_help = true)]
    pub history_size: u64,
}

/// Names the history where no option does; `off`: there is none.
const VARIABLE: &str = "OOMTRACE_HISTORY";

impl Keep {
    /// Where, if anywhere; whether somebody has named the place.
    pub fn path(&self) -> Option<(PathBuf, bool)> {
        match (&self.history, std::env::var_os(VARIABLE).filter(|named| !named.is_empty())) {
            _ if self.no_history => None,
            (Some(path), _) => Some((path.clone(), true)),
            (None, Some(named)) => (named != "off").then(|| (named.into(), true)),
            // Others may not write there, and have not asked for it.
            (None, None) => nix::unistd::geteuid().is_root().then(|| (PathBuf::from(DEFAULT_PATH), false)),
        }
    }

    pub const fn bounds(&self) -> Bounds {
        Bounds { days: self.history_days, bytes: self.history_size }
    }
}

/// Where kills from before are read; nothing is kept.
#[derive(Clone, Debug, Args)]
pub struct LastKills {
    /// The history that top reads the last kills from; without it the one that OOMTRACE_HISTORY names, or /var/lib/oomtrace/history.db
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Leave the history out: only kills that happen meanwhile are shown
    #[arg(long, conflicts_with = "history")]
    pub no_history: bool,
}

/// How to watch without a terminal.
#[derive(Debug, Args)]
#[command(after_help = "\
It tells systemd when it watches (Type=notify), and that it still does (WatchdogSec=). deploy/oomtrace.service is a unit for it.")]
pub struct Agent {
    #[command(flatten)]
    pub watch: Watch,
    #[command(flatten, next_help_heading = heading::HISTORY)]
    pub keep: Keep,
}

/// What is wanted of the history.
#[derive(Debug, Args)]
#[command(mut_arg("all", |all| all.help("Show routine kills, too, and each of those that are alike by itself (json, yaml and csv have them always)")))]
#[command(after_help = "\
Examples:
  oomtrace history                                   the last 100 lines of kills, 10 of each place; like ones are on one line
  oomtrace history --all                             each by itself, and routine ones, too
  oomtrace history --since '2 h ago'                 all of the last two hours
  oomtrace history --since 'yesterday 03:00' --until 'yesterday 04:00' --format text
                                                     an hour of yesterday, with all that is known
  oomtrace history --container web --cause oom       OOM kills of web
  oomtrace history --by container --since monday     how many there were of which container
  oomtrace history --by hour --json                  how many in each hour, as JSON

A container that was made anew is the same one by its Compose service, by its pod's owner, or by its name. What --by shows is found again by \
the option of that kind (--container, --image, --pod …), quotes and all; a name that is cut by its end, with the sign before it.")]
pub struct History {
    /// The history; without it the one that OOMTRACE_HISTORY names, or /var/lib/oomtrace/history.db
    #[arg(long = "history", value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Only kills since then: '2 h ago', 'yesterday 03:00', 03:12, monday, 2026-11-25, '2026-11-25 03:12', or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only kills before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only so many lines, the latest; in text and brief one may stand for several like kills. Without this, --since and --until it is 100, in
    /// text and brief with 10 of one container, unit or program at the most, and 50 of all that one user has made, unless one is asked for
    #[arg(long, value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub last: Option<usize>,
    /// Count them by what they have in common, in place of listing them
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "last")]
    pub by: Option<By>,
    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub reading: Reading,
    #[command(flatten, next_help_heading = heading::FILTERS)]
    pub select: Select,
}

/// Where the history is that a watching oomtrace keeps: what the option names, what the environment does, or the machine's.
///
/// # Errors
/// When the environment says that there is none.
pub fn kept_at(option: Option<&Path>) -> Result<PathBuf, NoHistory> {
    if let Some(path) = option {
        return Ok(path.to_owned());
    }
    match std::env::var_os(VARIABLE) {
        Some(named) if named == "off" => Err(NoHistory),
        // As if it were not set: whoever watches has it so, too.
        Some(named) if !named.is_empty() => Ok(named.into()),
        _ => Ok(DEFAULT_PATH.into()),
    }
}

/// The environment has the history turned off.
#[derive(Debug, thiserror::Error)]
#[error("there is no history to read: {VARIABLE}=off turns it off; --history FILE names one")]
pub struct NoHistory;

impl History {
    pub fn conflict(&self) -> Option<&'static str> {
        if self.by.is_some() && matches!(self.reading.form(), Form::Template(_)) {
            return Some("a template is for incidents; counts (--by) are text, json, yaml or csv");
        }
        self.reading.conflict()
    }

    /// What is kept was masked when it was put out.
    pub const fn show(&self) -> Show {
        Show { color: self.color, no_redact: false, no_cmdline: false }
    }
}
