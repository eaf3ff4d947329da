//! What Docker, Kubernetes and systemd call an end, and how sure oomtrace calls a verdict.

/// The reason that `docker inspect`, `kubectl describe pod` or `systemctl status` gives.
pub fn explain(word: &str) -> Option<String> {
    let text = match word.to_ascii_lowercase().as_str() {
        "oomkilled" => {
            "Docker and Kubernetes set it when the OOM killer's counter of the container's cgroup went up while the \
             container ran. So it is also set when a child was OOM-killed, and not the container's first process. With exit code 137 \
             that one was killed itself, or passed its child's end on. With any other (1, 143, 0 …) it ended by itself or by \
             another signal: it may have ended for the OOM kill of its child, as many programs do with an error of their own, or \
             hours later of something else. It does not say whose limit was hit: the container's, the pod's, or the machine's."
        }
        "error" => {
            "Kubernetes: the container ended with an exit code that is not 0; the code says more (`oomtrace explain CODE`). \
             With 137 it was ended by SIGKILL, or a child of its first process was, and kubelet saw no OOM kill: that there \
             was none is not proven by it."
        }
        "crashloopbackoff" | "backoff" => {
            "Kubernetes: the container ended again and again, and the next start waits (10 s, twice as long each time, up to \
             5 min). It is no cause. How it ended stands in its last state: `kubectl describe pod NAME` shows reason and exit \
             code, `kubectl logs --previous NAME` what it said. `sudo oomtrace` shows each end that a SIGKILL made."
        }
        "containerstatusunknown" => {
            "Kubernetes: the container could not be found when its pod was ended, as after the node was started again. kubelet writes exit \
             code 137 then without knowing anything: no SIGKILL and no OOM kill is proven by it."
        }
        "systemoom" | "oomkilling" | "taskoom" => {
            "An Event on the node: the kernel's OOM killer killed a process, as kubelet (SystemOOM), containerd (TaskOOM) or \
             node-problem-detector (OOMKilling) heard. It names a process, and no pod; with kubelet it need not have been the machine that \
             ran out. `sudo oomtrace` says whose limit it was."
        }
        "imagepullbackoff" | "errimagepull" | "invalidimagename" => {
            "Kubernetes: the image could not be fetched. Nothing of the container ran, so nothing of it was killed."
        }
        "oomscoreadj" | "oom_score_adj" => {
            "What the OOM killer adds to a process's points, from -1000 (never) to 1000 (first), in thousandths of the memory that ran out. \
             kubelet sets it by a pod's QoS class: Guaranteed -997, BestEffort 1000, Burstable in between by its request."
        }
        "dead" | "exited" | "restarting" => {
            "Docker's state of a container, and no cause. Its exit code and OOMKilled say more: \
             `docker inspect --format '{{json .State}}' NAME`, and then `oomtrace explain CODE`."
        }
        "completed" => "Kubernetes: the container ended with exit code 0.",
        "containercannotrun" | "starterror" | "runcontainererror" | "createcontainererror" => {
            "Kubernetes: the runtime could not start the container's process: a command that is not there or must not be run, \
             a mount that fails, or a memory limit below what the runtime itself needs to start it. Nothing of the container \
             ran, so nothing of it was killed; the event in `kubectl describe pod` has the runtime's own words."
        }
        "evicted" => {
            "Kubernetes: kubelet ended the pod because the node ran short of something (memory, disk, pids), or because the pod \
             exceeded a limit of its own (emptyDir.sizeLimit, ephemeral-storage). Its containers got SIGTERM and, with no or \
             little grace, SIGKILL: exit code 137 without an OOM kill. oomtrace says kubelet_eviction, with what was short."
        }
        "containeroomkilled" | "processoomkilled" | "containerkilled" | "processkilled" => {
            "oomtrace's own Event on a pod: the container's first process (Container…) or another one in it (Process…) was killed, \
             by the OOM killer (…OOMKilled) or by a SIGKILL of somebody's. The Event says why, and what to do."
        }
        "killing" => {
            "Kubernetes' Event: kubelet is about to stop the container; its message says why. What does not end in its grace \
             gets SIGKILL, which oomtrace reports as kubelet_probe_failure, kubelet_deletion and the like."
        }
        "unhealthy" => {
            "Kubernetes' Event: a probe failed. A liveness or startup probe that fails failureThreshold times in a row has the \
             container killed (kubelet_probe_failure); a readiness probe only takes it out of traffic."
        }
        "exceededgraceperiod" => {
            "Kubernetes' Event: the pod had not ended in its grace, and was killed: exit code 137."
        }
        "disruptiontarget"
        | "preemptionbyscheduler"
        | "deletionbytaintmanager"
        | "evictionbyevictionapi"
        | "deletionbypodgc"
        | "terminationbykubelet" => {
            "Kubernetes: the condition DisruptionTarget says why a pod had to go: preempted, evicted through the API (kubectl \
             drain), a taint, garbage collection, or by the kubelet (eviction, node shutdown). oomtrace reads it."
        }
        "deadlineexceeded" => "Kubernetes: the pod was active for longer than activeDeadlineSeconds, and was ended.",
        "preempting" | "preempted" => "Kubernetes: the pod was ended to make room for one of higher priority.",
        "nodelost" | "terminated" | "nodeshutdown" => {
            "Kubernetes: the node went away or was shut down, and the pod with it."
        }
        "oom-kill" => {
            "systemd: Result=oom-kill. The OOM killer killed a process of the unit, any of them, and OOMPolicy=stop (the default) had systemd \
             stop the rest of it. It does not say whose limit it was: the unit's MemoryMax=, that of a slice above it, or the machine's. \
             `oomtrace why UNIT` says what the kernel's log still has of it."
        }
        "timeout" => {
            "systemd: Result=timeout. Starting or stopping the unit took longer than TimeoutStartSec= or TimeoutStopSec=, and systemd \
             ended it: by SIGTERM, and what was left by SIGKILL, without an OOM kill. As a program, timeout(1) ends its command when its time is up, and ends \
             with 124 itself, or with 137 where it sent SIGKILL."
        }
        "watchdog" => {
            "systemd: Result=watchdog. The service did not say in time that it still works (WatchdogSec=), and systemd ended it, with SIGABRT \
             (WatchdogSignal=) and what did not end by that with SIGKILL."
        }
        "start-limit-hit" => {
            "systemd: Result=start-limit-hit. The unit ended again and again (StartLimitBurst= times in StartLimitIntervalSec=), and is not \
             started any more. It is no cause: how it ended is in `journalctl -u UNIT`, and `oomtrace why UNIT` says what killed it. \
             `systemctl reset-failed UNIT` lets it be started again."
        }
        "signal" | "core-dump" => {
            "systemd: Result=signal, or core-dump where it left one. A signal ended the unit's main process; `systemctl status UNIT` says which \
             (status=9/KILL), and `oomtrace explain KILL` what it may mean."
        }
        "exit-code" => {
            "systemd: Result=exit-code. The unit's main process ended by itself with an exit status that is not 0; `systemctl status UNIT` \
             says which, and `oomtrace explain CODE` what it may mean. No signal ended that process itself; with 137 its child may have been killed."
        }
        "certain" => {
            "How sure a verdict is: the kernel itself says so. Nothing of it rests on what a program is called or on a memory counter."
        }
        "likely" => {
            "How sure a verdict is: it rests on more than the kernel's word: on what a program is by its executable, on a command line, on \
             what a runtime says, or on memory counters."
        }
        "possible" => {
            "How sure a verdict is: it fits what was seen, but something else may have done it. `unseen` in the incident's block, `missing` in \
             its JSON, says what could not be seen."
        }
        "unconfirmed" => {
            "A cgroup has the name of a container, and its runtime did not say that it is that container's: it did not answer, does not know it, or \
             is another user's. Anybody who may make cgroups there can call one so."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_explained_whatever_it_is_called() {
        for (words, meaning) in [
            (&["OOMKilled"][..], "a child was OOM-killed"),
            (&["Error"], "an exit code that is not 0"),
            (&["CrashLoopBackOff", "BackOff"], "It is no cause"),
            (&["ContainerStatusUnknown"], "without knowing anything"),
            (&["SystemOOM", "OOMKilling", "TaskOOM"], "An Event on the node"),
            (&["ImagePullBackOff", "ErrImagePull", "InvalidImageName"], "could not be fetched"),
            (&["OOMScoreAdj", "oom_score_adj"], "BestEffort 1000"),
            (&["Dead", "Exited", "Restarting"], "Docker's state of a container"),
            (&["Completed"], "exit code 0"),
            (&["oom-kill"], "does not say whose limit"),
            (&["timeout"], "TimeoutStopSec="),
            (&["watchdog"], "WatchdogSec="),
            (&["start-limit-hit"], "It is no cause"),
            (&["signal", "core-dump"], "A signal ended"),
            (&["exit-code"], "No signal ended that process itself"),
            (
                &["ContainerCannotRun", "StartError", "RunContainerError", "CreateContainerError"],
                "could not start the container's process",
            ),
            (&["Evicted"], "the node ran short of something"),
            (&["Evicted"], "kubelet_eviction"),
            (&["ContainerOOMKilled", "ProcessOOMKilled", "ContainerKilled", "ProcessKilled"], "oomtrace's own Event"),
            (&["Killing"], "about to stop the container"),
            (&["Unhealthy"], "failureThreshold"),
            (&["ExceededGracePeriod"], "in its grace"),
            (&["DisruptionTarget", "PreemptionByScheduler", "EvictionByEvictionAPI"], "had to go"),
            (&["DeadlineExceeded"], "activeDeadlineSeconds"),
            (&["Preempting", "Preempted"], "one of higher priority"),
            (&["certain", "Certain"], "the kernel itself says so"),
            (&["likely"], "more than the kernel's word"),
            (&["possible"], "something else may have done it"),
            (&["unconfirmed"], "its runtime did not say"),
            (&["NodeLost", "Terminated", "NodeShutdown"], "was shut down"),
        ] {
            for word in words {
                assert!(explain(word).is_some_and(|text| text.contains(meaning)), "{word}");
            }
        }
    }
}
