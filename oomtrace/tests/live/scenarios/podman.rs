//! Containers of a real podman, root's and a user's own.

use oomtrace::model::Runtime;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use oomtrace::model::{Cause, Confidence, Incident};

use crate::Scenario;
use crate::support::docker::make_image;
use crate::support::needs::Need::{self, Busybox, MemoryCgroup, Podman, Tracing, User};
use crate::support::process::{run, run_as_printed};
use crate::support::tracer::Tracer;
use crate::support::truth;
use crate::support::user;

const NEEDS: &[Need] = &[Tracing, Busybox, Podman, MemoryCgroup];
const USER_NEEDS: &[Need] = &[Tracing, Busybox, Podman, User, MemoryCgroup];
/// As podman calls what it imports by a name without a registry.
const IMAGE: &str = "localhost/oomtrace-test:busybox";
const LIMIT: u64 = 24 << 20;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "podman::a_container_over_its_limit",
        needs: NEEDS,
        run: || over_its_limit(&Engine { user: false }),
    },
    Scenario {
        name: "podman::a_stop_that_runs_into_its_time_out",
        needs: NEEDS,
        run: || stopped(&Engine { user: false }),
    },
    Scenario {
        name: "podman::a_users_container_over_its_limit",
        needs: USER_NEEDS,
        run: || over_its_limit(&Engine { user: true }),
    },
    Scenario {
        name: "podman::a_users_stop_that_runs_into_its_time_out",
        needs: USER_NEEDS,
        run: || stopped(&Engine { user: true }),
    },
];

/// podman, as root or as a user runs it.
struct Engine {
    user: bool,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

struct Container<'a> {
    engine: &'a Engine,
    name: String,
    id: String,
}

impl Engine {
    fn command(&self) -> Command {
        if self.user { user::command("podman") } else { Command::new("podman") }
    }

    fn ensure_image(&self) {
        if !self.command().args(["image", "exists", IMAGE]).status().unwrap().success() {
            make_image(&mut self.command());
        }
    }

    fn run(&self, options: &[&str], command: &str) -> Container<'_> {
        self.ensure_image();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("oomtrace-test-{}-{number}", std::process::id());
        // Made before the container is, so that it is removed even when its start fails.
        let mut container = Container { engine: self, name, id: String::new() };
        let mut podman = self.command();
        podman.args(["run", "--detach", "--network", "none", "--name", &container.name]).args(options);
        container.id = run(podman.args([IMAGE, "sh", "-c", command]));
        container
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        _ = self.engine.command().args(["rm", "--force", "--time", "0", &self.name]).output();
    }
}

fn assert_named(incident: &Incident, container: &Container<'_>) {
    let found = incident.container.as_ref().unwrap();
    assert_eq!((found.id.as_str(), found.runtime.map(Runtime::name)), (container.id.as_str(), Some("podman")));
    assert_eq!(found.name.as_ref(), Some(&container.name));
    assert_eq!(found.image.as_deref(), Some(IMAGE));
}

fn over_its_limit(engine: &Engine) {
    let mut tracer = Tracer::start(&[]);
    // A process that has been there for a while, in a container that goes on: podman changes no limit of one that has ended.
    let container = engine.run(&["--memory", "24m"], "(sleep 11; exec tail /dev/zero) & wait; sleep 1000");
    let incident = tracer.incident_in(&container.name);
    let verdict = truth::is_oom(&incident, Cause::OomContainerLimit);
    assert_named(&incident, &container);
    assert_eq!(incident.container.unwrap().limits.unwrap().memory_bytes, Some(LIMIT));
    // A user's container may be called like one of root's.
    let as_user = if engine.user { "sudo -u '#1000' XDG_RUNTIME_DIR=/run/user/1000 " } else { "" };
    let command = verdict.advice[0].command.as_deref().unwrap();
    assert!(command.starts_with(&format!("{as_user}podman update --memory 36m --memory-swap ")), "{command}");
    assert!(command.ends_with(&container.name), "{command}");
    run_as_printed(command);
}

/// podman has no daemon: it is itself the one that asks.
fn stopped(engine: &Engine) {
    let mut tracer = Tracer::start(&[]);
    let container = engine.run(&[], "exec sleep 1000");
    let init: u32 =
        run(engine.command().args(["inspect", "--format", "{{.State.Pid}}", &container.name])).parse().unwrap();
    run(engine.command().args(["stop", "--time", "1", &container.name]));
    let incident = tracer.incident(init);
    truth::is(&incident, Cause::RuntimeStopTimeout, Confidence::Likely);
    assert_named(&incident, &container);
    let requester = incident.requester.unwrap();
    assert_eq!(requester.process.comm, "podman");
    assert_eq!(requester.process.cmdline.unwrap().last(), Some(&container.name));
}
