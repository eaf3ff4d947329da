//! One kill of a report, in words.

use crate::model::{EarlierKill, Evidence, Incident, Oom, Verdict, Why};
use crate::sink::human;
use crate::sink::report::curve::{Curve, curve};
use crate::sink::report::look::{Look, round};
use crate::text::escape::escape;
use crate::text::{bytes, elapsed_ms, full_name, source};
use crate::words::folded::{self, Earlier, Folded};

/// Kills of before that are named.
const EARLIER: usize = 20;

/// See the module's documentation. Every text in it is safe to show, and is not yet HTML.
#[derive(Clone, Debug, Default)]
pub struct Section {
    pub anchor: String,
    pub id: String,
    pub time: String,
    pub datetime: String,
    pub what: &'static str,
    /// The class of that.
    pub style: &'static str,
    pub place: String,
    pub why: String,
    pub confidence: String,
    pub after_the_fact: Option<String>,
    pub facts: Vec<Pair>,
    pub advice: Vec<Todo>,
    pub evidence: Vec<Pair>,
    pub missing_title: &'static str,
    pub missing: Vec<String>,
    pub earlier: Vec<String>,
    /// How many kills it stands for, and when they were.
    pub folded: Option<String>,
    pub curve: Option<Curve>,
    pub split: Option<Split>,
}

/// A label and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub label: String,
    pub text: String,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Todo {
    pub action: String,
    pub why: String,
    pub command: Option<String>,
}

/// What the victim's memory was, against the limit.
#[derive(Clone, Debug, Default)]
pub struct Split {
    pub said: String,
    pub parts: Vec<Part>,
}

/// A part of it, in hundredths of the whole.
#[derive(Clone, Debug)]
pub struct Part {
    pub class: &'static str,
    pub label: String,
    pub x: f64,
    pub width: f64,
}

/// As text that neither a terminal nor a browser acts upon.
pub fn clean(text: &str) -> String {
    escape(text).into_owned()
}

impl Section {
    /// Of a kill that was watched.
    pub fn of_incident(incident: &Incident, look: &Look) -> Self {
        let is_kill = incident.verdict.is_some();
        Self {
            id: clean(&incident.id),
            what: if incident.oom.is_some() {
                "OOM KILL"
            } else if is_kill {
                "SIGKILL"
            } else {
                "SIGNAL"
            },
            style: if is_kill { "kill" } else { "signal" },
            place: clean(&human::place_name(incident)),
            facts: pairs(human::facts(incident)),
            missing_title: "What could not be seen",
            missing: incident.missing.iter().map(|text| clean(text)).collect(),
            curve: curve(incident, look),
            split: split(incident.oom.as_ref()),
            ..Self::of(incident.verdict.as_ref(), Some(&incident.time), look)
        }
    }

    /// Of an answer of `oomtrace why`.
    pub fn of_answer(why: &Why, look: &Look) -> Self {
        let earlier = earlier(why, look);
        let (another, unread) = (human::another(why), human::unread(why));
        let complete = |mut section: Self| {
            section.facts.extend(pairs(another.iter().map(|of| ("of".to_owned(), of.clone())).collect()));
            section.missing.extend(unread.iter().map(|text| clean(text)));
            if section.missing_title.is_empty() {
                section.missing_title = "What could not be read";
            }
            section
        };
        if let Some(exited) = &why.exit {
            let own = why.incident.as_ref().map(|incident| Self::of_incident(incident, look)).unwrap_or_default();
            return complete(Self {
                id: clean(&exited.id),
                time: look.time(&exited.time),
                datetime: clean(&exited.time),
                what: "EXIT 137",
                style: "signal",
                place: exited.container.as_ref().map(|container| clean(&full_name(container))).unwrap_or_default(),
                why: clean(&exited.why),
                earlier,
                ..own
            });
        }
        if let Some(incident) = &why.incident {
            return complete(Self { earlier, ..Self::of_incident(incident, look) });
        }
        let looked = |section: Self| {
            let of = |place: &crate::model::LookedAt| Pair {
                label: clean(&place.place),
                text: clean(&format!("{}{}", if place.is_read { "" } else { "not read: " }, place.said)),
            };
            let mut evidence = section.evidence.clone();
            evidence.extend(why.looked_at.iter().map(of));
            complete(Self { evidence, ..section })
        };
        let Some(found) = &why.reconstructed else {
            let time = Some(&why.time);
            return looked(Self {
                what: "NOT FOUND",
                style: "signal",
                why: clean(&why.summary),
                earlier,
                ..Self::of(None, time, look)
            });
        };
        let incident = found.as_incident();
        let mut facts: Vec<(String, String)> = incident.iter().flat_map(human::facts).collect();
        facts.extend(found.end.iter().map(|end| ("ended".to_owned(), human::said_of(end))));
        let section = Self {
            what: human::what_of(why, found),
            style: if found.verdict.is_some() { "kill" } else { "signal" },
            place: if found.verdict.is_some() { clean(&human::place_of(why, found)) } else { String::new() },
            after_the_fact: Some(format!("After the fact: {}.", human::kept_by_others(why, found))),
            facts: pairs(facts),
            missing_title: "What is not known any more",
            missing: found.unknown.iter().chain(&found.missing).map(|text| clean(text)).collect(),
            split: split(found.oom.as_ref()),
            earlier,
            ..Self::of(found.verdict.as_ref(), found.time.as_ref(), look)
        };
        let why_text = if found.verdict.is_none() { clean(&why.summary) } else { section.why.clone() };
        looked(Self { why: why_text, ..section })
    }

    fn of(verdict: Option<&Verdict>, time: Option<&String>, look: &Look) -> Self {
        let todo = |advice: &crate::model::Advice| Todo {
            action: clean(&advice.action),
            why: clean(&advice.why),
            command: advice.command.as_deref().map(clean),
        };
        Self {
            time: time.map_or_else(|| "at an unknown time".to_owned(), |time| look.time(time)),
            datetime: time.map(|time| clean(time)).unwrap_or_default(),
            why: verdict.map(|verdict| clean(&verdict.why)).unwrap_or_default(),
            confidence: verdict
                .map(|verdict| format!("{}, {}", verdict.cause.name(), verdict.confidence.name()))
                .unwrap_or_default(),
            advice: verdict.iter().flat_map(|verdict| &verdict.advice).map(todo).collect(),
            evidence: verdict.iter().flat_map(|verdict| &verdict.evidence).map(evidence).collect(),
            ..Self::default()
        }
    }
}

/// Kills of before, like ones on one line.
fn earlier(why: &Why, look: &Look) -> Vec<String> {
    let Earlier { lines, left } = folded::earlier(&why.earlier, EARLIER);
    let one = |(kill, folded): &(&EarlierKill, Option<Folded>)| {
        let time = kill.time.as_ref().map_or_else(|| "some time".to_owned(), |time| look.time(time));
        let count = folded.and_then(|folded| folded.said(|time| look.time(time)));
        // Of several it would be the last one's.
        let age = kill.after_start_ms.filter(|_| count.is_none());
        let age = age.map(|ms| format!(", {} after its start", elapsed_ms(ms))).unwrap_or_default();
        let count = count.map(|count| format!(" {count}")).unwrap_or_default();
        clean(&format!("{time} {}{count}: {}{age}", kill.place, kill.why))
    };
    let mut all: Vec<String> = lines.iter().map(one).collect();
    if left > 0 {
        all.push(format!("and {left} more"));
    }
    all
}

fn pairs(facts: Vec<(String, String)>) -> Vec<Pair> {
    facts.into_iter().map(|(label, text)| Pair { label: clean(&label), text: clean(&text) }).collect()
}

fn evidence(evidence: &Evidence) -> Pair {
    Pair { label: source(evidence.source).to_owned(), text: clean(&evidence.fact) }
}

/// The victim's memory as parts of the limit that was hit.
fn split(oom: Option<&Oom>) -> Option<Split> {
    let (memory, limit) = (oom?.victim_memory.as_ref()?, oom?.limit_owner.as_ref()?.limit_bytes?);
    if limit == 0 {
        return None;
    }
    let sizes = [
        ("anon", "anonymous", memory.anon_bytes),
        ("shmem", "shared memory and tmpfs", memory.shmem_bytes),
        ("file", "pages of files", memory.file_bytes),
        ("other", "page tables", memory.page_tables_bytes),
    ];
    let mut split = Split {
        said: format!(
            "What the victim had, against the limit of {}. Pages of files may be counted elsewhere.",
            bytes(limit)
        ),
        parts: Vec::new(),
    };
    let mut x = 0.0;
    for (class, name, size) in sizes.into_iter().filter(|(.., size)| *size > 0) {
        let share: f64 = size as f64 * 100.0 / limit as f64;
        let width = share.min(100.0 - x);
        split.parts.push(Part { class, label: format!("{name} {}", bytes(size)), x: round(x), width: round(width) });
        x += width;
    }
    (!split.parts.is_empty()).then_some(split)
}
