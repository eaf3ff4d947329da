//! Kills of real containers by a real dockerd, and by others.

use oomtrace::model::Runtime;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{
    Cause, Confidence, Disposition, Evidence, Incident, LimitLevel, Record, Role, SenderKind, SignalPath, Source,
};
use oomtrace::node::cgroups::{self, Version};

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::docker::{Container, IMAGE, docker};
use crate::support::needs::Need::{self, Alone, Busybox, Docker, Gunicorn, MemoryCgroup, SteadyCpus, Tracing};
use crate::support::process::{children, comm, run, wait_until};
use crate::support::tracer::{Tracer, incidents};
use crate::support::truth;

const NEEDS: &[Need] = &[Tracing, Busybox, Docker];
const ALONE: &[Need] = &[Alone, Tracing, Busybox, Docker];
const STEADY_NEEDS: &[Need] = &[Tracing, Busybox, Docker, SteadyCpus];
const PARENT: &[Need] = &[Tracing, Busybox, Docker, MemoryCgroup];
const GUNICORN_NEEDS: &[Need] = &[Tracing, Busybox, Docker, Gunicorn];
const LIMIT: u64 = 24 << 20;

pub const ALL: &[Scenario] = &[
    Scenario { name: "docker::a_container_over_its_limit", needs: NEEDS, run: over_its_limit },
    Scenario {
        name: "docker::a_child_oom_killed_while_the_container_lives_on",
        needs: NEEDS,
        run: child_over_the_limit,
    },
    Scenario { name: "docker::a_container_in_a_container", needs: NEEDS, run: nested },
    Scenario { name: "docker::containers_that_are_gone_at_once", needs: ALONE, run: short_lived },
    Scenario { name: "docker::docker_kill", needs: NEEDS, run: docker_kill },
    Scenario { name: "docker::docker_stop_that_runs_into_its_time_out", needs: NEEDS, run: stop_time_out },
    Scenario { name: "docker::a_stop_whose_handler_takes_too_long", needs: NEEDS, run: slow_handler },
    Scenario { name: "docker::a_stop_signal_that_is_ignored", needs: NEEDS, run: ignored_signal },
    Scenario {
        name: "docker::a_parents_limit_while_the_container_is_below_its_own",
        needs: PARENT,
        run: parents_limit,
    },
    Scenario { name: "docker::sigterm_after_an_earlier_oom_kill_of_a_child", needs: NEEDS, run: term_after_oom },
    Scenario { name: "docker::what_docker_says_against_the_kernel", needs: ALONE, run: contradiction },
    Scenario { name: "docker::an_init_that_exits_with_137_was_not_killed", needs: NEEDS, run: exits_with_137 },
    Scenario { name: "docker::an_init_that_passes_its_childs_status_on", needs: STEADY_NEEDS, run: passed_on },
    Scenario { name: "docker::an_init_that_exits_while_children_live", needs: NEEDS, run: init_exits },
    Scenario { name: "docker::every_process_of_a_container_in_the_hosts_pid_namespace", needs: NEEDS, run: host_pids },
    Scenario { name: "docker::gunicorn_kills_a_worker_that_hangs", needs: GUNICORN_NEEDS, run: gunicorn },
    Scenario { name: "docker::docker_rm_force", needs: NEEDS, run: remove_by_force },
    Scenario { name: "docker::docker_restart_that_runs_into_its_time_out", needs: NEEDS, run: restart_time_out },
    Scenario { name: "docker::the_sweep_of_a_killed_container_is_collateral", needs: NEEDS, run: swept },
    Scenario { name: "docker::docker_stop_that_is_obeyed_is_no_incident", needs: NEEDS, run: stop_obeyed },
    Scenario { name: "docker::kill_9_from_a_shell_on_the_host", needs: NEEDS, run: kill_from_the_host },
    Scenario { name: "docker::a_container_that_is_started_again_each_time", needs: NEEDS, run: restart_loop },
    Scenario { name: "docker::a_kill_inside_one_container", needs: NEEDS, run: kill_inside },
    Scenario { name: "docker::a_kill_from_a_sidecar_in_the_same_pid_namespace", needs: NEEDS, run: sidecar },
    Scenario { name: "docker::a_kill_at_the_limit_is_no_oom_kill", needs: NEEDS, run: kill_at_the_limit },
    Scenario { name: "docker::sigkill_to_init_from_inside_is_ignored", needs: NEEDS, run: init_from_inside },
    Scenario { name: "docker::only_the_containers_asked_for", needs: NEEDS, run: filters },
    Scenario { name: "docker::a_daemon_that_hangs_delays_no_verdict_for_long", needs: NEEDS, run: hung_daemon },
];

/// What every incident of a container says of it.
fn assert_named(incident: &Incident, container: &Container) {
    let found = incident.container.as_ref().unwrap();
    assert_eq!(found.id, container.id);
    assert_eq!(found.name.as_deref(), Some(container.name.as_str()));
    assert_eq!(found.runtime.map(Runtime::name), Some("docker"));
    assert_eq!(found.image.as_deref(), Some(IMAGE));
    assert!(found.cgroup.ends_with(&container.id), "{}", found.cgroup);
}

/// The sender is the daemon's runc, under the container's shim.
fn assert_by_runc(incident: &Incident, container: &Container, signal: &str) {
    let sender = incident.sender.process.as_ref().unwrap();
    assert!(sender.exe.as_deref().unwrap().ends_with("/runc"), "{:?}", sender.exe);
    let cmdline = sender.cmdline.as_deref().unwrap();
    let end: Vec<&str> = cmdline.iter().rev().take(3).rev().map(String::as_str).collect();
    assert_eq!(end, ["kill", &container.id, signal], "{cmdline:?}");
    let shim = &incident.sender.ancestors[0];
    assert!(shim.comm.starts_with("containerd-shim"), "{shim:?}");
    // A parent's executable and arguments come from /proc, and a shim may be gone with its container by then.
    assert!(shim.exe.as_ref().is_none_or(|exe| exe.contains("containerd-shim")), "{shim:?}");
    assert!(shim.cmdline.as_ref().is_none_or(|cmdline| cmdline.contains(&container.id)), "{shim:?}");
    assert_eq!(incident.sender.kind, SenderKind::Process);
}

fn assert_own_limit(incident: &Incident) {
    let verdict = truth::is_oom(incident, Cause::OomContainerLimit);
    let owner = incident.oom.as_ref().unwrap().limit_owner.as_ref().unwrap();
    assert_eq!((owner.level, owner.limit_bytes), (LimitLevel::Container, Some(LIMIT)));
    assert_eq!(incident.signal.path, Some(SignalPath::OomKill));
    assert_eq!(incident.sender.kind, SenderKind::Kernel);
    assert!(!verdict.advice.is_empty());
}

fn over_its_limit() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--memory", "24m", "--label", "team=a"], "exec tail /dev/zero");
    let incident = tracer.incident_in(&container.name);
    assert_named(&incident, &container);
    assert_own_limit(&incident);
    assert_eq!(incident.container.as_ref().unwrap().init_pid, Some(incident.victim.process.pid));
    assert_eq!(incident.container.as_ref().unwrap().labels.as_ref().unwrap()["team"], "a");
    assert_eq!((incident.victim.container_init, incident.victim.process.pid_in_namespace), (true, Some(1)));
    assert_eq!(incident.victim.process.comm, "tail");
    assert_eq!(incident.victim.exit.as_ref().and_then(|exit| exit.signal), Some(9));
    assert_eq!(incident.victim.process.cmdline.as_deref().unwrap(), ["tail", "/dev/zero"]);
    assert_eq!(container.exit_code(), "137");
}

/// Which of its lives ended is counted, where Docker's word is of that very life.
fn restart_loop() {
    let mut tracer = Tracer::start(&[]);
    // Each life has a /tmp of its own.
    let script = "until [ -e /tmp/go ]; do sleep 0.1; done; exec tail /dev/zero";
    let options = ["--memory", "24m", "--restart", "on-failure:3", "--tmpfs", "/tmp"];
    let container = Container::run(&options, script);
    let mut known = 0;
    for life in 0..3_u32 {
        // It is known by then who its first process is: Docker calls one that it is about to start again running as well.
        let (expected, state) =
            (format!("{life} true false"), "{{.RestartCount}} {{.State.Running}} {{.State.Restarting}}");
        wait_until("Docker has it running", || container.inspect(state) == expected);
        let init = container.init();
        // oomtrace asks for a container's first process a second after it has appeared (container/directory.rs).
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        // It may be gone with the container before its end was seen.
        _ = docker().args(["exec", &container.name, "sh", "-c", ": > /tmp/go"]).output().unwrap();
        let incident = tracer.incident(init);
        assert_own_limit(&incident);
        let found = incident.container.as_ref().unwrap();
        assert_eq!(found.restart_policy.as_deref(), Some("on-failure:3"));
        assert!(found.restart_count.is_none_or(|count| count == life), "{life}: {:?}", found.restart_count);
        known += usize::from(found.restart_count.is_some());
    }
    // Where Docker was slow to say so, it is not known.
    assert!(known > 0);
}

fn child_over_the_limit() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--memory", "24m"], "tail /dev/zero; echo survived; sleep 1000");
    let incident = tracer.incident_in(&container.name);
    assert_named(&incident, &container);
    assert_own_limit(&incident);
    // It had just been started, and the container does not go with it: more memory is no remedy.
    let advice = &incident.verdict.as_ref().unwrap().advice[0];
    assert!(advice.action.starts_with("find out what tail["), "{advice:?}");
    assert_eq!(advice.command, None);
    assert!(!incident.victim.container_init);
    assert_ne!(incident.victim.process.pid_in_namespace, Some(1));
    assert_ne!(incident.victim.process.pid, container.init());
    assert_eq!(incident.container.as_ref().unwrap().init_pid, Some(container.init()));
    container.wait_for_output("survived");
    assert!(container.is_running());
}

/// As Docker in Docker, by the cgroups that it makes.
fn nested() {
    let mut tracer = Tracer::start(&[]);
    let outer = Container::run(&[], "exec sleep 1000");
    let parent = format!("/docker/{}/docker", outer.id);
    make_room(&outer);
    let options = ["--memory", "24m", "--memory-reservation", "12m", "--cgroup-parent", &parent];
    let inner = Container::run(&options, "tail /dev/zero; sleep 1000");
    let incident = tracer.incident_in(&inner.name);
    assert_own_limit(&incident);
    assert_named(&incident, &inner);
    let found = incident.container.unwrap();
    let limits = found.limits.unwrap();
    assert_eq!((limits.memory_bytes, limits.reservation_bytes), (Some(LIMIT), Some(LIMIT / 2)));
    let around = found.outer.unwrap();
    assert_eq!((around.id, around.name), (outer.id.clone(), Some(outer.name.clone())));
}

/// On v2 a cgroup that hands its controllers on holds no process itself: Docker in Docker moves its own out of the way, too.
fn make_room(outer: &Container) {
    let all = cgroups::hierarchies().unwrap();
    let Some(memory) = cgroups::memory(&all).filter(|memory| memory.version == Version::V2) else { return };
    let own = memory.mount.join("docker").join(&outer.id);
    fs::create_dir(own.join("init")).unwrap();
    fs::write(own.join("init/cgroup.procs"), outer.init().to_string()).unwrap();
}

/// Each is removed the moment that it has ended.
fn short_lived() {
    let mut tracer = Tracer::start(&[]);
    for _ in 0..10 {
        let name = Container::run_and_forget(&["--memory", "8m"], "exec tail /dev/zero");
        truth::is_oom(&tracer.incident_in(&name), Cause::OomContainerLimit);
    }
}

fn docker_kill() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    run(docker().args(["kill", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_named(&incident, &container);
    assert_by_runc(&incident, &container, "9");
    assert!(incident.victim.container_init && incident.preceding.is_empty());
    assert_eq!(container.exit_code(), "137");
}

fn stop_time_out() {
    let mut tracer = Tracer::start(&[]);
    // The first process of a pid namespace ignores SIGTERM unless it has a handler.
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    run(docker().args(["stop", "--time", "1", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    assert_named(&incident, &container);
    assert_by_runc(&incident, &container, "9");
    let [stop] = incident.preceding.as_slice() else { panic!("{:?}", incident.preceding) };
    assert_eq!((stop.signal, stop.name.as_str()), (15, "SIGTERM"));
    assert!(stop.before_ms >= 1000, "{}", stop.before_ms);
    assert!(stop.sender.exe.as_deref().unwrap().ends_with("/runc"));
    assert_eq!(stop.disposition, Some(Disposition::Default));
    assert!(incident.verdict.unwrap().advice[0].action.starts_with("handle SIGTERM in pid 1"));
}

/// A container whose first process runs `script` is stopped, and does not; what it had set up for SIGTERM.
fn stopped_in_vain(script: &str) -> Incident {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], &format!("{script}; echo ready; while :; do sleep 0.1; done"));
    container.wait_for_output("ready");
    let init = container.init();
    run(docker().args(["stop", "--time", "1", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    incident
}

fn slow_handler() {
    let incident = stopped_in_vain("trap 'echo not yet' TERM");
    assert_eq!(incident.preceding[0].disposition, Some(Disposition::Handled));
    let verdict = incident.verdict.unwrap();
    assert!(verdict.evidence.iter().any(|e| e.fact.contains("the victim had a handler for it")));
    assert!(verdict.advice[0].action.contains("give it longer"), "{:?}", verdict.advice);
}

fn ignored_signal() {
    let incident = stopped_in_vain("trap '' TERM");
    assert_eq!(incident.preceding[0].disposition, Some(Disposition::Ignored));
}

fn parents_limit() {
    let mut tracer = Tracer::start(&[]);
    let parent = Cgroup::with_memory_limit(LIMIT);
    let container = Container::run(&["--memory", "64m", "--cgroup-parent", &parent.name], "exec tail /dev/zero");
    let incident = tracer.incident_in(&container.name);
    truth::is_oom(&incident, Cause::OomSliceLimit);
    let owner = incident.oom.as_ref().unwrap().limit_owner.as_ref().unwrap();
    assert_eq!((owner.path.as_str(), owner.limit_bytes), (parent.name.as_str(), Some(LIMIT)));
    let levels = &incident.memory.as_ref().unwrap().levels;
    assert_eq!(levels[0].limit_bytes, Some(64 << 20));
    assert_eq!(incident.container.as_ref().unwrap().id, container.id);
}

/// Docker goes on saying that the container was OOM-killed; what ended it is a SIGTERM.
fn term_after_oom() {
    let mut tracer = Tracer::start(&[]);
    let script = "tail /dev/zero; trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done";
    let container = Container::run(&["--memory", "24m"], script);
    let incident = tracer.incident_in(&container.name);
    assert_own_limit(&incident);
    container.wait_for_output("ready");
    let init = container.init();
    run(docker().args(["stop", "--time", "30", &container.name]));
    assert_eq!(container.exit_code(), "0");
    let ended = tracer.end();
    truth::is_none(incidents(&ended.records).filter(|i| i.victim.process.pid == init));
}

/// Docker keeps saying that a container was OOM-killed whose child once was.
fn contradiction() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--memory", "24m"], "tail /dev/zero; echo survived; sleep 1000");
    container.wait_for_output("survived");
    assert_own_limit(&tracer.incident_in(&container.name));
    let of_this = format!("container={}", container.id);
    let noticed = ["events", "--since", "1h", "--until", "0s", "--filter", &of_this, "--filter", "event=oom"];
    wait_until("Docker has noticed", || !run(docker().args(noticed)).is_empty());
    let init = container.init();
    run(docker().args(["kill", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    let said = tracer.wait("what Docker says", |record| match record {
        Record::Contradiction(said) if said.incident == incident.id => Some(said.clone()),
        _ => None,
    });
    assert!(said.fact.starts_with("Docker says OOMKilled=true"), "{}", said.fact);
    assert_eq!((said.container.id, said.source), (container.id.clone(), Source::Runtime));
}

fn exits_with_137() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exit 137");
    assert_eq!(container.exit_code(), "137");
    let exited = tracer.wait("the container's end", |record| match record {
        Record::Exit(exited) if exited.container.as_ref().is_some_and(|c| c.id == container.id) => Some(exited.clone()),
        _ => None,
    });
    assert_eq!((exited.code, exited.container_init, exited.after), (137, true, None));
    assert_eq!(exited.container.and_then(|found| found.name), Some(container.name.clone()));
    let ended = tracer.end();
    truth::is_none(incidents(&ended.records).filter(|i| i.container.as_ref().is_some_and(|c| c.id == container.id)));
}

/// Exit code 137 of the container is its child's SIGKILL, which the shell passes on: the child is what to look at.
fn passed_on() {
    // The shell ends within a millisecond of its child, unless another process has the processor.
    let said = (0..5).any(|_| {
        let mut tracer = Tracer::start(&[]);
        let container = Container::run(&[], "sleep 1000; exit $?");
        let init = container.init();
        wait_until("the child sleeps", || children(init).first().is_some_and(|child| comm(*child) == "sleep"));
        let child = children(init)[0];
        kill(Pid::from_raw(child as i32), Signal::SIGKILL).unwrap();
        let incident = tracer.incident(child);
        let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
        assert!(!incident.victim.container_init);
        assert_eq!(container.exit_code(), "137");
        let went_with_it = |e: &Evidence| e.fact.contains("exited with 137") && e.fact.ends_with("went with it");
        let said = verdict.evidence.iter().any(went_with_it);
        assert_eq!(incident.victim.container_exit.and_then(|exit| exit.code), said.then_some(137));
        said
    });
    assert!(said, "five containers ended with their child, and none was said to");
}

fn init_exits() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "sleep 1000 & echo $!; exit 3");
    let incident = tracer.incident_in(&container.name);
    let verdict = truth::is(&incident, Cause::PidNamespaceExit, Confidence::Certain);
    assert!(verdict.evidence.iter().any(|e| e.fact.ends_with("exited with 3")), "{:?}", verdict.evidence);
    assert_eq!(container.exit_code(), "3");
}

/// Nothing sweeps such a container but its runtime, one process after the other.
fn host_pids() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--pid", "host"], "sleep 1000 & sleep 1000 & sleep 1000 & wait");
    let init = container.init();
    wait_until("the children are there", || children(init).len() == 3);
    let rest = children(init);
    run(docker().args(["kill", &container.name]));
    truth::is(&tracer.incident(init), Cause::RuntimeKill, Confidence::Likely);
    let incident = tracer.wait("an incident of the rest", |record| {
        incidents(std::slice::from_ref(record)).find(|i| rest.contains(&i.victim.process.pid)).cloned()
    });
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_eq!(incident.collateral.len(), 2, "{:?}", incident.collateral);
    // By cgroup.kill where runc and the kernel have that.
    let is_swept = |role| matches!(role, Role::OneByOne | Role::CgroupKill);
    assert!(incident.collateral.iter().all(|c| is_swept(c.role) && rest.contains(&c.process.pid)));
}

/// A worker that does not answer for a second is aborted, and killed when it does not end by that: what people take for
/// an OOM kill.
fn gunicorn() {
    let app = "import signal, time\n\ndef app(environ, start_response): pass\n\n\
               signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])\ntime.sleep(1000)\n";
    let dir = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    std::fs::write(dir.path().join("hangs.py"), app).unwrap();
    let mut tracer = Tracer::start(&[]);
    let directory = format!("{}:/app:ro", dir.path().display());
    let mut options = vec!["--volume", &directory, "--tmpfs", "/tmp"];
    // The machine's own Python and gunicorn, with what they need.
    for system in ["/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro", "/etc:/etc:ro"] {
        options.extend(["--volume", system]);
    }
    let container = Container::run(
        &options,
        "cd /app && exec /usr/bin/gunicorn --timeout 1 --bind unix:/tmp/socket --worker-tmp-dir /tmp hangs:app",
    );
    let incident = tracer.incident_in(&container.name);
    let verdict = truth::is(&incident, Cause::SameContainerKill, Confidence::Certain);
    assert!(!incident.victim.container_init);
    assert_eq!(incident.sender.process.as_ref().map(|sender| sender.pid), Some(container.init()));
    assert!(verdict.evidence.iter().any(|e| e.fact.contains("the sender is gunicorn")), "{:?}", verdict.evidence);
    assert!(verdict.advice[0].action.contains("--timeout"), "{:?}", verdict.advice);
}

fn remove_by_force() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    run(docker().args(["rm", "--force", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    assert_by_runc(&incident, &container, "9");
}

fn restart_time_out() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    run(docker().args(["restart", "--time", "1", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    assert_named(&incident, &container);
    assert!(container.is_running() && container.init() != init);
}

fn swept() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "sleep 1000 & sleep 1000 & wait");
    let init = container.init();
    wait_until("the children are there", || children(init).len() == 2);
    let mut swept = children(init);
    run(docker().args(["kill", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeKill, Confidence::Likely);
    let mut collateral: Vec<u32> = incident.collateral.iter().map(|c| c.process.pid).collect();
    collateral.sort_unstable();
    swept.sort_unstable();
    assert_eq!(collateral, swept);
    assert!(incident.collateral.iter().all(|c| c.role == Role::PidNamespace && c.process.cmdline.is_some()));
    let of_container = |i: &&Incident| i.container.as_ref().is_some_and(|c| c.id == container.id);
    assert_eq!(incidents(&tracer.end().records).filter(of_container).count(), 1);
}

fn stop_obeyed() {
    let tracer = Tracer::start(&[]);
    let container = Container::run(&[], "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done");
    container.wait_for_output("ready");
    run(docker().args(["stop", "--time", "30", &container.name]));
    assert_eq!(container.exit_code(), "0");
    let ended = tracer.end();
    // The loop's last sleep may be swept with the namespace; the shell itself must not be called killed.
    let of_init = |i: &&Incident| i.container.as_ref().is_some_and(|c| c.id == container.id) && i.victim.container_init;
    truth::is_none(incidents(&ended.records).filter(of_init));
}

fn kill_from_the_host() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    let script = format!("kill -9 {init}; true");
    run(Command::new("sh").args(["-c", &script]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_named(&incident, &container);
    let sender = incident.sender.process.unwrap();
    assert_eq!(sender.cmdline.unwrap(), ["sh", "-c", &script]);
    assert_eq!(incident.sender.ancestors[0].pid, std::process::id());
    assert_eq!(incident.sender.container, None);
}

fn kill_inside() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "sleep 1000 & kill -9 $!; wait; echo survived; sleep 1000");
    let incident = tracer.incident_in(&container.name);
    truth::is(&incident, Cause::SameContainerKill, Confidence::Certain);
    assert_named(&incident, &container);
    assert_eq!(incident.sender.process.as_ref().unwrap().pid_in_namespace, Some(1));
    assert_eq!(incident.sender.container.unwrap().name.as_deref(), Some(container.name.as_str()));
    assert!(!incident.victim.container_init);
    container.wait_for_output("survived");
}

fn sidecar() {
    let web = Container::run(&[], "sleep 1000 & wait; sleep 1000");
    let init = web.init();
    wait_until("the child is there", || !children(init).is_empty());
    let child = children(init)[0];
    let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap();
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    let inner = pids.split_whitespace().last().unwrap();
    let mut tracer = Tracer::start(&[]);
    let namespace = format!("container:{}", web.name);
    let side = Container::run(&["--pid", &namespace], &format!("kill -9 {inner}; sleep 1000"));
    let incident = tracer.incident(child);
    let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_named(&incident, &web);
    assert!(verdict.why.ends_with(&format!(" of container {} killed it", side.name)), "{}", verdict.why);
    assert_eq!(incident.sender.container.unwrap().name.as_deref(), Some(side.name.as_str()));
}

/// The container is at its limit all the time, and a person's kill is what ends it: rule 1.
fn kill_at_the_limit() {
    let container = Container::run(
        &["--memory", "24m"],
        "dd if=/dev/zero of=/dev/shm/full bs=1M count=64 2>/dev/null; echo full; exec sleep 1000",
    );
    container.wait_for_output("full");
    let init = container.init();
    let mut tracer = Tracer::start(&[]);
    kill(Pid::from_raw(init as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_named(&incident, &container);
    assert_eq!(incident.oom, None);
}

fn init_from_inside() {
    let tracer = Tracer::start(&[]);
    let container = Container::run(&[], "sh -c 'kill -9 1'; echo alive; exec sleep 1000");
    container.wait_for_output("alive");
    let ended = tracer.end();
    let ours = |i: &&Incident| i.container.as_ref().is_some_and(|c| c.id == container.id);
    truth::is_none(incidents(&ended.records).filter(ours));
    assert!(container.is_running());
}

fn filters() {
    let wanted = Container::run(&[], "sleep 1000 & wait; sleep 1000");
    let other = Container::run(&[], "exec sleep 1000");
    let (id, name) = (&wanted.id[..12], format!("{}*", wanted.name));
    let (by_id, by_name) = (Tracer::start(&["--container", id]), Tracer::start(&["--container", &name]));
    let by_cause = Tracer::start(&["--container", &name, "--cause", "oom_host"]);
    let by_cgroup = Tracer::start(&["--cgroup", &format!("/docker/{}", wanted.id)]);
    let (wanted_init, other_init) = (wanted.init(), other.init());
    wait_until("the child is there", || !children(wanted_init).is_empty());
    for pid in [other_init, children(wanted_init)[0], wanted_init] {
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    }
    for mut tracer in [by_id, by_name, by_cgroup] {
        let incident = tracer.incident(wanted_init);
        assert_eq!(incident.container.unwrap().id, wanted.id);
        let ended = tracer.end();
        let foreign = |i: &&Incident| i.container.as_ref().is_none_or(|c| c.id != wanted.id);
        assert_eq!(incidents(&ended.records).find(foreign), None);
    }
    assert_eq!(incidents(&by_cause.end().records).count(), 0);
}

/// A listener that accepts and never answers stands in for a daemon that hangs.
fn hung_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut tracer = Tracer::start(&["--docker-socket", socket.to_str().unwrap()]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    kill(Pid::from_raw(init as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let found = incident.container.unwrap();
    assert_eq!((found.id, found.name, found.image), (container.id.clone(), None, None));
    assert!(incident.missing.iter().any(|m| m.contains("did not answer")), "{:?}", incident.missing);
    let ended = tracer.end();
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("did not answer within 2 s; its containers go by their ids"), "{}", ended.stderr);
}
