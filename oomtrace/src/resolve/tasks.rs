//! A task of the kernel's as a process of the incident: where it lives, what it is called, and whose it is.

use crate::event::{self, Arguments, Cmdline, Signal, Task};
use crate::model::{Namespaces, Process};
use crate::node::processes::Details;
use crate::placement::{On, Placement};
use crate::resolve::context::Context;

/// The path that says most about where a task lives, and what it says. Where the memory controller has a hierarchy of its own, that
/// counts first for a container: users get subtrees of their own on v2 alone.
fn place(task: &Task) -> (Option<String>, Placement) {
    let of = |path: &Option<String>, on: On| {
        let (path, mut placement) = (path.clone()?, Placement::parse(path.as_deref()?));
        placement.container = placement.container.map(|container| container.on(on));
        Some((path, placement))
    };
    if task.memory_cgroup.hierarchy != task.cgroup.hierarchy
        && let Some((path, placement)) = of(&task.memory_path, On::Memory).filter(|(_, p)| p.container.is_some())
    {
        return (Some(path), placement);
    }
    let paths = [&task.cgroup_path, &task.memory_path];
    let Some((path, _)) = Placement::telling(paths.into_iter().flatten()) else { return Default::default() };
    let on = if task.cgroup_path.as_ref() == Some(path) { On::Default } else { On::Memory };
    of(&Some(path.clone()), on).map_or_else(Default::default, |(path, placement)| (Some(path), placement))
}

/// The same, with what the node knows of cgroups that no path shows: those of runtimes that let anybody choose the name. Those that the
/// path shows may be within one of them.
pub(super) fn locate(task: &Task, context: &mut Context<'_>) -> (Option<String>, Placement) {
    let (path, mut placement) = place(task);
    let outermost = placement.containers().last().map(|container| container.cgroup.clone());
    let around = match &outermost {
        Some(cgroup) => context.facts.container_at(cgroup),
        None => {
            let paths = [&task.memory_path, &task.cgroup_path].into_iter().flatten();
            paths.filter(|path| *path != "/").find_map(|path| context.facts.container_at(path))
        }
    };
    placement.container = match placement.container {
        Some(container) => Some(container.within(around)),
        None => around,
    };
    (path, placement)
}

pub(super) fn describe(task: &Task, context: &mut Context<'_>) -> Process {
    let details = context.process(task.key, task.leader_comm());
    describe_with(task, details, context)
}

/// A killed process whose executable and arguments the kernel side has read: `/proc` has nothing to add, and asking it for
/// each of thousands would hold up the verdict.
pub(super) fn describe_killed(task: &Task, cmdline: Option<&Cmdline>, context: &mut Context<'_>) -> Process {
    let mut process = match (cmdline, &task.exe) {
        (Some(_), Some(_)) => describe_with(task, Details::default(), context),
        _ => describe(task, context),
    };
    set_arguments(&mut process, cmdline);
    process
}

fn describe_with(task: &Task, details: Details, context: &mut Context<'_>) -> Process {
    let (cgroup, placement) = locate(task, context);
    let namespaces = task.namespaces.map(|found| describe_namespaces(found, context));
    let user = context.facts.user(task.uid).filter(|_| is_hosts_user(namespaces, cgroup.as_deref(), &placement));
    Process {
        pid: task.key.pid,
        tid: Some(task.tid),
        ppid: Some(task.ppid),
        comm: task.comm.clone(),
        exe: task.exe.clone().or(details.exe),
        cmdline: details.cmdline,
        cmdline_truncated: details.cmdline_truncated,
        uid: Some(task.uid),
        user,
        started: context.clock.rfc3339(task.key.start),
        cgroup,
        pid_in_namespace: Some(task.ns_pid).filter(|pid| *pid != 0),
        namespaces,
    }
}

pub(super) fn describe_namespaces(found: event::Namespaces, context: &Context<'_>) -> Namespaces {
    let event::Namespaces { mount, user_level, user_owner, .. } = found;
    let on_host = mount.zip(context.host_mount).map(|(mount, host)| mount == host);
    Namespaces { mount, on_host, user_level, user_owner }
}

/// The process's users are the host's: it is in no container, and in no namespaces of its own but those that systemd gives a service
/// of the machine's.
pub(super) fn is_hosts_user(namespaces: Option<Namespaces>, cgroup: Option<&str>, placement: &Placement) -> bool {
    let is_service = || cgroup.is_some_and(|path| path.starts_with("/system.slice/")) && placement.unit.is_some();
    let in_place = namespaces.is_none_or(|own| own.user_level == 0 && (own.on_host != Some(false) || is_service()));
    in_place && placement.container.is_none()
}

/// The command line that the kernel side read from the sender's memory at the signal.
pub(super) fn set_cmdline(process: &mut Process, signal: &Signal) {
    if let Some(cmdline) = &signal.cmdline {
        show(process, cmdline, signal.cmdline_truncated);
    }
}

/// Arguments that were read in the process's own context; they are surer than what `/proc` said at another time.
pub(super) fn set_arguments(process: &mut Process, cmdline: Option<&Cmdline>) {
    if let Some(cmdline) = cmdline {
        show(process, &cmdline.arguments, cmdline.truncated);
    }
}

/// Gives the process these arguments; `more`: the kernel side did not take them all.
pub(super) fn show(process: &mut Process, arguments: &Arguments, more: bool) {
    let (shown, cut) = arguments.to_vec();
    (process.cmdline, process.cmdline_truncated) = (Some(shown), more || cut);
}
