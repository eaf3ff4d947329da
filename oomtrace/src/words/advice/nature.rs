//! What took the memory, where more of it is no remedy.

use crate::model::{Advice, Container, Incident, MemoryUser};
use crate::resolve::limits_before::LimitsBefore;
use crate::text::quote::quote;
use crate::text::{age_ms, bytes, duration_ms, process};
use crate::words::advice::container::engine_target;
use crate::words::advice::{figure, program};

/// A limit was raised so often in one run, and used up each time.
const RAISED: usize = 2;
/// A process that took it all within this time of its start, in milliseconds.
const SUDDEN_MS: u64 = 10_000;

/// What to do instead of raising the limit; none where raising it helps, or may.
#[must_use]
pub fn not_the_limit(incident: &Incident, before: &LimitsBefore) -> Option<Advice> {
    let limit = incident.oom.as_ref()?.limit_owner.as_ref()?.limit_bytes?;
    shared(incident, limit)
        .or_else(|| kernels_own(incident, limit))
        .or_else(|| growing(before, limit))
        .or_else(|| sudden(incident, limit))
}

/// A number of the limit owner's memory.stat, with what lives below it.
fn stat(incident: &Incident, name: &str) -> Option<u64> {
    let memory = incident.memory.as_ref()?;
    let own = incident.oom.as_ref()?.limit_owner.as_ref()?.path.as_str();
    let is_victims = memory.levels.first().is_some_and(|level| level.path == own);
    let stat = memory.owner_stat.as_ref().or_else(|| memory.stat.as_ref().filter(|_| is_victims))?;
    // v1 counts what lives below under another name.
    stat.get(&format!("total_{name}")).or_else(|| stat.get(name)).copied()
}

/// Files in tmpfs stay when whoever wrote them is killed. What the victim itself had mapped may go with it.
fn shared(incident: &Incident, limit: u64) -> Option<Advice> {
    let victims = incident.oom.as_ref()?.victim_memory.as_ref().map_or(0, |memory| memory.shmem_bytes);
    let shared = stat(incident, "shmem")?;
    if shared.saturating_sub(victims) < limit / 2 {
        return None;
    }
    let container = incident.container.as_ref();
    let bound = match container {
        Some(Container { pod: Some(_), .. }) => "sizeLimit of the emptyDir with medium Memory",
        Some(_) => "--tmpfs PATH:size=…, --shm-size",
        None => "mount -o remount,size=…",
    };
    let lives = incident.victim.container_exit.is_none() && !incident.victim.container_init;
    let command = container.filter(|found| lives && found.pod.is_none()).and_then(engine_target);
    Some(Advice {
        action: format!("delete what lies in tmpfs or /dev/shm, or bound it ({bound})"),
        why: format!(
            "{} of {} are tmpfs or shared memory: a kill does not free that, and a larger limit fills up as well",
            bytes(shared),
            bytes(limit)
        ),
        command: command.map(|(engine, target)| format!("{engine} exec {target} df")),
    })
}

/// Memory of the kernel's for the cgroup; v1 does not say how much that is.
fn kernels_own(incident: &Incident, limit: u64) -> Option<Advice> {
    let kernel = stat(incident, "kernel")?;
    if kernel < limit / 2 {
        return None;
    }
    let parts = [
        ("pagetables", "page tables: many processes, or large mappings that many share"),
        ("slab_reclaimable", "names and inodes of files: many files are looked at"),
        ("slab_unreclaimable", "kernel objects: open files, sockets, processes"),
        ("sock", "buffers of sockets"),
        ("kernel_stack", "stacks: many threads"),
        ("percpu", "data for each processor: many cgroups, or BPF maps"),
    ];
    let most = parts.into_iter().filter_map(|(name, what)| Some((stat(incident, name)?, what)));
    let most = most.max_by_key(|(size, _)| *size).filter(|(size, _)| *size >= kernel / 4);
    let most = most.map(|(size, what)| format!("; most of it, {}, for {what}", bytes(size))).unwrap_or_default();
    Some(Advice {
        action: "find out what takes memory in the kernel: memory.stat of the cgroup has its parts".to_owned(),
        why: format!("{} of {} are the kernel's own, for the processes there{most}", bytes(kernel), bytes(limit)),
        command: None,
    })
}

/// A need that grows with the limit has no bound.
fn growing(before: &LimitsBefore, limit: u64) -> Option<Advice> {
    if before.smaller.len() < RAISED {
        return None;
    }
    let all: Vec<String> = before.smaller.iter().chain([&limit]).map(|size| bytes(*size)).collect();
    Some(Advice {
        action: "find out what grows, before the limit is raised once more".to_owned(),
        why: format!("each limit was used up in turn: {}; that is how a leak looks", all.join(", ")),
        command: None,
    })
}

/// One process that had just been started, and took nearly all, while the container lives on: a job, and not what it is there for.
fn sudden(incident: &Incident, limit: u64) -> Option<Advice> {
    let victim = &incident.victim;
    // A worker that has just been started is what the container is there for.
    if program::setting(incident).is_some() {
        return None;
    }
    if victim.container_init || victim.container_exit.is_some() || incident.container.is_none() {
        return None;
    }
    let own = figure::level(incident).map(|level| level.usage_bytes);
    let used = incident.oom.as_ref()?.victim_memory.as_ref().map(|memory| memory.anon_bytes)?;
    let after_ms = age_ms(incident).filter(|age| *age <= SUDDEN_MS)?;
    if used < own.unwrap_or(limit).min(limit) / 4 * 3 {
        return None;
    }
    Some(Advice {
        action: format!(
            "find out what {} was to do, and bound it (ulimit -v, or a limit of its own)",
            process(&victim.process)
        ),
        why: format!(
            "it alone took {} within {} of its start; the container's first process lives on",
            bytes(used),
            duration_ms(after_ms)
        ),
        command: None,
    })
}

/// So many processes of one name, none of which is large by itself: `6 processes called worker have 480 MiB together`.
#[must_use]
pub fn many(incident: &Incident) -> Option<Advice> {
    const MANY: usize = 4;
    let limit = incident.oom.as_ref()?.limit_owner.as_ref()?.limit_bytes?;
    let largest = incident.memory.as_ref()?.largest.as_slice();
    let first = largest.first()?;
    let same: Vec<&MemoryUser> = largest.iter().filter(|user| user.comm == first.comm).collect();
    let together = same.iter().fold(0_u64, |sum, user| sum.saturating_add(user.resident_bytes));
    // What they share is counted for each.
    let is_even = first.resident_bytes <= limit / 5 * 2 && together >= limit / 2;
    (same.len() >= MANY && is_even).then(|| Advice {
        action: format!("start fewer processes called {}", quote(&first.comm)),
        why: format!("the {} largest of them have {} together", same.len(), bytes(together)),
        command: None,
    })
}
