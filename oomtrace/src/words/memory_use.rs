//! What the memory was that ran out, in a clause.

use crate::judge::memory_use::{Alike, KernelMemory, MemoryClass, MemoryUse, PageCache};
use crate::text::bytes;
use crate::text::quote::quote;

/// What is missing where nobody could read what filled a limit: advice to raise it may be wrong then.
pub const UNSEEN: &str = "what filled the limit: what its cgroup had in memory is not known";

/// `62.4 of 64 MiB is tmpfs or shared memory: killing does not free it`.
pub fn memory_use(found: &MemoryUse) -> String {
    let MemoryUse { class, bytes: part, of_bytes } = found;
    let share = share(*part, *of_bytes);
    match class {
        MemoryClass::Tmpfs => {
            format!("{share} is tmpfs or shared memory: killing does not free it")
        }
        MemoryClass::SharedMemory => {
            format!("{share} is shared memory, which is not free before the last process that maps it is gone")
        }
        MemoryClass::Kernel(kind) => format!("{share} is the kernel's own{}", kernel(*kind)),
        MemoryClass::PageCache(why) => format!("{share} is page cache, {}", page_cache(*why)),
        MemoryClass::OneProcess { pid, comm, is_victim } => {
            format!("{}[{pid}] {} {share}", quote(comm), if *is_victim { "had" } else { "has" })
        }
        MemoryClass::ManyProcesses { alike: Some(Alike { comm, count, bytes }), .. } => {
            format!("{count} processes called {} have {} together", quote(comm), self::share(*bytes, *of_bytes))
        }
        MemoryClass::ManyProcesses { count, alike: None } => {
            format!("{count} processes, the largest has {}", bytes(*part))
        }
    }
}

/// `62.4 of 64 MiB`.
fn share(part: u64, of: u64) -> String {
    let (part, of) = (bytes(part), bytes(of));
    let unit = of.rsplit_once(' ').map(|(_, unit)| unit).unwrap_or_default();
    let number = part
        .strip_suffix(unit)
        .map(str::trim_end)
        .filter(|_| part.rsplit_once(' ').is_some_and(|(_, own)| own == unit));
    format!("{} of {of}", number.unwrap_or(&part))
}

const fn kernel(kind: KernelMemory) -> &'static str {
    match kind {
        KernelMemory::SlabReclaimable => ", mostly names and inodes of files",
        KernelMemory::SlabUnreclaimable => ", mostly slab that cannot be reclaimed",
        KernelMemory::PageTables => ", mostly page tables",
        KernelMemory::Stacks => ", mostly stacks of threads",
        KernelMemory::Sockets => ", mostly buffers of sockets",
        KernelMemory::PerCpu => ", mostly per-processor data",
        KernelMemory::Vmalloc => ", mostly vmalloc",
        KernelMemory::Mixed => "",
    }
}

const fn page_cache(why: PageCache) -> &'static str {
    match why {
        PageCache::Dirty => "which was not written to disk yet",
        PageCache::Locked => "which is locked in memory (mlock)",
        PageCache::Other => "which was not reclaimed in time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn each_class_has_words_of_its_own() {
        let kernel = |kind| MemoryClass::Kernel(kind);
        let alike = Alike { comm: "w".to_owned(), count: 6, bytes: 48 * MIB };
        let many = |alike| MemoryClass::ManyProcesses { count: 214, alike };
        let one = |is_victim| MemoryClass::OneProcess { pid: 7, comm: "a b".to_owned(), is_victim };
        for (class, expected) in [
            (MemoryClass::Tmpfs, "62 of 64 MiB is tmpfs or shared memory: killing does not free it"),
            (
                MemoryClass::SharedMemory,
                "62 of 64 MiB is shared memory, which is not free before the last process that maps it is gone",
            ),
            (kernel(KernelMemory::Mixed), "62 of 64 MiB is the kernel's own"),
            (
                kernel(KernelMemory::SlabReclaimable),
                "62 of 64 MiB is the kernel's own, mostly names and inodes of files",
            ),
            (
                kernel(KernelMemory::SlabUnreclaimable),
                "62 of 64 MiB is the kernel's own, mostly slab that cannot be reclaimed",
            ),
            (kernel(KernelMemory::PageTables), "62 of 64 MiB is the kernel's own, mostly page tables"),
            (kernel(KernelMemory::Stacks), "62 of 64 MiB is the kernel's own, mostly stacks of threads"),
            (kernel(KernelMemory::Sockets), "62 of 64 MiB is the kernel's own, mostly buffers of sockets"),
            (kernel(KernelMemory::PerCpu), "62 of 64 MiB is the kernel's own, mostly per-processor data"),
            (kernel(KernelMemory::Vmalloc), "62 of 64 MiB is the kernel's own, mostly vmalloc"),
            (MemoryClass::PageCache(PageCache::Dirty), "62 of 64 MiB is page cache, which was not written to disk yet"),
            (
                MemoryClass::PageCache(PageCache::Locked),
                "62 of 64 MiB is page cache, which is locked in memory (mlock)",
            ),
            (MemoryClass::PageCache(PageCache::Other), "62 of 64 MiB is page cache, which was not reclaimed in time"),
            (one(true), "'a b'[7] had 62 of 64 MiB"),
            (one(false), "'a b'[7] has 62 of 64 MiB"),
            (many(None), "214 processes, the largest has 62 MiB"),
            (many(Some(alike)), "6 processes called w have 48 of 64 MiB together"),
        ] {
            assert_eq!(memory_use(&MemoryUse { class, bytes: 62 * MIB, of_bytes: 64 * MIB }), expected);
        }
    }

    #[test]
    fn a_unit_is_said_once_where_both_have_it() {
        for (part, of, expected) in [
            (62 * MIB + 450_000, 64 * MIB, "62.4 of 64 MiB"),
            (700 * MIB, 1 << 30, "700 MiB of 1 GiB"),
            (5, 9, "5 of 9 B"),
            (1 << 10, 1 << 11, "1 of 2 KiB"),
            // "KiB" ends as "B" does.
            (1 << 10, 9, "1 KiB of 9 B"),
        ] {
            assert_eq!(share(part, of), expected);
        }
    }
}
