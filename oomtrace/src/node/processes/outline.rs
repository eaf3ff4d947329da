//! One look at a process that no event has named, and whether one that an event has named is still there.

use std::fs;
use std::path::Path;

use super::cgroups::cgroups;
use super::stat::{Stat, tick_ns};
use crate::event::{BootNs, ProcessKey};
use crate::node::files::{self, SMALL};

/// A process that no event has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    pub comm: String,
    /// On `CLOCK_BOOTTIME`, in nanoseconds, to a tick.
    pub start: BootNs,
    pub uid: Option<u32>,
    /// Paths of its cgroups on all hierarchies.
    pub cgroups: Vec<String>,
}

/// What `/proc` says of the process `pid`; none when it is gone.
#[must_use]
pub fn outline(pid: u32) -> Option<Outline> {
    use std::os::unix::fs::MetadataExt as _;
    let dir = Path::new("/proc").join(pid.to_string());
    let stat = Stat::parse(&files::read(&dir.join("stat"), SMALL).ok()?)?;
    Some(Outline {
        comm: stat.comm,
        start: stat.start_ticks.checked_mul(tick_ns())?,
        uid: fs::metadata(&dir).ok().map(|dir| dir.uid()),
        cgroups: cgroups(pid),
    })
}

/// The process has not begun to end, by `/proc`: its end is still to come, for whoever waits for that. Of one whose first
/// thread has ended the other threads count.
#[must_use]
pub fn is_alive(key: ProcessKey) -> bool {
    let stat =
        files::read(Path::new(&format!("/proc/{}/stat", key.pid)), SMALL).ok().and_then(|stat| Stat::parse(&stat));
    stat.is_some_and(|stat| stat.is_of(tick_ns(), key.start) && !stat.has_ended())
}

/// It is this process. Seen from a pid namespace of its own it is not known again: there it has another number.
#[must_use]
pub fn is_self(key: ProcessKey) -> bool {
    key.pid == std::process::id() && is_alive(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_ending_has_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let outline = outline(child.id()).unwrap();
        let key = ProcessKey { pid: child.id(), start: outline.start };
        // It stays a zombie until it is waited for.
        while is_alive(key) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        let own = self::outline(std::process::id()).unwrap();
        assert!(is_alive(ProcessKey { pid: std::process::id(), start: own.start }));
        assert!(is_self(ProcessKey { pid: std::process::id(), start: own.start }));
        // Another one of that number, in another pid namespace.
        assert!(!is_self(ProcessKey { pid: std::process::id(), start: own.start + tick_ns() }));
    }
}
