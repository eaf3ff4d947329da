//! What makes incidents alike.

use crate::judge::requester::is_by_exec;
use crate::model::{Cause, Container, Incident, Process, Requester, Routine};
use crate::words::spread::limit;

/// What those have in common that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
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
    /// The sender was brought into its container (exec): it is no part of what the container does.
    by_exec: bool,
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
    pub(super) fn of(incident: &Incident) -> Option<Self> {
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
            by_exec: is_by_exec(incident),
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
