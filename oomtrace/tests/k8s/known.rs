//! What oomtrace is known to say wrongly of pods today. It is counted and printed with every run, and is to become empty.

/// How often it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Often {
    Always,
    /// By chance.
    AtTimes,
}

use crate::daemonset::WITHOUT_API;

use Often::{Always, AtTimes};

/// What is known of a claim.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    scenario: &'static str,
    /// Of whom it is known; none: of all.
    tracer: Option<&'static str>,
    what: &'static str,
    pub why: &'static str,
    pub often: Often,
}

const fn wrong(scenario: &'static str, what: &'static str, why: &'static str, often: Often) -> Known {
    Known { scenario, tracer: None, what, why, often }
}

/// It takes the Kubernetes API to know why kubelet had a container stopped.
const fn needs_api(scenario: &'static str, often: Often) -> Known {
    Known { tracer: Some(WITHOUT_API), ..wrong(scenario, "cause", NEEDS_API, often) }
}

const NEEDS_API: &str = "only the Kubernetes API says why kubelet stops a container";
/// It is unknown then, and not wrong: whoever reads an incident does not wait for longer.
const LATE_INIT: &str = "the container's end is waited for for 12 ms";
/// Who connects for one request comes a few milliseconds before the kill. kubelet, which is connected all the time, writes every second:
/// where it did so within two seconds, it is named first, and the other in the evidence.
const BESIDE_KUBELET: &str = "kubelet, which always writes, is named before a client that came for this";

const KNOWN: &[Known] = &[
    wrong("oom::child_whose_status_the_init_passes_on", "the container's exit code", LATE_INIT, AtTimes),
    needs_api("probe::liveness_by_exec", Always),
    needs_api("probe::liveness_by_tcp", Always),
    needs_api("probe::liveness_by_http", Always),
    needs_api("probe::startup_by_exec", Always),
    needs_api("probe::startup_by_tcp", Always),
    needs_api("probe::startup_by_http", Always),
    needs_api("deletion::with_grace", AtTimes),
    // By chance kubelet is faster by its own hand, and that is seen.
    needs_api("deletion::by_force", AtTimes),
    needs_api("deletion::of_a_static_pods_manifest", AtTimes),
    needs_api("deletion::pre_stop_longer_than_grace", AtTimes),
    needs_api("restarts::deletion_after_both", AtTimes),
    needs_api("eviction::by_an_empty_dir", Always),
    needs_api("eviction::by_node_memory", Always),
    needs_api("eviction::preemption", Always),
    needs_api("controllers::rollout", AtTimes),
    needs_api("controllers::rollout_of_all_at_once", AtTimes),
    needs_api("controllers::scale_down", AtTimes),
    needs_api("controllers::the_owners_deletion", AtTimes),
    needs_api("controllers::a_pod_of_a_deployment_is_deleted", AtTimes),
    needs_api("controllers::daemon_set_rollout", AtTimes),
    needs_api("controllers::stateful_set_rollout", AtTimes),
    needs_api("controllers::a_jobs_deadline", AtTimes),
    needs_api("controllers::drain", AtTimes),
    needs_api("controllers::a_taint", AtTimes),
    needs_api("controllers::preemption_by_the_scheduler", Always),
    needs_api("restarts::none_after_the_deadline", AtTimes),
    needs_api("reboot::an_old_probe_is_not_blamed", Always),
    needs_api("outage::the_api_is_gone_and_comes_back", AtTimes),
    wrong("hands::cri_remove_container", "requester", BESIDE_KUBELET, AtTimes),
    wrong("hands::cri_stop_container", "requester", BESIDE_KUBELET, AtTimes),
];

/// What is known of that claim of a scenario about what a tracer says.
pub fn find(scenario: &str, tracer: &str, what: &str) -> Option<Known> {
    let is_of = |known: &&Known| known.tracer.is_none_or(|of| of == tracer);
    KNOWN.iter().filter(is_of).find(|known| known.scenario == scenario && known.what == what).copied()
}
