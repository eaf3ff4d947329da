//! Builds one event in a per-CPU buffer and sends it.
//!
//! The length of the tail is kept in that buffer too, not in a register, and so are the flags: the verifier does not follow
//! values through a map, so the many ways out of a loop, or to one, look the same to it, and it need not follow each one to
//! the end.

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str},
    maps::PerCpuArray,
};
use oomtrace_common::{
    event::{
        CgroupEvent, ConnectEvent, DeliverEvent, DisconnectEvent, ExitEvent, FLAG_TRUNCATED, Header, MarkVictimEvent,
        Namespaces, OomEvent, SeenEvent, SignalEvent, TakenEvent, UnseenEvent, WIRE_VERSION,
    },
    limits::{MAX_ANCESTORS, MAX_CMDLINE, MAX_NAME, MAX_TAIL},
};

use crate::{count, globals::EVENTS, kernel::boot_ns};

/// Bytes for the fixed part: the larger of the two events, rounded up.
const FIXED: usize = 512;
/// The largest section that is copied in one go, as the verifier sees it (see `kernel::mm::push_cmdline`).
const SECTION: usize = 2 * MAX_CMDLINE;

/// Bytes that are kept for a later section: the [`Namespaces`] of victim, sender and the sender's parents.
const KEPT: usize = (MAX_ANCESTORS + 2) * size_of::<Namespaces>();

/// One event under construction: the fixed part, then the tail, with room for one more section behind the limit, so
/// that a section's copy needs one comparison only.
#[repr(C, align(8))]
pub struct Scratch {
    event: [u8; FIXED + MAX_TAIL + SECTION],
    /// Bytes in the tail.
    len: u64,
    /// Where the current section started.
    start: u64,
    /// `FLAG_` bits.
    flags: u64,
    /// What it counts as when it is not sent, one of `oomtrace_common::counts`.
    counted: u64,
    /// Bytes kept for a later section, and their number.
    kept: [u8; KEPT],
    kept_len: u64,
}

/// The fixed part of an event.
///
/// # Safety
/// It starts with a [`Header`], and every bit pattern is one.
pub unsafe trait Wire {}

macro_rules! wire {
    ($($event:ty),* $(,)?) => {
        $(
            // SAFETY: `repr(C)`, its header first, of numbers alone.
            unsafe impl Wire for $event {}
            const _: () = assert!(core::mem::offset_of!($event, header) == 0);
        )*
    };
}
wire!(
    CgroupEvent,
    ConnectEvent,
    DeliverEvent,
    DisconnectEvent,
    ExitEvent,
    MarkVictimEvent,
    OomEvent,
    SeenEvent,
    SignalEvent,
    TakenEvent,
    UnseenEvent,
);

/// An event of type `T` and its tail.
///
/// `scratch` is what the map gave for it: whole, aligned, initialised (maps are made of zeros), and this program's alone on this CPU
/// until its end, for the reason that `globals` states beside each map. `event` is its start, where the fixed part is.
pub struct Record<T> {
    event: *mut T,
    scratch: *mut Scratch,
}

impl<T> Record<T> {
    /// Starts a new event in the buffer that is in `map`, which counts as one of `counted` when it is not sent; and its fixed part.
    /// Counts it at once when there is no buffer.
    #[inline(always)]
    pub fn start<'a>(map: &PerCpuArray<Scratch>, counted: usize) -> Option<(Self, &'a mut T)>
    where
        T: Wire,
    {
        let () = const { assert!(size_of::<T>() <= FIXED && align_of::<T>() <= align_of::<Scratch>()) };
        let Some(scratch) = map.get_ptr_mut(0) else {
            count::lost(counted);
            return None;
        };
        let event: *mut T = scratch.cast();
        // SAFETY: the map has checked `scratch`, see [`Record`].
        unsafe {
            (&raw mut (*scratch).len).write_volatile(0);
            (&raw mut (*scratch).start).write_volatile(0);
            (&raw mut (*scratch).flags).write_volatile(0);
            (&raw mut (*scratch).kept_len).write_volatile(0);
            (&raw mut (*scratch).counted).write_volatile(counted as u64);
        }
        // SAFETY: the fixed part lies in the buffer, aligned, and any bytes are a `T`. The record writes to the tail and the numbers
        // behind it, and to the header when it is sent.
        Some((Self { event, scratch }, unsafe { &mut *event }))
    }

    /// The end of the tail, where the next section is written; none when the event is full.
    #[inline(always)]
    pub fn end(&self) -> Option<*mut u8> {
        let len = self.len();
        if len > MAX_TAIL as u64 {
            self.truncate();
            return None;
        }
        // SAFETY: within the buffer: its event has room for the fixed part, this tail, and one section more.
        Some(unsafe { self.event.cast::<u8>().add(size_of::<T>()).add(len as usize) })
    }

    /// The place of a small last section, for which there is room even when the event is full: what is copied in one go is at most
    /// half of the room behind the limit, names and command lines among it.
    #[inline(always)]
    pub fn end_of_all(&self) -> Option<*mut u8> {
        let len = self.len();
        if len > (MAX_TAIL + SECTION / 2) as u64 {
            return None;
        }
        // SAFETY: within the buffer, likewise: half a section is left.
        Some(unsafe { self.event.cast::<u8>().add(size_of::<T>()).add(len as usize) })
    }

    /// The place for the next `S` that is kept for a later section; counts it as written.
    #[inline(always)]
    pub fn keep<S>(&self) -> Option<*mut S> {
        // SAFETY: `scratch` is valid, see [`Record`].
        let len = unsafe { (&raw const (*self.scratch).kept_len).read_volatile() };
        if len > (KEPT - size_of::<S>()) as u64 {
            return None;
        }
        // SAFETY: `scratch` is valid, and `kept` has room for an `S` behind `len`.
        unsafe {
            (&raw mut (*self.scratch).kept_len).write_volatile(len + size_of::<S>() as u64);
            Some((&raw mut (*self.scratch).kept).cast::<u8>().add(len as usize).cast())
        }
    }

    /// Appends what was kept, also when the event is full.
    #[inline(always)]
    pub fn push_kept(&self) {
        let () = const { assert!(KEPT <= SECTION / 2) };
        let Some(end) = self.end_of_all() else { return };
        // SAFETY: `scratch` is valid, see [`Record`].
        let mut len = unsafe { (&raw const (*self.scratch).kept_len).read_volatile() };
        if len > KEPT as u64 {
            len = KEPT as u64;
        }
        // SAFETY: `scratch` is valid; its address alone is taken.
        let kept = unsafe { (&raw const (*self.scratch).kept).cast() };
        // SAFETY: `end` has room for half a section, which KEPT is within, and so is `len`; `kept` has as much.
        if unsafe { bpf_probe_read_kernel(end.cast(), len as u32, kept) } == 0 {
            self.grow(len);
        }
    }

    /// Counts `size` bytes that were written at [`Self::end`].
    #[inline(always)]
    pub fn grow(&self, size: u64) {
        let len = self.len() + size;
        // SAFETY: `scratch` is valid, see [`Record`].
        unsafe { (&raw mut (*self.scratch).len).write_volatile(len) };
    }

    /// Ends a section; returns its size in bytes.
    #[inline(always)]
    pub fn section(&self) -> u16 {
        let len = self.len();
        // SAFETY: `scratch` is valid, see [`Record`].
        let start = unsafe {
            let start = &raw mut (*self.scratch).start;
            let last = start.read_volatile();
            start.write_volatile(len);
            last
        };
        (len - start) as u16
    }

    /// Sets one of the `FLAG_` bits.
    #[inline(always)]
    pub fn flag(&self, flag: u32) {
        let flags = self.flags() | u64::from(flag);
        // SAFETY: `scratch` is valid, see [`Record`].
        unsafe { (&raw mut (*self.scratch).flags).write_volatile(flags) };
    }

    /// Sets the flag for what did not fit.
    #[inline(always)]
    pub fn truncate(&self) {
        self.flag(FLAG_TRUNCATED);
    }

    #[inline(always)]
    fn flags(&self) -> u64 {
        // SAFETY: `scratch` is valid, see [`Record`].
        unsafe { (&raw const (*self.scratch).flags).read_volatile() }
    }

    /// Appends the NUL-terminated kernel string at `src`; false when it is none or does not fit.
    #[inline(always)]
    pub fn push_kernel_str(&self, src: u64) -> bool {
        let Some(end) = self.end() else { return false };
        // SAFETY: `end` has room for a section, which is longer than a name; the helper checks the address that it reads from.
        let n = unsafe { bpf_probe_read_kernel_str(end.cast(), MAX_NAME as u32, src as *const _) };
        if n <= 0 {
            return false;
        }
        self.grow(n as u64);
        true
    }

    /// Appends the name `/`, which no file has; nothing when the event is full.
    #[inline(always)]
    pub fn push_root(&self) {
        let Some(end) = self.end() else { return };
        // SAFETY: `end` has room for a section, which is longer than two bytes.
        unsafe {
            end.write(b'/');
            end.add(1).write(0);
        }
        self.grow(2);
    }

    /// Bytes that the event takes in the ring.
    #[inline(always)]
    pub fn bytes(&self) -> u64 {
        size_of::<T>() as u64 + self.len()
    }

    /// What the event counts as.
    #[inline(always)]
    pub fn counted(&self) -> usize {
        // SAFETY: `scratch` is valid, see [`Record`].
        unsafe { (&raw const (*self.scratch).counted).read_volatile() as usize }
    }

    /// Writes the header that every event starts with, and sends the event where `has_room` says so; else counts it as lost.
    /// Whether it was sent.
    #[inline(always)]
    pub fn send(&self, kind: u16, has_room: bool) -> bool {
        let flags = self.flags() as u32;
        let boot_ns = boot_ns();
        // SAFETY: `event` is valid, see [`Record`], and each kind of event starts with a header (see [`Wire`]).
        unsafe { self.event.cast::<Header>().write(Header { kind, version: WIRE_VERSION, flags, boot_ns }) };
        let mut len = self.len();
        // No section that was begun is cut: without its end the event could not be read.
        if len > (MAX_TAIL + SECTION) as u64 {
            len = (MAX_TAIL + SECTION) as u64;
        }
        // SAFETY: within the buffer, whose bytes are initialised; nothing writes to it while the slice lives.
        let event = unsafe { core::slice::from_raw_parts(self.event.cast::<u8>(), size_of::<T>() + len as usize) };
        let sent = has_room && EVENTS.output::<[u8]>(event, 0).is_ok();
        if !sent {
            count::lost(self.counted());
        }
        sent
    }

    #[inline(always)]
    fn len(&self) -> u64 {
        // SAFETY: `scratch` is valid, see [`Record`].
        unsafe { (&raw const (*self.scratch).len).read_volatile() }
    }
}
