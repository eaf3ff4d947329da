//! A runtime and the processes that it starts itself: the command that it brought into a container, and the process that is to become
//! a container's first.

use crate::judge::class::{is_by_parent, sender_class};
use crate::judge::senders::{Class, is_shim};
use crate::model::{Incident, Process};

/// What runc calls itself until it runs the container's program: `runc:[2:INIT]` (libcontainer/nsenter/nsexec.c, 1.0 to 1.3).
const RUNC_INIT: &str = "runc:[";

/// A shim ended the command that it had brought into the container itself. Of a container it ends the first process by the runtime
/// (`runc kill`); to commands it sends signals by its own hand (containerd, pkg/process/exec.go `execProcess.kill`, 1.6 to 2.1; conmon's
/// `--timeout`).
pub fn is_shims_command(incident: &Incident) -> bool {
    incident.sender.process.as_ref().is_some_and(is_shim)
        && is_by_parent(incident)
        && !incident.victim.container_init
        && sender_class(incident) == Some(Class::Runtime)
}

/// A runtime ended the process that it was about to make a container's first one: the container did not start.
pub fn is_given_up(incident: &Incident) -> bool {
    is_by_parent(incident) && is_starting(&incident.victim.process) && sender_class(incident) == Some(Class::Runtime)
}

/// By its name it is the runtime itself that was about to become the container's first process. Anybody may call themselves so: this
/// decides nothing but words, unless the runtime is known to be its parent. Before it has that name it is `runc init`, in the host's mount
/// namespace still.
pub fn is_starting(process: &Process) -> bool {
    let is_on_host = process.namespaces.as_ref().is_some_and(|namespaces| namespaces.on_host == Some(true));
    let is_runc_init = process.comm == "runc"
        && process.cmdline.as_ref().is_some_and(|cmdline| cmdline.get(1).is_some_and(|command| command == "init"));
    process.comm.starts_with(RUNC_INIT) || (is_on_host && is_runc_init)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{ID, in_container, judged, kill, oom, stop_signal};
    use crate::model::{Cause, Confidence, LimitLevel, Limits, OomScope, Pod};

    const SHIM: &str = "/usr/bin/containerd-shim-runc-v2";

    /// `sender` kills a child of its own in a container.
    fn own_child(sender: &str) -> Incident {
        let mut incident = in_container(kill(sender));
        incident.victim.process.ppid = Some(10);
        incident
    }

    fn in_pod(mut incident: Incident) -> Incident {
        let pod = Pod { name: Some("web".to_owned()), namespace: Some("shop".to_owned()), ..Pod::default() };
        incident.container.as_mut().unwrap().pod = Some(pod);
        incident
    }

    #[test]
    fn a_shim_ends_commands_by_its_own_hand_and_containers_by_the_runtime() {
        use Cause::{KubeletProbeFailure, RuntimeKill, RuntimeStopTimeout};
        let asked = |mut incident: Incident| {
            incident.preceding.push(stop_signal(SHIM));
            incident
        };
        let first = |mut incident: Incident| {
            incident.victim.container_init = true;
            incident
        };
        let strangers = |mut incident: Incident| {
            incident.victim.process.ppid = Some(11);
            incident
        };
        for (incident, cause, is_command) in [
            (in_pod(own_child(SHIM)), KubeletProbeFailure, true),
            (in_pod(asked(own_child(SHIM))), KubeletProbeFailure, true),
            (in_pod(own_child("/usr/bin/conmon")), KubeletProbeFailure, true),
            (own_child(SHIM), RuntimeKill, true),
            // Docker's health check: SIGTERM, and SIGKILL ten seconds later.
            (asked(own_child(SHIM)), RuntimeStopTimeout, true),
            (in_pod(first(own_child(SHIM))), RuntimeKill, false),
            (in_pod(strangers(own_child(SHIM))), RuntimeKill, false),
            (in_pod(own_child("/usr/sbin/runc")), RuntimeKill, false),
        ] {
            let verdict = judged(&incident);
            let of = format!("{} {incident:?}", verdict.why);
            assert_eq!((verdict.cause, verdict.confidence), (cause, Confidence::Likely), "{of}");
            assert_eq!(verdict.why.contains("ran into its time-out"), is_command, "{of}");
        }
        let verdict = judged(&in_pod(asked(own_child(SHIM))));
        assert_eq!(verdict.why, "an exec probe ran into its time-out, 10.0 s after SIGTERM (likely)");
        assert!(verdict.advice[0].action.contains("timeoutSeconds"), "{:?}", verdict.advice);
        let docker = judged(&own_child(SHIM));
        assert!(docker.advice[0].action.contains("more time"), "{:?}", docker.advice);
    }

    #[test]
    fn a_runtime_that_ends_its_own_init_has_given_up_and_nobody_asked_for_it() {
        let starting = |comm: &str, limit: Option<u64>| {
            let mut incident = own_child("/usr/sbin/runc");
            incident.victim.process.comm = comm.to_owned();
            let limits = Limits { memory_bytes: limit, ..Limits::default() };
            incident.container.as_mut().unwrap().limits = Some(limits);
            judged(&incident)
        };
        let small = starting("runc:[2:INIT]", Some(4 << 20));
        assert_eq!((small.cause, small.confidence), (Cause::RuntimeKill, Confidence::Likely));
        assert_eq!(small.why, "the runtime gave up starting the container, with a memory limit of 4 MiB (likely)");
        assert!(small.advice[0].action.ends_with("to 6 MiB at the least, and what the program needs besides"));
        for limit in [Some(512 << 20), Some(16 << 20), None] {
            let other = starting("runc:[1:CHILD]", limit);
            assert!(other.why.contains("gave up starting"), "{}", other.why);
            assert!(other.advice[0].action.contains("log"), "{:?}", other.advice);
        }
        // The container's own program, which the runtime ends when it is asked to.
        assert!(starting("nginx", Some(4 << 20)).why.contains("with no stop signal"));
        // Somebody else's child that calls itself so.
        let mut stranger = own_child("/usr/sbin/runc");
        stranger.victim.process =
            Process { comm: "runc:[2:INIT]".to_owned(), ppid: Some(11), ..stranger.victim.process };
        assert!(judged(&stranger).why.contains("with no stop signal"));
    }

    #[test]
    fn a_limit_that_is_too_small_to_start_is_said_so() {
        let path = format!("/docker/{ID}");
        let full = [(path.as_str(), 4, Some(4))];
        let mut incident = in_container(oom(&full, Some((0, LimitLevel::Container)), OomScope::Memcg));
        incident.victim.process.comm = "runc:[2:INIT]".to_owned();
        let verdict = judged(&incident);
        assert_eq!(verdict.cause, Cause::OomContainerLimit);
        let why =
            "the container ran into its own memory limit of 4 MiB before its program ran: the container did not start";
        assert!(verdict.why.starts_with(why), "{}", verdict.why);
        assert!(verdict.advice[0].action.contains("6 MiB"), "{:?}", verdict.advice);
        // One that was brought into a container that runs is none that did not start.
        let of = |comm: &str, within: u32, init: Option<u32>| {
            let mut incident = incident.clone();
            incident.victim.process.comm = comm.to_owned();
            incident.victim.process.pid_in_namespace =
                Some(if within == 0 { incident.victim.process.pid } else { within });
            incident.container.as_mut().unwrap().init_pid = init;
            judged(&incident).why.contains("did not start")
        };
        assert!(of("runc:[2:INIT]", 1, None) && of("runc:[2:INIT]", 1, Some(77)));
        assert!(!of("runc:[2:INIT]", 12, Some(77)));
        // Before it is in the container's pid namespace, and in one that has none of its own.
        assert!(of("runc:[0:PARENT]", 0, None) && of("runc:[2:INIT]", 0, Some(incident.victim.process.pid)));
        assert!(!of("runc:[0:PARENT]", 0, Some(77)));
    }

    #[test]
    fn what_the_kubelet_kills_itself_is_what_is_left_in_a_pods_cgroup() {
        const POD: &str = "/kubepods/burstable/pod0f5b3c1e-8d7a-4b6c-9e2f-1a2b3c4d5e6f";
        for (exe, cgroup, cause) in [
            ("/usr/bin/kubelet", POD, Cause::KubeletDeletion),
            ("/usr/local/bin/k3s", POD, Cause::KubeletDeletion),
            ("/usr/bin/kubelet", "/system.slice/x.service", Cause::ProcessKill),
            ("/usr/bin/bash", POD, Cause::ProcessKill),
        ] {
            let mut incident = kill(exe);
            incident.victim.process.cgroup = Some(cgroup.to_owned());
            let verdict = judged(&incident);
            assert_eq!(verdict.cause, cause, "{exe} {cgroup}");
            if cause == Cause::KubeletDeletion {
                assert_eq!(verdict.confidence, Confidence::Possible);
                assert!(verdict.why.contains("removed its pod's cgroup"), "{}", verdict.why);
            }
        }
    }
}
