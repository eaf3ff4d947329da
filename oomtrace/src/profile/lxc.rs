//! LXC, whose cgroups have the name of the container (`placement`).

use crate::model::Runtime;
use crate::profile::{Kept, Profile, Update};

pub const PROFILE: Profile = Profile {
    runtime: Runtime::Lxc,
    cgroup_prefix: None,
    programs: &["lxc-start", "lxc-stop"],
    daemons: &["lxc-start"],
    shims: &[],
    clients: &[],
    units: &[],
    sockets: &[],
    kept: Some(Kept { owner: "LXC", path: "/var/lib/lxc", cost: "memory limits of LXC's containers" }),
    limit_setting: "lxc.cgroup2.memory.max (lxc.cgroup.memory.limit_in_bytes) in the container's configuration",
    update: |update| {
        let Update { mib, target, user } = update;
        user.is_none().then(|| format!("lxc-cgroup -n {target} memory.max {mib}M"))
    },
};
