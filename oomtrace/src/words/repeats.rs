//! Incidents that are like one before: a container that runs into its limit again and again, a supervisor that kills worker after
//! worker. Pure: the time is that of the incidents.

use std::collections::VecDeque;

use crate::model::{Cause, Container, Incident, Process, Repeat};

/// The longest that may lie between two: Kubernetes waits for up to five minutes before it starts a container again.
const APART_MS: u64 = 600_000;
/// The pause between two records about one series that has not doubled.
const PAUSE_MS: i64 = 1_000;
/// Kinds of incidents that are remembered.
const KINDS: usize = 64;

/// What those have in common that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    cause: Cause,
    place: String,
    victim: String,
    sender: String,
}

#[derive(Debug)]
struct Series {
    kind: Kind,
    first: String,
    began_ms: i64,
    last_ms: i64,
    count: u64,
    /// The number of them, and the time, when [`Repeats::take_worth_saying`] gave one last.
    said: (u64, i64),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Repeats {
    /// The latest last.
    series: VecDeque<Series>,
}

impl Repeats {
    /// Takes an incident; what it repeats, where it does.
    pub fn take(&mut self, incident: &Incident) -> Option<Repeat> {
        let kind = Kind::of(incident)?;
        let time: jiff::Timestamp = incident.time.parse().ok()?;
        let now = time.as_millisecond();
        let apart = |from: i64| u64::try_from(now.saturating_sub(from)).unwrap_or_default();
        let known = self.series.iter().position(|series| series.kind == kind);
        let mut series = known.and_then(|at| self.series.remove(at)).filter(|series| apart(series.last_ms) <= APART_MS);
        let repeat = series.as_mut().map(|series| {
            series.count += 1;
            let since_last_ms = apart(series.last_ms);
            series.last_ms = series.last_ms.max(now);
            Repeat {
                incident: incident.id.clone(),
                first: series.first.clone(),
                count: series.count,
                within_ms: apart(series.began_ms),
                since_last_ms,
            }
        });
        let new = || Series { kind, first: incident.id.clone(), began_ms: now, last_ms: now, count: 1, said: (1, now) };
        self.series.push_back(series.unwrap_or_else(new));
        if self.series.len() > KINDS {
            self.series.pop_front();
        }
        repeat
    }

    /// The same, when the number has doubled since it was given last, or a second has passed: in a storm every word costs.
    pub fn take_worth_saying(&mut self, incident: &Incident) -> Option<Repeat> {
        let repeat = self.take(incident)?;
        let series = self.series.back_mut()?;
        let (count, at) = series.said;
        let is_due = repeat.count >= 2 * count || series.last_ms.saturating_sub(at) >= PAUSE_MS;
        is_due.then(|| {
            series.said = (repeat.count, series.last_ms);
            repeat
        })
    }
}

impl Kind {
    /// None without a verdict.
    fn of(incident: &Incident) -> Option<Self> {
        let place = match &incident.container {
            Some(container) => container_name(container),
            None => incident.unit.clone().or_else(|| incident.victim.process.cgroup.clone()).unwrap_or_default(),
        };
        Some(Self {
            cause: incident.verdict.as_ref()?.cause,
            place,
            victim: victim(&incident.victim.process),
            sender: incident.sender.process.as_ref().map(sender).unwrap_or_default(),
        })
    }
}

/// A container started again has another id in a pod, and may have with Docker.
fn container_name(container: &Container) -> String {
    let pod = container.pod.as_ref().and_then(|pod| pod.uid.as_deref()).unwrap_or_default();
    let name = container.name.as_deref().unwrap_or(&container.id);
    format!("{pod}/{name}")
}

/// What it ran, with its arguments: two scripts of one shell are not alike.
fn victim(process: &Process) -> String {
    let arguments = process.cmdline.as_deref().unwrap_or_default().join(" ");
    format!("{} {arguments}", process.exe.as_deref().unwrap_or(&process.comm))
}

/// What it runs, as whom, and what it calls itself. Its arguments name the victim, mostly.
fn sender(process: &Process) -> String {
    format!("{} {} {:?}", process.exe.as_deref().unwrap_or_default(), process.comm, process.uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{in_container, judged, kill};

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
        let mut other_name = own(2);
        other_name.sender.process.as_mut().unwrap().comm = "x".to_owned();
        assert_eq!(counts(&[own(0), own(1), own(2)]), [1, 2, 3]);
        let others = [own(0), other_container, by_other, other_program, other_arguments, other_name, own(3)];
        assert_eq!(counts(&others), [1, 1, 1, 1, 1, 1, 2]);
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
        let expected =
            Repeat { incident: "c".into(), first: "a".into(), count: 3, within_ms: 5_000, since_last_ms: 3_000 };
        assert_eq!(third, expected);
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
