//! Users' names, from `/etc/passwd` alone: asking a directory service could hang for as long as that service does.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::node::files;

/// A file of 100,000 users has some 6 MiB.
const MAX_FILE: u64 = 8 << 20;

/// uid to name, read again when the file changes.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    modified: Option<SystemTime>,
    names: HashMap<u32, String>,
}

impl Default for Users {
    fn default() -> Self {
        Self::new(PathBuf::from("/etc/passwd"))
    }
}

impl Users {
    /// Names from a file in the format of passwd(5).
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, modified: None, names: HashMap::new() }
    }

    /// The name of `uid`; none when the file does not say.
    pub fn name(&mut self, uid: u32) -> Option<String> {
        let modified = std::fs::metadata(&self.path).and_then(|m| m.modified()).ok();
        if modified.is_none() || modified != self.modified {
            self.names = files::read(&self.path, MAX_FILE).map(|bytes| parse(&bytes)).unwrap_or_default();
            self.modified = modified;
        }
        self.names.get(&uid).cloned()
    }
}

/// The home directory of `uid`.
#[must_use]
pub fn home(uid: u32) -> Option<PathBuf> {
    parse_home(&files::read(Path::new("/etc/passwd"), MAX_FILE).ok()?, uid)
}

/// The home directory of `uid` in a file in the format of passwd(5).
#[must_use]
pub fn parse_home(passwd: &[u8], uid: u32) -> Option<PathBuf> {
    let of_uid = |line: &&[u8]| number(line.split(|byte| *byte == b':').nth(2)?).filter(|of| *of == uid).map(|_| ());
    let line = passwd.split(|byte| *byte == b'\n').find(|line| of_uid(line).is_some())?;
    let home = line.split(|byte| *byte == b':').nth(5)?;
    home.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(home)))
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The first name of each uid, as getpwuid(3) gives it.
#[must_use]
pub fn parse(passwd: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in passwd.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, uid) = (fields.next(), fields.nth(1).and_then(number));
        if let (Some(name), Some(uid)) = (name, uid) {
            names.entry(uid).or_insert_with(|| String::from_utf8_lossy(name).into_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_uid_counts_and_damaged_lines_do_not() {
        let names =
            parse(b"root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\nbad\nworse:x:zz:1\na:x:1000:1000:::\n");
        assert_eq!(names.get(&0).map(String::as_str), Some("root"));
        assert_eq!(names.get(&1000).map(String::as_str), Some("a"));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn a_home_is_an_absolute_path() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\na:x:1000:1000:::\nb:x:7:7::/srv/\xff:\n";
        assert_eq!(parse_home(passwd, 7), Some(PathBuf::from(OsStr::from_bytes(b"/srv/\xff"))));
        assert_eq!((parse_home(passwd, 1000), parse_home(passwd, 8)), (None, None));
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_missing_one_has_no_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        let mut users = Users::new(path.clone());
        assert_eq!(users.name(5), None);
        std::fs::write(&path, "five:x:5:5:::\n").unwrap();
        assert_eq!(users.name(5).as_deref(), Some("five"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(users.name(5), None);
    }
}
