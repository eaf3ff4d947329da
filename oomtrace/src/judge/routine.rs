//! Kills for which nobody needs to be woken.

use crate::judge::class::{is_by_parent, sender_class};
use crate::judge::senders::{Class, classify, is_hosts_root, program_class};
use crate::model::{Cause, Incident, InitEnd, Routine};

/// Signals that a container is stopped by: SIGINT, SIGQUIT and SIGTERM.
const STOPS: [u32; 3] = [2, 3, 15];

/// Why it is a part of something that went as it should; none for what somebody may want to know, and for what a person or a program
/// asked for.
pub fn routine(incident: &Incident, cause: Cause) -> Option<Routine> {
    // The kubelet itself ends what is left of a pod that has no grace.
    let is_with_pod = matches!(cause, Cause::RuntimeKill | Cause::RuntimeStopTimeout | Cause::KubeletDeletion);
    let pod = incident.container.as_ref().and_then(|container| container.pod.as_ref());
    if is_with_pod && incident.oom.is_none() && pod.is_some_and(|pod| pod.sandbox) {
        return Some(Routine::Sandbox);
    }
    if cause == Cause::PidNamespaceExit {
        let end = incident.init_end.as_ref();
        // Where the first process was killed, that is an incident of its own, and says it all.
        let is_told = |end: &InitEnd| end.of_container && end.killed.is_some();
        return end
            .is_some_and(|end| is_told(end) || (is_as_it_should(end) && !is_asked_by_others(incident, end)))
            .then_some(Routine::Sweep);
    }
    is_runtimes_own(incident).then_some(Routine::Helper)
}

/// The container's first process ended by itself without an error, or by a stop signal, which many pass on as an exit status.
fn is_as_it_should(end: &InitEnd) -> bool {
    let is_clean = end.status.is_some_and(|status| match (status & 0x7f, status >> 8 & 0xff) {
        (0, code) => code == 0 || STOPS.iter().any(|signal| code == 128 + signal),
        (signal, _) => STOPS.contains(&signal),
    });
    end.of_container && end.killed.is_none() && is_clean
}

/// A stop signal came right before, and neither from a runtime nor from the service manager: somebody wanted it gone.
fn is_asked_by_others(incident: &Incident, end: &InitEnd) -> bool {
    const RIGHT_BEFORE_MS: u64 = 60_000;
    // A user's own runtime is one for what is the user's.
    let owner = incident.container.as_ref().and_then(|container| container.user);
    end.asked.as_ref().filter(|asked| asked.before_ms <= RIGHT_BEFORE_MS).is_some_and(|asked| {
        !matches!(classify(&asked.sender, owner), Some(Class::Runtime | Class::ServiceManager | Class::Kubelet))
    })
}

/// A runtime ended a child of its own outside of any container, which is a runtime's program as well, and root's.
fn is_runtimes_own(incident: &Incident) -> bool {
    let victim = &incident.victim.process;
    is_by_parent(incident)
        && !incident.is_contained()
        && is_hosts_root(victim)
        && program_class(victim) == Some(Class::Runtime)
        && sender_class(incident) == Some(Class::Runtime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{by_kernel, in_container, kill, process};
    use crate::judge::{judge, tests::case};
    use crate::model::{InitKilled, Pod, SignalPath};

    fn found(incident: &Incident) -> Option<Routine> {
        judge(&case(incident.clone())).routine
    }

    #[test]
    fn a_sandbox_ends_with_its_pod() {
        let mut incident = in_container(kill("/usr/bin/containerd-shim-runc-v2"));
        incident.container.as_mut().unwrap().pod = Some(Pod { sandbox: true, ..Pod::default() });
        assert_eq!(found(&incident), Some(Routine::Sandbox));
        incident.sender.process = Some(process(10, "/usr/bin/kubelet"));
        assert_eq!(found(&incident), Some(Routine::Sandbox));
        // A person's own kill of it, and a container of the pod.
        incident.sender.process = Some(process(10, "/usr/bin/bash"));
        assert_eq!(found(&incident), None);
        let mut of_pod = in_container(kill("/usr/sbin/runc"));
        of_pod.container.as_mut().unwrap().pod = Some(Pod::default());
        assert_eq!(found(&of_pod), None);
    }

    #[test]
    fn an_init_that_somebody_asked_to_end_is_no_matter_of_course() {
        let found_with = |exe: &str, before_ms| {
            let mut incident = in_container(by_kernel(SignalPath::PidNamespaceExit));
            let mut asked = crate::judge::tests::stop_signal(exe);
            asked.before_ms = before_ms;
            asked.sender.uid = Some(0);
            let asked = Some(asked);
            let init = process(5, "/bin/sh");
            incident.init_end = Some(InitEnd { init, killed: None, status: Some(0), of_container: true, asked });
            found(&incident)
        };
        assert_eq!(found_with("/usr/bin/busybox", 300), None);
        assert_eq!(found_with("/usr/sbin/runc", 300), Some(Routine::Sweep));
        assert_eq!(found_with("/lib/systemd/systemd", 300), Some(Routine::Sweep));
        // Of something else.
        assert_eq!(found_with("/usr/bin/busybox", 3_000_000), Some(Routine::Sweep));
    }

    #[test]
    fn what_is_left_after_a_clean_end_is_swept() {
        let init = process(5, "/bin/sh");
        let killed = Some(InitKilled { by: None, before_ms: 1 });
        for (status, of_container, killed, routine) in [
            (Some(0), true, None, Some(Routine::Sweep)),
            (Some(15), true, None, Some(Routine::Sweep)),
            (Some(143 << 8), true, None, Some(Routine::Sweep)),
            (Some(3 << 8), true, None, None),
            (Some(11), true, None, None),
            (Some(0), false, None, None),
            (None, true, None, None),
            (Some(9), true, killed.clone(), Some(Routine::Sweep)),
            (Some(9), false, killed, None),
        ] {
            let mut incident = in_container(by_kernel(SignalPath::PidNamespaceExit));
            incident.init_end = Some(InitEnd { init: init.clone(), killed, status, of_container, asked: None });
            assert_eq!(found(&incident), routine, "{status:?} {of_container}");
        }
    }

    #[test]
    fn a_runtime_may_end_what_it_started_for_itself() {
        let own = |sender: &str, victim: &str| {
            let mut incident = kill(sender);
            incident.victim.process = process(20, victim);
            incident.victim.process.ppid = Some(10);
            incident
        };
        assert_eq!(found(&own("/usr/bin/dockerd", "/usr/bin/containerd")), Some(Routine::Helper));
        assert_eq!(found(&own("/usr/bin/dockerd", "/usr/bin/vim")), None);
        assert_eq!(found(&own("/usr/bin/bash", "/usr/bin/containerd")), None);
        let mut strangers = own("/usr/bin/dockerd", "/usr/bin/containerd");
        strangers.victim.process.ppid = Some(1);
        assert_eq!(found(&strangers), None);
    }
}
