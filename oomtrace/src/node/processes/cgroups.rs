//! `/proc/<pid>/cgroup`: a process's cgroups.

use std::path::Path;

use crate::node::files;

/// Paths of the process's cgroups on all hierarchies; none when it is gone.
#[must_use]
pub fn cgroups(pid: u32) -> Vec<String> {
    // Each hierarchy's path may be as long as a path can be.
    const MAX: u64 = 256 << 10;
    let path = Path::new("/proc").join(pid.to_string()).join("cgroup");
    parse_cgroups(&files::read(&path, MAX).unwrap_or_default())
}

/// `4:memory:/path` a line (cgroups(7)).
#[must_use]
pub fn parse_cgroups(text: &[u8]) -> Vec<String> {
    cgroup_lines(text).map(|(_, path)| path).collect()
}

/// The path on the hierarchy that has the memory controller: a v1 hierarchy of its own, else v2's. None where neither has a line.
#[must_use]
pub(in crate::node) fn parse_memory_cgroup(text: &[u8]) -> Option<String> {
    let all: Vec<(String, String)> = cgroup_lines(text).collect();
    let on_v1 = all.iter().position(|(controllers, _)| controllers.split(',').any(|controller| controller == "memory"));
    let found = on_v1.or_else(|| all.iter().position(|(controllers, _)| controllers.is_empty()))?;
    all.into_iter().nth(found).map(|(_, path)| path)
}

/// The controllers and the path of each line.
fn cgroup_lines(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
        let mut next = || fields.next().map(|field| String::from_utf8_lossy(field).into_owned());
        Some((next()?, next()?))
    })
}
