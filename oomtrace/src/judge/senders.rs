//! What kind of program a sender is: a runtime (by its profile), a service manager, the kubelet, an OOM daemon.
//!
//! A path is worth what its mount namespace is: in one of one's own anything is `/usr/sbin/runc`, and whoever has a user namespace
//! makes such a one without any privilege. So a runtime, a service manager or an OOM daemon is known by its executable *and* by
//! where it runs ([`classify`]); what a process calls itself, its comm and its arguments, never counts by itself.

use crate::model::Process;
use crate::placement::Placement;
use crate::profile::{self, Profile};

/// What a sender is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Makes and kills containers.
    Runtime,
    /// systemd.
    ServiceManager,
    /// Kubernetes' agent on the node.
    Kubelet,
    /// Kills before the kernel has to.
    OomDaemon,
}

/// Programs of service managers, kubelets and OOM daemons; those of runtimes are in their profiles.
const PROGRAMS: &[(&str, Class)] = &[
    ("systemd", Class::ServiceManager),
    ("systemd-executor", Class::ServiceManager),
    ("kubelet", Class::Kubelet),
    // Distributions that have the kubelet in one program with all else.
    ("k3s", Class::Kubelet),
    ("kubelite", Class::Kubelet),
    ("systemd-oomd", Class::OomDaemon),
    ("earlyoom", Class::OomDaemon),
    ("oomd", Class::OomDaemon),
    ("nohang", Class::OomDaemon),
];

/// Where programs are installed, by whoever may write there.
const INSTALLED: &[&str] = &["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/usr/local/bin/", "/run/wrappers/bin/"];

/// Interpreters whose script is the program.
const INTERPRETERS: &[&str] = &["python*", "ruby*", "node", "perl"];

/// Units of systemd's that have a mount namespace of their own, made for them by systemd, and often a user of their own: which
/// program may be what in which, besides the units of runtimes. Only root puts processes into them.
const SERVICES: &[(&str, Class)] = &[
    ("systemd-oomd.service", Class::OomDaemon),
    ("earlyoom.service", Class::OomDaemon),
    ("oomd.service", Class::OomDaemon),
    ("nohang.service", Class::OomDaemon),
    ("nohang-desktop.service", Class::OomDaemon),
];

/// Where distributions have systemd: a user's own manager runs as that user, who may call anything else `systemd`.
const SYSTEMD: &[&str] = &["/usr/lib/systemd/", "/lib/systemd/", "/nix/store/"];

/// A process's class: by its program, and by where that runs. None for any other program, for one that runs inside a container,
/// and for one that only looks like it.
///
/// It is root in the host's namespaces, or in a unit of systemd's that is its own. `owner` is the user whose own the victim is:
/// that user's runtimes and service manager are such for what is the user's own.
#[must_use]
pub fn classify(process: &Process, owner: Option<u32>) -> Option<Class> {
    let class = program_class(process)?;
    let in_container = process.cgroup.as_deref().is_some_and(|path| Placement::parse(path).container.is_some());
    let is_it =
        !in_container && (is_hosts_root(process) || is_own_service(process, class) || is_owners(process, class, owner));
    is_it.then_some(class)
}

/// Root of the initial user namespace, in the host's mount namespace. Where the kernel did not say which namespaces it is in, the uid
/// counts alone.
#[must_use]
pub fn is_hosts_root(process: &Process) -> bool {
    is_in_hosts_namespaces(process) && process.uid == Some(0)
}

/// The initial user namespace and the host's mount namespace; true as well where the kernel did not say which it is in.
#[must_use]
pub fn is_in_hosts_namespaces(process: &Process) -> bool {
    process.namespaces.is_none_or(|own| own.user_level == 0 && own.on_host.unwrap_or(true))
}

/// It is in the very cgroup of the unit that its program has, and in the initial user namespace.
fn is_own_service(process: &Process, class: Class) -> bool {
    let unit = process.cgroup.as_deref().and_then(|path| path.strip_prefix("/system.slice/"));
    let is_runtimes = |unit: &str| class == Class::Runtime && profile::ALL.iter().any(|p| p.units.contains(&unit));
    let is_units = unit.is_some_and(|unit| SERVICES.contains(&(unit, class)) || is_runtimes(unit));
    is_units && process.namespaces.is_none_or(|own| own.user_level == 0)
}

/// It is the program of the user `owner`: run as that user, or in a user namespace that the user made, as rootless runtimes are.
fn is_owners(process: &Process, class: Class, owner: Option<u32>) -> bool {
    let Some(owner) = owner.filter(|owner| *owner != 0) else { return false };
    let level = process.namespaces.map(|own| own.user_level);
    // The initial user namespace is root's, who is no such owner.
    let is_as_owner = process.uid == Some(owner) || process.namespaces.is_some_and(|own| own.user_owner == owner);
    let is_systemds = || {
        let exe = process.exe.as_deref().unwrap_or_default();
        let on_host = process.namespaces.and_then(|own| own.on_host).unwrap_or(true);
        on_host && level.unwrap_or(0) == 0 && SYSTEMD.iter().any(|folder| exe.starts_with(folder))
    };
    match class {
        Class::Runtime => is_as_owner,
        Class::ServiceManager => is_as_owner && is_systemds(),
        Class::Kubelet | Class::OomDaemon => false,
    }
}

/// The class of the program that the executable's path names, wherever it runs: nothing to believe by itself.
#[must_use]
pub fn program_class(process: &Process) -> Option<Class> {
    let name = program(process)?;
    let is_runtimes = || {
        let all = profile::ALL.iter().flat_map(|profile| profile.programs).chain(profile::OTHER_PROGRAMS);
        all.into_iter().any(|program| matches(name, program))
    };
    let other = PROGRAMS.iter().find(|(program, _)| matches(name, program)).map(|(_, class)| *class);
    other.or_else(|| is_runtimes().then_some(Class::Runtime))
}

/// The process is of LXC, whose tools kill what the others of them stopped.
#[must_use]
pub fn is_lxc(process: &Process) -> bool {
    program(process).is_some_and(|name| name.starts_with("lxc-"))
}

/// The process is a runtime's daemon, or works for one.
#[must_use]
pub fn is_daemon(process: &Process) -> bool {
    let Some(name) = program(process) else { return false };
    // `podman system service` answers podman's socket; without that podman has no daemon.
    let serves = || process.cmdline.iter().flatten().any(|argument| argument == "service");
    is_of_any(|profile| profile.daemons, name) || (name == "podman" && serves())
}

/// The program is one that containers' first processes are children of.
#[must_use]
pub fn is_shim(process: &Process) -> bool {
    program(process).is_some_and(|name| is_of_any(|profile| profile.shims, name))
}

/// Some runtime has a program of that name among those that `list` gives.
fn is_of_any(list: fn(&Profile) -> &'static [&'static str], name: &str) -> bool {
    profile::ALL.into_iter().any(|profile| list(profile).iter().any(|program| matches(name, program)))
}

/// The process runs the program of that name, from where the host has programs installed.
pub fn is_installed(process: &Process, name: &str) -> bool {
    is_in_hosts_namespaces(process) && is_at_home(process, name)
}

/// It runs the program of that name from where programs are installed, of the host or of a container.
pub fn is_at_home(process: &Process, name: &str) -> bool {
    let exe = process.exe.as_deref().unwrap_or_default();
    file_name(exe) == name
        && INSTALLED.iter().any(|folder| exe.strip_prefix(folder).is_some_and(|rest| !rest.contains('/')))
}

/// The file name of the program that a process runs: of the script, when an interpreter does.
pub fn program(process: &Process) -> Option<&str> {
    let exe = file_name(process.exe.as_deref()?);
    let script = INTERPRETERS.iter().any(|i| matches(exe, i)).then(|| script(process)).flatten();
    Some(script.unwrap_or(exe))
}

/// The program that a process runs, and its command line.
#[must_use]
pub fn invocation(process: &Process) -> (&str, &[String]) {
    let program = program(process).unwrap_or_default();
    let arguments = process.cmdline.as_deref().and_then(|cmdline| cmdline.get(1..)).unwrap_or_default();
    let script = arguments.iter().position(|argument| file_name(argument) == program);
    let is_interpreted = process.exe.as_deref().is_some_and(|exe| file_name(exe) != program);
    let own = script.filter(|_| is_interpreted).and_then(|at| arguments.get(at + 1..));
    (program, own.unwrap_or(arguments))
}

/// What an interpreter runs: its first argument that is no option. A script that has set its title, as gunicorn does
/// (`gunicorn: master [app]`), has that instead.
fn script(process: &Process) -> Option<&str> {
    let arguments = process.cmdline.as_deref()?;
    if let Some((title, _)) = arguments.first().and_then(|first| first.split_once(": ")) {
        return Some(title);
    }
    arguments.iter().skip(1).find(|argument| !argument.starts_with('-')).map(|path| file_name(path))
}

pub fn matches(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// The last part of an executable's path.
#[must_use]
pub fn file_name(path: &str) -> &str {
    // A program that was replaced while it ran, as on an upgrade, is shown with this suffix (proc(5)).
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::run as process;
    use crate::model::Namespaces;

    #[test]
    fn programs_are_known_by_their_executable() {
        for (exe, cmdline, class) in [
            ("/usr/sbin/runc", &[][..], Some(Class::Runtime)),
            ("/usr/sbin/runc (deleted)", &[], Some(Class::Runtime)),
            ("/usr/bin/containerd-shim-runc-v2", &[], Some(Class::Runtime)),
            ("/lib/systemd/systemd", &[], Some(Class::ServiceManager)),
            ("/usr/lib/systemd/systemd-oomd", &[], Some(Class::OomDaemon)),
            ("/usr/bin/earlyoom", &[], Some(Class::OomDaemon)),
            ("/usr/bin/python3.11", &["python3", "-u", "/usr/sbin/nohang", "--monitor"], Some(Class::OomDaemon)),
            ("/usr/bin/python3.11", &["python3", "/srv/app.py"], None),
            ("/usr/bin/bash", &[], None),
            ("/usr/bin/runc-wrapper", &[], None),
            ("/home/u/not-runc", &["runc"], None),
        ] {
            assert_eq!(classify(&process(exe, "/system.slice/x.service", cmdline), None), class, "{exe} {cmdline:?}");
        }
    }

    #[test]
    fn a_program_inside_a_container_is_not_the_nodes() {
        let cgroup = format!("/docker/{}", "a".repeat(64));
        assert_eq!(classify(&process("/usr/sbin/runc", &cgroup, &[]), None), None);
    }

    #[test]
    fn what_does_as_others_ask_is_a_daemon_and_what_has_containers_as_children_a_shim() {
        for (exe, cmdline, daemon, shim, lxc) in [
            ("/usr/bin/dockerd", &[][..], true, false, false),
            ("/usr/bin/containerd-shim-runc-v2", &[], true, true, false),
            ("/usr/bin/conmon", &[], true, true, false),
            ("/usr/bin/podman", &["podman", "system", "service"], true, false, false),
            ("/usr/bin/podman", &["podman", "stop", "web"], false, false, false),
            ("/usr/bin/docker", &["docker", "service", "ls"], false, false, false),
            ("/usr/bin/lxc-start", &[], true, false, true),
            ("/usr/bin/lxc-stop", &[], false, false, true),
            ("/usr/bin/runc", &[], false, false, false),
        ] {
            let process = process(exe, "/system.slice/x.service", cmdline);
            assert_eq!((is_daemon(&process), is_shim(&process), is_lxc(&process)), (daemon, shim, lxc), "{cmdline:?}");
        }
    }

    #[test]
    fn the_arguments_are_those_of_the_script_where_an_interpreter_runs_one() {
        for (exe, cmdline, program, arguments) in [
            ("/usr/bin/docker", &["docker", "stop", "web"][..], "docker", &["stop", "web"][..]),
            ("/usr/bin/docker", &["docker", "stop", "docker"], "docker", &["stop", "docker"]),
            ("/usr/bin/python3.11", &["python3", "-u", "/srv/stop.py", "web"], "stop.py", &["web"]),
            ("/usr/bin/python3.11", &["python3", "stop.py"], "stop.py", &[]),
            // It has a title instead of arguments.
            ("/usr/bin/python3.11", &["gunicorn: master [app]"], "gunicorn", &[]),
            ("/usr/bin/docker", &[], "docker", &[]),
        ] {
            let process = process(exe, "/", cmdline);
            let own: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            assert_eq!(invocation(&process), (program, &own[..]), "{cmdline:?}");
        }
    }

    #[test]
    fn without_an_executable_nothing_is_known() {
        let process = Process { comm: "runc".to_owned(), ..Process::default() };
        assert_eq!(classify(&process, None), None);
    }

    /// Anything may lie at a path in a mount namespace of one's own, and anybody makes one in a user namespace of their own.
    #[test]
    fn a_path_counts_where_only_root_decides_what_lies_there() {
        use Class::{OomDaemon, Runtime, ServiceManager};
        let host = Namespaces { mount: Some(1), on_host: Some(true), user_level: 0, user_owner: 0 };
        let own_mount = Namespaces { mount: Some(2), on_host: Some(false), ..host };
        let own_user = Namespaces { user_level: 1, user_owner: 1000, ..own_mount };
        let user = "/user.slice/user-1000.slice/user@1000.service/app.slice";
        let (runc, systemd, earlyoom) = ("/usr/sbin/runc", "/usr/lib/systemd/systemd", "/usr/bin/earlyoom");
        for (exe, cgroup, uid, home, owner, class) in [
            (runc, "/", 0, host, None, Some(Runtime)),
            (runc, "/", 0, own_mount, None, None),
            (runc, "/", 0, own_user, None, None),
            (runc, "/", 1000, host, None, None),
            (runc, user, 1000, own_user, None, None),
            // The mount namespace was not known, or is gone with the process.
            (runc, "/", 0, Namespaces { on_host: None, ..host }, None, Some(Runtime)),
            // Units that systemd gives a mount namespace, and a user, of their own; not what they make below, nor another's.
            (runc, "/system.slice/snap.docker.dockerd.service", 0, own_mount, None, Some(Runtime)),
            (runc, "/system.slice/docker.service/sub", 0, own_mount, None, None),
            (runc, "/system.slice/earlyoom.service", 0, own_mount, None, None),
            (earlyoom, "/system.slice/earlyoom.service", 61234, own_mount, None, Some(OomDaemon)),
            (earlyoom, "/system.slice/earlyoom.service", 0, own_user, None, None),
            (earlyoom, user, 1000, host, Some(1000), None),
            // Another's unit, though it has a mount namespace of its own.
            (earlyoom, "/system.slice/docker.service", 0, own_mount, None, None),
            (runc, "/system.slice/earlyoom.service", 0, own_mount, None, None),
            // What is a user's own has that user's runtimes and service manager.
            (runc, user, 1000, own_user, Some(1000), Some(Runtime)),
            (runc, user, 100_000, own_user, Some(1000), Some(Runtime)),
            (runc, user, 1001, host, Some(1000), None),
            (systemd, user, 1000, host, Some(1000), Some(ServiceManager)),
            (systemd, user, 1000, own_mount, Some(1000), None),
            (systemd, user, 1000, Namespaces { user_level: 1, ..host }, Some(1000), None),
            (systemd, user, 1001, host, Some(1000), None),
            ("/home/u/systemd", user, 1000, host, Some(1000), None),
            (systemd, user, 1000, host, None, None),
            (systemd, "/init.scope", 0, host, None, Some(ServiceManager)),
        ] {
            let process = Process { uid: Some(uid), namespaces: Some(home), ..process(exe, cgroup, &[]) };
            assert_eq!(classify(&process, owner), class, "{exe} {cgroup} {uid} {home:?} {owner:?}");
        }
    }
}
