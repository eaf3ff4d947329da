//! A kill by a program that manages the victim: the setting by which it does so, and where that is.

use crate::judge::judgement::{Manager, StopRequest, TimeLimit};
use crate::model::{Advice, Container, Disposition, Incident};
use crate::profile;
use crate::profile::manager::Remedy;
use crate::text::{name_or_id, process};
use crate::words::advice::client::engine_target;
use crate::words::advice::{advice, is_plain, pod};
use crate::words::by_process::span;

/// For a kill by its parent, which may have asked it to `stop` before; none where there is nothing to set.
pub fn managed(incident: &Incident, manager: &Manager, stop: Option<&StopRequest>) -> Option<Advice> {
    let Manager { program, limit } = manager;
    let setting = match profile::manager::named(program).map(|known| known.remedy) {
        Some(Remedy::None) => return None,
        Some(Remedy::Set(setting)) => setting.to_owned(),
        Some(Remedy::Limit) | None => format!("look at {limit}: {program} decided it"),
    };
    let sender = incident.sender.process.as_ref().map_or_else(|| (*program).to_owned(), process);
    let ignored = stop.filter(|stop| stop.disposition == Some(Disposition::Ignored));
    let action = match ignored {
        // More time does not help.
        Some(stop) => {
            format!("have it end at {}, which it ignores, or stop it by a signal that it does not", stop.signal)
        }
        None => setting,
    };
    Some(advice(&action, &format!("{sender} is its parent, and by its looks {program}: this is no OOM kill")))
}

/// For a command that timeout(1) ended.
pub fn time_limit(TimeLimit { duration, kill_after, early, .. }: &TimeLimit) -> Advice {
    let action = match kill_after {
        Some(after) if *early => {
            format!(
                "have it end at the signal that timeout passed on, or give it longer than {} (--kill-after)",
                span(after)
            )
        }
        None if *early => "find out who ended timeout: its time was not up".to_owned(),
        Some(after) => format!(
            "have it end at the first signal, or give it longer than {} (timeout) and {} (--kill-after)",
            span(duration),
            span(after)
        ),
        None => format!("make it quicker, or give timeout more than {}", span(duration)),
    };
    let why =
        if *early { "timeout(1) passes on what it is ended by" } else { "timeout(1) kills when its time is over" };
    advice(&action, &format!("{why}: this is no OOM kill"))
}

/// For a kill by a process of another container, or from one of which a runtime was asked: that one's log.
pub fn of_container(container: &Container) -> Advice {
    let command = match &container.pod {
        Some(found) => pod::names(found).and_then(|(namespace, name)| {
            let container = container.name.as_deref().filter(|name| is_plain(name))?;
            Some(format!("kubectl -n {namespace} logs {name} -c {container} --tail=50"))
        }),
        None => engine_target(container).map(|(engine, target)| format!("{engine} logs --tail 50 {target}")),
    };
    Advice {
        action: format!("see why container {} did it", name_or_id(container)),
        why: "the kill came from a process of that container".to_owned(),
        command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{container, kill};
    use crate::model::{Pod, Runtime};

    #[test]
    fn a_manager_is_answered_by_the_setting_that_it_goes_by() {
        for (program, limit, action) in [
            ("gunicorn", "its worker time-out (--timeout)", "raise --timeout (timeout in gunicorn.conf.py"),
            ("supervisord", "its stop time-out (stopwaitsecs)", "raise stopwaitsecs of the program's section"),
            (
                "PassengerAgent",
                "its request time-out",
                "read its log: the process did not shut down within 1 minute, or",
            ),
            ("dinit", "its stop-timeout", "look at its stop-timeout: dinit decided it"),
        ] {
            let manager = Manager { program, limit: limit.into() };
            let said = managed(&kill("/usr/bin/x"), &manager, None).unwrap().action;
            assert!(said.starts_with(action), "{said}");
        }
        let tini = Manager { program: "tini", limit: "its own end".into() };
        assert_eq!(managed(&kill("/usr/bin/tini"), &tini, None), None);
    }

    #[test]
    fn a_signal_that_is_ignored_is_named() {
        let manager = Manager { program: "monit", limit: "its stop time-out".into() };
        let stop = |disposition| StopRequest {
            signal: "SIGTERM".to_owned(),
            before_ms: 10_000,
            first_before_ms: 10_000,
            disposition: Some(disposition),
        };
        for (disposition, start) in [
            (Disposition::Ignored, "have it end at SIGTERM, which it ignores, or stop it by"),
            (Disposition::Handled, "give its stop program a longer timeout"),
        ] {
            let said = managed(&kill("/usr/bin/x"), &manager, Some(&stop(disposition))).unwrap().action;
            assert!(said.starts_with(start), "{said}");
        }
    }

    #[test]
    fn timeouts_own_numbers_are_named() {
        for (kill_after, early, action) in [
            (None, false, "make it quicker, or give timeout more than 2 min"),
            (
                Some("3"),
                true,
                "have it end at the signal that timeout passed on, or give it longer than 3 s (--kill-after)",
            ),
            (
                Some("3"),
                false,
                "have it end at the first signal, or give it longer than 2 min (timeout) and 3 s (--kill-after)",
            ),
        ] {
            let kill_after = kill_after.map(str::to_owned);
            let limit = TimeLimit { duration: "2m".to_owned(), kill_after, early, command: Vec::new() };
            assert_eq!(time_limit(&limit).action, action);
        }
    }

    #[test]
    fn another_containers_log_is_where_its_engine_has_it() {
        let named = |runtime, confirmed| Container {
            name: Some("watchtower".to_owned()),
            runtime: Some(runtime),
            confirmed,
            ..container("b")
        };
        let pod = Pod { name: Some("web-5d4".to_owned()), namespace: Some("shop".to_owned()), ..Pod::default() };
        for (container, command) in [
            (named(Runtime::Docker, true), Some("docker logs --tail 50 watchtower")),
            (named(Runtime::Docker, false), None),
            (named(Runtime::Runc, true), None),
            (
                Container { pod: Some(pod), ..named(Runtime::Containerd, true) },
                Some("kubectl -n shop logs web-5d4 -c watchtower --tail=50"),
            ),
            (
                Container { name: Some("a;b".to_owned()), ..named(Runtime::Docker, true) },
                Some("docker logs --tail 50 b"),
            ),
        ] {
            assert_eq!(of_container(&container).command.as_deref(), command, "{container:?}");
        }
    }
}
