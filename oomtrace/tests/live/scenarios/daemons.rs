//! Runtimes' daemons that crash and come back while containers are killed: what is known stays known, nothing is lost.

use std::process::Stdio;

use oomtrace::model::{Cause, Confidence, Incident, Record};
use xtask::dockerd::Dockerd;

use crate::Scenario;
use crate::support::containerd::Containerd;
use crate::support::docker::{IMAGE, docker_at, make_image};
use crate::support::needs::Need::{self, Alone, Busybox, Containerd as ContainerdNeeded, Docker, SteadyCpus, Tracing};
use crate::support::process::{Owned, run};
use crate::support::tracer::{Tracer, command, incidents};
use crate::support::truth;

const DOCKER_NEEDS: &[Need] = &[Alone, Tracing, Busybox, Docker, SteadyCpus];
const CONTAINERD_NEEDS: &[Need] = &[Alone, Tracing, Busybox, ContainerdNeeded, SteadyCpus];

/// Kills in a container, one after the other, without end.
const LOAD: &str = "while :; do sleep 1000 & kill -9 $!; wait; sleep 0.02; done";
/// Kills that are awaited at each stage.
const KILLS: usize = 10;
/// Memory that oomtrace may take more afterwards, in bytes: a leak of each answer or event would be more.
/// What waits for an output may be some megabytes for a moment, where the reader is as slow as a test's.
const GROWTH: u64 = 8 << 20;

pub const ALL: &[Scenario] = &[
    Scenario { name: "daemons::dockerd_crashes_and_comes_back", needs: DOCKER_NEEDS, run: dockerd },
    Scenario { name: "daemons::containerd_crashes_and_comes_back", needs: CONTAINERD_NEEDS, run: containerd },
];

/// oomtrace by itself: one that records remembers what it has written.
fn watching(options: &[&str]) -> Owned {
    Owned::spawn(command().arg("--json").args(options).stdout(Stdio::null()))
}

/// Waits for `KILLS` more incidents in the container with this id, each of which names it; the last.
fn kills_in(tracer: &mut Tracer, id: &str) -> Incident {
    let is_its =
        |record: &&Record| matches!(record, Record::Incident(i) if i.container.as_ref().is_some_and(|c| c.id == id));
    let before = tracer.seen.iter().filter(is_its).count();
    let count = std::cell::Cell::new(0);
    tracer.wait("kills in the container", |record| {
        if is_its(&record) {
            count.set(count.get() + 1);
        }
        match record {
            Record::Incident(incident) if count.get() >= before + KILLS && is_its(&record) => Some(incident.clone()),
            _ => None,
        }
    })
}

fn dockerd() {
    let mut daemon = Dockerd::start().unwrap().expect("a second private daemon starts");
    let socket = daemon.socket();
    let docker = || docker_at(&socket);
    make_image(&mut docker());
    let options = ["--docker-socket", socket.to_str().unwrap()];
    let (mut tracer, watching) = (Tracer::start(&options), watching(&options));
    let start = |name: &str| -> String {
        run(docker().args(["run", "--detach", "--network", "none", "--name", name, IMAGE, "sh", "-c", LOAD]))
    };
    let first = start("first");
    let incident = kills_in(&mut tracer, &first);
    truth::is(&incident, Cause::SameContainerKill, Confidence::Certain);
    let mut resident = 0;
    for cycle in 0..3 {
        daemon.crash().unwrap();
        kills_in(&mut tracer, &first);
        // Docker ends what it finds running without it: the load is another container's from here on.
        assert!(daemon.restart().unwrap());
        run(docker().args(["start", "first"]));
        kills_in(&mut tracer, &first);
        if cycle == 0 {
            // What a daemon that is down takes, it takes once.
            resident = watching.resident();
        }
    }
    let second = start("second");
    kills_in(&mut tracer, &second);
    assert!(watching.resident() < resident + GROWTH, "{resident} to {} bytes", watching.resident());
    for name in ["first", "second"] {
        run(docker().args(["rm", "--force", name]));
    }
    let ended = tracer.end();
    assert_stream(&ended.records, &[(&first, Some("first")), (&second, Some("second"))]);
}

fn containerd() {
    let mut containerd = Containerd::start();
    let state = containerd.state();
    let options = ["--containerd-state", state.to_str().unwrap()];
    let (mut tracer, watching) = (Tracer::start(&options), watching(&options));
    let (first, second) = (Containerd::name(), Containerd::name());
    let one = containerd.run(&first, None, &["--label", "team=a"], LOAD);
    let incident = kills_in(&mut tracer, &first);
    truth::is(&incident, Cause::SameContainerKill, Confidence::Certain);
    let mut resident = 0;
    for cycle in 0..3 {
        containerd.crash();
        kills_in(&mut tracer, &first);
        containerd.restart();
        let incident = kills_in(&mut tracer, &first);
        assert_eq!(incident.container.unwrap().labels.unwrap()["team"], "a");
        if cycle == 0 {
            resident = watching.resident();
        }
    }
    let two = containerd.run(&second, None, &[], LOAD);
    kills_in(&mut tracer, &second);
    assert!(watching.resident() < resident + GROWTH, "{resident} to {} bytes", watching.resident());
    drop((one, two));
    let ended = tracer.end();
    assert_stream(&ended.records, &[(&first, None), (&second, None)]);
}

/// No kill was lost, each kill is reported once, and every incident of the containers has their names.
fn assert_stream(records: &[Record], names: &[(&str, Option<&str>)]) {
    assert!(!records.iter().any(|record| matches!(record, Record::Lost(lost) if lost.kills > 0)));
    let mut killed: Vec<(u32, &Option<String>)> =
        incidents(records).map(|i| (i.victim.process.pid, &i.victim.process.started)).collect();
    let all = killed.len();
    killed.sort_unstable();
    killed.dedup();
    assert_eq!(killed.len(), all);
    for incident in incidents(records) {
        let Some(container) = &incident.container else { continue };
        let Some((_, name)) = names.iter().find(|(id, _)| *id == container.id) else { continue };
        assert_eq!(container.name.as_deref(), *name, "{:?}", incident.missing);
    }
}
