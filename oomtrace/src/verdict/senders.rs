//! What kind of program a sender is, in one table for those on the node, and one for those that manage processes, anywhere.
//! Known by the executable and by where it runs, never by the name alone: a process called `runc` inside a container is not
//! the node's runtime.

use crate::container::placement::Placement;
use crate::incident::model::{Process, Sender};

/// What a sender is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Makes and kills containers.
    Runtime,
    /// systemd.
    ServiceManager,
    /// Kills before the kernel has to.
    OomDaemon,
}

/// File name of the executable, or its beginning when it ends in `*`, and its class.
const PROGRAMS: &[(&str, Class)] = &[
    ("runc", Class::Runtime),
    ("crun", Class::Runtime),
    ("youki", Class::Runtime),
    ("runsc", Class::Runtime),
    ("kata-runtime", Class::Runtime),
    ("containerd-shim*", Class::Runtime),
    ("containerd", Class::Runtime),
    ("dockerd", Class::Runtime),
    ("conmon", Class::Runtime),
    ("conmonrs", Class::Runtime),
    ("crio", Class::Runtime),
    ("podman", Class::Runtime),
    ("buildah", Class::Runtime),
    ("lxc-start", Class::Runtime),
    ("lxc-stop", Class::Runtime),
    ("systemd", Class::ServiceManager),
    ("systemd-executor", Class::ServiceManager),
    ("systemd-oomd", Class::OomDaemon),
    ("earlyoom", Class::OomDaemon),
    ("oomd", Class::OomDaemon),
    ("nohang", Class::OomDaemon),
];

/// Programs that start processes and end them, inside containers too; and by which limit of theirs.
const MANAGERS: &[(&str, &str)] = &[
    ("gunicorn", "its worker time-out (--timeout)"),
    ("uwsgi", "its request time-out (harakiri)"),
    ("unicorn*", "its worker time-out"),
    ("puma*", "its worker time-out"),
    ("php-fpm*", "its request time-out (request_terminate_timeout)"),
    ("apache2", "its graceful shut-down time-out"),
    ("httpd", "its graceful shut-down time-out"),
    ("celery", "its hard time limit (--time-limit)"),
    ("supervisord", "its stop time-out (stopwaitsecs)"),
    ("circusd", "its graceful_timeout"),
    ("pm2", "its kill_timeout"),
    ("monit", "its stop time-out"),
    ("s6-supervise", "its timeout-kill"),
    ("s6-svscan", "its shut-down"),
    ("runsv", "a request (sv)"),
    ("tini", "its own end"),
    ("docker-init", "its own end"),
    ("dumb-init", "its own end"),
    ("catatonit", "its own end"),
    ("timeout", "its --kill-after"),
];

/// Programs that a person becomes another user by.
const ELEVATORS: &[&str] = &["sudo", "su", "doas", "pkexec", "runuser"];

/// Interpreters whose script is the program.
const INTERPRETERS: &[&str] = &["python*", "ruby*", "node", "perl"];

/// A process's class; none for any other program, and for one that runs inside a container.
#[must_use]
pub fn classify(process: &Process) -> Option<Class> {
    let in_container = process.cgroup.as_deref().is_some_and(|path| Placement::parse(path).container.is_some());
    if in_container { None } else { program_class(process) }
}

/// The class of the program, wherever it runs.
#[must_use]
pub fn program_class(process: &Process) -> Option<Class> {
    let name = program(process)?;
    PROGRAMS.iter().find(|(program, _)| matches(name, program)).map(|(_, class)| *class)
}

/// Daemons of runtimes, which do what others ask for; and what works for them.
const DAEMONS: &[&str] =
    &["dockerd", "containerd", "containerd-shim*", "crio", "conmon", "conmonrs", "lxc-start", "docker-proxy"];

/// The process is a runtime's daemon, or works for one.
#[must_use]
pub fn is_daemon(process: &Process) -> bool {
    let Some(name) = program(process) else { return false };
    // `podman system service` answers podman's socket; without that podman has no daemon.
    let serves = || process.cmdline.iter().flatten().any(|argument| argument == "service");
    DAEMONS.iter().any(|daemon| matches(name, daemon)) || (name == "podman" && serves())
}

/// The program that manages processes which `process` runs, and the limit of it that ends them.
#[must_use]
pub fn manager(process: &Process) -> Option<(&'static str, &'static str)> {
    let name = program(process)?;
    let (pattern, limit) = MANAGERS.iter().find(|(pattern, _)| matches(name, pattern))?;
    Some((pattern.trim_end_matches('*'), limit))
}

/// By what, and for whom, the sender became the user that it is: `through sudo, started by alice`.
#[must_use]
pub fn elevation(sender: &Sender) -> Option<String> {
    let mut chain = sender.process.iter().chain(&sender.ancestors);
    let by = chain
        .find_map(|process| ELEVATORS.iter().find(|name| Some(**name) == process.exe.as_deref().map(file_name)))?;
    // sudo runs as root and has its own monitor below it; whoever started it is the first that is none of them.
    let is_elevator =
        |process: &&Process| process.exe.as_deref().is_some_and(|exe| ELEVATORS.contains(&file_name(exe)));
    let person = chain.find(|process| !is_elevator(process))?;
    let who = match (&person.user, person.uid) {
        (Some(user), Some(uid)) => format!("{user} (uid {uid})"),
        (None, Some(uid)) => format!("uid {uid}"),
        (_, None) => return Some(format!("through {by}")),
    };
    Some(format!("through {by}, started by {who}"))
}

/// The file name of the program that a process runs: of the script, when an interpreter does.
fn program(process: &Process) -> Option<&str> {
    let exe = file_name(process.exe.as_deref()?);
    let script = INTERPRETERS.iter().any(|i| matches(exe, i)).then(|| script(process)).flatten();
    Some(script.unwrap_or(exe))
}

/// The program that a process runs, and what it was told on its command line.
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

fn matches(name: &str, pattern: &str) -> bool {
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

    fn process(exe: &str, cgroup: &str, cmdline: &[&str]) -> Process {
        Process {
            // A comm is what a process calls itself: it must not count.
            comm: "runc".to_owned(),
            exe: Some(exe.to_owned()),
            cgroup: Some(cgroup.to_owned()),
            cmdline: Some(cmdline.iter().map(|s| (*s).to_owned()).collect()),
            ..Process::default()
        }
    }

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
            assert_eq!(classify(&process(exe, "/system.slice/x.service", cmdline)), class, "{exe} {cmdline:?}");
        }
    }

    #[test]
    fn managers_are_known_anywhere_by_program_script_or_title() {
        let cgroup = format!("/docker/{}", "a".repeat(64));
        for (exe, cmdline, name) in [
            ("/usr/bin/python3.11", &["/usr/bin/python3", "/usr/bin/gunicorn", "app"][..], Some("gunicorn")),
            ("/usr/bin/python3.11", &["gunicorn: master [app:app]"], Some("gunicorn")),
            ("/usr/sbin/php-fpm8.2", &["php-fpm: master process"], Some("php-fpm")),
            ("/usr/bin/python3.11", &["python3", "/srv/app.py"], None),
            ("/usr/bin/bash", &["gunicorn"], None),
        ] {
            assert_eq!(manager(&process(exe, &cgroup, cmdline)).map(|m| m.0), name, "{exe} {cmdline:?}");
        }
    }

    #[test]
    fn the_person_behind_sudo_is_whoever_started_it() {
        let with = |exe: &str, uid, user: &str| Process {
            uid: Some(uid),
            user: Some(user.to_owned()).filter(|user| !user.is_empty()),
            ..process(exe, "/user.slice", &[])
        };
        let sender = |ancestors: Vec<Process>| Sender {
            kind: crate::incident::model::SenderKind::Process,
            process: Some(with("/usr/bin/kill", 0, "root")),
            ancestors,
            container: None,
            unit: None,
            login: None,
        };
        let shell = || with("/usr/bin/bash", 1000, "alice");
        let sudo = || with("/usr/bin/sudo", 0, "root");
        for (ancestors, text) in [
            (vec![sudo(), sudo(), shell()], Some("through sudo, started by alice (uid 1000)")),
            (
                vec![with("/usr/bin/bash", 0, "root"), sudo(), shell()],
                Some("through sudo, started by alice (uid 1000)"),
            ),
            (vec![sudo(), with("/usr/bin/zsh", 1001, "")], Some("through sudo, started by uid 1001")),
            (vec![shell()], None),
            (vec![sudo()], None),
        ] {
            assert_eq!(elevation(&sender(ancestors)).as_deref(), text);
        }
    }

    #[test]
    fn a_program_inside_a_container_is_not_the_nodes() {
        let cgroup = format!("/docker/{}", "a".repeat(64));
        assert_eq!(classify(&process("/usr/sbin/runc", &cgroup, &[])), None);
    }

    #[test]
    fn without_an_executable_nothing_is_known() {
        let process = Process { comm: "runc".to_owned(), ..Process::default() };
        assert_eq!(classify(&process), None);
    }
}
