//! What oomtrace is known to say wrongly of pods today. It is counted and printed with every run, and is to become empty.

/// It takes the Kubernetes API to know why kubelet had a container stopped.
const NEEDS_API: &str = "only the Kubernetes API says why kubelet stops a container";

/// Scenario, what the claim is about, and why it is wrong.
const KNOWN: &[(&str, &str, &str)] = &[
    ("probe::liveness_by_exec", "cause", NEEDS_API),
    ("probe::liveness_by_tcp", "cause", NEEDS_API),
    ("probe::liveness_by_http", "cause", NEEDS_API),
    ("probe::startup", "cause", NEEDS_API),
    ("deletion::with_grace", "cause", NEEDS_API),
    ("deletion::by_force", "cause", NEEDS_API),
    ("deletion::pre_stop_longer_than_grace", "cause", NEEDS_API),
    ("eviction::by_an_empty_dir", "cause", NEEDS_API),
    ("eviction::by_node_memory", "cause", NEEDS_API),
    ("eviction::preemption", "cause", NEEDS_API),
];

/// Why that claim of a scenario is known to be wrong.
pub fn why(scenario: &str, what: &str) -> Option<&'static str> {
    let found = KNOWN.iter().find(|(name, about, _)| *name == scenario && *about == what);
    found.map(|(_, _, why)| *why)
}
