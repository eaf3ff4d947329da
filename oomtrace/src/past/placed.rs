//! A report of the kernel's log as an incident, judged by the same rules as one that was watched. What a report cannot say is not filled in.

use std::sync::OnceLock;

use crate::judge::judge;
use crate::model::{
    Attribution, Cause, Confidence, Container, Evidence, HostMemory, Incident, LimitOwner, Memory, MemoryLevel,
    MemoryUser, Oom, OomOrigin, OomScope, Process, Record, SCHEMA, Sender, Signal, Source, Victim, VictimMemory,
};
use crate::node::identity::Identity;
use crate::past::klog::oom::{Report, Usage};
use crate::past::klog::record::UNPROVEN;
use crate::past::klog::summary::Constraint;
use crate::placement::Placement;
use crate::resolve::case::{Case, Places, RuntimeClients};
use crate::resolve::limits_before::LimitsBefore;
use crate::text::{bytes, quote::quote};
use crate::words::conclude_as;

/// Processes that are named as the largest.
const LARGEST: usize = 20;
/// The order of an OOM kill that a person asks for (`is_sysrq_oom`, mm/oom_kill.c).
const SYSRQ: i32 = -1;

/// A report, and whose it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placed {
    pub report: Report,
    /// The victim's container, as its runtime knows it, or as its cgroup's name says.
    pub container: Option<Container>,
    /// What is not known of that, in words.
    pub missing: Vec<String>,
    /// systemd is this machine's first process. None: not known.
    pub systemd: Option<bool>,
    /// The container is removed: nothing can be set on it any more.
    pub is_removed: bool,
}

impl Placed {
    /// The victim's unit, by its cgroup.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.report.cgroup.as_deref().map(Placement::parse).unwrap_or_default()
    }

    /// How sure its cause is: certain where the kernel's own report says all of it, by a log whose writer is known.
    #[must_use]
    pub fn confidence(&self, cause: Cause) -> Confidence {
        let report = &self.report;
        let says_which = match report.constraint {
            Some(Constraint::Memcg) => report.owner.is_some() && report.cgroup.is_some(),
            Some(_) => true,
            None => false,
        };
        let is_confirmed = self.container.as_ref().is_none_or(|container| container.confirmed);
        match (says_which && !report.is_ambiguous, report.by_kernel) {
            (false, _) => Confidence::Possible,
            (true, true) if is_confirmed || cause == Cause::OomHost => Confidence::Certain,
            (true, _) => Confidence::Likely,
        }
    }

    /// The incident, with its verdict. None: it has no victim.
    #[must_use]
    pub fn incident(&self, identity: &Identity, before: LimitsBefore) -> Option<Incident> {
        let incident = self.unjudged(identity)?;
        let places = Places { victim: self.placement().container, sender: None, victim_start: 0 };
        let case = Case {
            incident,
            at: 0,
            places,
            statements: self.statements(),
            clients: RuntimeClients::default(),
            requesters_container: None,
            pod: None,
            exited: None,
            exited_init: None,
            limits_before: before,
            lives_before: Default::default(),
            earlier: None,
            systemd: self.systemd,
        };
        let mut judgement = judge(&case);
        judgement.confidence = self.confidence(judgement.cause);
        judgement.is_removed = self.is_removed;
        let Record::Incident(mut incident) = conclude_as(case, &judgement) else { return None };
        if let Some(verdict) = &mut incident.verdict {
            // What the hooks say of others, the log says of this one.
            for evidence in
                verdict.evidence.iter_mut().filter(|fact| matches!(fact.source, Source::Kernel | Source::Cgroup))
            {
                evidence.source = Source::Kmsg;
            }
        }
        if let Some(memory) = &mut incident.memory {
            // It was there for the advice, which goes by what was swapped out: a report does not say what a cgroup's peak was.
            memory.levels.clear();
        }
        Some(incident)
    }

    fn unjudged(&self, identity: &Identity) -> Option<Incident> {
        let report = &self.report;
        let first = report.victims.first()?;
        let placement = self.placement();
        let process =
            |pid: u32, comm: &str, uid: Option<u32>| Process { pid, comm: comm.to_owned(), uid, ..Process::default() };
        let victim = Process { cgroup: report.cgroup.clone(), ..process(first.pid, &first.comm, first.uid) };
        let others = report.victims.iter().skip(1);
        let wall_ns = report.at.map_or(0, |at| at.as_nanosecond());
        Some(Incident {
            schema: SCHEMA,
            id: identity.incident_id(wall_ns, first.pid),
            time: report.at.map(|at| format!("{at:.9}")).unwrap_or_default(),
            node: identity.node.clone(),
            boot_id: None,
            verdict: None,
            victim: Victim { process: victim, container_init: false, exit: None, container_exit: None },
            collateral: others
                .map(|other| crate::model::Collateral {
                    process: process(other.pid, &other.comm, other.uid),
                    role: crate::model::Role::OomGroup,
                })
                .collect(),
            container: self.container.clone(),
            unit: placement.unit.clone(),
            sender: Sender::kernel(),
            requester: None,
            trigger: self.trigger(),
            signal: Signal::unseen_sigkill(),
            preceding: Vec::new(),
            oom: Some(self.oom(&placement)),
            memory: Some(self.memory()),
            attribution: Attribution::Partial,
            missing: self.missing.clone(),
            missing_parts: Vec::new(),
            init_end: None,
            routine: None,
            earlier: None,
        })
    }

    /// The process whose allocation it was. The report has a thread's number, which is a process's where the table of tasks has it.
    fn trigger(&self) -> Option<Process> {
        let trigger = self.report.trigger.as_ref()?;
        let pid = trigger.pid?;
        let row = self.report.tasks.iter().find(|task| task.pid == pid)?;
        Some(Process { pid, comm: trigger.comm.clone(), uid: Some(row.uid), ..Process::default() })
    }

    fn oom(&self, placement: &Placement) -> Oom {
        let report = &self.report;
        let victim = report.victims.first();
        let memory = report.memory;
        let limit_owner = report.owner.as_ref().map(|path| LimitOwner {
            path: path.clone(),
            level: placement.level(path),
            limit_bytes: self.limit(),
            usage_bytes: memory.map(|memory| memory.usage_bytes),
            peak_bytes: None,
        });
        Oom {
            scope: report.constraint.map(|constraint| match constraint {
                Constraint::Memcg => OomScope::Memcg,
                Constraint::Cpuset => OomScope::Cpuset,
                Constraint::MemoryPolicy => OomScope::Mempolicy,
                Constraint::None => OomScope::Host,
            }),
            origin: match report.order {
                Some(SYSRQ) if report.constraint == Some(Constraint::None) => Some(OomOrigin::Sysrq),
                _ => None,
            },
            limit_owner,
            at_limit: Vec::new(),
            order: report.order,
            gfp: report.gfp.clone(),
            group: report.group.as_ref().map(|_| true),
            group_cgroup: report.group.clone(),
            chosen_points: None,
            oom_score_adj: victim.and_then(|victim| victim.oom_score_adj),
            victim_memory: victim.and_then(|victim| {
                Some(VictimMemory {
                    anon_bytes: victim.anon_bytes,
                    file_bytes: victim.file_bytes,
                    shmem_bytes: victim.shmem_bytes?,
                    swap_bytes: pages(victim.swap_pages?),
                    page_tables_bytes: victim.page_tables_bytes?,
                    total_vm_bytes: victim.total_vm_bytes,
                })
            }),
            trigger_stack: None,
            candidates: None,
        }
    }

    /// The limit that was hit: that of memory, or on v1 that of memory and swap together, where that one is full.
    fn limit(&self) -> Option<u64> {
        let is_full = |usage: &&Usage| usage.limit_bytes.is_some_and(|limit| usage.usage_bytes >= limit);
        let both = self.report.memory_and_swap.as_ref().filter(is_full);
        let memory = self.report.memory.as_ref();
        match (memory.filter(is_full), both) {
            (None, Some(both)) => both.limit_bytes,
            _ => memory?.limit_bytes,
        }
    }

    fn memory(&self) -> Memory {
        let report = &self.report;
        let level = report.owner.as_ref().zip(report.memory).map(|(path, memory)| MemoryLevel {
            path: path.clone(),
            usage_bytes: memory.usage_bytes,
            limit_bytes: memory.limit_bytes,
            peak_bytes: memory.usage_bytes,
            swap_usage_bytes: report.swap.map(|swap| swap.usage_bytes),
            swap_limit_bytes: report.swap.and_then(|swap| swap.limit_bytes),
            memsw_usage_bytes: report.memory_and_swap.map(|both| both.usage_bytes),
            memsw_limit_bytes: report.memory_and_swap.and_then(|both| both.limit_bytes),
        });
        let mut largest: Vec<MemoryUser> = report
            .tasks
            .iter()
            .map(|task| MemoryUser {
                pid: task.pid,
                comm: task.comm.clone(),
                resident_bytes: pages(task.resident_pages),
                cgroup: None,
                limited: None,
            })
            .collect();
        largest.sort_by_key(|user| std::cmp::Reverse(user.resident_bytes));
        largest.truncate(LARGEST);
        let stat = (!report.stat.is_empty()).then(|| report.stat.clone());
        // memory.stat is the limit owner's, of which the level above is.
        let host =
            report.host_pages.map(|total| HostMemory { total_bytes: Some(pages(total)), ..HostMemory::default() });
        Memory {
            levels: level.into_iter().collect(),
            stat,
            owner_stat: None,
            host,
            largest,
            processes: u32::try_from(report.tasks.len()).ok().filter(|count| *count > 0),
            kernel_bytes: report.kernel.map(|kernel| kernel.usage_bytes),
            timeline: None,
            timeline_of: None,
            hog: None,
            course: None,
        }
    }

    /// What there is to say of the report itself.
    fn statements(&self) -> Vec<Evidence> {
        let report = &self.report;
        let mut facts = Vec::new();
        if !report.has_start {
            facts.push(match report.suppressed {
                0 => "the start of the report is not in the log".to_owned(),
                _ => "the kernel left the rest of the report out: it writes ten in five seconds".to_owned(),
            });
        }
        if report.is_ambiguous {
            facts.push("a cgroup's name in the report is made to be read in two ways: which cgroup it was is not taken from it".to_owned());
        }
        if !report.by_kernel {
            facts.push(format!("the report is from a file: {UNPROVEN}"));
        }
        if let Some(both) = report.memory_and_swap.filter(|both| both.limit_bytes.is_some()) {
            let limit = both.limit_bytes.map(bytes).unwrap_or_default();
            facts.push(format!("memory and swap together: {} in use, limit {limit}", bytes(both.usage_bytes)));
        }
        if let Some(trigger) = report.trigger.as_ref().filter(|_| self.trigger().is_none()) {
            let thread = trigger.pid.map(|tid| format!("[thread {tid}]")).unwrap_or_default();
            facts.push(format!("the OOM killer ran in the context of {}{thread}", quote(&trigger.comm)));
        }
        facts.into_iter().map(|fact| Evidence { fact, source: Source::Kmsg }).collect()
    }
}

/// So many pages of this machine, in bytes.
fn pages(count: u64) -> u64 {
    static SIZE: OnceLock<u64> = OnceLock::new();
    let size = *SIZE.get_or_init(|| {
        let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
    });
    count.saturating_mul(size)
}

#[cfg(test)]
mod tests;
