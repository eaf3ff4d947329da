//! An episode and what the node knows, to an incident without a verdict: ids to names, kernel times to wall-clock times.

use crate::correlate::effect::effect;
use crate::correlate::path::{Path, is_at_fork};
use crate::correlate::{Earlier, Ending, Episode, Kill, KilledBefore};
use crate::event::{BootNs, Info, MarkVictim, Signal, Task};
use crate::model::{
    Attribution, Collateral, Confidence, Container, Exit, ExitedAfter, Incident, InitEnd, InitKilled, Preceding,
    Process, Role, SCHEMA, Sender, Signal as SignalModel, SignalPath, Victim,
};
use crate::node::memory::Snapshot;
use crate::node::signals::{self, SIGKILL};
use crate::placement::{ContainerPlace, Placement};
use crate::resolve::case::{AsKilled, Case, Places, RuntimeClients};
use crate::resolve::clients;
use crate::resolve::context::Context;
use crate::resolve::gaps::{Gaps, LATE, unread};
use crate::resolve::limits_before::LimitsBefore;
use crate::resolve::senders::{bystander, describe_sender};
use crate::resolve::tasks::{describe, describe_killed, locate, set_arguments, set_cmdline};
use crate::resolve::{oom, statements};

/// Puts the case together: its containers are known by their paths only.
#[must_use]
pub fn assemble(episode: Episode, snapshot: Option<Snapshot>, context: &mut Context<'_>) -> Case {
    let mut gaps = Gaps::default();
    let (at, is_oom) = (episode.at(), episode.is_oom());
    let Episode { chosen, collateral, preceding, init_killed_by, init_ending, init_asked, init_exit, exited } = episode;
    let exited = exited.map(|exited| {
        let init = chosen.victim().map(|victim| victim.key.pid);
        AsKilled { after: exited.after.map(|killed| describe_killed_before(killed, init, at)) }
    });
    let victim_task = chosen.victim().cloned();
    let victim_task = victim_task.as_ref();
    let Kill { signal, path, mark, choice, cmdline, ending, unseen } = chosen;
    let victim_place = victim_task.map(|task| locate(task, context)).unwrap_or_default();
    let mut victim = victim_task
        .map_or_else(|| unknown_victim(mark.as_ref()), |task| describe_victim(task, &victim_place.1, context));
    // The kernel side reads the command line of whoever is running: on an OOM that is often the victim itself.
    if let Some(signal) = signal.as_ref().filter(|s| s.sender.key == s.victim.key) {
        set_cmdline(&mut victim.process, signal);
    }
    set_arguments(&mut victim.process, cmdline.as_ref());
    victim.exit = ending.map(|ending| describe_exit(ending, at));
    if unseen.is_some() {
        // From which moment on is not known.
        victim.exit = victim.exit.map(|exit| Exit { after_us: None, ..exit });
    }
    // Whether it is the container's own init is settled once its runtime has said which process that is.
    let with_init = init_exit.filter(|exit| is_own_level(exit.level, &victim_place.1));
    victim.container_exit = with_init.map(|exit| describe_exit(exit.ending, at));
    let exited_init = with_init.map(|exit| exit.init.pid);
    if victim.exit.is_none() && signal.as_ref().is_some_and(|s| s.number == SIGKILL) && context.sees_exits {
        gaps.detail.push("how it ended (it had not when this was reported)".to_owned());
    }
    if victim.process.cmdline.is_none() {
        let is_late = context.late.contains(&victim.process.pid);
        gaps.without_command_line(if is_late { LATE } else { "its memory was gone before it could be read" });
    }
    let container = describe_container(victim_place.1.container.as_ref(), Some(&victim));

    let trigger_task = signal.as_ref().map(|s| &s.sender).or_else(|| mark.as_ref().map(|m| &m.trigger));
    let trigger = trigger_task.filter(|_| is_oom).map(|task| {
        // Of one process one thing is said: what `/proc` has of a dying one differs from one look to the next.
        let is_victim = victim_task.is_some_and(|victim| victim.key == task.key);
        let as_victim = || Process { tid: Some(task.tid), comm: task.comm.clone(), ..victim.process.clone() };
        let mut process = if is_victim { as_victim() } else { describe(task, context) };
        if let Some(signal) = &signal {
            set_cmdline(&mut process, signal);
        }
        process
    });

    let (sender, sender_place) = match &signal {
        Some(signal) => describe_sender(signal, path.map(|p| p.path), context),
        None => (Sender::kernel(), None),
    };

    if signal.as_ref().is_some_and(is_at_fork) {
        gaps.attribution
            .push("who wrote cgroup.kill (a child that was forked meanwhile is killed by the kernel)".to_owned());
    }
    let symbols = signal.as_ref().map(|s| s.symbols.as_slice()).unwrap_or_default();
    match &signal {
        Some(signal) if symbols.is_empty() => {
            let what =
                if signal.stack.is_empty() { "the kernel stack" } else { "the names of kernel functions (kallsyms)" };
            gaps.attribution
                .push(format!("{what}: the path is inferred from siginfo{}", bystander(signal, path, context)));
        }
        Some(signal) if signal.truncated => {
            gaps.detail.push("parts that did not fit into the event (paths or ancestors)".to_owned());
        }
        Some(_) => {}
        None if unseen.as_ref().is_some_and(|unseen| unseen.lost) => {
            gaps.attribution.push("the SIGKILL, and who sent it: its event was lost".to_owned());
        }
        None if unseen.is_some() => {
            gaps.attribution.push("what ended it: no signal was generated for it while oomtrace watched".to_owned());
        }
        None => gaps.attribution.push("the SIGKILL itself (signal_generate is not attached)".to_owned()),
    }
    if path.is_some_and(|p| p.path == SignalPath::RlimitCpu && p.seen_on_stack && p.confidence != Confidence::Certain) {
        gaps.attribution.push(
            "which limit of processor time it was: one part of the kernel kills by RLIMIT_CPU and by RLIMIT_RTTIME"
                .to_owned(),
        );
    }
    let facts = oom::Facts { choice: choice.as_ref(), mark: mark.as_ref(), symbols, placement: &victim_place.1 };
    let group = collateral.iter().any(|(role, _)| *role == Role::OomGroup);
    let oom = is_oom.then(|| oom::describe(&facts, group, &mut gaps));
    let marked = mark.as_ref().zip(oom.as_ref());
    let memory = marked.and_then(|(mark, oom)| oom::describe_memory(mark, oom, snapshot, &mut gaps.detail));
    let swept = path.is_some_and(|p| p.path == SignalPath::PidNamespaceExit);
    let init_end = signal.as_ref().filter(|_| swept).map(|signal| {
        let init = describe(&signal.sender, context);
        let killed = init_killed_by.map(|earlier| describe_init_kill(&earlier, at, context));
        let of_container = is_own_level(signal.sender.ns_level, &victim_place.1);
        let asked = init_asked.map(|signal| describe_preceding(&signal, at, context));
        InitEnd { init, killed, status: init_ending.map(|ending| ending.status), of_container, asked }
    });

    let statements = statements::of(signal.as_ref(), path, unseen.as_deref(), context);

    let victim_start = victim_task.map(|task| task.key.start).unwrap_or_default();
    let places = Places { victim: victim_place.1.container, sender: sender_place, victim_start };
    let mut incident = Incident {
        schema: SCHEMA,
        id: context.identity.incident_id(context.clock.offset_ns + i128::from(at), victim.process.pid),
        time: time(context, at),
        node: context.identity.node.clone(),
        boot_id: context.identity.boot_id.clone(),
        verdict: None,
        container,
        unit: victim_place.1.unit,
        sender,
        requester: None,
        trigger,
        signal: describe_signal(signal.as_ref(), path),
        preceding: preceding.iter().map(|p| describe_preceding(p, at, context)).collect(),
        oom,
        memory,
        attribution: if gaps.attribution.is_empty() { Attribution::Full } else { Attribution::Partial },
        missing: gaps.attribution.into_iter().chain(gaps.detail).collect(),
        missing_parts: gaps.named,
        collateral: collateral
            .into_iter()
            .filter_map(|(role, kill)| describe_collateral(role, &kill, context))
            .collect(),
        victim,
        init_end,
        routine: None,
        earlier: None,
    };
    // A runtime may have been asked for it, or for the command that did it.
    let clients = if incident.is_contained() && incident.sender.process.is_some() {
        clients::describe_all(at, context)
    } else {
        RuntimeClients::default()
    };
    let of_clients =
        clients.clients.iter().flat_map(|client| std::iter::once(&client.process).chain(&client.ancestors));
    let unread = unread(others(&incident).chain(of_clients), &context.late);
    incident.missing.extend(unread);
    let limits_before = LimitsBefore::default();
    let lives_before = Default::default();
    Case {
        incident,
        at,
        places,
        statements,
        clients,
        requesters_container: None,
        pod: None,
        exited,
        exited_init,
        limits_before,
        systemd: None,
        lives_before,
        earlier: None,
    }
}

/// The processes of an incident but its victim, whose own command line is missed by itself.
fn others(incident: &Incident) -> impl Iterator<Item = &Process> {
    let Incident { sender, trigger, collateral, preceding, init_end, victim, .. } = incident;
    let senders = sender.process.iter().chain(&sender.ancestors).chain(preceding.iter().map(|earlier| &earlier.sender));
    let killed = collateral.iter().map(|other| &other.process).chain(init_end.iter().map(|end| &end.init));
    senders.chain(trigger).chain(killed).filter(|process| process.pid != victim.process.pid)
}

fn describe_exit(ending: Ending, killed_at: BootNs) -> Exit {
    let signal = ending.status & 0x7f;
    Exit {
        status: ending.status,
        code: (signal == 0).then_some(ending.status >> 8 & 0xff),
        signal: (signal != 0).then_some(signal),
        after_us: ending.at.checked_sub(killed_at).map(|ns| ns / 1000),
    }
}

fn describe_killed_before(killed: KilledBefore, init: Option<u32>, at: BootNs) -> ExitedAfter {
    let KilledBefore { key, comm, ppid, at: killed_at, by, is_oom, .. } = killed;
    let (by_pid, by_comm) = by.map(|(key, comm)| (key.pid, comm)).unzip();
    ExitedAfter {
        // Whoever keeps the ids that were given knows it: the clock is read anew for each.
        incident: None,
        pid: key.pid,
        comm,
        is_child: Some(ppid) == init,
        is_oom,
        by_pid,
        by_comm,
        before_ms: at.saturating_sub(killed_at) / 1_000_000,
    }
}

fn describe_victim(task: &Task, placement: &Placement, context: &mut Context<'_>) -> Victim {
    Victim {
        process: describe(task, context),
        container_init: task.is_namespace_init() && is_own_level(task.ns_level, placement),
        exit: None,
        container_exit: None,
    }
}

/// A pid namespace so deep is one that a container's runtime made for it: one for each container around, if that has its own. Deeper
/// ones are made by what runs within the container.
fn is_own_level(level: u32, placement: &Placement) -> bool {
    level as usize <= placement.containers().count().max(1)
}

/// Only a thread id is known: the old mark_victim without its SIGKILL.
fn unknown_victim(mark: Option<&MarkVictim>) -> Victim {
    let tid = mark.map(|m| m.victim_tid);
    let process = Process { pid: tid.unwrap_or_default(), tid, ..Process::default() };
    Victim { process, container_init: false, exit: None, container_exit: None }
}

fn describe_container(place: Option<&ContainerPlace>, victim: Option<&Victim>) -> Option<Container> {
    let init_pid = victim.filter(|v| v.container_init).map(|v| v.process.pid);
    place.map(|place| Container { init_pid, ..place.container() })
}

fn describe_signal(signal: Option<&Signal>, path: Option<Path>) -> SignalModel {
    let number = signal.map_or(SIGKILL, |s| s.number);
    SignalModel {
        number,
        name: signals::name(number),
        code: signal.and_then(|s| match s.info {
            Info::Real(code) => Some(code),
            Info::None | Info::Kernel => None,
        }),
        group: signal.is_none_or(|s| s.group),
        effect: signal.and_then(effect),
        path: path.map(|path| path.path),
        path_confidence: path.map(|path| path.confidence),
        kernel_stack: signal.map(|s| s.symbols.clone()).unwrap_or_default(),
        kernel_frames: signal.map(|s| s.frames.clone()).filter(|frames| !frames.is_empty()),
    }
}

fn describe_preceding(signal: &Signal, kill_at: BootNs, context: &mut Context<'_>) -> Preceding {
    let mut sender = describe(&signal.sender, context);
    set_cmdline(&mut sender, signal);
    Preceding {
        signal: signal.number,
        name: signals::name(signal.number),
        time: time(context, signal.at),
        before_ms: kill_at.saturating_sub(signal.at) / 1_000_000,
        disposition: signal.disposition,
        sender,
    }
}

fn describe_init_kill(earlier: &Earlier, sweep_at: BootNs, context: &mut Context<'_>) -> InitKilled {
    let (sender, _) = describe_sender(&earlier.signal, Some(earlier.path.path), context);
    InitKilled { by: sender.process, before_ms: sweep_at.saturating_sub(earlier.signal.at) / 1_000_000 }
}

fn describe_collateral(role: Role, kill: &Kill, context: &mut Context<'_>) -> Option<Collateral> {
    let task = kill.signal.as_ref().map(|s| &s.victim)?;
    let process = describe_killed(task, kill.cmdline.as_ref(), context);
    Some(Collateral { process, role })
}

/// A boot time that the calendar cannot show does not happen: clocks are 64-bit nanoseconds.
fn time(context: &Context<'_>, at: BootNs) -> String {
    context.clock.rfc3339(at).unwrap_or_default()
}
