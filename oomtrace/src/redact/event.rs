//! The command line in an event's bytes, as they lie in the ring buffer and in a recording.

use std::borrow::Cow;
use std::mem::offset_of;

use oomtrace_common::event::{
    ConnectEvent, ConnectTail, DeliverEvent, ExitEvent, FLAG_CMDLINE_TRUNCATED, Header, KIND_CONNECT, KIND_DELIVER,
    KIND_EXIT, KIND_SIGNAL, KIND_UNSEEN, SignalEvent, SignalTail, UnseenEvent, UnseenTail,
};

/// Where an event of one kind has its command line.
struct Place {
    kind: u16,
    /// Where the sizes of its sections begin, two bytes each.
    sizes: usize,
    /// Where among them is the command line's.
    cmdline: usize,
    /// And those of the sections that the tail has before it.
    before: &'static [usize],
    /// Bytes before the tail.
    fixed: usize,
}

/// The sections are in the order in which they are decoded, which need not be that of their sizes.
const PLACES: [Place; 5] = [
    Place {
        kind: KIND_SIGNAL,
        sizes: offset_of!(SignalEvent, tail),
        cmdline: offset_of!(SignalTail, sender_cmdline),
        before: &[
            offset_of!(SignalTail, ancestors),
            offset_of!(SignalTail, stack),
            offset_of!(SignalTail, victim_cgroup),
            offset_of!(SignalTail, victim_memory_cgroup),
            offset_of!(SignalTail, sender_cgroup),
            offset_of!(SignalTail, sender_memory_cgroup),
            offset_of!(SignalTail, victim_exe),
            offset_of!(SignalTail, sender_exe),
        ],
        fixed: size_of::<SignalEvent>(),
    },
    Place {
        kind: KIND_EXIT,
        sizes: offset_of!(ExitEvent, cmdline),
        cmdline: 0,
        before: &[],
        fixed: size_of::<ExitEvent>(),
    },
    Place {
        kind: KIND_DELIVER,
        sizes: offset_of!(DeliverEvent, cmdline),
        cmdline: 0,
        before: &[],
        fixed: size_of::<DeliverEvent>(),
    },
    Place {
        kind: KIND_UNSEEN,
        sizes: offset_of!(UnseenEvent, tail),
        cmdline: offset_of!(UnseenTail, cmdline),
        before: &[offset_of!(UnseenTail, cgroup), offset_of!(UnseenTail, memory_cgroup), offset_of!(UnseenTail, exe)],
        fixed: size_of::<UnseenEvent>(),
    },
    Place {
        kind: KIND_CONNECT,
        sizes: offset_of!(ConnectEvent, tail),
        cmdline: offset_of!(ConnectTail, cmdline),
        before: &[
            offset_of!(ConnectTail, listener),
            offset_of!(ConnectTail, namespaces),
            offset_of!(ConnectTail, ancestors),
            offset_of!(ConnectTail, cgroup),
            offset_of!(ConnectTail, memory_cgroup),
            offset_of!(ConnectTail, exe),
        ],
        fixed: size_of::<ConnectEvent>(),
    },
];

/// Has `change` make another command line of an event's; it is given whether there was more, and says whether there is now. An event
/// without one, and bytes that are none, stay as they are.
pub fn rewrite(event: &[u8], change: impl FnOnce(&[u8], bool) -> (Vec<u8>, bool)) -> Cow<'_, [u8]> {
    rewritten(event, change).map_or(Cow::Borrowed(event), Cow::Owned)
}

fn rewritten(event: &[u8], change: impl FnOnce(&[u8], bool) -> (Vec<u8>, bool)) -> Option<Vec<u8>> {
    let number = |at: usize| event.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes));
    let kind = number(offset_of!(Header, kind))?;
    let place = PLACES.iter().find(|place| place.kind == kind)?;
    let size = |at: usize| number(place.sizes + at).map(usize::from);
    let before = place.before.iter().try_fold(place.fixed, |sum, at| Some(sum + size(*at)?))?;
    let end = before + size(place.cmdline)?;
    let section = event.get(before..end).filter(|section| !section.is_empty())?;
    let flags = u32::from_ne_bytes(*event.get(offset_of!(Header, flags)..)?.first_chunk()?);
    let was_cut = flags & FLAG_CMDLINE_TRUNCATED != 0;
    let (mut changed, mut is_cut) = change(section, was_cut);
    if (changed.as_slice(), is_cut) == (section, was_cut) {
        return None;
    }
    // No kernel side writes so much; a file may hold anything.
    let len = u16::try_from(changed.len()).unwrap_or_else(|_| {
        changed.clear();
        is_cut = true;
        0
    });
    let flags = if is_cut { flags | FLAG_CMDLINE_TRUNCATED } else { flags };
    let mut new = Vec::with_capacity(event.len() + changed.len());
    new.extend_from_slice(event.get(..before)?);
    new.extend(changed);
    new.extend_from_slice(event.get(end..)?);
    put(&mut new, offset_of!(Header, flags), &flags.to_ne_bytes())?;
    put(&mut new, place.sizes + place.cmdline, &len.to_ne_bytes())?;
    Some(new)
}

fn put(event: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    event.get_mut(at..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(())
}
