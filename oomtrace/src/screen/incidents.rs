//! The stream of incidents, and of what else is said of kills, as far back as there is room.

use std::collections::VecDeque;

use crate::model::Record;
use crate::sink::Sink as _;
use crate::sink::human::{Human, Look};
use crate::sink::weight::weight;

/// Records that are kept, and bytes of them.
const MOST: usize = 500;
const MOST_BYTES: usize = 4 << 20;

/// A record that is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Of this run.
    pub number: u64,
    pub record: Record,
    /// Its line, in small letters, to be looked for.
    pub searched: String,
    weight: usize,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    /// The latest first.
    shown: VecDeque<Shown>,
    bytes: usize,
    next: u64,
    /// Incidents so far, routine ones left out; and routine ones.
    pub count: u64,
    pub routine: u64,
}

impl Incidents {
    /// Takes a record; whether it is one that is shown.
    pub fn take(&mut self, record: Record) -> bool {
        match &record {
            Record::Incident(incident) if incident.routine.is_some() => self.routine += 1,
            Record::Incident(_) => self.count += 1,
            _ => {}
        }
        let searched = text(&record, brief(Look::default())).to_lowercase();
        if searched.is_empty() {
            return false;
        }
        let weight = weight(&record) + size_of::<Shown>() + searched.len();
        self.bytes += weight;
        self.shown.push_front(Shown { number: self.next, record, searched, weight });
        self.next += 1;
        while self.shown.len() > MOST || (self.bytes > MOST_BYTES && self.shown.len() > 1) {
            self.drop_one();
        }
        true
    }

    /// The oldest goes, and before all others the oldest of those that nobody needs to be woken for; the latest stays.
    fn drop_one(&mut self) {
        let routine = self.shown.iter().skip(1).rposition(Shown::is_routine).map(|behind| behind + 1);
        let dropped = match routine {
            Some(at) => self.shown.remove(at),
            None => self.shown.pop_back(),
        };
        self.bytes -= dropped.map_or(0, |oldest| oldest.weight);
    }

    /// The latest first; routine kills only where `all` are wanted.
    pub fn shown(&self, all: bool) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |shown| all || !shown.is_routine())
    }

    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Shown> {
        self.shown.iter().find(|shown| shown.number == number)
    }

    /// The one with that id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Shown> {
        self.shown.iter().find(|shown| matches!(&shown.record, Record::Incident(incident) if incident.id == id))
    }

    /// A record in full, with what was said of it later.
    #[must_use]
    pub fn in_full(&self, shown: &Shown, look: Look) -> String {
        let look = Look { all: true, brief: false, ..look };
        let mut full = text(&shown.record, look);
        let Record::Incident(incident) = &shown.record else { return full };
        let is_of_it = |other: &&Shown| match &other.record {
            Record::Correction(correction) => correction.incident == incident.id,
            Record::Contradiction(said) => said.incident == incident.id,
            _ => false,
        };
        for later in self.shown.iter().rev().filter(is_of_it) {
            full.push('\n');
            full.push_str(&text(&later.record, look));
        }
        full
    }
}

impl Shown {
    fn is_routine(&self) -> bool {
        matches!(&self.record, Record::Incident(incident) if incident.routine.is_some())
    }

    /// It in one line, with the colours that `look` has.
    #[must_use]
    pub fn line(&self, look: Look) -> String {
        text(&self.record, brief(look)).lines().next().unwrap_or_default().to_owned()
    }
}

fn brief(look: Look) -> Look {
    Look { brief: true, all: true, verbose: false, width: None, ..look }
}

/// A record as the terminal has it; nothing where that says nothing of it.
fn text(record: &Record, look: Look) -> String {
    let mut text = Vec::new();
    // Writing to a Vec cannot fail.
    _ = Human::new(&mut text, move || look).put(record);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{case, in_container, kill};
    use crate::model::{Incident, Routine};
    use crate::words::conclude;

    fn incident(number: usize, routine: Option<Routine>) -> Record {
        let Record::Incident(incident) = conclude(case(in_container(kill("/usr/sbin/runc")))) else {
            panic!("a kill is an incident")
        };
        Record::Incident(Incident { id: format!("{number}"), routine, ..incident })
    }

    #[test]
    fn a_kill_is_not_pushed_out_by_routine_ones() {
        let mut incidents = Incidents::default();
        incidents.take(incident(0, None));
        for number in 1..=2 * MOST {
            incidents.take(incident(number, Some(Routine::Sandbox)));
        }
        let ids = |all: bool| -> Vec<String> {
            let id = |shown: &Shown| match &shown.record {
                Record::Incident(incident) => incident.id.clone(),
                _ => String::new(),
            };
            incidents.shown(all).map(id).collect()
        };
        assert_eq!(ids(false), ["0"]);
        let all = ids(true);
        assert!((100..=MOST).contains(&all.len()) && all[0] == (2 * MOST).to_string(), "{} {}", all.len(), all[0]);
        assert_eq!((incidents.count, incidents.routine), (1, 2 * MOST as u64));
    }
}
