//! What Docker says of its containers' ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::container::runtime::docker::former::FormerContainer;
use crate::container::runtime::docker::life::{self, Happened, Life, LifeEnd, What};
use crate::container::runtime::docker::{Docker, DockerError};
use crate::model::{Container, LookedAt, SaidEnd};
use crate::past::answer::{Ended, Subject, Traces, Unstarted};
use crate::past::ends::{KILLED, docker as docker_says};
use crate::past::gather::ended::ended;
use crate::past::gather::{Places, looked, unread};
use crate::placement::Runtime;

/// Containers whose codes are not in the events, and that are asked about: the latest ones.
const MAX_ASKED: usize = 16;
/// They are asked about for so long, all together.
const ASKED_WITHIN: Duration = Duration::from_secs(3);

/// Docker gave no answer.
fn not_asked(error: &DockerError) -> LookedAt {
    match error.is_missing() {
        true => unread("docker", error.to_string()),
        false => looked("docker", false, None, error.to_string()),
    }
}

/// That end of the container.
fn end_of(container: &Container, events: &Arc<[Happened]>, end: SaidEnd) -> Ended {
    Ended { end, container: Some(container.clone()), events: Arc::clone(events), ..Ended::default() }
}

/// How Docker says that the container is, how it ended last, and what was done to it.
pub async fn ask(places: &Places, container: &Container, subject: &mut Option<Subject>, traces: &mut Traces) {
    let docker = &places.directory.sources().docker_of_user(container.user);
    let life = match docker.life(&container.id).await {
        Ok(life) => life,
        Err(DockerError::Unknown { .. }) if container.runtime == Some(Runtime::Docker) => {
            return unknown(docker, container, traces).await;
        }
        Err(error) => return traces.looked_at.push(not_asked(&error)),
    };
    // What it is, and what it was given, is known in full only here.
    let mut known = container.clone();
    if let Ok(metadata) = docker.inspect(&container.id).await {
        metadata.describe(&mut known);
    }
    if let Some(subject) = subject.as_mut() {
        subject.is_running = Some(life.running);
        (subject.is_restarting, subject.restarts) = (Some(life.restarting), Some(life.restart_count));
        subject.is_paused = Some(life.paused);
        let is_new = !life.running && !life.restarting && life.started_at.is_none();
        subject.unstarted = is_new.then(|| Unstarted { error: life.error.clone(), exit_code: life.exit_code });
        subject.running_since = life.started_at.as_ref().filter(|_| life.running).and_then(|at| at.parse().ok());
        if subject.container.is_some() {
            subject.container = Some(known.clone());
        }
    }
    let mut said = match (life.running, life.restart_count) {
        (true, _) if life.paused => "it is paused".to_owned(),
        (true, 0) => "it runs".to_owned(),
        (true, count) => format!("it runs; its restart policy has started it again {}", crate::text::times(count)),
        (false, _) if life.started_at.is_none() && !life.restarting => "it was never started".to_owned(),
        (false, _) if life.restarting => "it has ended, and is about to be started again".to_owned(),
        (false, _) => "it has ended".to_owned(),
    };
    let mut events: Arc<[Happened]> = Arc::default();
    match docker.past_events(&container.id).await {
        Ok((found, since)) => {
            events = found.into();
            traces.events_since = since.and_then(time);
            said.push_str(&format!("; {} left of it", counted(events.len())));
        }
        Err(error) => said.push_str(&format!("; its events are not known ({error})")),
    }
    traces.looked_at.push(looked("docker", true, traces.events_since, said));
    let Some(finished) = &life.finished_at else { return };
    let ends = life::ends(&events);
    let its = finished.parse().ok().and_then(|at| life::nearest_end(&events, at)).and_then(|last| events.get(last));
    let last = its.and_then(|its| ends.iter().position(|end| end.at_ns == its.at_ns));
    let end = if life.running {
        // Docker has the end of the life before by its time alone: its code is in the events, if they go that far.
        SaidEnd {
            by: docker_says(container.user),
            time: Some(finished.clone()),
            started: last.and_then(|last| ends.get(last)?.started_ns).and_then(rfc3339),
            exit_code: last.and_then(|last| ends.get(last)?.exit_code),
            ..SaidEnd::default()
        }
    } else {
        said_life(&life, container.user)
    };
    let before = ends.iter().enumerate().filter(|(index, end)| Some(*index) != last && end.exit_code == Some(KILLED));
    let all = before.map(|(_, end)| said_end(end, container.user)).chain([end]);
    traces.ends.extend(all.map(|end| end_of(&known, &events, end)));
}

/// What Docker's events still say of a container that it does not know, and has removed where it had it.
async fn unknown(docker: &Docker, container: &Container, traces: &mut Traces) {
    let (events, since) = match docker.past_events(&container.id).await {
        Ok((events, since)) => (Arc::<[Happened]>::from(events), since),
        Err(error) => return traces.looked_at.push(unread("docker", error.to_string())),
    };
    traces.events_since = since.and_then(time);
    let was_here = docker.is_of(container) || events.iter().any(|happened| happened.what == What::Destroy);
    traces.removed.extend(was_here.then(|| container.id.clone()));
    let is = if was_here { "it is removed" } else { "it is none of this daemon's" };
    let said = match events.len() {
        0 => format!("{is}, and no event of it is left"),
        count => format!("{is}; {} left of it", counted(count)),
    };
    traces.looked_at.push(looked("docker", true, traces.events_since, said));
    let ends = life::ends(&events);
    // How it ended last is of interest whatever it was.
    let last = ends.len().saturating_sub(1);
    let wanted = ends.iter().enumerate().filter(|(index, end)| *index == last || end.exit_code == Some(KILLED));
    traces.ends.extend(wanted.map(|(_, end)| end_of(container, &events, said_end(end, container.user))));
}

/// The end of a container that does not run.
fn said_life(life: &Life, user: Option<u32>) -> SaidEnd {
    SaidEnd {
        by: docker_says(user),
        time: life.finished_at.clone(),
        started: life.started_at.clone(),
        exit_code: Some(life.exit_code),
        oom_killed: Some(life.oom_killed),
        reason: (!life.error.is_empty()).then(|| life.error.clone()),
    }
}

/// An end, as Docker's events have it.
fn said_end(end: &LifeEnd, user: Option<u32>) -> SaidEnd {
    SaidEnd {
        by: docker_says(user),
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
    let former = match docker.former(None).await {
        Ok(former) => former,
        Err(error) => return traces.looked_at.push(not_asked(&error)),
    };
    traces.events_since = former.since_ns.and_then(time);
    let (had, mut untold) = (traces.ends.len(), Vec::new());
    for FormerContainer { id, metadata, events } in former.containers.into_iter().rev() {
        let container = ended(id, &metadata);
        let (ends, events) = (life::ends(&events), Arc::<[Happened]>::from(events));
        let killed = ends.iter().filter(|end| end.exit_code == Some(KILLED));
        traces.ends.extend(killed.map(|end| end_of(&container, &events, said_end(end, None))));
        if ends.iter().any(|end| end.exit_code.is_none()) {
            untold.push((container, events, ends));
        }
    }
    let untold = ask_untold(docker, untold, traces).await;
    look_for_watched(places, traces).await;
    // The last may be the answer: what it was given is known in full only here.
    let last = traces.ends.iter_mut().skip(had).max_by_key(|ended| ended.at());
    if let Some(container) = last.and_then(|ended| ended.container.as_mut())
        && let Ok(metadata) = docker.inspect(&container.id).await
    {
        metadata.describe(container);
    }
    let mut said = format!("{} ends with 137 are among its events", traces.ends.len() - had);
    if untold > 0 {
        said.push_str(&format!("; the exit codes of {untold} others are not known (a label may stand in their place)"));
    }
    traces.looked_at.push(LookedAt { is_missing: untold > 0, ..looked("docker", true, traces.events_since, said) });
}

/// Whether the Docker that had the container of the last kill that was watched still knows it.
pub async fn look_for_watched(places: &Places, traces: &mut Traces) {
    let docker = &places.directory.sources().docker;
    let container = traces.watched.first().and_then(|incident| incident.container.as_ref());
    let is_its = |container: &&Container| container.runtime == Some(Runtime::Docker) && docker.is_of(container);
    if let Some(container) = container.filter(is_its)
        && matches!(docker.life(&container.id).await, Err(DockerError::Unknown { .. }))
    {
        traces.removed.push(container.id.clone());
    }
}

/// Asks about containers whose events do not tell how they ended, the latest first: of those that Docker still has it says so itself. Gives
/// how many ends are not known even then.
async fn ask_untold(
    docker: &Docker,
    untold: Vec<(Container, Arc<[Happened]>, Vec<LifeEnd>)>,
    traces: &mut Traces,
) -> usize {
    let until = tokio::time::Instant::now() + ASKED_WITHIN;
    let mut unknown = 0;
    for (index, (container, events, ends)) in untold.into_iter().enumerate() {
        unknown += ends.iter().filter(|end| end.exit_code.is_none()).count();
        let life = if index < MAX_ASKED {
            tokio::time::timeout_at(until, docker.life(&container.id)).await.ok().and_then(Result::ok)
        } else {
            None
        };
        let Some(life) = life.filter(|life| !life.running) else { continue };
        // That is the last one's, however many there were.
        unknown -= usize::from(ends.last().is_some_and(|end| end.exit_code.is_none()));
        if life.exit_code == KILLED {
            traces.ends.push(end_of(&container, &events, said_life(&life, None)));
        }
    }
    unknown
}

/// Of nanoseconds since 1970; none where no calendar has them.
fn time(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns)).ok()
}

/// The same as RFC 3339.
fn rfc3339(ns: i64) -> Option<String> {
    time(ns).map(|at| format!("{at:.9}"))
}

fn counted(events: usize) -> String {
    if events == 1 { "1 event is".to_owned() } else { format!("{events} events are") }
}
