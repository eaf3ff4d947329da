//! The stream of incidents, and of what else is said of kills, as far back as there is room.

use std::collections::{HashMap, VecDeque};

use crate::model::{Lost, Record};
use crate::sink::Sink as _;
use crate::sink::human::{Human, Look};
use crate::sink::weight::weight;
use crate::text::nanoseconds;
use crate::words::folded::Folded;
use crate::words::repeats::key;

/// Records that are kept, and bytes of them.
const MOST: usize = 500;
const MOST_BYTES: usize = 4 << 20;

/// A record that is shown; of like kills, the last.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Of this run.
    pub number: u64,
    pub record: Record,
    alike: Option<Alike>,
    /// Its line, in small letters, to be looked for.
    pub searched: String,
    weight: usize,
}

/// What like kills have in common, and how many there were: a restart loop is one line, and leaves the others theirs.
#[derive(Clone, Debug)]
struct Alike {
    key: String,
    folded: Folded,
}

impl Alike {
    /// None of what is no kill.
    fn of(record: &Record) -> Option<Self> {
        let Record::Incident(incident) = record else { return None };
        Some(Self { key: key(incident)?, folded: Folded::single(nanoseconds(&incident.time)?) })
    }

    /// Counted with `before`, which is like it; none where it is not.
    fn with(&self, before: &Self) -> Option<Folded> {
        if self.key == before.key { before.folded.with_near(self.folded.last()) } else { None }
    }
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
        let (record, of_losses) = self.with_losses(record);
        match &record {
            Record::Incident(incident) if incident.routine.is_some() => self.routine += 1,
            Record::Incident(_) => self.count += 1,
            _ => {}
        }
        let mut alike = Alike::of(&record);
        let number = of_losses.or_else(|| alike.as_mut().and_then(|alike| self.take_alike(alike)));
        let searched = text(&record, alike.as_ref(), brief(Look::default())).to_lowercase();
        if searched.is_empty() {
            return false;
        }
        let key = alike.as_ref().map_or(0, |alike| alike.key.len());
        let weight = weight(&record) + size_of::<Shown>() + searched.len() + key;
        self.bytes += weight;
        let number = number.unwrap_or_else(|| {
            let next = self.next;
            self.next += 1;
            next
        });
        self.shown.push_front(Shown { number, record, alike, searched, weight });
        while self.shown.len() > MOST || (self.bytes > MOST_BYTES && self.shown.len() > 1) {
            self.drop_one();
        }
        true
    }

    /// Losses go on for as long as a flood does, and are one line, of all that was lost; with the number that it has.
    fn with_losses(&mut self, record: Record) -> (Record, Option<u64>) {
        let Record::Lost(lost @ Lost { unwritten: None, .. }) = &record else { return (record, None) };
        let before = |shown: &Shown| match shown.record {
            Record::Lost(before @ Lost { unwritten: None, .. }) => Some(before),
            _ => None,
        };
        let found = self.shown.iter().enumerate().find_map(|(at, shown)| Some((at, before(shown)?)));
        let Some((at, before)) = found else { return (record, None) };
        let number = self.shown.remove(at).map(|shown| {
            self.bytes -= shown.weight;
            shown.number
        });
        (Record::Lost(before.plus(lost)), number)
    }

    /// Takes out the one that is like it, and counts them together; the number that it had.
    fn take_alike(&mut self, alike: &mut Alike) -> Option<u64> {
        let of = |shown: &Shown| alike.with(shown.alike.as_ref()?);
        let (at, folded) = self.shown.iter().enumerate().find_map(|(at, shown)| Some((at, of(shown)?)))?;
        let before = self.shown.remove(at)?;
        self.bytes -= before.weight;
        alike.folded = folded;
        Some(before.number)
    }

    /// The oldest goes of those that have most lines: before all others those that nobody needs to be woken for, and then those of the container,
    /// or the user, with more than others have. The latest stays.
    fn drop_one(&mut self) {
        let routine = self.shown.iter().skip(1).rposition(Shown::is_routine).map(|behind| behind + 1);
        let dropped = match routine.or_else(|| self.most_of_one()) {
            Some(at) => self.shown.remove(at),
            None => self.shown.pop_back(),
        };
        self.bytes -= dropped.map_or(0, |oldest| oldest.weight);
    }

    /// The oldest line of whoever has most of them, but for the latest of all.
    fn most_of_one(&self) -> Option<usize> {
        let mut lines: HashMap<Whose<'_>, (usize, usize)> = HashMap::new();
        for (at, shown) in self.shown.iter().enumerate().skip(1) {
            let (count, oldest) = lines.entry(whose(&shown.record)).or_default();
            (*count, *oldest) = (*count + 1, at);
        }
        lines.into_values().max().map(|(_, oldest)| oldest)
    }

    /// The latest first; routine kills only where `all` are wanted.
    pub fn shown(&self, all: bool) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |shown| all || !shown.is_routine())
    }

    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Shown> {
        self.shown.iter().find(|shown| shown.number == number)
    }

    /// A record in full, with what was said of it later.
    #[must_use]
    pub fn in_full(&self, shown: &Shown, look: Look) -> String {
        let look = Look { all: true, brief: false, ..look };
        let mut full = text(&shown.record, shown.alike.as_ref(), look);
        let Record::Incident(incident) = &shown.record else { return full };
        let is_of_it = |other: &&Shown| match &other.record {
            Record::Correction(correction) => correction.incident == incident.id,
            Record::Contradiction(said) => said.incident == incident.id,
            _ => false,
        };
        for later in self.shown.iter().rev().filter(is_of_it) {
            full.push('\n');
            full.push_str(&text(&later.record, None, look));
        }
        full
    }
}

/// Who has a line: the outermost container, or the user who may make any number of them; else the cgroup.
type Whose<'a> = (Option<u32>, Option<&'a str>);

fn whose(record: &Record) -> Whose<'_> {
    let Record::Incident(incident) = record else { return (None, None) };
    let Some(container) = &incident.container else { return (None, incident.victim.process.cgroup.as_deref()) };
    let outermost = container.chain().last().unwrap_or(container);
    match outermost.user {
        Some(uid) => (Some(uid), None),
        None => (None, Some(&outermost.id)),
    }
}

impl Shown {
    fn is_routine(&self) -> bool {
        matches!(&self.record, Record::Incident(incident) if incident.routine.is_some())
    }

    /// It in one line, with the colours that `look` has.
    #[must_use]
    pub fn line(&self, look: Look) -> String {
        text(&self.record, self.alike.as_ref(), brief(look)).lines().next().unwrap_or_default().to_owned()
    }
}

fn brief(look: Look) -> Look {
    Look { brief: true, all: true, verbose: false, width: None, ..look }
}

/// A record as the terminal has it, with the count of those like it; nothing where that says nothing of it.
fn text(record: &Record, alike: Option<&Alike>, look: Look) -> String {
    let mut text = Vec::new();
    let mut human = Human::new(&mut text, move || look);
    // Writing to a Vec cannot fail.
    _ = match (record, alike) {
        (Record::Incident(incident), Some(alike)) => human.put_counted(incident, Some(&alike.folded)),
        _ => human.put(record),
    };
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
        let time = "2026-11-01T12:00:00Z".to_owned();
        Record::Incident(Incident { id: format!("{number}"), time, routine, ..incident })
    }

    /// One that is like no other.
    fn different(number: usize, routine: Option<Routine>) -> Record {
        let mut record = incident(number, routine);
        if let Record::Incident(incident) = &mut record {
            incident.victim.process.exe = Some(format!("/bin/{number}"));
        }
        record
    }

    #[test]
    fn a_restart_loop_is_one_line() {
        let mut incidents = Incidents::default();
        incidents.take(different(0, None));
        for number in 1..=40 {
            assert!(incidents.take(incident(number, None)));
        }
        incidents.take(different(41, None));
        assert_eq!(incidents.count, 42);
        let lines: Vec<String> = incidents.shown(false).map(|shown| shown.line(Look::default())).collect();
        assert!(lines.len() == 3 && lines[1].contains(" ×40"), "{lines:?}");
        // It stays the one that was opened, and has the last of them.
        let loop_of = incidents.shown(false).nth(1).unwrap().clone();
        incidents.take(incident(42, None));
        assert!(incidents.get(loop_of.number).unwrap().line(Look::default()).contains(" ×41"));
        assert_eq!(incidents.shown(false).count(), 3);
        let bytes: usize = incidents.shown.iter().map(|shown| shown.weight).sum();
        assert_eq!(incidents.bytes, bytes);
    }

    #[test]
    fn losses_are_one_line() {
        let mut incidents = Incidents::default();
        incidents.take(incident(0, None));
        for count in 1..=1000 {
            assert!(incidents.take(Record::Lost(Lost { events: 2, kills: 1, exits: 1, ..Lost::default() })));
            assert_eq!(incidents.shown(false).next().unwrap().number, 1, "{count}: whoever has opened it still has it");
        }
        let lines: Vec<String> = incidents.shown(false).map(|shown| shown.line(Look::default())).collect();
        assert!(lines.len() == 2 && lines[0].starts_with("KILLS WERE LOST: 1000 "), "{lines:?}");
    }

    #[test]
    fn a_container_in_which_much_is_killed_pushes_out_no_other() {
        let mut incidents = Incidents::default();
        let mut other = different(0, None);
        if let Record::Incident(Incident { container: Some(container), .. }) = &mut other {
            container.id = "other".to_owned();
        }
        incidents.take(other);
        for number in 1..=2 * MOST {
            incidents.take(different(number, None));
        }
        let all: Vec<&Shown> = incidents.shown(false).collect();
        let first = all.last().unwrap();
        assert!(all.len() > 100 && matches!(&first.record, Record::Incident(incident) if incident.id == "0"));
        assert!(matches!(&all[0].record, Record::Incident(incident) if incident.id == (2 * MOST).to_string()));
    }

    #[test]
    fn a_kill_is_not_pushed_out_by_routine_ones() {
        let mut incidents = Incidents::default();
        incidents.take(different(0, None));
        for number in 1..=2 * MOST {
            incidents.take(different(number, Some(Routine::Sandbox)));
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
