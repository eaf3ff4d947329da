//! What to do about a stop that ran into its time-out, in the words of whoever sets the time: the flag, or the field of the manifest.

use std::borrow::Cow;

use crate::judge::judgement::{Reason, StopRequest};
use crate::model::{Advice, Container, Disposition, Incident, Runtime};
use crate::placement::user_of;
use crate::text::quote::quote;
use crate::words::advice::init::Init;
use crate::words::advice::setter::Setter;
use crate::words::advice::{advice, client, is_plain};

/// What helps depends on what the victim is, and on what it had set up for the stop signal.
pub fn time_out(incident: &Incident, reason: &Reason) -> Advice {
    let request = match reason {
        Reason::StopTimeout(request) => Some(request),
        _ => None,
    };
    let name = request.map_or("the stop signal", |request| request.signal.as_str());
    let disposition = request.and_then(|request| request.disposition);
    let by = Orchestrator::of(incident.container.as_ref());
    let grace = by.grace(incident, request.map(|request| longer_s(request.first_before_ms)));
    if request.is_some_and(StopRequest::is_without_grace) {
        return advice(
            &format!("give it time to end ({grace})"),
            "SIGKILL came right behind the stop signal, whatever it does with that",
        );
    }
    let init = Init::of(&incident.victim.process);
    let special = disposition.filter(|_| incident.victim.is_pid_1());
    if let Some((action, why)) = special.and_then(|disposition| init.advise(name, disposition, &by.init(), &grace)) {
        return advice(&action, &why);
    }
    match disposition {
        Some(Disposition::Default) if incident.victim.is_pid_1() => advice(
            &format!("handle {name} in pid 1: exec form in the Dockerfile and a handler, or {}", by.init()),
            "the kernel drops a signal for which the first process of a pid namespace has no handler",
        ),
        Some(Disposition::Ignored) => advice(
            &format!("stop ignoring {name} in pid 1, or set STOPSIGNAL to a signal that it handles"),
            "it was asked to stop by a signal that it ignores",
        ),
        Some(Disposition::Handled | Disposition::Blocked) => {
            let slow = init.slow_part().map(|part| format!(" (look at {part})")).unwrap_or_default();
            advice(
                &format!("make it end sooner when it is asked to{slow}, or give it longer ({grace})"),
                "it takes the stop signal, and was still running when the grace period ended",
            )
        }
        Some(Disposition::Default) | None => advice(
            &format!("make the container's first process handle the stop signal, or give it longer ({grace})"),
            "it was asked to stop and was still running when the grace period ended",
        ),
    }
}

/// What it may be given in place of what was not enough, in seconds: three times as long, and half a minute at the least.
fn longer_s(taken_ms: u64) -> u64 {
    (taken_ms / 1000).saturating_mul(3).next_multiple_of(10).max(30)
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
        Orchestrator::Quadlet => advice(
            "raise HealthTimeout= of its quadlet, or make the health check's command faster",
            "Podman ends a health check's command when its time is over",
        ),
        Orchestrator::Swarm { .. } => advice(
            "raise --health-timeout of the service (docker service update), or make the health check's command faster",
            "a health check's command is ended when its time is over",
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
    let Reason::StopTimeout(StopRequest { signal, disposition, first_before_ms, .. }) = reason else { return None };
    let unit = incident.unit.as_deref();
    let of = unit.map(|unit| format!(" of {}", quote(unit))).unwrap_or_default();
    if *disposition == Some(Disposition::Ignored) {
        return Some(advice(
            &format!("have it end when it gets {signal}, or set KillSignal={of} to a signal that it does not ignore"),
            "systemd asked it to stop by a signal that it ignores",
        ));
    }
    let seconds = longer_s(*first_before_ms);
    let user = incident.victim.process.cgroup.as_deref().and_then(user_of);
    // A unit of a container's or of a user's own systemd may be called as one of the machine's.
    let is_machines = incident.container.is_none() && user.is_none();
    let unit = unit.filter(|unit| is_machines && is_plain(unit) && unit.ends_with(".service"));
    Some(Advice {
        action: format!("have it end when it gets {signal}, or raise TimeoutStopSec={of} to {seconds} s"),
        why: "systemd asked it to stop, and it was still running when the time was over".to_owned(),
        command: unit.map(|unit| {
            let directory = format!("/etc/systemd/system/{unit}.d");
            format!(
                "mkdir -p {directory} && printf '[Service]\\nTimeoutStopSec={seconds}\\n' > {directory}/50-stop.conf && systemctl daemon-reload"
            )
        }),
    })
}

/// Who says how the container is stopped.
enum Orchestrator<'a> {
    Kubernetes,
    Swarm {
        service: &'a str,
        /// The client of the daemon that has the task.
        engine: String,
    },
    Compose,
    /// A unit of systemd's that starts it with podman.
    Quadlet,
    Docker,
    Podman,
    Other,
}

impl<'a> Orchestrator<'a> {
    fn of(container: Option<&'a Container>) -> Self {
        let Some(container) = container else { return Self::Other };
        match (Setter::of(container), container.runtime) {
            (Setter::Pod, _) => Self::Kubernetes,
            (Setter::Swarm { service, .. }, _) => {
                Self::Swarm { service, engine: client::engine(container).unwrap_or_else(|| "docker".to_owned()) }
            }
            (Setter::Compose { .. }, _) => Self::Compose,
            (Setter::Unit(_), _) => Self::Quadlet,
            (Setter::Builder(_) | Setter::Once | Setter::Removed | Setter::Engine, runtime) => match runtime {
                Some(Runtime::Docker) => Self::Docker,
                Some(Runtime::Podman) => Self::Podman,
                _ => Self::Other,
            },
        }
    }

    /// How the container gets another pid 1, which hands signals on.
    fn init(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            // The sandbox is pid 1 then, and the container's process takes signals as any other does.
            Self::Kubernetes => "shareProcessNamespace: true in the pod's spec",
            Self::Swarm { service, engine } => {
                return format!("{engine} service update --init {} (on a manager of the swarm)", quote(service)).into();
            }
            Self::Compose => "init: true for the service",
            Self::Quadlet => "RunInit=true in the [Container] section of its quadlet",
            Self::Docker => "start it with docker run --init",
            Self::Podman => "start it with podman run --init",
            Self::Other => "an init such as tini before it",
        })
    }

    /// What gives it longer, by so many seconds where the time that was not enough is known.
    fn grace(&self, incident: &Incident, seconds: Option<u64>) -> String {
        let time = |unit: &str| seconds.map(|seconds| format!("{seconds}{unit}"));
        let with = |option: &str| time("").map_or_else(|| option.to_owned(), |time| format!("{option} {time}"));
        match self {
            Self::Kubernetes => "terminationGracePeriodSeconds, which includes the time of a preStop hook".to_owned(),
            Self::Compose => {
                let container = incident.container.as_ref();
                let place = container.and_then(|found| Setter::of(found).place());
                let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
                match time("s") {
                    Some(time) => format!("stop_grace_period: {time} of the service{place}"),
                    None => format!("stop_grace_period of the service{place}"),
                }
            }
            Self::Swarm { service, engine } => match time("s") {
                Some(time) => {
                    let service = quote(service);
                    format!("{engine} service update --stop-grace-period {time} {service}, on a manager of the swarm")
                }
                None => format!("stop_grace_period of service {}", quote(service)),
            },
            Self::Quadlet => match time("") {
                Some(time) => format!("StopTimeout={time} in the [Container] section of its quadlet"),
                None => "StopTimeout= in the [Container] section of its quadlet".to_owned(),
            },
            Self::Docker => format!("{}, or {}", with("docker stop -t"), with("docker run --stop-timeout")),
            Self::Podman => format!("{}, or {}", with("podman stop -t"), with("podman run --stop-timeout")),
            Self::Other => "its grace period".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_made_the_container_has_an_option_of_its_own() {
        use crate::judge::tests::{container, kill};
        let labelled = |runtime, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Container { runtime: Some(runtime), labels: Some(labels), ..container("a") }
        };
        let compose = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
        for (container, init, grace) in [
            (
                labelled(Runtime::Docker, &[]),
                "start it with docker run --init",
                "docker stop -t 30, or docker run --stop-timeout 30",
            ),
            (
                labelled(Runtime::Podman, &[]),
                "start it with podman run --init",
                "podman stop -t 30, or podman run --stop-timeout 30",
            ),
            (
                labelled(Runtime::Docker, &compose),
                "init: true for the service",
                "stop_grace_period: 30s of the service",
            ),
            (
                Container {
                    name: Some("web.1.abc".to_owned()),
                    runtime_socket: Some("/srv/other.sock".to_owned()),
                    ..labelled(
                        Runtime::Docker,
                        &[("com.docker.swarm.service.name", "web"), ("com.docker.swarm.task.id", "abc")],
                    )
                },
                "docker --host unix:///srv/other.sock service update --init web (on a manager of the swarm)",
                "docker --host unix:///srv/other.sock service update --stop-grace-period 30s web, on a manager of the swarm",
            ),
            (
                Container {
                    cgroup: "/system.slice/web.service/libpod-payload-x".to_owned(),
                    confirmed: true,
                    ..labelled(Runtime::Podman, &[])
                },
                "RunInit=true in the [Container] section of its quadlet",
                "StopTimeout=30 in the [Container] section of its quadlet",
            ),
            (labelled(Runtime::Lxc, &[]), "an init such as tini before it", "its grace period"),
        ] {
            let by = Orchestrator::of(Some(&container));
            let incident = Incident { container: Some(container.clone()), ..kill("/usr/bin/runc") };
            assert_eq!((&*by.init(), by.grace(&incident, Some(30)).as_str()), (init, grace), "{container:?}");
        }
    }

    #[test]
    fn the_time_to_give_is_longer_than_what_was_not_enough() {
        for (taken_ms, seconds) in [(0, 30), (2_000, 30), (10_012, 30), (11_000, 40), (30_000, 90), (90_000, 270)] {
            assert_eq!(longer_s(taken_ms), seconds, "{taken_ms}");
        }
        assert!(longer_s(u64::MAX) > u64::MAX / 1000);
    }
}
