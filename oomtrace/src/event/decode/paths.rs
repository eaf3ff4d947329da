//! Paths and names, which the kernel side writes as it finds them: the last name first, and none of them checked.

use super::wire;
use crate::event::{CgroupKey, Task};

/// Sets both paths from their sections. A cgroup's level says how many names its path has, so an empty section is distinguished
/// from an unread one.
pub(super) fn set_paths(task: &mut Task, default: &[u8], memory: &[u8]) {
    task.cgroup_path = cgroup_path(default, task.cgroup);
    task.memory_path = if task.memory_cgroup.hierarchy == task.cgroup.hierarchy {
        // One hierarchy: the memory cgroup is the cgroup itself or an ancestor of it.
        task.cgroup_path.as_deref().map(|path| prefix(path, task.memory_cgroup.level))
    } else {
        cgroup_path(memory, task.memory_cgroup)
    };
}

/// The first `level` names of `path`.
#[must_use]
pub fn prefix(path: &str, level: u32) -> String {
    let names = path.split('/').filter(|name| !name.is_empty()).take(level as usize);
    let joined: String = names.flat_map(|name| ["/", name]).collect();
    if joined.is_empty() { "/".to_owned() } else { joined }
}

/// None as well when names are missing at its top: whoever may make cgroups may make them so deep that those that are left look
/// like another's path.
pub(super) fn cgroup_path(names: &[u8], key: CgroupKey) -> Option<String> {
    match path(names) {
        Some(_) if strings(names).count() < key.level as usize => None,
        Some(path) => Some(path),
        // The root of a hierarchy has a path without names; id 0 is a cgroup that could not be read.
        None => (key.id != 0 && key.level == 0).then(|| "/".to_owned()),
    }
}

/// The path of an executable; none as well when names are missing at its top, or did not fit: whoever may make directories may make
/// them so deep that those that are left look like another program's path.
pub(super) fn exe(names: &[u8], header: wire::Header) -> Option<String> {
    if header.flags & wire::FLAG_WHOLE_PATHS == 0 {
        return path(names);
    }
    path(names.strip_suffix(WHOLE)?)
}

/// What stands behind the names of a whole path.
const WHOLE: &[u8] = b"/\0";

/// A path whose names come last one first; none when there are no names.
fn path(names: &[u8]) -> Option<String> {
    let mut names: Vec<String> = strings(names).collect();
    if names.is_empty() {
        return None;
    }
    names.push(String::new());
    names.reverse();
    Some(names.join("/"))
}

/// NUL-terminated strings, empty ones left out.
pub(super) fn strings(section: &[u8]) -> impl Iterator<Item = String> {
    section.split(|b| *b == 0).filter(|s| !s.is_empty()).map(lossy)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn comm(bytes: &[u8]) -> String {
    strings(bytes).next().unwrap_or_default()
}
