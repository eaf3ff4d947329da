//! Looks everywhere that traces may be, each place bounded in bytes and in time, and says of each what was there.

mod candidates;
mod copies;
mod docker;
mod ended;
mod former;
mod kernel;
mod kubernetes;
mod listed;
mod managers;
mod podman;
mod whom;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::container::directory::Directory;
use crate::kubernetes::Kubernetes;
use crate::model::{Exited, Incident, LookedAt, Why};
use crate::node::cgroups::Hierarchy;
use crate::node::clock::WallClock;
use crate::node::identity::Identity;
use crate::past::answer::{Subject, Traces, answer};
use crate::past::klog::record::boot;
use crate::past::logins;
use crate::redact::Privacy;

pub use candidates::{spelled_apart, told_apart, with_seen};
pub use docker::look_for_watched;
pub use kernel::{KernelLog, is_about, kernel_log};
pub use listed::of_users;
pub use whom::{Choice, Whom, resolve, spelled_out};

/// Where the kernel's log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelFrom {
    /// On this machine.
    Here,
    /// In a file.
    File(PathBuf),
    /// Nowhere: it is left out.
    Off,
}

/// Where the journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalFrom {
    /// On this machine.
    Here,
    /// In a directory.
    Directory(PathBuf),
    /// Nowhere: it is left out.
    Off,
}

/// Whom to ask.
#[derive(Debug)]
pub struct Places {
    pub directory: Directory,
    pub hierarchies: Vec<Hierarchy>,
    pub kubernetes: Kubernetes,
    pub kernel: KernelFrom,
    pub journal: JournalFrom,
    /// The record of logins.
    pub wtmp: PathBuf,
    /// What is older is not looked at.
    pub since: Timestamp,
    pub privacy: Privacy,
}

/// Says where it was looked.
#[must_use]
pub fn looked(place: &str, is_read: bool, since: Option<Timestamp>, said: impl Into<String>) -> LookedAt {
    let since = since.map(|at| format!("{at:.9}"));
    LookedAt { place: place.to_owned(), is_read, is_missing: false, since, said: said.into() }
}

/// Says that something is there, and could not be read.
#[must_use]
pub fn unread(place: &str, said: impl Into<String>) -> LookedAt {
    LookedAt { is_missing: true, ..looked(place, false, None, said) }
}

/// This boot's id, and when it began, in seconds since 1970.
fn booted(identity: &Identity) -> Option<(u128, i64)> {
    let id = identity.boot_id.as_deref().and_then(boot)?;
    Some((id, WallClock::read().ok()?.at(0)?.as_second()))
}

/// Looks everywhere for what became of `whom`, or for the last kill. Must run inside a `LocalSet`. `watched`: incidents that were watched,
/// the latest first, ends that were watched and were no kills, and what is to be said of looking for them.
pub async fn why(
    places: &Places,
    asked: Option<&str>,
    whom: Option<Whom>,
    log: KernelLog,
    (watched, exits, looked_at): (Vec<Incident>, Vec<Exited>, LookedAt),
    identity: &Identity,
) -> Why {
    let mut traces = Traces { watched, exits, looked_at: vec![looked_at], ..Traces::default() };
    traces.kernel_since = log.whole_since();
    traces.slept_ms = log.slept_ms();
    traces.reported = log.reports.iter().map(|report| (report.at, report.cgroup.clone())).collect();
    traces.looked_at.extend(log.looked.iter().cloned());
    traces.kills = kernel::of(places, whom.as_ref(), &log).await;
    let mut subject: Option<Subject> = whom.as_ref().map(Whom::subject);
    managers::ask(places, whom.as_ref(), &log, &mut subject, &mut traces).await;
    let (spans, said) = match logins::read(&places.wtmp) {
        Ok(spans) if spans.is_empty() => (spans, looked("logins", true, None, "no login is written there")),
        Ok(spans) => {
            let since = spans.first().and_then(|span| Timestamp::from_second(span.since).ok());
            let said = format!("{} logins", spans.len());
            (spans, looked("logins", true, since, said))
        }
        Err(error) => {
            let said = format!("{}: {error}", places.wtmp.display());
            let is_there = error.kind() != std::io::ErrorKind::NotFound;
            (Vec::new(), if is_there { unread("logins", said) } else { looked("logins", false, None, said) })
        }
    };
    traces.looked_at.push(said);
    traces.sessions = spans;
    let booted = if places.journal == JournalFrom::Here { booted(identity) } else { None };
    traces.sessions.extend(logins::of_journal(&log.entries, booted));
    for placed in &mut traces.kills {
        placed.container.iter_mut().for_each(|container| places.privacy.container(container));
    }
    for ended in &mut traces.ends {
        ended.container.iter_mut().for_each(|container| places.privacy.container(container));
    }
    if let Some(container) = subject.as_mut().and_then(|subject| subject.container.as_mut()) {
        places.privacy.container(container);
    }
    answer(asked, subject.as_ref(), traces, identity, Timestamp::now())
}
