//! Each reason has a sentence of its own.

use std::collections::HashSet;

use super::*;
use crate::judge::judgement::{
    DeletedBy, Eviction, KernelPart, LimitHolder, Manager, Origin, PodDeletion, PostStart, Preemption, ProbeFailure,
    Shell, TimeLimit,
};
use crate::model::{Probe, ProbeAction, ProbeKind};

/// Reasons of each kind, with a cause that each may go with. The compiler refuses the list when a kind is missing in it: each pattern
/// stands with its samples.
macro_rules! reasons {
    ($($pattern:pat => [$(($cause:ident, $reason:expr)),+ $(,)?]),+ $(,)?) => {
        /// All of them, each of the kind that it stands for.
        fn all() -> Vec<(Cause, Reason)> {
            const fn is_listed(reason: &Reason) {
                match reason {
                    $($pattern => {}),+
                }
            }
            let mut all = Vec::new();
            $($(
                let reason = $reason;
                is_listed(&reason);
                assert!(matches!(reason, $pattern), "{reason:?}");
                all.push((Cause::$cause, reason));
            )+)+
            all
        }
    };
}

fn stop(disposition: Option<Disposition>) -> StopRequest {
    StopRequest { signal: "SIGTERM".to_owned(), before_ms: 2_012, first_before_ms: 2_012, disposition }
}

fn manager() -> Manager {
    Manager { program: "gunicorn", limit: "its worker time-out (--timeout 30)".into() }
}

fn shell(by_hand: bool, own: bool) -> Reason {
    Reason::Origin(Origin::Shell(Shell { shell: "bash".to_owned(), terminal: "pts2".to_owned(), by_hand, own }))
}

fn limit(kill_after: Option<&str>) -> Reason {
    Reason::TimeLimit(TimeLimit {
        duration: "5".to_owned(),
        kill_after: kill_after.map(str::to_owned),
        early: false,
        command: ["timeout", "worker"].map(str::to_owned).to_vec(),
    })
}

fn at(holder: LimitHolder, lowered: bool, starting: bool) -> Reason {
    Reason::Limit { holder, lowered, starting }
}

fn ended(stop: Option<StopRequest>, probe: Option<Probe>) -> Reason {
    Reason::EndedCommand { stop, probe }
}

fn probe() -> Probe {
    let (kind, by) = (ProbeKind::Liveness, ProbeAction::Exec);
    Probe { kind, by, initial_delay_s: 0, period_s: 10, timeout_s: 1, failure_threshold: 3 }
}

reasons! {
    Reason::Plain => [
        (ProcessKill, Reason::Plain),
        (SelfKill, Reason::Plain),
        (Ptrace, Reason::Plain),
        (OomHost, Reason::Plain),
        (OomConstrained, Reason::Plain),
        (UserspaceOomKiller, Reason::Plain),
        (ServiceManagerKill, Reason::Plain),
        (CgroupKill, Reason::Plain),
        (PidNamespaceExit, Reason::Plain),
        (ParentExit, Reason::Plain),
        (RlimitCpu, Reason::Plain),
        (RlimitRttime, Reason::Plain),
        (Timer, Reason::Plain),
        (BpfProgram, Reason::Plain),
    ],
    Reason::StopTimeout(_) => [
        (RuntimeStopTimeout, Reason::StopTimeout(stop(Some(Disposition::Default)))),
        (RuntimeStopTimeout, Reason::StopTimeout(stop(Some(Disposition::Ignored)))),
        (RuntimeStopTimeout, Reason::StopTimeout(stop(Some(Disposition::Handled)))),
        (RuntimeStopTimeout, Reason::StopTimeout(stop(Some(Disposition::Blocked)))),
        (ServiceManagerKill, Reason::StopTimeout(stop(None))),
    ],
    Reason::RuntimeKill { .. } => [
        (RuntimeKill, Reason::RuntimeKill { after_stop_signal: false }),
        (RuntimeKill, Reason::RuntimeKill { after_stop_signal: true }),
    ],
    Reason::EndedCommand { .. } => [
        (RuntimeKill, ended(None, None)),
        (RuntimeStopTimeout, ended(Some(stop(None)), None)),
        (KubeletProbeFailure, ended(None, None)),
        (KubeletProbeFailure, ended(None, Some(probe()))),
    ],
    Reason::GivenUp { .. } => [
        (RuntimeKill, Reason::GivenUp { limit: None }),
        (RuntimeKill, Reason::GivenUp { limit: Some(4 << 20) }),
    ],
    Reason::PodCleanUp => [(KubeletDeletion, Reason::PodCleanUp)],
    Reason::Probe(_) => [(
        KubeletProbeFailure,
        Reason::Probe(ProbeFailure { kind: ProbeKind::Startup, probe: None, failures: None, said: None, stop: None })
    )],
    Reason::Eviction(_) => [(
        KubeletEviction,
        Reason::Eviction(Eviction {
            resource: Some("memory".to_owned()),
            message: String::new(),
            usage: Vec::new(),
            request_bytes: None,
            stop: None,
        })
    )],
    Reason::PostStart(_) => [
        (RuntimeStopTimeout, Reason::PostStart(PostStart { stop: Some(stop(None)) })),
        (RuntimeKill, Reason::PostStart(PostStart { stop: None })),
    ],
    Reason::Preemption(_) => [
        (KubeletPreemption, Reason::Preemption(Preemption { for_pod: None, by_kubelet: true, message: String::new(), stop: None })),
        (KubeletPreemption, Reason::Preemption(Preemption { for_pod: None, by_kubelet: false, message: String::new(), stop: None })),
    ],
    Reason::Deletion(_) => [(
        KubeletDeletion,
        Reason::Deletion(PodDeletion {
            by: DeletedBy::Request,
            asked_before_ms: None,
            grace_s: None,
            own_grace_s: None,
            pre_stop: false,
            message: None,
            stop: None,
        })
    )],
    Reason::Exec { .. } => [
        (SameContainerKill, Reason::Exec { manager: None }),
        (SameContainerKill, Reason::Exec { manager: Some(manager()) }),
    ],
    Reason::Manager(_) => [(SameContainerKill, Reason::Manager(manager()))],
    Reason::ManagerStop { .. } => [(SameContainerKill, Reason::ManagerStop { manager: manager(), stop: stop(None) })],
    Reason::TimeLimit(_) => [
        (ProcessKill, limit(None)),
        (ProcessKill, limit(Some("3"))),
        (SelfKill, limit(None)),
    ],
    Reason::Origin(_) => [
        (ProcessKill, shell(true, true)),
        (ProcessKill, shell(true, false)),
        (ProcessKill, shell(false, false)),
        (ProcessKill, Reason::Origin(Origin::Ci { service: "Drone", by_runner: true })),
        (ProcessKill, Reason::Origin(Origin::Ci { service: "Drone", by_runner: false })),
        (ProcessKill, Reason::Origin(Origin::Scheduler("cron"))),
        (ProcessKill, Reason::Origin(Origin::Ssh)),
        (ProcessKill, Reason::Origin(Origin::Debugger("gdb"))),
    ],
    Reason::Limit { .. } => [
        (OomContainerLimit, at(LimitHolder::Level, false, false)),
        (OomContainerLimit, at(LimitHolder::Level, false, true)),
        (OomContainerLimit, at(LimitHolder::Level, true, false)),
        (OomContainerLimit, at(LimitHolder::OuterContainer(Box::new(container("b"))), false, false)),
        (OomSliceLimit, at(LimitHolder::OwnCgroup, false, false)),
        (OomSliceLimit, at(LimitHolder::Level, false, false)),
        (OomPodLimit, at(LimitHolder::Level, false, false)),
        (OomUnitLimit, at(LimitHolder::Level, false, false)),
    ],
    Reason::Sysrq => [(OomHost, Reason::Sysrq)],
    Reason::MinTtl => [(OomHost, Reason::MinTtl)],
    Reason::Forked => [(CgroupKill, Reason::Forked)],
    Reason::Kernel(_) => [
        (OtherKernel, Reason::Kernel(KernelPart::AppArmor)),
        (OtherKernel, Reason::Kernel(KernelPart::BrokenMemory)),
    ],
}

#[test]
fn no_two_reasons_are_said_alike() {
    let incident = kill("/usr/bin/bash");
    let plain = crate::judge::judge(&case(incident.clone()));
    let mut said = HashSet::new();
    for (cause, reason) in all() {
        let judgement = Judgement { cause, reason, ..plain.clone() };
        let why = why::why(&incident, &judgement);
        assert!(!why.is_empty() && !why.ends_with('.'), "{why}");
        assert!(said.insert(why.clone()), "{why}: {cause:?} {:?}", judgement.reason);
    }
}

/// What a program's name says is never certain, whatever the kernel says of the signal.
#[test]
fn a_reason_that_rests_on_a_name_is_likely() {
    for (_, reason) in all() {
        let by_name = match &reason {
            Reason::Manager(_) | Reason::ManagerStop { .. } | Reason::TimeLimit(_) | Reason::Origin(_) => true,
            Reason::Exec { manager } => manager.is_some(),
            _ => false,
        };
        let expected = if by_name { Confidence::Likely } else { Confidence::Certain };
        assert_eq!(reason.confidence(), expected, "{reason:?}");
    }
}
