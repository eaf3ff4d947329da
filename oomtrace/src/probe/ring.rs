//! Waits for the ring buffer and hands its records on. Sleeps in the kernel while nothing happens.

mod records;

use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub use records::Records;

/// Records handed on in one go, so that signals and deadlines get their turn in a storm.
const BATCH: usize = 256;

/// The ring buffer, readable asynchronously.
pub struct Ring(AsyncFd<Records>);

impl Ring {
    /// Registers the ring with the runtime.
    ///
    /// # Errors
    /// When epoll refuses it.
    pub fn new(records: Records) -> io::Result<Self> {
        // SAFETY: the map owns its descriptor and keeps it open, and the same one, until it is dropped.
        unsafe { AsyncFd::register_with_interest(records, Interest::READABLE) }.map(Self).map_err(io::Error::from)
    }

    /// Waits until there are records, and gives up to 256 of them to `each`. Cancel-safe: a record is either still in
    /// the ring or was given to `each`.
    ///
    /// # Errors
    /// When waiting or reading fails.
    pub async fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut guard = self.0.readable_mut().await?;
        for _ in 0..BATCH {
            if !guard.get_inner_mut().take(&mut each)? {
                guard.clear_ready();
                break;
            }
        }
        Ok(())
    }

    /// Gives up to 256 of the records that are in the ring now to `each`, without waiting; whether there may be more.
    ///
    /// # Errors
    /// When reading fails.
    pub fn drain_some(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        for _ in 0..BATCH {
            if !self.0.get_mut().take(&mut each)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How far it was read, and how far it is written: two counts of bytes, which are the same when nothing is left.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        self.0.get_ref().progress()
    }

    /// Gives what is in the ring now to `each`, without waiting.
    ///
    /// # Errors
    /// When reading fails.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        while self.0.get_mut().take(&mut each)? {}
        Ok(())
    }
}
