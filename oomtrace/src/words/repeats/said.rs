//! The line about incidents that are like one before.

use crate::model::{Incident, Repeat, Runtime};
use crate::text::quote::quote;
use crate::text::{self, bytes, duration_ms, elapsed_ms};

/// `×4 in 3.2 s, the same limit (64 MiB), 24 MiB to 60 MiB anon, restarted by Docker each time (always; back-off 1.6 s); the last one:
/// nginx[22999]`, with what [`Repeats::spread`](super::Repeats::spread) says. The block above is of another one: what is not the same of all is said here.
#[must_use]
pub fn said(incident: &Incident, repeat: &Repeat, spread: &str) -> String {
    let Repeat { count, within_ms, since_last_ms, limit_bytes, back_off_ms, .. } = repeat;
    let limit = limit_bytes.map(|limit| format!(", the same limit ({})", bytes(limit))).unwrap_or_default();
    let back_off = back_off_ms.map(|back_off| format!("back-off {}", duration_ms(back_off)));
    let (by, policy) = restarted(incident);
    // Who died with it this time need not be who did before.
    let others = Some(incident.collateral.len()).filter(|others| *others > 0);
    let others = others.map(|others| format!(" and {others} more")).unwrap_or_default();
    let last = format!("{}{others}", text::process(&incident.victim.process));
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
pub(super) fn restarted(incident: &Incident) -> (Option<&'static str>, Option<String>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{in_container, kill};

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
}
