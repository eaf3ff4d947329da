//! Clients of a runtime's socket that no program on the machine is: this test binary plays them, when it is started with a part.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::libc;
use nix::unistd::{ForkResult, fork, getpid, getppid};

use super::docker::socket;
use super::process::{Owned, wait_until};

const PART: &str = "OOMTRACE_TEST_CLIENT";
const SOCKET: &str = "OOMTRACE_TEST_CLIENT_SOCKET";
const REQUEST: &str = "OOMTRACE_TEST_CLIENT_REQUEST";
const SIGNS: &str = "OOMTRACE_TEST_CLIENT_SIGNS";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Connects, and is silent from then on.
    Holds,
    /// Connects; when it may go on it connects once more, and asks over that connection.
    AsksOverASecond,
    /// Connects, and asks when it may go on, under the name of a shim.
    AsksAsAShim,
    /// Connects and ends; a child of it asks over that connection when it may go on.
    HandsOver,
    /// Connects some thousand times a second, for a while: so that the daemon still answers others.
    Floods,
    /// Binds the socket itself, and then floods it.
    Pretends,
}

const PARTS: [(&str, Part); 6] = [
    ("holds", Part::Holds),
    ("asks_over_a_second", Part::AsksOverASecond),
    ("asks_as_a_shim", Part::AsksAsAShim),
    ("hands_over", Part::HandsOver),
    ("floods", Part::Floods),
    ("pretends", Part::Pretends),
];

impl Part {
    fn name(self) -> &'static str {
        PARTS.iter().find(|(_, part)| *part == self).unwrap().0
    }

    /// What it needs to know, as variables of its environment. It leaves its signs in `signs`.
    pub fn environment(self, signs: &Path, request: &str) -> [(&'static str, String); 4] {
        [
            (PART, self.name().to_owned()),
            (SOCKET, socket().unwrap().display().to_string()),
            (REQUEST, request.to_owned()),
            (SIGNS, signs.display().to_string()),
        ]
    }
}

/// A process that plays a part on the private Docker daemon's socket.
pub struct Client {
    pub process: Owned,
    signs: tempfile::TempDir,
}

impl Client {
    /// Starts it with a command line of its own choice, and waits until it is connected.
    pub fn start(part: Part, command_line: &[&str], request: &str) -> Self {
        let signs = tempfile::tempdir().unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        if let Some((first, rest)) = command_line.split_first() {
            command.arg0(first).args(rest);
        }
        command.envs(part.environment(signs.path(), request));
        let client = Self { process: Owned::spawn(&mut command), signs };
        client.wait_for("connected");
        client
    }

    /// Lets it go on.
    pub fn go(&self) {
        fs::write(self.signs.path().join("go"), "").unwrap();
    }

    /// Waits until it has left this sign.
    pub fn wait_for(&self, sign: &str) {
        wait_until(sign, || self.signs.path().join(sign).exists());
    }

    /// What it wrote into a sign.
    pub fn sign(&self, sign: &str) -> String {
        self.wait_for(sign);
        fs::read_to_string(self.signs.path().join(sign)).unwrap()
    }
}

/// Plays the part that this process was started with, and never comes back; returns at once when it has none.
pub fn play() {
    let Ok(name) = env::var(PART) else { return };
    let part = PARTS.iter().find(|(part, _)| *part == name).unwrap().1;
    let path = PathBuf::from(env::var(SOCKET).unwrap());
    match part {
        Part::Floods => flood(&path),
        Part::Pretends => {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // Nobody accepts: the queue's room is made anew for each round.
            loop {
                _ = fs::remove_file(&path);
                let listener = UnixListener::bind(&path).unwrap();
                let connected: Vec<_> = (0..100).map_while(|_| UnixStream::connect(&path).ok()).collect();
                drop((connected, listener));
                leave_sign("connected");
            }
        }
        _ => {}
    }
    let mut connection = UnixStream::connect(&path).unwrap();
    match part {
        Part::HandsOver => hand_over(connection),
        Part::Holds => {
            leave_sign("connected");
            loop {
                std::thread::park();
            }
        }
        Part::AsksAsAShim => {
            // SAFETY: a string that is terminated.
            unsafe { libc::prctl(libc::PR_SET_NAME, c"containerd-shim".as_ptr()) };
            leave_sign("connected");
            wait_for_go();
        }
        _ => {
            leave_sign("connected");
            wait_for_go();
            connection = UnixStream::connect(&path).unwrap();
        }
    }
    ask(&mut connection)
}

fn hand_over(mut connection: UnixStream) -> ! {
    let parent = getpid();
    // SAFETY: this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { .. } => std::process::exit(0),
        ForkResult::Child => {
            // SAFETY: it takes integers only. Nobody else ends it.
            unsafe { libc::alarm(120) };
            while getppid() == parent {
                std::thread::sleep(Duration::from_millis(1));
            }
            leave_sign("connected");
            wait_for_go();
            ask(&mut connection)
        }
    }
}

fn flood(path: &Path) -> ! {
    /// Some ten seconds; whoever starts it need not be able to end it.
    const ROUNDS: usize = 500;
    for _ in 0..ROUNDS {
        for _ in 0..20 {
            drop(UnixStream::connect(path));
        }
        leave_sign("connected");
        std::thread::sleep(Duration::from_millis(20));
    }
    loop {
        std::thread::park();
    }
}

/// Asks, and waits for the answer.
fn ask(connection: &mut UnixStream) -> ! {
    let request = env::var(REQUEST).unwrap();
    let head = format!("POST {request} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n");
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).unwrap();
    std::process::exit(i32::from(&answer != b"HTTP/1.1 204"))
}

/// In a container nobody reads them.
fn leave_sign(sign: &str) {
    let path = Path::new(&env::var(SIGNS).unwrap()).join(sign);
    if !path.exists() {
        // Whole at once: who waits for it reads it as soon as it is there.
        let unfinished = path.with_extension("unfinished");
        _ = fs::write(&unfinished, std::process::id().to_string()).and_then(|()| fs::rename(&unfinished, &path));
    }
    println!("{sign}");
}

fn wait_for_go() {
    let path = Path::new(&env::var(SIGNS).unwrap()).join("go");
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
}
