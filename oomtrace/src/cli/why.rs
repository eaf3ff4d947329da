//! `oomtrace why`: what became of a container, a pod, a unit or a process, also where nobody watched.

mod watched;

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use jiff::{Span, Timestamp};
use oomtrace::container::directory::{Directory, KEEP};
use oomtrace::kubernetes::EventsMode;
use oomtrace::model::{Answer, LookedAt, TargetKind, Why, WhyRecord};
use oomtrace::node::cgroups;
use oomtrace::node::identity::Identity;
use oomtrace::past::answer::{Subject, Traces, answer};
use oomtrace::past::gather::{self, Choice, KernelLog, Places, Whom, is_about, kernel_log, resolve, spelled_out};
use oomtrace::past::gather::{spelled_apart, told_apart, with_seen};
use oomtrace::past::imitated::Word;
use oomtrace::past::target::{Asked, Fit, fits};
use oomtrace::sink::human::{self, Look};
use oomtrace::sink::notices;
use oomtrace::store::{Candidate, StoreError};
use oomtrace::text::quote::quote;

use super::exit::{Failure, Status};
use super::options::{self, TimeForm};
use super::output::{self, Stdout, shows_ascii, width};
use watched::Watched;

/// What is older is not looked at, in hours.
const HOURS: i64 = 30 * 24;
/// Columns where there is no terminal to ask.
const WIDTH: usize = 100;

pub fn run(options: &options::Why) -> Result<Status, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    options.runtimes.absent().for_each(|absent| notices::say(&absent));
    let places = Places {
        directory: Directory::new(options.runtimes.sources(), KEEP),
        hierarchies: cgroups::hierarchies().context("cannot read /proc/self/mountinfo")?,
        kubernetes: options.kubernetes.start(EventsMode::Off),
        kernel: options.kernel_from(),
        journal: options.journal_from(),
        wtmp: options.wtmp.clone(),
        since: Timestamp::now().checked_sub(Span::new().hours(HOURS)).unwrap_or(Timestamp::UNIX_EPOCH),
        privacy: options.show.privacy(),
    };
    let log = kernel_log(&places.kernel, &places.journal, places.since);
    let found = tokio::task::LocalSet::new().block_on(&runtime, ask(options, &places, log));
    runtime.shutdown_background();
    match found {
        Asking::Answered(why) => say(options, *why),
        Asking::Several(candidates) => {
            let word = options.target.as_deref().unwrap_or_default();
            notices::say(&format!("{} may be several; ask for one of them:", quote(word)));
            for (spelled, what) in candidates {
                notices::say(&format!("  oomtrace why {spelled}    {what}"));
            }
            Ok(Status::Usage)
        }
        Asking::NoIncident { id, looked } => {
            notices::say(&no_incident(&id, &looked, options));
            Ok(Status::Usage)
        }
        Asking::Nobody { near, missing, listed } => {
            let word = options.target.as_deref().unwrap_or_default();
            let like: Vec<_> = near.iter().map(|name| quote(name)).collect();
            let like = if like.is_empty() { String::new() } else { format!("; is it {}?", like.join(" or ")) };
            // What could not be asked comes before that nothing was found: it may be why.
            let (refused, missing): (Vec<_>, Vec<_>) = missing.into_iter().partition(|why| is_refused(why));
            if !refused.is_empty() {
                notices::say(&format!("not to be read without root: {}", refused.join("; ")));
            }
            notices::say(&format!("no container, pod, unit or incident is known as {}{like}", quote(word)));
            listed.iter().for_each(|(what, command)| notices::say(&format!("{what}: try `{command}`")));
            missing.iter().for_each(|why| notices::say(&format!("not known: {why}")));
            Ok(Status::Usage)
        }
    }
}

/// Root would not have met that error, as std::io::Error words EACCES and EPERM.
fn is_refused(why: &str) -> bool {
    !nix::unistd::geteuid().is_root()
        && ["permission denied", "not permitted"].iter().any(|error| why.to_ascii_lowercase().contains(error))
}

/// The outcome of a question.
enum Asking {
    Answered(Box<Why>),
    Several(Vec<(String, String)>),
    /// No id is that one, or begins so.
    NoIncident {
        id: String,
        looked: LookedAt,
    },
    /// `listed`: kills that have to do with the name all the same, and what lists them.
    Nobody {
        near: Vec<String>,
        missing: Vec<String>,
        listed: Vec<(&'static str, String)>,
    },
}

async fn ask(options: &options::Why, places: &Places, log: KernelLog) -> Asking {
    let identity = Identity::read();
    let asked = options.target.as_deref();
    let watched = Watched::open(options.history());
    let word = asked.map(Asked::of);
    if let Some(word) = word.as_ref().filter(|word| word.is_incident()) {
        return by_id(asked, &word.word, watched, places, &identity).await;
    }
    let whom: Option<Whom> = match word {
        None => None,
        Some(word) => {
            let choice = match resolve(places, &word, &log).await {
                // It may be gone, and was seen while it was there.
                Choice::Nobody { near, missing } => match watched.whom(&word) {
                    Some(whom) => Choice::One(Box::new(whom)),
                    None => of_users_or(&word, near, missing).await,
                },
                // What a user has, or may have called so, hides no other of that name, which may be gone.
                Choice::One(whom) if whom.word() < Word::Roots => {
                    one_of(with_seen(*whom, watched.whom(&word)), Vec::new())
                }
                choice => choice,
            };
            let incidents = if word.may_begin_incident() { watched.beginning(&word.word) } else { Vec::new() };
            match (choice, incidents.as_slice()) {
                (Choice::One(whom), []) => Some(*whom),
                (Choice::One(whom), _) if is_plainly(&whom, &word, &watched, &log) => Some(*whom),
                (Choice::Several(candidates), incidents) => {
                    return Asking::Several(candidates.into_iter().chain(incidents.iter().map(chosen)).collect());
                }
                (Choice::Nobody { near, mut missing }, []) => {
                    // It may be known there.
                    let looked = log.looked.iter().cloned().chain([watched.looked()]);
                    let unread = looked.filter(|looked| looked.is_missing);
                    missing.extend(unread.map(|looked| format!("{} ({})", looked.place, looked.said)));
                    return Asking::Nobody { near, missing, listed: listed(&word.word, &watched, options) };
                }
                (Choice::One(whom), [one]) if whom.kind == TargetKind::Process => {
                    return by_id(asked, &one.id, watched, places, &identity).await;
                }
                (Choice::One(whom), incidents) if whom.kind != TargetKind::Process => {
                    let whom = std::iter::once(spelled_out(&whom));
                    return Asking::Several(whom.chain(incidents.iter().map(chosen)).collect());
                }
                (_, [one]) => return by_id(asked, &one.id, watched, places, &identity).await,
                (_, several) => return Asking::Several(several.iter().map(chosen).collect()),
            }
        }
    };
    let (mut found, exits) = (watched.of(whom.as_ref()), watched.exits_of(whom.as_ref()));
    if whom.is_some() {
        found = watched.with_followed(found, &exits);
    }
    let found = (found, exits, watched.looked());
    Asking::Answered(Box::new(gather::why(places, asked, whom, log, found, &identity).await))
}

/// Users' own daemons are asked last: anybody may have one that says anything.
async fn of_users_or(word: &Asked, near: Vec<String>, missing: Vec<String>) -> Choice {
    let found = if word.may_be(TargetKind::Container) { gather::of_users(word).await } else { Vec::new() };
    match one_of(told_apart(found), missing) {
        Choice::Nobody { missing, .. } => Choice::Nobody { near, missing },
        choice => choice,
    }
}

/// The one, or all of them.
fn one_of(mut found: Vec<Whom>, missing: Vec<String>) -> Choice {
    match found.len() {
        0 => Choice::Nobody { near: Vec::new(), missing },
        1 => Choice::One(Box::new(found.remove(0))),
        _ => Choice::Several(spelled_apart(&found, |whom| whom.container.clone())),
    }
}

/// Kills of processes that are called so, and routine ones in what is called so; each with what lists them, of the same history.
fn listed(word: &str, watched: &Watched, options: &options::Why) -> Vec<(&'static str, String)> {
    let list = |chosen: &str| format!("oomtrace history{} {chosen} {word}", from(options));
    let victims = watched.has_victim(word).then(|| ("a process of that name was killed", list("--comm")));
    let routine = watched.routine_in(word).map(|chosen| {
        ("only kills for which nobody needs to be woken are known of it", list(&format!("--all {chosen}")))
    });
    routine.into_iter().chain(victims).collect()
}

/// ` --history FILE`, where one is named.
fn from(options: &options::Why) -> String {
    let path = options.history.as_ref();
    path.map(|path| format!(" --history {}", quote(&path.display().to_string()))).unwrap_or_default()
}

/// That there is none with that id, and how to find those that there are; or that nobody can know.
fn no_incident(id: &str, looked: &LookedAt, options: &options::Why) -> String {
    let (id, said) = (quote(id), &looked.said);
    if !looked.is_read {
        return format!("whether there is an incident {id} is not known: the history was not read: {said}");
    }
    let list = format!("oomtrace history{} --format '{{id}} {{time}} {{verdict.why}}'", from(options));
    format!("no incident in {said} has the id {id}, or one that begins so; `{list}` lists them")
}

/// An incident's id begins like the word, and the word means somebody all the same: it is a container's whole name, or the pid of a process
/// that lives or of which something is known.
fn is_plainly(whom: &Whom, word: &Asked, watched: &Watched, log: &KernelLog) -> bool {
    let is_named = whom.container.as_ref().is_some_and(|container| fits(container, &word.word) == Some(Fit::Exact));
    let is_known = || {
        whom.is_there == Some(true)
            || !watched.of(Some(whom)).is_empty()
            || !watched.exits_of(Some(whom)).is_empty()
            || log.reports.iter().any(|report| is_about(report, whom))
    };
    is_named || (whom.kind == TargetKind::Process && is_known())
}

/// As it is asked for without doubt, and what it is.
fn chosen(candidate: &Candidate) -> (String, String) {
    (format!("incident:{}", candidate.id), format!("{}, {}", candidate.name, candidate.time))
}

/// One incident, which was watched: nothing else is to be looked for.
async fn by_id(asked: Option<&str>, id: &str, watched: Watched, places: &Places, identity: &Identity) -> Asking {
    // As they are made.
    let id = &id.to_ascii_lowercase();
    let found = match watched.incident(id) {
        Ok(found) => found,
        Err(StoreError::Ambiguous { candidates, .. }) => {
            return Asking::Several(candidates.iter().map(chosen).collect());
        }
        Err(error) => return Asking::Nobody { near: Vec::new(), missing: vec![error.to_string()], listed: Vec::new() },
    };
    let exits: Vec<_> = if found.is_empty() { watched.exit(id).into_iter().collect() } else { Vec::new() };
    let first = found.first().map(|first| first.id.clone());
    let Some(first) = first.or_else(|| exits.first().map(|exited| exited.id.clone())) else {
        return Asking::NoIncident { id: id.clone(), looked: watched.looked() };
    };
    let subject = Subject::new(TargetKind::Incident, first);
    let found = watched.with_followed(found, &exits);
    let mut traces = Traces { watched: found, exits, looked_at: vec![watched.looked()], ..Traces::default() };
    gather::look_for_watched(places, &mut traces).await;
    Asking::Answered(Box::new(answer(asked, Some(&subject), traces, identity, Timestamp::now())))
}

fn say(options: &options::Why, why: Why) -> Result<Status, Failure> {
    let status = match why.answer {
        Answer::Watched | Answer::Killed | Answer::Unexplained | Answer::Ended => Status::Done,
        // As grep(1): nothing was found.
        Answer::Alive | Answer::Nothing => Status::Failed,
    };
    if options.json {
        let mut out = Stdout::new();
        serde_json::to_writer(&mut out, &WhyRecord::Why(Box::new(why))).map_err(io::Error::from)?;
        writeln!(out)?;
        out.flush()?;
    } else {
        let look = Look {
            color: options.show.color.on_stdout(),
            width: io::stdout().is_terminal().then(|| width().unwrap_or(WIDTH)),
            brief: false,
            all: true,
            verbose: options.verbose,
            time: options.time.unwrap_or(TimeForm::Local).into(),
            ascii: shows_ascii(),
            losses_on_stderr: false,
        };
        let mut out = output::text();
        out.write_all(human::why(&why, look).as_bytes())?;
        out.flush()?;
    }
    Ok(status)
}
