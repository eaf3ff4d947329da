//! What command lines say, one a row.

use super::Asks::{Other, Perhaps, This, Unknown};
use super::*;
use crate::judge::tests::container;

const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

/// The container `web`, which is the service `front` of the project `shop`.
fn web() -> Container {
    let labels = [("project", "shop"), ("service", "front")];
    let labels = labels.map(|(key, value)| (format!("com.docker.compose.{key}"), value.to_owned()));
    Container { name: Some("web".to_owned()), labels: Some(labels.into()), ..container(ID) }
}

fn run(command: &str) -> Process {
    let cmdline: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    let exe = format!("/usr/bin/{}", cmdline.first().map_or("nobody", String::as_str));
    Process { exe: Some(exe), cmdline: Some(cmdline), uid: Some(0), ..Process::default() }
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_client_asks_for_the_end_of_what_it_names() {
    for (command, expected) in [
        ("docker stop web", This),
        ("docker kill 6c26", This),
        ("docker kill 6c2", Other),
        ("docker rm -f 6c266caa8d7c", This),
        ("docker container stop web", This),
        ("docker -H unix:///x stop -t 1 web", This),
        ("crictl -r unix:///x stop 6c266caa8d7c", This),
        ("ctr -n k8s.io task kill web", This),
        // Another signal makes no SIGKILL.
        ("docker kill -s USR1 web", Other),
        ("docker kill --signal HUP web", Other),
        ("docker kill --signal=15 web", Other),
        ("docker kill -s=INT web", Other),
        ("docker kill -sINT web", Other),
        ("docker kill -s nonsense web", Other),
        ("docker kill -s KILL web", This),
        ("docker kill --signal=SIGKILL web", This),
        ("docker kill -s9 web", This),
        ("docker stop -s USR1 web", This),
        ("docker stop api", Other),
        ("docker logs -f web", Other),
        ("docker ps", Other),
        ("docker", Unknown),
        // A project, or a service of it, and all that there is.
        ("docker compose -p shop down", This),
        ("docker compose -p shop stop", This),
        ("docker compose stop front", This),
        ("docker compose -p shop up", Perhaps),
        ("docker stack rm shop", Perhaps),
        ("docker compose down", Unknown),
        ("docker compose down -t 5", Unknown),
        ("docker compose up -d", Unknown),
        ("docker compose stop", Unknown),
        ("docker-compose down", Unknown),
        ("docker-compose stop", Unknown),
        ("docker compose stop api", Other),
        ("docker compose -p shop stop api", Other),
        ("docker compose -p other down", Other),
        ("docker compose --project-name=other stop front", Other),
        ("docker compose down front", This),
        ("docker compose -p shop restart api front", This),
        ("docker compose up -d front", Perhaps),
        ("docker-compose -p shop up -d --force-recreate front", Perhaps),
        ("docker compose up -d api", Other),
        ("docker compose run front sh", Other),
        ("docker-compose stop api", Other),
        ("docker compose logs", Other),
        ("docker-compose logs", Other),
        // All of something, by clients that are no compose.
        ("podman pod stop api", Unknown),
        ("podman kube down api.yaml", Unknown),
        ("crictl stopp 0f1e", Unknown),
    ] {
        assert_eq!(asks_for(&run(command), Some(&web()), Request::End), expected, "{command}");
    }
    // No container is known by what the client names.
    assert_eq!(asks_for(&run("docker stop web"), None, Request::End), Other);
}

#[test]
fn a_request_by_hand_has_what_it_asks_for_in_its_url() {
    for (command, end, exec) in [
        ("curl -X POST http://d/containers/web/kill", This, Perhaps),
        ("curl -X POST http://d/v1.41/containers/web/stop?t=1", This, Perhaps),
        ("curl -X POST http://d/containers/6c266caa8d7c/restart", This, Perhaps),
        ("curl -X DELETE http://d/containers/web?force=1", This, Perhaps),
        ("curl --request delete http://d/containers/web", This, Perhaps),
        ("curl http://d/containers/web", Perhaps, Perhaps),
        ("curl http://d/containers/web/json", Perhaps, Perhaps),
        ("curl -X DELETE http://d/containers/web/archive", Perhaps, Perhaps),
        ("curl -X POST http://d/containers/web/exec", Perhaps, Perhaps),
        ("curl -X POST http://d/containers/api/kill", Other, Other),
        ("curl http://d/containers/json", Other, Other),
        ("curl -o web http://d/containers/api/kill", Perhaps, Perhaps),
        ("python3 stop.py web", Perhaps, Perhaps),
        ("python3 stop.py", Unknown, Unknown),
    ] {
        assert_eq!(asks_for(&run(command), Some(&web()), Request::End), end, "{command}");
        assert_eq!(asks_for(&run(command), Some(&web()), Request::Exec), exec, "{command}");
    }
}

#[test]
fn a_command_in_a_container_is_asked_for_by_exec() {
    for (command, expected) in [
        ("docker exec -it web kill -9 7", This),
        ("docker compose exec front sh", This),
        ("docker exec api true", Other),
        ("docker stop web", Other),
        ("docker compose down", Other),
        // Its arguments are kept to oneself.
        ("docker", Unknown),
    ] {
        assert_eq!(asks_for(&run(command), Some(&web()), Request::Exec), expected, "{command}");
    }
}

#[test]
fn the_verb_is_behind_options_their_values_and_what_it_is_about() {
    for (command, expected) in [
        ("stop web", Some("stop")),
        ("-H unix:///x stop web", Some("stop")),
        ("--host=unix:///x stop web", Some("stop")),
        ("-D container rm web", Some("rm")),
        ("compose -p shop -f x.yaml down", Some("down")),
        ("--help", None),
        ("compose", None),
        ("", None),
    ] {
        assert_eq!(verb(&words(command)), expected, "{command}");
    }
    for (command, expected) in [
        ("stop", false),
        ("stop -t", false),
        ("stop -t 5", false),
        ("stop api", true),
        ("api stop", false),
        ("x", false),
    ] {
        assert_eq!(targets(&words(command), "stop").next().is_some(), expected, "{command}");
    }
}

#[test]
fn a_container_is_named_by_its_name_a_beginning_of_its_id_or_its_compose_project_and_service() {
    for (argument, expected) in [
        ("web", true),
        (ID, true),
        ("6c26", true),
        ("6c2", false),
        ("shop", true),
        ("front", true),
        ("--name=web", true),
        ("--filter=6c266caa", true),
        ("http://d/containers/web/kill", true),
        ("http://d/containers/6c266caa/kill?signal=9", true),
        ("http://d/containers/api/kill", false),
        ("webs", false),
        ("", false),
        ("/", false),
    ] {
        assert_eq!(is_name_of(argument, &web()), expected, "{argument}");
    }
    // One without a name is not that of no name.
    let nameless = Container { name: Some(String::new()), ..web() };
    assert!(!is_name_of("", &nameless) && !is_name_of("/", &nameless));
}

#[test]
fn what_a_client_is_told_is_its_program_and_verb() {
    for (command, expected) in [
        ("docker kill web", Some("docker kill")),
        ("docker rm -f web", Some("docker rm -f")),
        ("docker rm -vf web", Some("docker rm -f")),
        ("docker rm --force web", Some("docker rm -f")),
        ("docker rm -v web", Some("docker rm")),
        ("docker stop -f web", Some("docker stop")),
        ("docker container stop web", Some("docker stop")),
        ("docker compose -p shop down", Some("docker compose down")),
        ("docker-compose up -d", Some("docker-compose up")),
        ("podman pod rm web", Some("podman pod")),
        ("crictl stop web", Some("crictl stop")),
        ("docker exec web kill -9 1", Some("docker exec")),
        ("docker ps", None),
        ("docker", None),
        ("curl kill web", None),
    ] {
        assert_eq!(told(&run(command)).as_deref(), expected, "{command}");
    }
}
