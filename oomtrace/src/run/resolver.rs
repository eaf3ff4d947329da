//! From a record's bytes to an event with names for its stack and `/proc` read in time, and from an
//! episode to its case.

use std::collections::HashMap;

use crate::container::clients::{Clients, ExistingClient, Socket};
use crate::correlate::Episode;
use crate::event::decode::decode;
use crate::event::{self, Ancestor, BootNs, Event, MarkVictim, OomChoice, ProcessKey, Signal, Task};
use crate::model::{Candidate, Candidates, UserFrame};
use crate::node::candidates::{self, CandidateScope};
use crate::node::identity::Identity;
use crate::node::mappings::Mapped;
use crate::node::memory::{MemoryScope, Snapshot};
use crate::resolve::assemble::assemble;
use crate::resolve::case::Case;
use crate::resolve::context::{Connections, Context};
use crate::resolve::detail::Detail;
use crate::resolve::facts::Facts;
use crate::resolve::oom::owner_path;
use crate::run::recording::Start;

/// Snapshots of memory that wait for their incident.
const SNAPSHOTS: usize = 256;
/// The wire version since which it is known who listens on a socket.
const LISTENERS_SINCE: u16 = 7;
/// Further members of a cgroup that is killed as one are marked within this time.
const GROUP_NS: BootNs = 1_000_000_000;

/// What is kept from one event to the next.
pub struct Resolver {
    page_size: u64,
    identity: Identity,
    facts: Box<dyn Facts>,
    held: Vec<Event>,
    sees_exits: bool,
    /// The host's mount namespace, once it is known.
    host_mount: Option<u32>,
    systemd: Option<bool>,
    /// The kernel side reads a victim's arguments in its own context: nothing need be read here while it dies.
    reads_victims: bool,
    /// Read when the OOM killer marked a victim; taken when its incident is put together.
    snapshots: HashMap<ProcessKey, Snapshot>,
    /// The trigger of each, and where it was in user space; as the above.
    user_stacks: HashMap<ProcessKey, (ProcessKey, Vec<UserFrame>)>,
    /// Whom the OOM killer could choose among; as the above.
    candidates: HashMap<ProcessKey, Candidates>,
    /// The OOM killer's latest choice: its mark comes next.
    choice: Option<OomChoice>,
    /// The thread in whose context a cgroup is being killed as one, and when it last marked a member.
    group: Option<(u32, BootNs)>,
    /// Who is connected to runtimes.
    clients: Clients,
    sockets: Vec<Socket>,
    /// The kernel side says who listens on a socket.
    listeners: bool,
    /// When the latest event was.
    latest: BootNs,
    detail: Detail,
}

impl Resolver {
    #[must_use]
    pub fn new(start: &Start, facts: Box<dyn Facts>) -> Self {
        Self {
            page_size: start.page_size,
            identity: Identity { node: start.ready.node.clone(), boot_id: start.ready.boot_id.clone() },
            facts,
            held: Vec::new(),
            sees_exits: start.process_exit,
            host_mount: start.host_mount,
            systemd: start.systemd,
            reads_victims: start.reads_victims,
            snapshots: HashMap::new(),
            user_stacks: HashMap::new(),
            candidates: HashMap::new(),
            choice: None,
            group: None,
            clients: Clients::default(),
            sockets: start.sockets.clone(),
            listeners: start.wire_version >= LISTENERS_SINCE,
            latest: 0,
            detail: start.detail,
        }
    }

    /// Decodes one record; none when it is damaged.
    pub fn decode(&self, record: &[u8]) -> Option<Event> {
        match decode(record, self.page_size) {
            Ok(event) => Some(event),
            // The kernel side and this decoder are built together, so this is a bug worth a line.
            Err(error) => {
                log::error!("undecodable event of {} bytes: {error}", record.len());
                None
            }
        }
    }

    /// Keeps an event for [`Self::take_held`]. Asks the node now: a killed process soon has nothing to show, and a client that
    /// has its answer neither.
    pub fn hold(&mut self, mut event: Event) {
        self.latest = self.latest.max(event.at());
        match &mut event {
            Event::Signal(signal) => self.signal(signal),
            Event::Oom(choice) => self.choice = Some((**choice).clone()),
            Event::MarkVictim(mark) => self.mark(mark),
            Event::Exit(_) | Event::ExitedAsKilled(_) | Event::Deliver(_) | Event::Cgroup(_) => {}
            // Who traced it lives on.
            Event::Unseen(unseen) => self.look_up(unseen.tracer.as_slice()),
            Event::Connect(connect) => self.look_up(&connect.ancestors),
            Event::Disconnect(_) => {}
        }
        match event {
            // What is around the kills, and no part of one.
            Event::Cgroup(_) => {}
            Event::Connect(connect) => self.clients.connect(*connect),
            Event::Disconnect(disconnect) => self.clients.disconnect(disconnect),
            of_a_kill => self.held.push(of_a_kill),
        }
    }

    fn look_up(&mut self, ancestors: &[Ancestor]) {
        for ancestor in ancestors {
            self.facts.process(ancestor.key, Some(&ancestor.comm));
        }
    }

    /// Takes those that were connected to runtimes before.
    pub fn standing(&mut self, standing: &[ExistingClient]) {
        for client in standing {
            self.facts.process(ProcessKey { pid: client.pid, start: client.start }, Some(&client.comm));
        }
        self.clients.standing(standing);
    }

    /// Clients, or their ends, were missed since the events before the last ones.
    pub fn clients_missed(&mut self) {
        self.clients.missed(self.latest);
    }

    /// Pids of clients that the kernel side need follow no more, since the last call.
    pub fn take_forgotten(&mut self) -> Vec<u32> {
        self.clients.take_forgotten()
    }

    fn signal(&mut self, signal: &mut Signal) {
        // Where it could not be asked, whoever comes from the machine's first process brings it along.
        let first = signal.ancestors.iter().rev().find(|ancestor| ancestor.key.pid == 1);
        self.host_mount = self.host_mount.or_else(|| first?.namespaces?.mount);
        if !signal.preceding && !self.reads_victims {
            self.facts.process(signal.victim.key, signal.victim.leader_comm());
        }
        self.look_up(&signal.ancestors);
        if !signal.stack.is_empty() {
            let frames = self.facts.symbols(&signal.stack);
            if self.detail.stack {
                signal.frames = frames.iter().map(ToString::to_string).collect();
            }
            signal.symbols = frames.into_iter().map(|frame| frame.function).collect();
        }
    }

    /// Takes a picture of the memory around the victim, once for a cgroup that is killed as one.
    fn mark(&mut self, mark: &MarkVictim) {
        let Some(victim) = &mark.victim else { return };
        if !self.reads_victims {
            self.facts.process(victim.key, victim.leader_comm());
        }
        let Some(cgroup) = &victim.memory_path else { return };
        let tid = mark.trigger.tid;
        let goes_on = |(of, at): (u32, BootNs)| of == tid && mark.at.saturating_sub(at) < GROUP_NS;
        let is_member = mark.is_group_kill() && self.group.is_some_and(goes_on);
        self.group = mark.is_group_kill().then_some((tid, mark.at));
        if is_member {
            return;
        }
        if self.detail.stack && !mark.user_stack.is_empty() {
            let addresses: Vec<u64> = mark.user_stack.iter().map(|frame| frame.address).collect();
            let trigger = mark.trigger.key;
            let stack = user_frames(mark, self.facts.mapped(trigger, &addresses));
            self.facts.seek_functions(trigger, &stack);
            keep(&mut self.user_stacks, victim.key, (trigger, stack));
        }
        let choice = self.choice.take_if(|choice| choice.trigger_tid == tid && choice.chosen == victim.key);
        let owner = owner_path(choice.as_ref(), mark);
        if self.detail.candidates {
            let total_pages = choice.as_ref().map(|choice| choice.total_pages);
            let scope = CandidateScope { owner: owner.as_deref(), victim: victim.key.pid, total_pages };
            let mut candidates = self.facts.candidates(victim.key, scope, mark.at);
            candidates.processes.push(chosen(mark, victim, choice.as_ref(), self.page_size));
            candidates.seen = candidates.seen.saturating_add(1);
            candidates::sort(&mut candidates.processes);
            keep(&mut self.candidates, victim.key, candidates);
        }
        let scene = MemoryScope { cgroup, owner: owner.as_deref(), victim: victim.key.pid, at: mark.at };
        let snapshot = self.facts.memory(victim.key, scene);
        keep(&mut self.snapshots, victim.key, snapshot);
    }

    /// Drops what was kept for what comes: events are missing from here on.
    pub fn forget(&mut self) {
        self.snapshots.clear();
        self.user_stacks.clear();
        self.candidates.clear();
        (self.choice, self.group, self.clients) = (None, None, Clients::default());
    }

    /// The events decoded since the last call.
    pub fn take_held(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.held)
    }

    /// Puts a case together from its episode.
    pub fn resolve(&mut self, episode: Episode) -> Case {
        let victim = episode.chosen.victim().map(|victim| victim.key);
        let snapshot = victim.and_then(|victim| self.snapshots.remove(&victim));
        let user_stack = victim.and_then(|victim| self.user_stacks.remove(&victim));
        let candidates = victim.and_then(|victim| self.candidates.remove(&victim));
        let clock = self.facts.clock(episode.at());
        let connections = Connections {
            clients: &self.clients,
            sockets: &self.sockets,
            seen: !self.sockets.is_empty(),
            verified: self.listeners,
        };
        let facts = self.facts.as_mut();
        let (sees_exits, host_mount) = (self.sees_exits, self.host_mount);
        let mut context =
            Context { identity: &self.identity, clock, facts, sees_exits, host_mount, connections, late: Vec::new() };
        let mut case = assemble(episode, snapshot, &mut context);
        case.systemd = self.systemd;
        let user_stack = user_stack.map(|(trigger, mut stack)| {
            for (frame, function) in stack.iter_mut().zip(self.facts.functions(trigger)) {
                (frame.function, frame.function_offset) = function.map(|found| (found.name, found.offset)).unzip();
            }
            stack
        });
        if let Some(oom) = &mut case.incident.oom {
            (oom.trigger_stack, oom.candidates) = (user_stack, candidates);
        }
        case
    }
}

/// The victim among the candidates: as the kernel side recorded it.
fn chosen(mark: &MarkVictim, victim: &Task, choice: Option<&OomChoice>, page_size: u64) -> Candidate {
    let rss_bytes = mark.anon_bytes.saturating_add(mark.file_bytes).saturating_add(mark.shmem_bytes);
    let bytes = rss_bytes.saturating_add(mark.swap_bytes).saturating_add(mark.page_table_bytes);
    let by_rule = || candidates::points(bytes, page_size, mark.oom_score_adj, None);
    Candidate {
        pid: victim.key.pid,
        comm: victim.comm.clone(),
        uid: Some(victim.uid),
        chosen: true,
        points: choice.map(|choice| choice.chosen_points).or_else(by_rule),
        rss_bytes,
        swap_bytes: mark.swap_bytes,
        page_tables_bytes: mark.page_table_bytes,
        oom_score_adj: mark.oom_score_adj,
        would_be_skipped: None,
    }
}

/// Keeps what was read when a victim was marked. What is kept of processes that were only marked, and not killed, is never asked for.
fn keep<T>(kept: &mut HashMap<ProcessKey, T>, victim: ProcessKey, what: T) {
    if kept.len() >= SNAPSHOTS {
        kept.clear();
    }
    kept.insert(victim, what);
}

/// The trigger's user stack, with what the node says of the files. Where both say where in a file it is, they say the same.
fn user_frames(mark: &MarkVictim, files: Vec<Option<Mapped>>) -> Vec<UserFrame> {
    let mut files = files.into_iter();
    let frame = |frame: &event::UserFrame| {
        let mapped = files.next().flatten();
        let (build_id, offset) = frame.build.clone().unzip();
        let offset = mapped.as_ref().map(|mapped| mapped.offset).or(offset);
        let file = mapped.map(|mapped| mapped.file);
        UserFrame { address: frame.address, file, offset, build_id, function: None, function_offset: None }
    };
    mark.user_stack.iter().map(frame).collect()
}
