//! The limit of a systemd unit, or of any other cgroup, in the words of whoever sets it: the unit's property, or the kernel's file.

use crate::judge::judgement::{Judgement, LimitHolder, Reason};
use crate::model::{Advice, Container, Incident, LimitOwner};
use crate::placement::user_of;
use crate::text::bytes;
use crate::text::quote::quote;
use crate::words::advice::figure::{self, Figure, Swap};
use crate::words::advice::{advice, is_plain, nature, with_program};

/// Where a v2 hierarchy, and the memory controller's v1 hierarchy, are mounted by systemd and by others.
const V2: &str = "/sys/fs/cgroup";
const V1: &str = "/sys/fs/cgroup/memory";

/// For the limit of a service or a scope.
pub fn of_unit(incident: &Incident, judgement: &Judgement) -> Vec<Advice> {
    if let Some(instead) = nature::not_the_limit(incident, judgement) {
        return vec![instead];
    }
    let owner = owner(incident);
    // The unit that the limit is of may be another one than the victim's, which lies below it.
    let name = owner.and_then(|owner| owner.path.rsplit('/').next());
    let unit = incident.unit.as_deref().filter(|unit| name == Some(*unit)).or(name);
    let figure = figure::figure(incident, &judgement.limits_before);
    let size = figure.as_ref().map(|figure| format!(" to {} or more", bytes(figure.mib << 20))).unwrap_or_default();
    let basis = figure.as_ref().map(|figure| format!(": {}", figure.basis)).unwrap_or_default();
    let lost = unit.filter(|unit| unit.ends_with(".scope")).map(|_| "; a scope's limit is gone with the scope");
    let raise = Advice {
        action: format!("raise the unit's MemoryMax={size}, or find out what grew"),
        why: format!("the unit used all that its limit allows{basis}{}", lost.unwrap_or_default()),
        command: unit.zip(figure).and_then(|(unit, figure)| match judgement.without_systemd {
            // What is called like a unit is none.
            true => write(incident, owner?, &figure),
            false => set_property(incident, unit, figure.mib),
        }),
    };
    with_program(incident, judgement, vec![raise])
}

/// systemd keeps what is set so for the next start, in a drop-in of its own (systemctl(1)).
fn set_property(incident: &Incident, unit: &str, mib: u64) -> Option<String> {
    // A unit of a container's own systemd may be called as one of the machine's; one around the containers is the machine's.
    let path = &owner(incident)?.path;
    let is_within =
        |cgroup: &str| path.strip_prefix(cgroup).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if incident.container.iter().flat_map(Container::chain).any(|found| is_within(&found.cgroup)) || !is_plain(unit) {
        return None;
    }
    Some(match user_of(path) {
        // Only what lies below the user's own manager is that one's to change.
        Some(uid) if path.contains(&format!("/user@{uid}.service/")) => {
            format!(
                "sudo -u '#{uid}' XDG_RUNTIME_DIR=/run/user/{uid} systemctl --user set-property {unit} MemoryMax={mib}M"
            )
        }
        _ => format!("systemctl set-property {unit} MemoryMax={mib}M"),
    })
}

/// For the limit of a cgroup that is no container's, pod's, service's or scope's.
pub fn of_cgroup(incident: &Incident, judgement: &Judgement) -> Vec<Advice> {
    let owner = owner(incident);
    // The kubelet's own: of a QoS class, or of all pods.
    if owner.is_some_and(|owner| owner.path.starts_with("/kubepods")) {
        return vec![advice(
            "give the node's pods limits that add up to less, or move pods to other nodes; the kubelet sets this limit (kubeReserved, systemReserved, \
             evictionHard)",
            "the node's pods, or those of one QoS class, together used all that the kubelet leaves them",
        )];
    }
    if let Some(instead) = nature::not_the_limit(incident, judgement) {
        return vec![instead];
    }
    let place = owner.map_or_else(String::new, |owner| format!(" {}", quote(&owner.path)));
    let is_own = matches!(judgement.reason, Reason::Limit { holder: LimitHolder::OwnCgroup, .. });
    let why = if is_own {
        "the victim's cgroup used all that its own limit allows"
    } else {
        "the victim's own cgroup was below its limit; the sum in a parent was not"
    };
    let figure = figure::figure(incident, &judgement.limits_before);
    let size = figure.as_ref().map(|figure| format!(" to {} or more", bytes(figure.mib << 20))).unwrap_or_default();
    let basis = figure.as_ref().map(|figure| format!(": {}", figure.basis)).unwrap_or_default();
    let raise = Advice {
        action: format!("raise the limit of the cgroup{place}{size}, or lower what lives below it"),
        why: format!("{why}{basis}"),
        command: owner.zip(figure).and_then(|(owner, figure)| set(incident, owner, &figure, judgement.without_systemd)),
    };
    if is_own { with_program(incident, judgement, vec![raise]) } else { vec![raise] }
}

/// The command for a cgroup that is no unit's.
fn set(incident: &Incident, owner: &LimitOwner, figure: &Figure, without_systemd: bool) -> Option<String> {
    let name = owner.path.rsplit('/').next().filter(|name| !name.is_empty())?;
    // What systemd has made it also sets, and sets again.
    if name.ends_with(".slice") && !without_systemd {
        return set_property(incident, name, figure.mib);
    }
    write(incident, owner, figure)
}

/// The kernel's own file.
fn write(incident: &Incident, owner: &LimitOwner, Figure { mib, .. }: &Figure) -> Option<String> {
    let is_v1 = figure::is_v1(incident)?;
    let is_hosts = owner.path.split('/').skip(1).all(is_plain);
    if !is_hosts || !owner.path.starts_with('/') {
        return None;
    }
    let write = |size: u64, file: &str| {
        let mount = if is_v1 { V1 } else { V2 };
        format!("echo {size}M > {mount}{}/{file}", owner.path)
    };
    Some(match (is_v1, figure::swap(incident)) {
        (false, _) => write(*mib, "memory.max"),
        // Memory alone is never more than memory and swap together (mm/memcontrol-v1.c, 4.5 to 7.0).
        (true, Swap::Bytes(swap)) => {
            let both = write(mib.saturating_add(swap >> 20), "memory.memsw.limit_in_bytes");
            format!("{both} && {}", write(*mib, "memory.limit_in_bytes"))
        }
        (true, _) => write(*mib, "memory.limit_in_bytes"),
    })
}

fn owner(incident: &Incident) -> Option<&LimitOwner> {
    incident.oom.as_ref()?.limit_owner.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::judge;
    use crate::judge::tests::{case, oom};
    use crate::model::{LimitLevel, MemoryLevel, OomScope};

    #[test]
    fn without_systemd_a_units_limit_is_the_kernels_file() {
        let path = "/system.slice/web.service";
        let mut incident = oom(&[(path, 512, Some(512))], Some((0, LimitLevel::Unit)), OomScope::Memcg);
        incident.memory.as_mut().unwrap().levels[0].swap_usage_bytes = Some(0);
        for (systemd, command) in [
            (None, "systemctl set-property web.service MemoryMax=768M"),
            (Some(true), "systemctl set-property web.service MemoryMax=768M"),
            (Some(false), "echo 768M > /sys/fs/cgroup/system.slice/web.service/memory.max"),
        ] {
            let mut case = case(incident.clone());
            case.systemd = systemd;
            assert_eq!(of_unit(&incident, &judge(&case))[0].command.as_deref(), Some(command), "{systemd:?}");
        }
    }

    fn said(path: &str, level: LimitLevel, change: impl FnOnce(&mut MemoryLevel)) -> Option<String> {
        let mut incident = oom(&[(path, 512, Some(512))], Some((0, level)), OomScope::Memcg);
        change(&mut incident.memory.as_mut().unwrap().levels[0]);
        let judgement = judge(&case(incident.clone()));
        let all = if level == LimitLevel::Unit { of_unit } else { of_cgroup }(&incident, &judgement);
        all[0].command.clone()
    }

    #[test]
    fn a_cgroups_limit_is_the_kernels_file() {
        let on_v2 = |level: &mut MemoryLevel| level.swap_usage_bytes = Some(0);
        let on_v1 = |both: Option<u64>| {
            move |level: &mut MemoryLevel| {
                (level.memsw_usage_bytes, level.memsw_limit_bytes) = (Some(0), both.map(|mib| mib << 20));
            }
        };
        let slice = |path, change: &dyn Fn(&mut MemoryLevel)| said(path, LimitLevel::Slice, change);
        let v2 = Some("echo 768M > /sys/fs/cgroup/jobs/a/memory.max".to_owned());
        assert_eq!(slice("/jobs/a", &on_v2), v2);
        let alone = Some("echo 768M > /sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes".to_owned());
        assert_eq!(slice("/jobs/a", &on_v1(None)), alone);
        let both = "echo 1280M > /sys/fs/cgroup/memory/jobs/a/memory.memsw.limit_in_bytes && \
                    echo 768M > /sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes";
        assert_eq!(slice("/jobs/a", &on_v1(Some(1024))), Some(both.to_owned()));
        for path in ["/jobs/$(x)", "/jobs/a b", "/a/../b;c", "jobs"] {
            assert_eq!(slice(path, &on_v2), None, "{path}");
        }
        // Which hierarchy is not known.
        assert_eq!(slice("/jobs/a", &|_| {}), None);
        let systemds = Some("systemctl set-property shop.slice MemoryMax=768M".to_owned());
        assert_eq!(slice("/shop.slice", &on_v2), systemds);
    }

    #[test]
    fn a_slice_around_a_container_is_the_machines_and_one_within_it_is_not() {
        for (path, command) in [
            ("/shop.slice", Some("systemctl set-property shop.slice MemoryMax=768M")),
            ("/shop.slice/x.scope/own.slice", None),
            ("/shop.slice/x.scopes.slice", Some("systemctl set-property x.scopes.slice MemoryMax=768M")),
        ] {
            let mut incident = oom(&[(path, 512, Some(512))], Some((0, LimitLevel::Slice)), OomScope::Memcg);
            incident.memory.as_mut().unwrap().levels[0].swap_usage_bytes = Some(0);
            let cgroup = "/shop.slice/x.scope".to_owned();
            incident.container = Some(Container { cgroup, ..crate::judge::tests::container("x") });
            let judgement = judge(&case(incident.clone()));
            assert_eq!(of_cgroup(&incident, &judgement)[0].command.as_deref(), command, "{path}");
        }
    }

    #[test]
    fn a_units_limit_is_its_managers_property() {
        for (path, command) in [
            ("/system.slice/web.service", Some("systemctl set-property web.service MemoryMax=768M")),
            ("/system.slice/a b.service", None),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app.service",
                Some(
                    "sudo -u '#1000' XDG_RUNTIME_DIR=/run/user/1000 systemctl --user set-property app.service MemoryMax=768M",
                ),
            ),
            (
                "/user.slice/user-1000.slice/session-3.scope",
                Some("systemctl set-property session-3.scope MemoryMax=768M"),
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service",
                Some("systemctl set-property user@1000.service MemoryMax=768M"),
            ),
        ] {
            assert_eq!(said(path, LimitLevel::Unit, |_| {}).as_deref(), command, "{path}");
        }
    }
}
