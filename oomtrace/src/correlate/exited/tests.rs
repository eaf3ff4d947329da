use super::*;
use crate::correlate::fixture::{mark, signal, task};
use crate::correlate::{Correlator, Hooks};
use crate::event::{CgroupKey, Event, Exit, Info, MarkVictim, Outcome, Signal};

const AT: BootNs = 1_000_000_000;
const MS: BootNs = 1_000_000;
const SECOND: BootNs = 1_000 * MS;
const HOOKS: Hooks = Hooks { signal_generate: true, mark_victim: true, process_exit: true };
const INIT: u32 = 50;

/// A process in the pid namespace whose first process is [`INIT`], and in its cgroup.
fn inside(pid: u32, ppid: u32) -> Task {
    let cgroup = CgroupKey { id: 7, hierarchy: 0, level: 2 };
    let ns_pid = if pid == INIT { 1 } else { pid };
    Task { ns_level: 1, ns_pid, ppid, cgroup, group_exit: Some(9), ..task(pid) }
}

fn kill_of(victim: Task, at: BootNs) -> Signal {
    Signal { at, victim, ..signal(10, 20) }
}

fn killed(victim: Task, at: BootNs) -> Event {
    Event::Signal(Box::new(kill_of(victim, at)))
}

fn ended(pid: u32, at: BootNs) -> Event {
    Event::Exit(Box::new(Exit { at, task: inside(pid, INIT), status: 9, cmdline: None }))
}

fn exited(at: BootNs) -> Event {
    Event::ExitedAsKilled(Box::new(Exit { at, task: inside(INIT, 1), status: 137 << 8, cmdline: None }))
}

/// The episodes of these events, all that is open at the end among them.
fn episodes(events: Vec<Event>) -> Vec<Episode> {
    let mut correlator = Correlator::new(HOOKS);
    let mut all: Vec<Episode> = events.into_iter().flat_map(|event| correlator.take(event)).collect();
    all.extend(correlator.finish());
    all
}

/// What was killed before the end by exit(137), which must be the last episode.
fn before(events: Vec<Event>) -> Option<KilledBefore> {
    let all = episodes(events);
    let last = all.last().unwrap();
    assert_eq!(last.chosen.victim().unwrap().key.pid, INIT);
    assert_eq!(last.chosen.ending.unwrap().status, 137 << 8);
    last.exited.clone().unwrap().after
}

#[test]
fn an_init_that_chose_137_is_an_episode_of_its_own() {
    let all = episodes(vec![exited(AT)]);
    assert_eq!(all.len(), 1);
    assert_eq!(before(vec![exited(AT)]), None);
    // What a SIGKILL ends is an incident, whatever status it has.
    let all = episodes(vec![killed(inside(INIT, 1), AT), exited(AT + MS)]);
    assert!(all.iter().all(|episode| episode.exited.is_none()), "{all:?}");
    let outside = Exit { at: AT, task: task(INIT), status: 137 << 8, cmdline: None };
    assert!(episodes(vec![Event::ExitedAsKilled(Box::new(outside))]).is_empty());
    // Without that hook there is no knowing.
    let mut blind = Correlator::new(Hooks { signal_generate: false, ..HOOKS });
    assert!(blind.take(exited(AT)).is_empty() && blind.finish().is_empty());
}

#[test]
fn it_goes_with_a_child_that_was_killed_within_a_minute_or_with_another_within_a_second() {
    let child = |age: BootNs| before(vec![killed(inside(60, INIT), AT), ended(60, AT + MS), exited(AT + age)]);
    let other = |age: BootNs| before(vec![killed(inside(61, 60), AT), ended(61, AT + MS), exited(AT + age)]);
    for (found, pid) in [
        (child(3 * MS), Some(60)),
        (child(60 * SECOND), Some(60)),
        (child(60 * SECOND + 1), None),
        (other(3 * MS), Some(61)),
        (other(SECOND), Some(61)),
        (other(SECOND + 1), None),
    ] {
        assert_eq!(found.map(|member| member.key.pid), pid);
    }
    // A child before another one, and the latest of both kinds.
    let events = |second: Task, third: Task| {
        let kills = [(inside(60, INIT), AT), (second, AT + MS), (third, AT + 2 * MS)];
        kills.into_iter().map(|(task, at)| killed(task, at)).chain([exited(AT + 5 * MS)]).collect::<Vec<_>>()
    };
    assert_eq!(before(events(inside(61, 60), inside(62, 60))).unwrap().key.pid, 60);
    assert_eq!(before(events(inside(61, INIT), inside(62, 60))).unwrap().key.pid, 61);
    let found = before(vec![killed(inside(61, 60), AT), killed(inside(62, 60), AT + MS), exited(AT + 5 * MS)]);
    assert_eq!(found.unwrap().key.pid, 62);
}

#[test]
fn it_goes_with_none_of_another_place_and_with_no_other_signal() {
    let elsewhere = Task { cgroup: CgroupKey { id: 8, hierarchy: 0, level: 2 }, ..inside(60, INIT) };
    let deeper = Task { ns_level: 2, ..inside(60, INIT) };
    let nowhere = CgroupKey { id: 1, hierarchy: 0, level: 0 };
    let homeless = Task { cgroup: nowhere, memory_cgroup: nowhere, ..inside(60, INIT) };
    for victim in [elsewhere, deeper, homeless] {
        assert_eq!(before(vec![killed(victim, AT), exited(AT + MS)]), None);
    }
    let init_homeless = Exit {
        at: AT + MS,
        task: Task { cgroup: nowhere, memory_cgroup: nowhere, ..inside(INIT, 1) },
        status: 137 << 8,
        cmdline: None,
    };
    let homeless = Task { cgroup: nowhere, memory_cgroup: nowhere, ..inside(60, INIT) };
    assert_eq!(before(vec![killed(homeless, AT), Event::ExitedAsKilled(Box::new(init_homeless))]), None);
    // One that was sent after the end.
    assert_eq!(before(vec![killed(inside(60, INIT), AT + 2 * MS), exited(AT)]), None);
    let other = Signal { number: 15, outcome: Outcome::Delivered, ..kill_of(inside(60, INIT), AT) };
    assert_eq!(before(vec![Event::Signal(Box::new(other)), exited(AT + MS)]), None);
}

#[test]
fn who_killed_it_is_said_and_whether_it_was_the_oom_killer() {
    let found = before(vec![killed(inside(60, INIT), AT), exited(AT + MS)]).unwrap();
    assert_eq!((found.is_oom, found.by.map(|(key, comm)| (key.pid, comm))), (false, Some((10, "p10".to_owned()))));
    let by_oom = |open: bool| {
        let symbols = vec!["__oom_kill_process".to_owned(), "oom_kill_process".to_owned()];
        let sent = Signal { info: Info::Kernel, symbols, ..kill_of(inside(60, INIT), AT) };
        let marked = MarkVictim { victim: Some(inside(60, INIT)), at: AT + 500, ..mark(10, 60) };
        let at = if open { AT + MS } else { AT + 5 * SECOND };
        vec![Event::Signal(Box::new(sent)), Event::MarkVictim(Box::new(marked)), ended(60, AT + 600), exited(at)]
    };
    for open in [true, false] {
        let found = before(by_oom(open)).unwrap();
        assert_eq!((found.is_oom, found.by, found.comm.as_str()), (true, None, "p60"), "{open}");
    }
}

#[test]
fn the_latest_are_remembered() {
    let mut members = Members::default();
    for number in 0..200 {
        let kill =
            Kill { signal: Some(kill_of(inside(100 + number, INIT), AT + u64::from(number))), ..Kill::default() };
        members.remember(&Episode::of(kill));
    }
    assert_eq!(members.0.len(), MEMBERS);
    assert_eq!(members.0.front().map(|member| member.key.pid), Some(300 - 64));
    // What only ended so was not killed.
    let exit = Episode { exited: Some(crate::correlate::ExitedAsKilled::default()), ..Episode::default() };
    members.remember(&exit);
    assert_eq!(members.0.len(), MEMBERS);
}
