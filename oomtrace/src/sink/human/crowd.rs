//! Kills in one place of which none is like another: a container that runs a thousand scripts, and loses each. The first few of a minute have
//! their blocks, and what is more is counted, so that whoever makes them hides nobody else's.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::Incident;
use crate::placement::user_of;

/// Blocks of one place within [`WITHIN`]: of one cause, and of those that end a container apart from others.
const BLOCKS: usize = 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Places that are remembered.
const PLACES: usize = 64;

#[derive(Debug)]
struct Place {
    key: String,
    /// When those were that have blocks, the latest last.
    blocks: VecDeque<Timestamp>,
    /// How many have none since there was one, and when the first of them was.
    rest: u64,
    since: Timestamp,
}

/// Kills that have no blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Whose they are, and since when, which no series of like ones is called.
    pub key: String,
    pub count: u64,
    /// From the first of them to the last.
    pub span: Duration,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Crowds {
    /// Those that were used last come last.
    places: VecDeque<Place>,
}

impl Crowds {
    /// Takes one that is like none before; none where it has a block.
    pub fn take(&mut self, incident: &Incident) -> Option<Crowd> {
        let at: Timestamp = incident.time.parse().ok()?;
        let key = key(incident);
        let known = self.places.iter().position(|place| place.key == key).and_then(|at| self.places.remove(at));
        let mut place = known.unwrap_or(Place { key, blocks: VecDeque::new(), rest: 0, since: at });
        let age = |then: Timestamp| Duration::try_from(at.duration_since(then)).unwrap_or_default();
        // What is later than this one was before the clock was set.
        place.blocks.retain(|then| *then <= at && age(*then) < WITHIN);
        let crowd = if place.blocks.len() < BLOCKS {
            place.blocks.push_back(at);
            place.rest = 0;
            None
        } else {
            if place.rest == 0 {
                place.since = at;
            }
            place.rest += 1;
            Some(Crowd {
                key: format!("{} since {}", place.key, place.since),
                count: place.rest,
                span: age(place.since),
            })
        };
        if self.places.len() >= PLACES {
            self.places.pop_front();
        }
        self.places.push_back(place);
        crowd
    }
}

/// Who can make any number of them: the outermost container, or the user; of root's the cgroup. And whose hand it was: what a user kills hides
/// nothing that root does to the same.
fn key(incident: &Incident) -> String {
    let cgroup = incident.victim.process.cgroup.as_deref().unwrap_or_default();
    let whose = match incident.container.as_ref().and_then(|container| container.chain().last()) {
        Some(outermost) => match outermost.user {
            Some(uid) => format!("user {uid}"),
            None => format!("container {}", outermost.id),
        },
        // Jobs of all users may be in one cgroup, and one user's in any number of them.
        None => match user_of(cgroup).or(incident.victim.process.uid) {
            None | Some(0) => format!("cgroup {cgroup}"),
            Some(uid) => format!("user {uid}"),
        },
    };
    let by = incident.sender.process.as_ref().map(|sender| sender.uid);
    let ends = incident.victim.container_init || incident.victim.container_exit.is_some();
    format!("crowd of {whose} by {by:?} {:?} {ends}", incident.verdict.as_ref().map(|verdict| verdict.cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{in_container, judged, kill};
    use crate::model::Container;

    fn at(second: u32, id: &str) -> Incident {
        let mut incident = in_container(kill("/usr/bin/bash"));
        incident.verdict = Some(judged(&incident));
        incident.time = format!("2026-11-20T03:{:02}:{:02}Z", second / 60, second % 60);
        incident.container.as_mut().unwrap().id = id.to_owned();
        incident
    }

    #[test]
    fn each_place_has_so_many_blocks_a_minute() {
        let mut crowds = Crowds::default();
        let mut count = |incident: &Incident| crowds.take(incident).map(|crowd| (crowd.count, crowd.span.as_secs()));
        for second in 0..10 {
            assert_eq!(count(&at(second, "a")), None);
        }
        assert_eq!((count(&at(10, "a")), count(&at(15, "a"))), (Some((1, 0)), Some((2, 5))));
        // Another place, another cause, and one that ends the container.
        assert_eq!(count(&at(16, "b")), None);
        let mut other = at(17, "a");
        other.verdict.as_mut().unwrap().cause = crate::model::Cause::OomContainerLimit;
        assert_eq!(count(&other), None);
        let mut last = at(18, "a");
        last.victim.container_init = true;
        assert_eq!(count(&last), None);
        // As the minute goes by there are blocks again, and what is counted begins anew.
        assert_eq!(count(&at(60, "a")), None);
        assert_eq!(count(&at(60, "a")), Some((1, 0)));
        assert_eq!(count(&at(200, "a")), None);
        // Somebody else's hand.
        for second in 300..311 {
            count(&at(second, "a"));
        }
        let mut by_other = at(311, "a");
        by_other.sender.process.as_mut().unwrap().uid = Some(1234);
        assert_eq!(count(&by_other), None);
        assert_eq!(count(&at(311, "a")), Some((2, 1)));
        // The clock was set back.
        assert_eq!(count(&at(250, "a")), None);
    }

    #[test]
    fn one_users_jobs_hide_no_others_in_the_same_cgroup() {
        let mut crowds = Crowds::default();
        let mut take = |uid: u32| {
            let mut incident = at(1, "a");
            incident.container = None;
            incident.victim.process.uid = Some(uid);
            incident.victim.process.cgroup = Some("/system.slice/cron.service".to_owned());
            crowds.take(&incident).is_some()
        };
        assert_eq!((0..20).filter(|_| take(1000)).count(), 10);
        assert!(!take(0) && !take(1001));
    }

    #[test]
    fn whatever_a_user_makes_is_one_place() {
        let mut crowds = Crowds::default();
        let mut counted = 0;
        for number in 0..40 {
            let mut incident = at(1, &format!("{number}"));
            let container = incident.container.take().unwrap();
            // In containers of their own, within a container of theirs, or in none.
            match number % 3 {
                0 => incident.container = Some(Container { user: Some(1000), ..container }),
                1 => {
                    let outer = Container { user: Some(1000), id: "outer".to_owned(), ..container.clone() };
                    incident.container = Some(Container { outer: Some(Box::new(outer)), ..container });
                }
                _ => incident.victim.process.cgroup = Some(format!("/user.slice/user-1000.slice/{number}.scope")),
            }
            counted += u64::from(crowds.take(&incident).is_some());
        }
        assert_eq!(counted, 30);
        for number in 0..1_000 {
            crowds.take(&at(2, &format!("{number}")));
        }
        assert_eq!(crowds.places.len(), PLACES);
    }
}
