//! The node's cgroup hierarchies: where they are mounted, and which one has the memory controller.

use std::fs;
use std::path::{Path, PathBuf};

use crate::node::files::{self, SMALL};
use crate::node::mounts::{self, Mount};

/// The kernel has some fifteen controllers, and named hierarchies are few.
const MAX_HIERARCHIES: usize = 64;

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub mount: PathBuf,
    pub version: Version,
    /// v1: its controllers, or `name=…`. v2: those that are not on a v1 hierarchy.
    pub controllers: Vec<String>,
}

/// Which kind of hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// How a node's hierarchies go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// v2 alone.
    Unified,
    /// v1 hierarchies, and a v2 one without the memory controller.
    Hybrid,
    /// v1 alone.
    Legacy,
    /// None is mounted.
    None,
}

/// All hierarchies that are mounted here.
///
/// # Errors
/// When `/proc/self/mountinfo` cannot be read.
pub fn hierarchies() -> std::io::Result<Vec<Hierarchy>> {
    let mut all = Vec::new();
    mounts::each(|mount| add(&mut all, mount))?;
    for hierarchy in all.iter_mut().filter(|h| h.version == Version::V2) {
        let controllers = files::read_text(&hierarchy.mount.join("cgroup.controllers"), SMALL).unwrap_or_default();
        hierarchy.controllers = controllers.split_whitespace().map(str::to_owned).collect();
    }
    Ok(all)
}

/// How they go together.
#[must_use]
pub fn mode(hierarchies: &[Hierarchy]) -> Mode {
    let has = |version| hierarchies.iter().any(|h| h.version == version);
    match (has(Version::V1), has(Version::V2)) {
        (false, true) => Mode::Unified,
        (true, true) => Mode::Hybrid,
        (true, false) => Mode::Legacy,
        (false, false) => Mode::None,
    }
}

/// The hierarchy that has the memory controller.
#[must_use]
pub fn memory(hierarchies: &[Hierarchy]) -> Option<&Hierarchy> {
    hierarchies.iter().find(|h| h.controllers.iter().any(|c| c == "memory"))
}

/// What is mounted is the hierarchy's root, not a container's own part of it: its inode is 1 (fs/kernfs/dir.c,
/// `kernfs_create_root`, 5.4 to 7.3).
#[must_use]
pub fn is_whole(hierarchy: &Hierarchy) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(&hierarchy.mount).is_ok_and(|root| root.ino() == 1)
}

/// The kernel's number of the hierarchy that has the memory controller: 0 is the v2 one, and where there is no memory
/// controller.
#[must_use]
pub fn memory_hierarchy_id() -> u32 {
    parse_hierarchy_id(&files::read_text(Path::new("/proc/cgroups"), SMALL).unwrap_or_default()).unwrap_or_default()
}

/// From `/proc/cgroups` (cgroups(7)): name, hierarchy, number of cgroups, whether it is enabled.
fn parse_hierarchy_id(cgroups: &str) -> Option<u32> {
    let memory = cgroups.lines().find_map(|line| line.strip_prefix("memory\t"))?;
    memory.split('\t').next()?.parse().ok()
}

/// A cgroup's path and those above it, the nearest first, without the root.
pub fn and_above(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.char_indices().rev().filter(|(_, c)| *c == '/').map(|(at, _)| at);
    std::iter::once(path.len()).chain(ends).filter_map(|end| path.get(..end)).filter(|path| path.len() > 1)
}

/// Adds a cgroup mount, when it is the first of its hierarchy.
fn add(all: &mut Vec<Hierarchy>, mount: Mount) {
    let version = match mount.kind.as_slice() {
        b"cgroup" => Version::V1,
        b"cgroup2" => Version::V2,
        _ => return,
    };
    let options = String::from_utf8_lossy(&mount.options);
    let is_controller = |option: &&str| !matches!(*option, "rw" | "ro" | "xattr" | "clone_children");
    let controllers: Vec<String> = match version {
        Version::V1 => options.split(',').filter(is_controller).map(str::to_owned).collect(),
        Version::V2 => Vec::new(),
    };
    let is_known = |h: &Hierarchy| h.version == version && h.controllers == controllers;
    if all.len() < MAX_HIERARCHIES && !all.iter().any(is_known) {
        all.push(Hierarchy { mount: mount.point, version, controllers });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(mountinfo: &str) -> Vec<Hierarchy> {
        let mut all = Vec::new();
        for mount in mountinfo.lines().filter_map(|line| mounts::parse(line.as_bytes())) {
            add(&mut all, mount);
        }
        all
    }

    const HYBRID: &str = "\
30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory
32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 30 0:27 / /mnt/again rw - cgroup cgroup rw,memory
";

    #[test]
    fn hierarchies_are_found_once_each() {
        let all = parse(HYBRID);
        let shown: Vec<_> = all.iter().map(|h| (h.mount.to_str().unwrap(), h.controllers.join(","))).collect();
        assert_eq!(
            shown,
            [
                ("/sys/fs/cgroup/memory", "memory".to_owned()),
                ("/sys/fs/cgroup/systemd", "name=systemd".to_owned()),
                ("/sys/fs/cgroup/unified", String::new()),
            ]
        );
        assert_eq!(mode(&all), Mode::Hybrid);
        assert_eq!(memory(&all).unwrap().mount, Path::new("/sys/fs/cgroup/memory"));
    }

    #[test]
    fn the_memory_hierarchy_has_a_number() {
        let cgroups = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nmemory\t4\t16\t1\n";
        assert_eq!((parse_hierarchy_id(cgroups), parse_hierarchy_id("")), (Some(4), None));
    }

    #[test]
    fn a_path_and_those_above_it() {
        for (path, expected) in [
            ("/a.slice/b.service/x", &["/a.slice/b.service/x", "/a.slice/b.service", "/a.slice"][..]),
            ("/a", &["/a"]),
            ("/ä/b", &["/ä/b", "/ä"]),
            ("/", &[]),
            ("", &[]),
        ] {
            assert_eq!(and_above(path).collect::<Vec<_>>(), expected, "{path}");
        }
    }

    #[test]
    fn modes() {
        let v2 = "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let v1 = "30 20 0:26 / /a\\040b rw - cgroup cgroup rw,memory\n";
        assert_eq!(mode(&parse(v2)), Mode::Unified);
        assert_eq!(mode(&parse(v1)), Mode::Legacy);
        assert_eq!(parse(v1)[0].mount, Path::new("/a b"));
        assert_eq!(mode(&parse("")), Mode::None);
        assert_eq!(memory(&parse(v2)), None);
    }
}
