//! Where a runtime's story of a container's end is not the kernel's.

use crate::container::runtime::docker::run_state::RunState;
use crate::model::Incident;

/// What SIGKILL shows as in an exit code.
pub const KILLED: i64 = 137;

/// What Docker says of a container's end that is not so: at least one of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerSays {
    /// Its flag OOMKilled, which the kernel contradicts.
    pub oom_killed: Option<bool>,
    /// Its exit code, where that is not SIGKILL's.
    pub exit_code: Option<i64>,
}

/// What is not so of what the kubelet says of a container's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubeletSays {
    /// No OOM kill, and it was one.
    NoOomKill,
    /// An OOM kill: an earlier one, by a counter that never falls.
    EarlierOomKill,
    /// Another exit code than SIGKILL's.
    NotKilled,
    /// A kill of the container's first process: that passed on the end of its child, which was OOM-killed.
    EndOfChild,
    /// Nothing wrong, though a process was OOM-killed.
    NothingWrong,
}

/// What Docker says that the kernel did not do; none when the two agree, or the victim was not the container's first process,
/// whose end alone is Docker's.
#[must_use]
pub fn of_docker(incident: &Incident, said: &RunState) -> Option<DockerSays> {
    if !incident.victim.container_init || said.running {
        return None;
    }
    let found = DockerSays {
        oom_killed: Some(said.oom_killed).filter(|killed| *killed != incident.oom.is_some()),
        exit_code: Some(said.exit_code).filter(|code| *code != KILLED),
    };
    (found.oom_killed.is_some() || found.exit_code.is_some()).then_some(found)
}

/// What the kubelet says of the container's end that is not what the kernel did; none when the two agree.
#[must_use]
pub fn of_kubelet(incident: &Incident, reason: Option<&str>, exit_code: i64) -> Option<KubeletSays> {
    let says_oom = reason == Some("OOMKilled");
    match (incident.victim.container_init, incident.oom.is_some()) {
        (true, true) if !says_oom => Some(KubeletSays::NoOomKill),
        (true, false) if says_oom => Some(KubeletSays::EarlierOomKill),
        (true, _) if exit_code != KILLED => Some(KubeletSays::NotKilled),
        (false, true) if !says_oom && exit_code == KILLED => Some(KubeletSays::EndOfChild),
        (false, true) if exit_code == 0 => Some(KubeletSays::NothingWrong),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{in_container, kill, oom_kill};

    #[test]
    fn the_kubelet_is_held_against_the_kernel() {
        for (is_oom, is_init, reason, code, expected) in [
            (true, true, "OOMKilled", 137, None),
            (true, true, "Error", 137, Some(KubeletSays::NoOomKill)),
            (false, true, "OOMKilled", 137, Some(KubeletSays::EarlierOomKill)),
            (false, true, "OOMKilled", 143, Some(KubeletSays::EarlierOomKill)),
            (false, true, "Error", 137, None),
            (false, true, "Completed", 0, Some(KubeletSays::NotKilled)),
            (true, false, "Error", 137, Some(KubeletSays::EndOfChild)),
            (true, false, "OOMKilled", 137, None),
            (true, false, "Completed", 0, Some(KubeletSays::NothingWrong)),
            (true, false, "Error", 1, None),
            (false, false, "Error", 137, None),
        ] {
            let mut incident = in_container(if is_oom { oom_kill() } else { kill("/usr/bin/bash") });
            incident.victim.container_init = is_init;
            assert_eq!(of_kubelet(&incident, Some(reason), code), expected, "{reason} {code}");
        }
    }

    #[test]
    fn only_what_does_not_fit_is_said() {
        for (is_oom, is_init, running, oom_killed, exit_code, expected) in [
            (true, true, false, true, 137, None),
            (true, true, false, false, 137, Some((Some(false), None))),
            (false, true, false, true, 137, Some((Some(true), None))),
            (false, true, false, false, 137, None),
            (false, true, false, false, 0, Some((None, Some(0)))),
            (true, true, false, false, 1, Some((Some(false), Some(1)))),
            // A child was killed, or the container runs again: that is no end of its first process.
            (false, false, false, true, 137, None),
            (false, true, true, true, 0, None),
        ] {
            let mut incident = in_container(if is_oom { oom_kill() } else { kill("/usr/bin/bash") });
            incident.victim.container_init = is_init;
            let said = RunState { running, oom_killed, exit_code, started_at: String::new() };
            let expected = expected.map(|(oom_killed, exit_code)| DockerSays { oom_killed, exit_code });
            assert_eq!(of_docker(&incident, &said), expected, "{said:?}");
        }
    }
}
