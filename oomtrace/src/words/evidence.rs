//! What a verdict rests on, a fact a line, each with its source.

use crate::judge::judgement::{Judgement, Manager, Reason, TimeLimit, Unproven};
use crate::model::{
    Cause, Confidence, Disposition, Evidence, Incident, InitEnd, InitKilled, Oom, OomOrigin, OomScope, Preceding,
    SignalPath, Source,
};
use crate::text;
use crate::text::quote::quote;
use crate::words::kernel_part::kernel_part;
use crate::words::phrases::SYSRQ;

/// The kernel rounds a limit down to whole pages, of 64 KiB at most.
const LIMIT_ROUNDING: u64 = 64 << 10;
/// Other processes named as the largest.
const LARGEST: usize = 3;

/// The facts of `incident`, the most important first.
#[must_use]
pub fn evidence(incident: &Incident, judgement: &Judgement) -> Vec<Evidence> {
    let mut facts = Facts(Vec::new());
    let path = incident.signal.path.filter(|path| *path != SignalPath::Unseen);
    facts.kernel(if path == incident.signal.path { sent(incident) } else { ended(incident) });
    if let Some(path) = path {
        let seen = !incident.signal.kernel_stack.is_empty();
        facts.kernel(match (seen, path) {
            (true, SignalPath::OtherKernel) => match &judgement.reason {
                Reason::Kernel(part) => format!("the kernel stack shows what sent it: {}", kernel_part(*part)),
                _ => "the kernel stack shows no system call, and no other path known".to_owned(),
            },
            (false, _) if incident.signal.path_confidence == Some(Confidence::Certain) => {
                "siginfo has the sender's own pid and user, which the kernel wrote there".to_owned()
            }
            (true, path) => format!("the kernel stack shows the path {}", text::path_name(path)),
            (false, path) => format!("siginfo suggests the path {}", text::path_name(path)),
        });
    }
    for preceding in &incident.preceding {
        facts.kernel(came_before(preceding, incident.victim.is_pid_1()));
    }
    if let Some(trigger) = &incident.trigger {
        let who = if trigger.pid == incident.victim.process.pid { "the victim itself" } else { "another process" };
        facts.kernel(format!("the OOM killer ran in the context of {}, {who}", text::process(trigger)));
    }
    if let Some(end) = &incident.init_end {
        facts.kernel(init_end(end));
    }
    if let Some(exit) = &incident.victim.container_exit {
        let after = exit.after_us.map(|us| format!(" {} after the kill", text::duration_us(us))).unwrap_or_default();
        facts.kernel(format!(
            "the container's first process {}{after}: the container went with it",
            text::ended(exit.status)
        ));
    }
    if let Some(oom) = &incident.oom {
        facts.oom(oom);
        facts.told_limit(incident, oom);
    }
    facts.memory(incident);
    facts.sender(incident, judgement);
    facts.0
}

struct Facts(Vec<Evidence>);

impl Facts {
    fn add(&mut self, source: Source, fact: String) {
        self.0.push(Evidence { fact, source });
    }

    fn kernel(&mut self, fact: String) {
        self.add(Source::Kernel, fact);
    }

    fn oom(&mut self, oom: &Oom) {
        match oom.origin {
            Some(OomOrigin::Sysrq) => self.kernel(SYSRQ.to_owned()),
            Some(OomOrigin::MinTtl) => self.kernel(
                "the pages used in the last min_ttl_ms could not be kept (multi-generation LRU, lru_gen_age_node)"
                    .to_owned(),
            ),
            Some(OomOrigin::LimitLowered) => {
                self.kernel("the limit was lowered below what was in use (memory_max_write)".to_owned());
            }
            Some(OomOrigin::Allocation) | None => {}
        }
        if let Some(gfp) = &oom.gfp {
            let order = oom.order.unwrap_or_default();
            self.kernel(format!("the allocation was of order {order} with {gfp}"));
        }
        if let Some(points) = oom.chosen_points {
            self.kernel(format!("the OOM killer gave the victim {points} points (pages, and its oom_score_adj)"));
        }
        if let Some(adj) = oom.oom_score_adj {
            self.kernel(format!("the victim's oom_score_adj was {adj}"));
        }
        if let Some(cgroup) = &oom.group_cgroup {
            self.add(Source::Cgroup, format!("memory.oom.group is set on {}: it is killed as one", quote(cgroup)));
        }
        if oom.chosen_points.is_none() && oom.scope == Some(OomScope::Memcg) && oom.at_limit.len() > 1 {
            let paths: Vec<_> = oom.at_limit.iter().map(|path| quote(path)).collect();
            self.add(Source::Cgroup, format!("at their limit: {}; it may have been any of them", paths.join(" and ")));
        }
        if let Some(owner) = &oom.limit_owner {
            let usage = owner.usage_bytes.map_or_else(|| "unknown".to_owned(), text::bytes);
            let limit = owner.limit_bytes.map_or_else(|| "none".to_owned(), text::bytes);
            self.add(Source::Cgroup, format!("{}: {usage} in use, limit {limit}", quote(&owner.path)));
        }
    }

    /// The kernel's limit is what counts; the runtime's may have been changed behind its back.
    fn told_limit(&mut self, incident: &Incident, oom: &Oom) {
        let container = incident.container.as_ref();
        let told = container.and_then(|container| container.limits.as_ref()).and_then(|limits| limits.memory_bytes);
        let owner = oom.limit_owner.as_ref().filter(|owner| container.is_some_and(|c| c.cgroup == owner.path));
        if let (Some(told), Some(limit)) = (told, owner.and_then(|owner| owner.limit_bytes))
            && told.abs_diff(limit) >= LIMIT_ROUNDING
        {
            let (told, limit) = (text::bytes(told), text::bytes(limit));
            self.add(
                Source::Runtime,
                format!(
                    "the runtime was told a limit of {told}, but the cgroup's was {limit}: it was changed elsewhere"
                ),
            );
        }
    }

    fn memory(&mut self, incident: &Incident) {
        if let Some(available) = text::host_available(incident) {
            self.add(Source::Procfs, format!("the machine had {} available right after", text::bytes(available)));
        }
        if let Some(others) = text::other_large_processes(incident, LARGEST) {
            self.add(Source::Procfs, format!("the largest besides the victim: {others}"));
        }
    }

    fn sender(&mut self, incident: &Incident, judgement: &Judgement) {
        let Some(sender) = &incident.sender.process else { return };
        if matches!(
            judgement.cause,
            Cause::RuntimeKill | Cause::RuntimeStopTimeout | Cause::UserspaceOomKiller | Cause::ServiceManagerKill
        ) && let Some(exe) = sender.exe.as_deref()
        {
            self.kernel(format!("the sender's executable is {}", quote(exe)));
        }
        if let (Some(exe), Some(why)) = (&sender.exe, judgement.unproven) {
            let exe = quote(exe);
            self.kernel(format!("the sender's executable is {exe}, but {}: that proves nothing", unproven(why)));
        }
        if incident.sender.traced {
            self.kernel(format!(
                "{} was being traced (ptrace), and its tracer may have made it send the signal",
                text::process(sender)
            ));
        }
        if Some(sender.pid) == incident.victim.process.ppid {
            self.kernel(format!("{} is the victim's parent", text::process(sender)));
        }
        if let Some(Manager { program, limit }) = judgement.reason.manager() {
            self.kernel(format!(
                "the sender is {program}, by its executable and arguments, which ends its processes by {limit}"
            ));
        }
        if let Reason::TimeLimit(TimeLimit { command, .. }) = &judgement.reason {
            let command: Vec<_> = command.iter().map(|word| quote(word)).collect();
            self.kernel(format!("the sender's own command line says when it kills: {}", command.join(" ")));
        }
        if let Some(elevation) = &judgement.elevation {
            self.add(Source::Procfs, format!("the sender runs {}", text::elevation(elevation)));
        }
    }
}

fn unproven(why: Unproven) -> String {
    match why {
        Unproven::OwnUserNamespace => "in a user namespace of its own".to_owned(),
        Unproven::OwnMountNamespace => "in a mount namespace of its own".to_owned(),
        Unproven::User(uid) => format!("as uid {uid}"),
    }
}

fn ended(incident: &Incident) -> String {
    format!("{} ended, and its wait status is that of a SIGKILL", text::process(&incident.victim.process))
}

fn sent(incident: &Incident) -> String {
    let to = text::process(&incident.victim.process);
    match &incident.sender.process {
        Some(sender) => format!("{} sent {} to {to}", text::process(sender), incident.signal.name),
        None => format!("the kernel sent {} to {to}", incident.signal.name),
    }
}

fn came_before(preceding: &Preceding, to_init: bool) -> String {
    let Preceding { name, before_ms, sender, disposition, .. } = preceding;
    let reply = match disposition {
        Some(Disposition::Default) if to_init => {
            ": the victim had no handler for it, and the kernel drops it for a pid 1"
        }
        Some(Disposition::Default) => ": the victim had no handler for it",
        Some(Disposition::Ignored) => ": the victim ignored it",
        Some(Disposition::Handled) => ": the victim had a handler for it",
        Some(Disposition::Blocked) => ": the victim blocked it, as one does that waits for signals",
        None => "",
    };
    format!("{name} came {} before, from {}{reply}", text::duration_ms(*before_ms), text::process(sender))
}

fn init_end(end: &InitEnd) -> String {
    let init = text::process(&end.init);
    let killed = |by: &str, before_ms: u64| {
        format!(
            "{init}, the init of the pid namespace, had been killed by {by} {} before",
            text::duration_ms(before_ms)
        )
    };
    match (&end.killed, end.status) {
        (Some(InitKilled { by: Some(by), before_ms }), _) => killed(&text::process(by), *before_ms),
        (Some(InitKilled { by: None, before_ms }), _) => killed("the kernel", *before_ms),
        (None, Some(status)) => format!("{init}, the init of the pid namespace, {}", text::ended(status)),
        (None, None) => format!("{init}, the init of the pid namespace, ended without a SIGKILL that was seen"),
    }
}
