//! A cgroup's memory over time, by files that are kept open: a read of one takes a microsecond, and the cgroup that later has its name is
//! not taken for it.
//!
//! Where it may write (cgroup v2, root's own cgroups), it asks to be woken for stalls (`memory.pressure`), and has the kernel keep the
//! most that was in use since the last reading (`memory.peak`, 6.12). Neither changes anything for anybody else: both are of the open file
//! alone (kernel/sched/psi.c, `psi_write`; mm/memcontrol.c, `peak_write`). v1's `memory.max_usage_in_bytes` is everybody's, and is not reset.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use rustix::fs::{Mode, OFlags};

use crate::node::cgroups::{Hierarchy, Version};
use crate::node::files;

/// The kernel writes memory.stat into one page (`memory_stat_show`), v1's into one buffer of two at the most.
const STAT: usize = 16 << 10;
/// A number, or the few lines of memory.events and memory.pressure.
const FEW: usize = 512;
/// Stalls that wake: 150 ms within 2 s. Whoever has no CAP_SYS_RESOURCE may ask for windows of 2 s and multiples, and these need no
/// real-time thread of the kernel's (kernel/sched/psi.c, `psi_trigger_create`, 6.5; EINVAL before).
const STALLS: &[u8] = b"some 150000 2000000\0";
/// `memory.limit_in_bytes` of v1 without a limit is the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 62;

/// Where cgroups' memory is read.
#[derive(Clone, Debug)]
pub struct Gauges {
    mount: PathBuf,
    version: Version,
}

/// What a reading found, in bytes. None: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// All that is charged to it and to those below it.
    pub usage: u64,
    /// The most of that since the reading before, where the kernel keeps it.
    pub peak: Option<u64>,
    pub anon: Option<u64>,
    /// Page cache, with shmem in it.
    pub file: Option<u64>,
    pub shmem: Option<u64>,
    pub kernel: Option<u64>,
    pub swap: Option<u64>,
    /// None as well where there is no limit.
    pub limit: Option<u64>,
    /// For how long some of it waited for memory since it was made, in microseconds.
    pub stalled_us: Option<u64>,
}

/// One cgroup's files.
#[derive(Debug)]
pub struct Gauge {
    dir: PathBuf,
    version: Version,
    /// The kernel's id of the cgroup.
    id: u64,
    usage: File,
    stat: File,
    limit: Option<File>,
    highest: Highest,
    /// v2: it changes when the limit is hit.
    events: Option<File>,
    pressure: Option<Pressure>,
    /// v2: what is in swap; v1 has that in memory.stat. It is there also where the machine has no swap, which may get some at any time
    /// (mm/memcontrol.c, `swap_files`, which `swapaccount=0` left out up to 6.1).
    swap: Option<File>,
}

/// The most that was in use.
#[derive(Debug)]
enum Highest {
    /// Since the last reading, by this open file.
    Since(File),
    /// Since the cgroup was made; and what that was at the last reading.
    Ever(File, u64),
    Unknown,
}

#[derive(Debug)]
struct Pressure {
    file: File,
    /// It wakes.
    is_trigger: bool,
}

impl Gauges {
    /// Of the hierarchy that has the memory controller.
    #[must_use]
    pub fn new(memory: &Hierarchy) -> Self {
        Self { mount: memory.mount.clone(), version: memory.version }
    }

    /// Mount point of the hierarchy.
    #[must_use]
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// Descriptors that a gauge keeps open, at the most.
    #[must_use]
    pub const fn descriptors_each(&self) -> usize {
        match self.version {
            Version::V1 => 4,
            Version::V2 => 7,
        }
    }

    /// Opens the files of the cgroup at `path`. `writes`: it asks to be woken, and for exact peaks, where it may.
    ///
    /// # Errors
    /// When the cgroup is not there, or has no memory controller.
    pub fn open(&self, path: &str, writes: bool) -> io::Result<Gauge> {
        let dir = self.mount.join(path.trim_start_matches('/'));
        let (usage, limit) = match self.version {
            Version::V1 => ("memory.usage_in_bytes", "memory.limit_in_bytes"),
            Version::V2 => ("memory.current", "memory.max"),
        };
        let is_v2 = self.version == Version::V2;
        let of_v2 = |name: &str| if is_v2 { files::open(&dir.join(name)).ok() } else { None };
        let gauge = Gauge {
            version: self.version,
            // A directory's inode number is its cgroup's id (kernel/cgroup/cgroup.c, `cgroup_ino`, 5.5 to 7.3).
            id: std::fs::metadata(&dir)?.ino(),
            usage: files::open(&dir.join(usage))?,
            stat: files::open(&dir.join("memory.stat"))?,
            // The root of v2 has none.
            limit: files::open(&dir.join(limit)).ok(),
            highest: Highest::open(&dir, self.version, writes),
            pressure: if is_v2 { Pressure::open(&dir, writes) } else { None },
            events: of_v2("memory.events"),
            swap: of_v2("memory.swap.current"),
            dir,
        };
        gauge.rearm();
        Ok(gauge)
    }
}

impl Gauge {
    /// The kernel's id of the cgroup.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// All that is charged, and no more: in a microsecond.
    ///
    /// # Errors
    /// `ENODEV` when the cgroup is gone.
    pub fn usage(&self) -> io::Result<u64> {
        number(&self.usage)?.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Everything.
    ///
    /// # Errors
    /// `ENODEV` when the cgroup is gone.
    pub fn read(&mut self) -> io::Result<Reading> {
        let mut buffer = [0; STAT];
        let usage = self.usage()?;
        let length = self.stat.read_at(&mut buffer, 0)?;
        let mut reading = of_stat(buffer.get(..length).unwrap_or_default(), self.version);
        reading.usage = usage;
        reading.limit =
            self.limit.as_ref().and_then(|file| number(file).ok().flatten()).filter(|limit| *limit < NO_LIMIT);
        reading.peak = self.highest.take().map(|peak| peak.max(usage));
        reading.stalled_us = self.pressure.as_ref().and_then(|pressure| stalled(&pressure.file));
        match self.version {
            Version::V1 => reading.kernel = self.one("memory.kmem.usage_in_bytes"),
            Version::V2 => reading.swap = self.swap.as_ref().and_then(|file| number(file).ok().flatten()),
        }
        Ok(reading)
    }

    /// A number that is seldom read.
    fn one(&self, file: &str) -> Option<u64> {
        number(&files::open(&self.dir.join(file)).ok()?).ok()?
    }

    /// What wakes: with `EPOLLPRI`, when the limit is hit, or when it waits for memory.
    pub fn wakers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let pressure = self.pressure.as_ref().filter(|pressure| pressure.is_trigger).map(|pressure| &pressure.file);
        self.events.iter().chain(pressure).map(|file| file.as_fd())
    }

    /// What has woken was seen: memory.events wakes again when it changes from here on (fs/kernfs/file.c, `kernfs_generic_poll`).
    pub fn rearm(&self) {
        if let Some(events) = &self.events {
            // A cgroup that is gone is noticed at the next reading.
            _ = events.read_at(&mut [0; FEW], 0);
        }
    }
}

impl Highest {
    fn open(dir: &Path, version: Version, writes: bool) -> Self {
        let name = match version {
            Version::V1 => "memory.max_usage_in_bytes",
            Version::V2 => "memory.peak",
        };
        if writes
            && version == Version::V2
            && let Ok(file) = open_to_write(dir, name)
            && file.write_at(b"0", 0).is_ok()
        {
            return Self::Since(file);
        }
        match files::open(&dir.join(name)) {
            Ok(file) => {
                let now = number(&file).ok().flatten().unwrap_or(u64::MAX);
                Self::Ever(file, now)
            }
            Err(_) => Self::Unknown,
        }
    }

    /// What it was since the last time.
    fn take(&mut self) -> Option<u64> {
        match self {
            Self::Since(file) => {
                let highest = number(file).ok()??;
                file.write_at(b"0", 0).ok()?;
                Some(highest)
            }
            // What has not risen says nothing about the time since.
            Self::Ever(file, before) => {
                let highest = number(file).ok()??;
                let is_new = highest > *before;
                *before = highest;
                is_new.then_some(highest)
            }
            Self::Unknown => None,
        }
    }
}

impl Pressure {
    fn open(dir: &Path, writes: bool) -> Option<Self> {
        const NAME: &str = "memory.pressure";
        if writes
            && let Ok(file) = open_to_write(dir, NAME)
            && file.write_at(STALLS, 0).is_ok()
        {
            return Some(Self { file, is_trigger: true });
        }
        files::open(&dir.join(NAME)).ok().map(|file| Self { file, is_trigger: false })
    }
}

/// Opens a file of a cgroup for reading and writing: by openat2(2), below the cgroup's own directory, and nothing else is there.
fn open_to_write(dir: &Path, name: &str) -> io::Result<File> {
    let dir: OwnedFd = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV;
    let how = OpenHow::new().flags(OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).resolve(resolve);
    Ok(openat2(dir.as_fd(), name, how)?.into())
}

/// A number alone in its file; `max` is none.
fn number(file: &File) -> io::Result<Option<u64>> {
    let mut buffer = [0; 64];
    let length = file.read_at(&mut buffer, 0)?;
    let text = std::str::from_utf8(buffer.get(..length).unwrap_or_default()).unwrap_or_default();
    Ok(text.trim().parse().ok())
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234` (Documentation/accounting/psi.rst).
fn stalled(file: &File) -> Option<u64> {
    let mut buffer = [0; FEW];
    let length = file.read_at(&mut buffer, 0).ok()?;
    total_of(std::str::from_utf8(buffer.get(..length)?).ok()?)
}

fn total_of(pressure: &str) -> Option<u64> {
    let some = pressure.lines().find_map(|line| line.strip_prefix("some "))?;
    some.rsplit_once("total=")?.1.trim().parse().ok()
}

/// The figures of memory.stat; the usage is not among them.
fn of_stat(stat: &[u8], version: Version) -> Reading {
    let mut reading = Reading::default();
    let (mut kernel, mut parts, mut sockets) = (None, 0_u64, 0);
    for line in stat.split(|byte| *byte == b'\n') {
        let Some(space) = line.iter().position(|byte| *byte == b' ') else { continue };
        let (name, value) = line.split_at(space);
        let slot = match (version, name) {
            (Version::V1, b"total_rss") | (Version::V2, b"anon") => &mut reading.anon,
            (Version::V1, b"total_cache") | (Version::V2, b"file") => &mut reading.file,
            (Version::V1, b"total_shmem") | (Version::V2, b"shmem") => &mut reading.shmem,
            (Version::V1, b"total_swap") => &mut reading.swap,
            // 5.18
            (Version::V2, b"kernel") => &mut kernel,
            (
                Version::V2,
                b"slab_reclaimable"
                | b"slab_unreclaimable"
                | b"pagetables"
                | b"sec_pagetables"
                | b"kernel_stack"
                | b"percpu"
                | b"vmalloc",
            ) => {
                parts = parts.saturating_add(digits(value).unwrap_or_default());
                continue;
            }
            // It was never in "kernel".
            (Version::V2, b"sock") => {
                sockets = digits(value).unwrap_or_default();
                continue;
            }
            _ => continue,
        };
        *slot = digits(value);
    }
    if version == Version::V2 && !stat.is_empty() {
        reading.kernel = Some(kernel.unwrap_or(0).max(parts).saturating_add(sockets));
    }
    reading
}

/// ` 4096`.
fn digits(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const MIB: u64 = 1 << 20;

    fn tree(version: Version, written: &[(&str, &str)]) -> (tempfile::TempDir, Gauges) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        for (file, text) in written {
            fs::write(dir.path().join("a").join(file), text).unwrap();
        }
        let gauges = Gauges { mount: dir.path().to_owned(), version };
        (dir, gauges)
    }

    #[test]
    fn v2_is_read_with_its_parts() {
        let stat =
            "anon 4096\nfile 8192\nkernel 1000\nkernel_stack 16384\npagetables 100\nsock 7\nshmem 2048\nbad\nzswap x\n";
        let (_dir, gauges) = tree(
            Version::V2,
            &[
                ("memory.current", "65536\n"),
                ("memory.stat", stat),
                ("memory.max", "1048576\n"),
                ("memory.swap.current", "512\n"),
                ("memory.peak", "90000\n"),
                ("memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 total=5\n"),
            ],
        );
        let mut gauge = gauges.open("/a", false).unwrap();
        let expected = Reading {
            usage: 65536,
            // It has not risen since the gauge was opened.
            peak: None,
            anon: Some(4096),
            file: Some(8192),
            shmem: Some(2048),
            // Its parts are more than a kernel that knows no better says.
            kernel: Some(16384 + 100 + 7),
            swap: Some(512),
            limit: Some(MIB),
            stalled_us: Some(77),
        };
        assert_eq!(gauge.read().unwrap(), expected);
        fs::write(gauges.mount.join("a/memory.peak"), "91000\n").unwrap();
        fs::write(gauges.mount.join("a/memory.max"), "max\n").unwrap();
        assert_eq!(gauge.read().unwrap(), Reading { peak: Some(91000), limit: None, ..expected });
        assert!(gauges.open("/gone", false).is_err());
    }

    #[test]
    fn swap_that_is_added_later_is_read_and_where_nothing_says_what_is_in_it_that_is_not_known() {
        let files = [("memory.current", "65536\n"), ("memory.stat", "anon 4096\n"), ("memory.swap.current", "0\n")];
        let (_dir, gauges) = tree(Version::V2, &files);
        let mut gauge = gauges.open("/a", false).unwrap();
        assert_eq!(gauge.read().unwrap().swap, Some(0));
        fs::write(gauges.mount.join("a/memory.swap.current"), "8192\n").unwrap();
        assert_eq!(gauge.read().unwrap().swap, Some(8192));
        let (_dir, gauges) = tree(Version::V2, files.split_last().unwrap().1);
        assert_eq!(gauges.open("/a", false).unwrap().read().unwrap().swap, None);
    }

    #[test]
    fn v1_is_read_with_what_is_below_it() {
        let stat = "cache 1\nrss 2\ntotal_cache 300\ntotal_rss 200\ntotal_shmem 100\ntotal_swap 50\n";
        let (_dir, gauges) = tree(
            Version::V1,
            &[
                ("memory.usage_in_bytes", "600\n"),
                ("memory.stat", stat),
                ("memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory.kmem.usage_in_bytes", "40\n"),
                ("memory.max_usage_in_bytes", "700\n"),
            ],
        );
        let expected = Reading {
            usage: 600,
            anon: Some(200),
            file: Some(300),
            shmem: Some(100),
            kernel: Some(40),
            swap: Some(50),
            ..Reading::default()
        };
        assert_eq!(gauges.open("/a", true).unwrap().read().unwrap(), expected);
    }

    #[test]
    fn a_pressure_that_cannot_be_read_is_none() {
        for (text, expected) in
            [("some avg10=1.00 total=12\n", Some(12)), ("full total=3\n", None), ("", None), ("some total=x\n", None)]
        {
            assert_eq!(total_of(text), expected, "{text}");
        }
    }
}
