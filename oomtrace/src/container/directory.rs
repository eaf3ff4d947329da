//! Containers' metadata, asked once and kept. Off the event path: a daemon that hangs costs one time-out, after which
//! incidents go out without it for a while, and say so.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::bundle::{BundleError, Bundles};
use super::docker::{Docker, DockerError, Metadata};
use super::placement::Runtime;
use crate::incident::model::Container;

/// Containers kept; a container's metadata is some hundred bytes, and up to some KiB with many labels.
const CAPACITY: usize = 4096;
/// How long a daemon that did not answer is not asked again.
const BACK_OFF: Duration = Duration::from_secs(10);

/// Looks containers up and remembers them. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct Directory {
    docker: Docker,
    bundles: Bundles,
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, Rc<Metadata>>,
    /// Not to be asked before this time, and why.
    down: Option<(Instant, DockerError)>,
}

impl Directory {
    #[must_use]
    pub fn new(docker: Docker, bundles: Bundles) -> Self {
        Self { docker, bundles, state: Rc::default() }
    }

    /// Docker's client; none while the daemon does not answer.
    #[must_use]
    pub fn docker(&self) -> Option<Docker> {
        self.state.borrow().down.is_none().then(|| self.docker.clone())
    }

    /// Fetches all containers that are there at start, so that their first kill needs no question.
    ///
    /// # Errors
    /// When Docker is here and does not answer. A node without Docker is no error.
    pub async fn preload(&self) -> Result<(), DockerError> {
        match self.docker.list().await {
            Ok(containers) => {
                log::debug!("{} containers known to Docker", containers.len());
                for (id, metadata) in containers {
                    self.remember(id, metadata);
                }
                Ok(())
            }
            Err(error) => {
                self.failed(error.clone());
                if self.docker.socket().exists() { Err(error) } else { Ok(()) }
            }
        }
    }

    /// Adds to `container` what its runtime knows.
    ///
    /// # Errors
    /// Why there is nothing to add, in words for the incident's `missing`.
    pub async fn complete(&self, container: &mut Container, runtime: Option<Runtime>) -> Result<(), String> {
        match runtime {
            Some(Runtime::Docker) => {}
            // A bare id is Docker's, or containerd's in a pod: whoever has a bundle of it made it.
            None if self.by_bundle(container).is_ok() => return Ok(()),
            None => {}
            Some(Runtime::Lxc) => {
                return Err("the container's image and labels (LXC is not asked)".to_owned());
            }
            Some(runtime @ (Runtime::Containerd | Runtime::Crio | Runtime::Podman | Runtime::Nerdctl)) => {
                self.by_bundle(container).map_err(|error| format!("the container's name and image ({error})"))?;
                // A container of `ctr` has no other name than its id.
                return match &container.name {
                    None if runtime != Runtime::Containerd => {
                        Err(format!("the container's name ({} is not asked)", runtime.name()))
                    }
                    _ => Ok(()),
                };
            }
        }
        match self.look_up(&container.id).await {
            Ok(metadata) => {
                container.runtime.get_or_insert_with(|| Runtime::Docker.name().to_owned());
                container.name.clone_from(&metadata.name);
                container.image.clone_from(&metadata.image);
                container.labels = Some(metadata.labels.clone());
                if container.init_pid.is_none() {
                    container.init_pid = self.init_pid(&container.id, &metadata).await;
                }
                Ok(())
            }
            Err(error) => Err(format!("the container's name, image and labels ({error})")),
        }
    }

    /// Adds what the container's bundle says. Docker's containers have one too, made by containerd in its own namespace, with
    /// less in it than Docker knows.
    fn by_bundle(&self, container: &mut Container) -> Result<(), BundleError> {
        let bundle = self.bundles.find(&container.id)?;
        let is_in_pod = bundle.pod_name.is_some() || container.pod.is_some();
        if container.runtime.is_none() && !is_in_pod {
            return Err(BundleError::Nameless { id: container.id.clone() });
        }
        container.runtime.get_or_insert_with(|| Runtime::Containerd.name().to_owned());
        container.name = bundle.name;
        container.image = bundle.image;
        container.init_pid = container.init_pid.or(bundle.init_pid.filter(|pid| is_process_of(*pid, &container.id)));
        if is_in_pod {
            let pod = container.pod.get_or_insert_default();
            (pod.name, pod.namespace) = (bundle.pod_name, bundle.pod_namespace);
            pod.uid = pod.uid.take().or(bundle.pod_uid);
        }
        Ok(())
    }

    /// The container's first process. It changes with each restart, so what is remembered must still be true.
    async fn init_pid(&self, id: &str, remembered: &Metadata) -> Option<u32> {
        if let Some(pid) = remembered.init_pid.filter(|pid| is_process_of(*pid, id)) {
            return Some(pid);
        }
        if self.state.borrow().down.is_some() {
            return None;
        }
        match self.docker.inspect(id).await {
            Ok(metadata) => self.remember(id.to_owned(), metadata).init_pid.filter(|pid| is_process_of(*pid, id)),
            Err(error) => {
                self.failed(error);
                None
            }
        }
    }

    async fn look_up(&self, id: &str) -> Result<Rc<Metadata>, DockerError> {
        {
            let state = self.state.borrow();
            if let Some(known) = state.known.get(id) {
                return Ok(Rc::clone(known));
            }
            if let Some((until, why)) = &state.down
                && Instant::now() < *until
            {
                return Err(why.clone());
            }
        }
        match self.docker.inspect(id).await {
            Ok(metadata) => Ok(self.remember(id.to_owned(), metadata)),
            Err(error) => {
                self.failed(error.clone());
                Err(error)
            }
        }
    }

    fn remember(&self, id: String, metadata: Metadata) -> Rc<Metadata> {
        let mut state = self.state.borrow_mut();
        state.down = None;
        if state.known.len() >= CAPACITY {
            state.known.clear();
        }
        let metadata = Rc::new(metadata);
        state.known.insert(id, Rc::clone(&metadata));
        metadata
    }

    fn failed(&self, error: DockerError) {
        if error.is_down() {
            log::debug!("{error}; not asked for {} s", BACK_OFF.as_secs());
            self.state.borrow_mut().down = Some((Instant::now() + BACK_OFF, error));
        }
    }
}

/// The process is in a cgroup whose path has the container's id.
fn is_process_of(pid: u32, id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|cgroups| cgroups.contains(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

    fn no_bundles() -> Bundles {
        Bundles::new(PathBuf::from("/nonexistent"))
    }

    fn container() -> Container {
        Container { id: ID.to_owned(), ..Container::default() }
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
                *counter.borrow_mut() += 1;
                let mut buffer = [0; 4096];
                let _read = stream.read(&mut buffer).await.unwrap();
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
            test(Directory::new(docker, no_bundles()), asked).await
        }))
    }

    #[test]
    fn an_absent_daemon_is_said_and_not_asked_again_at_once() {
        block_on(async {
            let directory = Directory::new(Docker::new(PathBuf::from("/nonexistent/docker.sock")), no_bundles());
            let why = directory.complete(&mut container(), Some(Runtime::Docker)).await.unwrap_err();
            assert!(why.contains("cannot connect to Docker at /nonexistent/docker.sock"), "{why}");
            assert!(directory.state.borrow().down.is_some());
        });
    }

    #[test]
    fn a_hung_daemon_costs_one_time_out() {
        with_daemon(None, async |directory, asked| {
            tokio::time::pause();
            for _ in 0..3 {
                let why = directory.complete(&mut container(), Some(Runtime::Docker)).await.unwrap_err();
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
            let mut container = container();
            directory.complete(&mut container, None).await.unwrap();
            assert_eq!(container.init_pid, None);
        });
    }

    #[test]
    fn an_answer_is_asked_for_once() {
        with_daemon(Some(ANSWER), async |directory, asked| {
            for _ in 0..2 {
                // Its first process is the victim, so that it need not be asked for.
                let mut container = Container { init_pid: Some(7), ..container() };
                directory.complete(&mut container, None).await.unwrap();
                assert_eq!(container.name.as_deref(), Some("web"));
                assert_eq!(container.image.as_deref(), Some("nginx:1.27"));
                assert_eq!(container.runtime.as_deref(), Some("docker"));
                assert_eq!(container.labels.unwrap().get("a").map(String::as_str), Some("b"));
            }
            assert_eq!(*asked.borrow(), 1);
        });
    }

    #[test]
    fn answers_that_are_none_are_said() {
        for (answer, why) in [
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "does not know container"),
            ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "HTTP status 500"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "no usable answer"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"Name\":7", "no usable answer"),
            ("garbage\r\n\r\n", "no usable answer"),
        ] {
            with_daemon(Some(answer), async |directory, _| {
                let got = directory.complete(&mut container(), Some(Runtime::Docker)).await.unwrap_err();
                assert!(got.contains(why), "{answer:?} gave {got:?}");
            });
        }
    }

    #[test]
    fn an_id_that_is_no_id_is_never_put_into_a_request() {
        with_daemon(Some("HTTP/1.1 200 OK\r\n\r\n{}"), async |directory, asked| {
            let mut container = Container { id: "x/../../info?a b".to_owned(), ..Container::default() };
            assert!(directory.complete(&mut container, None).await.is_err());
            assert_eq!(*asked.borrow(), 0);
        });
    }
}
