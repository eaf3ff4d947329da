//! Each rule by itself: what a signal belongs to, and what its victim is.

use super::*;
use crate::correlate::fixture::{mark, signal, task};
use crate::correlate::path::classify;

const AT: BootNs = 1_000_000_000;
const UNTIL: BootNs = AT + 1_000;

/// A SIGKILL of `sender`'s with these functions on the stack.
fn by(info: Info, stack: &str, sender: u32, victim: u32) -> Signal {
    let symbols = stack.split_whitespace().map(str::to_owned).collect();
    Signal { info, symbols, ..signal(sender, victim) }
}

fn kernels(stack: &str, sender: u32, victim: u32) -> Signal {
    by(Info::Kernel, stack, sender, victim)
}

fn written(sender: u32, victim: u32) -> Signal {
    by(Info::None, "__cgroup_kill cgroup_kill_write", sender, victim)
}

fn swept(sender: u32, victim: u32) -> Signal {
    kernels("zap_pid_ns_processes do_exit", sender, victim)
}

fn chosen_by_oom(sender: u32, victim: u32) -> Signal {
    kernels("__oom_kill_process oom_kill_process out_of_memory", sender, victim)
}

/// kill(2) for more than one process.
fn called(via: &str, victim: u32, pgid: u32) -> Signal {
    let mut signal =
        by(Info::Real(0), &format!("do_send_sig_info {via} kill_something_info __x64_sys_kill"), 5, victim);
    signal.victim.pgid = Some(pgid);
    signal
}

fn in_cgroup(id: u64) -> CgroupKey {
    CgroupKey { id, hierarchy: 0, level: 2 }
}

fn living(task: Task, cgroup: u64) -> Task {
    Task { cgroup: in_cgroup(cgroup), ..task }
}

/// By a sender that lives elsewhere than its victim.
fn from_outside(victim: u32) -> Signal {
    let signal = signal(5, victim);
    Signal { sender: living(signal.sender.clone(), 3), victim: living(signal.victim.clone(), 7), ..signal }
}

fn killed(signal: Signal) -> Kill {
    let path = classify(&signal);
    Kill::by(signal, path)
}

/// The episode that `first` began, which waits until `UNTIL`.
fn open(first: Signal) -> Open {
    let (tid, sender) = (first.sender.tid, first.sender.key);
    Open { episode: Episode::of(killed(first)), tid, sender, until: UNTIL, exit_by: 0, bytes: 0 }
}

fn marked(first: Signal) -> Open {
    let mut open = open(first);
    open.episode.chosen.mark = Some(mark(5, 20));
    open
}

fn joins(open: &Open, signal: &Signal) -> bool {
    belongs(open, signal, classify(signal))
}

#[test]
fn one_thread_goes_on_with_its_call_until_that_has_been_quiet() {
    for (first, next, expected) in [
        (written(5, 20), written(5, 21), true),
        (swept(5, 20), swept(5, 21), true),
        (written(5, 20), swept(5, 21), false),
        (swept(5, 20), written(5, 21), false),
        (called("__kill_pgrp_info", 20, 7), called("__kill_pgrp_info", 21, 7), true),
        (called("__kill_pgrp_info", 20, 7), called("__kill_pgrp_info", 21, 8), false),
        (called("", 20, 7), called("", 21, 8), true),
        (called("__kill_pgrp_info", 20, 7), called("", 21, 7), false),
        (called("kill_pid_info_type", 20, 7), called("kill_pid_info_type", 21, 7), false),
        (called("", 20, 7), signal(5, 21), false),
    ] {
        let open = open(first);
        assert_eq!(joins(&open, &next), expected, "{:?} {:?}", open.episode.first().map(|s| &s.symbols), next.symbols);
        let mut other_thread = next.clone();
        other_thread.sender.tid = 6;
        assert!(!joins(&open, &other_thread), "{:?}", next.symbols);
        // Its pid was another's before.
        let mut reused = next.clone();
        reused.sender.key.start += 1;
        assert!(!joins(&open, &reused), "{:?}", next.symbols);
        assert_eq!(joins(&open, &Signal { at: UNTIL - 1, ..next.clone() }), expected, "{:?}", next.symbols);
        assert!(!joins(&open, &Signal { at: UNTIL, ..next.clone() }), "{:?}", next.symbols);
        assert!(!joins(&open, &Signal { at: UNTIL + 1, ..next.clone() }), "{:?}", next.symbols);
    }
}

#[test]
fn after_an_oom_victim_die_those_that_share_its_memory() {
    let with_mm = |signal: Signal, mm| Signal { victim: Task { mm, ..signal.victim.clone() }, ..signal };
    let first = || with_mm(chosen_by_oom(5, 20), 7);
    let sharer = |mm| with_mm(chosen_by_oom(5, 21), mm);
    assert!(joins(&marked(first()), &sharer(7)));
    assert!(!joins(&marked(first()), &sharer(8)));
    // What has no memory shares none.
    assert!(!joins(&marked(with_mm(chosen_by_oom(5, 20), 0)), &sharer(0)));
    // The context killed for another reason before.
    assert!(!joins(&open(with_mm(swept(5, 20), 7)), &sharer(7)));
}

#[test]
fn members_of_an_oom_group_follow_their_chosen_one_however_late() {
    let member = kernels("__oom_kill_process oom_kill_memcg_member", 5, 21);
    assert!(joins(&open(chosen_by_oom(5, 20)), &member));
    assert!(joins(&open(chosen_by_oom(5, 20)), &Signal { at: UNTIL + 1, ..member.clone() }));
    assert!(!joins(&open(swept(5, 20)), &member));
    assert!(!joins(&open(chosen_by_oom(6, 20)), &member));
}

#[test]
fn without_symbols_the_kernels_kills_after_a_mark_belong_to_it() {
    assert!(joins(&marked(kernels("", 5, 20)), &kernels("", 5, 21)));
    assert!(!joins(&open(kernels("", 5, 20)), &kernels("", 5, 21)));
    // Some driver's, which sends none of the kernel's own.
    assert!(!joins(&marked(kernels("", 5, 20)), &by(Info::None, "some_driver_timeout", 5, 21)));
    assert!(!joins(&open(kernels("", 5, 20)), &by(Info::None, "some_driver_timeout", 5, 21)));
}

#[test]
fn a_child_killed_at_its_fork_is_no_call_of_its_parents() {
    let forked = by(Info::None, "cgroup_post_fork copy_process", 5, 40);
    let open = open(forked);
    assert!(is_orphaned(&open));
    // The parent writes a cgroup.kill itself.
    assert!(!joins(&open, &written(5, 21)));
}

#[test]
fn a_forked_child_goes_with_a_cgroup_that_is_being_killed_and_was_its() {
    let of_cgroup = |signal: Signal, id| Signal { victim: living(signal.victim.clone(), id), ..signal };
    let mut open = open(of_cgroup(written(5, 20), 7));
    assert!(is_of_killed_cgroup(&open, in_cgroup(7), UNTIL - 1));
    assert!(!is_of_killed_cgroup(&open, in_cgroup(7), UNTIL));
    assert!(!is_of_killed_cgroup(&open, in_cgroup(7), UNTIL + 1));
    assert!(!is_of_killed_cgroup(&open, in_cgroup(8), AT));
    // A cgroup below it, as that of a later victim.
    open.episode.collateral.push((Role::CgroupKill, killed(of_cgroup(written(5, 21), 8))));
    assert!(is_of_killed_cgroup(&open, in_cgroup(8), AT));
    assert!(!is_of_killed_cgroup(&self::open(of_cgroup(signal(5, 20), 7)), in_cgroup(7), AT));
}

#[test]
fn a_cgroups_processes_are_killed_one_by_one_from_outside_by_one_process() {
    let other_thread = |victim| {
        let mut signal = from_outside(victim);
        signal.sender.tid = 6;
        signal
    };
    assert!(joins(&open(from_outside(20)), &other_thread(21)));
    assert!(joins(&open(from_outside(20)), &Signal { at: UNTIL - 1, ..other_thread(21) }));
    assert!(!joins(&open(from_outside(20)), &Signal { at: UNTIL, ..other_thread(21) }));
    assert!(!joins(&open(from_outside(20)), &Signal { at: UNTIL + 1, ..other_thread(21) }));
    let mut other_sender = from_outside(21);
    other_sender.sender.key.pid = 6;
    assert!(!joins(&open(from_outside(20)), &other_sender));

    let is_next = |first: Signal, next: &Signal| is_one_by_one(&open(first), next, classify(next));
    let with = |change: &dyn Fn(&mut Signal)| {
        let mut signal = from_outside(21);
        change(&mut signal);
        signal
    };
    assert!(is_next(from_outside(20), &from_outside(21)));
    for (what, next) in [
        ("a container's first process", with(&|s| (s.victim.ns_level, s.victim.ns_pid) = (1, 1))),
        ("of another cgroup", with(&|s| s.victim.cgroup = in_cgroup(8))),
        ("by one that has moved into it", with(&|s| s.sender.cgroup = in_cgroup(7))),
        ("by the kernel", with(&|s| s.info = Info::Kernel)),
    ] {
        assert!(!is_next(from_outside(20), &next), "{what}");
    }
    let kernels = Signal { info: Info::Kernel, ..from_outside(20) };
    assert!(!is_next(kernels, &from_outside(21)));
    let forked = by(Info::None, "cgroup_post_fork copy_process", 5, 20);
    let forked = Signal { victim: living(forked.victim.clone(), 7), ..forked };
    assert!(!is_next(forked, &from_outside(21)));
}

#[test]
fn the_root_of_a_hierarchy_is_nobodys_home() {
    let of = |level, memory_level| Task {
        cgroup: CgroupKey { id: 3, hierarchy: 0, level },
        memory_cgroup: CgroupKey { id: 4, hierarchy: 4, level: memory_level },
        ..task(20)
    };
    for (level, memory_level, id) in [(2, 1, Some(3)), (1, 0, Some(3)), (0, 1, Some(4)), (0, 0, None)] {
        assert_eq!(home(&of(level, memory_level)).map(|home| home.id), id, "{level} {memory_level}");
    }
}

#[test]
fn who_lives_elsewhere_than_the_victim_is_outside() {
    for (sender, victim, outside) in [(3, Some(7), true), (7, Some(7), false), (3, None, false)] {
        let mut signal = signal(5, 20);
        signal.sender.cgroup = in_cgroup(sender);
        signal.victim.cgroup = victim.map_or(signal.victim.cgroup, in_cgroup);
        assert_eq!(is_from_outside(&signal), outside, "{sender} {victim:?}");
    }
    // A sender in the root, as a kernel thread or a shell on the console.
    let mut signal = signal(5, 20);
    signal.victim.cgroup = in_cgroup(7);
    assert!(is_from_outside(&signal));
}

#[test]
fn a_mark_is_for_a_kill_of_the_kernels_that_the_stack_shows_to_be_nothing_else() {
    for (signal, expected) in [
        (chosen_by_oom(5, 20), true),
        (kernels("", 5, 20), true),
        (kernels("some_driver_callback", 5, 20), true),
        (swept(5, 20), false),
        (by(Info::None, "", 5, 20), false),
        (by(Info::Real(0), "", 5, 20), false),
        (by(Info::Real(0), "kill_something_info __x64_sys_kill", 5, 20), false),
    ] {
        let what = format!("{:?} {:?}", signal.info, signal.symbols);
        assert_eq!(may_be_oom(&killed(signal)), expected, "{what}");
    }
    assert!(!may_be_oom(&Kill::default()));
}

#[test]
fn a_sweep_is_known_by_its_stack_or_by_the_dying_init_in_whose_context_it_is() {
    let from = |signal: Signal, exiting, ns_pid| {
        let sender = Task { exiting, ns_level: 1, ns_pid, ..signal.sender.clone() };
        Signal { sender, ..signal }
    };
    for (signal, expected) in [
        (swept(5, 20), true),
        (from(kernels("", 5, 20), true, 1), true),
        (from(kernels("", 5, 20), true, 2), false),
        (from(kernels("", 5, 20), false, 1), false),
        (from(by(Info::None, "some_driver_timeout", 5, 20), true, 1), false),
        (from(chosen_by_oom(5, 20), true, 1), false),
        (kernels("", 5, 20), false),
    ] {
        assert_eq!(is_sweep(&signal, classify(&signal)), expected, "{:?} {:?}", signal.symbols, signal.sender);
    }
}

#[test]
fn what_a_further_victim_is_follows_from_its_signal() {
    for (signal, expected) in [
        (called("__kill_pgrp_info", 20, 7), Role::ProcessGroup),
        (called("", 20, 7), Role::ProcessGroup),
        (called("kill_pid_info_type", 20, 7), Role::OneByOne),
        (written(5, 20), Role::CgroupKill),
        (by(Info::Real(-6), "do_send_specific __x64_sys_tgkill", 5, 20), Role::OneByOne),
        (swept(5, 20), Role::PidNamespace),
        (kernels("__oom_kill_process oom_kill_memcg_member", 5, 20), Role::OomGroup),
        (chosen_by_oom(5, 20), Role::SharedMm),
        (kernels("", 5, 20), Role::SharedMm),
    ] {
        assert_eq!(role(classify(&signal).path, &signal), expected, "{:?}", signal.symbols);
    }
}

#[test]
fn what_was_taken_for_a_sharer_and_shares_nothing_was_swept() {
    let with_mm = |mut signal: Signal, mm| {
        signal.victim.mm = mm;
        killed(signal)
    };
    let mut episode = Episode::of(with_mm(kernels("", 5, 20), 7));
    episode.chosen.mark = Some(mark(5, 20));
    let mut member = with_mm(kernels("", 5, 24), 9);
    member.mark = Some(mark(5, 24));
    episode.collateral = vec![
        (Role::SharedMm, with_mm(kernels("", 5, 21), 7)),
        (Role::SharedMm, with_mm(kernels("", 5, 22), 8)),
        (Role::SharedMm, with_mm(chosen_by_oom(5, 23), 8)),
        (Role::OomGroup, member),
        (Role::SharedMm, with_mm(kernels("", 5, 25), 9)),
        (Role::OomGroup, with_mm(kernels("", 5, 26), 8)),
    ];
    let roles: Vec<Role> = settle(episode).collateral.into_iter().map(|(role, _)| role).collect();
    use Role::{OomGroup, PidNamespace, SharedMm};
    assert_eq!(roles, [SharedMm, PidNamespace, SharedMm, OomGroup, SharedMm, OomGroup]);
}
