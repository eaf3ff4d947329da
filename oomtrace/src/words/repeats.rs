//! Incidents that are like one before: a container that runs into its limit again and again, a supervisor that kills worker after
//! worker. Pure: the time is that of the incidents. What is said of them is here, too.

use std::collections::VecDeque;

use crate::model::{Cause, Container, Incident, Process, Repeat, Requester, Routine, Runtime};
use crate::text::quote::quote;
use crate::text::{self, bytes, duration_ms, elapsed_ms};
use crate::words::spread::{Spread, limit};

/// The longest that may lie between two: Kubernetes waits for up to five minutes before it starts a container again.
pub(crate) const APART_MS: u64 = 600_000;
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
    /// The container ended with it: what only kills its workers is another thing.
    ends: bool,
    routine: Option<Routine>,
    sender: String,
    /// The sender is the victim's parent: a supervisor, and no other program of its name.
    by_parent: bool,
    requester: String,
}

#[derive(Debug)]
struct Series {
    kind: Kind,
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
            kind,
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
        self.series.push_back(series);
        if self.series.len() > KINDS {
            self.series.pop_front();
        }
        repeat
    }

    /// How far the figures lie apart of those that are like the incident taken last, with it.
    #[must_use]
    pub fn spread(&self) -> String {
        self.series.back().map(|series| series.spread.said()).unwrap_or_default()
    }

    /// As [`Self::take`], when the number has doubled since it was given last, or a second has passed: in a storm every word costs.
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

/// `×4 in 3.2 s, the same limit (64 MiB), 24 MiB to 60 MiB anon, restarted by Docker each time (always; back-off 1.6 s); the last one:
/// nginx[22999]`, with what [`Repeats::spread`] says. The block above is of another one: what is not the same of all is said here.
#[must_use]
pub fn said(incident: &Incident, repeat: &Repeat, spread: &str) -> String {
    let Repeat { count, within_ms, since_last_ms, limit_bytes, back_off_ms, .. } = repeat;
    let limit = limit_bytes.map(|limit| format!(", the same limit ({})", bytes(limit))).unwrap_or_default();
    let back_off = back_off_ms.map(|back_off| format!("back-off {}", duration_ms(back_off)));
    let (by, policy) = restarted(incident);
    let last = text::process(&incident.victim.process);
    let details: Vec<String> = policy.into_iter().chain(back_off).collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
    let again = match by {
        Some(by) => format!(", restarted by {by} each time{details}; the last one: {last}"),
        None if back_off_ms.is_some() => format!(", started again each time{details}; the last one: {last}"),
        None => format!("; the last one: {last}, {} after the one before", duration_ms(*since_last_ms)),
    };
    format!("×{count} in {}{limit}{spread}{again}", elapsed_ms(*within_ms))
}

/// Who starts it again, and its restart policy, where it is a container's first process; a service's main process is systemd's own child.
fn restarted(incident: &Incident) -> (Option<&'static str>, Option<String>) {
    let is_init = incident.victim.container_init;
    match &incident.container {
        Some(container) if is_init && container.pod.is_some() => (Some("the kubelet"), None),
        Some(container) => {
            let policy = container.restart_policy.as_deref().filter(|policy| is_init && *policy != "no");
            let by = match container.runtime {
                Some(Runtime::Docker) => "Docker",
                Some(Runtime::Podman) => "Podman",
                Some(runtime) => runtime.name(),
                None => "its runtime",
            };
            (policy.map(|_| by), policy.map(|policy| quote(policy).into_owned()))
        }
        None => {
            let is_service = incident.unit.as_deref().is_some_and(|unit| unit.ends_with(".service"));
            let by = Some("systemd").filter(|_| is_service && incident.victim.process.ppid == Some(1));
            (by, None)
        }
    }
}

/// What kills have in common that are counted together wherever they are listed, as text: what they have while oomtrace watches, and the limit. None
/// without a verdict.
#[must_use]
pub fn key(incident: &Incident) -> Option<String> {
    // As Debug writes it no part can look like two.
    Some(format!("{:?}", (Kind::of(incident)?, limit(incident), &incident.node)))
}

impl Kind {
    /// None without a verdict.
    fn of(incident: &Incident) -> Option<Self> {
        let place = match &incident.container {
            Some(container) => container_place(container),
            // Two units of two managers may have one name.
            None => incident.victim.process.cgroup.clone().or_else(|| incident.unit.clone()).unwrap_or_default(),
        };
        let sender = &incident.sender;
        let login = sender.login.as_ref().map(|login| (login.uid, login.tty.as_deref()));
        let by_parent = |process: &Process| incident.victim.process.ppid == Some(process.pid);
        Some(Self {
            cause: incident.verdict.as_ref()?.cause,
            place,
            victim: victim(&incident.victim.process),
            ends: incident.victim.container_init || incident.victim.container_exit.is_some(),
            routine: incident.routine,
            sender: sender
                .process
                .as_ref()
                .map(|process| format!("{} {login:?}", person(process, sender.container.as_ref())))
                .unwrap_or_default(),
            by_parent: sender.process.as_ref().is_some_and(by_parent),
            requester: incident.requester.as_ref().map(requester).unwrap_or_default(),
        })
    }
}

/// Where a container is known by one name, and by none that somebody else's may have: its runtime's own, of the machine or of one user. One
/// started again has another id in a pod, and may have with Docker.
fn container_place(container: &Container) -> String {
    let Container { runtime, runtime_socket, user, confirmed, .. } = container;
    let pod = container.pod.as_ref().and_then(|pod| pod.uid.as_deref()).unwrap_or_default();
    // What only its cgroup's name says anybody may have written there.
    let name = container.name.as_deref().filter(|_| *confirmed).unwrap_or(&container.cgroup);
    format!("{runtime:?} {runtime_socket:?} {user:?} {confirmed} {pod} {name}")
}

/// What it ran, with its arguments, as whom: two scripts of one shell are not alike.
fn victim(process: &Process) -> String {
    let arguments = process.cmdline.as_deref().unwrap_or_default().join(" ");
    format!("{} {arguments} {:?}", process.exe.as_deref().unwrap_or(&process.comm), process.uid)
}

/// What it runs, as whom and where. Its arguments name the victim, mostly, and what it calls itself it may change for each kill.
fn person(process: &Process, container: Option<&Container>) -> String {
    let exe = process.exe.as_deref().unwrap_or(&process.comm);
    format!("{exe} {:?} {}", process.uid, container.map(container_place).unwrap_or_default())
}

/// The same of who asked, and who had logged in there.
fn requester(Requester { process, container, login, confidence, .. }: &Requester) -> String {
    let login = login.as_ref().map(|login| (login.uid, login.tty.as_deref()));
    format!("{} {login:?} {confidence:?}", person(process, container.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{in_container, judged, kill, oom, requested_by};
    use crate::model::{Exit, LimitLevel, OomScope};

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
    fn who_starts_it_again_is_said_where_that_is_known() {
        let repeat = |limit_bytes, back_off_ms| Repeat {
            incident: String::new(),
            first: String::new(),
            count: 4,
            within_ms: 3_200,
            since_last_ms: 1_700,
            limit_bytes,
            back_off_ms,
        };
        let both = || repeat(Some(64 << 20), Some(1_600));
        let none = || repeat(None, None);
        let started_again = || repeat(None, Some(5));
        let contained = |runtime, policy: Option<&str>, init| {
            let mut incident = in_container(kill("/usr/sbin/runc"));
            incident.victim.container_init = init;
            let container = incident.container.as_mut().unwrap();
            (container.runtime, container.restart_policy) = (runtime, policy.map(str::to_owned));
            incident
        };
        let in_pod = |init| {
            let mut incident = contained(Some(Runtime::Containerd), None, init);
            incident.container.as_mut().unwrap().pod = Some(crate::model::Pod::default());
            incident
        };
        let in_unit = |unit: &str, ppid| {
            let mut incident = kill("/usr/bin/bash");
            (incident.unit, incident.victim.process.ppid) = (Some(unit.to_owned()), Some(ppid));
            incident
        };
        let always = Some("always");
        for (incident, repeat, expected) in [
            (
                contained(Some(Runtime::Docker), always, true),
                both(),
                "×4 in 3.2 s, the same limit (64 MiB), restarted by Docker each time (always; back-off 1.6 s); the last one: victim[20]",
            ),
            (
                contained(Some(Runtime::Podman), Some("on-failure:3"), true),
                none(),
                "×4 in 3.2 s, restarted by Podman each time (on-failure:3); the last one: victim[20]",
            ),
            (
                contained(Some(Runtime::Nerdctl), always, true),
                none(),
                "×4 in 3.2 s, restarted by nerdctl each time (always); the last one: victim[20]",
            ),
            (
                contained(None, always, true),
                none(),
                "×4 in 3.2 s, restarted by its runtime each time (always); the last one: victim[20]",
            ),
            (
                contained(None, Some("no"), true),
                none(),
                "×4 in 3.2 s; the last one: victim[20], 1.7 s after the one before",
            ),
            (
                contained(None, always, false),
                none(),
                "×4 in 3.2 s; the last one: victim[20], 1.7 s after the one before",
            ),
            (
                contained(None, None, true),
                started_again(),
                "×4 in 3.2 s, started again each time (back-off 5 ms); the last one: victim[20]",
            ),
            (
                in_pod(true),
                started_again(),
                "×4 in 3.2 s, restarted by the kubelet each time (back-off 5 ms); the last one: victim[20]",
            ),
            (in_pod(false), none(), "×4 in 3.2 s; the last one: victim[20], 1.7 s after the one before"),
            (in_unit("a.service", 1), none(), "×4 in 3.2 s, restarted by systemd each time; the last one: victim[20]"),
            (in_unit("a.service", 2), none(), "×4 in 3.2 s; the last one: victim[20], 1.7 s after the one before"),
            (in_unit("a.scope", 1), none(), "×4 in 3.2 s; the last one: victim[20], 1.7 s after the one before"),
        ] {
            assert_eq!(said(&incident, &repeat, ""), expected);
        }
        let spread = said(&in_unit("a.service", 1), &none(), ", 24 MiB to 60 MiB anon");
        assert_eq!(
            spread,
            "×4 in 3.2 s, 24 MiB to 60 MiB anon, restarted by systemd each time; the last one: victim[20]"
        );
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
