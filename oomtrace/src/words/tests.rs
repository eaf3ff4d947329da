//! What is said of each cause and each reason, as a whole: `tests/said.txt` has the text, which is read and agreed on when it changes
//! (`UPDATE=1 cargo test -p oomtrace --lib words` writes it anew).

mod kubelet;
mod reasons;
mod remedies;

use std::fmt::Write as _;

use super::*;
use crate::judge::judgement::{KernelPart, Reason, StopRequest};
use crate::judge::tests::{ID, by_kernel, case, container, hide_names, in_container, kill, oom, process, stop_signal};
use crate::model::{
    Cause, Confidence, Container, Disposition, Elevation, Exit, HostMemory, InitEnd, InitKilled, LimitLevel, Limits,
    Login, MemoryUser, Namespaces, Oom, OomOrigin, OomScope, Pod, Process, Runtime, SignalPath,
};

const RUNC: &str = "/usr/sbin/runc";

/// An OOM kill at the limit of 512 MiB of the only level there is.
fn at_limit(path: &str, level: LimitLevel) -> Incident {
    oom(&[(path, 512, Some(512))], Some((0, level)), OomScope::Memcg)
}

fn with_oom(mut incident: Incident, change: impl FnOnce(&mut Oom)) -> Incident {
    change(incident.oom.as_mut().unwrap());
    incident
}

/// The victim's container is that, and its limit was hit.
fn in_runtimes(runtime: Runtime, change: impl FnOnce(&mut Container)) -> Incident {
    let mut incident = in_container(at_limit("", LimitLevel::Container));
    let found = incident.container.as_mut().unwrap();
    (found.name, found.runtime) = (Some("web".to_owned()), Some(runtime));
    change(found);
    let path = found.cgroup.clone();
    with_oom(incident, |oom| oom.limit_owner.as_mut().unwrap().path = path)
}

fn labelled(labels: &[(&str, &str)]) -> Incident {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    in_runtimes(Runtime::Docker, |found| found.labels = Some(labels))
}

fn of_pod(namespace: Option<&str>, name: Option<&str>) -> Pod {
    Pod {
        name: name.map(str::to_owned),
        namespace: namespace.map(str::to_owned),
        uid: Some("0f1e".to_owned()),
        ..Pod::default()
    }
}

fn in_pod(level: LimitLevel, pod: Pod) -> Incident {
    let mut incident = in_runtimes(Runtime::Containerd, |found| found.pod = Some(pod));
    let owner = incident.oom.as_mut().unwrap().limit_owner.as_mut().unwrap();
    owner.level = level;
    if level != LimitLevel::Container {
        owner.path = "/kubepods/pod0f1e".to_owned();
    }
    incident
}

/// A runtime's stop, to which the victim had set up what `disposition` says.
fn stopped(disposition: Option<Disposition>, pid_1: bool) -> Incident {
    let mut incident = in_container(kill(RUNC));
    incident.victim.process.pid_in_namespace = pid_1.then_some(1);
    let mut stop = stop_signal(RUNC);
    stop.disposition = disposition;
    incident.preceding = vec![stop];
    incident
}

fn stopped_by(disposition: Option<Disposition>, change: impl FnOnce(&mut Container)) -> Incident {
    let mut incident = stopped(disposition, true);
    change(incident.container.as_mut().unwrap());
    incident
}

/// Sender and victim are in one container; the sender is the victim's parent.
fn by_parent(exe: &str, arguments: &[&str]) -> Incident {
    let mut incident = in_container(kill(exe));
    incident.sender.container.clone_from(&incident.container);
    incident.victim.process.ppid = Some(10);
    let sender = incident.sender.process.as_mut().unwrap();
    sender.cmdline = Some(arguments.iter().map(|argument| (*argument).to_owned()).collect());
    incident
}

fn by_exec() -> Incident {
    let mut incident = by_parent("/bin/busybox", &["kill", "-9", "20"]);
    incident.container.as_mut().unwrap().init_pid = Some(3);
    incident.sender.container.clone_from(&incident.container);
    incident.sender.ancestors = vec![process(5, "/usr/bin/containerd-shim-runc-v2")];
    incident
}

/// A shim killed the command that it had brought into the container.
fn by_shim(pod: Option<Pod>) -> Incident {
    let mut incident = in_container(kill("/usr/bin/containerd-shim-runc-v2"));
    incident.victim.process.ppid = Some(10);
    incident.container.as_mut().unwrap().pod = pod;
    incident
}

/// Killed by a program with these parents.
fn behind(exe: &str, parents: &[&str]) -> Incident {
    let mut incident = kill(exe);
    incident.sender.ancestors = parents.iter().zip(30..).map(|(exe, pid)| process(pid, exe)).collect();
    incident
}

/// Killed from a terminal, by a program with these parents, each with its arguments.
fn at_shell(exe: &str, arguments: &[&str], parents: &[(&str, &[&str])]) -> Incident {
    let own = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let mut incident = kill(exe);
    incident.sender.process.as_mut().unwrap().cmdline = own(arguments);
    incident.sender.ancestors = parents
        .iter()
        .zip(30..)
        .map(|((exe, words), pid)| {
            let (uid, user) = if exe.ends_with("sudo") { (0, "root") } else { (1000, "alice") };
            let named = Process { uid: Some(uid), user: Some(user.to_owned()), ..process(pid, exe) };
            Process { cmdline: own(words), ..named }
        })
        .collect();
    let user = Some("alice".to_owned());
    incident.sender.login = Some(Login { uid: Some(1000), user, session: Some(3), tty: Some("pts2".to_owned()) });
    incident
}

/// At a container's limit of 512 MiB, with that in its memory.stat, in units of 8 MiB.
fn with_stat(stat: &[(&str, u64)]) -> Incident {
    let mut incident = in_runtimes(Runtime::Docker, |_| {});
    let memory = incident.memory.as_mut().unwrap();
    memory.levels[0].path = incident.oom.as_ref().unwrap().limit_owner.as_ref().unwrap().path.clone();
    memory.stat = Some(stat.iter().map(|(name, part)| ((*name).to_owned(), part << 23)).collect());
    incident
}

fn from(exe: &str, own: Namespaces, uid: u32) -> Incident {
    let mut incident = kill(exe);
    let sender = incident.sender.process.as_mut().unwrap();
    (sender.namespaces, sender.uid) = (Some(own), Some(uid));
    incident
}

fn swept(killed: Option<InitKilled>, status: Option<u32>, of_container: bool) -> Incident {
    let mut incident = by_kernel(SignalPath::PidNamespaceExit);
    incident.init_end = Some(InitEnd { init: process(7, "/bin/sh"), killed, status, of_container, asked: None });
    incident
}

fn by_function(function: &str) -> Incident {
    let mut incident = by_kernel(SignalPath::OtherKernel);
    incident.signal.kernel_stack = vec!["send_signal_locked".to_owned(), function.to_owned()];
    incident
}

fn with_everything() -> Incident {
    let incident = in_runtimes(Runtime::Docker, |found| {
        found.restart_policy = Some("always".to_owned());
        found.limits = Some(Limits { memory_bytes: Some(1 << 30), ..Limits::default() });
    });
    let mut incident = with_oom(incident, |oom| {
        oom.gfp = Some("GFP_KERNEL".to_owned());
        (oom.order, oom.chosen_points, oom.oom_score_adj) = (Some(2), Some(1234), Some(-7));
        oom.group_cgroup = Some("/docker".to_owned());
    });
    incident.trigger = Some(process(30, "/usr/bin/dd"));
    let memory = incident.memory.as_mut().unwrap();
    memory.host = Some(HostMemory { available_bytes: Some(3 << 30), ..HostMemory::default() });
    let user = |pid, comm: &str| MemoryUser {
        pid,
        comm: comm.to_owned(),
        resident_bytes: u64::from(pid) << 20,
        cgroup: None,
        limited: None,
    };
    memory.largest =
        vec![user(20, "victim"), user(9, "redis"), user(8, "java"), user(7, "nginx"), user(6, "not shown")];
    incident.victim.container_exit =
        Some(Exit { status: 137 << 8, code: Some(137), signal: None, after_us: Some(1500) });
    incident
}

fn incidents() -> Vec<(&'static str, Incident)> {
    let sysrq = |incident| with_oom(incident, |oom| oom.origin = Some(OomOrigin::Sysrq));
    let host = || oom(&[], None, OomScope::Host);
    let namespaces = Namespaces { mount: Some(2), on_host: Some(true), user_level: 0, user_owner: 0 };
    let plain_unit = |unit: &str| {
        let mut incident = at_limit("/system.slice/nginx.service", LimitLevel::Unit);
        incident.unit = Some(unit.to_owned());
        incident
    };
    let lowered = |trigger: Option<Process>| {
        let mut incident =
            with_oom(at_limit("/a", LimitLevel::Slice), |oom| oom.origin = Some(OomOrigin::LimitLowered));
        incident.trigger = trigger;
        incident
    };
    let unprefixed = |mut incident: Incident| {
        incident.victim.process.pid_in_namespace = Some(1);
        incident
    };
    let mut own = kill("/usr/bin/victim");
    own.sender.process.as_mut().unwrap().pid = 20;
    let mut write = kill("/usr/bin/bash");
    write.signal.path = Some(SignalPath::CgroupKill);
    let mut forked = by_kernel(SignalPath::CgroupKill);
    forked.unit = Some("job.scope".to_owned());
    let mut unseen = by_kernel(SignalPath::Unseen);
    (unseen.signal.path_confidence, unseen.signal.kernel_stack) = (Some(Confidence::Possible), Vec::new());
    let mut proven = kill("/usr/bin/bash");
    proven.signal.kernel_stack.clear();
    let mut guessed = kill("/usr/bin/bash");
    hide_names(&mut guessed);
    let mut sudo = kill("/usr/bin/kill");
    sudo.sender.ancestors = vec![
        process(9, "/usr/bin/sudo"),
        Process { uid: Some(1000), user: Some("alice".to_owned()), ..process(8, "/usr/bin/bash") },
    ];
    let mut after_own_stop = in_container(kill(RUNC));
    after_own_stop.preceding = vec![stop_signal("/usr/bin/bash")];
    let no_path = {
        let mut incident = by_kernel(SignalPath::OtherKernel);
        (incident.signal.path, incident.signal.path_confidence) = (None, None);
        incident
    };
    let mut unconfirmed = in_container(kill("/usr/bin/bash"));
    unconfirmed.container.as_mut().unwrap().confirmed = false;
    let compose = |found: &mut Container| {
        let labels = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
        found.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    };
    let pod = |found: &mut Container| found.pod = Some(of_pod(Some("shop"), Some("web-5d4")));
    let killed = |by| Some(InitKilled { by, before_ms: 12 });
    let outside = in_container(at_limit("/docker", LimitLevel::Slice));
    vec![
        ("a container's limit, with all that can be known", with_everything()),
        (
            "a limit that the kernel rounded down to whole pages",
            in_runtimes(Runtime::Docker, |found| {
                found.limits = Some(Limits { memory_bytes: Some((512 << 20) + (60 << 10)), ..Limits::default() });
            }),
        ),
        ("of a user's podman", in_runtimes(Runtime::Podman, |found| found.user = Some(1000))),
        ("of LXC", in_runtimes(Runtime::Lxc, |_| {})),
        ("of runc", in_runtimes(Runtime::Runc, |_| {})),
        ("of ctr", in_runtimes(Runtime::Containerd, |_| {})),
        ("of compose", labelled(&[("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")])),
        ("of half of compose", labelled(&[("com.docker.compose.project", "shop")])),
        ("a name that is hostile", in_runtimes(Runtime::Docker, |found| found.name = Some("$(reboot)".to_owned()))),
        ("a container that only has the name", in_runtimes(Runtime::Docker, |found| found.confirmed = false)),
        ("a container's, of which no limit is known", in_container(oom(&[], None, OomScope::Memcg))),
        (
            "a small one",
            with_oom(in_runtimes(Runtime::Docker, |_| {}), |oom| {
                oom.limit_owner.as_mut().unwrap().limit_bytes = Some(2 << 20);
            }),
        ),
        ("a container's in a pod", in_pod(LimitLevel::Container, of_pod(Some("shop"), Some("web-5d4")))),
        ("a pod's", in_pod(LimitLevel::Pod, of_pod(Some("shop"), Some("web-5d4")))),
        ("a pod's without names", in_pod(LimitLevel::Pod, of_pod(None, None))),
        ("a pod's sandbox", {
            let mut incident = in_container(kill(RUNC));
            incident.container.as_mut().unwrap().pod =
                Some(Pod { sandbox: true, ..of_pod(Some("shop"), Some("web-5d4")) });
            incident
        }),
        ("a unit's", plain_unit("nginx.service")),
        ("a unit's whose name is hostile", plain_unit("a b.service")),
        ("a unit's of a container's own", {
            let path = format!("{}/system.slice/nginx.service", container(ID).cgroup);
            let mut incident = in_container(at_limit(&path, LimitLevel::Unit));
            incident.unit = Some("nginx.service".to_owned());
            incident
        }),
        ("a user's unit's", {
            let path = "/user.slice/user-1000.slice/user@1000.service/app.slice/app.service";
            let mut incident = at_limit(path, LimitLevel::Unit);
            incident.unit = Some("app.service".to_owned());
            incident
        }),
        ("a cgroup's own", at_limit("/jobs/a", LimitLevel::Slice)),
        ("a cgroup's above a container", outside),
        ("lowered by somebody", lowered(Some(process(30, "/usr/bin/tee")))),
        ("lowered by nobody known", lowered(None)),
        (
            "two that are full",
            oom(&[("/a/b", 512, Some(512)), ("/a", 512, Some(512))], Some((0, LimitLevel::Slice)), OomScope::Memcg),
        ),
        ("the machine", host()),
        ("sysrq", sysrq(host())),
        ("min_ttl", with_oom(host(), |oom| oom.origin = Some(OomOrigin::MinTtl))),
        ("an allocation", with_oom(host(), |oom| oom.origin = Some(OomOrigin::Allocation))),
        ("memory nodes", oom(&[], None, OomScope::Cpuset)),
        ("earlyoom", kill("/usr/bin/earlyoom")),
        ("systemd", kill("/lib/systemd/systemd")),
        ("systemd, after its SIGTERM", {
            let mut incident = kill("/lib/systemd/systemd");
            incident.unit = Some("job.service".to_owned());
            let mut stop = stop_signal("/lib/systemd/systemd");
            stop.disposition = Some(Disposition::Ignored);
            incident.preceding = vec![stop];
            incident
        }),
        ("the limit of a container around it", {
            let mut incident = in_runtimes(Runtime::Docker, |found| {
                found.outer = Some(Box::new(Container { name: Some("node".to_owned()), ..container("b") }));
            });
            incident.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().path = "/docker/b".to_owned();
            incident
        }),
        ("a runtime", in_container(kill(RUNC))),
        ("a runtime that gave up", {
            let mut incident = in_container(kill(RUNC));
            (incident.victim.process.ppid, incident.victim.process.comm) = (Some(10), "runc:[2:INIT]".to_owned());
            incident.container.as_mut().unwrap().limits =
                Some(Limits { memory_bytes: Some(4 << 20), ..Limits::default() });
            incident
        }),
        ("a command that its shim ended", by_shim(None)),
        ("a probe's command", by_shim(Some(of_pod(Some("shop"), Some("web-5d4"))))),
        ("the kubelet", {
            let mut incident = kill("/usr/bin/kubelet");
            let pod = "/kubepods/burstable/pod0f5b3c1e-8d7a-4b6c-9e2f-1a2b3c4d5e6f";
            incident.victim.process.cgroup = Some(pod.to_owned());
            incident
        }),
        ("a runtime, after somebody's SIGTERM", after_own_stop),
        ("a stop: default, pid 1", stopped(Some(Disposition::Default), true)),
        ("a stop: default", stopped(Some(Disposition::Default), false)),
        ("a stop: ignored", stopped(Some(Disposition::Ignored), true)),
        ("a stop: handled", stopped(Some(Disposition::Handled), true)),
        ("a stop: blocked", stopped(Some(Disposition::Blocked), true)),
        ("a stop: not known", stopped(None, true)),
        ("a stop of Docker's", stopped_by(Some(Disposition::Default), |found| found.runtime = Some(Runtime::Docker))),
        ("a longer stop of Docker's", stopped_by(None, |found| found.runtime = Some(Runtime::Docker))),
        ("a stop of Podman's", stopped_by(Some(Disposition::Default), |found| found.runtime = Some(Runtime::Podman))),
        ("a longer stop of Podman's", stopped_by(None, |found| found.runtime = Some(Runtime::Podman))),
        ("a stop of compose's", stopped_by(Some(Disposition::Default), compose)),
        ("a longer stop of compose's", stopped_by(None, compose)),
        ("a stop of a pod's", stopped_by(Some(Disposition::Default), pod)),
        ("a longer stop of a pod's", stopped_by(None, pod)),
        ("in the same container", by_parent("/bin/sh", &["sh"])),
        ("exec", by_exec()),
        ("exec of a program that manages processes", {
            let mut incident = by_exec();
            let sender = incident.sender.process.as_mut().unwrap();
            (sender.exe, sender.comm) = (Some("/usr/bin/timeout".to_owned()), "timeout".to_owned());
            sender.cmdline = Some(["timeout", "-s", "KILL", "5", "sleep", "9"].map(str::to_owned).to_vec());
            incident
        }),
        ("gunicorn", by_parent("/usr/bin/gunicorn", &["gunicorn", "app"])),
        ("timeout on the host", {
            let mut incident = by_parent("/usr/bin/timeout", &["timeout", "-s", "KILL", "5", "sleep", "9"]);
            (incident.container, incident.sender.container) = (None, None);
            incident
        }),
        ("timeout, some time after its first signal", {
            let mut incident = by_parent("/usr/bin/timeout", &["timeout", "-k", "3", "2m", "sleep", "9"]);
            (incident.container, incident.sender.container) = (None, None);
            incident
        }),
        ("timeout, in its own process group", {
            let mut incident = by_parent("/usr/bin/timeout", &["timeout", "-s", "KILL", "5", "sleep", "9"]);
            (incident.container, incident.sender.container) = (None, None);
            (incident.victim.process.pid, incident.victim.process.ppid) = (10, Some(1));
            incident
        }),
        ("supervisord, after its SIGTERM", {
            let mut incident = by_parent("/usr/bin/supervisord", &["supervisord"]);
            let mut stop = stop_signal("/usr/bin/supervisord");
            (stop.sender.pid, stop.disposition) = (10, Some(Disposition::Ignored));
            incident.preceding = vec![stop];
            incident
        }),
        ("by hand", at_shell("/usr/bin/kill", &["kill", "-9", "20"], &[("/usr/bin/bash", &["-bash"])])),
        ("by hand, in sudo", {
            let chain = [("/usr/bin/sudo", &["sudo", "kill", "-9", "20"][..]), ("/usr/bin/bash", &["-bash"])];
            in_container(at_shell("/usr/bin/kill", &["kill", "-9", "20"], &chain))
        }),
        ("by a shell's own kill", at_shell("/usr/bin/bash", &["bash"], &[])),
        ("by a program that was run at a shell", {
            at_shell("/usr/bin/python3.11", &["python3", "/srv/reap.py"], &[("/usr/bin/zsh", &["zsh"])])
        }),
        ("a CI runner", behind("/opt/runner/bin/Runner.Worker", &[])),
        ("in a CI job", behind("/usr/bin/kill", &["/usr/bin/gitlab-runner"])),
        ("in a job of cron's", behind("/usr/bin/kill", &["/bin/sh", "/usr/sbin/cron"])),
        ("over ssh", behind("/usr/bin/kill", &["/bin/sh", "/usr/sbin/sshd"])),
        ("a debugger", behind("/usr/bin/gdb", &[])),
        ("a debugger, through ptrace", {
            let mut incident = behind("/usr/bin/gdb", &[]);
            incident.signal.path = Some(SignalPath::Ptrace);
            incident
        }),
        ("of another unit", {
            let mut incident = kill("/usr/bin/reap");
            (incident.unit, incident.sender.unit) = (Some("a.service".to_owned()), Some("reap.service".to_owned()));
            incident
        }),
        ("a sidecar", {
            let mut incident = in_container(kill("/usr/bin/bash"));
            incident.container.as_mut().unwrap().pod = Some(of_pod(Some("shop"), Some("web-5d4")));
            let pod = Some(of_pod(Some("shop"), Some("web-5d4")));
            incident.sender.container = Some(Container { name: Some("agent".to_owned()), pod, ..container("b") });
            incident
        }),
        ("a login session's end", {
            let mut incident = kill("/lib/systemd/systemd");
            incident.unit = Some("session-3.scope".to_owned());
            incident
        }),
        ("tmpfs", with_stat(&[("anon", 1), ("file", 62), ("shmem", 62)])),
        ("another process", kill("/usr/bin/bash")),
        ("another process, of an unconfirmed container's", unconfirmed),
        ("from outside its container", in_container(kill("/usr/bin/bash"))),
        ("from where it is not known, in its container or outside", {
            let mut incident = in_container(kill("/usr/bin/bash"));
            incident.sender.process.as_mut().unwrap().cgroup = None;
            incident
        }),
        ("from another container", {
            let mut incident = in_container(kill("/usr/bin/bash"));
            incident.sender.container = Some(Container { name: Some("other".to_owned()), ..container("b") });
            incident
        }),
        ("sudo", sudo),
        ("proven by siginfo", proven),
        ("suggested by siginfo", guessed),
        ("runc in a user namespace", from(RUNC, Namespaces { user_level: 1, ..namespaces }, 0)),
        ("runc in a mount namespace", from(RUNC, Namespaces { on_host: Some(false), ..namespaces }, 0)),
        ("runc as a user", from(RUNC, namespaces, 1000)),
        ("itself", own),
        ("cgroup.kill", write),
        ("forked into a cgroup that was being killed", forked),
        ("the pid namespace: killed by a process", swept(killed(Some(process(9, RUNC))), None, true)),
        ("the pid namespace: killed by the kernel", swept(killed(None), None, false)),
        ("the pid namespace: exited", swept(None, Some(3 << 8), true)),
        ("the pid namespace: ended by a signal", swept(None, Some(11), false)),
        ("the pid namespace: ended", swept(None, None, true)),
        ("the pid namespace", by_kernel(SignalPath::PidNamespaceExit)),
        ("its parent", by_kernel(SignalPath::ParentDeath)),
        ("RLIMIT_CPU", by_kernel(SignalPath::RlimitCpu)),
        ("RLIMIT_RTTIME", by_kernel(SignalPath::RlimitRttime)),
        ("a timer", by_kernel(SignalPath::PosixTimer)),
        ("ptrace", by_kernel(SignalPath::Ptrace)),
        ("a BPF program", by_kernel(SignalPath::BpfSendSignal)),
        ("mq_notify", by_kernel(SignalPath::MessageQueue)),
        ("F_SETSIG", by_kernel(SignalPath::AsyncIo)),
        ("a pidfd", by_kernel(SignalPath::PidfdAutokill)),
        ("sysrq-i", by_kernel(SignalPath::Sysrq)),
        ("AppArmor", by_function("aa_audit")),
        ("SAK", by_function("__do_SAK")),
        ("broken memory", by_function("kill_procs")),
        ("reboot in a namespace", by_function("reboot_pid_ns")),
        ("an exit signal", by_function("do_notify_parent")),
        ("another function", by_function("something_else")),
        ("no signal that was seen", unseen),
        ("no path", no_path),
        ("a pid 1 without a container", unprefixed(kill("/usr/bin/bash"))),
        ("a container without a name", in_container(kill("/usr/bin/bash"))),
    ]
}

fn lines(out: &mut String, incident: &Incident, verdict: &Verdict) {
    let Verdict { cause, confidence, summary, why, evidence, advice } = verdict;
    // Writing to a String cannot fail.
    _ = writeln!(out, "   {cause:?}, {confidence:?}\n   {summary}\n   {why}");
    evidence.iter().for_each(|evidence| _ = writeln!(out, "   - {}: {}", name(evidence.source), evidence.fact));
    for advice in advice {
        let command = advice.command.iter().map(|command| format!("\n     $ {command}")).collect::<String>();
        _ = writeln!(out, "   > {}, because {}{command}", advice.action, advice.why);
    }
    incident.missing.iter().for_each(|missing| _ = writeln!(out, "   ? {missing}"));
}

fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// Reasons that do not go with a cause.
fn judgements() -> Vec<(&'static str, Judgement)> {
    let plain = crate::judge::judge(&case(kill("/usr/bin/bash")));
    let with = |cause| Judgement { cause, ..plain.clone() };
    let stop = StopRequest { signal: "SIGTERM".to_owned(), before_ms: 1, first_before_ms: 1, disposition: None };
    vec![
        ("a kubelet's kill for no reason that is known", with(Cause::KubeletDeletion)),
        ("a stop without its request", with(Cause::RuntimeStopTimeout)),
        ("likely", Judgement { confidence: Confidence::Likely, ..with(Cause::RuntimeKill) }),
        ("possible", Judgement { confidence: Confidence::Possible, ..with(Cause::RuntimeKill) }),
        (
            "a request to stop that is no reason",
            Judgement { reason: Reason::StopTimeout(stop), ..with(Cause::SelfKill) },
        ),
        (
            "elevation by nobody known",
            Judgement {
                elevation: Some(Elevation { by: "su".to_owned(), uid: None, user: None }),
                reason: Reason::Kernel(KernelPart::AppArmor),
                ..with(Cause::ProcessKill)
            },
        ),
    ]
}

#[test]
fn what_is_said_is_what_was_agreed_on() {
    let mut said = String::new();
    for (name, incident) in incidents().into_iter().chain(remedies::incidents()) {
        _ = writeln!(said, "{name}");
        let Record::Incident(incident) = conclude(case(incident)) else { panic!("{name}") };
        lines(&mut said, &incident, incident.verdict.as_ref().unwrap());
    }
    for (name, judgement) in judgements().into_iter().chain(kubelet::judgements()) {
        _ = writeln!(said, "{name}");
        let incident = kill("/usr/bin/bash");
        lines(&mut said, &incident, &verdict(&incident, &judgement));
    }
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/words/tests/said.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &said).unwrap();
    }
    let agreed = std::fs::read_to_string(&file).unwrap();
    for (line, agreed) in said.lines().zip(agreed.lines()) {
        assert_eq!(line, agreed);
    }
    assert_eq!(said.lines().count(), agreed.lines().count());
}

#[test]
fn a_signal_other_than_sigkill_has_no_verdict() {
    let mut incident = kill("/usr/bin/bash");
    incident.signal.number = 15;
    assert!(matches!(conclude(case(incident)), Record::Signal(Incident { verdict: None, .. })));
}
