//! Who is connected to a Unix socket already: `NETLINK_SOCK_DIAG` says which socket is whose peer (net/unix/diag.c, 3.3 to
//! 7.3), `/proc/<pid>/fd` who holds it. Sockets are shown by network namespace, so every one that a process is in is asked.
//!
//! In a mount namespace of one's own anybody binds a socket to any path, so that a socket is the one asked for only when it is
//! bound to the very file that is there.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

/// Network namespaces that are asked.
const MAX_NAMESPACES: usize = 4096;
/// Connections, and descriptors of one process, that are looked at: whoever has a socket may have any number of them.
const MAX_CONNECTIONS: usize = 16_384;
const MAX_DESCRIPTORS: usize = 65_536;
/// Bytes of an answer; the kernel makes them of a page or four (net/netlink/af_netlink.c, `netlink_dump`).
const BUFFER: usize = 32 << 10;

// include/uapi/linux/netlink.h, sock_diag.h, unix_diag.h
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x0001 | 0x0300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const UDIAG_SHOW_NAME_FILE_PEER: u32 = 0x1 | 0x2 | 0x4;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_PEER: u16 = 2;
/// `TCP_ESTABLISHED` as a bit.
const ESTABLISHED: u32 = 1 << 1;
const HEADER: usize = 16;
const MESSAGE: usize = 16;

/// A process with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connected {
    pub pid: u32,
    /// Which of the paths that were asked for.
    pub socket: usize,
}

/// A socket that is asked for.
struct Wanted<'a> {
    path: &'a str,
    /// Inode and device of its file, as the kernel has them.
    file: (u32, u32),
}

impl<'a> Wanted<'a> {
    /// None when there is no such file: nobody is connected to it then.
    fn new(path: &'a str) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        // 32 bits of each are shown; the kernel's own form of a device has 20 for the minor number (include/linux/kdev_t.h, 2.6 to 7.3).
        let (major, minor) = (nix::sys::stat::major(file.dev()), nix::sys::stat::minor(file.dev()));
        let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default();
        Some(Self { path, file: (low(file.ino()), low(major << 20 | minor)) })
    }
}

/// Every process that is connected to one of the sockets bound to `paths`. It visits the network namespaces of all processes,
/// and reads all their descriptors: the thread that calls this must be one that ends with it.
///
/// # Errors
/// When this network namespace cannot be asked. What cannot be read elsewhere is left out.
pub fn connected(paths: &[String]) -> io::Result<Vec<Connected>> {
    let mut peers = HashMap::new();
    let wanted: Vec<Option<Wanted<'_>>> = paths.iter().map(|path| Wanted::new(path)).collect();
    ask(&wanted, &mut peers)?;
    for namespace in namespaces() {
        if setns(namespace, CloneFlags::CLONE_NEWNET).is_ok()
            && let Err(error) = ask(&wanted, &mut peers)
        {
            log::debug!("sockets of a network namespace: {error}");
        }
    }
    if peers.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: HashSet<Connected> = HashSet::new();
    for pid in pids() {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for entry in descriptors.take(MAX_DESCRIPTORS) {
            let inode = fs::read_link(entry.path()).ok().as_deref().and_then(socket_inode);
            found.extend(inode.and_then(|inode| peers.get(&inode)).map(|socket| Connected { pid, socket: *socket }));
        }
    }
    let mut found: Vec<Connected> = found.into_iter().collect();
    found.sort_unstable();
    Ok(found)
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `socket:[4711]`
fn socket_inode(link: &Path) -> Option<u32> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// One of each network namespace that a process is in, but for this thread's.
fn namespaces() -> Vec<File> {
    let own = fs::read_link("/proc/thread-self/ns/net").ok();
    let mut seen: HashSet<_> = own.into_iter().collect();
    let mut found = Vec::new();
    for pid in pids() {
        let path = format!("/proc/{pid}/ns/net");
        let Ok(name) = fs::read_link(&path) else { continue };
        if seen.len() < MAX_NAMESPACES && seen.insert(name) {
            found.extend(File::open(path));
        }
    }
    found
}

/// Inodes of the sockets that are connected to one of those `wanted`, in this thread's network namespace.
fn ask(wanted: &[Option<Wanted<'_>>], peers: &mut HashMap<u32, usize>) -> io::Result<()> {
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    let mut request = Vec::with_capacity(HEADER + 24);
    request.extend(40_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    // unix_diag_req: family, protocol, pad, states, inode, show, cookie
    request.extend([1, 0, 0, 0]);
    request.extend(ESTABLISHED.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(UDIAG_SHOW_NAME_FILE_PEER.to_ne_bytes());
    request.extend([0; 8]);
    sendto(netlink.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let len = recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut answer = buffer.get(..len).unwrap_or_default();
        if answer.is_empty() {
            return Ok(());
        }
        while let Some((kind, message, rest)) = message(answer) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(io::Error::other("the kernel does not show Unix sockets (unix_diag)")),
                _ if peers.len() < MAX_CONNECTIONS => peers.extend(peer_of(message, wanted)),
                _ => return Ok(()),
            }
            answer = rest;
        }
    }
}

/// The next message of an answer: its kind, its content, and what follows.
fn message(answer: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = usize::try_from(u32::from_ne_bytes(*answer.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*answer.get(4..)?.first_chunk()?);
    let message = answer.get(HEADER..len)?;
    Some((kind, message, answer.get(len.next_multiple_of(4)..).unwrap_or_default()))
}

/// The inode of the peer of a socket that is one of those `wanted`, as those are that a daemon has accepted.
fn peer_of(message: &[u8], wanted: &[Option<Wanted<'_>>]) -> Option<(u32, usize)> {
    let mut attributes = message.get(MESSAGE..)?;
    let (mut name, mut file, mut peer) = (None, None, None);
    while let Some(head) = attributes.first_chunk::<4>() {
        let [a, b, c, d] = *head;
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let value = attributes.get(4..len)?;
        let number = |at: usize| Some(u32::from_ne_bytes(*value.get(at..)?.first_chunk()?));
        match u16::from_ne_bytes([c, d]) {
            UNIX_DIAG_NAME => name = value.split(|byte| *byte == 0).next(),
            UNIX_DIAG_VFS => file = number(0).zip(number(4)),
            UNIX_DIAG_PEER => peer = number(0),
            _ => {}
        }
        attributes = attributes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    let (name, file) = (name?, file?);
    let is_it = |wanted: &Wanted<'_>| wanted.path.as_bytes() == name && wanted.file == file;
    let socket = wanted.iter().position(|wanted| wanted.as_ref().is_some_and(is_it))?;
    Some((peer?, socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    /// This very process is connected, over a socket of its own.
    #[test]
    fn a_process_that_is_connected_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("listening.sock").to_str().unwrap().to_owned();
        let listener = UnixListener::bind(&path).unwrap();
        let paths = ["/nonexistent".to_owned(), path.clone()];
        let of = |paths: [String; 2]| std::thread::spawn(move || connected(&paths)).join().unwrap().unwrap();
        assert_eq!(of(paths.clone()), []);
        let client = UnixStream::connect(&path).unwrap();
        let server = listener.accept().unwrap();
        assert_eq!(of(paths.clone()), [Connected { pid: std::process::id(), socket: 1 }]);
        // Another one of that name.
        std::fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert_eq!(of(paths.clone()), []);
        drop((client, server, other));
        assert_eq!(of(paths), []);
    }

    #[test]
    fn damaged_answers_are_no_peers() {
        for bytes in [&[][..], &[0; 3], &[0; 16], &[0xff; 64], &[0; 64]] {
            assert_eq!(peer_of(bytes, &[Some(Wanted { path: "/x", file: (0, 0) })]), None);
            assert!(message(bytes).is_none_or(|(_, content, rest)| content.len() + rest.len() <= bytes.len()));
        }
    }
}
