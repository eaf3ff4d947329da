//! The node's answers: recorded as they are given, and given again as they were recorded.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::event::{BootNs, ProcessKey};
use crate::model::{Candidates, UserFrame};
use crate::node::candidates::CandidateScope;
use crate::node::clock::WallClock;
use crate::node::functions::Function;
use crate::node::mappings::Mapped;
use crate::node::memory::{MemoryScope, Snapshot};
use crate::node::processes::Details;
use crate::placement::ContainerPlace;
use crate::probe::kallsyms::Frame;
use crate::redact::Privacy;
use crate::resolve::facts::Facts;
use crate::run::names::Names;
use crate::run::recording::Answer;
use crate::run::recording::Recorder;

/// Answers remembered as written; with more, some are written again, which costs space alone.
const WRITTEN: usize = 8192;

/// A node whose answers are recorded.
pub struct Recording<F> {
    node: F,
    recorder: Recorder,
    written: Written,
}

/// What need not be written again.
#[derive(Default)]
struct Written {
    processes: HashSet<(ProcessKey, Option<String>)>,
    users: HashSet<u32>,
    stacks: HashSet<Vec<u64>>,
    /// The recording's gaps until then.
    gaps: u64,
}

impl<F: Facts> Recording<F> {
    pub fn of(node: F, recorder: Recorder) -> Self {
        Self { node, recorder, written: Written::default() }
    }

    /// What may be in a gap of the recording does not count as written.
    fn forget_gaps(&mut self) {
        let gaps = self.recorder.gaps();
        if self.written.gaps != gaps {
            self.written = Written { gaps, ..Written::default() };
        }
    }
}

/// Whether `key` is new to `written`, which is kept small.
fn is_new<T: std::hash::Hash + Eq>(written: &mut HashSet<T>, key: T) -> bool {
    if written.len() >= WRITTEN {
        written.clear();
    }
    written.insert(key)
}

impl<F: Facts> Facts for Recording<F> {
    fn process(&mut self, key: ProcessKey, comm: Option<&str>) -> &Details {
        self.forget_gaps();
        let details = self.node.process(key, comm);
        // A process that is gone has no details, and none are given for one that was not recorded.
        if *details != Details::default() && is_new(&mut self.written.processes, (key, details.comm.clone())) {
            self.recorder.answer(&Answer::Process { pid: key.pid, start: key.start, details: details.clone() });
        }
        details
    }

    fn user(&mut self, uid: u32) -> Option<String> {
        self.forget_gaps();
        let name = self.node.user(uid);
        if is_new(&mut self.written.users, uid) {
            self.recorder.answer(&Answer::User { uid, name: name.clone() });
        }
        name
    }

    fn clock(&mut self, at: BootNs) -> WallClock {
        let clock = self.node.clock(at);
        // 64 bits of nanoseconds last until 2262.
        let offset_ns = i64::try_from(clock.offset_ns).unwrap_or_default();
        self.recorder.answer(&Answer::Clock { at, offset_ns });
        WallClock { offset_ns: offset_ns.into() }
    }

    fn symbols(&mut self, stack: &[u64]) -> Vec<Frame> {
        self.forget_gaps();
        let frames = self.node.symbols(stack);
        if is_new(&mut self.written.stacks, stack.to_vec()) {
            let names = frames.iter().map(|frame| frame.function.clone()).collect();
            let places = frames.iter().map(|frame| (frame.offset, frame.size)).collect();
            self.recorder.answer(&Answer::Symbols { stack: stack.to_vec(), names, places });
        }
        frames
    }

    fn mapped(&mut self, key: ProcessKey, addresses: &[u64]) -> Vec<Option<Mapped>> {
        let files = self.node.mapped(key, addresses);
        let addresses = addresses.to_vec();
        self.recorder.answer(&Answer::Mapped { pid: key.pid, start: key.start, addresses, files: files.clone() });
        files
    }

    fn seek_functions(&mut self, key: ProcessKey, stack: &[UserFrame]) {
        self.node.seek_functions(key, stack);
    }

    fn functions(&mut self, key: ProcessKey) -> Vec<Option<Function>> {
        let functions = self.node.functions(key);
        if !functions.is_empty() {
            self.recorder.answer(&Answer::Functions { pid: key.pid, start: key.start, functions: functions.clone() });
        }
        functions
    }

    fn memory(&mut self, victim: ProcessKey, scene: MemoryScope<'_>) -> Snapshot {
        let snapshot = self.node.memory(victim, scene);
        self.recorder.answer(&Answer::Memory {
            pid: victim.pid,
            start: victim.start,
            snapshot: Box::new(snapshot.clone()),
        });
        snapshot
    }

    fn candidates(&mut self, victim: ProcessKey, scope: CandidateScope<'_>, at: BootNs) -> Candidates {
        let candidates = self.node.candidates(victim, scope, at);
        let recorded = Box::new(candidates.clone());
        self.recorder.answer(&Answer::Candidates { pid: victim.pid, start: victim.start, candidates: recorded });
        candidates
    }

    fn container_at(&mut self, path: &str) -> Option<ContainerPlace> {
        let place = self.node.container_at(path)?;
        self.recorder.answer(&Answer::ContainerAt { path: path.to_owned(), place: Box::new(place.clone()) });
        Some(place)
    }

    fn oomd_kills(&mut self, cgroup: &str) -> Option<u64> {
        let kills = self.node.oomd_kills(cgroup);
        self.recorder.answer(&Answer::OomdKills { cgroup: cgroup.to_owned(), kills });
        kills
    }
}

/// What a recording holds of the node: each question's first answer, where nothing else is said.
#[derive(Debug, Default)]
pub struct Answers {
    /// One for each program that a process ran.
    processes: HashMap<ProcessKey, Vec<Details>>,
    users: HashMap<u32, Option<String>>,
    clocks: HashMap<BootNs, i64>,
    symbols: HashMap<Vec<u64>, Vec<Frame>>,
    mapped: HashMap<(ProcessKey, Vec<u64>), Vec<Option<Mapped>>>,
    functions: HashMap<ProcessKey, Vec<Option<Function>>>,
    memory: HashMap<ProcessKey, Snapshot>,
    candidates: HashMap<ProcessKey, Candidates>,
    /// In the order in which they were given: it counts on, and is gone with its cgroup.
    oomd_kills: HashMap<String, VecDeque<Option<u64>>>,
    containers: HashMap<String, ContainerPlace>,
    pub(in crate::run) names: HashMap<String, Names>,
    last_clock: i64,
    unknown: Details,
}

impl Answers {
    /// What of them may be shown.
    pub(super) fn private(&mut self, privacy: Privacy) {
        for details in self.processes.values_mut().flatten() {
            *details = std::mem::take(details).private(privacy);
        }
        self.names = self.names.drain().map(|(incident, names)| (incident, names.private(privacy))).collect();
    }

    pub(super) fn add(&mut self, answer: Answer) {
        match answer {
            Answer::Process { pid, start, details } => {
                self.processes.entry(ProcessKey { pid, start }).or_default().push(details);
            }
            Answer::User { uid, name } => {
                self.users.entry(uid).or_insert(name);
            }
            Answer::Clock { at, offset_ns } => {
                self.clocks.entry(at).or_insert(offset_ns);
            }
            Answer::Symbols { stack, names, places } => {
                let mut places = places.into_iter();
                let frames = names.into_iter().map(|function| {
                    let (offset, size) = places.next().unwrap_or_default();
                    Frame { function, offset, size }
                });
                self.symbols.entry(stack).or_insert_with(|| frames.collect());
            }
            Answer::Mapped { pid, start, addresses, files } => {
                self.mapped.entry((ProcessKey { pid, start }, addresses)).or_insert(files);
            }
            Answer::Functions { pid, start, functions } => {
                self.functions.entry(ProcessKey { pid, start }).or_insert(functions);
            }
            Answer::Memory { pid, start, snapshot } => {
                self.memory.entry(ProcessKey { pid, start }).or_insert(*snapshot);
            }
            Answer::Candidates { pid, start, candidates } => {
                self.candidates.entry(ProcessKey { pid, start }).or_insert(*candidates);
            }
            Answer::OomdKills { cgroup, kills } => {
                self.oomd_kills.entry(cgroup).or_default().push_back(kills);
            }
            Answer::ContainerAt { path, place } => {
                self.containers.entry(path).or_insert(*place);
            }
            Answer::Names { incident, names } => {
                self.names.entry(incident).or_insert(*names);
            }
        }
    }
}

impl Facts for Answers {
    fn process(&mut self, key: ProcessKey, comm: Option<&str>) -> &Details {
        let known = || self.processes.get(&key).into_iter().flatten();
        // One that was not read in time may have been later.
        let read = known().find(|details| !details.late && details.are_of(comm));
        read.or_else(|| known().find(|details| details.late)).unwrap_or(&self.unknown)
    }

    fn user(&mut self, uid: u32) -> Option<String> {
        self.users.get(&uid).cloned().flatten()
    }

    fn clock(&mut self, at: BootNs) -> WallClock {
        if let Some(offset) = self.clocks.get(&at) {
            self.last_clock = *offset;
        }
        WallClock { offset_ns: self.last_clock.into() }
    }

    fn symbols(&mut self, stack: &[u64]) -> Vec<Frame> {
        self.symbols.get(stack).cloned().unwrap_or_default()
    }

    fn mapped(&mut self, key: ProcessKey, addresses: &[u64]) -> Vec<Option<Mapped>> {
        self.mapped.get(&(key, addresses.to_vec())).cloned().unwrap_or_default()
    }

    fn functions(&mut self, key: ProcessKey) -> Vec<Option<Function>> {
        self.functions.get(&key).cloned().unwrap_or_default()
    }

    fn memory(&mut self, victim: ProcessKey, _scene: MemoryScope<'_>) -> Snapshot {
        self.memory.get(&victim).cloned().unwrap_or_default()
    }

    fn candidates(&mut self, victim: ProcessKey, _scope: CandidateScope<'_>, _at: BootNs) -> Candidates {
        // They were not asked for when it was recorded.
        let unknown = || Candidates { incomplete: true, ..Candidates::default() };
        self.candidates.get(&victim).cloned().unwrap_or_else(unknown)
    }

    fn container_at(&mut self, path: &str) -> Option<ContainerPlace> {
        self.containers.get(path).cloned()
    }

    fn oomd_kills(&mut self, cgroup: &str) -> Option<u64> {
        let given = self.oomd_kills.get_mut(cgroup)?;
        if given.len() > 1 { given.pop_front().flatten() } else { given.front().copied().flatten() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_oomd_counts_is_given_again_in_its_order() {
        let mut answers = Answers::default();
        for kills in [Some(4), None] {
            answers.add(Answer::OomdKills { cgroup: "/a".to_owned(), kills });
        }
        let given: Vec<Option<u64>> = (0..3).map(|_| answers.oomd_kills("/a")).collect();
        assert_eq!((given, answers.oomd_kills("/b")), (vec![Some(4), None, None], None));
    }
}
