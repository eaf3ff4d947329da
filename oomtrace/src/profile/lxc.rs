//! LXC, whose cgroups have the name of the container (`placement`).

use crate::model::Runtime;
use crate::profile::{Kept, Profile, Total, Update};

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
    engine: |_| None,
    update: |update| update.whose.user.is_none().then(|| set(update)),
    updates_ended: false,
};

fn set(update: &Update<'_>) -> String {
    let Update { mib, total, is_v1, target, .. } = update;
    match (is_v1, total) {
        (true, Some(Total::Mib(total))) => {
            // Memory alone is never more than memory and swap together (mm/memcontrol-v1.c, 4.5 to 7.0).
            let both = format!("lxc-cgroup -n {target} memory.memsw.limit_in_bytes {total}M");
            format!("{both} && lxc-cgroup -n {target} memory.limit_in_bytes {mib}M")
        }
        (true, _) => format!("lxc-cgroup -n {target} memory.limit_in_bytes {mib}M"),
        (false, _) => format!("lxc-cgroup -n {target} memory.max {mib}M"),
    }
}
