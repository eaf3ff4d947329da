use super::*;
use crate::judge::tests::oom;
use crate::model::{HostMemory, LimitLevel, VictimMemory};

const MIB: u64 = 1 << 20;
const OWNER: &str = "/docker/a";

/// An OOM kill at a limit of 64 MiB, with that in the owner's memory.stat, in MiB.
fn at_64(stat: &[(&str, u64)]) -> Incident {
    let mut incident = oom(&[(OWNER, 64, Some(64))], Some((0, LimitLevel::Container)), OomScope::Memcg);
    let stat = stat.iter().map(|(name, mib)| ((*name).to_owned(), mib * MIB)).collect();
    incident.memory.as_mut().unwrap().stat = Some(stat);
    incident
}

/// The victim is 20.
fn with(mut incident: Incident, largest: &[(u32, u64)], processes: Option<u32>) -> Incident {
    let memory = incident.memory.as_mut().unwrap();
    let user = |(pid, mib): &(u32, u64)| MemoryUser {
        pid: *pid,
        comm: format!("p{pid}"),
        resident_bytes: mib * MIB,
        cgroup: None,
        limited: None,
    };
    memory.largest = largest.iter().map(user).collect();
    memory.processes = processes;
    incident
}

fn victim_maps(mut incident: Incident, shmem: u64) -> Incident {
    incident.oom.as_mut().unwrap().victim_memory = Some(VictimMemory {
        anon_bytes: 0,
        file_bytes: 0,
        shmem_bytes: shmem * MIB,
        swap_bytes: 0,
        page_tables_bytes: 0,
        total_vm_bytes: 0,
    });
    incident
}

fn class(incident: &Incident) -> Option<(MemoryClass, u64)> {
    let found = memory_use(incident)?;
    assert_eq!(found.of_bytes, 64 * MIB);
    Some((found.class, found.bytes / MIB))
}

#[test]
fn what_has_half_of_it_is_named_on_v2() {
    use KernelMemory::{Mixed, PageTables, PerCpu, SlabReclaimable, SlabUnreclaimable, Sockets, Stacks, Vmalloc};
    use MemoryClass::{Kernel, PageCache as Cache, Tmpfs};
    for (stat, expected) in [
        (&[("anon", 1), ("file", 62), ("shmem", 62)][..], Some((Tmpfs, 62))),
        (&[("file", 32), ("shmem", 32)], Some((Tmpfs, 32))),
        (&[("file", 31), ("shmem", 31)], None),
        (&[("kernel", 40), ("slab_unreclaimable", 30)], Some((Kernel(SlabUnreclaimable), 40))),
        (&[("kernel", 40), ("slab_reclaimable", 20)], Some((Kernel(SlabReclaimable), 40))),
        (&[("kernel", 40), ("slab_reclaimable", 19)], Some((Kernel(Mixed), 40))),
        (&[("kernel", 40), ("pagetables", 20), ("sec_pagetables", 5)], Some((Kernel(PageTables), 40))),
        (&[("kernel", 40), ("pagetables", 15), ("sec_pagetables", 5)], Some((Kernel(PageTables), 40))),
        (&[("kernel", 40), ("kernel_stack", 33)], Some((Kernel(Stacks), 40))),
        (&[("kernel", 40), ("percpu", 33)], Some((Kernel(PerCpu), 40))),
        (&[("kernel", 40), ("vmalloc", 33)], Some((Kernel(Vmalloc), 40))),
        // Sockets are not in "kernel".
        (&[("kernel", 8), ("sock", 40)], Some((Kernel(Sockets), 48))),
        (&[("kernel", 31)], None),
        // Before 5.18 the parts are all that there is.
        (&[("kernel_stack", 4), ("slab_unreclaimable", 40)], Some((Kernel(SlabUnreclaimable), 44))),
        (&[("file", 60), ("file_dirty", 20), ("file_writeback", 10)], Some((Cache(PageCache::Dirty), 60))),
        (&[("file", 60), ("file_dirty", 29), ("unevictable", 30)], Some((Cache(PageCache::Locked), 60))),
        (&[("file", 60), ("file_dirty", 29), ("unevictable", 29)], Some((Cache(PageCache::Other), 60))),
        // Shared memory is no page cache.
        (&[("file", 40), ("shmem", 10)], None),
        (&[("file", 42), ("shmem", 10)], Some((Cache(PageCache::Other), 32))),
        (&[("anon", 60)], None),
        (&[], None),
    ] {
        assert_eq!(class(&at_64(stat)), expected, "{stat:?}");
    }
}

#[test]
fn what_has_half_of_it_is_named_on_v1() {
    use MemoryClass::{Kernel, PageCache as Cache, Tmpfs};
    for (stat, kernel, expected) in [
        (&[("total_rss", 1), ("total_cache", 62), ("total_shmem", 61)][..], None, Some((Tmpfs, 61))),
        // What stands there without "total_" is that of the cgroup alone, without those below it.
        (&[("total_rss", 1), ("cache", 62), ("shmem", 61)], None, None),
        (&[("total_rss", 1)], Some(40), Some((Kernel(KernelMemory::Mixed), 40))),
        (&[("total_rss", 1)], Some(31), None),
        (
            &[("total_rss", 1), ("total_cache", 60), ("total_dirty", 20), ("total_writeback", 10)],
            None,
            Some((Cache(PageCache::Dirty), 60)),
        ),
        (
            &[("total_rss", 1), ("total_cache", 60), ("total_unevictable", 30)],
            None,
            Some((Cache(PageCache::Locked), 60)),
        ),
        (&[("total_rss", 1), ("total_cache", 62), ("total_shmem", 31)], None, None),
        // v2's are none of v1's.
        (&[("total_rss", 1), ("kernel", 60), ("file", 60)], None, None),
    ] {
        let mut incident = at_64(stat);
        incident.memory.as_mut().unwrap().kernel_bytes = kernel.map(|mib| mib * MIB);
        assert_eq!(class(&incident), expected, "{stat:?} {kernel:?}");
    }
    // v2 has it in memory.stat.
    let mut v2 = at_64(&[("anon", 1)]);
    v2.memory.as_mut().unwrap().kernel_bytes = Some(60 * MIB);
    assert_eq!(class(&v2), None);
}

#[test]
fn shared_memory_that_the_victim_maps_is_told_apart_from_files_in_a_tmpfs() {
    use MemoryClass::{SharedMemory, Tmpfs};
    for (mapped, expected) in [(0, Tmpfs), (30, Tmpfs), (31, SharedMemory), (60, SharedMemory), (70, SharedMemory)] {
        let incident = victim_maps(at_64(&[("file", 60), ("shmem", 60)]), mapped);
        assert_eq!(class(&incident), Some((expected, 60)), "{mapped}");
    }
}

#[test]
fn processes_are_named_where_their_memory_is_most_of_it() {
    use MemoryClass::{ManyProcesses, OneProcess};
    let one = |pid, is_victim| OneProcess { pid, comm: format!("p{pid}"), is_victim };
    let anon = [("anon", 60)];
    let many = || ManyProcesses { count: 8, alike: None };
    for (largest, processes, expected) in [
        (&[(20, 50), (3, 5)][..], Some(2), Some((one(20, true), 50))),
        (&[(3, 50), (20, 5)], Some(200), Some((one(3, false), 50))),
        (&[(20, 5), (3, 32)], None, Some((one(3, false), 32))),
        (&[(20, 31)], Some(200), None),
        // Pages of files that are charged elsewhere count for it, too.
        (&[(3, 70), (20, 60)], None, Some((one(3, false), 64))),
        (&[(20, 3), (4, 2)], Some(8), Some((many(), 3))),
        (&[(20, 15)], Some(8), Some((many(), 15))),
        (&[(20, 16)], Some(8), None),
        (&[(20, 3)], Some(7), None),
        (&[(20, 3)], None, None),
        (&[], Some(8), None),
    ] {
        assert_eq!(class(&with(at_64(&anon), largest, processes)), expected, "{largest:?} {processes:?}");
    }
    // The victim's is gone already.
    for (anon, is_told) in [(32, true), (31, false)] {
        let mut gone = victim_maps(with(at_64(&[("anon", 1)]), &[(20, 50)], None), 0);
        gone.oom.as_mut().unwrap().victim_memory.as_mut().unwrap().anon_bytes = anon * MIB;
        assert_eq!(class(&gone), is_told.then(|| (one(20, true), anon)), "{anon}");
    }
    // It is not most of it; and nothing says what is.
    assert_eq!(class(&with(at_64(&[("anon", 31)]), &[(20, 50)], Some(2))), None);
    let mut unread = with(at_64(&[]), &[(20, 50)], Some(2));
    unread.memory.as_mut().unwrap().stat = None;
    assert_eq!(class(&unread), Some((one(20, true), 50)));
}

#[test]
fn processes_of_one_name_are_many_when_there_are_four() {
    let alike = |largest: &[(&str, u64)], processes| {
        let sizes: Vec<(u32, u64)> = (30..).zip(largest.iter().map(|(_, mib)| *mib)).collect();
        let mut incident = with(at_64(&[("anon", 60)]), &sizes, processes);
        let users = incident.memory.as_mut().unwrap().largest.iter_mut();
        users.zip(largest).for_each(|(user, (comm, _))| user.comm = (*comm).to_owned());
        class(&incident)
    };
    let many = |count, alike: Option<(u32, u64)>| {
        let alike = alike.map(|(count, mib)| Alike { comm: "w".to_owned(), count, bytes: mib * MIB });
        MemoryClass::ManyProcesses { count, alike }
    };
    for (largest, processes, expected) in [
        (&[("w", 20), ("w", 10), ("w", 10), ("w", 10), ("x", 9)][..], Some(6), Some((many(6, Some((4, 50))), 20))),
        (&[("w", 20), ("w", 10), ("w", 10), ("w", 10)], None, Some((many(4, Some((4, 50))), 20))),
        // What they share is counted for each.
        (&[("w", 30), ("w", 30), ("w", 30), ("w", 30)], Some(5), Some((many(5, Some((4, 64))), 30))),
        (&[("w", 20), ("w", 15), ("w", 15)], Some(5), None),
        (&[("w", 10), ("w", 7), ("w", 7), ("w", 7)], Some(5), None),
        (&[("x", 20), ("w", 10), ("w", 10), ("w", 10), ("w", 10)], Some(6), None),
        (&[("w", 10), ("w", 7), ("w", 7), ("w", 7)], Some(8), Some((many(8, None), 10))),
    ] {
        assert_eq!(alike(largest, processes), expected, "{largest:?} {processes:?}");
    }
}

#[test]
fn the_stat_is_that_of_the_limits_owner() {
    let levels = [("/a/b", 4, None), ("/a", 64, Some(64))];
    let mut incident = oom(&levels, Some((1, LimitLevel::Slice)), OomScope::Memcg);
    let stat = |mib: u64| Some([("shmem".to_owned(), mib * MIB), ("file".to_owned(), mib * MIB)].into());
    incident.memory.as_mut().unwrap().stat = stat(64);
    assert_eq!(class(&incident), None);
    incident.memory.as_mut().unwrap().owner_stat = stat(60);
    assert_eq!(class(&incident), Some((MemoryClass::Tmpfs, 60)));
    // Of its own limit.
    incident.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().path = "/a/b".to_owned();
    assert_eq!(class(&incident), Some((MemoryClass::Tmpfs, 64)));
}

#[test]
fn without_a_limit_that_is_known_it_is_of_what_was_in_use_and_on_the_machine_of_all() {
    let mut incident = with(at_64(&[("anon", 60)]), &[(20, 40)], None);
    let owner = incident.oom.as_mut().unwrap().limit_owner.as_mut().unwrap();
    (owner.limit_bytes, owner.usage_bytes) = (None, Some(48 * MIB));
    assert_eq!(memory_use(&incident).unwrap().of_bytes, 48 * MIB);
    incident.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().usage_bytes = None;
    assert_eq!(memory_use(&incident), None);
    let host = |total: Option<u64>, scope| {
        let mut incident = with(oom(&[], None, scope), &[(20, 40)], None);
        let total_bytes = total.map(|mib| mib * MIB);
        incident.memory.as_mut().unwrap().host = Some(HostMemory { total_bytes, ..HostMemory::default() });
        memory_use(&incident).map(|found| found.of_bytes / MIB)
    };
    assert_eq!(host(Some(64), OomScope::Host), Some(64));
    assert_eq!(host(None, OomScope::Host), None);
    assert_eq!(host(Some(64), OomScope::Cpuset), None);
    assert_eq!(memory_use(&crate::judge::tests::kill("/usr/bin/bash")), None);
}

#[test]
fn a_curve_says_what_lay_in_tmpfs_where_the_cgroup_was_gone() {
    let with_curve = |of: &str, before_ms, shmem: u64| {
        let mut incident = oom(&[(OWNER, 64, Some(64))], Some((0, LimitLevel::Container)), OomScope::Memcg);
        let memory = incident.memory.as_mut().unwrap();
        let read = TimelinePoint {
            before_ms,
            usage_bytes: 63 * MIB,
            anon_bytes: Some(MIB),
            file_bytes: Some(62 * MIB),
            shmem_bytes: Some(shmem * MIB),
            ..TimelinePoint::default()
        };
        let kill = TimelinePoint { usage_bytes: 64 * MIB, ..TimelinePoint::default() };
        (memory.timeline, memory.timeline_of) = (Some(vec![read, kill]), Some(of.to_owned()));
        incident
    };
    for (incident, expected) in [
        (with_curve(OWNER, 300, 60), Some((MemoryClass::Tmpfs, 60))),
        // It may have been written since, or dropped.
        (with_curve(OWNER, 2001, 60), None),
        (with_curve(OWNER, 300, 20), None),
        (with_curve("/other", 300, 60), None),
    ] {
        assert_eq!(class(&incident), expected);
    }
    assert!(!is_unseen(&with_curve(OWNER, 300, 20)) && is_unseen(&at_64(&[])) && !is_unseen(&at_64(&[("file", 50)])));
    assert!(is_unseen(&with_curve(OWNER, 2001, 60)) && is_unseen(&with_curve("/other", 300, 60)));
    // What is read after the kill is nearer to it, as long as it is there: a container's end frees what it had in its tmpfs.
    let with_stat = |anon: u64, victims: u64| {
        let mut both = victim_maps(with_curve(OWNER, 300, 60), 0);
        both.memory.as_mut().unwrap().stat = Some([("anon".to_owned(), anon * MIB)].into());
        both.oom.as_mut().unwrap().victim_memory.as_mut().unwrap().anon_bytes = victims * MIB;
        both
    };
    assert_eq!(class(&with_stat(60, 2)), None);
    assert_eq!(class(&with_stat(0, 2)), Some((MemoryClass::Tmpfs, 60)));
    // Both together are more than there was: the tmpfs was emptied in between.
    assert_eq!(class(&with_stat(0, 5)), None);
    let mut nothing = with_stat(0, 2);
    nothing.memory.as_mut().unwrap().timeline = None;
    assert!(is_unseen(&nothing) && !is_unseen(&with_stat(48, 2)) && is_unseen(&with_curve("/other", 300, 60)));
}
