//! Verdict to remedies. Pure, like the judge.

mod cgroup;
pub mod client;
mod container;
mod figure;
mod host;
mod init;
mod manager;
mod nature;
mod pod;
mod program;
mod setter;
mod stop;

use crate::judge::course::Course;
use crate::judge::judgement::{Judgement, Reason};
use crate::model::{Advice, Cause, CourseKind, Incident, OomScope};
use crate::text::{bytes, process};

/// What to do about an incident whose verdict is in.
#[must_use]
pub fn advise(incident: &Incident, judgement: &Judgement) -> Vec<Advice> {
    let mut all = by_cause(incident, judgement);
    if let Some(course) = judgement.course.as_ref().filter(|course| course.kind == CourseKind::Leak) {
        all.insert(0, leak(course));
    }
    all
}

/// A larger limit only lasts longer.
fn leak(course: &Course) -> Advice {
    let rate = course.bytes_per_hour.filter(|rate| *rate > 0.0).map(|rate| format!(", by {}/h", bytes(rate as u64)));
    let lives = if course.lives > 2 { format!(" in {} lives", course.lives) } else { String::new() };
    advice(
        &format!("find what leaks: it has climbed{lives}{}; a larger limit only gains time", rate.unwrap_or_default()),
        "what grows without end meets every limit",
    )
}

fn by_cause(incident: &Incident, judgement: &Judgement) -> Vec<Advice> {
    if let Some(by_kubelet) = pod::by_kubelet(incident, &judgement.reason) {
        return by_kubelet;
    }
    if let Reason::TimeLimit(limit) = &judgement.reason {
        return vec![manager::time_limit(limit)];
    }
    match judgement.cause {
        // Whoever starts it sets the limit, and may do so below what the runtime itself has in use by then.
        Cause::OomContainerLimit | Cause::OomPodLimit
            if matches!(judgement.reason, Reason::Limit { starting: true, .. }) =>
        {
            vec![container::to_start(incident, limit_bytes(incident))]
        }
        Cause::OomContainerLimit | Cause::OomPodLimit | Cause::OomUnitLimit | Cause::OomSliceLimit
            if matches!(judgement.reason, Reason::Limit { lowered: true, .. }) =>
        {
            vec![lowered(incident)]
        }
        Cause::OomContainerLimit => container::own_limit(incident, judgement),
        Cause::OomPodLimit => container::pod_limit(incident, judgement),
        Cause::OomUnitLimit => cgroup::of_unit(incident, judgement),
        Cause::OomSliceLimit => cgroup::of_cgroup(incident, judgement),
        Cause::OomHost if judgement.reason == Reason::Sysrq => {
            vec![advice("ask who pressed sysrq-f, or wrote f to /proc/sysrq-trigger", "memory need not have run out")]
        }
        Cause::OomHost if judgement.reason == Reason::MinTtl => vec![advice(
            "lower min_ttl_ms (/sys/kernel/mm/lru_gen), give containers memory limits, or move load off this machine",
            "it asks the kernel to kill rather than to reclaim pages that were used that recently",
        )],
        Cause::OomHost => host::out_of_memory(incident),
        Cause::OomConstrained => {
            let what = match incident.oom.as_ref().and_then(|oom| oom.scope) {
                Some(OomScope::Cpuset) => "widen cpuset.mems of its cgroup",
                Some(OomScope::Mempolicy) => "widen its memory policy (numactl --membind, set_mempolicy)",
                _ => "widen cpuset.mems or the memory policy",
            };
            vec![advice(what, "other memory nodes may have had room")]
        }
        Cause::RuntimeStopTimeout | Cause::RuntimeKill | Cause::KubeletProbeFailure
            if matches!(judgement.reason, Reason::EndedCommand { .. }) =>
        {
            vec![stop::of_command(incident)]
        }
        Cause::RuntimeStopTimeout => vec![stop::time_out(incident, &judgement.reason)],
        Cause::RuntimeKill => match judgement.reason {
            Reason::GivenUp { limit } => vec![container::to_start(incident, limit)],
            // One that has the runtime's socket, as an updater has.
            _ => judgement
                .requester
                .iter()
                .filter_map(|found| found.container.as_ref())
                .map(manager::of_container)
                .collect(),
        },
        Cause::ServiceManagerKill => stop::of_unit(incident, &judgement.reason).into_iter().collect(),
        Cause::SameContainerKill => same_container(incident, judgement).into_iter().collect(),
        // Nothing is known that could be changed.
        Cause::SelfKill => Vec::new(),
        Cause::PidNamespaceExit => vec![advice(
            match &incident.init_end {
                Some(end) if end.of_container && incident.container.is_some() => {
                    "find out why the container's first process ended"
                }
                _ => "find out why the first process of its pid namespace ended",
            },
            "when it ends, the kernel kills everything else in its pid namespace",
        )],
        Cause::ParentExit => {
            vec![advice(
                "find out why the parent ended, or the thread of it that had started the victim",
                "the victim had asked to die with that thread (PR_SET_PDEATHSIG)",
            )]
        }
        Cause::RlimitCpu => vec![advice("raise RLIMIT_CPU (ulimit -t)", "the hard limit of CPU seconds was used up")],
        Cause::RlimitRttime => vec![advice(
            "raise RLIMIT_RTTIME (prlimit --rttime, LimitRTTIME=), or have the thread sleep in between",
            "a thread with a real-time policy ran for longer than the hard limit without a blocking call",
        )],
        Cause::Timer => vec![advice(
            "look for timer_create in the victim's own code",
            "the kernel keeps no trace of who else could have set it: only a process itself can, for itself",
        )],
        Cause::ProcessKill | Cause::CgroupKill => match (judgement.reason.manager(), &incident.sender.container) {
            (Some(managing), _) => manager::managed(incident, managing, judgement.reason.stop()).into_iter().collect(),
            (None, Some(container)) => vec![manager::of_container(container)],
            (None, None) => Vec::new(),
        },
        Cause::UserspaceOomKiller => vec![advice(
            "look at the memory of the whole machine or slice, and at the daemon's thresholds",
            "the daemon kills before the kernel would have to",
        )],
        Cause::KubeletProbeFailure
        | Cause::KubeletEviction
        | Cause::KubeletPreemption
        | Cause::KubeletDeletion
        | Cause::Ptrace
        | Cause::BpfProgram
        | Cause::OtherKernel => Vec::new(),
    }
}

fn advice(action: &str, why: &str) -> Advice {
    Advice { action: action.to_owned(), why: why.to_owned(), command: None }
}

fn same_container(incident: &Incident, judgement: &Judgement) -> Option<Advice> {
    let reason = &judgement.reason;
    match (reason, reason.manager()) {
        (_, Some(managing)) => manager::managed(incident, managing, reason.stop()),
        (Reason::Exec { .. }, None) if judgement.requester.is_none() => Some(advice(
            "ask whoever ran the command in the container (docker exec, kubectl exec, an exec probe)",
            "the sender was brought in from outside: it is no part of what the container runs",
        )),
        _ => None,
    }
}

/// With the victim's program's own setting besides, or before that where it is at fault by its own arguments.
fn with_program(incident: &Incident, judgement: &Judgement, mut raise: Vec<Advice>) -> Vec<Advice> {
    if let Some(other) = nature::another_process(judgement) {
        raise.insert(0, other);
        return raise;
    }
    match program::setting(incident) {
        Some(setting) if setting.at_fault => raise.insert(0, setting.into()),
        Some(setting) => raise.push(setting.into()),
        None => raise.extend(nature::many(judgement)),
    }
    raise
}

/// The limit was set below what was in use: that, and no need for memory, is what killed.
fn lowered(incident: &Incident) -> Advice {
    let by = incident.trigger.as_ref().map(|trigger| format!(" (ask why {} did)", process(trigger)));
    advice(
        &format!(
            "set the limit above what is in use, or make it use less before the limit is lowered{}",
            by.unwrap_or_default()
        ),
        "the kernel kills at once for a limit below what it cannot reclaim",
    )
}

fn limit_bytes(incident: &Incident) -> Option<u64> {
    incident.oom.as_ref()?.limit_owner.as_ref()?.limit_bytes
}

/// Safe to paste into a shell as it is: names come from containers and units, which anybody may have made.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'@' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_confined_the_allocation_is_what_is_to_be_widened() {
        use crate::judge::tests::{case, oom};
        for (scope, action) in [
            (OomScope::Cpuset, "widen cpuset.mems of its cgroup"),
            (OomScope::Mempolicy, "widen its memory policy (numactl --membind, set_mempolicy)"),
        ] {
            let incident = oom(&[], None, scope);
            let judgement = crate::judge::judge(&case(incident.clone()));
            assert_eq!(advise(&incident, &judgement)[0].action, action);
        }
    }

    #[test]
    fn a_name_that_a_shell_would_read_is_never_put_into_a_command() {
        for (name, plain) in [
            ("web", true),
            ("a_b.c-1@x:y", true),
            ("a b", false),
            ("$(x)", false),
            ("-rf", false),
            ("", false),
            ("a;b", false),
        ] {
            assert_eq!(is_plain(name), plain, "{name}");
        }
    }
}
