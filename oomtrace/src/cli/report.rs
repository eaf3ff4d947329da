//! `oomtrace report`: kills on one page, to hand on.

mod page_file;
mod waiting;

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use jiff::{Span, Timestamp, Zoned};
use oomtrace::filter::Filter;
use oomtrace::model::{Incident, Record, Why, WhyRecord};
use oomtrace::sink::notices;
use oomtrace::sink::report::{Look, MAX_INCIDENTS, Report};
use oomtrace::sink::terminal::linked;
use oomtrace::store::{
    CANDIDATES, Candidate, Folding, History, Identity, Kept, Selection, Shown, StoreError, unreadable,
};
use oomtrace::text::quote::quote;

use super::exit::{Failure, Status};
use super::history::advised;
use super::period::Period;
use super::{input, options, output};
use waiting::Ids;

/// Bytes of a line: an incident with a long curve and all its candidates has a tenth of that.
const MAX_LINE: u64 = 8 << 20;
/// Bytes of what is read: a million incidents.
const MOST: u64 = 8 << 30;

pub fn run(options: &options::Report) -> Result<Status, Failure> {
    let to_terminal = options.output.is_none() && !options.markdown && io::stdout().is_terminal();
    if to_terminal {
        notices::say("the page is no text for a terminal: -o FILE writes it to a file, and --markdown prints text");
        return Ok(Status::Usage);
    }
    // As they are made.
    let id = options.incident.as_ref().map(|id| id.to_ascii_lowercase());
    let (found, name) = match &options.from {
        Some(from) => (read(from, id.as_deref(), options), from.clone()),
        None => {
            let selection = match selection(options, &Zoned::now()) {
                Ok(selection) => selection,
                Err(wrong) => return usage(&wrong),
            };
            let path = options.history()?;
            (Ok(kept(&path, id.as_deref(), &selection)), path)
        }
    };
    let name = name.display();
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(StoreError::Ambiguous { beginning, candidates })) => return several(&beginning, &candidates),
        Ok(Err(error)) => return Err(advised(error)),
        Err(error) => return usage(&format!("cannot read {name}: {error}; {ACCEPTED}")),
    };
    if found.is_empty() && found.unreadable_lines > 0 {
        return usage(&format!("nothing in {name} is a record of oomtrace's; {ACCEPTED}"));
    }
    if let Some(id) = options.incident.as_ref().filter(|_| found.is_empty()) {
        return Err(anyhow!("no incident in {name} has an id that begins with {}", quote(id)).into());
    }
    let mut report = found.report();
    // Whoever gets the page did not ask for it.
    report.notes.extend(options.select.filter().describe().map(|only| format!("only kills of {only} were asked for")));
    let look = Look { zone: options.time.zone() };
    let text = if options.markdown { report.markdown(&look) } else { report.html(&look, Timestamp::now())? };
    match &options.output {
        Some(path) => {
            page_file::write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            say_where(path);
        }
        None => {
            let mut out = output::text_or_data(options.markdown);
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
    }
    Ok(Status::Done)
}

/// Says to a person where it is, as a link where the terminal has links.
fn say_where(path: &Path) {
    let mut out = io::stderr();
    if !out.is_terminal() {
        return;
    }
    let has_links = supports_hyperlinks::on(supports_hyperlinks::Stream::Stderr);
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let node = oomtrace::node::identity::Identity::read().node;
    let shown = linked(&quote(&path.to_string_lossy()), &file, &node.unwrap_or_default(), has_links);
    // It is written, whether that can be said or not.
    _ = writeln!(out, "oomtrace: the report is in {shown}");
}

/// What is read with --from.
const ACCEPTED: &str = "--from takes a file of JSON lines as `oomtrace --json`, `oomtrace history --json`, `oomtrace replay FILE --json` or \
                        `oomtrace why --json` print them, or - for standard input";

fn usage(wrong: &str) -> Result<Status, Failure> {
    notices::say(wrong);
    Ok(Status::Usage)
}

/// Several incidents' ids begin so.
fn several(beginning: &str, candidates: &[Candidate]) -> Result<Status, Failure> {
    notices::say(&format!("{} is the beginning of several incidents' ids; ask for one of them:", quote(beginning)));
    for Candidate { id, time, name } in candidates {
        notices::say(&format!("  oomtrace report {}    {}, {}", quote(id), name, quote(time)));
    }
    Ok(Status::Usage)
}

/// What was read.
#[derive(Default)]
struct Found {
    wanted: Wanted,
    /// Hashes of the ids that were read: a file that was put together from several has an incident twice.
    ids: Ids,
    /// As they came, the latest last.
    incidents: Vec<Incident>,
    answers: Vec<Why>,
    /// The last that were read, each by itself: corrections of them may come.
    waiting: VecDeque<Incident>,
    /// Like ones are counted together.
    folds: bool,
    /// Those that stand for others like them.
    folding: Folding,
    /// Corrections of one of several that are counted together.
    late: u64,
    routine: u64,
    /// There are too many of them.
    dropped: u64,
    /// Incidents of the history, and lines that were read.
    unreadable: u64,
    unreadable_lines: u64,
    notes: Vec<String>,
}

/// What of records is shown.
#[derive(Default)]
struct Wanted {
    /// The id, or its beginning.
    id: Option<String>,
    filter: Filter,
    /// Routine kills as well.
    routine: bool,
}

impl Found {
    fn wanting(options: &options::Report, id: Option<&str>) -> Self {
        let routine = options.all || id.is_some();
        let wanted = Wanted { id: id.map(str::to_owned), filter: options.select.filter(), routine };
        Self { wanted, folds: !options.all && id.is_none(), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.incidents.is_empty() && self.answers.is_empty()
    }

    /// The one incident whose id begins so; it is said of which where these are several.
    fn one(mut self, beginning: &str) -> Result<Self, StoreError> {
        if self.incidents.iter().any(|incident| incident.id == beginning) {
            self.incidents.retain(|incident| incident.id == beginning);
            self.answers.retain(|why| why.incident.as_ref().is_some_and(|incident| incident.id == beginning));
        }
        let all = self.incidents.iter().chain(self.answers.iter().filter_map(|why| why.incident.as_ref()));
        let mut candidates: Vec<Candidate> = Vec::new();
        for incident in all {
            if !candidates.iter().any(|known| known.id == incident.id) && candidates.len() < CANDIDATES {
                let name = Identity::of(incident).name().to_owned();
                candidates.push(Candidate { id: incident.id.clone(), time: incident.time.clone(), name });
            }
        }
        if candidates.len() > 1 {
            return Err(StoreError::Ambiguous { beginning: beginning.to_owned(), candidates });
        }
        Ok(self)
    }

    fn report(mut self) -> Report {
        let mut notes = std::mem::take(&mut self.notes);
        match self.dropped {
            0 => {}
            1 => notes.push(format!("1 earlier one is left out: a report has {MAX_INCIDENTS} at the most")),
            count => notes.push(format!("{count} earlier ones are left out: a report has {MAX_INCIDENTS} at the most")),
        }
        match self.routine {
            0 => {}
            1 => notes.push("1 routine kill is left out".to_owned()),
            count => notes.push(format!("{count} routine kills are left out")),
        }
        notes.extend(unreadable(usize::try_from(self.unreadable).unwrap_or(usize::MAX)));
        match self.unreadable_lines {
            0 => {}
            1 => notes.push("1 line could not be read".to_owned()),
            count => notes.push(format!("{count} lines could not be read")),
        }
        match self.late {
            0 => {}
            1 => notes.push(
                "1 section is of several kills, and a correction of one of them came too late to be shown".to_owned(),
            ),
            count => notes
                .push(format!("{count} corrections of kills that are counted with others came too late to be shown")),
        }
        self.incidents.sort_by(|one, other| other.time.cmp(&one.time));
        let folded = self.folding.by_id;
        let first = |incident: &Incident| match folded.get(&incident.id).filter(|folded| folded.count() > 1) {
            Some(folded) => Timestamp::from_nanosecond(folded.first().into()).map(|first| format!("{first:.9}")).ok(),
            None => Some(incident.time.clone()),
        };
        let earliest = self.incidents.iter().filter_map(first).min();
        let span = earliest.zip(self.incidents.first().map(|last| last.time.clone()));
        let span = span.filter(|(first, last)| first < last);
        Report { incidents: self.incidents, folded, answers: self.answers, span, notes }
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Incident(incident) => {
                let is_asked = self.wanted.id.as_ref().is_none_or(|id| incident.id.starts_with(id));
                if is_asked && self.ids.is_new(&incident.id) {
                    self.wait(incident);
                }
            }
            // What is known by now.
            Record::Correction(correction) => self.correct(correction),
            _ => {}
        }
    }

    fn take_answer(&mut self, why: Why) {
        let own = why.incident.as_ref().map(|incident| incident.id.as_str());
        let is_asked = self.wanted.id.as_ref().is_none_or(|id| own.is_some_and(|own| own.starts_with(id)));
        if !is_asked || !is_chosen(&why, &self.wanted.filter) {
            return;
        }
        // It says all that its incident does, and more; a later one about the same takes its place.
        if let Some(own) = own {
            self.ids.is_new(own);
            self.waiting.retain(|incident| incident.id != own);
            if let Some(place) = self.incidents.iter().position(|incident| incident.id == own) {
                self.incidents.remove(place);
                // Those that it stood for go with it.
                self.dropped += self.folding.forget(own).saturating_sub(1);
            }
            let is_its = |other: &Why| other.incident.as_ref().is_some_and(|other| other.id == own);
            if let Some(place) = self.answers.iter().position(is_its) {
                self.answers.remove(place);
            }
        }
        self.answers.push(why);
        if self.answers.len() > MAX_INCIDENTS {
            self.answers.remove(0);
            self.dropped += 1;
        }
    }
}

/// Without a time it is of the last day; one incident is of any time. Or what is wrong with the times.
fn selection(options: &options::Report, now: &Zoned) -> Result<Selection, String> {
    let Period { since, until, said } = Period::of(options.since.as_deref(), options.until.as_deref(), now)?;
    said.iter().for_each(|said| notices::say(said));
    let day = || now.timestamp().checked_sub(Span::new().hours(24)).ok();
    let since = since.or_else(|| if options.incident.is_none() { day() } else { None });
    // Only a day that nobody named can be after it.
    if let Some((from, to)) = since.zip(until).filter(|(from, to)| from >= to) {
        return Err(format!(
            "without --since a report is of the last day, which is not before --until: {from} and {to}"
        ));
    }
    let filter = options.select.filter();
    Ok(Selection {
        filter,
        since,
        until,
        last: Some(MAX_INCIDENTS),
        routine: options.all,
        counted: true,
        ..Selection::default()
    })
}

/// Reads the history.
fn kept(path: &Path, id: Option<&str>, selection: &Selection) -> Result<Found, StoreError> {
    let history = History::open(path)?;
    let mut found = Found::default();
    if history.without_log {
        found.notes.push(
            "the last kills before the history's writer was cut off may be missing: they are in a log that could not be read"
                .to_owned(),
        );
    }
    if let Some(id) = id {
        found.incidents.extend(history.by_id(id)?);
        return Ok(found);
    }
    let all = history.count(selection)?;
    let mut seen = 0;
    if selection.routine {
        // Whoever asks for all of them wants each by itself.
        for seq in history.seqs(selection)? {
            seen += 1;
            match history.kept(seq)? {
                Kept::Whole(incident) => found.incidents.push(*incident),
                Kept::Gone => {}
                Kept::Unreadable => found.unreadable += 1,
            }
        }
    } else {
        for line in history.folded(selection)? {
            seen += line.folded.count();
            let Shown { last, unreadable } = history.shown(&line)?;
            found.unreadable += unreadable;
            if let Some((incident, folded)) = last {
                found.folding.by_id.insert(incident.id.clone(), folded);
                found.incidents.push(incident);
            }
        }
    }
    found.dropped = all.saturating_sub(seen);
    if !selection.routine {
        let with_routine = history.count(&Selection { routine: true, ..selection.clone() })?;
        found.routine = with_routine.saturating_sub(all);
    }
    Ok(found)
}

/// Reads JSON lines; what is none of oomtrace's records is counted.
fn read(path: &Path, id: Option<&str>, options: &options::Report) -> io::Result<Result<Found, StoreError>> {
    let mut input = BufReader::new(input::open(path, "JSON lines")?.take(MOST));
    let mut found = Found::wanting(options, id);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            found.settle();
            return Ok(match id {
                Some(beginning) => found.one(beginning),
                None => Ok(found),
            });
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
            input.skip_until(b'\n')?;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if let Ok(record) = serde_json::from_slice::<Record>(text) {
            found.take(record);
        } else if let Ok(WhyRecord::Why(why)) = serde_json::from_slice::<WhyRecord>(text) {
            found.take_answer(*why);
        } else {
            found.unreadable_lines += 1;
        }
    }
}

/// An answer is about a kill that is asked for; one about nothing is, where all are.
fn is_chosen(why: &Why, filter: &Filter) -> bool {
    let reconstructed = || why.reconstructed.as_ref().and_then(|found| found.as_incident());
    filter.is_everything()
        || why.incident.clone().or_else(reconstructed).is_some_and(|incident| filter.wants_recorded(&incident))
}

#[cfg(test)]
mod tests;
