//! A report to hand on: one HTML file that needs nothing else, or Markdown for a ticket.
//!
//! Everything in it that a process, a container or a user has named is made safe twice: what a terminal or a browser would act upon is
//! written out ([`crate::text::escape`]), and the template escapes for HTML by default.

mod curve;
mod look;
mod markdown;
mod section;

use std::collections::HashMap;

use askama::Template as _;
use jiff::Timestamp;

use crate::model::{Cause, Incident, Why};
use crate::sink::report::section::{Section, clean};
use crate::words::folded::{Folded, not_by_themselves};

pub use look::Look;

/// Incidents in one report: a page of several megabytes helps nobody.
pub const MAX_INCIDENTS: usize = 500;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the page: {0}")]
pub struct ReportError(#[from] askama::Error);

/// What a report is about.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The latest first.
    pub incidents: Vec<Incident>,
    /// How many each of them stands for, with itself, by its id; one that is not here for itself alone.
    pub folded: HashMap<String, Folded>,
    /// Answers of `oomtrace why`.
    pub answers: Vec<Why>,
    /// The times of the first and the last one, as RFC 3339 has them, where it is about a span.
    pub span: Option<(String, String)>,
    /// What is to be said of it as a whole: that there was more, or that something could not be read.
    pub notes: Vec<String>,
}

/// The whole page.
#[derive(askama::Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    subtitle: String,
    version: &'static str,
    made: String,
    notes: Vec<String>,
    causes: Vec<CauseCount>,
    sections: &'a [Section],
}

/// A row of the table of causes.
struct CauseCount {
    name: String,
    count: u64,
    /// Of the most frequent one.
    percent: u64,
}

impl Report {
    fn sections(&self, look: &Look) -> Vec<Section> {
        let answers = self.answers.iter().map(|why| Section::of_answer(why, look));
        let incidents = self.incidents.iter().map(|incident| {
            let folded = self.folded.get(&incident.id).and_then(|folded| folded.said(|time| look.time(time)));
            Section { folded, ..Section::of_incident(incident, look) }
        });
        let mut all: Vec<Section> = answers.chain(incidents).take(MAX_INCIDENTS).collect();
        for (number, section) in all.iter_mut().enumerate() {
            section.anchor = format!("kill-{}", number + 1);
        }
        all
    }

    /// It fits one, or says how many there are.
    fn title(&self, sections: &[Section]) -> String {
        match sections {
            [] => "No kills".to_owned(),
            [one] if one.place.is_empty() => one.why.clone(),
            [one] => format!("{}: {}", one.place, one.why),
            _ => format!("{} kills", self.count()),
        }
    }

    /// Those that are shown by themselves.
    fn shown(&self) -> u64 {
        (self.incidents.len() + self.answers.len()).min(MAX_INCIDENTS) as u64
    }

    /// The same, with those that they stand for.
    fn count(&self) -> u64 {
        let of = |incident: &Incident| self.stands_for(incident) - 1;
        self.shown() + self.incidents.iter().map(of).sum::<u64>()
    }

    /// How many.
    fn stands_for(&self, incident: &Incident) -> u64 {
        self.folded.get(&incident.id).map_or(1, Folded::count)
    }

    /// `node-1 · 2026-11-25 03:12 to 2026-11-26 04:00 · times are UTC`
    fn subtitle(&self, look: &Look) -> String {
        let nodes =
            self.incidents.iter().map(|incident| &incident.node).chain(self.answers.iter().map(|why| &why.node));
        let mut nodes: Vec<&String> = nodes.flatten().collect();
        nodes.sort();
        nodes.dedup();
        let nodes = match nodes.as_slice() {
            [] => None,
            [one] => Some(clean(one)),
            many => Some(format!("{} nodes", many.len())),
        };
        let span = self.span.as_ref().map(|(from, to)| format!("{} to {}", look.minute(from), look.minute(to)));
        [nodes, span, Some(look.zone_name())].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn causes(&self) -> Vec<CauseCount> {
        let of_answers = self.answers.iter().filter_map(|why| Some((why.verdict()?.cause, 1)));
        let of_incidents = self
            .incidents
            .iter()
            .filter_map(|incident| Some((incident.verdict.as_ref()?.cause, self.stands_for(incident))));
        let mut counts: Vec<(Cause, u64)> = Vec::new();
        for (cause, kills) in of_answers.chain(of_incidents) {
            match counts.iter_mut().find(|(known, _)| *known == cause) {
                Some((_, count)) => *count += kills,
                None => counts.push((cause, kills)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let most = counts.first().map_or(1, |(_, count)| *count);
        let row = |(cause, count): (Cause, u64)| CauseCount { name: cause.name(), count, percent: count * 100 / most };
        counts.into_iter().map(row).collect()
    }

    fn all_notes(&self) -> Vec<String> {
        let there = self.incidents.len() + self.answers.len();
        let more = there.checked_sub(MAX_INCIDENTS).filter(|more| *more > 0);
        let more = more.map(|more| format!("{more} more are left out: a report has {MAX_INCIDENTS} at the most"));
        // Whoever gets the page did not run the command: its options are not named.
        let more = more.into_iter().chain(not_by_themselves(self.count() - self.shown()));
        self.notes.iter().map(|note| clean(note)).chain(more).collect()
    }

    /// As one HTML file.
    ///
    /// # Errors
    /// When it cannot be put together.
    pub fn html(&self, look: &Look, now: Timestamp) -> Result<String, ReportError> {
        let sections = self.sections(look);
        let page = Page {
            title: self.title(&sections),
            subtitle: self.subtitle(look),
            version: env!("CARGO_PKG_VERSION"),
            made: look.time(&format!("{now:.9}")),
            notes: self.all_notes(),
            causes: self.causes(),
            sections: &sections,
        };
        Ok(page.render()?)
    }

    /// As Markdown, to paste into a ticket.
    #[must_use]
    pub fn markdown(&self, look: &Look) -> String {
        let sections = self.sections(look);
        markdown::render(&self.title(&sections), &self.subtitle(look), &self.all_notes(), &sections)
    }
}

#[cfg(test)]
mod tests;
