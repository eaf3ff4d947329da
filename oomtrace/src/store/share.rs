//! How many lines of a list one place has: a container in which a hundred programs are killed, none like another, must not push out what
//! was killed elsewhere. Nor must a user who makes a hundred containers, units or programs.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use crate::store::Identity;

/// Lines of one place.
pub const OF_PLACE: usize = 10;
/// Lines of all places that one user has made.
pub const OF_USER: usize = 50;
/// Kinds that are counted each by itself; whoever has more of them has many.
const KINDS: usize = 10_000;

/// Whose kills have no lines of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    Place(Identity),
    /// Those of their places that have not too many by themselves.
    User(u32),
}

/// Kills that have no lines of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub of: Of,
    pub kills: u64,
    /// How many of them are unlike one another, up to some thousands.
    pub kinds: usize,
    /// When the first of them was, and the last, in nanoseconds since 1970.
    pub first: i64,
    pub last: i64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Shares {
    /// By the number that the history has for it.
    places: HashMap<i64, (Identity, Share)>,
    users: HashMap<u32, Share>,
}

#[derive(Debug, Default)]
struct Share {
    lines: usize,
    rest: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    kills: u64,
    kinds: HashSet<(i64, i64)>,
    /// Of which nobody knows what they are like.
    unlike: usize,
    first: i64,
    last: i64,
}

impl Shares {
    /// Takes one for which there is no line yet, each before the one taken last: whether it has one of its own. `who` is asked whose it is.
    ///
    /// # Errors
    /// What `who` fails with.
    pub fn take<E>(
        &mut self,
        place: i64,
        at: i64,
        alike: Option<i64>,
        who: impl FnOnce() -> Result<Identity, E>,
    ) -> Result<bool, E> {
        let (identity, share) = match self.places.entry(place) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert((who()?, Share::default())),
        };
        let kind = alike.map(|alike| (place, alike));
        if share.lines >= OF_PLACE {
            share.count(at, kind);
            return Ok(false);
        }
        if let Some(user) = identity.user() {
            let all = self.users.entry(user).or_default();
            if all.lines >= OF_USER {
                all.count(at, kind);
                return Ok(false);
            }
            all.lines += 1;
        }
        share.lines += 1;
        Ok(true)
    }

    /// What has no lines, most first.
    #[must_use]
    pub fn rest(self) -> Vec<Rest> {
        let places = self.places.into_values().map(|(identity, share)| (Of::Place(identity), share));
        let users = self.users.into_iter().map(|(uid, share)| (Of::User(uid), share));
        let rest = |(of, share): (Of, Share)| {
            let Counted { kills, kinds, unlike, first, last } = share.rest?;
            Some(Rest { of, kills, kinds: kinds.len().saturating_add(unlike).min(KINDS), first, last })
        };
        let mut all: Vec<Rest> = places.chain(users).filter_map(rest).collect();
        all.sort_by(|one, other| other.kills.cmp(&one.kills).then_with(|| other.last.cmp(&one.last)));
        all
    }
}

impl Rest {
    /// There may be more kinds than are counted each by itself.
    #[must_use]
    pub const fn has_more_kinds(&self) -> bool {
        self.kinds >= KINDS
    }
}

impl Share {
    fn count(&mut self, at: i64, kind: Option<(i64, i64)>) {
        let new = || Counted { kills: 0, kinds: HashSet::new(), unlike: 0, first: at, last: at };
        let rest = self.rest.get_or_insert_with(new);
        rest.kills += 1;
        (rest.first, rest.last) = (rest.first.min(at), rest.last.max(at));
        match kind {
            Some(kind) if rest.kinds.len() < KINDS => _ = rest.kinds.insert(kind),
            Some(_) => {}
            None => rest.unlike += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::model::Incident;
    use crate::store::Selection;
    use crate::store::tests::{Place, entries, named};

    /// Number `number` of a program that is called otherwise each time, so many minutes after the first of all.
    fn copy(number: u32, name: &str, minute: u32) -> Incident {
        let mut incident = named(number, name, "app:1");
        let at = "2026-11-20T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute.into());
        incident.time = format!("{at:.9}");
        incident.victim.process.comm = format!("copy-{number}");
        incident.victim.process.exe = Some(format!("/tmp/copy-{number}"));
        incident.victim.process.cmdline = Some(vec![format!("/tmp/copy-{number}")]);
        incident
    }

    /// Lines and rest of a list of so many.
    fn listed(all: Vec<Incident>, last: usize) -> (Vec<String>, Vec<Rest>) {
        let place = Place::new();
        place.writer().append(&entries(all)).unwrap();
        let history = place.history();
        let selection = Selection { last: Some(last), ..Selection::default() };
        let (lines, rest) = history.folded_by_share(&selection).unwrap();
        let of = |seq| Identity::of(&history.incident(seq).unwrap().unwrap()).name().to_owned();
        (lines.iter().map(|line| of(line.seq)).collect(), rest)
    }

    fn count(lines: &[String], name: &str) -> usize {
        lines.iter().filter(|line| *line == name).count()
    }

    #[test]
    fn one_place_pushes_out_no_other() {
        let mut all = vec![copy(0, "db", 0), copy(1, "api", 2)];
        all.extend((0..130).map(|number| copy(100 + number, "web", 5 + number)));
        all.push(copy(2, "api", 300));
        let (lines, rest) = listed(all.clone(), 100);
        assert_eq!((lines.len(), count(&lines, "web"), count(&lines, "api"), count(&lines, "db")), (13, 10, 2, 1));
        let [rest] = rest.as_slice() else { panic!("{rest:?}") };
        let Of::Place(identity) = &rest.of else { panic!("{rest:?}") };
        assert_eq!((identity.name(), rest.kills, rest.kinds, rest.has_more_kinds()), ("web", 120, 120, false));
        assert_eq!((rest.last - rest.first) / 60_000_000_000, 119);
        // A list that ends before them says nothing of them: these are not its places' lines.
        let (lines, rest) = listed(all, 11);
        assert_eq!((lines.len(), rest), (11, Vec::new()));
    }

    #[test]
    fn what_is_like_a_line_that_is_there_is_on_it() {
        let mut all: Vec<Incident> = (0..20).map(|number| copy(number, "web", number)).collect();
        // Two more of the kind whose line is the last, and of one that has none, both within ten minutes.
        let again = |number, minute, like: u32| {
            let victim = copy(like, "web", 0).victim;
            Incident { victim, ..copy(number, "web", minute) }
        };
        all.extend([again(50, 12, 19), again(51, 13, 19), again(52, 1, 0)]);
        let (lines, rest) = listed(all, 100);
        assert_eq!(lines.len(), 10);
        let [rest] = rest.as_slice() else { panic!("{rest:?}") };
        assert_eq!((rest.kills, rest.kinds), (11, 10));
    }

    #[test]
    fn one_user_with_many_places_pushes_out_no_other() {
        let mut all = vec![copy(0, "db", 0)];
        let of_user = |number: u32| {
            let mut incident = copy(number, &format!("its-{number}"), number);
            incident.container.as_mut().unwrap().user = Some(1000);
            incident
        };
        all.extend((1..=150).map(of_user));
        let (lines, rest) = listed(all, 100);
        assert_eq!((lines.len(), count(&lines, "db")), (51, 1));
        let [Rest { of: Of::User(1000), kills: 100, kinds: 100, .. }] = rest.as_slice() else { panic!("{rest:?}") };
    }

    #[test]
    fn what_has_one_name_and_is_two_has_two_shares() {
        let mut all: Vec<Incident> = (0..30).map(|number| copy(number, "web", number)).collect();
        let of_user = |number: u32| {
            let mut incident = copy(number, "web", number);
            incident.container.as_mut().unwrap().user = Some(1000);
            incident
        };
        all.extend((30..90).map(of_user));
        let (lines, rest) = listed(all, 100);
        assert_eq!((lines.len(), rest.iter().map(|rest| rest.kills).collect::<Vec<_>>()), (20, vec![50, 20]));
    }
}
