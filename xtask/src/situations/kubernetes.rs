//! What a Kubernetes node shows. The scenarios of `oomtrace/tests/k8s` make these.

use super::{Situation, Source};

pub const ALL: &[Situation] = &[
    Situation::own(
        "k8s-limit",
        "kubectl says OOMKilled",
        "kubectl apply -f pod.yaml    # two containers, of which one has a limit of 24 MiB, and takes more",
        &[("oom_container_limit", 1)],
        "It is the container's own limit, and not the pod's nor the node's: kubectl shows the same word for all three.",
    )
    .of(Source::Kubernetes("oom::one_of_two_containers")),
    Situation::own(
        "k8s-pod-limit",
        "A container of a pod is killed because of another one in it",
        "kubectl apply -f pod.yaml    # two containers with 32 MiB each, and 64 MiB for the pod, of which others took half",
        &[("oom_pod_limit", 1)],
        "The pod's limit was hit, and the trigger is in another container than the victim.",
    )
    .of(Source::Kubernetes("pod_limit::another_containers_victim")),
    Situation::own(
        "k8s-probe",
        "Exit code 137, no OOMKilled, and the restart count climbs",
        "kubectl apply -f pod.yaml    # livenessProbe: httpGet on a port where nobody listens",
        &[("kubelet_probe_failure", 1)],
        "The kubelet's event names the probe that failed; the stop that it asks for ends in a kill where SIGTERM is not obeyed.",
    )
    .of(Source::Kubernetes("probe::liveness_by_http")),
    Situation::own(
        "k8s-deletion",
        "Pods take their whole grace to go away",
        "kubectl delete pod grace    # terminationGracePeriodSeconds: 3, and SIGTERM ignored",
        &[("kubelet_deletion", 1)],
        "The pod has a deletion time: nothing failed, but the container does not end when it is asked to.",
    )
    .of(Source::Kubernetes("deletion::with_grace")),
    Situation::own(
        "k8s-eviction",
        "The pod's status is Evicted",
        "kubectl apply -f pod.yaml    # an emptyDir with sizeLimit 2Mi, into which 8 MiB are written",
        &[("kubelet_eviction", 1)],
        "Evicted for a volume's size, and not for the node's memory: the kubelet's message is quoted.",
    )
    .of(Source::Kubernetes("eviction::by_an_empty_dir")),
    Situation::own(
        "k8s-exec",
        "A process in a pod was killed, by nobody in the pod",
        "kubectl exec exec-kill -- sh -c 'kill -9 $(pidof sleep)'",
        &[("same_container_kill", 1)],
        "It was brought in by exec: an exec probe or `kubectl exec`, which the kubelet passes on.",
    )
    .of(Source::Kubernetes("hands::kubectl_exec_kill")),
];
