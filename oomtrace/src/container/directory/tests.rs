//! A daemon that answers, hangs, or is not there; what is kept of it, and for how long.

use super::remembered::{CAPACITY, MAX_BYTES, MAX_QUEUED_BYTES};
use super::*;
use crate::container::containerds::Containerds;
use crate::container::readers::Readers;
use crate::container::runtime::bundle::Bundles;
use crate::container::runtime::oci_state::States;
use crate::placement::{On, Placement};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

fn directory(docker: Docker) -> Directory {
    let nowhere = PathBuf::from("/nonexistent");
    let bundles = Bundles::new(Containerds::only(nowhere));
    Directory::new(Sources { docker, bundles, states: States::default(), readers: Readers::default() }, KEEP)
}

fn place_of(id: &str) -> ContainerPlace {
    let cgroup = format!("/docker/{id}");
    ContainerPlace {
        id: id.to_owned(),
        runtime: Some(Runtime::Docker),
        cgroup,
        on: On::Default,
        pod: None,
        outer: None,
    }
}

fn place() -> ContainerPlace {
    place_of(ID)
}

/// The victim is its container's first process, so that that need not be asked for.
const INIT: Victim = Victim { pid: 7, start: 1, looks_like_init: true };

/// What is known of a place's container, and what is not known of it.
async fn complete(directory: &Directory, place: &ContainerPlace) -> (Container, String) {
    let Completed { container, missing, refuted } = directory.complete(place, Some(INIT)).await;
    assert_eq!(refuted, [""; 0]);
    (container.unwrap(), missing.concat())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Stands in for a Docker daemon that answers every question with `answer`, or never when there is none. The real
/// daemon is asked in tests/live; this is for what a real one does not do on demand.
async fn daemon(answer: Option<&'static str>) -> (tempfile::TempDir, Docker, Rc<RefCell<u32>>) {
    let dir = tempfile::tempdir().unwrap();
    let socket: PathBuf = dir.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = Rc::new(RefCell::new(0));
    let counter = Rc::clone(&asked);
    tokio::task::spawn_local(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            // Of lists it knows nothing, and nothing happens.
            let aside = [&b"GET /containers/json?"[..], b"GET /events?"];
            if answer.is_some() && aside.iter().any(|path| buffer[..read].starts_with(path)) {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[]").await.unwrap();
                continue;
            }
            *counter.borrow_mut() += 1;
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                None => std::mem::forget(stream),
            }
        }
    });
    (dir, Docker::new(socket), asked)
}

fn with_daemon<T>(answer: Option<&'static str>, test: impl AsyncFnOnce(Directory, Rc<RefCell<u32>>) -> T) -> T {
    block_on(tokio::task::LocalSet::new().run_until(async {
        let (_dir, docker, asked) = daemon(answer).await;
        test(directory(docker), asked).await
    }))
}

#[test]
fn an_absent_daemon_is_said_and_not_asked_again_at_once() {
    block_on(async {
        let directory = directory(Docker::new(PathBuf::from("/nonexistent/docker.sock")));
        let (_, why) = complete(&directory, &place()).await;
        assert!(why.contains("its name, image and labels (there is no Docker at /nonexistent/docker.sock)"), "{why}");
        assert!(directory.state.borrow().down.contains_key(&None));
    });
}

#[test]
fn a_hung_daemon_costs_one_time_out() {
    with_daemon(None, async |directory, asked| {
        tokio::time::pause();
        for _ in 0..3 {
            let (_, why) = complete(&directory, &place()).await;
            assert!(why.contains("did not answer within 2 s"), "{why}");
        }
        assert_eq!(*asked.borrow(), 1);
    });
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\
    {\"Name\":\"/web\",\"Config\":{\"Image\":\"nginx:1.27\",\"Labels\":{\"a\":\"b\"}},\"State\":{\"Pid\":1}}";

#[test]
fn a_first_process_that_is_not_in_the_container_is_not_believed() {
    with_daemon(Some(ANSWER), async |directory, _| {
        let Completed { container, .. } = directory.complete(&place(), None).await;
        let container = container.unwrap();
        assert!(container.confirmed);
        assert_eq!(container.init_pid, None);
    });
}

/// Somebody else's cgroups, called as the container is.
#[test]
fn a_cgroup_that_only_has_the_name_of_a_container_is_none() {
    with_daemon(Some(ANSWER), async |directory, _| {
        directory.appeared(place());
        let other = "1".repeat(64);
        for (path, within) in [
            (format!("/user.slice/user-1000.slice/session-1.scope/docker-{ID}.scope"), None),
            (format!("/docker/{other}/docker/{ID}"), Some(other)),
            (format!("/delegated/docker-{ID}.scope"), None),
        ] {
            let place = Placement::parse(&path).container.unwrap();
            let Completed { container, refuted, .. } = directory.complete(&place, Some(INIT)).await;
            assert!(refuted[0].contains("only has the name"), "{path}: {refuted:?}");
            assert_eq!(container.map(|container| container.id), within, "{path}");
        }
    });
}

/// A user's cgroup is called as a container is that nobody here knows.
#[test]
fn without_its_runtime_a_container_is_unconfirmed() {
    block_on(async {
        let directory = directory(Docker::new(PathBuf::from("/nonexistent/docker.sock")));
        let path = format!("/user.slice/user-4000000000.slice/docker-{ID}.scope");
        let (container, why) = complete(&directory, &Placement::parse(&path).container.unwrap()).await;
        assert_eq!((container.confirmed, container.name, container.user), (false, None, Some(4_000_000_000)));
        assert!(why.contains("as its name says"), "{why}");
    });
}

#[test]
fn an_answer_is_asked_for_once() {
    with_daemon(Some(ANSWER), async |directory, asked| {
        for _ in 0..2 {
            let (container, _) = complete(&directory, &place()).await;
            assert_eq!(container.name.as_deref(), Some("web"));
            assert_eq!(container.image.as_deref(), Some("nginx:1.27"));
            assert_eq!(container.runtime.map(Runtime::name), Some("docker"));
            // Not where a client asks by itself.
            assert!(container.runtime_socket.unwrap().ends_with("/docker.sock"));
            assert_eq!(container.labels.unwrap().get("a").map(String::as_str), Some("b"));
        }
        assert_eq!(*asked.borrow(), 1);
    });
}

/// Asked for when it appears, and never again, also when it is gone, for as long as it is kept.
#[test]
fn a_container_that_is_gone_keeps_its_name_for_a_while() {
    for (keep, asked_again) in [(KEEP, 0), (Duration::ZERO, 1)] {
        with_daemon(Some(ANSWER), async |mut directory, asked| {
            directory.keep = keep;
            directory.appeared(place());
            while directory.known(&place()).is_none() {
                tokio::task::yield_now().await;
            }
            // A second cgroup, as on v1, is no reason to ask again.
            directory.appeared(place());
            directory.gone(&place());
            let before = *asked.borrow();
            let (container, _) = complete(&directory, &place()).await;
            assert_eq!(container.name.as_deref(), Some("web"));
            assert_eq!(*asked.borrow() - before, asked_again, "{keep:?}");
        });
    }
}

#[test]
fn a_crowd_of_containers_takes_no_more_room() {
    let directory = directory(Docker::new(PathBuf::from("/nonexistent/docker.sock")));
    for number in 0..2 * CAPACITY {
        directory.remember(&format!("{number:064x}"), Metadata::default());
    }
    let state = directory.state.borrow();
    assert!(state.known.len() > CAPACITY / 5 && state.known.len() <= CAPACITY, "{}", state.known.len());
    assert!(state.bytes <= MAX_BYTES, "{}", state.bytes);
}

/// Docker holds back the answer about a container while it starts it; what it lists says enough until then.
#[test]
fn a_container_that_starts_slowly_is_no_reason_to_give_docker_up() {
    block_on(tokio::task::LocalSet::new().run_until(async {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::task::spawn_local(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                if !buffer[..read].starts_with(b"GET /containers/json?") {
                    std::mem::forget(stream);
                    continue;
                }
                let listed = format!("[{{\"Id\":\"{ID}\",\"Names\":[\"/web\"],\"Image\":\"nginx:1.27\"}}]");
                let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{listed}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        tokio::time::pause();
        let directory = directory(Docker::new(socket));
        let (container, _) = complete(&directory, &place()).await;
        assert_eq!((container.name.as_deref(), container.image.as_deref()), (Some("web"), Some("nginx:1.27")));
        assert!(directory.state.borrow().down.is_empty());
    }));
}

#[test]
fn answers_that_are_none_are_said() {
    for (answer, why) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "does not know it"),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "HTTP status 500"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "no usable answer"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"Name\":7", "no usable answer"),
        ("garbage\r\n\r\n", "no usable answer"),
    ] {
        with_daemon(Some(answer), async |directory, _| {
            let (_, got) = complete(&directory, &place()).await;
            assert!(got.contains(why), "{answer:?} gave {got:?}");
        });
    }
}

#[test]
fn an_id_that_is_no_id_is_never_put_into_a_request() {
    with_daemon(Some("HTTP/1.1 200 OK\r\n\r\n{}"), async |directory, asked| {
        let id = "x/../../info?a b";
        assert!(!complete(&directory, &place_of(id)).await.0.confirmed);
        assert_eq!(*asked.borrow(), 0);
    });
}

/// Whoever may make cgroups may make and remove them as fast as they like.
#[test]
fn containers_that_come_and_go_take_no_room() {
    let directory = directory(Docker::new("/nonexistent".into()));
    let local = tokio::task::LocalSet::new();
    block_on(local.run_until(async {
        let deep = format!("/user.slice/{}", "x/".repeat(2_000));
        let place = |name: u32| ContainerPlace {
            id: format!("lxc{name}"),
            runtime: Some(Runtime::Lxc),
            cgroup: format!("{deep}lxc.payload.lxc{name}"),
            ..place()
        };
        for round in 0..20_000 {
            // One that comes again and again, and new ones.
            for name in [0, round] {
                directory.appeared(place(name));
                directory.gone(&place(name));
            }
        }
    }));
    let state = directory.state.borrow();
    assert!(state.bytes <= MAX_BYTES && state.queued_bytes <= MAX_QUEUED_BYTES);
    assert!(state.gone.len() <= state.known.len() + 1, "{} of {}", state.gone.len(), state.known.len());
    let keys: usize = state.known.keys().map(|key| key.len()).sum();
    assert!(keys <= MAX_BYTES, "{keys}");
}

/// A daemon that lists the container, and holds back all else.
async fn hung_but_for_lists(lists: Rc<RefCell<bool>>) -> (tempfile::TempDir, Docker) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::task::spawn_local(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            if !buffer[..read].starts_with(b"GET /containers/json") || !*lists.borrow() {
                std::mem::forget(stream);
                continue;
            }
            let listed = format!("[{{\"Id\":\"{ID}\",\"Names\":[\"/web\"],\"Image\":\"nginx:1.27\"}}]");
            let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{listed}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (dir, Docker::new(socket))
}

/// What a verdict waits for names at most.
const NAMED_WITHIN: Duration = Duration::from_secs(4);
/// A child of the container's first process.
const CHILD: Victim = Victim { pid: 8, start: 1, looks_like_init: false };

#[test]
fn a_name_that_was_known_is_kept_while_docker_hangs() {
    block_on(tokio::task::LocalSet::new().run_until(async {
        let lists = Rc::new(RefCell::new(true));
        let (_dir, docker) = hung_but_for_lists(Rc::clone(&lists)).await;
        let directory = directory(docker);
        directory.preload().await.unwrap();
        *lists.borrow_mut() = false;
        tokio::time::pause();
        // Which process is the first one Docker does not say: its name does not wait for that longer than a verdict does.
        let completed = tokio::time::timeout(NAMED_WITHIN, directory.complete(&place(), Some(CHILD))).await.unwrap();
        assert_eq!(completed.container.unwrap().name.as_deref(), Some("web"));
        assert!(directory.state.borrow().down.contains_key(&None));
        // And without any time to ask.
        let (recalled, known) = directory.recall(&place(), Some(CHILD));
        let container = recalled.container.unwrap();
        assert_eq!((container.name.as_deref(), container.confirmed), (Some("web"), true));
        assert_eq!(known, Recalled::Known(None));
        let (unknown, known) = directory.recall(&place_of(&"1".repeat(64)), None);
        assert_eq!((unknown.container.map(|container| container.name), known), (Some(None), Recalled::Nothing));
        // Somebody else's cgroup is not that container.
        let other = Placement::parse(&format!("/user.slice/user-1000.slice/x.scope/docker-{ID}.scope"));
        let (other, known) = directory.recall(&other.container.unwrap(), None);
        assert_ne!(other.container.and_then(|found| found.name).as_deref(), Some("web"));
        assert_eq!(known, Recalled::Nothing, "of that cgroup nothing is said");
    }));
}

#[test]
fn of_a_container_that_an_event_or_a_list_alone_has_it_is_said_that_the_rest_is_not_known() {
    block_on(tokio::task::LocalSet::new().run_until(async {
        for is_named in [true, false] {
            let (_dir, docker) = hung_but_for_lists(Rc::new(RefCell::new(true))).await;
            let directory = directory(docker);
            if is_named {
                let (named, partial) = called(ID, &Entry::default(), Some("old".to_owned()), false).unwrap();
                directory.state.borrow_mut().remember_partial(ID, Rc::new(named), partial);
            }
            let (container, missing) = complete(&directory, &place()).await;
            assert_eq!((container.name.as_deref(), container.image.as_deref()), (Some("web"), Some("nginx:1.27")));
            let rest = "what its runtime knows besides its name, image and labels (Docker at ";
            assert!(missing.starts_with(rest), "{is_named} {missing}");
            assert_eq!(directory.recall(&place(), None).1, Recalled::Known(Some(Partial::Listed)));
        }
    }));
}

#[test]
fn a_container_that_was_changed_is_asked_for_again_and_keeps_its_name_where_it_cannot_be() {
    block_on(async {
        let directory = directory(Docker::new(PathBuf::from("/nonexistent/docker.sock")));
        let stated = Statement { paths: paths_of_docker(ID, ""), init: None };
        let (name, image) = (Some("web".to_owned()), Some("nginx:1.27".to_owned()));
        let known = Metadata { runtime: Some(Runtime::Docker), name, image, stated, ..Metadata::default() };
        directory.remember(ID, known.clone());
        assert_eq!(complete(&directory, &place()).await.1, "");
        let renamed = |is_changed| {
            let state = directory.state.borrow();
            called(ID, &state.known[ID], Some("api".to_owned()), is_changed)
        };
        assert_eq!(renamed(false), None);
        let (renamed, partial) = renamed(true).unwrap();
        directory.state.borrow_mut().remember_partial(ID, Rc::new(renamed), partial);
        let (container, missing) = complete(&directory, &place()).await;
        assert_eq!((container.name.as_deref(), container.image.as_deref()), (Some("api"), Some("nginx:1.27")));
        assert_eq!(
            missing,
            "what was changed of the container lately (there is no Docker at /nonexistent/docker.sock)"
        );
        directory.remember(ID, known);
        assert_eq!(complete(&directory, &place()).await.1, "");
    });
}

#[test]
fn a_name_that_an_event_alone_has_counts_where_docker_cannot_be_asked() {
    block_on(tokio::task::LocalSet::new().run_until(async {
        let directory = directory(Docker::new(PathBuf::from("/nonexistent/docker.sock")));
        directory.appeared(place());
        let known = |name: &str, is_changed| {
            let state = directory.state.borrow();
            called(ID, &state.known[ID], Some(name.to_owned()), is_changed).unwrap()
        };
        let remember = |(known, partial)| directory.state.borrow_mut().remember_partial(ID, Rc::new(known), partial);
        remember(known("web", false));
        let (container, missing) = complete(&directory, &place()).await;
        assert_eq!((container.name.as_deref(), container.confirmed), (Some("web"), true));
        // It was not changed: nothing else was ever known.
        let expected = "what its runtime knows besides its name (there is no Docker at /nonexistent/docker.sock)";
        assert_eq!(missing, expected);
        assert_eq!(directory.recall(&place(), None).1, Recalled::Known(Some(Partial::Named)));
        remember(known("api", true));
        assert_eq!(complete(&directory, &place()).await.1, expected);
        remember(known("web", true));
        // What has no cgroup is no matter, however many events there are.
        assert!(directory.state.borrow().known.len() == 1);
    }));
}
