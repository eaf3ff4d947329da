//! Like incidents on one line, by the columns of the history: a million are looked through without reading one of them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::model::Incident;
use crate::store::place::identity;
use crate::store::read::Kept;
use crate::store::select::{Conditions, Selection};
use crate::store::share::{Rest, Shares};
use crate::store::{History, Identity, StoreError, folding};
use crate::text::nanoseconds;
use crate::words::folded::{APART_NS, Folded};

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The last incident of it, for [`History::incident`].
    pub seq: i64,
    /// Those before, the latest first: eight bytes each, whatever the incidents hold.
    earlier: Vec<i64>,
    pub folded: Folded,
}

/// What there is to show of a [`Line`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The last that can be read, and how many there are with it; none where they were removed meanwhile, or none of them can be read.
    pub last: Option<(Incident, Folded)>,
    /// Later ones than that, which cannot be read, and are not counted with it.
    pub unreadable: u64,
}

impl History {
    /// The incidents that are asked for, like ones on one line where no more than [`APART_NS`] lies between each and the next; the latest
    /// first. `last` of the selection counts lines: each of them is whole.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn folded(&self, selection: &Selection) -> Result<Vec<Line>, StoreError> {
        Ok(self.fold(selection, None)?.all)
    }

    /// The same, of which no place has more than [`OF_PLACE`](crate::store::OF_PLACE) lines, nor all places that one user can make more than
    /// [`OF_USER`](crate::store::OF_USER): the rest of them is counted, as far back as the list goes.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn folded_by_share(&self, selection: &Selection) -> Result<(Vec<Line>, Vec<Rest>), StoreError> {
        let Lines { all, shares, .. } = self.fold(selection, Some(Shares::default()))?;
        Ok((all, shares.map(Shares::rest).unwrap_or_default()))
    }

    fn fold(&self, selection: &Selection, shares: Option<Shares>) -> Result<Lines, StoreError> {
        let db = self.db();
        let mut lines = Lines { most: selection.last.unwrap_or(usize::MAX), shares, ..Lines::default() };
        let alike = if self.form() >= folding::SINCE { "alike" } else { "NULL" };
        let mut read = || {
            let conditions = Conditions::of(db, selection)?;
            let sql = format!(
                "SELECT seq, at, who, {alike} FROM incident{} ORDER BY at DESC, seq DESC",
                conditions.clause(db)?
            );
            conditions.each(db, &sql, |row| {
                let kill = Kill { seq: row.get(0)?, at: row.get(1)?, who: row.get(2)?, alike: row.get(3)? };
                lines.take(kill, || identity(db, kill.who))
            })
        };
        read().map_err(StoreError::of("read", self.path()))?;
        Ok(lines)
    }

    /// Reads the last incident of a line, or the last before it that can be read.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn shown(&self, line: &Line) -> Result<Shown, StoreError> {
        let mut shown = Shown::default();
        for (passed, seq) in (0..).zip(std::iter::once(&line.seq).chain(&line.earlier)) {
            match self.kept(*seq)? {
                Kept::Whole(incident) => {
                    let folded = match passed {
                        0 => Some(line.folded),
                        // As the columns have it.
                        _ => line.folded.without_latest(passed, nanoseconds(&incident.time).unwrap_or_default()),
                    };
                    shown.last = folded.map(|folded| (*incident, folded));
                    break;
                }
                Kept::Gone => {}
                Kept::Unreadable => shown.unreadable += 1,
            }
        }
        Ok(shown)
    }
}

/// Lines that are made of incidents, the latest first.
#[derive(Default)]
struct Lines {
    most: usize,
    all: Vec<Line>,
    /// The line of each kind that may grow, by whose they are and what they have in common.
    growing: HashMap<(i64, i64), usize>,
    /// When the earliest was of those that are on a line.
    earliest: i64,
    /// How many of them each may have, where that is bounded.
    shares: Option<Shares>,
}

/// What the columns have of one.
#[derive(Clone, Copy)]
struct Kill {
    seq: i64,
    at: i64,
    who: i64,
    alike: Option<i64>,
}

impl Lines {
    /// Takes the one before all others, and asks whose it is where that counts; whether there may be more to come.
    fn take(
        &mut self,
        kill: Kill,
        identity: impl FnOnce() -> rusqlite::Result<Identity>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let Kill { seq, at, who, alike } = kill;
        let like = alike.map(|alike| (who, alike));
        let is_full = self.all.len() >= self.most;
        // None of them grows any more.
        if is_full && self.earliest.saturating_sub(at) > APART_NS {
            return Ok(ControlFlow::Break(()));
        }
        let line = like.and_then(|like| self.growing.get(&like)).and_then(|number| self.all.get_mut(*number));
        if let Some(Line { folded, earlier, .. }) = line
            && let Some(grown) = folded.with_near(at)
        {
            *folded = grown;
            earlier.push(seq);
            self.earliest = at;
        } else if !is_full
            && let Some(shares) = &mut self.shares
            && !shares.take(who, at, alike, identity)?
        {
            // Counted with the rest.
        } else if !is_full {
            self.growing.extend(like.map(|like| (like, self.all.len())));
            self.all.push(Line { seq, earlier: Vec::new(), folded: Folded::single(at) });
            self.earliest = at;
        } else if let Some(like) = like {
            // Another line's, which lies before all that are shown.
            self.growing.remove(&like);
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Routine};
    use crate::store::tests::{Place, entries, limited, named};

    fn at(number: u32, name: &str, minute: u32) -> Incident {
        let mut incident = named(number, name, "app:1");
        incident.time = format!("2026-11-20T{:02}:{:02}:00Z", minute / 60, minute % 60);
        incident
    }

    fn lines(place: &Place, last: Option<usize>) -> Vec<(String, u64, i64)> {
        let history = place.history();
        let found = history.folded(&Selection { last, ..Selection::default() }).unwrap();
        let line = |line: &Line| {
            let incident = history.incident(line.seq).unwrap().unwrap();
            let minutes = (line.folded.last() - line.folded.first()) / 60_000_000_000;
            (incident.container.unwrap().name.unwrap(), line.folded.count(), minutes)
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn a_crowd_of_like_ones_hides_no_other() {
        let place = Place::new();
        // One that was killed alone, and two restart loops beside one another.
        let loops = (0..40).flat_map(|n| [at(1 + 2 * n, "web", 10 + 5 * n), at(2 + 2 * n, "api", 11 + 5 * n)]);
        let all = std::iter::once(at(0, "db", 0)).chain(loops).chain([at(900, "web", 300)]);
        place.writer().append(&entries(all)).unwrap();
        let line = |name: &str, count, minutes| (name.to_owned(), count, minutes);
        let expected = [line("web", 1, 0), line("api", 40, 195), line("web", 40, 195), line("db", 1, 0)];
        assert_eq!(lines(&place, None), expected);
        // Lines count, and those that are there are whole.
        assert_eq!(lines(&place, Some(4)), expected);
        assert_eq!(lines(&place, Some(3)), expected[..3]);
        assert_eq!(lines(&place, Some(2)), expected[..2]);
        assert_eq!(lines(&place, Some(1)), expected[..1]);
    }

    #[test]
    fn what_is_not_alike_is_not_counted_together() {
        let place = Place::new();
        let mut all: Vec<Incident> = (0..12).map(|number| limited(at(number, "web", number), 64)).collect();
        all[1].verdict.as_mut().unwrap().cause = Cause::OomHost;
        all[2].sender.process.as_mut().unwrap().exe = Some("/usr/bin/python3".to_owned());
        all[3].sender.process.as_mut().unwrap().uid = Some(4711);
        all[4] = limited(all[4].clone(), 128);
        all[5].routine = Some(Routine::Sandbox);
        all[6].node = Some("node-2".to_owned());
        // One of another program's instances, the one that ended the container, and one that somebody asked for.
        all[7].victim.process.cmdline = Some(vec!["python3".to_owned(), "important.py".to_owned()]);
        all[8].victim.container_init = true;
        let process = crate::model::Process { uid: Some(1077), ..all[9].victim.process.clone() };
        all[9].requester = Some(crate::judge::tests::requested_by(process));
        place.writer().append(&entries(all)).unwrap();
        let found = place.history().folded(&Selection { routine: true, ..Selection::default() }).unwrap();
        let counts: Vec<u64> = found.iter().map(|line| line.folded.count()).collect();
        assert_eq!(counts, [3, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_line_is_shown_by_the_last_of_it_that_can_be_read() {
        let place = Place::new();
        place.writer().append(&entries((0..5).map(|number| at(number, "web", number)))).unwrap();
        let db = rusqlite::Connection::open(place.path()).unwrap();
        for (damaged, expected) in [(0_u32, Some((4, 5))), (2, Some((2, 3))), (4, Some((0, 1))), (5, None)] {
            db.execute("UPDATE record SET json = '{' WHERE seq > 5 - ?1", [damaged]).unwrap();
            let history = place.history();
            let lines = history.folded(&Selection::default()).unwrap();
            let [line] = lines.as_slice() else { panic!("{lines:?}") };
            let shown = history.shown(line).unwrap();
            let last = shown.last.map(|(incident, folded)| {
                assert_eq!(nanoseconds(&incident.time), Some(folded.last()));
                (incident.id[..8].parse::<u32>().unwrap(), folded.count())
            });
            assert_eq!((last, shown.unreadable), (expected, u64::from(damaged)), "{damaged}");
        }
    }
}
