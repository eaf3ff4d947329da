//! A file system of a user's own that answers when it likes to (FUSE, include/uapi/linux/fuse.h).

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Which files there are, one under every name; what is in them, never.
    Names,
    /// Nothing, once it is mounted.
    Nothing,
}

/// A mounted file system. What waits for it goes on, with an error, when it goes out of scope.
pub struct Fuse {
    path: PathBuf,
}

impl Fuse {
    pub fn mount(path: &Path, answers: Answers) -> Self {
        let connection = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", connection.as_raw_fd());
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("oomtrace-test"), path, Some("fuse"), flags, Some(options.as_str())).unwrap();
        std::thread::spawn(move || serve(connection, answers));
        Self { path: path.to_owned() }
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        // Whatever waits for an answer gets an error (MNT_FORCE), and the thread that answers ends.
        _ = umount2(&self.path, MntFlags::MNT_DETACH | MntFlags::MNT_FORCE);
    }
}

const INIT: u32 = 26;
const LOOKUP: u32 = 1;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;

fn serve(mut connection: File, answers: Answers) {
    let mut request = vec![0_u8; 1 << 17];
    while let Ok(length) = connection.read(&mut request) {
        let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
        let (opcode, unique, node) = (word(4), request[8..16].to_vec(), word(16));
        assert_eq!(word(0) as usize, length);
        let answer = match opcode {
            // Version 7.22, no features, and no more than a page at a time.
            INIT => [7_u32, 22, 4096, 0, 0x000c_000c, 4096].iter().flat_map(|word| word.to_le_bytes()).collect(),
            _ if answers == Answers::Nothing => continue,
            READ => continue,
            LOOKUP => [&words(&[2, 0, 0, 0, 0]), &attributes(2)[..]].concat(),
            GETATTR => [&words(&[0, 0]), &attributes(node)[..]].concat(),
            OPEN => words(&[0, 0]),
            _ => Vec::new(),
        };
        let is_known = matches!(opcode, INIT | LOOKUP | GETATTR | OPEN);
        let error = if is_known { 0 } else { -nix::libc::ENOSYS };
        let header = [&(16 + answer.len() as u32).to_le_bytes()[..], &error.to_le_bytes(), &unique].concat();
        // What was interrupted meanwhile is not waited for.
        _ = connection.write(&[header, answer].concat());
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Of the root, which is a directory, or of a file.
fn attributes(node: u32) -> Vec<u8> {
    let mode: u32 = if node == 1 { 0o040_755 } else { 0o100_444 };
    let mut all = words(&[u64::from(node), 4096, 8, 0, 0, 0]);
    all.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0_u32].iter().flat_map(|word| word.to_le_bytes()));
    all
}
