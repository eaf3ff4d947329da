//! What oomtrace is known to say wrongly of pods today. It is counted and printed with every run, and is to become empty.

/// It takes the Kubernetes API to know why kubelet had a container stopped.
const NEEDS_API: &str = "only the Kubernetes API says why kubelet stops a container";

/// The kernel says that the pod's limit was hit, for the sandbox's own memory counts there as well; but that limit is the container's, and
/// to raise the container's raises it.
const ONE_LIMIT: &str = "a pod with one container has that one's limit, and fills up first for its sandbox";
const NO_PID_1: &str =
    "in a shared pid namespace a container's first process is not pid 1, and its bundle is not asked";

/// Scenario, what the claim is about, and why it is wrong.
const KNOWN: &[(&str, &str, &str)] = &[
    ("oom::guaranteed", "cause", ONE_LIMIT),
    ("oom::burstable", "cause", ONE_LIMIT),
    ("oom::static_pod", "cause", ONE_LIMIT),
    ("oom::crash_loop", "cause", ONE_LIMIT),
    ("oom::deleted_at_once", "cause", ONE_LIMIT),
    ("oom::child_of_a_living_init", "cause", ONE_LIMIT),
    ("restarts::oom_after_both", "cause", ONE_LIMIT),
    ("restarts::deletion_after_both", "cause", NEEDS_API),
    ("hands::shared_pid_namespace", "is the container's first process", NO_PID_1),
    ("probe::liveness_by_exec", "cause", NEEDS_API),
    ("probe::liveness_by_tcp", "cause", NEEDS_API),
    ("probe::liveness_by_http", "cause", NEEDS_API),
    ("probe::startup", "cause", NEEDS_API),
    ("deletion::with_grace", "cause", NEEDS_API),
    // By chance kubelet is faster by its own hand, and that is said.
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
