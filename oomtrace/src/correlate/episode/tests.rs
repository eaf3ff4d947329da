//! What an episode says of itself.

use super::*;
use crate::correlate::fixture::{mark, signal, task};
use crate::correlate::path::classify;
use crate::event::{Arguments, Constraint, Exit, Info};

fn killed(signal: Signal) -> Kill {
    let path = classify(&signal);
    Kill::by(signal, path)
}

fn ended(victim: u32) -> Kill {
    let exit = Exit { at: 30, task: task(victim), status: 9, cmdline: None };
    let unseen = Unseen { exit, lost: false, tracer: None, seccomp: false, pending: false };
    Kill { unseen: Some(Box::new(unseen)), ..Kill::default() }
}

#[test]
fn a_victim_is_known_by_its_signal_else_its_mark_else_its_end() {
    let of_mark = Kill { mark: Some(mark(5, 21)), ..Kill::default() };
    for (kill, pid, at) in [
        (killed(Signal { at: 10, ..signal(5, 20) }), Some(20), 10),
        (Kill { mark: Some(mark(5, 21)), ..killed(Signal { at: 10, ..signal(5, 20) }) }, Some(20), 10),
        (Kill { mark: Some(MarkVictim { at: 20, ..mark(5, 21) }), ..Kill::default() }, Some(21), 20),
        (Kill { unseen: ended(22).unseen, ..of_mark }, Some(21), 1_000_000_500),
        (ended(22), Some(22), 30),
        (Kill { mark: Some(MarkVictim { victim: None, at: 20, ..mark(5, 21) }), ..Kill::default() }, None, 20),
        (Kill::default(), None, 0),
    ] {
        assert_eq!(kill.victim().map(|task| task.key.pid), pid);
        assert_eq!(Episode::of(kill).at(), at);
    }
}

#[test]
fn the_mark_the_choice_or_the_stack_makes_it_an_oom_kill() {
    let choice = OomChoice {
        at: 0,
        trigger_tid: 5,
        chosen: task(20).key,
        chosen_points: 1,
        total_pages: 1000,
        constraint: Constraint::Memcg,
        order: 0,
        gfp: 0,
        owner: None,
    };
    let kernels = |stack: &str| {
        let symbols = stack.split_whitespace().map(str::to_owned).collect();
        killed(Signal { info: Info::Kernel, symbols, ..signal(5, 20) })
    };
    for (kill, is_oom) in [
        (kernels(""), false),
        (kernels("zap_pid_ns_processes do_exit"), false),
        (kernels("oom_kill_process out_of_memory"), true),
        (Kill { mark: Some(mark(5, 20)), ..kernels("") }, true),
        (Kill { choice: Some(choice), ..kernels("") }, true),
        (ended(20), false),
    ] {
        assert_eq!(Episode::of(kill).is_oom(), is_oom);
    }
}

#[test]
fn its_kills_are_the_chosen_ones_then_the_others_and_the_other_way_round() {
    let mut episode = Episode::of(killed(signal(5, 20)));
    let pids = |kills: Vec<&Kill>| kills.iter().filter_map(|kill| Some(kill.victim()?.key.pid)).collect::<Vec<_>>();
    assert_eq!(pids(episode.latest_first().collect()), [20]);
    episode.collateral = [21, 22].map(|victim| (Role::CgroupKill, killed(signal(5, victim)))).to_vec();
    assert_eq!(pids(episode.kills().collect()), [20, 21, 22]);
    assert_eq!(pids(episode.latest_first().collect()), [22, 21, 20]);
    assert_eq!(episode.first().map(|signal| signal.victim.key.pid), Some(20));
}

#[test]
fn what_one_among_thousands_does_not_need_is_forgotten() {
    let full = Signal {
        cmdline: Arguments::new(b"kill\0-9"),
        tty: Some("pts/1".to_owned()),
        stack: vec![1],
        symbols: vec!["kill_something_info".to_owned()],
        ..signal(5, 20)
    };
    let mut kill = killed(full);
    kill.slim();
    let signal = kill.signal.as_ref().unwrap();
    assert_eq!((&signal.cmdline, &signal.tty, signal.stack.len(), signal.symbols.len()), (&None, &None, 0, 0));
    let sender = &signal.sender;
    assert_eq!((&sender.exe, &sender.cgroup_path, &sender.memory_path), (&None, &None, &None));
    // Its victim is one by itself, and so is how it was killed.
    assert_eq!(signal.victim, self::signal(5, 20).victim);
    assert!(kill.path.is_some_and(|path| path.seen_on_stack));
}

#[test]
fn what_is_kept_of_a_victim_has_the_length_of_its_texts() {
    let arguments = Arguments::new(b"kill\0-9").unwrap();
    let mut kill = killed(signal(5, 20));
    let victim = &mut kill.signal.as_mut().unwrap().victim;
    (victim.exe, victim.cgroup_path, victim.memory_path) = (Some("12".to_owned()), Some("345".to_owned()), None);
    assert_eq!(kill.text_bytes(), 5);
    kill.cmdline = Some(Cmdline { arguments, truncated: false });
    assert_eq!(kill.text_bytes(), 5 + 7);
    assert_eq!(Kill::default().text_bytes(), 0);
}
