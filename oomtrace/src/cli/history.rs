//! `oomtrace history`: kills that were kept.

mod counts;

use std::io::Write;

use anyhow::{Context as _, anyhow};
use jiff::Zoned;
use oomtrace::model::Record;
use oomtrace::sink::notices;
use oomtrace::store::{self, By, History, Selection, StoreError};

use super::exit::{Failure, Status};
use super::options;
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
    let Period { since, until } = Period::of(options.since.as_deref(), options.until.as_deref(), now)?;
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
    let mut seqs = history.seqs(&selection)?;
    if seqs.is_empty() {
        say_none(history, &selection)?;
        return Ok(Status::Done);
    }
    // As they came: the last one is where the eye is.
    seqs.reverse();
    let mut sink = output::sink(&options.show(), &options.reading.or_brief(), Stdout::new());
    let mut unreadable = 0;
    for seq in &seqs {
        match history.incident(*seq) {
            Ok(Some(incident)) => sink.put(&Record::Incident(incident))?,
            // The bounds were reached meanwhile.
            Ok(None) => {}
            Err(StoreError::Json(error)) => {
                log::debug!("incident {seq} of the history: {error}");
                unreadable += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    store::unreadable(unreadable).iter().for_each(|said| notices::say(said));
    if options.last.is_none() && selection.last.is_some_and(|last| seqs.len() >= last) {
        let all = history.count(&selection)?;
        if all > seqs.len() as u64 {
            notices::say(&format!("these are the last {} of {all}; --last, --since or --by show more", seqs.len()));
        }
    }
    Ok(Status::Done)
}

/// How it is said that a history was read and has nothing of what is asked for.
pub const NONE: &str = "the history has no such kill";

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
