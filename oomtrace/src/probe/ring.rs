//! Waits for the ring buffer and hands its records on. Sleeps in the kernel while nothing happens.

use std::io;

use aya::maps::{MapData, RingBuf};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Records handed on in one go, so that signals and deadlines get their turn in a storm.
const BATCH: usize = 256;

/// The ring buffer, readable asynchronously.
pub struct Ring(AsyncFd<RingBuf<MapData>>);

impl Ring {
    /// Registers the ring with the runtime.
    ///
    /// # Errors
    /// When epoll refuses it.
    pub fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: the map owns its descriptor and keeps it open, and the same one, until it is dropped.
        unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }.map(Self).map_err(io::Error::from)
    }

    /// Waits until there are records, and gives up to 256 of them to `each`. Cancel-safe: a record is either still in
    /// the ring or was given to `each`.
    ///
    /// # Errors
    /// When waiting fails.
    pub async fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut guard = self.0.readable_mut().await?;
        let read = std::iter::from_fn(|| guard.get_inner_mut().next().map(|record| each(&record))).take(BATCH).count();
        if read < BATCH {
            guard.clear_ready();
        }
        Ok(())
    }

    /// Gives what is in the ring now to `each`, without waiting.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        let ring = self.0.get_mut();
        while let Some(record) = ring.next() {
            each(&record);
        }
    }
}
