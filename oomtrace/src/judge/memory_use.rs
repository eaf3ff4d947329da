//! What the memory was that ran out: tmpfs, the kernel's own, page cache, one process, or many small ones. By the memory.stat of the
//! limit's owner, read right after the victim was chosen, and by what its processes have.
//!
//! A class is given when it has half of what there is, and nothing else can be said of the rest: a fact, not a guess. What each counter
//! counts is the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst, 5.4 to 7.3.

use std::collections::BTreeMap;

use crate::model::{Incident, LimitOwner, Memory, MemoryUser, Oom, OomScope, Process, TimelinePoint};

/// So many processes are many.
const MANY: u32 = 8;
/// So many of one name are.
const MANY_ALIKE: usize = 4;
/// A curve's last point before the kill says what there was at it, where it is no older than that: in milliseconds.
const RECENT_MS: u64 = 2000;

/// What most of the memory was that ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    pub class: MemoryClass,
    /// What it has of `of_bytes`.
    pub bytes: u64,
    /// The limit that was hit, or the machine's memory.
    pub of_bytes: u64,
}

/// See [`MemoryUse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemoryClass {
    /// Files in a tmpfs, or shared memory that the victim does not map: its end does not free it.
    Tmpfs,
    /// Shared memory and tmpfs files that the victim maps: free when the last process that maps it is gone, files not even then.
    SharedMemory,
    /// The kernel's own, on behalf of the cgroup: its end frees what belongs to processes alone.
    Kernel(KernelMemory),
    /// Pages of files, shared memory left out, which the kernel did not get back.
    PageCache(PageCache),
    /// Memory of one process.
    OneProcess {
        pid: u32,
        /// Its name, which it chose itself.
        comm: String,
        is_victim: bool,
    },
    /// Many processes, none of which is large. `bytes` is what the largest has.
    ManyProcesses {
        count: u32,
        /// The largest ones that are called like the largest.
        alike: Option<Alike>,
    },
}

/// Processes of one name that have half of it together, and none of them most of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    pub comm: String,
    /// Of those that were looked at, which are the largest ones.
    pub count: u32,
    /// What they have together, at most all that there is: what they share is counted for each.
    pub bytes: u64,
}

/// What most of the kernel's own memory was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelMemory {
    /// Names and inodes of files, and the like, which the kernel can get back.
    SlabReclaimable,
    SlabUnreclaimable,
    PageTables,
    /// Stacks of threads.
    Stacks,
    /// Buffers of sockets.
    Sockets,
    /// Per-processor data, as of cgroups and BPF maps.
    PerCpu,
    Vmalloc,
    /// None of them has half, or this kernel does not tell them apart.
    Mixed,
}

/// Why page cache could not be had, as far as that can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageCache {
    /// Half of it was not written to disk yet.
    Dirty,
    /// Half of it is locked (mlock), or in a ramfs.
    Locked,
    /// It can be got back, and was not in time.
    Other,
}

/// None where nothing has half of it, or the figures are not there.
#[must_use]
pub fn memory_use(incident: &Incident) -> Option<MemoryUse> {
    let oom = incident.oom.as_ref()?;
    let memory = incident.memory.as_ref()?;
    let owner = oom.limit_owner.as_ref();
    let of_bytes = match (oom.scope, owner) {
        (_, Some(owner)) => owner.limit_bytes.or(owner.usage_bytes)?,
        (Some(OomScope::Host), None) => memory.host?.total_bytes?,
        _ => return None,
    };
    let held = owner.map(|owner| Held::of(oom, memory, owner)).unwrap_or_default();
    let victims = oom.victim_memory.as_ref().map(|victim| victim.anon_bytes);
    let victims_own = victims.unwrap_or_default();
    let mapped = oom.victim_memory.as_ref().map_or(0, |victim| victim.shmem_bytes);
    // What the victim had for itself is known exactly: what the curve had before that must leave room for it.
    let has_room = |share: &Share| share.shmem.saturating_add(victims_own) <= of_bytes;
    let by_curve = held.by_curve.filter(|share| !held.is_read && has_room(share));
    let found = [held.by_stat, by_curve].into_iter().flatten().find_map(|share| share.class(mapped, of_bytes));
    // What processes have of their own may only be said where that is what there is most of. Of the victim's, memory.stat may be without it
    // already.
    let is_processes = held.by_stat.is_none_or(|share| is_half(share.anon.max(victims_own), of_bytes));
    let by_process =
        || is_processes.then(|| by_process(memory, (&incident.victim.process, victims), of_bytes)).flatten();
    let (class, bytes) = found.or_else(by_process)?;
    Some(MemoryUse { class, bytes, of_bytes })
}

/// What the limit's owner had, by whoever says so.
#[derive(Clone, Copy, Default)]
struct Held {
    by_stat: Option<Share>,
    /// memory.stat was read before too much of what the kernel counted at the kill was gone, the victim's own memory left out: a container's
    /// end frees its tmpfs, too.
    is_read: bool,
    by_curve: Option<Share>,
}

impl Held {
    fn of(oom: &Oom, memory: &Memory, owner: &LimitOwner) -> Self {
        let is_own = memory.levels.first().is_some_and(|level| level.path == owner.path);
        let stat = if is_own { memory.stat.as_ref() } else { memory.owner_stat.as_ref() };
        let by_stat = stat.map(|stat| Share::of(stat, memory.kernel_bytes.filter(|_| is_v1(stat))));
        let victims_own = oom.victim_memory.as_ref().map_or(0, |victim| victim.anon_bytes);
        let had = owner.usage_bytes.or(owner.limit_bytes).unwrap_or_default();
        let is_read = by_stat.is_some_and(|share| share.all().saturating_add(victims_own) >= had / 4 * 3);
        Self { by_stat, is_read, by_curve: last_point(memory, &owner.path).and_then(Share::of_point) }
    }
}

/// A cgroup's limit was hit, and neither its memory.stat nor its curve says what it had.
#[must_use]
pub fn is_unseen(incident: &Incident) -> bool {
    let Some(oom) = &incident.oom else { return false };
    let Some(owner) = &oom.limit_owner else { return false };
    let held = incident.memory.as_ref().map(|memory| Held::of(oom, memory, owner)).unwrap_or_default();
    !held.is_read && held.by_curve.is_none()
}

/// The last point of the curve of the cgroup at `owner` that was read before the kill, where that is recent.
fn last_point<'a>(memory: &'a Memory, owner: &str) -> Option<&'a TimelinePoint> {
    let points = memory.timeline.as_ref().filter(|_| memory.timeline_of.as_deref() == Some(owner))?;
    let read = points.iter().rfind(|point| point.anon_bytes.is_some() || point.shmem_bytes.is_some());
    read.filter(|point| point.before_ms <= RECENT_MS)
}

/// On v1 the figures of a cgroup and all below it have names of their own.
fn is_v1(stat: &BTreeMap<String, u64>) -> bool {
    stat.contains_key("total_rss")
}

/// At least half.
const fn is_half(part: u64, of: u64) -> bool {
    part > 0 && part >= of.div_ceil(2)
}

/// What memory.stat says, in bytes; of v1 and v2 alike.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    anon: u64,
    shmem: u64,
    /// Without shmem.
    cache: u64,
    /// Of that.
    dirty: u64,
    unevictable: u64,
    kernel: u64,
    largest_of_kernel: Option<(KernelMemory, u64)>,
}

impl Share {
    /// v1 has the kernel's memory in a file of its own.
    fn of(stat: &BTreeMap<String, u64>, v1_kernel: Option<u64>) -> Self {
        let get = |name: &str| stat.get(name).copied().unwrap_or_default();
        if is_v1(stat) {
            // "cache" has shmem in it (mem_cgroup_charge_statistics of 5.4; memcg1_stats today).
            let shmem = get("total_shmem");
            return Self {
                anon: get("total_rss"),
                shmem,
                cache: get("total_cache").saturating_sub(shmem),
                dirty: get("total_dirty").saturating_add(get("total_writeback")),
                unevictable: get("total_unevictable"),
                kernel: v1_kernel.unwrap_or_default(),
                largest_of_kernel: None,
            };
        }
        let shmem = get("shmem");
        let parts = [
            (KernelMemory::SlabReclaimable, get("slab_reclaimable")),
            (KernelMemory::SlabUnreclaimable, get("slab_unreclaimable")),
            (KernelMemory::PageTables, get("pagetables").saturating_add(get("sec_pagetables"))),
            (KernelMemory::Stacks, get("kernel_stack")),
            (KernelMemory::PerCpu, get("percpu")),
            (KernelMemory::Vmalloc, get("vmalloc")),
        ];
        // "kernel" is their sum and more, since 5.18; "sock" was never in it.
        let sum = parts.iter().fold(0_u64, |sum, (_, part)| sum.saturating_add(*part));
        let sockets = (KernelMemory::Sockets, get("sock"));
        let all = parts.into_iter().chain([sockets]);
        Self {
            anon: get("anon"),
            shmem,
            // "file" has shmem in it (memory_stats, mm/memcontrol.c).
            cache: get("file").saturating_sub(shmem),
            dirty: get("file_dirty").saturating_add(get("file_writeback")),
            unevictable: get("unevictable"),
            kernel: get("kernel").max(sum).saturating_add(sockets.1),
            largest_of_kernel: all.max_by_key(|(_, bytes)| *bytes),
        }
    }

    /// By a curve's point. Page cache that was there before the kill need not have been there at it, and the kernel's own is small: neither
    /// is read off it.
    fn of_point(point: &TimelinePoint) -> Option<Self> {
        Some(Self { anon: point.anon_bytes.unwrap_or_default(), shmem: point.shmem_bytes?, ..Self::default() })
    }

    const fn all(self) -> u64 {
        self.anon.saturating_add(self.shmem).saturating_add(self.cache).saturating_add(self.kernel)
    }

    /// What has half of all, of what no process has for itself.
    fn class(self, mapped_by_victim: u64, of_bytes: u64) -> Option<(MemoryClass, u64)> {
        if is_half(self.shmem, of_bytes) {
            let unmapped = self.shmem.saturating_sub(mapped_by_victim);
            let class = if is_half(unmapped, self.shmem) { MemoryClass::Tmpfs } else { MemoryClass::SharedMemory };
            return Some((class, self.shmem));
        }
        if is_half(self.kernel, of_bytes) {
            let largest = self.largest_of_kernel.filter(|(_, bytes)| is_half(*bytes, self.kernel));
            let kind = largest.map_or(KernelMemory::Mixed, |(kind, _)| kind);
            return Some((MemoryClass::Kernel(kind), self.kernel));
        }
        if is_half(self.cache, of_bytes) {
            let why = if is_half(self.dirty, self.cache) {
                PageCache::Dirty
            } else if is_half(self.unevictable, self.cache) {
                PageCache::Locked
            } else {
                PageCache::Other
            };
            return Some((MemoryClass::PageCache(why), self.cache));
        }
        None
    }
}

/// By what the processes have: one that has half of it, or many of which none has a quarter, or that are alike. Of the victim its own memory
/// counts alone where that is known, for pages of files may be charged elsewhere; it may be gone from the list already.
fn by_process(memory: &Memory, (victim, own): (&Process, Option<u64>), of_bytes: u64) -> Option<(MemoryClass, u64)> {
    let is_victim = |pid: u32| pid == victim.pid;
    let size = |user: &MemoryUser| match own.filter(|_| is_victim(user.pid)) {
        Some(own) => own,
        None => user.resident_bytes.min(of_bytes),
    };
    let of_list = memory.largest.iter().map(|user| (user.pid, user.comm.as_str(), size(user)));
    let gone = own.filter(|_| !memory.largest.iter().any(|user| is_victim(user.pid)));
    let gone = gone.map(|own| (victim.pid, victim.comm.as_str(), own));
    let (pid, comm, bytes) = of_list.chain(gone).max_by_key(|(.., bytes)| *bytes)?;
    if is_half(bytes, of_bytes) {
        let is_victim = is_victim(pid);
        return Some((MemoryClass::OneProcess { pid, comm: comm.to_owned(), is_victim }, bytes));
    }
    let alike = alike(memory, comm, size, of_bytes);
    let is_many = memory.processes.is_some_and(|count| count >= MANY) && bytes < of_bytes / 4;
    if !is_many && alike.is_none() {
        return None;
    }
    let count = memory.processes.or(alike.as_ref().map(|alike| alike.count))?;
    Some((MemoryClass::ManyProcesses { count, alike }, bytes))
}

/// Those called `comm` among the largest, as far as they are many and have half of it together.
fn alike(memory: &Memory, comm: &str, size: impl Fn(&MemoryUser) -> u64, of_bytes: u64) -> Option<Alike> {
    let sizes: Vec<u64> = memory.largest.iter().filter(|user| user.comm == comm).map(size).collect();
    let together = sizes.iter().fold(0_u64, |sum, size| sum.saturating_add(*size));
    let count = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
    let is_alike = sizes.len() >= MANY_ALIKE && is_half(together, of_bytes);
    is_alike.then(|| Alike { comm: comm.to_owned(), count, bytes: together.min(of_bytes) })
}

#[cfg(test)]
mod tests;
