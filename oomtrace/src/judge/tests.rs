//! One row a rule: the facts of an incident, and the cause and confidence that follow.

use super::*;
use crate::model::{
    Container, LimitLevel, LimitOwner, Memory, MemoryLevel, Oom, OomScope, Preceding, Record, Requester, SCHEMA,
    Sender, Signal, Verdict, Victim,
};
use crate::resolve::case::{Case, Places, RuntimeClients};
use crate::resolve::limits_before::LimitsBefore;
use crate::words::conclude;

const MIB: u64 = 1 << 20;
pub const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

pub fn process(pid: u32, exe: &str) -> Process {
    Process {
        pid,
        comm: exe.rsplit('/').next().unwrap().chars().take(15).collect(),
        exe: Some(exe.to_owned()),
        cgroup: Some("/system.slice/x.service".to_owned()),
        uid: Some(0),
        ..Process::default()
    }
}

/// A process of root's that calls itself `runc`: a comm must not count.
pub fn run(exe: &str, cgroup: &str, cmdline: &[&str]) -> Process {
    Process {
        comm: "runc".to_owned(),
        exe: Some(exe.to_owned()),
        cgroup: Some(cgroup.to_owned()),
        cmdline: Some(cmdline.iter().map(|argument| (*argument).to_owned()).collect()),
        uid: Some(0),
        ..Process::default()
    }
}

pub fn container(id: &str) -> Container {
    Container { id: id.to_owned(), cgroup: format!("/docker/{id}"), confirmed: true, ..Container::default() }
}

/// A kill(2) by a program on the host of a process that is in no container.
pub fn kill(exe: &str) -> Incident {
    Incident {
        schema: SCHEMA,
        id: String::new(),
        time: String::new(),
        node: None,
        boot_id: None,
        verdict: None,
        victim: Victim {
            process: process(20, "/usr/bin/victim"),
            container_init: false,
            exit: None,
            container_exit: None,
        },
        collateral: Vec::new(),
        container: None,
        unit: None,
        sender: Sender {
            kind: SenderKind::Process,
            process: Some(process(10, exe)),
            ancestors: Vec::new(),
            container: None,
            unit: None,
            login: None,
            elevation: None,
            traced: false,
        },
        requester: None,
        trigger: None,
        signal: Signal {
            number: 9,
            name: "SIGKILL".to_owned(),
            code: Some(0),
            group: true,
            path: Some(SignalPath::Kill),
            effect: None,
            path_confidence: Some(Confidence::Certain),
            kernel_stack: vec!["kill_something_info".to_owned()],
            kernel_frames: None,
        },
        preceding: Vec::new(),
        oom: None,
        memory: None,
        attribution: Attribution::Full,
        missing: Vec::new(),
        missing_parts: Vec::new(),
        init_end: None,
        routine: None,
        earlier: None,
    }
}

/// Somebody of whom no more is known than the process, and who is likely to have asked.
pub fn requested_by(process: Process) -> Requester {
    Requester {
        process,
        ancestors: Vec::new(),
        container: None,
        unit: None,
        login: None,
        via: String::new(),
        confidence: Confidence::Likely,
    }
}

/// With nothing that only the judge knows.
pub fn case(incident: Incident) -> Case {
    Case {
        incident,
        at: 0,
        places: Places::default(),
        statements: Vec::new(),
        clients: RuntimeClients::default(),
        requesters_container: None,
        pod: None,
        exited_init: None,
        limits_before: LimitsBefore::default(),
        systemd: None,
        lives_before: Default::default(),
        earlier: None,
        exited: None,
    }
}

/// The verdict on it.
pub fn judged(incident: &Incident) -> Verdict {
    match conclude(case(incident.clone())) {
        Record::Incident(incident) => incident.verdict.unwrap(),
        other => panic!("{other:?}"),
    }
}

pub fn in_container(mut incident: Incident) -> Incident {
    incident.container = Some(container(ID));
    incident.victim.process.cgroup = Some(format!("/docker/{ID}"));
    incident
}

pub fn by_kernel(path: SignalPath) -> Incident {
    let mut incident = kill("/x");
    incident.sender.kind = SenderKind::Kernel;
    incident.sender.process = None;
    incident.signal.path = Some(path);
    incident
}

/// What a kernel that shows no names of its functions leaves of the path.
pub fn hide_names(incident: &mut Incident) {
    incident.signal.kernel_stack.clear();
    incident.signal.path_confidence = Some(Confidence::Possible);
    if incident.oom.is_some() {
        incident.signal.path = Some(SignalPath::OtherKernel);
    }
}

pub fn stop_signal(exe: &str) -> Preceding {
    Preceding {
        signal: 15,
        name: "SIGTERM".to_owned(),
        time: String::new(),
        before_ms: 10_012,
        disposition: None,
        sender: process(9, exe),
    }
}

pub fn oom(levels: &[(&str, u64, Option<u64>)], owner: Option<(usize, LimitLevel)>, scope: OomScope) -> Incident {
    let mut incident = by_kernel(SignalPath::OomKill);
    let levels: Vec<MemoryLevel> = levels
        .iter()
        .map(|(path, usage, limit)| MemoryLevel {
            path: (*path).to_owned(),
            usage_bytes: usage * MIB,
            limit_bytes: limit.map(|l| l * MIB),
            peak_bytes: usage * MIB,
            swap_usage_bytes: None,
            swap_limit_bytes: None,
            memsw_usage_bytes: None,
            memsw_limit_bytes: None,
        })
        .collect();
    let limit_owner = owner.map(|(index, level)| LimitOwner {
        path: levels[index].path.clone(),
        level,
        limit_bytes: levels[index].limit_bytes,
        usage_bytes: Some(levels[index].usage_bytes),
        peak_bytes: None,
    });
    incident.oom = Some(Oom {
        scope: Some(scope),
        origin: None,
        group_cgroup: None,
        limit_owner,
        at_limit: levels
            .iter()
            .filter(|level| level.limit_bytes == Some(level.usage_bytes))
            .map(|level| level.path.clone())
            .collect(),
        order: None,
        gfp: None,
        group: None,
        chosen_points: None,
        oom_score_adj: Some(0),
        victim_memory: None,
        trigger_stack: None,
        candidates: None,
    });
    incident.memory = Some(Memory { levels, ..Memory::default() });
    incident
}

/// An OOM kill at the machine's limit.
pub fn oom_kill() -> Incident {
    oom(&[], None, OomScope::Host)
}

#[track_caller]
fn expect(incident: &Incident, cause: Cause, confidence: Confidence) -> Verdict {
    let verdict = judged(incident);
    assert_eq!((verdict.cause, verdict.confidence), (cause, confidence), "{}", verdict.summary);
    assert!(verdict.summary.ends_with('.') && verdict.summary.contains("victim[20]"), "{}", verdict.summary);
    verdict
}

#[test]
fn whose_limit_it_was_decides_among_oom_kills() {
    use Confidence::{Likely, Possible};
    let full = [("/docker/x", 512, Some(512)), ("/docker", 600, None)];
    for (level, cause) in [
        (LimitLevel::Container, Cause::OomContainerLimit),
        (LimitLevel::Pod, Cause::OomPodLimit),
        (LimitLevel::Unit, Cause::OomUnitLimit),
        (LimitLevel::Slice, Cause::OomSliceLimit),
    ] {
        expect(&oom(&full, Some((0, level)), OomScope::Memcg), cause, Likely);
    }
    // Two levels are full: it may have been either.
    let both = [("/a/b", 512, Some(512)), ("/a", 512, Some(512))];
    expect(&oom(&both, Some((0, LimitLevel::Slice)), OomScope::Memcg), Cause::OomSliceLimit, Possible);
    // None is full any more.
    let none = [("/a/b", 500, Some(512))];
    expect(&oom(&none, Some((0, LimitLevel::Slice)), OomScope::Memcg), Cause::OomSliceLimit, Possible);
    expect(&oom(&[], None, OomScope::Host), Cause::OomHost, Likely);
    expect(&oom(&[], None, OomScope::Cpuset), Cause::OomConstrained, Likely);
    expect(&oom(&[], None, OomScope::Memcg), Cause::OomSliceLimit, Possible);
    expect(&in_container(oom(&[], None, OomScope::Memcg)), Cause::OomContainerLimit, Possible);
}

#[test]
fn the_oom_killers_own_record_is_certain() {
    for (scope, owner, cause) in [
        (OomScope::Memcg, Some((0, LimitLevel::Container)), Cause::OomContainerLimit),
        (OomScope::Host, None, Cause::OomHost),
        (OomScope::Mempolicy, None, Cause::OomConstrained),
    ] {
        // Nothing is full any more, and there is no stack: it does not matter.
        let mut incident = oom(&[("/a/b", 500, Some(512))], owner, scope);
        hide_names(&mut incident);
        incident.oom.as_mut().unwrap().chosen_points = Some(1);
        expect(&incident, cause, Confidence::Certain);
    }
}

#[test]
fn an_oom_kill_without_a_stack_is_only_possible() {
    let mut incident = oom(&[("/a", 512, Some(512))], Some((0, LimitLevel::Slice)), OomScope::Memcg);
    hide_names(&mut incident);
    expect(&incident, Cause::OomSliceLimit, Confidence::Possible);
}

#[test]
fn the_path_decides_when_the_kernel_sent_it() {
    for (path, cause) in [
        (SignalPath::PidNamespaceExit, Cause::PidNamespaceExit),
        (SignalPath::ParentDeath, Cause::ParentExit),
        (SignalPath::RlimitCpu, Cause::RlimitCpu),
        (SignalPath::RlimitRttime, Cause::RlimitRttime),
        (SignalPath::PosixTimer, Cause::Timer),
        (SignalPath::MessageQueue, Cause::OtherKernel),
        (SignalPath::AsyncIo, Cause::OtherKernel),
        (SignalPath::Ptrace, Cause::Ptrace),
        (SignalPath::BpfSendSignal, Cause::BpfProgram),
        (SignalPath::Sysrq, Cause::OtherKernel),
        (SignalPath::ForceSignal, Cause::OtherKernel),
        (SignalPath::OtherKernel, Cause::OtherKernel),
    ] {
        expect(&by_kernel(path), cause, Confidence::Certain);
        let mut unseen = by_kernel(path);
        hide_names(&mut unseen);
        expect(&unseen, cause, Confidence::Possible);
    }
}

#[test]
fn who_the_sender_is_decides_otherwise() {
    use Confidence::{Certain, Likely};
    expect(&kill("/usr/bin/bash"), Cause::ProcessKill, Certain);
    expect(&kill("/usr/bin/earlyoom"), Cause::UserspaceOomKiller, Likely);
    expect(&kill("/lib/systemd/systemd-oomd"), Cause::UserspaceOomKiller, Likely);
    expect(&kill("/lib/systemd/systemd"), Cause::ServiceManagerKill, Likely);
    expect(&in_container(kill("/usr/sbin/runc")), Cause::RuntimeKill, Likely);
    // A runtime that ends a process of its own on the host kills no container.
    expect(&kill("/usr/bin/dockerd"), Cause::ProcessKill, Certain);
    let mut own = kill("/usr/bin/victim");
    own.sender.process.as_mut().unwrap().pid = 20;
    expect(&own, Cause::SelfKill, Certain);
    let mut write = kill("/usr/bin/bash");
    write.signal.path = Some(SignalPath::CgroupKill);
    expect(&write, Cause::CgroupKill, Certain);
    // A child that was forked into the cgroup meanwhile.
    (write.sender.kind, write.sender.process) = (SenderKind::Kernel, None);
    expect(&write, Cause::CgroupKill, Certain);
}

#[test]
fn a_container_without_a_known_cgroup_is_known_by_its_pid_namespace() {
    let mut incident = kill("/usr/sbin/runc");
    incident.victim.process.pid_in_namespace = Some(1);
    expect(&incident, Cause::RuntimeKill, Confidence::Likely);
}

#[test]
fn a_stop_signal_of_the_runtime_before_makes_it_a_time_out() {
    let mut incident = in_container(kill("/usr/sbin/runc"));
    incident.preceding = vec![stop_signal("/usr/sbin/runc")];
    let verdict = expect(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    assert!(verdict.summary.contains("10.0 s after SIGTERM"), "{}", verdict.summary);
    // A signal that somebody else sent before is not the runtime's request to stop.
    incident.preceding = vec![stop_signal("/usr/bin/bash")];
    expect(&incident, Cause::RuntimeKill, Confidence::Likely);
}

#[test]
fn inside_one_container_nothing_that_calls_itself_runc_is_the_runtime() {
    let mut incident = in_container(kill("/usr/sbin/runc"));
    incident.sender.container = Some(container(ID));
    incident.sender.process.as_mut().unwrap().cgroup = Some(format!("/docker/{ID}"));
    expect(&incident, Cause::SameContainerKill, Confidence::Certain);
    // From another container, a sidecar in the same pid namespace for example.
    let other = "1".repeat(64);
    incident.sender.container = Some(container(&other));
    incident.sender.process.as_mut().unwrap().cgroup = Some(format!("/docker/{other}"));
    expect(&incident, Cause::ProcessKill, Confidence::Certain);
}

#[test]
fn every_fact_names_its_source_and_the_first_is_who_sent_what() {
    let verdict = judged(&kill("/usr/bin/bash"));
    assert_eq!(verdict.evidence[0].fact, "bash[10] sent SIGKILL to victim[20]");
    assert_eq!(verdict.evidence[1].fact, "the kernel stack shows the path kill");
    let verdict = judged(&by_kernel(SignalPath::OtherKernel));
    assert_eq!(verdict.evidence[0].fact, "the kernel sent SIGKILL to victim[20]");
}

#[test]
fn what_the_victim_had_set_up_for_the_stop_signal_is_said_and_decides_the_advice() {
    use crate::model::Disposition::{Blocked, Default, Handled, Ignored};
    let mut incident = in_container(kill("/usr/sbin/runc"));
    (incident.victim.container_init, incident.victim.process.pid_in_namespace) = (true, Some(1));
    for (disposition, fact, action) in [
        (Some(Default), "no handler for it, and the kernel drops it for a pid 1", "handle SIGTERM in pid 1"),
        (Some(Ignored), "the victim ignored it", "STOPSIGNAL"),
        (Some(Handled), "the victim had a handler for it", "give it longer"),
        (Some(Blocked), "waits for signals", "give it longer"),
        (None, "SIGTERM came 10.0 s before, from runc[9]", "give it longer"),
    ] {
        incident.preceding = vec![Preceding { disposition, ..stop_signal("/usr/sbin/runc") }];
        let verdict = expect(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
        assert!(verdict.evidence.iter().any(|e| e.fact.ends_with(fact)), "{:?}", verdict.evidence);
        let advice = verdict.advice;
        assert!(advice[0].action.contains(action), "{advice:?}");
    }
}

/// Docker in Docker: the inner runtime runs in the outer container, and ends a container within it.
#[test]
fn a_runtime_in_a_container_is_one_for_what_runs_within_that() {
    let outer = container(&"b".repeat(64));
    let mut incident = in_container(kill("/usr/bin/runc"));
    incident.sender.container = Some(outer.clone());
    if let Some(sender) = &mut incident.sender.process {
        sender.cgroup = Some(outer.cgroup.clone());
    }
    // Any container's process may be called so: it is no runtime of its neighbours'.
    assert_eq!(judged(&incident).cause, Cause::ProcessKill);
    if let Some(inner) = &mut incident.container {
        inner.outer = Some(Box::new(outer));
    }
    assert_eq!(judged(&incident).cause, Cause::RuntimeKill);
}

/// Each cause that a process can be blamed with, and what it is worth when it is not shown that this process sent anything.
#[test]
fn no_verdict_is_surer_than_the_path_of_its_signal() {
    let mut own = kill("/usr/bin/victim");
    own.sender.process.as_mut().unwrap().pid = 20;
    let mut inside = in_container(kill("/usr/bin/bash"));
    inside.sender.container = Some(container(ID));
    let mut write = kill("/usr/bin/bash");
    write.signal.path = Some(SignalPath::CgroupKill);
    let mut traced = kill("/usr/bin/gdb");
    traced.signal.path = Some(SignalPath::Ptrace);
    let mut stopped = in_container(kill("/usr/sbin/runc"));
    stopped.preceding = vec![stop_signal("/usr/sbin/runc")];
    for (incident, cause) in [
        (kill("/usr/bin/bash"), Cause::ProcessKill),
        (own, Cause::SelfKill),
        (inside, Cause::SameContainerKill),
        (write, Cause::CgroupKill),
        (traced, Cause::Ptrace),
        (kill("/usr/bin/earlyoom"), Cause::UserspaceOomKiller),
        (kill("/lib/systemd/systemd"), Cause::ServiceManagerKill),
        (in_container(kill("/usr/sbin/runc")), Cause::RuntimeKill),
        (stopped, Cause::RuntimeStopTimeout),
    ] {
        let mut unseen = incident.clone();
        hide_names(&mut unseen);
        expect(&unseen, cause, Confidence::Possible);
        unseen.signal.path_confidence = None;
        expect(&unseen, cause, Confidence::Possible);
        // Whose siginfo proves it needs no stack.
        let mut proven = incident.clone();
        proven.signal.kernel_stack.clear();
        expect(&proven, cause, judged(&incident).confidence);
    }
}

/// Programs are known by what anybody can copy: no verdict that rests on one is certain.
#[test]
fn what_rests_on_a_program_is_likely_at_most() {
    for exe in ["/usr/sbin/runc", "/usr/bin/dockerd", "/usr/bin/containerd-shim-runc-v2", "/usr/bin/lxc-stop"] {
        let mut incident = in_container(kill(exe));
        assert!(judged(&incident).confidence <= Confidence::Likely, "{exe}");
        incident.preceding = vec![stop_signal(exe)];
        assert!(judged(&incident).confidence <= Confidence::Likely, "{exe}");
    }
    for exe in ["/usr/bin/earlyoom", "/lib/systemd/systemd", "/lib/systemd/systemd-oomd"] {
        assert!(judged(&kill(exe)).confidence <= Confidence::Likely, "{exe}");
    }
}

#[test]
fn only_a_stop_signal_of_the_same_runtime_and_the_same_stop_makes_it_a_time_out() {
    const MINUTE: u64 = 60_000;
    let with = |signal: u32, before_ms: u64, exe: &str, stop_signal: Option<&str>, stop_timeout_s: Option<u64>| {
        let mut incident = in_container(kill("/usr/sbin/runc"));
        incident.preceding = vec![Preceding { signal, before_ms, ..self::stop_signal(exe) }];
        let container = incident.container.as_mut().unwrap();
        (container.stop_signal, container.stop_timeout_s) = (stop_signal.map(str::to_owned), stop_timeout_s);
        let verdict = judged(&incident);
        (verdict.cause == Cause::RuntimeStopTimeout).then_some(verdict.confidence)
    };
    use Confidence::{Likely, Possible};
    let runc = "/usr/sbin/runc";
    for (signal, before_ms, exe, own_signal, timeout, expected) in [
        (15, 10_000, runc, None, None, Some(Likely)),
        (2, 10_000, runc, None, None, Some(Likely)),
        (3, 10_000, runc, None, None, Some(Likely)),
        // docker kill -s HUP, and days later docker kill.
        (1, 10_000, runc, None, None, None),
        (1, 5760 * MINUTE, runc, None, None, None),
        (1, 10_000, runc, Some("SIGHUP"), None, Some(Likely)),
        (1, 10_000, runc, Some("1"), None, Some(Likely)),
        (37, 10_000, runc, Some("SIGRTMIN+3"), None, Some(Likely)),
        (10, 10_000, runc, Some("SIGUSR2"), None, None),
        (10, 10_000, runc, Some("nonsense"), None, None),
        // LXC's, of another runtime's container.
        (30, 10_000, runc, None, None, None),
        (15, 5760 * MINUTE, runc, None, None, None),
        (15, 61 * MINUTE, runc, None, None, None),
        (15, 50 * MINUTE, runc, None, None, Some(Possible)),
        (15, 9 * MINUTE, runc, None, None, Some(Likely)),
        (15, 10_100, runc, None, Some(10), Some(Likely)),
        (15, 60_000, runc, None, Some(10), Some(Possible)),
        (15, 60_000, runc, None, Some(60), Some(Likely)),
        (15, 10_000, "/usr/bin/bash", None, None, None),
        (15, 10_000, "/usr/bin/lxc-stop", None, None, None),
    ] {
        let got = with(signal, before_ms, exe, own_signal, timeout);
        assert_eq!(got, expected, "{signal} {before_ms} {exe} {own_signal:?} {timeout:?}");
    }
}

/// Docker has not said which signal stops the container: one that it sent before may have been that.
#[test]
fn a_stop_signal_that_is_not_known_is_not_ruled_out() {
    let with = |runtime, stop_timeout_s, exe: &str| {
        let mut incident = in_container(kill("/usr/sbin/runc"));
        incident.preceding = vec![Preceding { signal: 1, ..self::stop_signal(exe) }];
        let container = incident.container.as_mut().unwrap();
        (container.runtime, container.stop_timeout_s) = (runtime, stop_timeout_s);
        let verdict = judged(&incident);
        assert_eq!(verdict.cause, Cause::RuntimeKill);
        verdict.confidence
    };
    use crate::model::Runtime::{Docker, Podman};
    assert_eq!(with(Some(Docker), None, "/usr/sbin/runc"), Confidence::Possible);
    assert_eq!(with(Some(Docker), Some(10), "/usr/sbin/runc"), Confidence::Likely);
    assert_eq!(with(Some(Docker), None, "/usr/bin/bash"), Confidence::Likely);
    assert_eq!(with(Some(Podman), None, "/usr/sbin/runc"), Confidence::Likely);
}

#[test]
fn that_there_was_no_stop_signal_is_said_only_when_there_was_none() {
    let mut incident = in_container(kill("/usr/sbin/runc"));
    assert!(judged(&incident).summary.contains("with no stop signal before"));
    incident.preceding = vec![Preceding { signal: 1, ..stop_signal("/usr/sbin/runc") }];
    assert!(judged(&incident).summary.contains("with no stop signal before"));
    incident.preceding = vec![Preceding { before_ms: 3_700_000, ..stop_signal("/usr/sbin/runc") }];
    assert!(!judged(&incident).summary.contains("stop signal"));
}

#[test]
fn where_nothing_at_all_was_seen_nothing_is_attributed() {
    let nothing = || {
        let mut incident = by_kernel(SignalPath::OtherKernel);
        incident.signal.path = None;
        incident
    };
    let mut by_process = nothing();
    by_process.sender = kill("/usr/bin/bash").sender;
    let mut by_mark = nothing();
    by_mark.oom = oom_kill().oom;
    for (incident, attribution) in [
        (nothing(), Attribution::None),
        (by_process, Attribution::Full),
        (by_kernel(SignalPath::OtherKernel), Attribution::Full),
        (by_mark, Attribution::Full),
        (kill("/usr/bin/bash"), Attribution::Full),
    ] {
        assert_eq!(judge(&case(incident.clone())).attribution, attribution, "{:?}", incident.sender);
    }
}

#[test]
fn why_a_path_proves_nothing_is_said_of_one_that_would() {
    let host = crate::model::Namespaces { mount: Some(1), on_host: Some(true), user_level: 0, user_owner: 0 };
    let own_mount = crate::model::Namespaces { on_host: Some(false), ..host };
    let own_user = crate::model::Namespaces { user_level: 1, ..own_mount };
    for (exe, cgroup, uid, own, expected) in [
        ("/usr/sbin/runc", "/", Some(1000), host, Some(Unproven::User(1000))),
        ("/usr/sbin/runc", "/", Some(0), own_mount, Some(Unproven::OwnMountNamespace)),
        ("/usr/sbin/runc", "/", Some(0), own_user, Some(Unproven::OwnUserNamespace)),
        ("/usr/sbin/runc", "/", Some(0), host, None),
        // systemd gave it its mount namespace.
        ("/usr/sbin/runc", "/system.slice/docker.service", Some(0), own_mount, None),
        // It is in a container, with the host's namespaces: that says it.
        ("/usr/sbin/runc", "/docker/ID", Some(0), host, None),
        ("/usr/sbin/runc", "/", None, host, None),
        ("/usr/bin/bash", "/", Some(1000), own_user, None),
    ] {
        let mut incident = in_container(kill(exe));
        let sender = incident.sender.process.as_mut().unwrap();
        (sender.cgroup, sender.uid, sender.namespaces) = (Some(cgroup.replace("ID", ID)), uid, Some(own));
        assert_eq!(judge(&case(incident)).unproven, expected, "{exe} {cgroup} {uid:?} {own:?}");
    }
}

/// LXC stops a container by SIGPWR.
#[test]
fn a_signal_stops_the_containers_of_the_runtime_that_stops_by_it() {
    let cause = |runtime, signal| {
        let mut incident = in_container(kill("/usr/bin/lxc-stop"));
        incident.container.as_mut().unwrap().runtime = runtime;
        incident.preceding = vec![Preceding { signal, ..stop_signal("/usr/bin/lxc-stop") }];
        judged(&incident).cause
    };
    use crate::model::Runtime::{Docker, Lxc};
    assert_eq!(cause(Some(Lxc), 30), Cause::RuntimeStopTimeout);
    assert_eq!(cause(Some(Docker), 30), Cause::RuntimeKill);
    assert_eq!(cause(None, 30), Cause::RuntimeKill);
    assert_eq!(cause(Some(Lxc), 10), Cause::RuntimeKill);
    assert_eq!(cause(Some(Lxc), 15), Cause::RuntimeStopTimeout);
}

/// A name of a function proves a part of the kernel only where the path rests on the stack.
#[test]
fn a_part_of_the_kernel_is_named_where_the_path_is_certain() {
    let part = |path, path_confidence, function: &str| {
        let mut incident = by_kernel(path);
        incident.signal.path_confidence = Some(path_confidence);
        incident.signal.kernel_stack = vec![function.to_owned()];
        judge(&case(incident)).reason
    };
    use super::judgement::KernelPart::{AppArmor, AsyncIo, MessageQueue, PidfdAutokill};
    use Confidence::{Certain, Possible};
    for (path, confidence, function, expected) in [
        (SignalPath::OtherKernel, Certain, "aa_audit", Reason::Kernel(AppArmor)),
        (SignalPath::OtherKernel, Certain, "some_driver", Reason::Plain),
        (SignalPath::OtherKernel, Possible, "aa_audit", Reason::Plain),
        (SignalPath::MessageQueue, Possible, "do_mq_timedsend", Reason::Kernel(MessageQueue)),
        (SignalPath::AsyncIo, Possible, "send_sigio", Reason::Kernel(AsyncIo)),
        (SignalPath::PidfdAutokill, Certain, "pidfs_file_release", Reason::Kernel(PidfdAutokill)),
        (SignalPath::Sysrq, Certain, "send_sig_all", Reason::Plain),
    ] {
        assert_eq!(part(path, confidence, function), expected, "{path:?} {function}");
    }
}

/// A tracer makes the process that it traces do what it likes.
#[test]
fn what_a_traced_process_sent_may_have_been_its_tracers_wish() {
    for incident in [kill("/usr/bin/bash"), in_container(kill("/usr/sbin/runc"))] {
        let cause = judged(&incident).cause;
        let mut traced = incident;
        traced.sender.traced = true;
        expect(&traced, cause, Confidence::Possible);
    }
}
