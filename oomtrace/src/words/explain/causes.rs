//! What oomtrace's own causes are, as the contract has it, and what to do about each.

use clap::ValueEnum as _;

use crate::model::Cause;

/// A cause, by its name.
pub fn explain(word: &str) -> Option<String> {
    let cause = Cause::from_str(word, true).ok()?;
    let value = cause.to_possible_value()?;
    Some(format!("{}: {}.\n\nWhat to do: {}", value.get_name(), value.get_help()?, remedy(cause)))
}

/// In general; an incident's own advice knows the limit, the figures and who set it.
const fn remedy(cause: Cause) -> &'static str {
    match cause {
        Cause::OomContainerLimit => {
            "look at how its memory grew (`oomtrace why CONTAINER`, or `oomtrace top` while it runs). Where it levels off, raise the limit to \
             what it needs; where it goes on growing, it leaks and no limit will do; where tmpfs or shared memory has it, killing frees \
             nothing: empty or bound that. A runtime that does not see the limit (Java, Node, Go …) wants to be told of it."
        }
        Cause::OomPodLimit => {
            "add up what the pod's containers and its memory-backed volumes (emptyDir with medium Memory) use: the victim may be the wrong \
             one. Raise the pod's limits, set a sizeLimit on the volume, or fix the container that grew."
        }
        Cause::OomUnitLimit => {
            "see `systemctl show UNIT -p MemoryMax`, and how the memory grew (`oomtrace why UNIT`). Raise it with `systemctl set-property UNIT \
             MemoryMax=…`, or fix what grew."
        }
        Cause::OomSliceLimit => {
            "the limit is that of a cgroup above, shared by all in it: find who uses most of it (`oomtrace ps`, `systemd-cgtop`), and \
             give that one a limit of its own, or raise the shared one. The victim's own limit changes nothing."
        }
        Cause::OomHost => {
            "the machine has too little memory for what runs on it. See who uses most (`oomtrace ps`), give every container a limit, move \
             some of them away, or add memory. The victim is whoever was largest by its score, and need not be who grew."
        }
        Cause::OomConstrained => {
            "the memory nodes that it may use ran out, and not the machine: see cpuset.mems of its cgroup, and `numactl --show`; allow more \
             nodes, or move others off them."
        }
        Cause::UserspaceOomKiller => {
            "an OOM daemon acted on memory pressure before the kernel had to: see its log and its thresholds (`oomctl` for systemd-oomd), and \
             then who uses most of the memory."
        }
        Cause::RuntimeKill => {
            "see who asked the runtime for it: the incident names the requester where it was seen; `docker events`, and shell histories of \
             whoever may use Docker."
        }
        Cause::RuntimeStopTimeout => {
            "have the first process handle the stop signal and end in time (`exec` in an entrypoint's shell script, `docker run --init`), or \
             give it longer (`docker stop -t`, stop_grace_period, terminationGracePeriodSeconds)."
        }
        Cause::ServiceManagerKill => {
            "`journalctl -u UNIT` says whether a stop timed out or the watchdog did: have the service end by its stop signal, or raise \
             TimeoutStopSec= or WatchdogSec=."
        }
        Cause::KubeletProbeFailure => {
            "see why it did not answer (`kubectl logs --previous`, throttled CPU, garbage collection). Where it was only slow, raise \
             timeoutSeconds or failureThreshold, or give a slow start a startupProbe."
        }
        Cause::KubeletEviction => {
            "see what the node was short of (`kubectl describe node`, conditions), and give the pod requests that are as large as what it \
             uses: those above their requests go first."
        }
        Cause::KubeletPreemption => {
            "a pod of higher priority needed the room: raise this one's priorityClassName, lower the other's requests, or add nodes."
        }
        Cause::KubeletDeletion => {
            "somebody or a controller deleted the pod: the incident says which, where the API tells. Exit code 137 means that it did not \
             end within its grace: have it handle SIGTERM, or raise terminationGracePeriodSeconds."
        }
        Cause::SameContainerKill => {
            "a process in the container did it itself: a supervisor, a master of workers, a health script. Look at that one's time-outs and \
             its log."
        }
        Cause::ProcessKill => {
            "a person or a program outside did it: the incident names the process, its user and its terminal where they were seen."
        }
        Cause::SelfKill => "the program ended itself so, on purpose: its own log or source says why.",
        Cause::CgroupKill => {
            "something wrote to cgroup.kill of its cgroup, or of one above: the incident names who, where that was seen."
        }
        Cause::PidNamespaceExit => {
            "nothing is wrong with the victim: the first process of its container ended, and took it along. See why that one ended."
        }
        Cause::ParentExit => {
            "the victim wanted to end with its parent (PR_SET_PDEATHSIG). See why the parent ended; mind that the thread counts that started it."
        }
        Cause::RlimitCpu => {
            "raise its limit of CPU time (`ulimit -t`, LimitCPU=), or see what it computed for so long."
        }
        Cause::RlimitRttime => "have it sleep now and then, raise LimitRTTIME=, or run it without a real-time policy.",
        Cause::Timer => "the program had set that timer for itself, on purpose.",
        Cause::Ptrace => "a debugger or a tracer did it, or ended: see who traced it.",
        Cause::BpfProgram => "see which BPF programs are loaded, and by whom: `bpftool prog`. Security agents do so.",
        Cause::OtherKernel => {
            "the summary says which part of the kernel it was, where that is known; else see the kernel's log of that time (`dmesg -T`)."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_explained_and_something_can_be_done() {
        for cause in Cause::value_variants() {
            let value = cause.to_possible_value().unwrap();
            let text = explain(value.get_name()).unwrap();
            let (what, remedy) = text.split_once("\n\nWhat to do: ").unwrap();
            assert!(what.starts_with(value.get_name()) && what.len() > 40 && remedy.ends_with('.'), "{text}");
        }
        assert_eq!(explain("nonsense"), None);
    }
}
