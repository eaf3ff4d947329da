//! Containers of the private Docker daemon that `cargo xtask test` started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::{BUSYBOX, run, wait_until};

/// The image that the scenarios' containers run: a static busybox and nothing else.
pub const IMAGE: &str = "oomtrace-test:busybox";

/// The private daemon's socket.
pub fn socket() -> Option<PathBuf> {
    std::env::var_os("OOMTRACE_TEST_DOCKER_SOCKET").map(PathBuf::from)
}

/// The docker client, pointed at the private daemon.
pub fn docker() -> Command {
    docker_at(&socket().unwrap())
}

/// The docker client, pointed at the daemon behind `socket`.
pub fn docker_at(socket: &Path) -> Command {
    let mut command = Command::new("docker");
    command.arg("--host").arg(format!("unix://{}", socket.display())).stdin(Stdio::null());
    command
}

/// A container that is removed when it goes out of scope.
pub struct Container {
    pub name: String,
    pub id: String,
}

/// Of one length, so that none is the beginning of another, nor of a cgroup's: tests look for names in what is said.
fn next_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("oomtrace-test-{}-c{:04}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Container {
    /// Runs `command` in a shell that is the container's first process.
    pub fn run(options: &[&str], command: &str) -> Self {
        Self::run_named(next_name(), options, command)
    }

    /// Removes it, and runs another one by its name.
    pub fn anew(self, options: &[&str], command: &str) -> Self {
        let name = self.name.clone();
        drop(self);
        Self::run_named(name, options, command)
    }

    fn run_named(name: String, options: &[&str], command: &str) -> Self {
        ensure_image();
        let mut docker = docker();
        docker.args(["run", "--detach", "--network", "none", "--name", &name]).args(options);
        // Made before the container is, so that it is removed even when its start fails.
        let mut container = Self { name, id: String::new() };
        container.id = run(docker.args([IMAGE, "sh", "-c", command]));
        container
    }

    /// One that is never started.
    pub fn create(options: &[&str]) -> Self {
        Self::create_of(options, "true")
    }

    /// The same of that program.
    pub fn create_of(options: &[&str], program: &str) -> Self {
        ensure_image();
        let mut container = Self { name: next_name(), id: String::new() };
        container.id = run(docker().args(["create", "--name", &container.name]).args(options).args([IMAGE, program]));
        container
    }

    /// Runs `command` as the first process of a container that Docker removes as soon as it has ended, which it has when this
    /// returns; its name.
    pub fn run_and_forget(options: &[&str], command: &str) -> String {
        ensure_image();
        let name = next_name();
        let mut docker = docker();
        docker.args(["run", "--rm", "--network", "none", "--name", &name]).args(options);
        // It ends by a signal, which Docker passes on as a failure.
        _ = docker.args([IMAGE, "sh", "-c", command]).output().unwrap();
        name
    }

    /// The host's pid of the container's first process.
    pub fn init(&self) -> u32 {
        self.inspect("{{.State.Pid}}").parse().unwrap()
    }

    pub fn is_running(&self) -> bool {
        self.inspect("{{.State.Running}}") == "true"
    }

    pub fn exit_code(&self) -> String {
        wait_until("the container has ended", || !self.is_running());
        self.inspect("{{.State.ExitCode}}")
    }

    pub fn inspect(&self, format: &str) -> String {
        run(docker().args(["inspect", "--format", format, &self.name]))
    }

    /// Waits until the container's output has `line`.
    pub fn wait_for_output(&self, line: &str) {
        wait_until("the container has started", || run(docker().args(["logs", &self.name])).lines().any(|l| l == line));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        _ = docker().args(["rm", "--force", &self.name]).output();
    }
}

fn ensure_image() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| make_image(&mut docker()));
}

/// Makes the image with this client, Docker's or Podman's.
pub fn make_image(engine: &mut Command) {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
    for applet in ["sh", "sleep", "tail", "kill", "true", "dd"] {
        std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
    }
    let tar = dir.path().join("image.tar");
    run(Command::new("tar").arg("-C").arg(dir.path()).arg("-cf").arg(&tar).arg("bin"));
    // The client may be another user's.
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(dir.path()));
    run(engine.arg("import").arg(&tar).arg(IMAGE));
}
