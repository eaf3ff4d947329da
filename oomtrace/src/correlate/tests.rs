//! Event sequences as the kernel makes them, and the episodes that must come of them: each sequence is what
//! `__oom_kill_process`, `zap_pid_ns_processes`, `__cgroup_kill` and kill(2) really do.

use super::*;
use crate::correlate::fixture::{mark, signal, task};
use crate::event::{Arguments, Outcome};
use crate::event::{CgroupKey, Cmdline, Deliver, Exit, MemcgLevel, Task};

pub(super) const BOTH: Hooks = Hooks { signal_generate: true, mark_victim: true, process_exit: false };
pub(super) const MS: BootNs = 1_000_000;

pub(super) fn kernel_kill(current: u32, victim: u32, stack: &str) -> Signal {
    let symbols = stack.split(' ').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    Signal { info: Info::Kernel, symbols, ..signal(current, victim) }
}

pub(super) fn oom_kill(trigger: u32, victim: u32) -> Signal {
    kernel_kill(trigger, victim, "do_send_sig_info __oom_kill_process oom_kill_process out_of_memory")
}

pub(super) fn sig(signal: Signal) -> Event {
    Event::Signal(Box::new(signal))
}

pub(super) fn marked(mark: MarkVictim) -> Event {
    Event::MarkVictim(Box::new(mark))
}

/// All episodes of a sequence, the time of each event a microsecond after the last.
pub(super) fn episodes(hooks: Hooks, events: Vec<Event>) -> Vec<Episode> {
    let mut correlator = Correlator::new(hooks);
    let mut done = Vec::new();
    for (index, event) in events.into_iter().enumerate() {
        let at = 1_000_000_000 + index as u64 * 1000;
        done.extend(correlator.take(at_time(event, at)));
    }
    done.extend(correlator.finish());
    done
}

pub(super) fn at_time(event: Event, at: BootNs) -> Event {
    match event {
        Event::Signal(mut s) => {
            s.at = at;
            Event::Signal(s)
        }
        Event::MarkVictim(mut m) => {
            m.at = at;
            Event::MarkVictim(m)
        }
        Event::Oom(mut o) => {
            o.at = at;
            Event::Oom(o)
        }
        Event::Exit(mut e) => {
            e.at = at;
            Event::Exit(e)
        }
        Event::ExitedAsKilled(mut e) => {
            e.at = at;
            Event::ExitedAsKilled(e)
        }
        Event::Deliver(d) => Event::Deliver(Deliver { at, ..d }),
        Event::Unseen(mut u) => {
            u.exit.at = at;
            Event::Unseen(u)
        }
        other @ (Event::Cgroup(_) | Event::Connect(_) | Event::Disconnect(_)) => other,
    }
}

fn victim(kill: &Kill) -> u32 {
    kill.signal
        .as_ref()
        .map(|s| s.victim.key.pid)
        .or_else(|| Some(kill.mark.as_ref()?.victim.as_ref()?.key.pid))
        .unwrap()
}

/// Victim, whether it is an OOM kill, and the collateral.
pub(super) type Shape = (u32, bool, Vec<(Role, u32)>);

pub(super) fn shape(episodes: &[Episode]) -> Vec<Shape> {
    let collateral = |e: &Episode| e.collateral.iter().map(|(role, kill)| (*role, victim(kill))).collect();
    episodes.iter().map(|e| (victim(&e.chosen), e.is_oom(), collateral(e))).collect()
}

#[test]
fn a_sigkill_then_mark_victim_is_one_oom_kill() {
    let got = episodes(BOTH, vec![sig(oom_kill(10, 20)), marked(mark(10, 20))]);
    assert_eq!(shape(&got), [(20, true, vec![])]);
    assert!(got[0].chosen.mark.is_some());
}

#[test]
fn without_kernel_symbols_the_mark_alone_makes_it_an_oom_kill() {
    let got = episodes(BOTH, vec![sig(kernel_kill(10, 20, "")), marked(mark(10, 20))]);
    assert_eq!(shape(&got), [(20, true, vec![])]);
    let unmarked = episodes(BOTH, vec![sig(kernel_kill(10, 20, ""))]);
    assert_eq!(shape(&unmarked), [(20, false, vec![])]);
}

#[test]
fn a_mark_without_a_sigkill_is_a_process_that_was_dying_already() {
    assert_eq!(episodes(BOTH, vec![marked(mark(20, 20))]), []);
    // A person's kill, then the OOM killer grants the dying process its reserves.
    let got = episodes(BOTH, vec![sig(signal(5, 20)), marked(mark(20, 20))]);
    assert_eq!(shape(&got), [(20, false, vec![])]);
    assert_eq!(got[0].chosen.mark, None);
}

#[test]
fn the_mark_belongs_to_the_sigkill_of_the_same_context() {
    // Two kernel kills are open; the mark is of the second trigger.
    let events = vec![sig(kernel_kill(10, 20, "")), sig(kernel_kill(11, 21, "")), marked(mark(11, 21))];
    assert_eq!(shape(&episodes(BOTH, events)), [(20, false, vec![]), (21, true, vec![])]);
    // Another thread of the trigger's process is another context.
    let mut other = mark(10, 20);
    other.trigger.tid = 99;
    assert_eq!(shape(&episodes(BOTH, vec![sig(kernel_kill(10, 20, "")), marked(other)])), [(20, false, vec![])]);
}

#[test]
fn a_marked_thread_that_is_not_the_leader_is_still_its_process() {
    let mut thread = mark(10, 20);
    thread.victim_tid = 23;
    let got = episodes(BOTH, vec![sig(oom_kill(10, 20)), marked(thread)]);
    assert!(got[0].chosen.mark.is_some());
    // The old prototype gives the thread's id alone, which is the one that the SIGKILL went to.
    let mut kill = kernel_kill(10, 20, "");
    kill.victim.tid = 23;
    let old = MarkVictim { victim: None, victim_tid: 23, ..mark(10, 20) };
    assert!(episodes(BOTH, vec![sig(kill), marked(old)])[0].chosen.mark.is_some());
}

#[test]
fn sharers_of_the_memory_come_after_the_mark_and_have_none() {
    for stack in ["__oom_kill_process oom_kill_process", ""] {
        let mut sharer = kernel_kill(10, 21, stack);
        sharer.victim.mm = task(20).mm;
        let events = vec![sig(kernel_kill(10, 20, stack)), marked(mark(10, 20)), sig(sharer)];
        assert_eq!(shape(&episodes(BOTH, events)), [(20, true, vec![(Role::SharedMm, 21)])], "{stack:?}");
    }
}

/// A mark in a cgroup with memory.oom.group.
fn group_mark(trigger: u32, victim: u32) -> Event {
    let level = MemcgLevel {
        cgroup: CgroupKey { id: 7, hierarchy: 0, level: 1 },
        usage_bytes: 1,
        limit_bytes: Some(1),
        peak_bytes: 1,
        swap_usage_bytes: 0,
        swap_limit_bytes: None,
        oom_group: true,
    };
    marked(MarkVictim { levels: vec![level], ..mark(trigger, victim) })
}

#[test]
fn members_of_an_oom_group_have_a_mark_each_and_are_one_episode() {
    for stack in ["__oom_kill_process oom_kill_memcg_member", ""] {
        let events = vec![
            sig(oom_kill(10, 20)),
            group_mark(10, 20),
            sig(kernel_kill(10, 21, stack)),
            group_mark(10, 21),
            sig(kernel_kill(10, 22, stack)),
            group_mark(10, 22),
            // The kernel comes to the chosen one again: the signal is ignored, and another thread may be marked.
            sig(Signal { outcome: Outcome::Ignored, ..kernel_kill(10, 20, stack) }),
            group_mark(10, 20),
        ];
        let expected = vec![(Role::OomGroup, 21), (Role::OomGroup, 22)];
        assert_eq!(shape(&episodes(BOTH, events)), [(20, true, expected)], "{stack:?}");
    }
}

/// An allocation that is still over the limit after one kill, and a write to memory.max, go on until it is enough.
#[test]
fn a_context_that_has_to_kill_again_makes_another_episode() {
    for stack in ["__oom_kill_process oom_kill_process out_of_memory", ""] {
        let mut sharer = kernel_kill(10, 22, stack);
        sharer.victim.mm = task(21).mm;
        let events = vec![
            sig(kernel_kill(10, 20, stack)),
            marked(mark(10, 20)),
            sig(kernel_kill(10, 21, stack)),
            marked(mark(10, 21)),
            sig(sharer),
        ];
        let expected = [(20, true, vec![]), (21, true, vec![(Role::SharedMm, 22)])];
        assert_eq!(shape(&episodes(BOTH, events)), expected, "{stack:?}");
    }
}

#[test]
fn only_the_sigkill_that_ends_a_process_counts() {
    let dying = |status| Task { group_exit: status, ..task(20) };
    for (what, not_a_kill) in [
        ("ignored", Signal { outcome: Outcome::Ignored, ..signal(5, 20) }),
        ("already pending", Signal { outcome: Outcome::AlreadyPending, ..signal(5, 20) }),
        // Before 6.0 a SIGKILL to a process that is exiting counts as delivered.
        ("exiting by exit(1)", Signal { victim: dying(Some(0x100)), ..signal(5, 20) }),
        ("exiting by exit(0)", Signal { victim: dying(Some(0)), ..signal(5, 20) }),
        ("dumping core", Signal { victim: dying(Some(11)), ..signal(5, 20) }),
        ("every thread gone", Signal { victim: dying(None), ..signal(5, 20) }),
    ] {
        assert_eq!(episodes(BOTH, vec![sig(not_a_kill)]), [], "{what}");
    }
}

#[test]
fn a_second_sigkill_is_no_second_incident_but_a_reused_pid_is_a_new_process() {
    let twice = episodes(BOTH, vec![sig(signal(5, 20)), sig(signal(6, 20))]);
    assert_eq!(shape(&twice), [(20, false, vec![])]);
    assert_eq!(twice[0].chosen.signal.as_ref().unwrap().sender.key.pid, 5);
    let mut reused = signal(6, 20);
    reused.victim.key.start += 1;
    assert_eq!(episodes(BOTH, vec![sig(signal(5, 20)), sig(reused)]).len(), 2);
}

#[test]
fn a_stop_signal_that_no_process_sent_is_nobodys() {
    let before = |info, symbols: &str| {
        let symbols = symbols.split_whitespace().map(str::to_owned).collect();
        let stop = Signal { number: 15, preceding: true, info, symbols, ..signal(5, 20) };
        episodes(BOTH, vec![sig(stop), sig(signal(6, 20))])[0].preceding.len()
    };
    let call = "kill_something_info __x64_sys_kill";
    assert_eq!(before(Info::Real(0), call), 1);
    assert_eq!(before(Info::Real(0), ""), 1);
    // A timer that the victim set for itself, over somebody's system call.
    let timer =
        format!("posixtimer_send_sigqueue posix_timer_fn hrtimer_interrupt asm_sysvec_apic_timer_interrupt {call}");
    assert_eq!(before(Info::Real(-2), &timer), 0);
    assert_eq!(before(Info::Real(-2), ""), 0);
    assert_eq!(before(Info::Kernel, "send_sig_all sysrq_handle_term"), 0);
}

/// The OOM killer chooses `victim` in the context of the thread `trigger`.
fn chosen_in(trigger: u32, victim: u32) -> Event {
    Event::Oom(Box::new(OomChoice {
        at: 0,
        trigger_tid: trigger,
        chosen: task(victim).key,
        chosen_points: 1,
        total_pages: 1000,
        constraint: crate::event::Constraint::None,
        order: 0,
        gfp: 0,
        owner: None,
    }))
}

#[test]
fn a_choice_goes_with_the_kernels_kill_of_the_chosen_one_in_its_context_and_no_other() {
    let choice_of = |kill: Signal| {
        let got = episodes(BOTH, vec![chosen_in(10, 20), sig(kill)]);
        got[0].chosen.choice.as_ref().map(|choice| choice.chosen.pid)
    };
    assert_eq!(choice_of(oom_kill(10, 20)), Some(20));
    assert_eq!(choice_of(kernel_kill(10, 20, "")), Some(20));
    assert_eq!(choice_of(oom_kill(11, 20)), None);
    assert_eq!(choice_of(oom_kill(10, 21)), None);
    assert_eq!(choice_of(signal(10, 20)), None);
    // It is still there for its own.
    let got =
        episodes(BOTH, vec![chosen_in(10, 20), sig(oom_kill(11, 21)), sig(oom_kill(10, 20)), sig(oom_kill(10, 22))]);
    let choices: Vec<_> =
        got.iter().map(|episode| (victim(&episode.chosen), episode.chosen.choice.is_some())).collect();
    assert_eq!(choices, [(21, false), (20, true), (22, false)]);
}

#[test]
fn a_choice_of_a_process_that_was_dying_already_says_nothing_of_a_later_kill() {
    let chosen = || chosen_in(10, 20);
    // The OOM killer gives the dying process its reserves, and no SIGKILL; much later the same context kills for another reason.
    let got = episodes(BOTH, vec![chosen(), marked(mark(10, 20)), sig(kernel_kill(10, 20, "exit_ptrace do_exit"))]);
    assert_eq!(shape(&got), [(20, false, vec![])]);
    let got = episodes(BOTH, vec![chosen(), sig(kernel_kill(10, 20, "")), marked(mark(10, 20))]);
    assert_eq!(shape(&got), [(20, true, vec![])]);
}

/// What an interrupt sends while the OOM killer prints.
#[test]
fn a_timers_kill_in_the_oom_killers_context_is_no_oom_kill() {
    let below = "hrtimer_interrupt asm_sysvec_apic_timer_interrupt oom_kill_process out_of_memory";
    let timer = |victim| {
        let mut signal = kernel_kill(10, victim, &format!("posixtimer_send_sigqueue posix_timer_fn {below}"));
        signal.info = Info::Real(-2);
        signal
    };
    let got = episodes(BOTH, vec![sig(oom_kill(10, 20)), sig(timer(21)), marked(mark(10, 20)), sig(timer(22))]);
    assert_eq!(shape(&got), [(21, false, vec![]), (22, false, vec![]), (20, true, vec![])]);
    // The victim of the one is the other's: whoever was first.
    let got = episodes(BOTH, vec![sig(timer(20)), marked(mark(10, 20))]);
    assert_eq!(shape(&got), [(20, false, vec![])]);
}

#[test]
fn stop_signals_before_a_kill_go_with_it_and_with_it_alone() {
    let stop = |number, at| Signal { number, preceding: true, at, victim: task(20), ..signal(5, 20) };
    let mut correlator = Correlator::new(BOTH);
    assert_eq!(correlator.take(sig(stop(15, MS))), []);
    assert_eq!(correlator.take(sig(Signal { victim: task(21), ..stop(2, 2 * MS) })), []);
    let got = correlator.take(sig(Signal { at: 11 * MS, ..signal(5, 20) }));
    assert_eq!(got[0].preceding.iter().map(|s| (s.number, s.at)).collect::<Vec<_>>(), [(15, MS)]);
}

#[test]
fn another_signal_that_was_asked_for_is_given_at_once_and_still_precedes() {
    let asked = Signal { number: 15, victim: task(20), ..signal(5, 20) };
    let mut correlator = Correlator::new(BOTH);
    assert_eq!(shape(&correlator.take(sig(asked.clone()))), [(20, false, vec![])]);
    let ignored = Signal { outcome: Outcome::Ignored, ..asked };
    assert_eq!(shape(&correlator.take(sig(ignored))), [(20, false, vec![])]);
    assert_eq!(correlator.take(sig(signal(5, 20)))[0].preceding.len(), 2);
}

#[test]
fn another_signal_that_ends_its_process_waits_for_that_and_no_kill_joins_it() {
    let ends = Task { group_exit: Some(15), ..task(20) };
    let asked = Signal { number: 15, victim: ends, ..signal(5, 20) };
    let mut correlator = Correlator::new(Hooks { process_exit: true, ..BOTH });
    assert_eq!(correlator.take(sig(asked.clone())), []);
    assert_eq!(correlator.take(sig(Signal { at: asked.at + 1, ..signal(5, 21) })), []);
    let exit = Exit { at: asked.at + 2, task: task(20), status: 15, cmdline: None };
    let got = correlator.take(Event::Exit(Box::new(exit)));
    assert_eq!(shape(&got), [(20, false, vec![])]);
    assert_eq!(got[0].chosen.ending.map(|ending| ending.status), Some(15));
    assert_eq!(shape(&correlator.finish()), [(21, false, vec![])]);
}

#[test]
fn a_kill_by_a_process_is_given_at_once() {
    let mut correlator = Correlator::new(BOTH);
    assert_eq!(correlator.take(sig(signal(5, 20))).len(), 1);
    assert_eq!(correlator.deadline(), None);
}

#[test]
fn the_next_oom_kill_by_the_same_trigger_is_another_episode() {
    let mut correlator = Correlator::new(BOTH);
    correlator.take(sig(oom_kill(10, 20)));
    correlator.take(marked(mark(10, 20)));
    let done = correlator.take(sig(Signal { at: 1_000_000_000 + 20 * MS, ..oom_kill(10, 21) }));
    assert_eq!(shape(&done), [(20, true, vec![])]);
    assert_eq!(shape(&correlator.finish()), [(21, true, vec![])]);
}

#[test]
fn the_sweep_of_a_pid_namespace_is_one_episode_that_knows_what_killed_init() {
    let init = Task { ns_level: 1, ns_pid: 1, group_exit: Some(9), ..task(20) };
    let zap = "do_send_sig_info zap_pid_ns_processes do_exit do_group_exit";
    let sweep = |victim| Signal { sender: init.clone(), ..kernel_kill(20, victim, zap) };
    let events = vec![sig(Signal { victim: init.clone(), ..signal(5, 20) }), sig(sweep(21)), sig(sweep(22))];
    let got = episodes(BOTH, events);
    assert_eq!(shape(&got), [(20, false, vec![]), (21, false, vec![(Role::PidNamespace, 22)])]);
    assert_eq!(got[1].init_killed_by.as_ref().unwrap().signal.sender.key.pid, 5);
    // Its init ended by itself.
    assert_eq!(episodes(BOTH, vec![sig(sweep(21))])[0].init_killed_by, None);
}

#[test]
fn one_write_to_cgroup_kill_is_one_episode() {
    let kill = |victim| Signal {
        info: Info::None,
        group: false,
        symbols: vec!["__cgroup_kill".to_owned(), "cgroup_kill_write".to_owned()],
        ..signal(5, victim)
    };
    let got = episodes(BOTH, (20..5020).map(|victim| sig(kill(victim))).collect());
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].collateral.len(), 4999);
    assert!(got[0].collateral.iter().all(|(role, _)| *role == Role::CgroupKill));
}

/// A child that is forked while its cgroup is killed dies in its parent's context (`cgroup_post_fork`).
#[test]
fn what_is_forked_into_a_killed_cgroup_goes_with_it() {
    let cgroup = CgroupKey { id: 7, hierarchy: 0, level: 1 };
    let kill = |sender, victim, stack: &str| {
        let symbols = stack.split(' ').map(str::to_owned).collect();
        let mut signal = Signal { info: Info::None, group: false, symbols, ..signal(sender, victim) };
        signal.victim.cgroup = cgroup;
        sig(signal)
    };
    let written = |victim| kill(5, victim, "__cgroup_kill cgroup_kill_write");
    let forked = |parent, victim| kill(parent, victim, "cgroup_post_fork copy_process");
    // Before the first that was there, in between, and after the last.
    let events = vec![forked(20, 40), forked(21, 41), written(20), forked(21, 42), written(21), forked(22, 43)];
    let got = episodes(BOTH, events);
    let member = |pid| (Role::CgroupKill, pid);
    assert_eq!(shape(&got), [(20, false, vec![member(40), member(41), member(42), member(21), member(43)])]);
    // Nobody was seen to write it.
    let got = episodes(BOTH, vec![forked(20, 40), forked(21, 41)]);
    assert_eq!(shape(&got), [(40, false, vec![member(41)])]);
    // Another cgroup's.
    let Event::Signal(mut other) = forked(20, 40) else { unreachable!() };
    other.victim.cgroup.id = 8;
    let got = episodes(BOTH, vec![written(20), sig(*other)]);
    assert_eq!(shape(&got), [(20, false, vec![]), (40, false, vec![])]);
}

#[test]
fn kills_by_one_process_one_after_another_stay_apart() {
    let got = episodes(BOTH, (20..1020).map(|victim| sig(signal(5, victim))).collect());
    assert_eq!(got.len(), 1000);
}

#[test]
fn with_mark_victim_alone_each_mark_is_reported() {
    let hooks = Hooks { signal_generate: false, ..BOTH };
    assert_eq!(shape(&episodes(hooks, vec![marked(mark(10, 20))])), [(20, true, vec![])]);
}

#[test]
fn what_is_remembered_does_not_grow() {
    let mut correlator = Correlator::new(BOTH);
    for pid in 0..20_000 {
        correlator.take(sig(signal(5, pid)));
    }
    assert_eq!((correlator.killed.entries.len(), correlator.killed.order.len()), (KILLED, KILLED));
}

pub(super) const ALL: Hooks = Hooks { process_exit: true, ..BOTH };

pub(super) fn exit_of(task: Task, status: u32) -> Event {
    let cmdline = Some(Cmdline { arguments: Arguments::new(b"own").unwrap(), truncated: false });
    Event::Exit(Box::new(Exit { at: 0, task, status, cmdline }))
}

#[test]
fn arguments_that_were_read_first_are_kept() {
    let mut correlator = Correlator::new(ALL);
    correlator.take(sig(signal(5, 20)));
    let first = Cmdline { arguments: Arguments::new(b"first").unwrap(), truncated: true };
    correlator.take(Event::Deliver(Deliver { at: 1_000_000_001, key: task(20).key, cmdline: Some(first.clone()) }));
    let done = correlator.take(at_time(exit_of(task(20), 9), 1_000_000_002));
    assert_eq!(done[0].chosen.cmdline, Some(first));
}

#[test]
fn the_sweep_after_a_killed_init_is_collateral_of_that_kill() {
    for stack in ["zap_pid_ns_processes do_exit", ""] {
        let init = Task { ns_level: 1, ns_pid: 1, group_exit: Some(9), ..task(20) };
        let dying = Task { exiting: true, ..init.clone() };
        let sweep = |victim| sig(Signal { sender: dying.clone(), ..kernel_kill(20, victim, stack) });
        let mut events = vec![sig(Signal { victim: init.clone(), ..signal(5, 20) })];
        events.push(exit_of(init.clone(), 9));
        events.extend([sweep(21), sweep(22), exit_of(task(21), 9), exit_of(task(22), 9)]);
        let got = episodes(ALL, events);
        let expected = vec![(Role::PidNamespace, 21), (Role::PidNamespace, 22)];
        assert_eq!(shape(&got), [(20, false, expected)], "{stack:?}");
        assert!(got[0].collateral.iter().all(|(_, kill)| kill.ending.is_some() && kill.cmdline.is_some()));
    }
}

#[test]
fn the_sweep_after_an_init_that_exited_by_itself_says_with_what() {
    let init = Task { ns_level: 1, ns_pid: 1, ..task(20) };
    let sweep =
        Signal { sender: Task { exiting: true, ..init.clone() }, ..kernel_kill(20, 21, "zap_pid_ns_processes") };
    let got = episodes(ALL, vec![exit_of(init, 0x300), sig(sweep), exit_of(task(21), 9)]);
    assert_eq!(shape(&got), [(21, false, vec![])]);
    assert_eq!((got[0].init_ending.unwrap().status, got[0].init_killed_by.is_none()), (0x300, true));
}

#[test]
fn a_mark_in_a_killers_context_does_not_make_its_kill_an_oom_kill() {
    // The killer goes on, runs into a limit, and the process that it has just killed is chosen: no SIGKILL, only a mark.
    let got = episodes(ALL, vec![sig(signal(5, 20)), marked(mark(5, 20)), exit_of(task(20), 9)]);
    assert_eq!(shape(&got), [(20, false, vec![])]);
    assert_eq!(got[0].chosen.mark, None);
    // A process kills itself and runs into the limit while it exits.
    let got = episodes(ALL, vec![sig(signal(20, 20)), marked(mark(20, 20)), exit_of(task(20), 9)]);
    assert_eq!(shape(&got), [(20, false, vec![])]);
    // The kernel kills for another reason that the stack shows.
    let rlimit = kernel_kill(20, 20, "posix_cpu_timers_work");
    let got = episodes(ALL, vec![sig(rlimit), marked(mark(20, 20)), exit_of(task(20), 9)]);
    assert_eq!(shape(&got), [(20, false, vec![])]);
}

/// A SIGKILL that one kill(2) made for many: `via` is the function that kill_something_info called.
pub(super) fn one_of_many(sender: u32, victim: u32, pgid: u32, via: &str) -> Event {
    let mut signal = signal(sender, victim);
    signal.victim.pgid = Some(pgid);
    signal.symbols = ["do_send_sig_info", via, "kill_something_info"].map(str::to_owned).to_vec();
    signal.symbols.retain(|symbol| !symbol.is_empty());
    sig(signal)
}

#[test]
fn one_call_for_many_processes_is_one_episode() {
    let group = |victim, pgid| one_of_many(10, victim, pgid, "__kill_pgrp_info");
    let got = episodes(BOTH, vec![group(20, 5), group(21, 5), group(30, 6), group(31, 6)]);
    let role = Role::ProcessGroup;
    assert_eq!(shape(&got), [(20, false, vec![(role, 21)]), (30, false, vec![(role, 31)])]);
    // kill(-1), across process groups.
    let got = episodes(BOTH, vec![one_of_many(10, 20, 5, ""), one_of_many(10, 30, 6, "")]);
    assert_eq!(shape(&got), [(20, false, vec![(role, 30)])]);
    // Two calls for one process each, though of one group.
    let single = |victim| one_of_many(10, victim, 5, "kill_pid_info_type");
    assert_eq!(episodes(BOTH, vec![single(20), single(21)]).len(), 2);
    // Two senders.
    let other = one_of_many(11, 21, 5, "__kill_pgrp_info");
    assert_eq!(episodes(BOTH, vec![group(20, 5), other]).len(), 2);
}

/// timeout(1) kills its command, and then its process group, in which it is itself.
#[test]
fn a_command_that_timeout_ends_and_the_rest_of_its_group_are_one_episode() {
    const START: BootNs = 1_000_000_000;
    let first = |pgid| at_time(one_of_many(10, 20, pgid, "kill_pid_info_type"), START);
    let rest = |victim, pgid, later| at_time(one_of_many(10, victim, pgid, "__kill_pgrp_info"), START + later);
    let of = |events: Vec<Event>| {
        let mut correlator = Correlator::new(BOTH);
        let mut got: Vec<Episode> = events.into_iter().flat_map(|event| correlator.take(event)).collect();
        got.extend(correlator.finish());
        got
    };
    let role = Role::ProcessGroup;
    let got = of(vec![first(10), rest(21, 10, QUIET_NS - 1), rest(10, 10, QUIET_NS)]);
    assert_eq!(shape(&got), [(20, false, vec![(role, 21), (role, 10)])]);
    // Long after, and by one that does not lead the group.
    for (pgid, later) in [(10, QUIET_NS + 1), (5, QUIET_NS - 1)] {
        assert_eq!(of(vec![first(pgid), rest(21, pgid, later)]).len(), 2, "{pgid} {later}");
    }
    // The command has left the group, and the rest of that is timeout alone; of another's child, or another group, that says nothing.
    for (ppid, pgid, count) in [(10, 10, 1), (1, 10, 2), (10, 5, 2)] {
        let mut command = signal(10, 20);
        (command.at, command.victim.ppid, command.victim.pgid) = (START, ppid, Some(20));
        command.symbols = ["do_send_sig_info", "kill_pid_info", "kill_something_info"].map(str::to_owned).to_vec();
        assert_eq!(of(vec![sig(command), rest(10, pgid, QUIET_NS - 1)]).len(), count, "{ppid} {pgid}");
    }
    // Itself alone waits for nothing.
    let mut own = signal(10, 10);
    own.victim.pgid = Some(10);
    assert!(!may_go_on_to_own_group(&own));
}

/// timeout(1) loses its processor to what it has killed, and kills the rest when it has it again.
#[test]
fn timeout_may_stand_still_between_its_two_calls() {
    const START: BootNs = 1_000_000_000;
    let by = |comm: &str, victim, via: &str, later| {
        let Event::Signal(mut signal) = one_of_many(10, victim, 10, via) else { panic!() };
        (signal.at, signal.sender.comm) = (START + later, comm.to_owned());
        signal.sender.exe = Some(format!("/usr/bin/{comm}"));
        sig(*signal)
    };
    let of = |comm: &str, later: BootNs| {
        let mut correlator = Correlator::new(ALL);
        let mut got = Vec::new();
        for event in [
            by(comm, 20, "kill_pid_info_type", 0),
            at_time(exit_of(task(20), 9), START + MS),
            by(comm, 21, "__kill_pgrp_info", later),
            by(comm, 10, "__kill_pgrp_info", later),
        ] {
            got.extend(correlator.take(event));
        }
        // Its own end, by that call, is the last of it.
        let mut last = correlator.take(at_time(exit_of(task(10), 9), START + later + MS));
        let is_over = correlator.deadline().is_none();
        got.append(&mut last);
        got.extend(correlator.finish());
        (shape(&got), is_over)
    };
    let role = Role::ProcessGroup;
    let whole = vec![(20, false, vec![(role, 21), (role, 10)])];
    assert_eq!(of("timeout", 46 * MS), (whole.clone(), true));
    assert_eq!(of("timeout", GROUP_NS - 1).0, whole);
    assert_eq!(of("timeout", GROUP_NS + 1).0.len(), 2);
    // Any other that leads a group and kills a child in it goes on at once, or does not.
    assert_eq!(of("sh", QUIET_NS - 1).0, whole);
    assert_eq!(of("sh", 46 * MS).0.len(), 2);
}

#[test]
fn timeout_is_waited_for_no_longer_than_it_is_there_and_nobody_else_is() {
    let kill = |exe: Option<&str>, comm: &str, arguments: &str| {
        let Event::Signal(mut signal) = one_of_many(10, 20, 10, "kill_pid_info_type") else { panic!() };
        (signal.sender.exe, signal.sender.comm) = (exe.map(str::to_owned), comm.to_owned());
        signal.cmdline = Arguments::new(arguments.replace(' ', "\0").as_bytes());
        signal
    };
    let timeout = Some("/usr/bin/timeout");
    for (exe, comm, arguments, waits) in [
        (timeout, "timeout", "timeout -s KILL 5 sleep 9", true),
        (timeout, "x", "", true),
        (None, "timeout", "", true),
        (Some("/usr/bin/coreutils"), "timeout", "timeout -k 1 5 sleep 9", true),
        (Some("/usr/bin/coreutils"), "sleep", "", false),
        // It may call itself so.
        (Some("/srv/worker"), "timeout", "timeout 5 sleep 9", false),
        // One call is all that it makes.
        (timeout, "timeout", "/usr/bin/timeout --foreground 5 sleep 9", false),
        (timeout, "timeout", "timeout -s KILL --kill-after 1 --fore 5 sleep 9", false),
        (timeout, "timeout", "timeout -vf -k1 5 sleep 9", false),
        // Of another's options, and of values, that says nothing.
        (timeout, "timeout", "timeout -k 5 9 tail -f x", true),
        (timeout, "timeout", "timeout -- 9 x --foreground", true),
        (timeout, "timeout", "timeout --signal --foreground 9 x", true),
    ] {
        let signal = kill(exe, comm, arguments);
        let at = signal.at;
        let mut correlator = Correlator::new(BOTH);
        correlator.take(sig(*signal));
        let expected = at + if waits { GROUP_NS } else { QUIET_NS };
        assert_eq!(correlator.deadline(), Some(expected), "{exe:?} {comm} {arguments}");
    }
    // The sender ends, by whatever, after what it has killed, or before.
    for ends in [[20, 10], [10, 20]] {
        let mut correlator = Correlator::new(ALL);
        let signal = kill(timeout, "timeout", "");
        let at = signal.at;
        correlator.take(sig(*signal));
        let mut got = correlator.take(at_time(exits(task(ends[0]), 137 << 8), at + MS));
        got.extend(correlator.take(at_time(exits(task(ends[1]), 137 << 8), at + 2 * MS)));
        assert_eq!((shape(&got), correlator.deadline()), (vec![(20, false, vec![])], None), "{ends:?}");
    }
}

#[test]
fn a_cgroup_whose_processes_are_killed_one_by_one_from_outside_is_one_episode() {
    let cgroup = |id| CgroupKey { id, hierarchy: 0, level: 2 };
    let kill = |tid, victim, home, of_sender| {
        let mut signal = signal(10, victim);
        (signal.sender.tid, signal.sender.cgroup, signal.victim.cgroup) = (tid, cgroup(of_sender), cgroup(home));
        sig(signal)
    };
    // Another thread of the same sender goes on.
    let got = episodes(BOTH, vec![kill(10, 20, 7, 3), kill(11, 21, 7, 3)]);
    assert_eq!(shape(&got), [(20, false, vec![(Role::OneByOne, 21)])]);
    // Another cgroup; a sender that lives there itself; the root.
    assert_eq!(episodes(BOTH, vec![kill(10, 20, 7, 3), kill(10, 21, 8, 3)]).len(), 2);
    assert_eq!(episodes(BOTH, vec![kill(10, 20, 7, 7), kill(10, 21, 7, 7)]).len(), 2);
    assert_eq!(episodes(BOTH, vec![sig(signal(10, 20)), sig(signal(10, 21))]).len(), 2);
    // A container's init is a victim of its own; what is killed after it goes with it.
    let mut init = signal(10, 21);
    (init.sender.cgroup, init.victim.cgroup) = (cgroup(3), cgroup(7));
    (init.victim.ns_level, init.victim.ns_pid) = (1, 1);
    let got = episodes(BOTH, vec![kill(10, 20, 7, 3), sig(init), kill(10, 22, 7, 3)]);
    assert_eq!(shape(&got), [(20, false, vec![]), (21, false, vec![(Role::OneByOne, 22)])]);
    // Long after.
    let mut correlator = Correlator::new(BOTH);
    assert!(correlator.take(at_time(kill(10, 20, 7, 3), MS)).is_empty());
    assert_eq!(correlator.take(at_time(kill(10, 21, 7, 3), 100 * MS)).len(), 1);
}

/// A process of a container, with a pid of its own there; 1 is the container's init.
pub(super) fn member(pid: u32, ns_pid: u32) -> Task {
    Task { ns_level: 1, ns_pid, cgroup: CgroupKey { id: 7, hierarchy: 0, level: 2 }, ..task(pid) }
}

pub(super) fn exits(task: Task, status: u32) -> Event {
    Event::Exit(Box::new(Exit { at: 0, task, status, cmdline: None }))
}

#[test]
fn an_init_that_ends_right_after_its_child_goes_with_it() {
    let hooks = Hooks { process_exit: true, ..BOTH };
    let kill = || sig(Signal { victim: Task { group_exit: Some(9), ..member(20, 5) }, ..signal(10, 20) });
    let status = |episodes: &[Episode]| episodes[0].init_exit.map(|exit| exit.ending.status);
    // sh passes its child's 137 on.
    let got = episodes(hooks, vec![kill(), exits(member(20, 5), 9), exits(member(19, 1), 137 << 8)]);
    assert_eq!((got.len(), status(&got)), (1, Some(137 << 8)));
    // Another container's init; and one that ended first, so that the kernel swept the victim.
    let other = Task { cgroup: CgroupKey { id: 8, hierarchy: 0, level: 2 }, ..member(19, 1) };
    assert_eq!(status(&episodes(hooks, vec![kill(), exits(member(20, 5), 9), exits(other, 0)])), None);
    assert_eq!(status(&episodes(hooks, vec![kill(), exits(member(19, 1), 0), exits(member(20, 5), 9)])), None);
    // Long after.
    let mut correlator = Correlator::new(hooks);
    assert!(correlator.take(at_time(kill(), MS)).is_empty());
    assert!(correlator.take(at_time(exits(member(20, 5), 9), 2 * MS)).is_empty());
    let late = correlator.advance(20 * MS);
    assert_eq!((late.len(), status(&late)), (1, None));
}
