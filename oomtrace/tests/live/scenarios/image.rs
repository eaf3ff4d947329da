//! oomtrace in its own container, as on a node that is reached only through one.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oomtrace::model::{Cause, Confidence};

use crate::Scenario;
use crate::support::docker::Container;
use crate::support::image::{Watching, mounts, output};
use crate::support::needs::Need::{self, Busybox, Docker, Image, MemoryCgroup, Tracing};
use crate::support::process::Owned;
use crate::support::truth;

const NEEDS: &[Need] = &[Tracing, Busybox, Docker, Image, MemoryCgroup];

pub const ALL: &[Scenario] = &[
    Scenario { name: "image::a_neighbour_over_its_limit", needs: NEEDS, run: neighbour },
    Scenario { name: "image::a_kill_from_the_host", needs: NEEDS, run: from_the_host },
    Scenario { name: "image::it_passes_the_selftest", needs: NEEDS, run: selftest },
    Scenario { name: "image::what_is_not_mounted_is_said", needs: NEEDS, run: not_mounted },
    Scenario { name: "image::it_lists_its_neighbours", needs: NEEDS, run: lists },
];

fn as_str(mounts: &[String]) -> Vec<&str> {
    mounts.iter().map(String::as_str).collect()
}

fn neighbour() {
    let mut image = Watching::start(&as_str(&mounts()));
    let container = Container::run(&["--memory", "24m"], "tail /dev/zero; sleep 1000");
    let is_its = |name: Option<&String>| name == Some(&container.name);
    let incident = image.incident(|i| is_its(i.container.as_ref().and_then(|c| c.name.as_ref())));
    truth::is_oom(&incident, Cause::OomContainerLimit);
    let found = incident.container.unwrap();
    assert_eq!((found.id.as_str(), found.init_pid), (container.id.as_str(), Some(container.init())));
    assert_eq!(incident.victim.process.comm, "tail");
    assert!(incident.memory.unwrap().stat.is_some());
}

/// The sender is named by its pid on the host, with its command line and its parents.
fn from_the_host() {
    let mut image = Watching::start(&as_str(&mounts()));
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    kill(Pid::from_raw(init as i32), Signal::SIGKILL).unwrap();
    let incident = image.incident(|i| i.victim.process.pid == init);
    truth::is(&incident, Cause::ProcessKill, Confidence::Certain);
    assert_eq!(incident.container.unwrap().name, Some(container.name.clone()));
    let sender = incident.sender.process.unwrap();
    assert_eq!((sender.pid, sender.user.as_deref()), (std::process::id(), Some("root")));
    let own: Vec<String> = std::env::args().collect();
    assert_eq!(sender.cmdline, Some(own));
    // A process of the host's own, outside all containers.
    let sleeper = Owned::sleeper();
    sleeper.kill(Signal::SIGKILL);
    let incident = image.incident(|i| i.victim.process.pid == sleeper.pid());
    assert_eq!(incident.victim.process.cmdline.unwrap(), ["sleep", "1000"]);
}

fn selftest() {
    let output = output(&["selftest"], &as_str(&mounts()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("an OOM kill is reported, with its victim"), "{text}");
}

fn not_mounted() {
    let text = |output: std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let without = text(output(&["doctor"], &[]));
    assert!(without.contains("no /etc/passwd here: users go by their numbers"), "{without}");
    assert!(without.contains("is a part of its hierarchy only"), "{without}");
    let with = text(output(&["doctor"], &as_str(&mounts())));
    assert!(!with.contains("no /etc/passwd here"), "{with}");
    assert!(with.lines().any(|line| line.starts_with("  ok    Docker")), "{with}");
    assert!(!with.contains("is a part of its hierarchy only"), "{with}");
    // Without the socket a container goes by its id, and the incident says why.
    let mut image = Watching::start(&[]);
    let container = Container::run(&[], "exec sleep 1000");
    let init = container.init();
    kill(Pid::from_raw(init as i32), Signal::SIGKILL).unwrap();
    let incident = image.incident(|i| i.victim.process.pid == init);
    let found = incident.container.unwrap();
    assert_eq!((found.id.as_str(), found.name), (container.id.as_str(), None));
    let why = "its name, image and labels (there is no Docker at /run/docker.sock)";
    assert!(incident.missing.iter().any(|missing| missing.contains(why)), "{:?}", incident.missing);
}

fn lists() {
    let container = Container::run(&["--memory", "24m"], "exec sleep 1000");
    let output = output(&["ps", "--json"], &as_str(&mounts()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(&container.id)).unwrap_or_else(|| panic!("{text}"));
    let listed: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(listed["container"]["name"].as_str(), Some(container.name.as_str()));
    assert_eq!(listed["memory"]["limit_bytes"].as_u64(), Some(24 << 20));
}
