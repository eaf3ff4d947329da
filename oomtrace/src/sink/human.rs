//! One block an incident, for a person who was asleep a minute ago.
//!
//! ```text
//! 14:03:22  OOM KILL   web: the container ran into its own memory limit of 512 MiB
//!    in        docker 6c266caa8d7c · nginx:1.27
//!    killed    nginx[22490], pid 1 of the container, 3 h 12 min after its start; exited 137: nginx -g 'daemon off;'
//!    limit     512 MiB, the container's own: 512 MiB in use; the host had 3 GiB available right after
//!    memory    the victim's: 498 MiB anon, 2 MiB file
//!    do        raise the container's memory limit, or find out what grew:
//!              docker update --memory 768m --memory-swap 768m web
//! ```

use std::io::{self, Write};
use std::time::{Duration, Instant};

use again::Again;
use block::{Block, SIGNAL};
use crowd::{Crowd, Crowds};
use exits::Exits;
use records::{contradiction, corrected, left_out, left_unsaid, lost_kills};
use remedies::Remedies;

use crate::model::{Incident, Lost, MissingPart, NamedMissing, Ready, Record, Repeat};
use crate::probe::hook::Hook;
use crate::sink::Sink;
use crate::sink::notices;
use crate::sink::wrap::{cut_end, wrap};
use crate::text::escape::escape;
use crate::words::folded::Folded;
use crate::words::repeats::{Repeats, said};

mod again;
mod block;
mod crowd;
mod curve;
mod debugging;
mod earlier;
mod exits;
mod incident;
mod looked_at;
mod now;
mod reconstructed;
mod records;
mod remedies;
mod why;
mod words;

pub use incident::{block, facts};
pub use looked_at::unread;
pub use reconstructed::{kept_by_others, place_of, said_of, what_of};
pub use why::{another, why};
pub use words::{about, belongs_to, place_name, time_of};

/// How to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub color: bool,
    /// Columns of the terminal; none when it is not one.
    pub width: Option<usize>,
    /// One line an incident.
    pub brief: bool,
    /// Kills for which nobody needs to be woken, too.
    pub all: bool,
    /// With what is seldom asked for.
    pub verbose: bool,
    pub time: TimeForm,
    /// The terminal shows ASCII alone.
    pub ascii: bool,
    /// Standard error is the same terminal, and says what was lost.
    pub losses_on_stderr: bool,
}

/// How times are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeForm {
    /// Hours, minutes and seconds where this machine is; with the day, where that is not today.
    #[default]
    Local,
    /// The same in UTC.
    Utc,
    /// RFC 3339, in UTC.
    Iso,
    /// How long ago.
    Relative,
}

/// Writes blocks to `W`.
pub struct Human<W: Write> {
    out: W,
    look: Box<dyn Fn() -> Look + Send>,
    first: bool,
    /// What was written last is one line of many, and no block.
    after_line: bool,
    /// Kills that were left out since the last block.
    routine: u64,
    /// It was said at the start that the OOM killer's own record is not read.
    without_record: bool,
    /// The first of those that are like the one whose block was written last.
    latest: Option<String>,
    /// The container of that block's victim, by its id.
    latest_in: Option<String>,
    repeats: Repeats,
    /// Those that are like one further up.
    again: Again,
    remedies: Remedies,
    exits: Exits,
    crowds: Crowds,
    /// The line that counts repeats, which stays open on a terminal to be written anew.
    series: Option<Series>,
}

/// The OOM killer's own record is not read, which was said at the start.
fn is_without_record(ready: &Ready) -> bool {
    !ready.attached.iter().any(|hook| hook == Hook::OomKillProcess.name())
}

/// What could not be seen, but for what `part` is about.
fn without<'a>(
    missing: &'a [String],
    named: &'a [NamedMissing],
    part: MissingPart,
) -> impl Iterator<Item = &'a String> {
    missing.iter().filter(move |entry| !named.iter().any(|named| named.part == part && named.entry == **entry))
}

/// The incidents that are alike and stand below one block.
struct Series {
    /// What the last count says, and how it was shown.
    text: String,
    look: Look,
    /// The count that was written last.
    written: u64,
    /// It is not the last one.
    behind: bool,
    /// The line has no end yet.
    open: bool,
    /// When a line of it was written last.
    since: Instant,
}

/// The pause between two lines about one series whose number has not doubled, where each is a line of its own.
const PAUSE: Duration = Duration::from_secs(10);

impl<W: Write> Human<W> {
    /// `look` is asked for each block: a terminal's width changes.
    pub fn new(out: W, look: impl Fn() -> Look + Send + 'static) -> Self {
        Self {
            out,
            look: Box::new(look),
            first: true,
            after_line: false,
            routine: 0,
            without_record: false,
            latest: None,
            latest_in: None,
            repeats: Repeats::default(),
            again: Again::default(),
            remedies: Remedies::default(),
            exits: Exits::default(),
            crowds: Crowds::default(),
            series: None,
        }
    }
}

impl<W: Write> Sink for Human<W> {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        let look = (self.look)();
        let overdue = self.again.take_overdue(Instant::now());
        self.put_behind(overdue)?;
        let repeat = match record {
            Record::Incident(incident) if incident.routine.is_none() || look.all => self.repeats.take(incident),
            _ => None,
        };
        // What is like one that was only counted is itself like none that is to be seen.
        if let Record::Incident(incident) = record
            && let Some(repeat) = repeat.as_ref().filter(|repeat| self.remedies.have_shown(&repeat.first))
            && !look.brief
        {
            let is_below_its_own = self.latest.as_ref() == Some(&repeat.first);
            return if is_below_its_own {
                self.count(incident, repeat, look)
            } else {
                self.again(incident, repeat, look)
            };
        }
        if let Record::Incident(incident) = record
            && (incident.routine.is_none() || look.all)
            && !(look.brief || look.verbose)
            && let Some(crowd) = self.crowds.take(incident)
        {
            return self.count_crowd(&crowd, || incident::headline(incident, look), true, look);
        }
        if let Record::Warning(warning) = record
            && !(look.brief || look.verbose)
            && let Some(crowd) = self.crowds.take_warning(warning)
        {
            let line = || records::warning(warning, Look { brief: true, ..look });
            return self.count_crowd(&crowd, line, false, look);
        }
        if let Record::Exit(exited) = record
            && !look.brief
        {
            let (place, count) = self.exits.take(exited);
            let text = || format!("{}   ×{count} so far", records::exit_headline(exited, look));
            if !self.again.is_due(&place, count, Instant::now(), text) {
                return Ok(());
            }
            if count > 1 {
                return self.put_behind(vec![text()]);
            }
        }
        let block = match record {
            Record::Incident(Incident { routine: Some(_), .. }) if !look.all => {
                self.routine += 1;
                return Ok(());
            }
            Record::Incident(incident) | Record::Signal(incident) => self.block(incident, look),
            Record::Exit(exited) => records::exit(exited, look),
            Record::Contradiction(said) => contradiction(said, look),
            Record::Correction(correction) => corrected(correction, look),
            Record::Warning(warning) => records::warning(warning, look),
            Record::Lost(Lost { unwritten: Some(unwritten), .. }) => left_out(unwritten, (self.look)()),
            Record::Lost(lost) if lost.kills > 0 && !look.losses_on_stderr => lost_kills(lost, (self.look)()),
            Record::Event(event) => debugging::event(event, look),
            // The first has standard error's, the last is for whoever reads records.
            Record::Ready(ready) => {
                self.without_record = is_without_record(ready);
                return Ok(());
            }
            Record::Lost(_) | Record::Repeat(_) => return Ok(()),
        };
        self.end_series()?;
        self.begin(matches!(record, Record::Event(_)), look)?;
        self.out.write_all(block.as_bytes())?;
        if let Record::Incident(incident) = record {
            let first = repeat.as_ref().map_or(&incident.id, |repeat| &repeat.first);
            let count = repeat.as_ref().map_or(1, |repeat| repeat.count);
            self.remedies.are_shown(first, count, incident, Instant::now());
            self.stands_below(incident, first.clone());
            if let Some(repeat) = repeat.filter(|_| !look.brief) {
                return self.count(incident, &repeat, look);
            }
        } else if is_of_another(record, self.latest_in.as_deref()) {
            // What is counted stands below its own block.
            self.latest = None;
        }
        self.out.flush()
    }

    fn quiet(&mut self) -> io::Result<()> {
        // A count that is written anew in place is not behind.
        if self.series.as_ref().is_some_and(|series| series.behind) {
            self.end_series()?;
        }
        let behind = self.again.take_behind(Instant::now());
        self.put_behind(behind)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end_series()?;
        let behind = self.again.take_behind(Instant::now());
        self.put_behind(behind)
    }
}

/// The block is not about the incident above it: it is about another container, or about none, or would look as if it had come so often.
fn is_of_another(record: &Record, latest_in: Option<&str>) -> bool {
    let container = match record {
        Record::Exit(exited) => exited.container.as_ref(),
        Record::Contradiction(said) => Some(&said.container),
        Record::Correction(correction) => correction.container.as_ref(),
        Record::Warning(_) | Record::Signal(_) | Record::Event(_) => return true,
        _ => return false,
    };
    container.map(|container| container.id.as_str()) != latest_in
}

impl<W: Write> Human<W> {
    /// Writes an incident of those that have been; of several like ones it is the last, and its line says how many these are.
    ///
    /// # Errors
    /// As [`Sink::put`].
    pub fn put_counted(&mut self, incident: &Incident, folded: Option<&Folded>) -> io::Result<()> {
        let look = (self.look)();
        if !(std::mem::take(&mut self.first) || look.brief) {
            self.out.write_all(b"\n")?;
        }
        self.out.write_all(incident::counted_block(incident, folded, look).as_bytes())?;
        self.out.flush()
    }

    /// Counts that were held back, each with the first line of its last.
    fn put_behind(&mut self, texts: Vec<String>) -> io::Result<()> {
        if texts.is_empty() {
            return Ok(());
        }
        self.end_series()?;
        // What is counted next stands below none of them.
        self.latest = None;
        for text in texts {
            self.out.write_all(format!("\n{text}\n").as_bytes())?;
        }
        self.out.flush()
    }

    /// One that has no block, now and then: `line`, which is its first, and how many there were.
    fn count_crowd(&mut self, crowd: &Crowd, line: impl Fn() -> String, is_kept: bool, look: Look) -> io::Result<()> {
        let text = || format!("{}{}", line(), on_lines(&crowded(crowd, is_kept), look));
        let is_due = self.again.is_due(&crowd.key, crowd.count, Instant::now(), text);
        if is_due { self.put_behind(vec![text()]) } else { Ok(()) }
    }

    /// What stands between two blocks.
    fn begin(&mut self, is_line: bool, look: Look) -> io::Result<()> {
        let follows_line = is_line && self.after_line;
        if !(std::mem::take(&mut self.first) || look.brief || follows_line) {
            self.out.write_all(b"\n")?;
        }
        self.after_line = is_line;
        let routine = std::mem::take(&mut self.routine);
        if routine > 0 && !look.brief {
            self.out.write_all(left_unsaid(routine, look).as_bytes())?;
        }
        Ok(())
    }

    /// What is counted from now on is like this one, and stands below it.
    fn stands_below(&mut self, incident: &Incident, first: String) {
        self.latest = Some(first);
        self.latest_in = incident.container.as_ref().map(|container| container.id.clone());
    }

    /// What was said at the start is not said in each block.
    fn block(&self, incident: &Incident, look: Look) -> String {
        if look.verbose || !self.without_record {
            return block(incident, look);
        }
        let mut incident = incident.clone();
        let Incident { missing, missing_parts, .. } = &mut incident;
        *missing = without(missing, missing_parts, MissingPart::OomRecord).cloned().collect();
        block(&incident, look)
    }

    /// One more that is like a block further up, with others between: its first line, and below it how many there were.
    fn again(&mut self, incident: &Incident, repeat: &Repeat, look: Look) -> io::Result<()> {
        let repeats = &self.repeats;
        let text = || {
            let counted = on_lines(&said(incident, repeat, &repeats.spread()), look);
            format!("{}{counted}", incident::headline(incident, look))
        };
        if !self.again.is_due(&repeat.first, repeat.count, Instant::now(), text) {
            return Ok(());
        }
        self.end_series()?;
        self.begin(false, look)?;
        self.out.write_all(incident::headline(incident, look).as_bytes())?;
        self.stands_below(incident, repeat.first.clone());
        self.count(incident, repeat, look)
    }

    /// One more that is like the block above: a terminal has one line for them all, which is written anew; elsewhere there is a line each
    /// time that the number has doubled.
    fn count(&mut self, incident: &Incident, repeat: &Repeat, look: Look) -> io::Result<()> {
        let text = said(incident, repeat, &self.repeats.spread());
        let new =
            || Series { text: String::new(), look, written: 1, behind: false, open: false, since: Instant::now() };
        let series = self.series.get_or_insert_with(new);
        (series.text, series.look) = (text, look);
        let is_terminal = look.width.is_some();
        let has_remedy = self.remedies.are_new(&repeat.first, repeat.count, incident, Instant::now());
        let is_due = has_remedy || is_terminal || repeat.count >= 2 * series.written || series.since.elapsed() >= PAUSE;
        if !is_due {
            series.behind = true;
            return Ok(());
        }
        // A shorter line leaves nothing of a longer one.
        let before = if series.open { "\r\x1b[K" } else { "" };
        let line = match (has_remedy, is_terminal) {
            (true, _) => format!("{}\n{}", on_lines(&series.text, look), incident::remedies(incident, look)),
            (false, true) => repeated(&series.text, look),
            (false, false) => format!("{}\n", repeated(&series.text, look)),
        };
        series.open = is_terminal && !has_remedy;
        (series.behind, series.written, series.since) = (false, repeat.count, Instant::now());
        notices::set_open_line(series.open);
        self.again.is_written(&repeat.first, repeat.count, series.since);
        self.out.write_all(format!("{before}{line}").as_bytes())?;
        self.out.flush()
    }

    /// Something else comes: the last count stands.
    fn end_series(&mut self) -> io::Result<()> {
        let Some(Series { text, look, behind, open, .. }) = self.series.take() else { return Ok(()) };
        match (open, behind) {
            (true, _) => {
                notices::set_open_line(false);
                // Standard error may have taken its place.
                self.out.write_all(format!("\r\x1b[K{}\n", on_lines(&text, look)).as_bytes())
            }
            (false, true) => self.out.write_all(format!("{}\n", repeated(&text, look)).as_bytes()),
            (false, false) => Ok(()),
        }
    }
}

/// `×4 in 3.2 s, the same limit (64 MiB), restarted by Docker each time (always; back-off 1.6 s); the last one: nginx[22999]`, without a line
/// feed: on one line, whatever the terminal's width, for it is written anew.
fn repeated(text: &str, look: Look) -> String {
    let text = cut_end(&escape(text), room(look));
    let block = Block { text: String::new(), look };
    format!("   {}", block.paint(SIGNAL, &text))
}

/// `the last of 12 there within 3.0 s that are unlike those above`. `is_kept`: the history has it.
fn crowded(crowd: &Crowd, is_kept: bool) -> String {
    if crowd.count == 1 {
        let kept = if is_kept { ", and `oomtrace history` has it" } else { "" };
        return format!(
            "unlike those above, of which there were many in a minute: the next of them are counted; -v shows each{kept}"
        );
    }
    let span = crate::text::duration_ms(u64::try_from(crowd.span.as_millis()).unwrap_or(u64::MAX));
    format!("the last of {} there within {span} that are unlike those above", crowd.count)
}

/// The same on as many lines as it takes.
fn on_lines(text: &str, look: Look) -> String {
    let text = escape(text);
    let lines = wrap(&text, Some(room(look))).into_iter();
    let block = Block { text: String::new(), look };
    lines.map(|line| format!("   {}", block.paint(SIGNAL, &line))).collect::<Vec<_>>().join("\n")
}

/// Columns for it.
fn room(look: Look) -> usize {
    look.width.map_or(usize::MAX, |width| width.saturating_sub(4).max(20))
}

#[cfg(test)]
mod tests;
