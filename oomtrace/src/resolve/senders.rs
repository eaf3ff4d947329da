//! Who sent a signal, with what stands behind a process: its ancestors, and the person.

use crate::correlate::path::{Path, is_at_fork, is_by_process};
use crate::event::{Ancestor, Info, Signal, Task};
use crate::model::{Login, Process, Sender, SenderKind, SignalPath};
use crate::placement::{ContainerPlace, Placement};
use crate::resolve::context::Context;
use crate::resolve::tasks::{describe, describe_namespaces, is_hosts_user, locate, set_cmdline};
use crate::text;

/// Who generated the signal: a process, when it was a system call or a write of its own; else the kernel.
pub(super) fn describe_sender(
    signal: &Signal,
    path: Option<SignalPath>,
    context: &mut Context<'_>,
) -> (Sender, Option<ContainerPlace>) {
    let by_process = path.is_some_and(|path| is_by_process(path, signal.info)) && !is_at_fork(signal);
    if !by_process || signal.sender.kernel_thread {
        return (Sender::kernel(), None);
    }
    let task = &signal.sender;
    let mut process = describe(task, context);
    set_cmdline(&mut process, signal);
    let placement = locate(task, context).1;
    let sender = Sender {
        kind: SenderKind::Process,
        process: Some(process),
        ancestors: describe_ancestors(&signal.ancestors, context),
        container: placement.container.as_ref().map(ContainerPlace::container),
        unit: placement.unit,
        login: describe_login(task, signal.tty.as_ref(), context),
        elevation: None,
        traced: signal.sender_traced,
    };
    (sender, placement.container)
}

/// A siginfo that any process may write by hand, and none of whose senders the kernel names: whoever ran may be the one that did.
pub(super) fn bystander(signal: &Signal, path: Option<Path>, context: &mut Context<'_>) -> String {
    let by_kernel = path.is_none_or(|path| !is_by_process(path.path, signal.info));
    match signal.info {
        Info::Real(code) if code < 0 && by_kernel => {
            let running = text::process(&describe(&signal.sender, context));
            format!(", which {running} may have written itself (rt_sigqueueinfo), or may just have been running")
        }
        _ => String::new(),
    }
}

/// The person behind a process, as far as the kernel knows one.
pub(super) fn describe_login(task: &Task, tty: Option<&String>, context: &mut Context<'_>) -> Option<Login> {
    // Somebody who logged in inside a container is none of the host's users.
    let in_container = locate(task, context).1.container.is_some();
    let login = Login {
        uid: task.login_uid,
        user: task.login_uid.and_then(|uid| context.facts.user(uid)).filter(|_| !in_container),
        session: task.session,
        tty: tty.cloned(),
    };
    (login.uid.is_some() || login.tty.is_some()).then_some(login)
}

pub(super) fn describe_ancestors(ancestors: &[Ancestor], context: &mut Context<'_>) -> Vec<Process> {
    let describe = |ancestor: &Ancestor| {
        let details = context.process(ancestor.key, Some(&ancestor.comm));
        let namespaces = ancestor.namespaces.map(|found| describe_namespaces(found, context));
        let is_hosts = is_hosts_user(namespaces, None, &Placement::default());
        Process {
            pid: ancestor.key.pid,
            comm: ancestor.comm.clone(),
            exe: details.exe,
            cmdline: details.cmdline,
            cmdline_truncated: details.cmdline_truncated,
            uid: Some(ancestor.uid),
            user: context.facts.user(ancestor.uid).filter(|_| is_hosts),
            started: context.clock.rfc3339(ancestor.key.start),
            namespaces,
            ..Process::default()
        }
    };
    ancestors.iter().map(describe).collect()
}
