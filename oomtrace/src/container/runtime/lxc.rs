//! LXC: a container's name is its id, and its configuration file says the limits (lxc.container.conf(5), 2.0 to 6.0).

use std::path::Path;

use crate::container::is_file_name;
use crate::container::metadata::Metadata;
use crate::container::statement::Statement;
use crate::model::Limits;
use crate::node::files;
use crate::node::territory::Territory;
use crate::placement::Runtime;

/// Where containers are by default (`lxc.lxcpath`).
const FOLDER: &str = "/var/lib/lxc";
/// No configuration is larger.
const MAX_CONFIG: u64 = 1 << 20;

/// What LXC says of the container `name`; its name and no more when it has no configuration here. Where its cgroup is, is what LXC does
/// by default: at its hierarchy's root, where only root makes any (`lxc.cgroup.pattern`).
#[must_use]
pub fn find(name: &str) -> Metadata {
    let known = Metadata { runtime: Some(Runtime::Lxc), name: Some(name.to_owned()), ..Metadata::default() }.bounded();
    if !is_file_name(name) {
        return known;
    }
    let folder = Territory::of_system(Path::new(FOLDER));
    match folder.and_then(|folder| folder.read(Path::new(name).join("config"), MAX_CONFIG)) {
        Ok(config) => {
            let paths = ["/lxc.payload.", "/lxc.payload/", "/lxc/"].map(|start| format!("{start}{name}")).into();
            Metadata { limits: limits(&files::text(config)), stated: Statement { paths, init: None }, ..known }
        }
        Err(_) => known,
    }
}

/// The limits in a container's configuration.
#[must_use]
pub fn limits(config: &str) -> Option<Limits> {
    let mut limits = Limits::default();
    for (key, value) in config.lines().filter_map(|line| line.split_once('=')) {
        let value = bytes(value.trim());
        match key.trim() {
            "lxc.cgroup2.memory.max" | "lxc.cgroup.memory.limit_in_bytes" => limits.memory_bytes = value,
            "lxc.cgroup.memory.memsw.limit_in_bytes" => limits.memory_and_swap_bytes = value,
            "lxc.cgroup2.memory.low" | "lxc.cgroup.memory.soft_limit_in_bytes" => limits.reservation_bytes = value,
            _ => {}
        }
    }
    (limits != Limits::default()).then_some(limits)
}

/// `50M`, as the kernel takes it (lib/cmdline.c, `memparse`).
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text.get(digits.len()..)?.to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_configuration() {
        let found = limits("lxc.uts.name = web\nlxc.cgroup2.memory.max = 50M\nlxc.cgroup2.memory.low=1048576\n");
        let (memory_bytes, reservation_bytes) = (Some(50 << 20), Some(1 << 20));
        assert_eq!(found, Some(Limits { memory_bytes, memory_and_swap_bytes: None, reservation_bytes }));
        assert_eq!(limits("lxc.cgroup2.memory.max = max\n"), None);
        assert_eq!(bytes("99999999999G"), None);
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_no_path() {
        assert_eq!(find("../../etc").limits, None);
    }
}
