//! A container's first process that ended as if by a SIGKILL, in words.

use crate::model::{Exited, ExitedAfter, Incident};
use crate::text::duration_ms;
use crate::text::quote::quote;

/// The code of a death by SIGKILL as shells and runtimes show it.
const AS_KILLED: u32 = 137;

/// The record.
pub fn exited(incident: Incident, after: Option<ExitedAfter>) -> Exited {
    let Incident { schema, id, time, node, boot_id, victim, container, unit, .. } = incident;
    let why = why(after.as_ref());
    let code = victim.exit.and_then(|exit| exit.code).unwrap_or(AS_KILLED);
    Exited {
        schema,
        id,
        time,
        node,
        boot_id,
        process: victim.process,
        container_init: victim.container_init,
        container,
        unit,
        code,
        why,
        after,
    }
}

/// `exited with 137 by itself: no SIGKILL was sent to it; its child worker[12] was OOM-killed 3 ms before`.
fn why(after: Option<&ExitedAfter>) -> String {
    let own = "exited with 137 by itself: no SIGKILL ended it";
    let Some(ExitedAfter { pid, comm, is_child, is_oom, by_pid, by_comm, before_ms, .. }) = after else {
        return format!("{own}, and none was seen that ended a process of it right before");
    };
    let who = if *is_child { "its child" } else { "in it," };
    let killed = match (is_oom, by_pid) {
        (true, _) => "was OOM-killed".to_owned(),
        (false, Some(by)) if by == pid => "killed itself".to_owned(),
        (false, Some(by)) => format!("was killed by {}[{by}]", quote(by_comm.as_deref().unwrap_or("unknown"))),
        (false, None) => "was killed by the kernel".to_owned(),
    };
    format!("{own}; {who} {}[{pid}] {killed} {} before", quote(comm), duration_ms(*before_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{case, in_container, kill};
    use crate::model::{Exit, Record};
    use crate::resolve::case::AsKilled;

    fn after() -> ExitedAfter {
        ExitedAfter {
            incident: Some("x".to_owned()),
            pid: 12,
            comm: "worker".to_owned(),
            is_child: true,
            is_oom: false,
            by_pid: None,
            by_comm: None,
            before_ms: 3,
        }
    }

    #[test]
    fn what_was_killed_before_is_named() {
        let own = "exited with 137 by itself: no SIGKILL ended it";
        let by = |pid, comm: Option<&str>| ExitedAfter { by_pid: pid, by_comm: comm.map(str::to_owned), ..after() };
        for (after, expected) in [
            (None, ", and none was seen that ended a process of it right before"),
            (
                Some(ExitedAfter { is_oom: true, ..by(Some(9), Some("sh")) }),
                "; its child worker[12] was OOM-killed 3 ms before",
            ),
            (Some(by(Some(9), Some("a b"))), "; its child worker[12] was killed by 'a b'[9] 3 ms before"),
            (Some(by(Some(12), Some("worker"))), "; its child worker[12] killed itself 3 ms before"),
            (Some(by(Some(9), None)), "; its child worker[12] was killed by unknown[9] 3 ms before"),
            (Some(by(None, None)), "; its child worker[12] was killed by the kernel 3 ms before"),
            (
                Some(ExitedAfter { is_child: false, is_oom: true, ..after() }),
                "; in it, worker[12] was OOM-killed 3 ms before",
            ),
        ] {
            assert_eq!(why(after.as_ref()), format!("{own}{expected}"));
        }
    }

    #[test]
    fn it_is_a_record_of_its_own_and_no_incident() {
        let mut incident = in_container(kill("/usr/bin/sh"));
        incident.victim.container_init = true;
        incident.victim.exit = Some(Exit { status: 137 << 8, code: Some(137), signal: None, after_us: None });
        let mut case = case(incident);
        case.exited = Some(AsKilled { after: Some(after()) });
        let Record::Exit(exited) = crate::words::conclude(case) else { panic!("no exit") };
        assert_eq!((exited.code, exited.container_init, exited.after), (137, true, Some(after())));
        assert!(exited.why.starts_with("exited with 137 by itself"));
    }
}
