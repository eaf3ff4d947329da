//! What kind of program a sender is, in one table. Known by its executable and by where it runs, never by its name
//! alone: a process called `runc` inside a container is not the node's runtime.

use crate::container::placement::Placement;
use crate::incident::model::Process;

/// What a sender is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Makes and kills containers.
    Runtime,
    /// systemd.
    ServiceManager,
    /// Kills before the kernel has to.
    OomDaemon,
    /// A person's shell.
    Shell,
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
    ("bash", Class::Shell),
    ("dash", Class::Shell),
    ("zsh", Class::Shell),
    ("fish", Class::Shell),
    ("busybox", Class::Shell),
];

/// Interpreters whose script is the program.
const INTERPRETERS: &[&str] = &["python*"];

/// A process's class; none for any other program, and for one that runs inside a container.
#[must_use]
pub fn classify(process: &Process) -> Option<Class> {
    let in_container = process.cgroup.as_deref().is_some_and(|path| Placement::parse(path).container.is_some());
    if in_container {
        return None;
    }
    let exe = file_name(process.exe.as_deref()?);
    let script = INTERPRETERS.iter().any(|i| matches(exe, i)).then(|| script(process)).flatten();
    let name = script.unwrap_or(exe);
    PROGRAMS.iter().find(|(program, _)| matches(name, program)).map(|(_, class)| *class)
}

/// What an interpreter runs: its first argument that is no option.
fn script(process: &Process) -> Option<&str> {
    let arguments = process.cmdline.as_deref()?;
    arguments.iter().skip(1).find(|argument| !argument.starts_with('-')).map(|path| file_name(path))
}

fn matches(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

fn file_name(path: &str) -> &str {
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
            ("/usr/bin/bash", &[], Some(Class::Shell)),
            ("/usr/bin/runc-wrapper", &[], None),
            ("/home/u/not-runc", &["runc"], None),
        ] {
            assert_eq!(classify(&process(exe, "/system.slice/x.service", cmdline)), class, "{exe} {cmdline:?}");
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
