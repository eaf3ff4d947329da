//! Incidents that are like one before: a container that runs into its limit again and again, a supervisor that kills worker after
//! worker. Pure: the time is that of the incidents.

use crate::model::{Incident, Repeat};
use crate::recent::Recent;
use crate::words::spread::{Spread, limit};

use kind::Kind;
pub use kind::key;
use said::restarted;
pub use said::said;

mod kind;
mod said;

/// The longest that may lie between two: Kubernetes waits for up to five minutes before it starts a container again.
pub(crate) const APART_MS: u64 = 600_000;
/// The pause between two records about one series that has not doubled.
const PAUSE_MS: i64 = 1_000;
/// Kinds of incidents that are remembered.
const KINDS: usize = 64;

#[derive(Debug)]
struct Series {
    first: String,
    began_ms: i64,
    last_ms: i64,
    count: u64,
    /// When the last one's victim ended, where that was seen.
    ended_ms: Option<i64>,
    /// The limit that each of them hit.
    limit: Option<u64>,
    spread: Spread,
    /// The number of them, and the time, when [`Repeats::take_worth_saying`] gave one last.
    said: (u64, i64),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Repeats {
    series: Recent<Kind, Series, KINDS>,
}

impl Repeats {
    /// Takes an incident; what it repeats, where it does.
    pub fn take(&mut self, incident: &Incident) -> Option<Repeat> {
        let kind = Kind::of(incident)?;
        let time: jiff::Timestamp = incident.time.parse().ok()?;
        let now = time.as_millisecond();
        let apart = |from: i64| u64::try_from(now.saturating_sub(from)).unwrap_or_default();
        let mut series = self.series.take(&kind).filter(|series| apart(series.last_ms) <= APART_MS);
        let limit = limit(incident);
        let ended_ms = ended_ms(incident, now);
        let repeat = series.as_mut().map(|series| {
            series.count += 1;
            series.limit = series.limit.filter(|before| Some(*before) == limit);
            let back_off_ms = series.ended_ms.and_then(|ended| back_off_ms(incident, ended));
            series.ended_ms = ended_ms;
            let since_last_ms = apart(series.last_ms);
            series.last_ms = series.last_ms.max(now);
            // Those whose runtime took long come later than they were.
            series.began_ms = series.began_ms.min(now);
            Repeat {
                incident: incident.id.clone(),
                first: series.first.clone(),
                count: series.count,
                within_ms: u64::try_from(series.last_ms.saturating_sub(series.began_ms)).unwrap_or_default(),
                since_last_ms,
                limit_bytes: series.limit,
                back_off_ms,
            }
        });
        let new = || Series {
            first: incident.id.clone(),
            began_ms: now,
            last_ms: now,
            count: 1,
            ended_ms,
            limit,
            spread: Spread::default(),
            said: (1, now),
        };
        let mut series = series.unwrap_or_else(new);
        series.spread.take(incident);
        self.series.put(kind, series);
        repeat
    }

    /// How far the figures lie apart of those that are like the incident taken last, with it.
    #[must_use]
    pub fn spread(&self) -> String {
        self.series.last().map(|series| series.spread.said()).unwrap_or_default()
    }

    /// As [`Self::take`], when the number has doubled since it was given last, or a second has passed: in a storm every word costs.
    pub fn take_worth_saying(&mut self, incident: &Incident) -> Option<Repeat> {
        let repeat = self.take(incident)?;
        let series = self.series.last_mut()?;
        let (count, at) = series.said;
        let is_due = repeat.count >= 2 * count || series.last_ms.saturating_sub(at) >= PAUSE_MS;
        is_due.then(|| {
            series.said = (repeat.count, series.last_ms);
            repeat
        })
    }
}

/// When the victim ended.
fn ended_ms(incident: &Incident, killed_ms: i64) -> Option<i64> {
    let after_us = incident.victim.exit.as_ref()?.after_us?;
    killed_ms.checked_add(i64::try_from(after_us / 1_000).ok()?)
}

/// How long after `ended_ms` the victim was started, where it is something that is started again: a container, or a service.
fn back_off_ms(incident: &Incident, ended_ms: i64) -> Option<u64> {
    restarted(incident).0?;
    let started: jiff::Timestamp = incident.victim.process.started.as_ref()?.parse().ok()?;
    u64::try_from(started.as_millisecond().checked_sub(ended_ms)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{in_container, judged, kill, oom, requested_by};
    use crate::model::{Exit, LimitLevel, OomScope, Process, Runtime};

    fn at(mut incident: Incident, seconds: i64, id: &str) -> Incident {
        incident.verdict = Some(judged(&incident));
        incident.time = jiff::Timestamp::from_second(1_700_000_000 + seconds).unwrap().to_string();
        incident.id = id.to_owned();
        incident
    }

    fn counts(incidents: &[Incident]) -> Vec<u64> {
        let mut repeats = Repeats::default();
        incidents.iter().map(|incident| repeats.take(incident).map_or(1, |repeat| repeat.count)).collect()
    }

    #[test]
    fn what_is_alike_is_counted_and_what_is_not_begins_anew() {
        let own = |seconds| at(in_container(kill("/usr/sbin/runc")), seconds, "x");
        let mut other_container = own(2);
        other_container.container.as_mut().unwrap().name = Some("other".to_owned());
        let by_other = at(in_container(kill("/usr/bin/bash")), 2, "x");
        let mut other_program = own(2);
        other_program.victim.process.exe = Some("/usr/bin/other".to_owned());
        let mut other_arguments = own(2);
        other_arguments.victim.process.cmdline = Some(vec!["x".to_owned()]);
        let mut other_user = own(2);
        other_user.sender.process.as_mut().unwrap().uid = Some(1000);
        let mut from_a_container = own(2);
        from_a_container.sender.container = from_a_container.container.clone();
        let mut unconfirmed = own(2);
        let own_container = unconfirmed.container.as_mut().unwrap();
        own_container.confirmed = !own_container.confirmed;
        let mut anothers_victim = own(2);
        anothers_victim.victim.process.uid = Some(65_534);
        let asked = |comm: &str, uid| {
            let mut one = own(2);
            let process = Process { comm: comm.to_owned(), uid: Some(uid), ..crate::judge::tests::process(30, "") };
            let process = Process { exe: None, ..process };
            one.requester = Some(requested_by(process));
            one
        };
        // The container ends with it, and who kills it is its parent.
        let mut init = own(2);
        init.victim.container_init = !init.victim.container_init;
        let mut by_parent = own(2);
        by_parent.victim.process.ppid = by_parent.sender.process.as_ref().map(|sender| sender.pid);
        assert_eq!(counts(&[own(0), init, by_parent, own(1)]), [1, 1, 1, 2]);
        // One that renames itself.
        let mut other_name = own(2);
        other_name.sender.process.as_mut().unwrap().comm = "x".to_owned();
        let by_requests = [asked("docker", 0), asked("curl", 0), asked("docker", 1000), asked("docker", 0)];
        assert_eq!(counts(&by_requests), [1, 1, 1, 2]);
        let by_place = [own(0), other_user, from_a_container, unconfirmed, anothers_victim];
        assert_eq!(counts(&by_place), [1, 1, 1, 1, 1]);
        assert_eq!(counts(&[own(0), own(1), own(2)]), [1, 2, 3]);
        let others = [own(0), other_container, by_other, other_program, other_arguments, other_name, own(3)];
        assert_eq!(counts(&others), [1, 1, 1, 1, 1, 2, 3]);
        // Long after.
        assert_eq!(counts(&[own(0), own(599), own(1_200)]), [1, 2, 1]);
    }

    #[test]
    fn it_says_since_when_and_how_fast() {
        let own = |seconds, id: &str| at(in_container(kill("/usr/sbin/runc")), seconds, id);
        let mut repeats = Repeats::default();
        assert_eq!(repeats.take(&own(0, "a")), None);
        repeats.take(&own(2, "b"));
        let third = repeats.take(&own(5, "c")).unwrap();
        let expected = Repeat {
            incident: "c".into(),
            first: "a".into(),
            count: 3,
            within_ms: 5_000,
            since_last_ms: 3_000,
            limit_bytes: None,
            back_off_ms: None,
        };
        assert_eq!(third, expected);
        // One that comes later than it was, and is the first of them.
        let earlier = repeats.take(&own(-4, "d")).unwrap();
        assert_eq!((earlier.count, earlier.within_ms, earlier.since_last_ms), (4, 9_000, 0));
        assert_eq!(repeats.take(&kill("/usr/bin/bash")), None, "without a verdict or a time");
    }

    #[test]
    fn what_is_worth_saying_is_a_number_that_has_doubled_or_a_second_later() {
        let own = |millis: i64| {
            let mut one = at(in_container(kill("/usr/sbin/runc")), 0, "x");
            one.time = jiff::Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap().to_string();
            one
        };
        let mut repeats = Repeats::default();
        let said: Vec<u64> =
            (0..40).filter_map(|n| repeats.take_worth_saying(&own(n)).map(|repeat| repeat.count)).collect();
        assert_eq!(said, [2, 4, 8, 16, 32]);
        for (millis, count) in [(1_030, None), (1_031, Some(42)), (1_032, None), (2_030, None), (2_031, Some(45))] {
            assert_eq!(repeats.take_worth_saying(&own(millis)).map(|repeat| repeat.count), count, "{millis}");
        }
    }

    #[test]
    fn the_limit_is_the_same_and_the_back_off_is_from_one_end_to_the_next_start() {
        let own = |seconds: i64, limit: u64, started: Option<i64>, after_us: Option<u64>| {
            let mut one = in_container(oom(&[("/a", 64, Some(64))], Some((0, LimitLevel::Container)), OomScope::Memcg));
            one.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().limit_bytes = Some(limit);
            one.victim.container_init = true;
            let container = one.container.as_mut().unwrap();
            (container.runtime, container.restart_policy) = (Some(Runtime::Docker), Some("always".to_owned()));
            one.victim.exit = Some(Exit { status: 9, code: None, signal: Some(9), after_us });
            let moment = |ms| jiff::Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap().to_string();
            one.victim.process.started = started.map(moment);
            at(one, seconds, "x")
        };
        let last = |incidents: &[Incident]| {
            let mut repeats = Repeats::default();
            let repeat = incidents.iter().filter_map(|incident| repeats.take(incident)).last().unwrap();
            (repeat.limit_bytes, repeat.back_off_ms)
        };
        let first = || own(0, 64, None, Some(2_000));
        assert_eq!(last(&[first(), own(2, 64, Some(1_602), Some(1))]), (Some(64), Some(1_600)));
        assert_eq!(last(&[first(), own(2, 64, Some(2), None)]), (Some(64), Some(0)));
        // It ran before the first one had ended: it was not started again.
        assert_eq!(last(&[first(), own(2, 64, Some(1), None)]), (Some(64), None));
        assert_eq!(last(&[own(0, 64, None, None), own(2, 64, Some(1_602), None)]), (Some(64), None));
        assert_eq!(last(&[first(), own(2, 64, None, None)]), (Some(64), None));
        // From the last end, not from the first.
        let third = own(4, 64, Some(3_000), None);
        assert_eq!(last(&[first(), own(2, 64, Some(1_602), Some(1_000)), third]), (Some(64), Some(999)));
        // Another limit in between.
        assert_eq!(last(&[first(), own(1, 32, None, None), own(2, 64, None, None)]).0, None);
    }

    #[test]
    fn the_spread_is_that_of_the_kind_taken_last() {
        let limited = |seconds, mib: u64| {
            let mut one = in_container(oom(&[("/a", 64, Some(64))], Some((0, LimitLevel::Container)), OomScope::Memcg));
            one.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().limit_bytes = Some(mib << 20);
            at(one, seconds, "x")
        };
        let mut repeats = Repeats::default();
        for (incident, spread) in [
            (limited(0, 64), ""),
            (limited(1, 32), ", 32 MiB to 64 MiB as limit"),
            (at(in_container(kill("/usr/sbin/runc")), 2, "x"), ""),
            (limited(3, 64), ", 32 MiB to 64 MiB as limit"),
            (limited(1_200, 16), ""),
        ] {
            repeats.take(&incident);
            assert_eq!(repeats.spread(), spread);
        }
    }

    #[test]
    fn many_kinds_take_no_room() {
        let mut repeats = Repeats::default();
        for number in 0..1_000 {
            let mut one = at(in_container(kill("/usr/sbin/runc")), number, "x");
            one.container.as_mut().unwrap().name = Some(number.to_string());
            assert_eq!(repeats.take(&one), None);
        }
        assert_eq!(repeats.series.len(), KINDS);
    }
}
