//! What oomtrace advises, done exactly as it says, and whether it helps: the limit is what was promised, and what was killed lives on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oomtrace::model::{Advice, Cause, Incident, Record};
use oomtrace::node::cgroups;

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::docker::{Container, IMAGE, docker, socket};
use crate::support::growth::{BLOCK, KEEP};
use crate::support::needs::Need::{self, Alone, Busybox, Compose, Docker, MemoryCgroup, Tracing};
use crate::support::process::{Owned, field, run, run_as_printed, wait_until};
use crate::support::tracer::{Tracer, command};
use crate::support::truth;

const DOCKER: &[Need] = &[Tracing, Busybox, Docker, MemoryCgroup];
const COMPOSE: &[Need] = &[Tracing, Busybox, Docker, MemoryCgroup, Compose];
/// A daemon that leaves a swarm ends its tasks, and says so to all that listen.
const ALONE: &[Need] = &[Alone, Tracing, Busybox, Docker, MemoryCgroup];
const CGROUP: &[Need] = &[Tracing, MemoryCgroup];

/// It has this much and no more: too much for the limit, and not for the one that is advised.
const NEEDS_28M: &str = "exec dd if=/dev/zero of=/dev/null bs=28M";
const LIMIT: &str = "24m";
const MIB: u64 = 1 << 20;

pub const ALL: &[Scenario] = &[
    Scenario { name: "remedies::docker_update", needs: DOCKER, run: docker_update },
    Scenario { name: "remedies::a_container_for_once", needs: DOCKER, run: once },
    Scenario { name: "remedies::compose_and_its_file", needs: COMPOSE, run: compose },
    Scenario { name: "remedies::a_swarms_service", needs: ALONE, run: swarm },
    Scenario { name: "remedies::a_cgroups_file", needs: CGROUP, run: cgroups_file },
    Scenario { name: "remedies::a_cgroups_file_where_swap_is_limited", needs: CGROUP, run: with_swap_limited },
    Scenario { name: "remedies::a_need_that_grows_with_the_limit", needs: CGROUP, run: growing },
    Scenario { name: "remedies::a_need_that_grows_with_the_limit_of_what_is_made_anew", needs: DOCKER, run: made_anew },
    Scenario { name: "remedies::what_lies_in_tmpfs", needs: DOCKER, run: tmpfs },
    Scenario { name: "remedies::the_log_of_a_container_that_killed", needs: DOCKER, run: sidecars_log },
];

fn advice(incident: &Incident) -> &[Advice] {
    &incident.verdict.as_ref().unwrap().advice
}

/// The limit of a memory cgroup, in bytes, as the kernel has it.
fn limit_of(cgroup: &str) -> u64 {
    let all = cgroups::hierarchies().unwrap();
    let directory = cgroups::memory(&all).unwrap().mount.join(cgroup.trim_start_matches('/'));
    let read = |file: &str| fs::read_to_string(directory.join(file)).ok();
    read("memory.max").or_else(|| read("memory.limit_in_bytes")).unwrap().trim().parse().unwrap()
}

fn limit_owner(incident: &Incident) -> &str {
    &incident.oom.as_ref().unwrap().limit_owner.as_ref().unwrap().path
}

/// It has what it needs, more than its limit was.
fn assert_has_28m(pid: impl Fn() -> Option<u32>) {
    wait_until("it has the memory that it needs", || pid().is_some_and(|pid| field(pid, "RssAnon") >= 28 * MIB));
}

fn assert_container_lives(name: &str) {
    let pid =
        || run(docker().args(["inspect", "--format", "{{.State.Pid}}", name])).parse().ok().filter(|pid| *pid != 0);
    assert_has_28m(pid);
}

fn docker_update() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--memory", LIMIT], NEEDS_28M);
    let incident = tracer.incident_in(&container.name);
    truth::is_oom(&incident, Cause::OomContainerLimit);
    let [raise] = advice(&incident) else { panic!("{:?}", advice(&incident)) };
    assert!(raise.action.contains("to 36 MiB or more"), "{raise:?}");
    let inspect = |what: &str| run(docker().args(["inspect", "--format", what, &container.name]));
    let swap = |total: &str| total.parse::<i64>().unwrap();
    let total_before = swap(&inspect("{{.HostConfig.MemorySwap}}"));
    // Nobody is as fast as this: Docker does not update one that is just ending.
    container.exit_code();
    run_as_printed(raise.command.as_deref().unwrap());
    assert_eq!(inspect("{{.HostConfig.Memory}}"), (36 * MIB).to_string());
    // What it may swap is as it was.
    let total = swap(&inspect("{{.HostConfig.MemorySwap}}"));
    assert!(total == total_before || total - total_before == 12 * MIB as i64, "{total_before} {total}");
    run(docker().args(["start", &container.name]));
    assert_container_lives(&container.name);
    assert_eq!(limit_of(limit_owner(&incident)), 36 * MIB);
}

/// `docker run --rm`: with the container, its limit goes.
fn once() {
    let mut tracer = Tracer::start(&[]);
    // Docker is asked about it while it lives.
    let name = Container::run_and_forget(&["--memory", LIMIT], &format!("sleep 1; {NEEDS_28M}"));
    let incident = tracer.incident_in(&name);
    assert_eq!(incident.container.as_ref().unwrap().auto_remove, Some(true));
    let [again] = advice(&incident) else { panic!("{:?}", advice(&incident)) };
    assert_eq!(again.command, None);
    let options = again.action.strip_prefix("start it with ").and_then(|rest| rest.strip_suffix(" the next time"));
    let options: Vec<&str> = options.unwrap().split(' ').collect();
    let next = Container::run(&[&["--rm"], &options[..]].concat(), NEEDS_28M);
    assert_container_lives(&next.name);
}

/// A project of one service, which is taken down when it goes out of scope.
struct Project {
    directory: tempfile::TempDir,
    name: String,
}

impl Project {
    fn new() -> Self {
        // The image is there once a container was made of it.
        drop(Container::run(&[], "true"));
        let project =
            Self { directory: tempfile::tempdir().unwrap(), name: format!("oomtrace-test-{}", std::process::id()) };
        let service = format!(
            "version: '2.4'\nservices:\n  web:\n    image: {IMAGE}\n    network_mode: none\n    mem_limit: {LIMIT}\n    \
             command: [sh, -c, '{NEEDS_28M}']\n"
        );
        fs::write(project.file(), service).unwrap();
        project
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("docker-compose.yml")
    }

    fn compose(&self, arguments: &[&str]) -> String {
        let mut compose = Command::new("docker-compose");
        compose.env("DOCKER_HOST", format!("unix://{}", socket().unwrap().display()));
        run(compose.args(["-p", &self.name]).arg("-f").arg(self.file()).args(arguments))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let mut compose = Command::new("docker-compose");
        compose.env("DOCKER_HOST", format!("unix://{}", socket().unwrap().display()));
        let down = ["down", "--timeout", "0"];
        _ = compose.args(["-p", &self.name]).arg("-f").arg(self.file()).args(down).output();
    }
}

fn compose() {
    let mut tracer = Tracer::start(&[]);
    let project = Project::new();
    let next = |tracer: &mut Tracer, before: &[String]| {
        tracer.wait("the service's OOM kill", |record| match record {
            Record::Incident(i) if i.oom.is_some() && !before.contains(&i.id) => {
                let labels = i.container.as_ref()?.labels.as_ref()?;
                (labels.get("com.docker.compose.project") == Some(&project.name)).then(|| i.clone())
            }
            _ => None,
        })
    };
    project.compose(&["up", "-d"]);
    let first = next(&mut tracer, &[]);
    let [now, keep] = advice(&first) else { panic!("{:?}", advice(&first)) };
    run_as_printed(now.command.as_deref().unwrap());
    let name = first.container.as_ref().unwrap().name.clone().unwrap();
    run(docker().args(["start", &name]));
    assert_container_lives(&name);
    // Lost, as it says.
    assert!(keep.why.contains("when it makes the container anew"), "{keep:?}");
    project.compose(&["up", "-d", "--force-recreate", "--timeout", "0"]);
    let second = next(&mut tracer, std::slice::from_ref(&first.id));
    let [_, keep] = advice(&second) else { panic!("{:?}", advice(&second)) };
    // What it says to write, where it says.
    let file = project.file();
    let rest = keep.action.strip_prefix("so that it stays: ").unwrap();
    let (setting, rest) = rest.split_once(", or ").unwrap();
    let (socket, shown) = (socket().unwrap(), file.display());
    let command = format!("docker-compose -H unix://{} -p {} -f {shown} up -d web", socket.display(), project.name);
    let place = format!(" for service web in {shown}, then {command}");
    assert!(rest.contains(&place), "{keep:?}");
    let text = fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.trim().starts_with("mem_limit:")).unwrap().trim();
    fs::write(&file, text.replace(line, setting)).unwrap();
    run_as_printed(&command);
    assert_container_lives(&name);
    let set = run(docker().args(["inspect", "--format", "{{.HostConfig.Memory}}", &name]));
    assert_eq!(set, (36 * MIB).to_string());
}

/// A swarm of one node with one service, which ends when it goes out of scope.
struct Swarm;

impl Swarm {
    fn start(service: &str) -> Self {
        drop(Container::run(&[], "true"));
        run(docker().args(["swarm", "init", "--advertise-addr", "127.0.0.1"]));
        // Made before the service is, so that it ends even when that fails.
        let swarm = Self;
        let create =
            ["service", "create", "--detach", "--no-resolve-image", "--limit-memory", LIMIT, "--name", service];
        run(docker().args(create).args([IMAGE, "sh", "-c", NEEDS_28M]));
        swarm
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        _ = docker().args(["swarm", "leave", "--force"]).output();
    }
}

fn swarm() {
    let mut tracer = Tracer::start(&[]);
    let service = format!("oomtrace-test-{}", std::process::id());
    let _swarm = Swarm::start(&service);
    let of_service = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get("com.docker.swarm.service.name") == Some(&service)
    };
    let incident = tracer.wait("the task's OOM kill", |record| match record {
        Record::Incident(i) if i.oom.is_some() && i.container.as_ref()?.labels.as_ref().is_some_and(of_service) => {
            Some(i.clone())
        }
        _ => None,
    });
    let command = advice(&incident)[0].command.as_deref().unwrap();
    let host = format!("--host unix://{}", socket().unwrap().display());
    assert_eq!(command, format!("docker {host} service update --limit-memory 36M {service}"));
    run_as_printed(command);
    let filter = format!("label=com.docker.swarm.service.name={service}");
    let pid = || {
        let running = run(docker().args(["ps", "--quiet", "--filter", &filter]));
        running.lines().find_map(|id| {
            let limit_and_pid = ["inspect", "--format", "{{.HostConfig.Memory}} {{.State.Pid}}", id];
            let output = docker().args(limit_and_pid).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            text.trim().strip_prefix(&format!("{} ", 36 * MIB))?.parse::<u32>().ok().filter(|pid| *pid != 0)
        })
    };
    assert_has_28m(pid);
}

/// A process of the cgroup that needs so much.
fn needing(cgroup: &Cgroup, mib: u64) -> Owned {
    let script = format!("echo $$ > {} && exec dd if=/dev/zero of=/dev/null bs={mib}M", cgroup.procs().display());
    Owned::spawn(Command::new("sh").args(["-c", &script]))
}

/// It is killed for its need.
fn killed(tracer: &mut Tracer, cgroup: &Cgroup, mib: u64) -> Incident {
    let mut victim = needing(cgroup, mib);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is_oom(&incident, Cause::OomSliceLimit);
    incident
}

fn raise(incident: &Incident) {
    let command = advice(incident)[0].command.as_deref().unwrap();
    // The paths that it writes are those that are mounted here.
    let all = cgroups::hierarchies().unwrap();
    let mount = &cgroups::memory(&all).unwrap().mount;
    assert!(command.contains(&format!(" > {}{}/", mount.display(), limit_owner(incident))), "{command}");
    run_as_printed(command);
}

fn cgroups_file() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(24 * MIB);
    let incident = killed(&mut tracer, &cgroup, 28);
    raise(&incident);
    assert_eq!(limit_of(&cgroup.name), 36 * MIB);
    let again = needing(&cgroup, 28);
    assert_has_28m(|| Some(again.pid()));
}

/// On v1, memory and swap together have to be raised first.
fn with_swap_limited() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(24 * MIB);
    for (file, bytes) in [("memory.swap.max", 0), ("memory.memsw.limit_in_bytes", 24 * MIB)] {
        if cgroup.has(file) {
            cgroup.write(file, &bytes.to_string());
        }
    }
    let incident = killed(&mut tracer, &cgroup, 28);
    raise(&incident);
    assert_eq!(limit_of(&cgroup.name), 36 * MIB);
    let again = needing(&cgroup, 28);
    assert_has_28m(|| Some(again.pid()));
}

/// Each time it needs more than it was given: the steps grow, and then more is no remedy any longer.
fn growing() {
    let mut tracer = Tracer::start(&[]);
    let cgroup = Cgroup::with_memory_limit(24 * MIB);
    let first = killed(&mut tracer, &cgroup, 28);
    raise(&first);
    assert_eq!(limit_of(&cgroup.name), 36 * MIB);
    let second = killed(&mut tracer, &cgroup, 40);
    assert!(advice(&second)[0].why.contains("24 MiB were used up before, and now 36 MiB"), "{:?}", advice(&second));
    raise(&second);
    assert_eq!(limit_of(&cgroup.name), 72 * MIB);
    let third = killed(&mut tracer, &cgroup, 80);
    let [leak] = advice(&third) else { panic!("{:?}", advice(&third)) };
    assert_eq!(leak.command, None);
    assert!(leak.why.contains("24 MiB, 36 MiB, 72 MiB; that is how a leak looks"), "{leak:?}");
}

/// Each has another cgroup: that its limit was raised is in the history.
fn made_anew() {
    let history = tempfile::tempdir().unwrap();
    let path = history.path().join("history.db");
    let mut tracer = Tracer::start(&["--history", path.to_str().unwrap()]);
    let leaks = format!("{BLOCK}; while :; do {KEEP}; sleep 0.1; done");
    let is_kept = |count: usize| {
        let mut asked = command();
        let output = asked.args(["history", "--all", "--json", "--history"]).arg(&path).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("oom_container_limit")).count()
            >= count
    };
    let mut container: Option<Container> = None;
    let mut killed = |tracer: &mut Tracer, limit: &str| {
        let options = ["--memory", limit, "--memory-swap", limit];
        let own = match container.take() {
            Some(before) => before.anew(&options, &leaks),
            None => Container::run(&options, &leaks),
        };
        // The one before had its name, too.
        let incident = tracer.wait("its kill", |record| match record {
            Record::Incident(incident) if incident.container.as_ref().is_some_and(|found| found.id == own.id) => {
                Some(incident.clone())
            }
            _ => None,
        });
        container = Some(own);
        incident
    };
    let first = killed(&mut tracer, "24m");
    assert!(advice(&first)[0].action.contains("to 36 MiB or more"), "{:?}", advice(&first));
    wait_until("the first is kept", || is_kept(1));
    let second = killed(&mut tracer, "40m");
    assert!(advice(&second)[0].action.contains("to 80 MiB or more"), "{:?}", advice(&second));
    wait_until("the second is kept", || is_kept(2));
    let third = killed(&mut tracer, "64m");
    let [leak] = advice(&third) else { panic!("{:?}", advice(&third)) };
    assert_eq!(leak.command, None);
    assert!(leak.why.contains("24 MiB, 40 MiB, 64 MiB; that is how a leak looks"), "{leak:?}");
}

/// A larger limit would fill up as well.
fn tmpfs() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(
        &["--memory", LIMIT, "--tmpfs", "/t:size=100m"],
        "dd if=/dev/zero of=/t/full bs=1M count=64; exec sleep 1000",
    );
    let incident = tracer.incident_in(&container.name);
    truth::is_oom(&incident, Cause::OomContainerLimit);
    let first = &advice(&incident)[0];
    assert!(first.action.starts_with("delete what lies in tmpfs or /dev/shm"), "{first:?}");
    assert!(advice(&incident).iter().all(|advice| !advice.command.as_deref().unwrap_or_default().contains("update")));
    // Where the container's first process lives, it is looked at from outside: within there is no room for another process.
    if let Some(command) = &first.command {
        let shown = run_as_printed(command);
        assert!(shown.lines().any(|line| line.starts_with("2") && line.ends_with("/root/t")), "{command}: {shown}");
        assert_eq!(container.init(), incident.container.and_then(|container| container.init_pid).unwrap());
    }
}

fn sidecars_log() {
    let web = Container::run(&[], "sleep 1000 & wait; sleep 1000");
    let init = web.init();
    let children = || crate::support::process::children(init);
    wait_until("the child is there", || !children().is_empty());
    let child = children()[0];
    let status = fs::read_to_string(Path::new("/proc").join(child.to_string()).join("status")).unwrap();
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    let inner = pids.split_whitespace().last().unwrap();
    let mut tracer = Tracer::start(&[]);
    let namespace = format!("container:{}", web.name);
    let _side = Container::run(&["--pid", &namespace], &format!("echo I do not like it; kill -9 {inner}; sleep 1000"));
    let incident = tracer.incident(child);
    let [look] = advice(&incident) else { panic!("{:?}", advice(&incident)) };
    assert_eq!(run_as_printed(look.command.as_deref().unwrap()), "I do not like it");
}
