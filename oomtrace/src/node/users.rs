//! Users' names, from `/etc/passwd` alone: asking a directory service could hang for as long as that service does.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

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
            self.names = std::fs::read(&self.path).map(|b| parse(&String::from_utf8_lossy(&b))).unwrap_or_default();
            self.modified = modified;
        }
        self.names.get(&uid).cloned()
    }
}

/// The home folder of `uid`.
#[must_use]
pub fn home(uid: u32) -> Option<String> {
    parse_home(&String::from_utf8_lossy(&std::fs::read("/etc/passwd").ok()?), uid)
}

fn parse_home(passwd: &str, uid: u32) -> Option<String> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let home = fields.into_iter().find(|fields| fields.get(2).and_then(|field| field.parse().ok()) == Some(uid))?;
    home.get(5).filter(|home| home.starts_with('/')).map(|home| (*home).to_owned())
}

/// The first name of each uid, as getpwuid(3) gives it.
fn parse(passwd: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok()));
        if let (Some(name), Some(uid)) = (name, uid) {
            names.entry(uid).or_insert_with(|| name.to_owned());
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
            parse("root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\nbad\nworse:x:zz:1\na:x:1000:1000:::\n");
        assert_eq!(names.get(&0).map(String::as_str), Some("root"));
        assert_eq!(names.get(&1000).map(String::as_str), Some("a"));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn a_home_is_an_absolute_path() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\na:x:1000:1000:::\nb:x:7:7::/srv/b:\n";
        assert_eq!(parse_home(passwd, 7).as_deref(), Some("/srv/b"));
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
