//! Where a runtime's story of a container's end is not the kernel's.

use crate::container::runtime::docker::run_state::RunState;
use crate::model::Incident;
use crate::text::quote::quote;

/// What SIGKILL shows as in an exit code.
const KILLED: i64 = 137;

/// What Docker says that the kernel did not do; none when the two agree, or the victim was not the container's first process,
/// whose end alone is Docker's.
#[must_use]
pub fn contradiction(incident: &Incident, said: &RunState) -> Option<String> {
    if !incident.victim.container_init || said.running {
        return None;
    }
    let was = match (incident.oom.is_some(), said.oom_killed) {
        (true, false) => Some(
            "Docker says OOMKilled=false, but the kernel's OOM killer ended the container's first process".to_owned(),
        ),
        (false, true) => Some(
            "Docker says OOMKilled=true, which is of an earlier kill in the container: no OOM killer ended its first process"
                .to_owned(),
        ),
        _ => None,
    };
    let code = (said.exit_code != KILLED).then(|| {
        format!(
            "Docker says exit code {}, but the container's first process died of SIGKILL ({KILLED})",
            said.exit_code
        )
    });
    match (was, code) {
        (Some(was), Some(code)) => Some(format!("{was}; {code}")),
        (was, code) => was.or(code),
    }
}

/// What the kubelet says of the container's end that is not what the kernel did; none when the two agree.
#[must_use]
pub fn kubelets(incident: &Incident, reason: Option<&str>, exit_code: i64) -> Option<String> {
    let says = format!("the kubelet says {} (exit code {exit_code})", quote(reason.unwrap_or("nothing")));
    let says_oom = reason == Some("OOMKilled");
    match (incident.victim.container_init, incident.oom.is_some()) {
        (true, true) if !says_oom => {
            Some(format!("{says}, but the kernel's OOM killer ended the container's first process"))
        }
        (true, false) if says_oom => Some(format!(
            "{says}, which is of an earlier kill in the container, by a counter that never falls: no OOM killer ended its first process"
        )),
        (true, _) if exit_code != KILLED => {
            Some(format!("{says}, but the container's first process died of SIGKILL ({KILLED})"))
        }
        (false, true) if !says_oom && exit_code == KILLED => {
            Some(format!("{says}, but that is the end of its child, which the kernel's OOM killer ended"))
        }
        (false, true) if exit_code == 0 => {
            Some(format!("{says}, though the kernel's OOM killer had ended a process in the container"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelet_is_held_against_the_kernel() {
        for (is_oom, is_init, reason, code, expected) in [
            (true, true, "OOMKilled", 137, None),
            (true, true, "Error", 137, Some("but the kernel's OOM killer")),
            (false, true, "OOMKilled", 137, Some("earlier kill")),
            (false, true, "OOMKilled", 143, Some("earlier kill")),
            (false, true, "Error", 137, None),
            (false, true, "Completed", 0, Some("died of SIGKILL")),
            (true, false, "Error", 137, Some("end of its child")),
            (true, false, "OOMKilled", 137, None),
            (true, false, "Completed", 0, Some("had ended a process")),
            (true, false, "Error", 1, None),
            (false, false, "Error", 137, None),
        ] {
            let mut incident = in_container(if is_oom { oom_kill() } else { kill("/usr/bin/bash") });
            incident.victim.container_init = is_init;
            let got = kubelets(&incident, Some(reason), code);
            assert_eq!(got.is_some(), expected.is_some(), "{reason} {code}: {got:?}");
            assert!(expected.is_none_or(|part| got.unwrap().contains(part)), "{reason} {code}");
        }
    }
    use crate::judge::tests::{in_container, kill, oom_kill};

    #[test]
    fn only_what_does_not_fit_is_said() {
        for (is_oom, is_init, running, oom_killed, exit_code, expected) in [
            (true, true, false, true, 137, None),
            (true, true, false, false, 137, Some("OOMKilled=false")),
            (false, true, false, true, 137, Some("OOMKilled=true")),
            (false, true, false, false, 137, None),
            (false, true, false, false, 0, Some("exit code 0")),
            (true, true, false, false, 1, Some("OOMKilled=false")),
            // A child was killed, or the container runs again: that is no end of its first process.
            (false, false, false, true, 137, None),
            (false, true, true, true, 0, None),
        ] {
            let mut incident = in_container(if is_oom { oom_kill() } else { kill("/usr/bin/bash") });
            incident.victim.container_init = is_init;
            let said = RunState { running, oom_killed, exit_code, started_at: String::new() };
            let got = contradiction(&incident, &said);
            assert_eq!(got.is_some(), expected.is_some(), "{said:?} {got:?}");
            assert!(expected.is_none_or(|part| got.unwrap().contains(part)), "{said:?}");
        }
    }
}
