//! What oomtrace is known to say wrongly of pods today. It is counted and printed with every run, and is to become empty.

/// How often it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Often {
    Always,
    /// By chance.
    AtTimes,
}

use Often::{Always, AtTimes};

/// What is known of a claim.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    scenario: &'static str,
    what: &'static str,
    pub why: &'static str,
    pub often: Often,
}

const fn wrong(scenario: &'static str, what: &'static str, why: &'static str, often: Often) -> Known {
    Known { scenario, what, why, often }
}

/// It takes the Kubernetes API to know why kubelet had a container stopped.
const NEEDS_API: &str = "only the Kubernetes API says why kubelet stops a container";
/// It is unknown then, and not wrong: whoever reads an incident does not wait for longer.
const LATE_INIT: &str = "the container's end is waited for for 12 ms";
/// Who connects for one request comes a few milliseconds before the kill. kubelet, which is connected all the time, writes every second:
/// where it did so within two seconds, it is named first, and the other in the evidence.
const BESIDE_KUBELET: &str = "kubelet, which always writes, is named before a client that came for this";

const KNOWN: &[Known] = &[
    wrong("oom::child_whose_status_the_init_passes_on", "the container's exit code", LATE_INIT, AtTimes),
    wrong("probe::liveness_by_exec", "cause", NEEDS_API, Always),
    wrong("probe::liveness_by_tcp", "cause", NEEDS_API, Always),
    wrong("probe::liveness_by_http", "cause", NEEDS_API, Always),
    wrong("probe::startup_by_exec", "cause", NEEDS_API, Always),
    wrong("probe::startup_by_tcp", "cause", NEEDS_API, Always),
    wrong("probe::startup_by_http", "cause", NEEDS_API, Always),
    wrong("deletion::with_grace", "cause", NEEDS_API, AtTimes),
    // By chance kubelet is faster by its own hand, and that is seen.
    wrong("deletion::by_force", "cause", NEEDS_API, AtTimes),
    wrong("deletion::pre_stop_longer_than_grace", "cause", NEEDS_API, AtTimes),
    wrong("restarts::deletion_after_both", "cause", NEEDS_API, AtTimes),
    wrong("eviction::by_an_empty_dir", "cause", NEEDS_API, Always),
    wrong("eviction::by_node_memory", "cause", NEEDS_API, Always),
    wrong("eviction::preemption", "cause", NEEDS_API, Always),
    wrong("hands::cri_remove_container", "requester", BESIDE_KUBELET, AtTimes),
    wrong("hands::cri_stop_container", "requester", BESIDE_KUBELET, AtTimes),
];

/// The same of one tracer alone, in every scenario.
const KNOWN_OF: &[(&str, Known)] = &[];

/// What is known of that claim of a scenario about what a tracer says.
pub fn find(scenario: &str, tracer: &str, what: &str) -> Option<Known> {
    let of_all = KNOWN.iter().find(|known| known.scenario == scenario && known.what == what);
    of_all
        .or_else(|| KNOWN_OF.iter().find(|(of, known)| *of == tracer && known.what == what).map(|(_, known)| known))
        .copied()
}
