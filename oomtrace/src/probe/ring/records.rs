//! Takes the records out of a BPF ring buffer (kernel/bpf/ringbuf.c, 5.8 to 7.3).
//!
//! Whoever maps all of it has every page counted as resident, and twice: the kernel maps the data a second time behind itself, so
//! that a record that wraps around is in one piece. Here a window of it is mapped, where the reading is.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};

use aya::maps::MapData;
use nix::libc::{c_void, off_t};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The window's size in bytes: some 200 records.
const WINDOW: usize = 256 << 10;
/// A record's header: its length with the flags below, and where its page is (`struct bpf_ringbuf_hdr`).
const HEADER: usize = 8;
/// The record is reserved, and not written yet (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// The record was given up (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARDED: u32 = 1 << 30;

/// The reading end of a ring buffer, of which there may be one.
pub struct Records {
    map: MapData,
    /// The kernel's page size in bytes.
    page: usize,
    /// Bytes of data that it holds: a power of two.
    size: usize,
    /// How far it was read is written into this page for the kernel, which it takes the room for new records from.
    consumer: Mapping,
    /// Written up to here is in this page.
    producer: Mapping,
    window: Option<Window>,
    read: usize,
    written: usize,
    /// `consumer` was changed since the kernel's own position was looked at.
    moved: bool,
}

impl Records {
    /// Reads from `map`, which holds `size` bytes.
    ///
    /// # Errors
    /// When the kernel refuses to map its positions.
    pub fn new(map: MapData, size: u32) -> io::Result<Self> {
        let page = page_size()?;
        let fd = map.fd().as_fd();
        let consumer = Mapping::new(fd, page, 0, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
        let producer = Mapping::new(fd, page, page, ProtFlags::PROT_READ)?;
        let read = consumer.position().load(Ordering::Acquire);
        Ok(Self { map, page, size: size as usize, consumer, producer, window: None, read, written: read, moved: false })
    }

    /// The kernel's page size in bytes, which the buffer is made of.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.page
    }

    /// How far it was read, and how far it is written.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.read, self.producer.position().load(Ordering::Acquire))
    }

    /// Gives the next record to `each`; false when there is none. Then, and only then, the kernel makes the descriptor readable
    /// with the next one.
    ///
    /// # Errors
    /// When a part of the buffer cannot be mapped.
    pub fn take(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        while let Some((at, head)) = self.next()? {
            let len = (head & !DISCARDED) as usize;
            if head & DISCARDED != 0 {
                self.consume(len);
                continue;
            }
            each(self.window(at, HEADER + len)?.bytes(at + HEADER, len)?);
            self.consume(len);
            return Ok(true);
        }
        Ok(false)
    }

    /// Where the next record that is written is, and its head.
    fn next(&mut self) -> io::Result<Option<(usize, u32)>> {
        loop {
            if self.read == self.written {
                self.order();
                self.written = self.producer.position().load(Ordering::Acquire);
                if self.read == self.written {
                    return Ok(None);
                }
            }
            let at = self.read & (self.size - 1);
            let head = self.window(at, HEADER)?.head(at)?;
            if head & BUSY == 0 {
                return Ok(Some((at, head)));
            }
            if !self.order() {
                return Ok(None);
            }
        }
    }

    /// The kernel wakes the reader for a record that it finds right where the reader is, so this one's position has to be out before
    /// the kernel's is looked at for the last time; false when it was already.
    fn order(&mut self) -> bool {
        if self.moved {
            fence(Ordering::SeqCst);
        }
        std::mem::take(&mut self.moved)
    }

    /// Makes the room of a record of `len` bytes free.
    fn consume(&mut self, len: usize) {
        self.read = self.read.wrapping_add((HEADER + len).next_multiple_of(8));
        self.consumer.position().store(self.read, Ordering::Release);
        self.moved = true;
    }

    /// The window, moved where `len` bytes from `at` on are in it.
    fn window(&mut self, at: usize, len: usize) -> io::Result<&Window> {
        let window = match self.window.take().filter(|window| window.holds(at, len)) {
            Some(window) => window,
            None => self.window_at(at, len)?,
        };
        Ok(self.window.insert(window))
    }

    fn window_at(&self, at: usize, len: usize) -> io::Result<Window> {
        let start = at - at % self.page;
        let wanted = WINDOW.max(at - start + len).next_multiple_of(self.page);
        // The data lies there twice, behind the pages of the positions.
        let len = wanted.min(2 * self.size - start);
        let mapping = Mapping::new(self.map.fd().as_fd(), len, 2 * self.page + start, ProtFlags::PROT_READ)?;
        Ok(Window { mapping, start })
    }
}

impl AsFd for Records {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.fd().as_fd()
    }
}

impl AsRawFd for Records {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// A part of the data, mapped.
struct Window {
    mapping: Mapping,
    /// Where it starts in the data, in bytes.
    start: usize,
}

impl Window {
    fn holds(&self, at: usize, len: usize) -> bool {
        self.start <= at && at + len <= self.start + self.mapping.len
    }

    /// The length and the flags of the record at `at`.
    fn head(&self, at: usize) -> io::Result<u32> {
        let at = self.pointer(at, size_of::<u32>())?.cast::<AtomicU32>();
        // SAFETY: the bytes are mapped, and records start at multiples of eight. The kernel writes the head last, by xchg.
        Ok(unsafe { at.as_ref() }.load(Ordering::Acquire))
    }

    fn bytes(&self, at: usize, len: usize) -> io::Result<&[u8]> {
        let start = self.pointer(at, len)?;
        // SAFETY: the bytes are mapped, and the kernel leaves a record alone until it is consumed.
        Ok(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) })
    }

    fn pointer(&self, at: usize, len: usize) -> io::Result<NonNull<u8>> {
        if !self.holds(at, len) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a record reaches beyond the buffer's end"));
        }
        // SAFETY: it is within the mapping, as was just seen.
        Ok(unsafe { self.mapping.at.cast::<u8>().add(at - self.start) })
    }
}

/// Memory that the kernel shares; unmapped when it is dropped.
struct Mapping {
    at: NonNull<c_void>,
    len: usize,
}

// SAFETY: the memory belongs to the process, not to the thread that mapped it.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(map: BorrowedFd<'_>, len: usize, offset: usize, access: ProtFlags) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let length = NonZeroUsize::new(len).ok_or_else(invalid)?;
        let offset = off_t::try_from(offset).map_err(|_| invalid())?;
        // SAFETY: a new mapping, wherever there is room, changes no memory that is in use.
        let at = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, map, offset) }?;
        Ok(Self { at, len })
    }

    /// The position that a page of positions starts with.
    fn position(&self) -> &AtomicUsize {
        // SAFETY: the page is mapped as long as `self` lives; the kernel reads and writes the position atomically, too.
        unsafe { self.at.cast::<AtomicUsize>().as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: whoever has a reference into it has one to `self`. It does not fail for what was mapped.
        _ = unsafe { munmap(self.at, self.len) };
    }
}

fn page_size() -> io::Result<usize> {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?;
    size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| io::Error::other("the page size is not known"))
}
