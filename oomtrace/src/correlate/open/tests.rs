//! Which open episode is found, which is complete, and that nothing stays of it then.

use super::*;
use crate::correlate::fixture::{mark, signal, task};
use crate::correlate::path::classify;
use crate::event::Arguments;

fn killed(victim: u32, number: u32) -> Kill {
    let signal = crate::event::Signal { number, ..signal(5, victim) };
    let path = classify(&signal);
    Kill::by(signal, path)
}

fn waiting(victim: u32, until: BootNs) -> Open {
    let sender = task(5);
    Open {
        episode: Episode::of(killed(victim, SIGKILL)),
        tid: sender.tid,
        sender: sender.key,
        until,
        exit_by: until,
        bytes: 0,
    }
}

fn key(pid: u32) -> ProcessKey {
    task(pid).key
}

fn pids(episodes: &[Episode]) -> Vec<Vec<u32>> {
    let of = |episode: &Episode| episode.kills().filter_map(|kill| Some(kill.victim()?.key.pid)).collect();
    episodes.iter().map(of).collect()
}

/// Episodes of the victims 20, 21 and 22, with a further victim each: 30, 31 and 32.
fn three() -> (OpenSet, [u64; 3]) {
    let mut open = OpenSet::default();
    let numbers = [20, 21, 22].map(|victim| {
        let until = 1_000_000_000 + u64::from(victim);
        let number = open.push(key(victim), waiting(victim, until));
        open.add(number, key(victim + 10), Role::CgroupKill, killed(victim + 10, SIGKILL), until);
        number
    });
    (open, numbers)
}

#[test]
fn each_episode_is_found_by_its_chosen_victim_and_each_kill_by_its_own() {
    let (mut open, numbers) = three();
    for (victim, number) in [20, 21, 22].into_iter().zip(numbers) {
        assert_eq!(open.of_chosen(key(victim)), Some(number));
        assert_eq!(open.of_chosen(key(victim + 10)), None);
        assert_eq!(open.find(|open| open.episode.chosen.victim().is_some_and(|v| v.key == key(victim))), Some(number));
        for pid in [victim, victim + 10] {
            assert_eq!(open.kill_of(key(pid)).and_then(|kill| kill.victim().map(|v| v.key.pid)), Some(pid));
        }
    }
    assert_eq!(open.find(|_| true), Some(numbers[2]));
    assert_eq!((open.find(|_| false), open.of_chosen(key(5)), open.kill_of(key(5))), (None, None, None));
}

#[test]
fn another_signal_is_no_kill_that_others_may_join() {
    let mut open = OpenSet::default();
    open.push(key(20), Open { episode: Episode::of(killed(20, 15)), ..waiting(20, 1) });
    assert_eq!((open.find(|_| true), open.of_chosen(key(20))), (None, None));
    // Its end is seen all the same.
    assert!(open.kill_of(key(20)).is_some());
    open.push(key(21), waiting(21, 1));
    assert!(open.find(|_| true).is_some() && open.of_chosen(key(21)).is_some());
}

#[test]
fn the_episode_whose_victim_ended_is_complete_and_no_other() {
    for ended in [20, 21, 22] {
        let (mut open, _) = three();
        open.iter_mut().for_each(|open| (open.until, open.exit_by) = (1, 1_000));
        open.chosen_ended(key(ended), 2);
        // A further victim's end completes nothing.
        open.chosen_ended(key(ended + 10), 2);
        assert_eq!(open.take_due(1), []);
        assert_eq!(pids(&open.take_due(2)), [[ended, ended + 10]]);
        assert_eq!(open.earliest(), Some(1_000));
        assert_eq!(open.take_due(1_000).len(), 2);
    }
}

#[test]
fn nothing_stays_of_an_episode_that_is_complete() {
    let (mut open, _) = three();
    assert_eq!(pids(&open.take_due(1_000_000_020)), [[20, 30]]);
    assert_eq!((open.victims.len(), open.kill_of(key(30))), (4, None));
    assert_eq!(pids(&open.take_beyond(1)), [[21, 31]]);
    assert_eq!((open.victims.len(), open.kill_of(key(31))), (2, None));
    assert_eq!(pids(&open.take_due(BootNs::MAX)), [[22, 32]]);
    assert!(open.victims.is_empty() && open.episodes.is_empty());
}

#[test]
fn an_episode_that_is_absorbed_brings_all_its_victims() {
    let (mut open, [first, second, _]) = three();
    open.absorb(second, first, Role::CgroupKill);
    assert_eq!(open.of_chosen(key(20)), None);
    assert!([20, 30].iter().all(|pid| open.kill_of(key(*pid)).is_some()));
    assert_eq!(pids(&open.take_due(1_000_000_021)), [[21, 31, 20, 30]]);
}

#[test]
fn only_the_latest_further_victim_can_become_an_episode_of_its_own() {
    let (mut open, [number, ..]) = three();
    open.add(number, key(40), Role::SharedMm, killed(40, SIGKILL), 1_000_000_020);
    open.split(key(30), mark(5, 30), 1_000_000_025);
    assert_eq!(open.of_chosen(key(30)), None);
    open.split(key(40), mark(5, 40), 1_000_000_025);
    let split = open.of_chosen(key(40)).unwrap();
    let own = &open.episodes[&split];
    assert_eq!((own.until, own.exit_by, own.sender), (1_000_000_025, 1_000_000_020, key(5)));
    assert_eq!(own.episode.chosen.mark, Some(mark(5, 40)));
    assert_eq!(pids(&open.take_due(1_000_000_020)), [[20, 30]]);
    // It has been seen to end: only its mark's time is waited for.
    let (mut open, [number, ..]) = three();
    let ending = Some(crate::correlate::Ending { at: 1_000_000_001, status: 9 });
    open.add(number, key(40), Role::SharedMm, Kill { ending, ..killed(40, SIGKILL) }, 1_000_000_020);
    open.split(key(40), mark(5, 40), 1_000_000_005);
    assert_eq!(pids(&open.take_due(1_000_000_005)), [[40]]);
}

/// The bytes that a further victim of this name is counted with.
fn text_of(pid: u32) -> usize {
    killed(pid, SIGKILL).text_bytes()
}

#[test]
fn what_is_known_of_further_victims_is_counted_as_long_as_it_is_kept() {
    let (mut open, [first, second, third]) = three();
    let counted = |open: &OpenSet| (open.bytes, open.episodes.values().map(|open| open.bytes).collect::<Vec<_>>());
    let one = text_of(30);
    assert!(one > 0);
    assert_eq!(counted(&open), (3 * one, vec![one, one, one]));
    let cmdline = |text: &[u8]| Cmdline { arguments: Arguments::new(text).unwrap(), truncated: false };
    open.add_cmdline(key(30), cmdline(b"seven b"));
    assert_eq!(counted(&open), (3 * one + 7, vec![one + 7, one, one]));
    // Those that came first are kept; and a chosen victim's are not counted.
    open.add_cmdline(key(30), cmdline(b"more"));
    open.add_cmdline(key(20), cmdline(b"its own"));
    assert_eq!(counted(&open), (3 * one + 7, vec![one + 7, one, one]));
    open.absorb(second, first, Role::CgroupKill);
    assert_eq!(counted(&open), (4 * one + 7 + 7, vec![3 * one + 7 + 7, one]));
    open.add(third, key(40), Role::SharedMm, killed(40, SIGKILL), 1_000_000_022);
    open.split(key(40), mark(5, 40), 1_000_000_030);
    assert_eq!(counted(&open), (4 * one + 7 + 7, vec![3 * one + 7 + 7, one, 0]));
    assert_eq!(open.take_due(1_000_000_021).len(), 1);
    assert_eq!(counted(&open), (one, vec![one, 0]));
    assert_eq!(open.take_beyond(1).len(), 1);
    assert_eq!(counted(&open), (0, vec![0]));
}

#[test]
fn an_episode_takes_no_more_than_there_is_room_for_and_all_of_them_neither() {
    let long = |pid, bytes: usize| {
        let mut kill = killed(pid, SIGKILL);
        let victim = &mut kill.signal.as_mut().unwrap().victim;
        (victim.exe, victim.cgroup_path, victim.memory_path) = (Some("x".repeat(bytes)), None, None);
        kill
    };
    let mut open = OpenSet::default();
    let number = open.push(key(20), waiting(20, 1));
    open.add(number, key(30), Role::CgroupKill, long(30, EPISODE_BYTES - 1), 1);
    assert!(open.episodes[&number].has_room());
    open.add(number, key(31), Role::CgroupKill, long(31, 1), 1);
    assert!(!open.episodes[&number].has_room());
    let mut many = waiting(22, 1);
    many.episode.collateral.resize_with(MEMBERS - 1, || (Role::CgroupKill, Kill::default()));
    assert!(many.has_room());
    many.episode.collateral.push((Role::CgroupKill, Kill::default()));
    assert!(!many.has_room());
    let other = open.push(key(21), waiting(21, 1));
    open.add(other, key(32), Role::CgroupKill, long(32, ALL_BYTES - EPISODE_BYTES), 1);
    assert_eq!(open.take_beyond(2), []);
    open.add(other, key(33), Role::CgroupKill, long(33, 1), 1);
    assert_eq!(pids(&open.take_beyond(2)), [[20, 30, 31]]);
    assert_eq!(open.take_beyond(2), []);
}
