//! Files and sockets of others: endless, blocking, slow, or not what they seem.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::Scenario;
use crate::support::cgroup::v2_mount;
use crate::support::helper::Role;
use crate::support::needs::Need::{CgroupKill, Tracing};
use crate::support::process::{Owned, wait_until};
use crate::support::tracer::{Tracer, incidents};

pub const ALL: &[Scenario] = &[
    Scenario { name: "hostile::reads::endless_arguments_take_no_memory", needs: &[Tracing], run: endless_arguments },
    Scenario {
        name: "hostile::reads::a_fifo_as_a_containers_state_holds_nothing_up",
        needs: &[Tracing, CgroupKill],
        run: fifo,
    },
    Scenario { name: "hostile::reads::a_docker_that_drips_holds_nothing_up", needs: &[Tracing, CgroupKill], run: drip },
    Scenario { name: "hostile::reads::slices_of_a_users_own_are_no_users", needs: &[Tracing, CgroupKill], run: slices },
];

/// What it may take, whatever others do.
const MAX_RESIDENT: u64 = 64 << 20;

fn is_small(tracer: &Tracer) {
    let most = tracer.status_bytes("VmHWM");
    assert!(most < MAX_RESIDENT, "{} MiB resident", most >> 20);
}

/// The kill comes from a process with endless arguments, whose parent has them, too.
fn endless_arguments() {
    let mut tracer = Tracer::start(&[]);
    let helper = Role::EndlessArguments.start(None);
    let incident = tracer.wait("the kill among children", |record| {
        let mut all = incidents(std::slice::from_ref(record));
        all.find(|incident| incident.sender.ancestors.iter().any(|parent| parent.pid == helper.pid())).cloned()
    });
    let parent = incident.sender.ancestors.iter().find(|parent| parent.pid == helper.pid()).unwrap();
    assert!(parent.exe.is_some(), "{parent:?}");
    is_small(&tracer);
}

/// A user's own cgroups and files, as a user without privileges can make them. Removed when it goes out of scope.
struct User {
    uid: u32,
    slice: PathBuf,
    runtime: PathBuf,
    made: Vec<PathBuf>,
}

impl User {
    /// Nobody has this number.
    fn new(uid: u32) -> Self {
        let slice = v2_mount().unwrap().join("user.slice").join(format!("user-{uid}.slice"));
        let runtime = Path::new("/run/user").join(uid.to_string());
        let missing = |path: &Path| -> Vec<PathBuf> {
            path.ancestors().filter(|path| !path.exists()).map(Path::to_owned).collect()
        };
        let made = [missing(&slice), missing(&runtime)].concat();
        let user = Self { uid, slice: slice.clone(), runtime: runtime.clone(), made };
        fs::create_dir_all(&slice).unwrap();
        fs::create_dir_all(&runtime).unwrap();
        chown(&runtime, Some(uid), None).unwrap();
        user
    }

    fn cgroup(&self, name: &str) -> PathBuf {
        let path = self.slice.join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// A directory below the user's own.
    fn folder(&self, path: &str) -> PathBuf {
        let mut folder = self.runtime.clone();
        for name in path.split('/') {
            folder.push(name);
            if !folder.exists() {
                fs::create_dir(&folder).unwrap();
                chown(&folder, Some(self.uid), None).unwrap();
            }
        }
        folder
    }
}

impl Drop for User {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.runtime);
        let gone = |path: &Path| fs::remove_dir(path).is_ok() || !path.exists();
        wait_until("the user's cgroups are removed", || {
            let below = fs::read_dir(&self.slice).into_iter().flatten().flatten();
            let below: Vec<PathBuf> = below.filter(|entry| entry.path().is_dir()).map(|entry| entry.path()).collect();
            below.iter().all(|path| gone(path)) && gone(&self.slice)
        });
        for path in &self.made {
            _ = fs::remove_dir(path);
        }
    }
}

/// Five containers of a user's runtime, whose states are FIFOs that nobody writes to; a kill in each, and one elsewhere.
fn fifo() {
    let mut tracer = Tracer::start(&[]);
    let user = User::new(487_201);
    let mut victims = Vec::new();
    for number in 0..5 {
        let name = format!("fifo-{number}");
        let state = user.folder(&format!("runc/{name}"));
        mkfifo(&state.join("state.json"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        chown(&state.join("state.json"), Some(user.uid), None).unwrap();
        let victim = Owned::sleeper();
        fs::write(user.cgroup(&name).join("cgroup.procs"), victim.pid().to_string()).unwrap();
        victims.push(victim);
    }
    victims.push(Owned::sleeper());
    for victim in &mut victims {
        victim.kill(Signal::SIGKILL);
        victim.wait();
    }
    for victim in &victims {
        tracer.incident(victim.pid());
    }
    is_small(&tracer);
    // It ends, and says no more than it said.
    tracer.end();
}

/// Takes connections, and answers a byte at a time; it never ends its answer.
struct Dripping {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

impl Dripping {
    fn start() -> Self {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, clients) = (Arc::clone(&stop), Arc::new(Mutex::new(Vec::new())));
        let held = Arc::clone(&clients);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                held.lock().unwrap().push(stream);
            }
        });
        std::thread::spawn(move || {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            for byte in answer.iter().copied().chain(std::iter::repeat(b' ')) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                clients.lock().unwrap().retain_mut(|stream| stream.write_all(&[byte]).is_ok());
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        });
        Self { path, stop, _folder: folder }
    }
}

impl Drop for Dripping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Kills in what looks like a container of that Docker's, and one elsewhere.
fn drip() {
    let docker = Dripping::start();
    let mut tracer = Tracer::start(&["--docker-socket", docker.path.to_str().unwrap()]);
    let cgroup = crate::support::cgroup::Cgroup::v2();
    let container = cgroup.child(&format!("docker-{:064x}.scope", 0xd41b));
    let (mut inside, mut outside) = (Owned::sleeper(), Owned::sleeper());
    container.add(inside.pid());
    for victim in [&mut inside, &mut outside] {
        victim.kill(Signal::SIGKILL);
        victim.wait();
    }
    let named = tracer.incident(inside.pid());
    assert!(!named.missing.is_empty(), "{named:?}");
    tracer.incident(outside.pid());
    is_small(&tracer);
    tracer.end();
}

/// Names of slices further below are a user's own choice: they make no user, and no warning each.
fn slices() {
    const MANY: u32 = 500;
    let mut tracer = Tracer::start(&[]);
    let parent = crate::support::cgroup::Cgroup::v2();
    let all: Vec<_> = (0..MANY).map(|number| parent.child(&format!("user-{}.slice", 600_000 + number))).collect();
    let mut victim = Owned::sleeper();
    all[0].add(victim.pid());
    victim.kill(Signal::SIGKILL);
    victim.wait();
    tracer.incident(victim.pid());
    drop(all);
    is_small(&tracer);
    let ended = tracer.end();
    let warnings = ended.stderr.lines().filter(|line| line.contains("who asks there")).count();
    assert_eq!(warnings, 0, "{}", ended.stderr);
}
