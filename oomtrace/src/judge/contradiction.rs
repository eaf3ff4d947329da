//! Where a runtime's story of a container's end is not the kernel's.

use crate::container::runtime::docker::run_state::RunState;
use crate::model::Incident;

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

#[cfg(test)]
mod tests {
    use super::*;
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
