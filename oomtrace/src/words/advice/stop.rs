//! What to do about a stop that ran into its time-out, in the words of whoever sets the time: the flag, or the field of the manifest.

use crate::judge::judgement::{Reason, StopRequest};
use crate::model::{Advice, Container, Disposition, Incident, Runtime};
use crate::text::quote::quote;
use crate::words::advice::advice;

/// What helps depends on what the victim had set up for the stop signal.
pub fn time_out(incident: &Incident, reason: &Reason) -> Advice {
    let (name, disposition) = match reason {
        Reason::StopTimeout(StopRequest { signal, disposition, .. }) => (signal.as_str(), *disposition),
        _ => ("the stop signal", None),
    };
    let by = Orchestrator::of(incident.container.as_ref());
    match disposition {
        Some(Disposition::Default) if incident.victim.is_pid_1() => advice(
            &format!("handle {name} in pid 1: exec form in the Dockerfile and a handler, or {}", by.init()),
            "the kernel drops a signal for which the first process of a pid namespace has no handler",
        ),
        Some(Disposition::Ignored) => advice(
            &format!("stop ignoring {name} in pid 1, or set STOPSIGNAL to a signal that it handles"),
            "it was asked to stop by a signal that it ignores",
        ),
        Some(Disposition::Handled | Disposition::Blocked) => advice(
            &format!("make it end sooner when it is asked to, or give it longer ({})", by.grace()),
            "it takes the stop signal, and was still running when the grace period ended",
        ),
        Some(Disposition::Default) | None => advice(
            &format!("make the container's first process handle the stop signal, or give it longer ({})", by.grace()),
            "it was asked to stop and was still running when the grace period ended",
        ),
    }
}

/// For a command that was brought into the container, and ran into its time-out.
pub fn of_command(incident: &Incident) -> Advice {
    match Orchestrator::of(incident.container.as_ref()) {
        Orchestrator::Kubernetes => advice(
            "raise timeoutSeconds of the exec probe, or make its command faster",
            "the kubelet has a probe's command ended when its time is over; kubectl describe pod says of which probe",
        ),
        Orchestrator::Compose => advice(
            "raise healthcheck.timeout of the service, or make its command faster",
            "Docker ends a health check's command when its time is over",
        ),
        Orchestrator::Docker | Orchestrator::Podman => advice(
            "raise --health-timeout, or make the health check's command faster",
            "a health check's command is ended when its time is over",
        ),
        Orchestrator::Other => advice(
            "give the command more time, or make it faster",
            "whoever ran the command in the container had given it less time than it took",
        ),
    }
}

/// For a unit of systemd's that was asked to stop before.
pub fn of_unit(incident: &Incident, reason: &Reason) -> Option<Advice> {
    let Reason::StopTimeout(StopRequest { signal, .. }) = reason else { return None };
    let unit = incident.unit.as_deref().map(|unit| format!(" of {}", quote(unit))).unwrap_or_default();
    Some(advice(
        &format!("have it end when it gets {signal}, or raise TimeoutStopSec={unit}"),
        "systemd asked it to stop, and it was still running when the time was over",
    ))
}

/// Who manages the container.
#[derive(Clone, Copy)]
enum Orchestrator {
    Kubernetes,
    Compose,
    Docker,
    Podman,
    Other,
}

impl Orchestrator {
    fn of(container: Option<&Container>) -> Self {
        let Some(container) = container else { return Self::Other };
        let is_composed =
            container.labels.as_ref().is_some_and(|labels| labels.contains_key("com.docker.compose.service"));
        match container.runtime {
            _ if container.pod.is_some() => Self::Kubernetes,
            _ if is_composed => Self::Compose,
            Some(Runtime::Docker) => Self::Docker,
            Some(Runtime::Podman) => Self::Podman,
            _ => Self::Other,
        }
    }

    /// How the container gets another pid 1, which hands signals on.
    const fn init(self) -> &'static str {
        match self {
            // The sandbox is pid 1 then, and the container's process takes signals as any other does.
            Self::Kubernetes => "shareProcessNamespace: true in the pod's spec",
            Self::Compose => "init: true for the service",
            Self::Docker => "docker run --init",
            Self::Podman => "podman run --init",
            Self::Other => "an init such as tini before it",
        }
    }

    /// What gives it longer.
    const fn grace(self) -> &'static str {
        match self {
            Self::Kubernetes => "terminationGracePeriodSeconds, which includes the time of a preStop hook",
            Self::Compose => "stop_grace_period of the service",
            Self::Docker => "docker stop -t, or docker run --stop-timeout",
            Self::Podman => "podman stop -t, or podman run --stop-timeout",
            Self::Other => "its grace period",
        }
    }
}
