//! An episode and what the node knows, to an incident without a verdict: ids to names, kernel times to wall-clock times.

use crate::correlate::effect::effect;
use crate::correlate::path::{Path, is_at_fork, is_by_process};
use crate::correlate::{Earlier, Ending, Episode, Kill, KilledBefore};
use crate::event::{self, Ancestor, Arguments, BootNs, Cmdline, Info, MarkVictim, Signal, Task, Unseen};
use crate::model::{
    Attribution, Collateral, Confidence, Container, Evidence, Exit, ExitedAfter, Incident, InitEnd, InitKilled, Login,
    Namespaces, Preceding, Process, Role, SCHEMA, Sender, SenderKind, Signal as SignalModel, SignalPath, Source,
    Victim,
};
use crate::node::clock::WallClock;
use crate::node::identity::Identity;
use crate::node::memory::Snapshot;
use crate::node::processes::Details;
use crate::node::signals::{self, SIGKILL};
use crate::placement::{ContainerPlace, On, Placement};
use crate::resolve::case::{AsKilled, Case, Places, RuntimeClients};
use crate::resolve::clients::{self, Connections};
use crate::resolve::facts::Facts;
use crate::resolve::gaps::Gaps;
use crate::resolve::limits_before::LimitsBefore;
use crate::resolve::oom;
use crate::text;
use crate::text::quote::quote;

/// What the node adds to an episode.
pub struct Context<'a> {
    pub identity: &'a Identity,
    /// The wall clock at the episode.
    pub clock: WallClock,
    pub facts: &'a mut dyn Facts,
    /// The ends of processes are seen.
    pub sees_exits: bool,
    /// The host's mount namespace, when it is known.
    pub host_mount: Option<u32>,
    pub connections: Connections<'a>,
}

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
        gaps.without_command_line("its memory was gone before it could be read");
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

    let statements = oomd_says(signal.as_ref(), context)
        .into_iter()
        .chain(notifier(signal.as_ref(), path))
        .chain(unseen.iter().flat_map(|unseen| known_of(unseen)))
        .collect();

    let victim_start = victim_task.map(|task| task.key.start).unwrap_or_default();
    let places = Places { victim: victim_place.1.container, sender: sender_place, victim_start };
    let incident = Incident {
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
    let details = context.facts.process(task.key, task.leader_comm()).clone();
    describe_with(task, details, context)
}

/// A killed process whose executable and arguments the kernel side has read: `/proc` has nothing to add, and asking it for
/// each of thousands would hold up the verdict.
fn describe_killed(task: &Task, cmdline: Option<&Cmdline>, context: &mut Context<'_>) -> Process {
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

fn describe_namespaces(found: event::Namespaces, context: &Context<'_>) -> Namespaces {
    let event::Namespaces { mount, user_level, user_owner, .. } = found;
    let on_host = mount.zip(context.host_mount).map(|(mount, host)| mount == host);
    Namespaces { mount, on_host, user_level, user_owner }
}

/// The process's users are the host's: it is in no container, and in no namespaces of its own but those that systemd gives a service
/// of the machine's.
fn is_hosts_user(namespaces: Option<Namespaces>, cgroup: Option<&str>, placement: &Placement) -> bool {
    let is_service = || cgroup.is_some_and(|path| path.starts_with("/system.slice/")) && placement.unit.is_some();
    let in_place = namespaces.is_none_or(|own| own.user_level == 0 && (own.on_host != Some(false) || is_service()));
    in_place && placement.container.is_none()
}

/// The command line that the kernel side read from the sender's memory at the signal.
fn set_cmdline(process: &mut Process, signal: &Signal) {
    if let Some(cmdline) = &signal.cmdline {
        show(process, cmdline, signal.cmdline_truncated);
    }
}

/// Arguments that were read in the process's own context; they are surer than what `/proc` said at another time.
fn set_arguments(process: &mut Process, cmdline: Option<&Cmdline>) {
    if let Some(cmdline) = cmdline {
        show(process, &cmdline.arguments, cmdline.truncated);
    }
}

/// Gives the process these arguments; `more`: the kernel side did not take them all.
pub(super) fn show(process: &mut Process, arguments: &Arguments, more: bool) {
    let (shown, cut) = arguments.to_vec();
    (process.cmdline, process.cmdline_truncated) = (Some(shown), more || cut);
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

/// A siginfo that any process may write by hand, and none of whose senders the kernel names: whoever ran may be the one that did.
fn bystander(signal: &Signal, path: Option<Path>, context: &mut Context<'_>) -> String {
    let by_kernel = path.is_none_or(|path| !is_by_process(path.path, signal.info));
    match signal.info {
        Info::Real(code) if code < 0 && by_kernel => {
            let running = text::process(&describe(&signal.sender, context));
            format!(", which {running} may have written itself (rt_sigqueueinfo), or may just have been running")
        }
        _ => String::new(),
    }
}

/// Who generated the signal: a process, when it was a system call or a write of its own; else the kernel.
fn describe_sender(
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
        container: describe_container(placement.container.as_ref(), None),
        unit: placement.unit,
        login: describe_login(task, signal.tty.as_ref(), context),
        elevation: None,
        traced: signal.sender_traced,
    };
    (sender, placement.container)
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
        let details = context.facts.process(ancestor.key, Some(&ancestor.comm)).clone();
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

/// Whoever sent a message to a queue whose receiver had asked for SIGKILL as its notification has nothing to do with that.
fn notifier(signal: Option<&Signal>, path: Option<Path>) -> Option<Evidence> {
    let signal = signal?;
    path.filter(|path| path.path == SignalPath::MessageQueue && path.seen_on_stack)?;
    let Task { comm, key, .. } = &signal.sender;
    let fact = format!(
        "{}[{}] sent a message to a queue, of which the victim had asked to be notified so",
        quote(comm),
        key.pid
    );
    Some(Evidence { fact, source: Source::Kernel })
}

/// What is known of an end that no signal explains.
fn known_of(unseen: &Unseen) -> Vec<Evidence> {
    let mut facts = Vec::new();
    if unseen.lost {
        facts.push("a SIGKILL was generated for it, and there was no room to record by whom".to_owned());
    }
    if unseen.pending && !unseen.lost {
        facts.push("a SIGKILL was pending for it, and its sending was not seen".to_owned());
    }
    if unseen.seccomp {
        facts.push(
            "it was in seccomp's strict mode, in which the kernel ends whoever makes another system call".to_owned(),
        );
    }
    if let Some(tracer) = &unseen.tracer {
        let (comm, pid) = (quote(&tracer.comm), tracer.key.pid);
        facts.push(format!("{comm}[{pid}] traced it, and a tracer can end a process without a signal (PTRACE_CONT)"));
    }
    if facts.is_empty() {
        facts.push(
            "nothing traced it, and it was not in seccomp's strict mode: an error in the kernel can end a process so"
                .to_owned(),
        );
    }
    facts.into_iter().map(|fact| Evidence { fact, source: Source::Kernel }).collect()
}

/// systemd-oomd writes on a cgroup that it killed there: that speaks for it as the sender.
fn oomd_says(signal: Option<&Signal>, context: &mut Context<'_>) -> Option<Evidence> {
    let Signal { sender, victim, .. } = signal?;
    if !sender.exe.as_deref()?.ends_with("/systemd-oomd") {
        return None;
    }
    let cgroup = victim.cgroup_path.as_deref()?;
    let kills = context.facts.oomd_kills(cgroup)?;
    let cgroup = quote(cgroup);
    let fact = format!("systemd-oomd counts {kills} processes that it killed on {cgroup} or above it (oomd_kill)");
    Some(Evidence { fact, source: Source::Cgroup })
}

/// A boot time that the calendar cannot show does not happen: clocks are 64-bit nanoseconds.
fn time(context: &Context<'_>, at: BootNs) -> String {
    context.clock.rfc3339(at).unwrap_or_default()
}
