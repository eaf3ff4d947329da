//! Finds the cgroups that are there already.

use std::fs;
use std::path::Path;

/// Cgroups that are looked at, levels, and bytes of a path.
const MAX_WALKED: usize = 1 << 16;
const MAX_DEPTH: usize = 16;
const MAX_PATH: usize = 4096;
/// Cgroups in one directory that are looked at: whoever makes more in one has them looked at no further.
const MAX_IN_ONE: usize = 1 << 12;

/// Hands over the path of each cgroup below `mount`, from the hierarchy's root; whether that was all. `found` says whether what is below one
/// is to be looked at.
pub fn walk(mount: &Path, mut found: impl FnMut(&str) -> bool) -> bool {
    let mut waiting = vec![(String::new(), 0)];
    let mut walked = 0;
    let mut all = true;
    while let Some((path, depth)) = waiting.pop() {
        let dir = mount.join(path.trim_start_matches('/'));
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for (count, entry) in below.enumerate() {
            walked += 1;
            if walked > MAX_WALKED || count >= MAX_IN_ONE {
                all = false;
                break;
            }
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{path}/{name}");
            let goes_on = found(&path);
            if goes_on && depth < MAX_DEPTH && path.len() < MAX_PATH {
                waiting.push((path, depth + 1));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cgroup_is_found_once_and_what_is_not_wanted_is_not_gone_into() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/b/c", "a/d", "e"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join("a/memory.stat"), "").unwrap();
        let mut found = Vec::new();
        assert!(walk(dir.path(), |path| {
            found.push(path.to_owned());
            path != "/a/b"
        }));
        found.sort();
        assert_eq!(found, ["/a", "/a/b", "/a/d", "/e"]);
    }
}
