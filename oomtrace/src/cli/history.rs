//! `oomtrace history`: kills that were kept.

mod counts;
mod exits;
mod rest;

use std::io::{self, Write};

use anyhow::{Context as _, anyhow};
use jiff::{Timestamp, Zoned};
use oomtrace::model::{Incident, Record};
use oomtrace::sink::notices;
use oomtrace::store::{self, By, History, Kept, Rest, Selection, Shown, StoreError};
use oomtrace::words::folded::not_by_themselves;

use super::exit::{Failure, Status};
use super::options::{self, Form};
use super::output::{self, Stdout};
use super::period::Period;

/// Listed where nothing says how many.
const LISTED: usize = 100;

pub fn run(options: &options::History) -> Result<Status, Failure> {
    let now = Zoned::now();
    let selection = match selection(options, &now) {
        Ok(selection) => selection,
        Err(wrong) => {
            notices::say(&wrong);
            return Ok(Status::Usage);
        }
    };
    let path = options::kept_at(options.path.as_deref())?;
    let history = History::open(&path).map_err(advised)?;
    if history.without_log {
        notices::say(
            "the last kills before its writer was cut off may be missing: they are in a log that cannot be read here",
        );
    }
    match options.by {
        Some(by) => counts::run(options, &history, &selection, by, now.time_zone()),
        None => list(options, &history, selection),
    }
}

/// Which incidents; or what is wrong with the times.
fn selection(options: &options::History, now: &Zoned) -> Result<Selection, String> {
    let Period { since, until, said } = Period::of(options.since.as_deref(), options.until.as_deref(), now)?;
    said.iter().for_each(|said| notices::say(said));
    let is_bounded = since.is_some() || until.is_some() || options.by.is_some();
    let last = options.last.or((!is_bounded).then_some(LISTED));
    let (filter, routine) = (options.select.filter(), options.reading.all);
    Ok(Selection { filter, identity: None, since, until, last, routine, counted: true })
}

/// What can be done about it.
pub fn advised(error: StoreError) -> Failure {
    match &error {
        StoreError::Absent { .. } => Failure(anyhow!(
            "{error}: `oomtrace agent`, and any other oomtrace that watches as root, keeps one; --history names another file"
        )),
        StoreError::File { error: io, .. } if io.kind() == std::io::ErrorKind::PermissionDenied => {
            Failure(anyhow!("{error}: run it as root, or as somebody who may read it"))
        }
        _ => error.into(),
    }
}

fn list(options: &options::History, history: &History, selection: Selection) -> Result<Status, Failure> {
    let reading = options.reading.or_brief();
    let (show, out) = (options.show(), Stdout::new());
    let mut list = List::default();
    // Lines, or incidents.
    let asked_for: usize;
    let mut rests: Vec<Rest> = Vec::new();
    match reading.form() {
        Form::Text | Form::Brief if !reading.all => {
            let (mut lines, rest) = if is_for_all(options, &selection) {
                history.folded_by_share(&selection)?
            } else {
                (history.folded(&selection)?, Vec::new())
            };
            rests = rest;
            list.rest = rests.iter().map(|rest| rest.kills).sum();
            // As they came: the last one is where the eye is.
            lines.reverse();
            let mut human = output::human(&show, &reading, out, false);
            asked_for = lines.len();
            for line in lines {
                let Shown { last, unreadable } = history.shown(&line)?;
                list.unreadable += unreadable;
                if let Some((incident, folded)) = last {
                    list.shown(folded.count(), Timestamp::from_nanosecond(folded.first().into()).ok());
                    human.put_counted(&incident, Some(&folded))?;
                }
            }
        }
        form => {
            let mut seqs = history.seqs(&selection)?;
            seqs.reverse();
            let mut sink: Box<dyn FnMut(Incident) -> io::Result<()>> = match form {
                // Whoever asks for all of them wants each by itself.
                Form::Text | Form::Brief => {
                    let mut human = output::human(&show, &reading, out, false);
                    Box::new(move |incident| human.put_counted(&incident, None))
                }
                _ => {
                    let mut sink = output::sink(&show, &reading, out, false);
                    Box::new(move |incident| sink.put(&Record::Incident(incident)))
                }
            };
            asked_for = seqs.len();
            for seq in seqs {
                list.put(history, seq, &mut sink)?;
            }
        }
    }
    let is_text = matches!(reading.form(), Form::Text | Form::Brief);
    if asked_for == 0 {
        say_none(history, &selection)?;
        say_exits(history, &selection, is_text);
        return Ok(Status::Done);
    }
    store::unreadable(usize::try_from(list.unreadable).unwrap_or(usize::MAX))
        .iter()
        .for_each(|said| notices::say(said));
    let is_cut = options.last.is_none() && selection.last.is_some_and(|last| asked_for >= last);
    let all = if is_cut { history.count(&selection)? } else { list.seen() };
    rests.iter().for_each(|rest| notices::say(&rest::said(rest, options)));
    list.notice(all).iter().for_each(|said| notices::say(said));
    // Of the time that was asked for; a list of the last lines reaches no further back than these.
    let asked = Selection { since: selection.since.or(list.from.filter(|_| is_cut)), ..selection };
    say_exits(history, &asked, is_text);
    Ok(Status::Done)
}

/// Says of what was no kill, where a person reads.
fn say_exits(history: &History, selection: &Selection, is_text: bool) {
    let said = is_text.then(|| exits::notice(history, selection)).flatten();
    said.iter().for_each(|said| notices::say(said));
}

/// Nothing says how far back or of which place: each has its share of such a list.
const fn is_for_all(options: &options::History, selection: &Selection) -> bool {
    let filter = &selection.filter;
    let is_bounded = options.last.is_some() || selection.since.is_some() || selection.until.is_some();
    let has_place = !(filter.containers.is_empty()
        && filter.pods.is_empty()
        && filter.units.is_empty()
        && filter.cgroups.is_empty()
        && filter.pids.is_empty());
    !is_bounded && !has_place
}

/// What was listed.
#[derive(Debug, Default)]
struct List {
    lines: usize,
    /// Incidents on them, of which a line may stand for several.
    kills: u64,
    /// Those on none.
    unreadable: u64,
    /// Those for which one line stands, for many at once.
    rest: u64,
    /// When the first of them was.
    from: Option<Timestamp>,
}

impl List {
    fn shown(&mut self, kills: u64, first: Option<Timestamp>) {
        self.lines += 1;
        self.kills += kills;
        self.from = self.from.into_iter().chain(first).min();
    }

    /// Puts the incident with that number out.
    fn put(
        &mut self,
        history: &History,
        seq: i64,
        put: impl FnOnce(Incident) -> io::Result<()>,
    ) -> Result<(), Failure> {
        match history.kept(seq)? {
            Kept::Whole(incident) => {
                self.shown(1, incident.time.parse().ok());
                put(*incident)?;
            }
            Kept::Gone => {}
            Kept::Unreadable => self.unreadable += 1,
        }
        Ok(())
    }

    const fn seen(&self) -> u64 {
        self.kills + self.unreadable + self.rest
    }

    /// What is not on lines of their own, and what is not there, of so many.
    fn notice(&self, all: u64) -> Option<String> {
        let folded = self.kills.saturating_sub(self.lines as u64);
        let lines =
            (folded > 0).then(|| format!(" on {} {}", self.lines, if self.lines == 1 { "line" } else { "lines" }));
        let each = not_by_themselves(folded).map(|said| format!("{said} (--all shows each)"));
        let cut = (all > self.seen()).then(|| {
            format!(
                "these are the last {} of {all}{}{}; --last, --since or --by show more",
                self.kills + self.unreadable,
                lines.unwrap_or_default(),
                if self.rest > 0 { format!(", beside {} that are told above", self.rest) } else { String::new() }
            )
        });
        let said: Vec<String> = cut.into_iter().chain(each).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// How it is said that a history was read and has nothing of what is asked for.
const NONE: &str = "the history has no such kill";

/// Nothing may have happened, or routine kills alone, or not since the history is kept.
fn say_none(history: &History, selection: &Selection) -> Result<(), Failure> {
    let routine = match selection.routine {
        true => 0,
        false => history.count(&Selection { routine: true, ..selection.clone() })?,
    };
    let chosen = selection.filter.describe().map(|only| format!(" of {only}")).unwrap_or_default();
    let hidden = output::hidden(routine).map(|hidden| format!("; {hidden}")).unwrap_or_default();
    notices::say(&format!("{NONE}{chosen}{hidden}"));
    Ok(())
}

/// As a person calls it.
fn title(by: By) -> &'static str {
    match by {
        By::Cause => "CAUSE",
        By::Container => "CONTAINER",
        By::Image => "IMAGE",
        By::Namespace => "NAMESPACE",
        By::Pod => "POD",
        By::Unit => "UNIT",
        By::Comm => "VICTIM",
        By::Uid => "UID",
        By::Node => "NODE",
        By::Hour => "HOUR",
        By::Day => "DAY",
    }
}

/// Writes all of it, or says where it was.
fn write(out: &mut impl Write, text: &[u8]) -> Result<Status, Failure> {
    out.write_all(text)?;
    out.flush().context("cannot write")?;
    Ok(Status::Done)
}
