//! The kernel's own log, in which the OOM killer says whom it chose and whose limit it was.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use nix::libc;

use crate::support::process::patience;

/// What it says of one kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OomKill {
    pub pid: u32,
    /// The cgroup whose limit was hit; none for the whole machine.
    pub limit_owner: Option<String>,
    /// The victim's cgroup.
    pub victims: String,
}

impl OomKill {
    /// Of the line `oom-kill:constraint=…,oom_memcg=…,task_memcg=…,task=…,pid=…,uid=…` (mm/oom_kill.c: dump_oom_victim).
    fn parse(line: &str) -> Option<Self> {
        let fields = line.split_once("oom-kill:")?.1;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        Some(Self {
            pid: field("pid")?.trim().parse().ok()?,
            limit_owner: field("oom_memcg"),
            victims: field("task_memcg")?,
        })
    }
}

/// What it says from when this was opened.
pub struct KernelLog {
    file: File,
    unread: VecDeque<OomKill>,
}

impl KernelLog {
    pub fn open() -> Self {
        let mut file =
            File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").expect("root reads the log");
        file.seek(SeekFrom::End(0)).unwrap();
        Self { file, unread: VecDeque::new() }
    }

    /// Waits for the next OOM kill of a process in the cgroup at `path` or below it.
    pub fn oom_kill(&mut self, path: &str) -> OomKill {
        self.oom_kill_within(path, patience()).unwrap_or_else(|| panic!("the kernel logs no OOM kill in {path}"))
    }

    /// The same; none when there is none in time.
    pub fn oom_kill_within(&mut self, path: &str, time: Duration) -> Option<OomKill> {
        let started = Instant::now();
        loop {
            self.read();
            let at = self.unread.iter().position(|kill| kill.victims.starts_with(path));
            if let Some(found) = at.and_then(|at| self.unread.remove(at)) {
                return Some(found);
            }
            if started.elapsed() > time {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn read(&mut self) {
        // One record a read (Documentation/ABI/testing/dev-kmsg).
        let mut record = [0; 8192];
        loop {
            match self.file.read(&mut record) {
                Ok(length) => self.unread.extend(OomKill::parse(&String::from_utf8_lossy(&record[..length]))),
                // What was overwritten before it was read is gone.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("cannot read the kernel's log: {error}"),
            }
        }
    }
}
