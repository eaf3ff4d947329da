//! Events of `oomtrace signals`.

use super::{DecodeError, fixed, section, set_paths, task, wire};
use crate::event::{BootNs, Disposition, Info, Outcome, Task};
use zerocopy::FromBytes as _;

/// What `oomtrace signals` sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Generated(Box<Generated>),
    Taken(Taken),
}

/// A signal was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    pub at: BootNs,
    pub signal: u32,
    pub info: Info,
    /// Sent to the thread group, not to one thread.
    pub group: bool,
    pub outcome: Outcome,
    pub disposition: Option<Disposition>,
    pub receiver: Task,
    /// `current`.
    pub sender: Task,
}

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub at: BootNs,
    pub pid: u32,
    pub tid: u32,
    pub signal: u32,
    /// It ended its process; else a thread took it.
    pub ended: bool,
    /// When it was generated.
    pub generated: BootNs,
}

/// Decodes one event.
///
/// # Errors
/// When the bytes end early, or are of an unknown kind or version.
pub fn seen(mut bytes: &[u8]) -> Result<Seen, DecodeError> {
    let (header, _) = wire::Header::read_from_prefix(bytes).map_err(|_| DecodeError::Truncated)?;
    if header.version != wire::WIRE_VERSION {
        return Err(DecodeError::Version(header.version));
    }
    let at = &mut bytes;
    match header.kind {
        wire::KIND_SEEN => generated(&fixed(at)?, at).map(|event| Seen::Generated(Box::new(event))),
        wire::KIND_TAKEN => Ok(Seen::Taken(taken(&fixed(at)?))),
        other => Err(DecodeError::Kind(other)),
    }
}

fn generated(event: &wire::SeenEvent, at: &mut &[u8]) -> Result<Generated, DecodeError> {
    let mut receiver = task(&event.receiver);
    set_paths(&mut receiver, section(at, event.cgroup)?, section(at, event.memory_cgroup)?);
    Ok(Generated {
        at: event.header.boot_ns,
        signal: event.signal,
        info: super::info(event.info, event.si_code),
        group: event.group != 0,
        outcome: super::outcome(event.result),
        disposition: super::disposition(event.disposition),
        receiver,
        sender: task(&event.sender),
    })
}

const fn taken(event: &wire::TakenEvent) -> Taken {
    Taken {
        at: event.header.boot_ns,
        pid: event.tgid,
        tid: event.tid,
        signal: event.signal,
        ended: event.what == wire::TAKEN_ENDED,
        generated: event.generated_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes as _;

    fn header(kind: u16) -> wire::Header {
        wire::Header { kind, version: wire::WIRE_VERSION, flags: 0, boot_ns: 77 }
    }

    #[test]
    fn a_signal_and_what_became_of_it_are_read_and_damaged_bytes_are_not() {
        let cgroup = wire::CgroupKey { id: 5, hierarchy: 0, level: 2 };
        let receiver =
            wire::TaskInfo { tgid: 20, tid: 21, uid: 8, cgroup, memory_cgroup: cgroup, ..Default::default() };
        let event = wire::SeenEvent {
            header: header(wire::KIND_SEEN),
            signal: 15,
            info: wire::INFO_REAL,
            si_code: -6,
            result: wire::RESULT_IGNORED,
            disposition: wire::DISPOSITION_HANDLED,
            receiver,
            sender: wire::TaskInfo { tgid: 10, ..Default::default() },
            cgroup: 4,
            ..Default::default()
        };
        let bytes = [event.as_bytes(), b"b\0a\0"].concat();
        let Ok(Seen::Generated(found)) = seen(&bytes) else { panic!("no signal") };
        assert_eq!((found.at, found.signal, found.info, found.group), (77, 15, Info::Real(-6), false));
        assert_eq!((found.outcome, found.disposition), (Outcome::Ignored, Some(Disposition::Handled)));
        assert_eq!((found.receiver.key.pid, found.receiver.uid, found.sender.key.pid), (20, 8, 10));
        assert_eq!(found.receiver.cgroup_path.as_deref(), Some("/a/b"));
        let event = wire::TakenEvent {
            header: header(wire::KIND_TAKEN),
            tgid: 20,
            tid: 21,
            signal: 15,
            what: wire::TAKEN_ENDED,
            generated_ns: 70,
        };
        let expected = Taken { at: 77, pid: 20, tid: 21, signal: 15, ended: true, generated: 70 };
        assert_eq!(seen(event.as_bytes()), Ok(Seen::Taken(expected)));
        for len in 0..bytes.len() {
            assert_eq!(seen(&bytes[..len]), Err(DecodeError::Truncated), "{len}");
        }
        assert_eq!(seen(header(wire::KIND_SIGNAL).as_bytes()), Err(DecodeError::Kind(wire::KIND_SIGNAL)));
        let old = wire::Header { version: 7, ..header(wire::KIND_SEEN) };
        assert_eq!(seen(old.as_bytes()), Err(DecodeError::Version(7)));
    }
}
