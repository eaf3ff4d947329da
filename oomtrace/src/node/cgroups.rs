//! The node's cgroup hierarchies: where they are mounted, and which one has the memory controller.

use std::fs;
use std::path::{Path, PathBuf};

use super::files;

/// Bytes of the list of mounts: a node with thousands of containers has some megabytes.
const MAX_MOUNTINFO: u64 = 32 << 20;

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
    let mut all = parse(&files::read_text(Path::new("/proc/self/mountinfo"), MAX_MOUNTINFO)?);
    for hierarchy in all.iter_mut().filter(|h| h.version == Version::V2) {
        let controllers = fs::read_to_string(hierarchy.mount.join("cgroup.controllers")).unwrap_or_default();
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
    parse_hierarchy_id(&fs::read_to_string("/proc/cgroups").unwrap_or_default()).unwrap_or_default()
}

/// From `/proc/cgroups` (cgroups(7)): name, hierarchy, number of cgroups, whether it is enabled.
fn parse_hierarchy_id(cgroups: &str) -> Option<u32> {
    let memory = cgroups.lines().find_map(|line| line.strip_prefix("memory\t"))?;
    memory.split('\t').next()?.parse().ok()
}

/// Cgroup mounts in the format of `/proc/<pid>/mountinfo` (proc(5)); the first mount of each hierarchy.
fn parse(mountinfo: &str) -> Vec<Hierarchy> {
    let mut all: Vec<Hierarchy> = Vec::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let mut after = after.split(' ');
        let version = match after.next() {
            Some("cgroup") => Version::V1,
            Some("cgroup2") => Version::V2,
            _ => continue,
        };
        let Some(mount) = before.split(' ').nth(4) else { continue };
        let options = after.nth(1).unwrap_or_default();
        let controllers = match version {
            Version::V1 => options
                .split(',')
                .filter(|o| !matches!(*o, "rw" | "ro" | "xattr" | "clone_children"))
                .map(str::to_owned)
                .collect(),
            Version::V2 => Vec::new(),
        };
        let hierarchy = Hierarchy { mount: unescape(mount), version, controllers };
        if !all.iter().any(|h| h.version == hierarchy.version && h.controllers == hierarchy.controllers) {
            all.push(hierarchy);
        }
    }
    all
}

/// Blanks in a mount point are written as octal.
fn unescape(mount: &str) -> PathBuf {
    Path::new(&mount.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\"))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
