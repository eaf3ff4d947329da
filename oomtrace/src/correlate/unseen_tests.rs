//! Ends by SIGKILL that no signal explains: which are episodes, and which must not be.

use super::*;
use crate::correlate::fixture::{signal, task};
use crate::event::{Ancestor, Exit};

const HOOKS: Hooks = Hooks { signal_generate: true, mark_victim: true, process_exit: true };
const SECOND: BootNs = 1_000_000_000;

/// `victim`, which has lived since `start`, ends at `at`.
fn end(victim: u32, start: BootNs, at: BootNs) -> Unseen {
    let mut task = task(victim);
    task.key.start = start;
    Unseen {
        exit: Exit { at, task, status: 9, cmdline: None },
        lost: false,
        tracer: None,
        seccomp: false,
        pending: false,
    }
}

fn episodes(correlator: Correlator, events: Vec<Event>) -> Vec<Episode> {
    let mut correlator = correlator;
    let mut done: Vec<Episode> = events.into_iter().flat_map(|event| correlator.take(event)).collect();
    done.extend(correlator.finish());
    done
}

fn unseen(end: Unseen) -> Event {
    Event::Unseen(Box::new(end))
}

fn victims(episodes: &[Episode]) -> Vec<u32> {
    episodes.iter().filter_map(|episode| Some(episode.chosen.victim()?.key.pid)).collect()
}

#[test]
fn an_end_without_a_signal_is_an_episode_with_all_that_is_known() {
    let tracer = Ancestor { key: ProcessKey { pid: 7, start: 1 }, uid: 0, comm: "strace".to_owned(), namespaces: None };
    let stop = Signal { number: 15, preceding: true, at: SECOND, ..signal(5, 20) };
    let traced = Unseen { tracer: Some(tracer), ..end(20, 20_000, 10 * SECOND) };
    let got = episodes(Correlator::new(HOOKS), vec![Event::Signal(Box::new(stop)), unseen(traced.clone())]);
    assert_eq!((victims(&got), got[0].at()), (vec![20], 10 * SECOND));
    let chosen = &got[0].chosen;
    assert_eq!(chosen.path, Some(Path::UNSEEN));
    assert_eq!(chosen.ending, Some(Ending { at: 10 * SECOND, status: 9 }));
    assert_eq!(chosen.unseen.as_deref(), Some(&traced));
    assert_eq!(got[0].preceding.len(), 1);
    assert!(!got[0].is_oom());
}

#[test]
fn what_may_have_been_killed_before_all_was_attached_is_none() {
    let since = 100 * SECOND;
    for (start, at, lost, is_episode) in [
        (20 * SECOND, 101 * SECOND, false, false),
        (20 * SECOND, since + STARTING_NS - 1, false, false),
        (20 * SECOND, since + STARTING_NS, false, true),
        (20 * SECOND, 106 * SECOND, false, true),
        // Its signal was seen, and lost.
        (20 * SECOND, 101 * SECOND, true, true),
        // It is younger than the hooks.
        (100 * SECOND, 101 * SECOND, false, true),
    ] {
        let correlator = Correlator::new(HOOKS).watching_since(since);
        let got = episodes(correlator, vec![unseen(Unseen { lost, ..end(20, start, at) })]);
        assert_eq!(got.len(), usize::from(is_episode), "{start} {at} {lost}");
    }
}

#[test]
fn what_a_signal_explains_is_no_second_episode() {
    let kill = signal(10, 20);
    let start = kill.victim.key.start;
    let got = episodes(Correlator::new(HOOKS), vec![Event::Signal(Box::new(kill)), unseen(end(20, start, 2 * SECOND))]);
    assert_eq!(victims(&got), [20]);
    assert!(got[0].chosen.signal.is_some() && got[0].chosen.unseen.is_none());
    assert_eq!(got[0].chosen.ending, Some(Ending { at: 2 * SECOND, status: 9 }));
    // Stuck for so long that the kill has been reported meanwhile.
    let mut correlator = Correlator::new(HOOKS);
    correlator.take(Event::Signal(Box::new(signal(10, 20))));
    assert_eq!(victims(&correlator.advance(60 * SECOND)), [20]);
    assert_eq!(correlator.take(unseen(end(20, start, 60 * SECOND))), []);
    assert_eq!(correlator.finish(), []);
}

#[test]
fn without_the_signals_hook_nothing_is_said_of_ends() {
    let hooks = Hooks { signal_generate: false, ..HOOKS };
    assert!(episodes(Correlator::new(hooks), vec![unseen(end(20, 1, 10 * SECOND))]).is_empty());
}

#[test]
fn a_kernel_thread_that_ends_is_none() {
    let mut thread = end(20, 1, 10 * SECOND);
    thread.exit.task.kernel_thread = true;
    assert!(episodes(Correlator::new(HOOKS), vec![unseen(thread)]).is_empty());
}

/// An init that ends so takes its pid namespace with it.
#[test]
fn the_sweep_of_a_namespace_goes_with_its_init() {
    let mut init = end(20, 20_000, SECOND);
    (init.exit.task.ns_level, init.exit.task.ns_pid) = (1, 1);
    let mut sweep = signal(20, 21);
    (sweep.at, sweep.info) = (SECOND + 1000, Info::Kernel);
    sweep.symbols = ["zap_pid_ns_processes", "do_exit"].map(str::to_owned).to_vec();
    (sweep.sender.exiting, sweep.sender.ns_level, sweep.sender.ns_pid) = (true, 1, 1);
    let got = episodes(Correlator::new(HOOKS), vec![unseen(init), Event::Signal(Box::new(sweep))]);
    assert_eq!(victims(&got), [20]);
    assert_eq!(got[0].collateral.iter().map(|(role, _)| *role).collect::<Vec<_>>(), [Role::PidNamespace]);
}

/// Victims that are kept from ending hold no more than so many episodes.
#[test]
fn episodes_that_wait_are_bounded() {
    let mut correlator = Correlator::new(HOOKS);
    let mut done = 0;
    let count = u32::try_from(OPEN).unwrap() + 100;
    for pid in 0..count {
        done += correlator.take(Event::Signal(Box::new(signal(5, 1000 + pid)))).len();
    }
    assert_eq!(done, 100);
    assert_eq!(correlator.finish().len(), OPEN);
}
