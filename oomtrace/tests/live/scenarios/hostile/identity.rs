//! Processes, cgroups and executables that pretend to be a container, a runtime or somebody else.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::chown;
use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Confidence, Incident, LimitLevel, Record};

use crate::Scenario;
use crate::support::cgroup::{Cgroup, Nested};
use crate::support::docker::Container;
use crate::support::needs::Need::{
    self, Busybox, CgroupKill, Docker, MachineRoot, MemoryCgroup, OwnNamespaces, Tracing,
};
use crate::support::process::{Owned, children, comm, run, wait_until};
use crate::support::tracer::{Tracer, command, incidents};
use crate::support::truth;

const DOCKER: &[Need] = &[Tracing, Busybox, Docker];
const CGROUPS: &[Need] = &[Tracing, Busybox, Docker, MemoryCgroup];
const V2: &[Need] = &[Tracing, CgroupKill];

pub const ALL: &[Scenario] = &[
    Scenario { name: "hostile::identity::a_users_cgroup_with_a_containers_name", needs: CGROUPS, run: same_name },
    Scenario { name: "hostile::identity::a_limit_on_a_cgroup_with_a_containers_name", needs: CGROUPS, run: limit },
    Scenario { name: "hostile::identity::a_path_too_deep_to_be_seen_whole", needs: CGROUPS, run: deep },
    Scenario { name: "hostile::identity::a_cgroup_within_a_container_named_like_another", needs: CGROUPS, run: within },
    Scenario { name: "hostile::identity::without_a_runtime_nothing_is_certain", needs: V2, run: unconfirmed },
    Scenario { name: "hostile::identity::pid_1_of_a_namespace_within_a_container", needs: DOCKER, run: inner_init },
    Scenario {
        name: "hostile::identity::programs_in_a_mount_namespace_of_ones_own",
        needs: &[Tracing, OwnNamespaces],
        run: pretender,
    },
    Scenario {
        name: "hostile::identity::a_shell_that_calls_itself_a_runtime",
        needs: &[Tracing, OwnNamespaces],
        run: by_name,
    },
    Scenario {
        name: "hostile::identity::a_containers_user_is_none_of_the_hosts",
        needs: &[Tracing, Busybox, Docker, OwnNamespaces],
        run: users,
    },
    Scenario {
        name: "hostile::identity::a_program_too_deep_to_be_seen_whole",
        needs: &[Tracing, MachineRoot],
        run: deep_program,
    },
    Scenario { name: "hostile::identity::a_sender_in_a_tracers_hand", needs: &[Tracing], run: traced },
    Scenario { name: "hostile::identity::without_the_hosts_pids_it_says_so", needs: &[Tracing], run: other_pids },
];

/// Nobody in particular, who owns some cgroups.
const UID: u32 = 12_345;
const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

/// Runs `script` as that user, without any privilege, in a cgroup from the start.
fn as_user(cgroup: Option<&Cgroup>, script: &str) -> Command {
    let enter = cgroup.map(|cgroup| format!("echo $$ > {} && ", cgroup.procs().display())).unwrap_or_default();
    let mut command = Command::new("sh");
    let drop = format!("setpriv --reuid {UID} --regid {UID} --clear-groups --inh-caps=-all");
    command.args(["-c", &format!("{enter}exec {drop} sh -c \"$0\"")]).arg(script);
    command
}

/// A sleeper of the user's, in a cgroup.
fn sleeper(cgroup: Option<&Cgroup>, script: &str) -> Owned {
    let mut command = as_user(cgroup, script);
    let sleeper = Owned::spawn(&mut command);
    wait_until("the sleeper sleeps", || comm(sleeper.pid()) == "sleep");
    sleeper
}

/// Hands a cgroup's directory to the user, as systemd does for one who may make more below.
fn delegate(cgroup: &Cgroup) {
    let dir = cgroup.procs().parent().unwrap().to_owned();
    chown(&dir, Some(UID), Some(UID)).unwrap();
    chown(cgroup.procs(), Some(UID), Some(UID)).unwrap();
}

/// One process of the user's kills another of the same cgroup.
fn kill_within(tracer: &mut Tracer, cgroup: &Cgroup) -> Incident {
    let victim = sleeper(Some(cgroup), "exec sleep 1000");
    run(&mut as_user(Some(cgroup), &format!("kill -9 {}; true", victim.pid())));
    tracer.incident(victim.pid())
}

/// The incident is not the container's, and nothing in it is called like it.
fn assert_not_named(incident: &Incident, container: &Container) {
    assert_eq!(incident.container, None);
    assert_eq!(incident.sender.container, None);
    let verdict = incident.verdict.as_ref().unwrap();
    let said = format!("{} {:?}", verdict.summary, verdict.advice);
    assert!(!said.contains(&container.name), "{said}");
    // Nothing is done to the container: no more than the limit of the cgroup that was hit is written.
    let hit =
        incident.oom.as_ref().and_then(|oom| oom.limit_owner.as_ref()).map(|owner| format!("{}/memory.", owner.path));
    let is_its_own = |command: &String| {
        command.starts_with("echo ") && hit.as_ref().is_some_and(|hit| command.contains(hit.as_str()))
    };
    assert!(verdict.advice.iter().filter_map(|advice| advice.command.as_ref()).all(is_its_own), "{said}");
}

fn same_name() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    for own in [Cgroup::v2(), Cgroup::with_memory_limit(64 << 20)] {
        delegate(&own);
        for name in [format!("docker-{}.scope", container.id), container.id.clone()] {
            let cgroup = own.child(&name);
            delegate(&cgroup);
            let incident = kill_within(&mut tracer, &cgroup);
            truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
            assert_not_named(&incident, &container);
            let evidence = incident.verdict.unwrap().evidence;
            assert!(evidence.iter().any(|e| e.fact.contains("only has the name of container")), "{evidence:?}");
        }
    }
    assert!(container.is_running());
}

fn limit() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&["--memory", "64m"], "exec sleep 1000");
    let own = Cgroup::with_memory_limit(256 << 20);
    let cgroup = own.child_with_memory_limit(&format!("docker-{}.scope", container.id), 24 << 20);
    let mut hog = Owned::spawn(&mut as_user(Some(&cgroup), "exec tail /dev/zero"));
    let incident = tracer.incident(hog.pid());
    hog.wait();
    truth::is_oom(&incident, Cause::OomSliceLimit);
    assert_not_named(&incident, &container);
    assert_eq!(incident.oom.unwrap().limit_owner.unwrap().level, LimitLevel::Slice);
}

/// Eighteen names of a path are recorded; those of this one look like the container's path.
fn deep() {
    let mut tracer = Tracer::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let all = Nested::v2(["docker", &container.id].into_iter().chain(std::iter::repeat_n("x", 16)));
    let incident = kill_within(&mut tracer, all.innermost());
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_not_named(&incident, &container);
}

/// Sixteen names of a path are recorded; those of this one look like another program's path.
fn deep_program() {
    let mut tracer = Tracer::start(&[]);
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let below = dir.path().join("usr/sbin/1/2/3/4/5/6/7/8/9/10/11/12/13");
    fs::create_dir_all(&below).unwrap();
    let program = below.join("sshd");
    fs::copy("/bin/sh", &program).unwrap();
    let victim = sleeper(None, "exec sleep 1000");
    // It lives until its incident is there: `/proc` may say what the kernel side cannot.
    let script =
        format!("exec {} -c 'kill -9 {}; exec 0< /dev/null; sleep 1000; true'", program.display(), victim.pid());
    let killer = Owned::spawn(&mut as_user(None, &script));
    let incident = tracer.incident(victim.pid());
    drop(killer);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let exe = incident.sender.process.unwrap().exe;
    assert!(exe.is_none() || exe.as_deref() == program.to_str(), "{exe:?}");
}

/// What a process does while another one has it in hand is not its own wish.
fn traced() {
    let mut tracer = Tracer::start(&[]);
    let victim = sleeper(None, "exec sleep 1000");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("read go; kill -9 {}", victim.pid())]).stdin(Stdio::piped());
    let mut sender = command.spawn().unwrap();
    // SAFETY: it changes nothing of this process.
    let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, sender.id() as libc::pid_t, 0, 0) };
    assert_eq!(seized, 0, "{}", std::io::Error::last_os_error());
    writeln!(sender.stdin.take().unwrap(), "go").unwrap();
    let incident = tracer.incident(victim.pid());
    sender.wait().unwrap();
    let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Possible);
    assert!(incident.sender.traced);
    assert!(verdict.evidence.iter().any(|e| e.fact.contains("was being traced")), "{:?}", verdict.evidence);
}

/// A container that may make cgroups within its own calls one like its neighbour.
fn within() {
    let mut tracer = Tracer::start(&[]);
    let (container, other) = (Container::run(&[], "exec sleep 1000"), Container::run(&[], "exec sleep 1000"));
    let all = oomtrace::node::cgroups::hierarchies().unwrap();
    let memory = oomtrace::node::cgroups::memory(&all).unwrap();
    let own = memory.mount.join("docker").join(&container.id);
    let inner = own.join("docker").join(&other.id);
    fs::create_dir_all(&inner).unwrap();
    let script = format!("echo $$ > {}/cgroup.procs && exec sleep 1000", inner.display());
    let mut victim = Owned::spawn(Command::new("sh").args(["-c", &script]));
    wait_until("the sleeper sleeps", || comm(victim.pid()) == "sleep");
    victim.kill(Signal::SIGKILL);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let found = incident.container.unwrap();
    assert_eq!((found.id, found.name, found.outer), (container.id.clone(), Some(container.name.clone()), None));
    wait_until("the cgroup is empty", || fs::remove_dir(&inner).is_ok());
    fs::remove_dir(inner.parent().unwrap()).unwrap();
}

/// There is no Docker to ask: the name is all that there is.
fn unconfirmed() {
    let mut tracer = Tracer::start(&["--docker-socket", "/nonexistent/docker.sock"]);
    let own = Cgroup::v2();
    let cgroup = own.child(&format!("docker-{ID}.scope"));
    let incident = kill_within(&mut tracer, &cgroup);
    truth::is(&incident, Cause::SameContainerKill, Confidence::Likely);
    let found = incident.container.unwrap();
    assert_eq!((found.confirmed, found.name, found.id.as_str()), (false, None, ID));
    assert!(incident.missing.iter().any(|missing| missing.contains("as its name says")), "{:?}", incident.missing);
}

fn inner_init() {
    let mut tracer = Tracer::start(&[]);
    let options =
        ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"];
    let container = Container::run(&options, "busybox unshare -p -f sh -c 'sleep 1000 & wait' & wait; exec sleep 1000");
    let init = container.init();
    let inner = || {
        let unshare = children(init).into_iter().next()?;
        let inner = children(unshare).into_iter().next()?;
        children(inner).first().is_some_and(|child| comm(*child) == "sleep").then_some(inner)
    };
    wait_until("the namespace has a child", || inner().is_some());
    let inner = inner().unwrap();
    kill(Pid::from_raw(inner as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(inner);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_eq!((incident.victim.container_init, incident.victim.process.pid_in_namespace), (false, Some(1)));
    let found = incident.container.unwrap();
    assert_eq!((found.id.as_str(), found.init_pid), (container.id.as_str(), Some(init)));
    assert!(container.is_running());
    // The container's own end is none of that kill's.
    drop(container);
    let ended = tracer.end();
    let of_inner = |record: &&Record| matches!(record, Record::Contradiction(said) if said.incident == incident.id);
    assert_eq!(ended.records.iter().filter(of_inner).count(), 0);
}

/// Programs of any name lie in a mount namespace of one's own, and kill.
fn pretender() {
    let mut tracer = Tracer::start(&[]);
    // Within a pid namespace, as a container's process is.
    let outer = Owned::spawn(&mut as_user(None, "exec unshare -U -r -p -f sleep 1000"));
    wait_until("the victim sleeps", || children(outer.pid()).first().is_some_and(|child| comm(*child) == "sleep"));
    for (number, name) in ["earlyoom", "systemd", "systemd-oomd", "containerd", "runc"].into_iter().enumerate() {
        let is_last = number == 4;
        let other = sleeper(None, "exec sleep 1000");
        let victim = if is_last { children(outer.pid())[0] } else { other.pid() };
        let make = format!("mount -t tmpfs none /usr/sbin && cp /bin/sh /usr/sbin/{name}");
        let script = format!("unshare -U -r -m sh -c '{make} && exec /usr/sbin/{name} -c \"kill -9 {victim}; true\"'");
        run(&mut as_user(None, &script));
        let incident = tracer.incident(victim);
        let verdict = truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
        let evidence = &verdict.evidence;
        assert!(evidence.iter().any(|e| e.fact.contains("user namespace of its own: that proves")), "{evidence:?}");
        let sender = incident.sender.process.unwrap();
        assert_eq!(sender.exe.as_deref(), Some(format!("/usr/sbin/{name}").as_str()));
        assert_eq!((sender.uid, sender.user, incident.requester), (Some(UID), None, None));
    }
}

/// On the host, by a user: what it calls its file, itself and its first argument.
fn by_name() {
    let mut tracer = Tracer::start(&[]);
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let outer = Owned::spawn(&mut as_user(None, "exec unshare -U -r -p -f sleep 1000"));
    wait_until("the victim sleeps", || children(outer.pid()).first().is_some_and(|child| comm(*child) == "sleep"));
    let victim = children(outer.pid())[0];
    let shim = dir.path().join("containerd-shim-runc-v2");
    fs::copy("/bin/sh", &shim).unwrap();
    run(&mut as_user(None, &format!("{} -c 'kill -9 {victim}; true'", shim.display())));
    let incident = tracer.incident(victim);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert!(incident.sender.process.unwrap().comm.starts_with("containerd-shim"));
}

fn users() {
    let mut tracer = Tracer::start(&[]);
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let fields: Vec<&str> = passwd.lines().find(|line| !line.starts_with("root:")).unwrap().split(':').collect();
    let (name, uid) = (fields[0], fields[2]);
    let container = Container::run(&["--user", uid], "exec sleep 1000");
    let user = |pid: u32, tracer: &mut Tracer| {
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
        let process = tracer.incident(pid).victim.process;
        assert_eq!(process.uid, uid.parse().ok());
        process.user
    };
    assert_eq!(user(container.init(), &mut tracer), None);
    let as_it = ["--reuid", uid, "--regid", "1", "--clear-groups"];
    let on_host = Owned::spawn(Command::new("setpriv").args(as_it).args(["sleep", "1000"]));
    wait_until("the sleeper sleeps", || comm(on_host.pid()) == "sleep");
    assert_eq!(user(on_host.pid(), &mut tracer).as_deref(), Some(name));
    let apart = Owned::spawn(Command::new("setpriv").args(as_it).args(["unshare", "-U", "-r", "sleep", "1000"]));
    wait_until("the sleeper sleeps", || comm(apart.pid()) == "sleep");
    assert_eq!(user(apart.pid(), &mut tracer), None);
    assert!(incidents(&tracer.seen).count() >= 3);
}

fn other_pids() {
    let program = command().get_program().to_owned();
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(program).args(["--json"]);
    let mut child = unshare.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    _ = child.kill();
    child.wait().unwrap();
    let Record::Ready(ready) = serde_json::from_str(&line).unwrap() else { panic!("{line}") };
    assert!(ready.missing.iter().any(|missing| missing.starts_with("the host's pids")), "{:?}", ready.missing);
}
