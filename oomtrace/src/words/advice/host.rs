//! The machine ran out of memory: who has most of it, who has no limit, and what led to the choice.

use crate::model::{Advice, Incident, MemoryUser};
use crate::placement::{Placement, user_of};
use crate::text::quote::quote;
use crate::text::{bytes, name_or_id, process};
use crate::words::advice::{advice, is_plain};

/// Of the largest that are named.
const NAMED: usize = 3;

/// What to do about it, in the order of what it helps.
#[must_use]
pub fn out_of_memory(incident: &Incident) -> Vec<Advice> {
    let largest = incident.memory.as_ref().map(|memory| memory.largest.as_slice()).unwrap_or_default();
    let victim = incident.victim.process.pid;
    let hog = largest.first();
    let mut all: Vec<Advice> = hog.map(|hog| bound(incident, hog)).into_iter().collect();
    if let (Some(hog), Some(adj)) = (hog.filter(|hog| hog.pid != victim), adjusted(incident)) {
        all.push(chosen_for(incident, hog, adj));
    }
    let neighbours = largest.iter().skip(1).filter(|user| user.pid != victim && user.limited == Some(false));
    let neighbours: Vec<String> = neighbours.take(NAMED).map(described).collect();
    if !neighbours.is_empty() {
        all.push(advice(
            &format!("give these a memory limit as well: {}", neighbours.join(", ")),
            "without one, whatever grows there takes it from all others",
        ));
    }
    if all.is_empty() {
        all.push(advice(
            "give containers memory limits, or move load off this machine",
            "no limit was hit: the machine itself ran out, and the kernel chose the process with the highest score",
        ));
    }
    all
}

/// The largest process, to be kept from taking all.
fn bound(incident: &Incident, hog: &MemoryUser) -> Advice {
    let total = incident.memory.as_ref().and_then(|memory| memory.host?.total_bytes);
    let of = total.map(|total| format!(" of the machine's {}", bytes(total))).unwrap_or_default();
    let is_victim = hog.pid == incident.victim.process.pid;
    let had = format!("it had {}{of}, more than any other process", bytes(hog.resident_bytes));
    if hog.limited == Some(true) {
        return advice(
            &format!("lower the memory limit of {}, or move load off this machine", described(hog)),
            &format!("{had}, and is below its limit with that: the limits add up to more than there is"),
        );
    }
    let named = match (&incident.container, &incident.unit) {
        (Some(container), _) if is_victim => format!("container {}", name_or_id(container)),
        (None, Some(unit)) if is_victim => quote(unit).into_owned(),
        _ => described(hog),
    };
    Advice {
        action: format!("give {named} a memory limit, or move load off this machine"),
        why: format!("{had}; no limit was hit: the machine itself ran out"),
        command: unit(hog).map(|unit| {
            // A quarter more than it has: it goes on, and cannot take the rest.
            let mib = hog.resident_bytes.saturating_add(hog.resident_bytes / 4).div_ceil(1 << 20);
            format!("systemctl set-property {unit} MemoryMax={mib}M")
        }),
    }
}

/// The victim's, where it made the kernel choose it before a larger one.
fn adjusted(incident: &Incident) -> Option<i32> {
    incident.oom.as_ref()?.oom_score_adj.filter(|adj| *adj > 0)
}

fn chosen_for(incident: &Incident, hog: &MemoryUser, adj: i32) -> Advice {
    let who = process(&incident.victim.process);
    let setting = match &incident.container {
        Some(container) if container.pod.is_some() => {
            "its pod's QoS class: requests that are equal to limits make it Guaranteed"
        }
        Some(_) => "docker run --oom-score-adj",
        None => "OOMScoreAdjust= of its unit, or choom",
    };
    advice(
        &format!("lower the oom_score_adj of {who} ({setting}), where it matters more than {}", described(hog)),
        &format!("an oom_score_adj of {adj} had it chosen before a larger process"),
    )
}

/// `redis-server[9] in redis.service`.
fn described(user: &MemoryUser) -> String {
    let placement = user.cgroup.as_deref().map(Placement::parse).unwrap_or_default();
    let place = match (&placement.container, &placement.unit) {
        (Some(container), _) => Some(format!("container {}", name_or_id(&container.container()))),
        (None, Some(unit)) => Some(quote(unit).into_owned()),
        (None, None) => None,
    };
    let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
    format!("{}[{}]{place}", quote(&user.comm), user.pid)
}

/// The machine's own service that it lives in, where its name is safe to paste and no limit holds for it.
fn unit(user: &MemoryUser) -> Option<String> {
    let cgroup = user.cgroup.as_deref().filter(|cgroup| user.limited == Some(false) && user_of(cgroup).is_none())?;
    let placement = Placement::parse(cgroup);
    placement.unit.filter(|unit| placement.container.is_none() && unit.ends_with(".service") && is_plain(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::{container, oom_kill};
    use crate::model::HostMemory;

    const MIB: u64 = 1 << 20;

    fn user(pid: u32, mib: u64, cgroup: &str, limited: bool) -> MemoryUser {
        MemoryUser {
            pid,
            comm: format!("p{pid}"),
            resident_bytes: mib * MIB,
            cgroup: Some(cgroup.to_owned()),
            limited: Some(limited),
        }
    }

    fn with(largest: Vec<MemoryUser>, adj: i32) -> Incident {
        let mut incident = oom_kill();
        incident.oom.as_mut().unwrap().oom_score_adj = Some(adj);
        let memory = incident.memory.as_mut().unwrap();
        memory.host = Some(HostMemory { total_bytes: Some(4096 * MIB), ..HostMemory::default() });
        memory.largest = largest;
        incident
    }

    #[test]
    fn the_largest_is_named_and_bounded_where_that_is_safe() {
        let id = "a".repeat(64);
        for (place, limited, action, command) in [
            (
                "/system.slice/redis.service".to_owned(),
                false,
                "give p9[9] in redis.service a memory limit, or move load off this machine",
                Some("systemctl set-property redis.service MemoryMax=3750M"),
            ),
            (
                "/system.slice/redis.service".to_owned(),
                true,
                "lower the memory limit of p9[9] in redis.service, or move load off this machine",
                None,
            ),
            (
                format!("/docker/{id}"),
                false,
                "give p9[9] in container aaaaaaaaaaaa a memory limit, or move load off this machine",
                None,
            ),
            (
                "/system.slice/a b.service".to_owned(),
                false,
                "give p9[9] in 'a b.service' a memory limit, or move load off this machine",
                None,
            ),
            ("/".to_owned(), false, "give p9[9] a memory limit, or move load off this machine", None),
        ] {
            let all = out_of_memory(&with(vec![user(9, 3000, &place, limited), user(20, 10, "/x", true)], 0));
            let [advice] = &all[..] else { panic!("{all:?}") };
            assert_eq!((advice.action.as_str(), advice.command.as_deref()), (action, command));
            assert!(advice.why.contains("it had 2.9 GiB of the machine's 4 GiB"), "{advice:?}");
        }
    }

    #[test]
    fn what_led_to_the_choice_and_who_else_has_no_limit_is_said() {
        let largest = vec![
            user(9, 3000, "/system.slice/redis.service", false),
            user(8, 500, "/system.slice/a.service", false),
            user(7, 400, "/system.slice/b.service", true),
            user(20, 10, "/x", false),
        ];
        let all = out_of_memory(&with(largest, 900));
        let [_, chosen, others] = &all[..] else { panic!("{all:?}") };
        assert!(chosen.why.starts_with("an oom_score_adj of 900"), "{chosen:?}");
        assert!(chosen.action.contains("where it matters more than p9[9] in redis.service"), "{chosen:?}");
        assert_eq!(others.action, "give these a memory limit as well: p8[8] in a.service");
    }

    #[test]
    fn a_victim_that_was_the_largest_itself_is_the_one_to_bound() {
        let mut incident = with(vec![user(20, 3000, "/docker/x", false)], 900);
        incident.container = Some(crate::model::Container { name: Some("web".to_owned()), ..container("x") });
        let all = out_of_memory(&incident);
        let [advice] = &all[..] else { panic!("{all:?}") };
        assert_eq!(advice.action, "give container web a memory limit, or move load off this machine");
        // Nothing is known of who has it.
        let [advice] = &out_of_memory(&with(Vec::new(), 900))[..] else { panic!() };
        assert_eq!(advice.action, "give containers memory limits, or move load off this machine");
    }
}
