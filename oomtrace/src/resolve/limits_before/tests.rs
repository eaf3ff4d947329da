//! Whose past is given, and how much of it is kept.

use super::*;
use crate::judge::tests::{in_container, kill, oom};
use crate::model::Pod;

fn at(path: &str, mib: u64) -> Incident {
    oom(&[(path, mib, Some(mib))], Some((0, LimitLevel::Container)), OomScope::Memcg)
}

#[test]
fn one_limit_is_followed_through_its_sizes_and_no_others() {
    let mut pasts = LimitPasts::default();
    for (path, mib, kills, smaller) in [
        ("/a", 64, 0, &[][..]),
        ("/a", 64, 1, &[]),
        ("/b", 96, 0, &[]),
        ("/a", 96, 0, &[64]),
        ("/a", 96, 1, &[64]),
        // Lowered again.
        ("/a", 64, 2, &[]),
        ("/a", 128, 0, &[96, 64]),
    ] {
        let found = pasts.take(&at(path, mib));
        let smaller: Vec<u64> = smaller.iter().map(|mib| mib << 20).collect();
        assert_eq!((found.kills, found.smaller), (kills, smaller), "{path} {mib}");
    }
    assert_eq!(pasts.take(&kill("/usr/bin/bash")), LimitsBefore::default());
}

#[test]
fn a_pods_container_goes_by_its_pod_and_what_it_runs() {
    let with = |id: &str, comm: &str| {
        let mut incident = in_container(at(&format!("/kubepods/podx/{id}"), 64));
        incident.container.as_mut().unwrap().pod = Some(Pod::default());
        incident.victim.process.comm = comm.to_owned();
        incident
    };
    let mut pasts = LimitPasts::default();
    for (id, comm, kills) in [("1", "java", 0), ("2", "java", 1), ("3", "node", 0), ("4", "java", 2)] {
        assert_eq!(pasts.take(&with(id, comm)).kills, kills, "{id} {comm}");
    }
}

#[test]
fn many_limits_and_many_sizes_take_no_room() {
    let mut pasts = LimitPasts::default();
    for number in 1..1_000 {
        pasts.take(&at("/a", number));
        pasts.take(&at(&format!("/{number}"), 1));
    }
    assert_eq!(pasts.pasts.len(), REMEMBERED);
    assert!(pasts.pasts.iter_mut().all(|(_, sizes)| sizes.len() <= SIZES));
}
