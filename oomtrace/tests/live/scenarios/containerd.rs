//! Containers of a real containerd: `ctr`'s own, and one as Kubernetes has it, by cgroup and annotations.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::Runtime;
use oomtrace::model::{Cause, Confidence, Qos, Record};

use crate::Scenario;
use crate::support::containerd::Containerd;
use crate::support::needs::Need::{self, Busybox, Containerd as ContainerdNeeded, MemoryCgroup, Tracing};
use crate::support::tracer::Tracer;
use crate::support::truth;

const NEEDS: &[Need] = &[Tracing, Busybox, ContainerdNeeded, MemoryCgroup];
/// Of the scenario's pod.
const POD_UID: &str = "2f1c8b1a-0c1d-4b5e-9a77-0123456789ab";

pub const ALL: &[Scenario] = &[
    Scenario { name: "containerd::a_container_of_ctr", needs: NEEDS, run: of_ctr },
    Scenario { name: "containerd::a_pods_container_over_its_limit", needs: NEEDS, run: of_a_pod },
];

fn of_ctr() {
    let containerd = Containerd::start();
    let mut tracer = Tracer::start(&["--containerd-state", containerd.state().to_str().unwrap()]);
    let id = Containerd::name();
    let container = containerd.run(&id, None, &["--label", "team=a"], "exec sleep 1000");
    kill(Pid::from_raw(container.init as i32), Signal::SIGKILL).unwrap();
    let incident = tracer.incident(container.init);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    let found = incident.container.unwrap();
    assert_eq!(
        (found.id.as_str(), found.runtime.map(Runtime::name), found.name),
        (id.as_str(), Some("containerd"), None)
    );
    assert_eq!(found.init_pid, Some(container.init));
    assert_eq!(found.labels.unwrap()["team"], "a");
    assert!(!incident.missing.iter().any(|m| m.starts_with("the container's")), "{:?}", incident.missing);
}

/// The annotations are those that containerd's CRI plugin writes into a bundle, in its own namespace; in another one anybody's image may have them.
fn of_a_pod() {
    let containerd = Containerd::start();
    let mut tracer = Tracer::start(&["--containerd-state", containerd.state().to_str().unwrap()]);
    for (number, namespace, is_pods) in [(0, "k8s.io", true), (1, "default", false)] {
        let id = format!("{number:x}{:063x}", std::process::id());
        let cgroup = format!("/kubepods/burstable/pod{POD_UID}/{id}");
        let mut options = vec!["--memory-limit", "25165824"];
        let uid = format!("io.kubernetes.cri.sandbox-uid={POD_UID}");
        for annotation in [
            "io.kubernetes.cri.container-name=app",
            "io.kubernetes.cri.image-name=docker.io/library/nginx:1.27",
            "io.kubernetes.cri.sandbox-name=web-5d4",
            "io.kubernetes.cri.sandbox-namespace=shop",
            &uid,
        ] {
            options.extend(["--annotation", annotation]);
        }
        // The shell lives on, and its bundle with it.
        let script = "tail /dev/zero; sleep 1000";
        let _container = containerd.run_in(namespace, &id, Some(&cgroup), &options, script);
        let incident = tracer.wait("its OOM kill", |record| match record {
            Record::Incident(incident) if incident.container.as_ref().is_some_and(|found| found.id == id) => {
                Some(incident.clone())
            }
            _ => None,
        });
        truth::is_oom(&incident, Cause::OomContainerLimit);
        let found = incident.container.unwrap();
        assert_eq!((found.name.as_deref(), found.runtime.map(Runtime::name)), (Some("app"), Some("containerd")));
        assert_eq!(found.image.as_deref(), Some("docker.io/library/nginx:1.27"));
        let pod = found.pod.unwrap();
        let names = (Some("web-5d4"), Some("shop"));
        assert_eq!((pod.name.as_deref(), pod.namespace.as_deref()), if is_pods { names } else { (None, None) });
        // As its cgroup says.
        assert_eq!((pod.uid.as_deref(), pod.qos), (Some(POD_UID), Some(Qos::Burstable)));
    }
}
