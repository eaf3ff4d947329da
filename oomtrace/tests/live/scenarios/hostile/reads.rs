//! Files and sockets of others: endless, blocking, slow, or not what they seem.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::Scenario;
use crate::support::cgroup::v2_mount;
use crate::support::fuse;
use crate::support::helper::Role;
use crate::support::needs::Need::{CgroupKill, Fuse, RootMount, SteadyCpus, Tracing};
use crate::support::process::{Owned, wait_until};
use crate::support::tracer::{Tracer, command, incidents};

pub const ALL: &[Scenario] = &[
    Scenario { name: "hostile::reads::endless_arguments_take_no_memory", needs: &[Tracing], run: endless_arguments },
    Scenario {
        name: "hostile::reads::arguments_on_a_file_system_that_does_not_answer",
        needs: &[Tracing, Fuse],
        run: stuck_arguments,
    },
    Scenario {
        name: "hostile::reads::a_fifo_as_a_containers_state_holds_nothing_up",
        needs: &[Tracing, CgroupKill],
        run: fifo,
    },
    Scenario {
        name: "hostile::reads::a_users_file_system_that_does_not_answer",
        needs: &[Tracing, CgroupKill, Fuse],
        run: stuck_state,
    },
    Scenario {
        name: "hostile::reads::a_users_list_of_millions_of_containers",
        needs: &[RootMount, Tracing, CgroupKill],
        run: endless_list,
    },
    Scenario { name: "hostile::reads::a_mount_point_that_is_no_text", needs: &[Tracing], run: odd_mount },
    Scenario { name: "hostile::reads::a_docker_that_drips_holds_nothing_up", needs: &[Tracing, CgroupKill], run: drip },
    Scenario { name: "hostile::reads::slices_of_a_users_own_are_no_users", needs: &[Tracing, CgroupKill], run: slices },
];

/// What it may take, whatever others do.
const MAX_RESIDENT: u64 = 64 << 20;

fn is_small(tracer: &Tracer) {
    let most = tracer.status_bytes("VmHWM");
    assert!(most < MAX_RESIDENT, "{} MiB resident", most >> 20);
}

/// Kills them, and waits for the incident of each.
fn each_is_reported(tracer: &mut Tracer, victims: &mut [Owned]) {
    for victim in &mut *victims {
        victim.kill(Signal::SIGKILL);
        victim.wait();
    }
    for victim in &*victims {
        tracer.incident(victim.pid());
    }
    is_small(tracer);
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

/// The same with arguments that nobody could read without waiting for ever. Kernels from 4.17 on (fs/proc/base.c, FOLL_ANON) do
/// not even try.
fn stuck_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let fuse = fuse::Fuse::mount(directory.path(), fuse::Answers::Names);
    let mut tracer = Tracer::start(&[]);
    let helpers: Vec<Owned> =
        (0..8).map(|_| Role::ArgumentsInAFile.start_with(&directory.path().join("arguments"))).collect();
    for helper in &helpers {
        let incident = tracer.wait("the kill among children", |record| {
            let mut all = incidents(std::slice::from_ref(record));
            all.find(|incident| incident.sender.ancestors.iter().any(|parent| parent.pid == helper.pid())).cloned()
        });
        assert_eq!(incident.sender.ancestors[0].cmdline, None, "{:?}", incident.sender.ancestors[0]);
    }
    let mut victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    victim.wait();
    let incident = tracer.incident(victim.pid());
    assert!(incident.sender.process.unwrap().cmdline.is_some(), "others' arguments are known");
    is_small(&tracer);
    // It ends while the file system still does not answer.
    assert!(tracer.end().status.success());
    drop(fuse);
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
    fn directory(&self, path: &str) -> PathBuf {
        let mut directory = self.runtime.clone();
        for name in path.split('/') {
            directory.push(name);
            if !directory.exists() {
                fs::create_dir(&directory).unwrap();
                chown(&directory, Some(self.uid), None).unwrap();
            }
        }
        directory
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
        let state = user.directory(&format!("runc/{name}"));
        mkfifo(&state.join("state.json"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        chown(state.join("state.json"), Some(user.uid), None).unwrap();
        let victim = Owned::sleeper();
        fs::write(user.cgroup(&name).join("cgroup.procs"), victim.pid().to_string()).unwrap();
        victims.push(victim);
    }
    victims.push(Owned::sleeper());
    each_is_reported(&mut tracer, &mut victims);
    // It ends, and says no more than it said.
    tracer.end();
}

/// The user's runtimes keep their states on the user's own file system.
fn stuck_state() {
    let user = User::new(487_202);
    let mounted = user.directory("runc");
    let fuse = fuse::Fuse::mount(&mounted, fuse::Answers::Nothing);
    let mut tracer = Tracer::start(&[]);
    let mut victims: Vec<Owned> = (0..6).map(|_| Owned::sleeper()).collect();
    for (number, victim) in victims.iter().enumerate().skip(1) {
        fs::write(user.cgroup(&format!("stuck-{number}")).join("cgroup.procs"), victim.pid().to_string()).unwrap();
    }
    each_is_reported(&mut tracer, &mut victims);
    assert!(tracer.end().status.success());
    drop(fuse);
}

/// What podman keeps of a user's containers is a file of the user's: here 15 MB of nothing, asked for with each of 200 cgroups.
fn endless_list() {
    let user = User::new(487_203);
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let storage = home.path().join(".local/share/containers/storage/overlay-containers");
    fs::create_dir_all(&storage).unwrap();
    fs::write(storage.join("containers.json"), format!("[{}{{}}]", "{},".repeat(5_000_000))).unwrap();
    for path in [storage.clone(), storage.join("containers.json")] {
        chown(path, Some(user.uid), None).unwrap();
    }
    let passwd = home.path().join("passwd");
    let own = format!("mallory:x:{0}:{0}::{1}:/bin/sh\n", user.uid, home.path().display());
    fs::write(&passwd, fs::read_to_string("/etc/passwd").unwrap() + &own).unwrap();
    // The machine's list of users stays as it is: oomtrace alone sees this one.
    let passwd = CString::new(passwd.into_os_string().into_vec()).unwrap();
    let mut tracer = Tracer::start_as(&[], move |command| {
        // SAFETY: system calls with texts that live as long as they.
        unsafe {
            command.pre_exec(move || {
                let none = std::ptr::null();
                let private = libc::MS_REC | libc::MS_PRIVATE;
                let done = libc::unshare(libc::CLONE_NEWNS) == 0
                    && libc::mount(none, c"/".as_ptr(), none, private, none.cast()) == 0
                    && libc::mount(passwd.as_ptr(), c"/etc/passwd".as_ptr(), none, libc::MS_BIND, none.cast()) == 0;
                if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
    });
    let cgroups: Vec<PathBuf> = (0..200).map(|number| user.cgroup(&format!("libpod-{number:064x}.scope"))).collect();
    let (mut inside, mut outside) = (Owned::sleeper(), Owned::sleeper());
    fs::write(cgroups[199].join("cgroup.procs"), inside.pid().to_string()).unwrap();
    for victim in [&mut inside, &mut outside] {
        victim.kill(Signal::SIGKILL);
        victim.wait();
    }
    tracer.incident(outside.pid());
    let incident = tracer.incident(inside.pid());
    assert!(incident.container.is_some_and(|container| !container.confirmed), "nobody knows that container");
    is_small(&tracer);
    assert!(tracer.end().status.success());
}

/// Whoever may mount chooses the mount point's name, and hides nothing by it.
fn odd_mount() {
    let directory = tempfile::tempdir().unwrap();
    let point = directory.path().join(OsStr::from_bytes(b"no\xfftext\n"));
    fs::create_dir(&point).unwrap();
    mount(Some("oomtrace-test"), &point, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    let results = ["ps", "doctor"].map(|verb| command().arg(verb).output().unwrap());
    let mut tracer = Tracer::start(&[]);
    let victim = Owned::sleeper();
    victim.kill(Signal::SIGKILL);
    let cgroup = tracer.incident(victim.pid()).victim.process.cgroup;
    umount2(&point, MntFlags::MNT_DETACH).unwrap();
    for output in results {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(cgroup.is_some(), "hierarchies are found");
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
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("docker.sock");
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
        Self { path, stop, _folder: directory }
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
    // An emulated machine takes minutes for so many.
    let many = if SteadyCpus.unmet().is_none() { 20_000 } else { 500 };
    let mut tracer = Tracer::start(&[]);
    let parent = crate::support::cgroup::Cgroup::v2();
    let all: Vec<_> = (0..many).map(|number| parent.child(&format!("user-{}.slice", 600_000 + number))).collect();
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
