//! The kernel's log, as it has it itself: `/dev/kmsg` (Documentation/ABI/testing/dev-kmsg), by a reader of its own, from the oldest record
//! that is left to the newest.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::libc;
use nix::time::{ClockId, clock_gettime};

use crate::node::identity::Identity;
use crate::past::klog::record::{Record, Stamp, boot, of_device};

/// Where the kernel has it.
pub const PATH: &str = "/dev/kmsg";
/// Records that are read: a log of 32 MiB, sixteen times as large as any distribution's, has so many.
const MAX_RECORDS: usize = 1 << 18;
/// Bytes of one read (PRINTK_MESSAGE_MAX of kernel/printk/printk.c is 2 KiB).
const MAX_RECORD: usize = 8 << 10;
/// For how long it is read: it is in memory.
const WITHIN: Duration = Duration::from_secs(3);

/// The log, and what is missing of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    pub records: Vec<Record>,
    /// Its beginning was overwritten.
    pub is_wrapped: bool,
    /// It was not read to its end.
    pub is_cut: bool,
}

/// Reads all of it, without waiting for more.
///
/// # Errors
/// When it cannot be read: without CAP_SYSLOG, where the kernel keeps it from others (kernel.dmesg_restrict), or in a container without the device.
pub fn read(path: &Path) -> io::Result<Log> {
    let file = open(path)?;
    let clock = Clock::read().map_err(io::Error::from)?;
    let boot = Identity::read().boot_id.as_deref().and_then(boot);
    let until = Instant::now() + WITHIN;
    let mut log = Log::default();
    let mut buffer = vec![0; MAX_RECORD];
    let mut is_first = true;
    loop {
        if log.records.len() >= MAX_RECORDS || Instant::now() >= until {
            log.is_cut = true;
            return Ok(log);
        }
        match (&file).read(&mut buffer) {
            Ok(0) => return Ok(log),
            Ok(count) => {
                let found = buffer.get(..count).and_then(|bytes| parse(bytes, clock));
                if let Some(mut record) = found {
                    record.stamp = record.stamp.map(|stamp| Stamp { boot, ..stamp });
                    log.is_wrapped |= is_first && record.number.is_some_and(|number| number > 0);
                    is_first = false;
                    log.records.push(record);
                }
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(log),
                // It was overwritten while it was read: the next read has the oldest that is left.
                Some(libc::EPIPE) => log.is_wrapped = true,
                Some(libc::EINTR) => {}
                _ => return Err(error),
            },
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if !file.metadata()?.file_type().is_char_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the kernel's log, but something else"));
    }
    Ok(file)
}

/// How the log's clock goes with the wall's: both stand still together while the machine sleeps, so that times before that are too late
/// by as long as it slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Nanoseconds to add.
    offset_ns: i128,
}

impl Clock {
    /// # Errors
    /// When the kernel has no such clock.
    pub fn read() -> nix::Result<Self> {
        let ns =
            |clock| clock_gettime(clock).map(|at| i128::from(at.tv_sec()) * 1_000_000_000 + i128::from(at.tv_nsec()));
        Ok(Self { offset_ns: ns(ClockId::CLOCK_REALTIME)? - ns(ClockId::CLOCK_MONOTONIC)? })
    }

    /// The time of day at so many microseconds of the log's clock.
    #[must_use]
    pub fn at(self, us: u64) -> Option<Timestamp> {
        Timestamp::from_nanosecond(self.offset_ns + i128::from(us) * 1000).ok()
    }
}

/// How long the log's clock has stood still since boot, because the machine slept, in milliseconds; 0 where the kernel does not say.
#[must_use]
pub fn slept_ms() -> i64 {
    let ms = |clock| clock_gettime(clock).map(|at| at.tv_sec().saturating_mul(1_000) + at.tv_nsec() / 1_000_000);
    let clocks = ms(ClockId::CLOCK_BOOTTIME).and_then(|all| Ok((all, ms(ClockId::CLOCK_MONOTONIC)?)));
    clocks.map_or(0, |(all, awake)| all.saturating_sub(awake).max(0))
}

/// One record: `6,316353,76584296005,-;memory: usage …`, with lines behind it that describe a device.
#[must_use]
pub fn parse(bytes: &[u8], clock: Clock) -> Option<Record> {
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next()?;
    let record = of_device(first)?;
    Some(Record { at: clock.at(record.stamp?.us), ..record })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_time_and_its_writer() {
        let clock = Clock { offset_ns: 1_000_000_000_000_000_000 };
        let record = parse(b"6,316353,76584296005,-;memory: usage 1kB\n SUBSYSTEM=mem\n DEVICE=+x\n", clock).unwrap();
        assert_eq!((record.number, record.by_kernel, record.text.as_str()), (Some(316_353), true, "memory: usage 1kB"));
        assert_eq!(record.at.unwrap().as_nanosecond(), 1_000_076_584_296_005_000);
        assert_eq!(record.stamp, Some(Stamp { us: 76_584_296_005, boot: None }));
        // LOG_USER and LOG_DAEMON: what a process writes to /dev/kmsg.
        for (line, by_kernel) in [("12,1,5,-;x", false), ("30,1,5,-,caller=T1;x", false), ("4,1,5,c,caller=C1;x", true)]
        {
            assert_eq!(parse(line.as_bytes(), clock).unwrap().by_kernel, by_kernel, "{line}");
        }
        let escaped = parse(br"4,1,5,-;a\x0aoom-kill:", clock).unwrap();
        assert_eq!(escaped.text, "a\noom-kill:");
        for broken in ["", "x", "4,1;x", "a,1,5,-;x", "4,1,5,-"] {
            assert_eq!(parse(broken.as_bytes(), clock), None, "{broken}");
        }
    }

    #[test]
    fn only_the_device_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kmsg");
        std::fs::write(&path, "6,1,1,-;x\n").unwrap();
        assert!(read(&path).is_err());
        assert!(read(&dir.path().join("none")).is_err());
    }
}
