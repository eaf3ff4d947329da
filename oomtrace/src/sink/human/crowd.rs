//! Kills in one place of which none is like another: a container that runs a thousand scripts, and loses each. The first few of a minute have
//! their blocks, and what is more is counted, so that whoever makes them hides nobody else's.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::judge::requester::is_by_exec;
use crate::model::{Container, Incident, Process, Warning};
use crate::placement::{may_be_given, user_of};
use crate::recent::Recent;

/// Blocks of one place within [`WITHIN`]: of one cause, and of those that end a container apart from others.
const BLOCKS: usize = 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Places that are remembered.
const PLACES: usize = 64;

#[derive(Debug)]
struct Place {
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
    places: Recent<String, Place, PLACES>,
}

impl Crowds {
    /// Takes one that is like none before; none where it has a block.
    pub fn take(&mut self, incident: &Incident) -> Option<Crowd> {
        self.take_as(key(incident), &incident.time)
    }

    /// The same of a warning: a user's units may be any number, each as near to its limit as they like.
    pub fn take_warning(&mut self, warning: &Warning) -> Option<Crowd> {
        let of = whose(warning.container.as_ref(), Some(&warning.cgroup), None);
        self.take_as(format!("warnings of {of}"), &warning.time)
    }

    fn take_as(&mut self, key: String, time: &str) -> Option<Crowd> {
        let at: Timestamp = time.parse().ok()?;
        let new = || Place { blocks: VecDeque::new(), rest: 0, since: at };
        let mut place = self.places.take(&key).unwrap_or_else(new);
        let age = |then: Timestamp| Duration::try_from(at.duration_since(then)).unwrap_or_default();
        // What is a little later than this one came before it, and what is much later was before the clock was set back.
        place.blocks.retain(|then| at.duration_since(*then).unsigned_abs() < WITHIN);
        let crowd = if place.blocks.len() < BLOCKS {
            place.blocks.push_back(at);
            place.rest = 0;
            None
        } else {
            if place.rest == 0 {
                place.since = at;
            }
            place.rest += 1;
            Some(Crowd { key: format!("{key} since {}", place.since), count: place.rest, span: age(place.since) })
        };
        self.places.put(key, place);
        crowd
    }
}

/// Whose they are, and whose hand it was: what a user kills hides nothing that root does to the same.
fn key(incident: &Incident) -> String {
    let victim = &incident.victim;
    let of =
        |container: Option<&Container>, process: &Process| whose(container, process.cgroup.as_deref(), process.uid);
    let place = of(incident.container.as_ref(), &victim.process);
    let sender = &incident.sender;
    let by = sender.process.as_ref().map(|process| of(sender.container.as_ref(), process));
    // Whoever had a command run in the container is none of it.
    let asked = incident.requester.as_ref().map(|asked| of(asked.container.as_ref(), &asked.process));
    let by = (by, asked, is_by_exec(incident));
    // A service's first process is started by the first of all.
    let is_first = victim.container_init || incident.container.is_none() && victim.process.ppid == Some(1);
    let ends = is_first || victim.container_exit.is_some();
    format!("crowd of {place} by {by:?} {:?} {ends}", incident.verdict.as_ref().map(|verdict| verdict.cause))
}

/// Who can make any number of processes like this one: the outermost container, in which a process may be of any user it likes; a user, where
/// the cgroup is theirs alone; else a user's within one unit, for jobs of all users may be in one, and one user's in two services. Below a unit there
/// may be any number of cgroups, which it has been given.
fn whose(container: Option<&Container>, cgroup: Option<&str>, uid: Option<u32>) -> String {
    if let Some(outermost) = container.and_then(|container| container.chain().last()) {
        return outermost.user.map_or_else(|| format!("container {}", outermost.id), |uid| format!("user {uid}"));
    }
    let cgroup = cgroup.unwrap_or_default();
    let user = user_of(cgroup).filter(|uid| *uid != 0);
    user.map_or_else(|| format!("user {uid:?} in {}", outermost_unit(cgroup)), |uid| format!("user {uid}"))
}

/// The cgroup's path as far as the first unit in it; all of it where there is none.
fn outermost_unit(cgroup: &str) -> &str {
    let ends = cgroup.match_indices('/').map(|(at, _)| at).skip(1).chain([cgroup.len()]);
    let mut above = ends.filter_map(|end| cgroup.get(..end));
    above.find(|path| path.rsplit('/').next().is_some_and(may_be_given)).unwrap_or(cgroup)
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
        // One comes later than it was, and hides no block.
        assert_eq!(count(&at(290, "a")), Some((3, 0)));
        // The clock was set back.
        assert_eq!(count(&at(100, "a")), None);
    }

    #[test]
    fn one_users_jobs_hide_no_others_in_the_same_cgroup() {
        let mut crowds = Crowds::default();
        let mut take = |uid: u32, service: &str, ppid: u32| {
            let mut incident = at(1, "a");
            incident.container = None;
            let victim = &mut incident.victim.process;
            (victim.uid, victim.ppid) = (Some(uid), Some(ppid));
            victim.cgroup = Some(format!("/system.slice/{service}"));
            crowds.take(&incident).is_some()
        };
        assert_eq!((0..20).filter(|_| take(1000, "cron.service", 7)).count(), 10);
        assert!(!take(0, "cron.service", 7) && !take(1001, "cron.service", 7));
        assert!(!take(1000, "web.service", 7), "two services may be one user's");
        assert!(!take(1000, "cron.service", 1), "the service itself");
        let within = |number: u32| format!("jobs.service/{number}");
        assert_eq!((0..20).filter(|number| take(1000, &within(*number), 7)).count(), 10, "it has been given them");
    }

    #[test]
    fn whoever_has_a_command_run_in_a_container_is_none_of_it() {
        let mut crowds = Crowds::default();
        let mut incident = at(1, "a");
        incident.container.as_mut().unwrap().init_pid = Some(3);
        incident.sender.container = incident.container.clone();
        assert_eq!((0..20).filter(|_| crowds.take(&incident).is_some()).count(), 10);
        let shim = "/usr/bin/containerd-shim-runc-v2".to_owned();
        let comm = "containerd-shim".to_owned();
        let parent = Process { pid: 5, comm, exe: Some(shim), uid: Some(0), ..Process::default() };
        incident.sender.ancestors = vec![parent];
        assert!(is_by_exec(&incident) && crowds.take(&incident).is_none());
    }

    #[test]
    fn a_container_is_one_sender_whoever_it_says_that_it_is() {
        let mut crowds = Crowds::default();
        let mut take = |uid: u32| {
            let mut incident = at(1, "a");
            incident.sender.process.as_mut().unwrap().uid = Some(uid);
            incident.sender.container = incident.container.clone();
            crowds.take(&incident).is_some()
        };
        assert_eq!((0..40).filter(|uid| take(*uid)).count(), 30);
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
