//! What took the memory, where more of it is no remedy: by what the judge found that it was.

use crate::judge::judgement::Judgement;
use crate::judge::memory_use::{Alike, KernelMemory, MemoryClass, MemoryUse, PageCache};
use crate::model::{Advice, Container, Incident};
use crate::resolve::limits_before::LimitsBefore;
use crate::text::quote::quote;
use crate::text::{age_ms, bytes, duration_ms, process};
use crate::words::advice::program;

/// A limit was raised so often in one run, and used up each time.
const RAISED: usize = 2;
/// A process that took it all within this time of its start, in milliseconds.
const SUDDEN_MS: u64 = 10_000;

/// What to do instead of raising the limit; none where raising it helps, or may.
#[must_use]
pub fn not_the_limit(incident: &Incident, judgement: &Judgement) -> Option<Advice> {
    let limit = incident.oom.as_ref()?.limit_owner.as_ref()?.limit_bytes?;
    let by_use = judgement.memory_use.as_ref().and_then(|found| match found.class {
        MemoryClass::Tmpfs => Some(in_tmpfs(incident, found)),
        MemoryClass::Kernel(kind) => Some(kernels_own(kind, found)),
        MemoryClass::PageCache(PageCache::Locked) => Some(locked(found)),
        _ => None,
    });
    let sudden = || judgement.memory_use.as_ref().and_then(|found| sudden(incident, found));
    by_use.or_else(|| growing(&judgement.limits_before, limit)).or_else(sudden)
}

/// Files in tmpfs stay when whoever wrote them is killed.
fn in_tmpfs(incident: &Incident, found: &MemoryUse) -> Advice {
    let container = incident.container.as_ref();
    let bound = match container {
        Some(Container { pod: Some(_), .. }) => "sizeLimit of the emptyDir with medium Memory",
        Some(_) => "--tmpfs PATH:size=…, --shm-size",
        None => "mount -o remount,size=…",
    };
    let lives = incident.victim.container_exit.is_none() && !incident.victim.container_init;
    // From outside: whatever is started within the container has no room there, and may have its first process killed instead.
    let init = container.filter(|found| lives && found.pod.is_none()).and_then(|found| found.init_pid);
    let action = match lives || container.is_none() {
        true => format!("delete what lies in tmpfs or /dev/shm, or bound it below the limit ({bound})"),
        // What lay there is gone with it.
        false => format!("bound tmpfs and /dev/shm below the limit ({bound})"),
    };
    Advice {
        action,
        why: format!("a kill does not free the {} there, and a larger limit fills up as well", bytes(found.bytes)),
        command: init.map(|pid| {
            format!("du -xsh $(awk '$3 == \"tmpfs\" {{ print \"/proc/{pid}/root\" $2 }}' /proc/{pid}/mounts)")
        }),
    }
}

/// Memory of the kernel's for the cgroup.
fn kernels_own(kind: KernelMemory, found: &MemoryUse) -> Advice {
    let action = match kind {
        KernelMemory::PageTables => "start fewer processes, or have fewer of them map the same large memory",
        KernelMemory::SlabReclaimable => "find out who looks at so many files: their names and inodes are kept",
        KernelMemory::SlabUnreclaimable => "find out who keeps so many files, sockets or processes open",
        KernelMemory::Sockets => "find out which connections nobody reads from, or set smaller socket buffers",
        KernelMemory::Stacks => "start fewer threads",
        KernelMemory::PerCpu => "remove cgroups or BPF maps that nobody needs",
        KernelMemory::Vmalloc | KernelMemory::Mixed => {
            "find out what takes memory in the kernel: memory.stat of the cgroup has its parts"
        }
    };
    Advice {
        action: action.to_owned(),
        why: format!("{} are the kernel's own, for the processes there, and no heap", bytes(found.bytes)),
        command: None,
    }
}

/// Pages that the kernel must not take back.
fn locked(found: &MemoryUse) -> Advice {
    Advice {
        action: "unlock files that need not stay in memory (mlock, mlockall, vmtouch), or delete what lies in a ramfs"
            .to_owned(),
        why: format!("{} of files are locked, so that the kernel cannot drop them", bytes(found.bytes)),
        command: None,
    }
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
fn sudden(incident: &Incident, found: &MemoryUse) -> Option<Advice> {
    let MemoryClass::OneProcess { is_victim: true, .. } = found.class else { return None };
    let victim = &incident.victim;
    // A worker that has just been started is what the container is there for.
    if program::setting(incident).is_some() {
        return None;
    }
    if victim.container_init || victim.container_exit.is_some() || incident.container.is_none() {
        return None;
    }
    let after_ms = age_ms(incident).filter(|age| *age <= SUDDEN_MS)?;
    if found.bytes < found.of_bytes / 4 * 3 {
        return None;
    }
    Some(Advice {
        action: format!(
            "find out what {} was meant to do, and bound it (ulimit -v, or a limit of its own)",
            process(&victim.process)
        ),
        why: format!(
            "it alone took {} within {} of its start; the container's first process lives on",
            bytes(found.bytes),
            duration_ms(after_ms)
        ),
        command: None,
    })
}

/// Before a larger limit, where it is not the victim that took the memory.
#[must_use]
pub fn another_process(judgement: &Judgement) -> Option<Advice> {
    let found = judgement.memory_use.as_ref()?;
    let MemoryClass::OneProcess { pid, comm, is_victim: false } = &found.class else { return None };
    Some(Advice {
        action: format!("find out what {}[{pid}] takes the memory for: it lives on", quote(comm)),
        why: format!(
            "it has {} of {}; the kernel chose another one by its points",
            bytes(found.bytes),
            bytes(found.of_bytes)
        ),
        command: None,
    })
}

/// Besides a larger limit, where many processes of one name have it together.
#[must_use]
pub fn many(judgement: &Judgement) -> Option<Advice> {
    let MemoryClass::ManyProcesses { alike: Some(Alike { comm, count, bytes: together }), .. } =
        &judgement.memory_use.as_ref()?.class
    else {
        return None;
    };
    Some(Advice {
        action: format!("start fewer processes called {}", quote(comm)),
        why: format!("the {count} largest of them have {} together", bytes(*together)),
        command: None,
    })
}
