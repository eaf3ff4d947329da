//! The kernel side's maps of sockets that are watched, and of their clients.

use std::path::Path;

use aya::maps::{HashMap, Map, MapData, MapError};
use oomtrace_common::client::{Client, SocketPath, Watched};

use crate::probe::attach_error::chain;

/// Only where there is none (include/uapi/linux/bpf.h).
const BPF_NOEXIST: u64 = 1;

/// Why the clients of a socket are not recorded.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("{path} is longer than a socket's path can be")]
    TooLong { path: String },
    #[error("{path} cannot be watched: {}", chain(.source))]
    Refused { path: String, source: MapError },
}

/// The sockets whose clients the kernel side records.
pub struct Sockets {
    paths: HashMap<MapData, SocketPath, Watched>,
    clients: HashMap<MapData, u32, Client>,
}

impl Sockets {
    /// Takes the maps `SOCKETS` and `CLIENTS`.
    pub(super) fn new(paths: Map, clients: Map) -> Result<Self, MapError> {
        Ok(Self { paths: HashMap::try_from(paths)?, clients: HashMap::try_from(clients)? })
    }

    /// Has the clients of the socket recorded that is bound to `path`, and on which root or `owner` listens; under `number`.
    ///
    /// # Errors
    /// When the path is too long for a socket, or too many are watched.
    pub fn watch(&mut self, path: &str, number: u32, owner: u32) -> Result<(), SocketError> {
        let mut key: SocketPath = [0; 108];
        match key.get_mut(..path.len()) {
            // The last byte stays NUL.
            Some(start) if path.len() < size_of::<SocketPath>() => start.copy_from_slice(path.as_bytes()),
            _ => return Err(SocketError::TooLong { path: path.to_owned() }),
        }
        let socket = Watched { number, owner };
        self.paths.insert(key, socket, 0).map_err(|source| SocketError::Refused { path: path.to_owned(), source })
    }

    /// Has the end of a process reported that was connected before.
    pub fn follow(&mut self, pid: u32) {
        // It may have connected again meanwhile, and is known better then.
        let unknown = Client { start: 0, told: 0 };
        if let Err(error) = self.clients.insert(pid, unknown, BPF_NOEXIST) {
            log::debug!("the end of process {pid} will not be told: {}", chain(&error));
        }
    }

    /// Follows the process no more to its end. Where it writes to a runtime again, it is recorded again.
    pub fn forget(&mut self, pid: u32) {
        // It may have ended meanwhile.
        _ = self.clients.remove(&pid);
    }

    /// Forgets those that are gone, whose ends were missed.
    pub fn forget_gone(&mut self) {
        let pids: Vec<u32> = self.clients.keys().flatten().collect();
        for pid in pids.into_iter().filter(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            self.forget(pid);
        }
    }
}
