//! How long an episode waits, and for what.

use super::tests::{
    ALL, BOTH, MS, at_time, episodes, exit_of, exits, kernel_kill, marked, member, one_of_many, oom_kill, shape, sig,
};
use super::*;
use crate::correlate::fixture::{mark, signal, task};
use crate::event::Arguments;

const START: BootNs = 1_000_000_000;

#[test]
fn a_kill_waits_for_as_long_as_more_of_its_kind_may_follow() {
    let written = || {
        let symbols = ["__cgroup_kill", "cgroup_kill_write"].map(str::to_owned).to_vec();
        sig(Signal { info: Info::None, symbols, ..signal(5, 20) })
    };
    let from_outside = || {
        let mut signal = signal(5, 20);
        signal.victim.cgroup = CgroupKey { id: 7, hierarchy: 0, level: 2 };
        sig(signal)
    };
    for (what, event, wait) in [
        ("the OOM killer's, by the stack", sig(kernel_kill(5, 20, "oom_kill_process out_of_memory")), MARK_NS),
        ("without symbols", sig(kernel_kill(5, 20, "")), QUIET_NS),
        ("the sweep of a pid namespace", sig(kernel_kill(5, 20, "zap_pid_ns_processes do_exit")), QUIET_NS),
        ("cgroup.kill", written(), CALL_NS),
        ("kill(2) for a process group", one_of_many(5, 20, 7, "__kill_pgrp_info"), CALL_NS),
        ("kill(2) for all", one_of_many(5, 20, 7, ""), CALL_NS),
        ("from outside its cgroup", from_outside(), QUIET_NS),
    ] {
        let mut correlator = Correlator::new(BOTH);
        assert_eq!(correlator.take(at_time(event, START)), [], "{what}");
        assert_eq!(correlator.deadline(), Some(START + wait), "{what}");
    }
    let mut correlator = Correlator::new(BOTH);
    assert_eq!(correlator.take(one_of_many(5, 20, 7, "kill_pid_info_type")).len(), 1);
}

#[test]
fn another_signal_waits_only_for_an_end_that_it_makes_and_that_is_seen() {
    let ends = |group_exit| Signal { number: 15, victim: Task { group_exit, ..task(20) }, ..signal(5, 20) };
    for (hooks, group_exit, at_once) in
        [(ALL, Some(15), false), (ALL, None, true), (BOTH, Some(15), true), (BOTH, None, true)]
    {
        let mut correlator = Correlator::new(hooks);
        let got = correlator.take(sig(ends(group_exit)));
        assert_eq!(got.len(), usize::from(at_once), "{hooks:?} {group_exit:?}");
    }
}

#[test]
fn a_containers_process_that_ended_waits_for_the_containers_init() {
    let root = CgroupKey { id: 1, hierarchy: 0, level: 0 };
    for (what, victim, waits) in [
        ("a container's", member(20, 5), true),
        ("the host's", Task { ns_level: 0, ..member(20, 20) }, false),
        ("one whose container is not known", Task { cgroup: root, ..member(20, 5) }, false),
    ] {
        let mut correlator = Correlator::new(ALL);
        // From inside, so that no other kill is waited for.
        let mut kill = Signal { victim: Task { group_exit: Some(9), ..victim.clone() }, ..signal(10, 20) };
        kill.sender.cgroup = victim.cgroup;
        assert_eq!(correlator.take(at_time(sig(kill), START)), [], "{what}");
        let ended = START + 5 * MS;
        let got = correlator.take(at_time(exits(victim.clone(), 9), ended));
        assert_eq!(got.len(), usize::from(!waits), "{what}");
        assert_eq!(correlator.deadline(), waits.then_some(ended + INIT_NS), "{what}");
        let got = correlator.take(at_time(exits(member(19, 1), 137 << 8), ended + INIT_NS - 1));
        assert!(got.first().is_none_or(|episode| episode.init_exit.is_none()), "{what}");
        let status = correlator.finish().first().and_then(|episode| Some(episode.init_exit?.ending.status));
        assert_eq!(status, waits.then_some(137 << 8), "{what}");
    }
}

#[test]
fn kills_one_after_another_stay_apart_though_they_wait_for_their_victims_ends() {
    let single = |victim| one_of_many(5, victim, 7, "kill_pid_info_type");
    let got = episodes(ALL, vec![single(20), single(21), sig(signal(5, 22))]);
    assert_eq!(shape(&got), [(20, false, vec![]), (21, false, vec![]), (22, false, vec![])]);
}

#[test]
fn a_kernel_kill_waits_for_its_mark_and_no_longer_than_needed() {
    let mut correlator = Correlator::new(BOTH);
    let kill = kernel_kill(10, 20, "");
    let at = kill.at;
    assert_eq!(correlator.take(sig(kill)), []);
    assert_eq!(correlator.deadline(), Some(at + QUIET_NS));
    assert_eq!(correlator.advance(at + QUIET_NS - 1), []);
    assert_eq!(correlator.advance(at + QUIET_NS).len(), 1);
    assert_eq!(correlator.deadline(), None);
}

#[test]
fn a_mark_that_is_late_still_belongs_to_its_sigkill() {
    let late = |ms: BootNs| MarkVictim { at: 1_000_000_000 + ms * MS, ..mark(10, 20) };
    // A virtual CPU stood still in between; nobody looked meanwhile.
    for (kill, ms) in [(kernel_kill(10, 20, ""), 30), (oom_kill(10, 20), 30), (oom_kill(10, 20), 300)] {
        let mut correlator = Correlator::new(BOTH);
        assert_eq!(correlator.take(sig(kill)), []);
        assert_eq!(correlator.take(marked(late(ms))), []);
        assert_eq!(shape(&correlator.finish()), [(20, true, vec![])]);
    }
    // Somebody looked: what the stack shows to be an OOM kill is waited for.
    let mut correlator = Correlator::new(BOTH);
    correlator.take(sig(oom_kill(10, 20)));
    assert_eq!(correlator.advance(1_000_000_000 + 100 * MS), []);
    assert_eq!(correlator.take(marked(late(200))), []);
    // With its mark it waits for sharers only.
    assert_eq!(correlator.deadline(), Some(1_000_000_000 + 210 * MS));
}

#[test]
fn a_kill_waits_for_its_victims_end_and_learns_its_arguments() {
    let mut correlator = Correlator::new(ALL);
    let kill = signal(5, 20);
    let at = kill.at;
    assert_eq!(correlator.take(sig(kill)), []);
    assert_eq!(correlator.deadline(), Some(at + EXIT_NS));
    let done = correlator.take(at_time(exit_of(task(20), 9), at + 3 * MS));
    assert_eq!(done[0].chosen.ending, Some(Ending { at: at + 3 * MS, status: 9 }));
    assert_eq!(done[0].chosen.cmdline.as_ref().map(|own| own.arguments.clone()), Arguments::new(b"own"));
    assert_eq!(correlator.deadline(), None);
}

#[test]
fn a_victim_that_does_not_end_is_reported_without_an_end() {
    let mut correlator = Correlator::new(ALL);
    correlator.take(sig(signal(5, 20)));
    assert_eq!(correlator.advance(1_000_000_000 + EXIT_NS - 1), []);
    let done = correlator.advance(1_000_000_000 + EXIT_NS);
    assert_eq!((done.len(), done[0].chosen.ending), (1, None));
}

#[test]
fn an_oom_kill_waits_for_both_its_mark_and_its_victims_end() {
    let mut correlator = Correlator::new(ALL);
    assert_eq!(correlator.take(sig(oom_kill(10, 20))), []);
    // The victim ends before its mark is read.
    assert_eq!(correlator.take(at_time(exit_of(task(20), 9), 1_000_001_000)), []);
    assert_eq!(correlator.take(marked(mark(10, 20))), []);
    assert_eq!(shape(&correlator.advance(1_000_000_500 + QUIET_NS)), [(20, true, vec![])]);
}

#[test]
fn members_of_an_oom_group_are_waited_for_past_a_slow_console() {
    let group = |victim| {
        let mut mark = mark(10, victim);
        let level = crate::event::MemcgLevel {
            cgroup: mark.trigger.cgroup,
            usage_bytes: 0,
            limit_bytes: None,
            peak_bytes: 0,
            swap_usage_bytes: 0,
            swap_limit_bytes: None,
            oom_group: true,
        };
        mark.levels.push(level);
        mark
    };
    let mut correlator = Correlator::new(BOTH);
    let member = kernel_kill(10, 21, "__oom_kill_process oom_kill_memcg_member mem_cgroup_scan_tasks");
    let at = |ms: BootNs| 1_000_000_000 + ms * MS;
    correlator.take(sig(oom_kill(10, 20)));
    correlator.take(at_time(marked(group(20)), at(0)));
    assert_eq!(correlator.advance(at(40)), []);
    assert_eq!(correlator.take(at_time(sig(member), at(60))), []);
    assert_eq!(correlator.take(at_time(marked(group(21)), at(61))), []);
    assert_eq!(shape(&correlator.finish()), [(20, true, vec![(Role::OomGroup, 21)])]);
}

#[test]
fn who_shares_the_victims_memory_is_waited_for_past_a_slow_console() {
    let at = |ms: BootNs| 1_000_000_000 + ms * MS;
    for (sharers, expected) in [(1, vec![(Role::SharedMm, 21)]), (0, vec![])] {
        let mut correlator = Correlator::new(BOTH);
        let of_same_memory = |mut event: Event| {
            if let Event::Signal(signal) = &mut event {
                signal.victim.mm = 7;
            }
            event
        };
        let sharer = kernel_kill(10, 21, "__oom_kill_process oom_kill_process out_of_memory");
        correlator.take(of_same_memory(sig(oom_kill(10, 20))));
        correlator.take(at_time(marked(MarkVictim { sharers, ..mark(10, 20) }), at(0)));
        let mut got = correlator.advance(at(40));
        got.extend(correlator.take(of_same_memory(at_time(sig(sharer), at(60)))));
        got.extend(correlator.finish());
        assert_eq!(shape(&got)[0], (20, true, expected));
    }
}

#[test]
fn one_call_for_a_process_group_is_one_episode_though_its_caller_stands_still() {
    let at = |ms: BootNs| 1_000_000_000 + ms * MS;
    let group = |victim| one_of_many(10, victim, 5, "__kill_pgrp_info");
    let mut correlator = Correlator::new(BOTH);
    correlator.take(group(20));
    assert_eq!(correlator.take(at_time(group(21), at(100))), []);
    assert_eq!(correlator.take(at_time(group(22), at(200))), []);
    let role = Role::ProcessGroup;
    assert_eq!(shape(&correlator.finish()), [(20, false, vec![(role, 21), (role, 22)])]);
}

/// A process group whose members are made anew as fast as they are killed.
#[test]
fn whoever_kills_without_end_is_reported_meanwhile() {
    let at = |ms: BootNs| 1_000_000_000 + ms * MS;
    let mut correlator = Correlator::new(BOTH);
    for number in 0..100 {
        let now = at(u64::from(number) * 100);
        if !correlator.take(at_time(one_of_many(10, 20 + number, 5, "__kill_pgrp_info"), now)).is_empty() {
            assert!((20..45).contains(&number), "{number}");
            return;
        }
    }
    panic!("nothing in ten seconds");
}
