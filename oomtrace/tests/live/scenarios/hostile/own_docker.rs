//! A user's own Docker, which may say what it likes: of containers that are called as the machine's, or have their ids.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use oomtrace::model::{Answer, Cause, Why, WhyRecord};
use serde_json::{Value, json};

use crate::Scenario;
use crate::support::docker::{Container, docker, socket};
use crate::support::needs::Need::{self, Busybox, Docker, OwnNamespaces, RootMount, Tracing};
use crate::support::process::{run, wait_until};
use crate::support::tracer::command;

const NEEDS: &[Need] = &[Tracing, Busybox, Docker, RootMount, OwnNamespaces];

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "hostile::own_docker::a_removed_container_is_not_replaced_by_a_users",
        needs: NEEDS,
        run: removed,
    },
    Scenario { name: "hostile::own_docker::what_a_user_alone_has_is_said_to_be_the_users", needs: NEEDS, run: alone },
    Scenario { name: "hostile::own_docker::any_number_of_events_takes_no_memory", needs: NEEDS, run: endless },
];

/// Nobody in particular.
const UID: u32 = 12_346;
/// An id of no container of the machine's.
const ID: &str = "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd";

/// What answers in the place of a user's Docker.
struct OwnDocker {
    /// What is mounted at /run/user.
    users: tempfile::TempDir,
}

/// What the daemon says: of all containers, of each, and its events.
struct Says {
    list: Value,
    life: Value,
    events: String,
}

impl OwnDocker {
    fn start(says: Says) -> Self {
        let users = tempfile::tempdir().unwrap();
        let own = users.path().join(UID.to_string());
        std::fs::create_dir(&own).unwrap();
        let path = own.join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        for path in [&own, &path] {
            chown(path, Some(UID), Some(UID)).unwrap();
        }
        let says = Arc::new(says);
        // It ends with this program.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let says = Arc::clone(&says);
                std::thread::spawn(move || _ = says.answer(&stream));
            }
        });
        Self { users }
    }

    /// `oomtrace why` of a machine where that user's daemon is.
    fn why(&self, arguments: &[&str]) -> Output {
        let mount = "ulimit -v 2000000 && mount --bind \"$1\" /run/user && shift && exec \"$@\"";
        let mut why = Command::new("unshare");
        why.args(["--mount", "sh", "-c", mount, "sh"]).arg(self.users.path()).arg(command().get_program());
        why.arg("why").args(arguments).args(["--no-journal", "--no-history", "--no-kernel-log", "--kubernetes", "off"]);
        why.arg("--docker-socket").arg(socket().unwrap()).stdin(Stdio::null()).output().unwrap()
    }

    fn answer(&self, name: &str) -> Why {
        let output = self.why(&[name, "--json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let WhyRecord::Why(why) = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
        *why
    }
}

impl Says {
    fn answer(&self, mut stream: &UnixStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let asked = lines.next().transpose()?.unwrap_or_default();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let body = match asked.split(' ').nth(1).unwrap_or_default() {
            path if path.starts_with("/events") => self.events.clone(),
            path if path.starts_with("/containers/json") => self.list.to_string(),
            _ => self.life.to_string(),
        };
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    /// A container that ended by itself.
    fn ended(id: &str, name: &str) -> Self {
        let ended = json!({ "Running": false, "ExitCode": 0, "FinishedAt": "2026-11-20T12:00:00Z", "StartedAt": "2026-11-20T11:00:00Z" });
        Self {
            list: json!([{ "Id": id, "Names": [format!("/{name}")], "Image": "img", "State": "exited" }]),
            life: json!({ "Id": id, "Name": format!("/{name}"), "State": ended, "Config": {}, "HostConfig": {} }),
            events: String::new(),
        }
    }
}

fn removed() {
    let container = Container::run(&["--rm"], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    run(docker().args(["kill", &container.name]));
    wait_until("it is removed", || {
        !docker().args(["inspect", &container.id]).output().is_ok_and(|output| output.status.success())
    });
    for id in [ID, container.id.as_str()] {
        let own = OwnDocker::start(Says::ended(id, &container.name));
        for asked in [&container.name, &container.id] {
            let why = own.answer(asked);
            let found = why.reconstructed.unwrap();
            assert_eq!(
                found.verdict.map(|verdict| verdict.cause),
                Some(Cause::RuntimeKill),
                "{asked}: {}",
                why.summary
            );
            assert_eq!(found.container.unwrap().user, None);
        }
    }
    // One that is there is not, either.
    let container = Container::run(&[], "exec sleep 1000");
    wait_until("the container runs", || container.is_running());
    let own = OwnDocker::start(Says::ended(ID, &container.name));
    assert_eq!(own.answer(&container.name).answer, Answer::Alive);
}

fn alone() {
    let name = "oomtrace-test-users-own";
    let own = OwnDocker::start(Says::ended(ID, name));
    let why = own.answer(name);
    assert_eq!((why.answer, why.target.unwrap().container.unwrap().user), (Answer::Ended, Some(UID)));
    let text = String::from_utf8(own.why(&[name]).stdout).unwrap();
    assert!(text.contains(&format!("Docker of user {UID}")), "{text}");
}

fn endless() {
    let name = "oomtrace-test-users-own";
    let event = |action: &str, at: usize| {
        json!({ "Type": "container", "Action": action, "timeNano": at,
            "Actor": { "ID": ID, "Attributes": { "name": name, "exitCode": "137" } } })
    };
    let events = std::iter::once(event("start", 0)).chain((1..4_000).map(|at| event("die", at)));
    let events: String = events.map(|event| format!("{event}\n")).collect();
    let own = OwnDocker::start(Says { events, ..Says::ended(ID, name) });
    let why = own.answer(name);
    assert_eq!(why.target.unwrap().container.unwrap().user, Some(UID));
    assert!(why.earlier.len() <= 100, "{}", why.earlier.len());
}
