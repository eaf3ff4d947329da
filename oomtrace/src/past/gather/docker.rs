//! What Docker says of its containers' ends.

use jiff::Timestamp;

use crate::container::runtime::docker::former::FormerContainer;
use crate::container::runtime::docker::life::{self, Happened, Life, LifeEnd};
use crate::container::runtime::docker::{Docker, DockerError};
use crate::model::{Container, SaidEnd};
use crate::past::answer::{Ended, Subject, Traces};
use crate::past::ends::KILLED;
use crate::past::gather::whom::ended;
use crate::past::gather::{Places, looked, unread};
use crate::placement::Runtime;

/// Docker's events and its word on a container have one end not further apart, in nanoseconds.
const SAID_WITHIN_NS: i128 = 3_000_000_000;
/// Containers whose codes are not in the events, and that are asked about: the latest ones.
const MAX_ASKED: usize = 16;

/// How Docker says that the container is, how it ended last, and what was done to it.
pub async fn ask(places: &Places, container: &Container, subject: &mut Option<Subject>, traces: &mut Traces) {
    let docker = &places.directory.sources().docker;
    let life = match docker.life(&container.id).await {
        Ok(life) => life,
        Err(DockerError::Unknown { .. }) if container.runtime == Some(Runtime::Docker) => {
            return removed(docker, container, traces).await;
        }
        Err(error) => {
            let is_missing = error.is_missing();
            let said = error.to_string();
            return traces.looked_at.push(if is_missing {
                unread("docker", said)
            } else {
                looked("docker", false, None, said)
            });
        }
    };
    // What it is, and what it was given, is known in full only here.
    let mut known = container.clone();
    if let Ok(metadata) = docker.inspect(&container.id).await {
        metadata.describe(&mut known);
    }
    if let Some(subject) = subject.as_mut() {
        subject.is_running = Some(life.running);
        subject.running_since = life.started_at.as_ref().filter(|_| life.running).and_then(|at| at.parse().ok());
        if subject.container.is_some() {
            subject.container = Some(known.clone());
        }
    }
    let mut said = match (life.running, life.restart_count) {
        (true, 0) => "it runs".to_owned(),
        (true, count) => format!("it runs; its restart policy has started it again {}", crate::text::times(count)),
        (false, _) => "it has ended".to_owned(),
    };
    let mut events = Vec::new();
    match docker.past_events(&container.id).await {
        Ok((found, since)) => {
            events = found;
            traces.events_since = since.and_then(time);
            said.push_str(&format!("; {} events of it are left", events.len()));
        }
        Err(error) => said.push_str(&format!("; its events are not known ({error})")),
    }
    traces.looked_at.push(looked("docker", true, traces.events_since, said));
    let Some(finished) = &life.finished_at else { return };
    let ends = life::ends(&events);
    let last = nearest(&ends, finished);
    let end = if life.running {
        // Docker has the end of the life before by its time alone: its code is in the events, if they go that far.
        SaidEnd {
            by: "Docker".to_owned(),
            time: Some(finished.clone()),
            exit_code: last.and_then(|last| ends.get(last)?.exit_code),
            ..SaidEnd::default()
        }
    } else {
        said_life(&life)
    };
    let before = ends.iter().enumerate().filter(|(index, end)| Some(*index) != last && end.exit_code == Some(KILLED));
    for end in before.map(|(_, end)| said_end(end)).chain([end]) {
        let (container, events) = (Some(known.clone()), events.clone());
        traces.ends.push(Ended { end, container, events, ..Ended::default() });
    }
}

/// Which of the ends was then, in RFC 3339: the nearest one.
fn nearest(ends: &[LifeEnd], time: &str) -> Option<usize> {
    let at: Timestamp = time.parse().ok()?;
    let apart = |end: &LifeEnd| (i128::from(end.at_ns) - at.as_nanosecond()).abs();
    let near = ends.iter().map(apart).enumerate().filter(|(_, apart)| *apart <= SAID_WITHIN_NS);
    near.min_by_key(|(_, apart)| *apart).map(|(index, _)| index)
}

/// What Docker's events still say of a container that it has removed.
async fn removed(docker: &Docker, container: &Container, traces: &mut Traces) {
    let (events, since) = match docker.past_events(&container.id).await {
        Ok(found) => found,
        Err(error) => return traces.looked_at.push(unread("docker", error.to_string())),
    };
    traces.events_since = since.and_then(time);
    let said = match events.len() {
        0 => "it is removed, and no event of it is left".to_owned(),
        count => format!("it is removed; {count} events of it are left"),
    };
    traces.looked_at.push(looked("docker", true, traces.events_since, said));
    let ends = life::ends(&events);
    // How it ended last is of interest whatever it was.
    let last = ends.len().saturating_sub(1);
    for (_, end) in ends.iter().enumerate().filter(|(index, end)| *index == last || end.exit_code == Some(KILLED)) {
        let (container, events) = (Some(container.clone()), events.clone());
        traces.ends.push(Ended { end: said_end(end), container, events, ..Ended::default() });
    }
}

/// The end of a container that does not run.
fn said_life(life: &Life) -> SaidEnd {
    SaidEnd {
        by: "Docker".to_owned(),
        time: life.finished_at.clone(),
        started: life.started_at.clone(),
        exit_code: Some(life.exit_code),
        oom_killed: Some(life.oom_killed),
        reason: (!life.error.is_empty()).then(|| life.error.clone()),
    }
}

/// An end, as Docker's events have it.
fn said_end(end: &LifeEnd) -> SaidEnd {
    SaidEnd {
        by: "Docker".to_owned(),
        time: rfc3339(end.at_ns),
        started: end.started_ns.and_then(rfc3339),
        exit_code: end.exit_code,
        oom_killed: end.oom_killed,
        reason: None,
    }
}

/// What Docker's events say of ends with 137, of whatever container.
pub async fn ask_of_all(places: &Places, traces: &mut Traces) {
    let docker = &places.directory.sources().docker;
    match docker.former(None).await {
        Ok(former) => {
            traces.events_since = former.since_ns.and_then(time);
            let had = traces.ends.len();
            let mut asked = 0;
            for FormerContainer { id, metadata, events } in former.containers.into_iter().rev() {
                let container = ended(id, &metadata);
                // A label may stand in the place of its code.
                if life::ends(&events).last().is_some_and(|end| end.exit_code.is_none()) && asked < MAX_ASKED {
                    asked += 1;
                    traces.ends.extend(last_end(docker, &container, &events).await);
                }
                for end in life::ends(&events).iter().filter(|end| end.exit_code == Some(KILLED)) {
                    let (container, events) = (Some(container.clone()), events.clone());
                    traces.ends.push(Ended { end: said_end(end), container, events, ..Ended::default() });
                }
            }
            // The last may be the answer: what it was given is known in full only here.
            let last = traces.ends.iter_mut().skip(had).max_by(|one, other| one.end.time.cmp(&other.end.time));
            if let Some(container) = last.and_then(|ended| ended.container.as_mut())
                && let Ok(metadata) = docker.inspect(&container.id).await
            {
                metadata.describe(container);
            }
            let said = format!("{} ends with 137 are among its events", traces.ends.len() - had);
            traces.looked_at.push(looked("docker", true, traces.events_since, said));
        }
        Err(error) if error.is_missing() => traces.looked_at.push(unread("docker", error.to_string())),
        Err(error) => traces.looked_at.push(looked("docker", false, None, error.to_string())),
    }
}

/// How a container ended that Docker still has, where that was with 137.
async fn last_end(docker: &Docker, container: &Container, events: &[Happened]) -> Option<Ended> {
    let life = docker.life(&container.id).await.ok()?;
    let is_killed = !life.running && life.exit_code == KILLED;
    is_killed.then(|| Ended {
        end: said_life(&life),
        container: Some(container.clone()),
        events: events.to_vec(),
        ..Ended::default()
    })
}

/// Of nanoseconds since 1970; none where no calendar has them.
fn time(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns)).ok()
}

/// The same as RFC 3339.
fn rfc3339(ns: i64) -> Option<String> {
    time(ns).map(|at| format!("{at:.9}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ends_that_follow_fast_the_nearest_is_meant() {
        let second = |second: i64| 1_764_126_727_000_000_000 + second * 1_000_000_000;
        let end = |at: i64| LifeEnd { at_ns: second(at), exit_code: Some(137), started_ns: None, oom_killed: None };
        let ends = [end(0), end(2), end(3)];
        let which = |at: i64| nearest(&ends, &rfc3339(second(at)).unwrap());
        assert_eq!([0, 1, 2, 4, 7].map(which), [Some(0), Some(0), Some(1), Some(2), None]);
        assert_eq!(nearest(&ends, "never"), None);
    }
}
