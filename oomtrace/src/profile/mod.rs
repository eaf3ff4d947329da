//! What is known of each container runtime before anything is asked: what it is called, how it names cgroups, its programs, its
//! sockets, where it keeps its state, and how its containers' limits are changed. A file a runtime; what it then knows of a container is
//! read in `container::runtime`.
//! Programs that manage processes without being runtimes have one table, `manager`.

use std::borrow::Cow;

use crate::model::Runtime;

pub mod containerd;
mod crio;
mod crun;
mod docker;
mod lxc;
pub mod manager;
mod nerdctl;
mod podman;
mod runc;

/// See the module's documentation. Names of programs are those of their files; one that ends in `*` is the beginning of a name.
pub struct Profile {
    pub runtime: Runtime,
    /// What stands before the id in the name of a container's cgroup: `docker-` of `docker-ID.scope`.
    pub cgroup_prefix: Option<&'static str>,
    /// Programs that make and end its containers, its daemons among them.
    pub programs: &'static [&'static str],
    /// Those of them, and what works for them, that do what others ask for.
    pub daemons: &'static [&'static str],
    /// Those of them that containers' first processes are children of.
    pub shims: &'static [&'static str],
    /// Command-line clients.
    pub clients: &'static [&'static str],
    /// Units of systemd's that its programs may be in with a mount namespace of their own.
    pub units: &'static [&'static str],
    /// Where it takes requests, besides the sockets that are options of oomtrace's; a `*` stands for the number of a user who is logged in.
    pub sockets: &'static [&'static str],
    /// What it keeps in files, that must be mounted where oomtrace runs in a container.
    pub kept: Option<Kept>,
    /// Where a container's memory limit is written down.
    pub limit_setting: &'static str,
    /// The command line of its client, for those containers; none where there is none for people.
    pub engine: fn(&Whose<'_>) -> Option<String>,
    /// The command that gives a running container another memory limit; none where nothing does but its orchestrator.
    pub update: fn(&Update<'_>) -> Option<String>,
    /// The command takes a container that has ended as well, for its next start.
    pub updates_ended: bool,
}

/// Files of a runtime's.
pub struct Kept {
    /// Whose they are, for people.
    pub owner: &'static str,
    pub path: &'static str,
    /// What is not known without them.
    pub cost: &'static str,
}

/// A new memory limit for a container.
pub struct Update<'a> {
    /// In MiB.
    pub mib: u64,
    /// Memory and swap together; none where nothing is known of swap.
    pub total: Option<Total>,
    /// The memory controller is on a v1 hierarchy.
    pub is_v1: bool,
    /// The container's name or id, as a shell takes it.
    pub target: &'a str,
    pub whose: Whose<'a>,
}

/// Whom a client must ask for a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose<'a> {
    /// The user whose own the container is; none: the machine's.
    pub user: Option<u32>,
    /// The daemon's socket as a URL, as a shell takes it, where that is not the one that a client asks by itself.
    pub url: Option<Cow<'a, str>>,
}

/// A limit of memory and swap together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// In MiB.
    Mib(u64),
    Unlimited,
}

/// How most write down that a container has a limit.
const USUAL_SETTING: &str = "the container's memory limit";

/// All of them.
pub const ALL: [&Profile; 8] = [
    &docker::PROFILE,
    &containerd::PROFILE,
    &crio::PROFILE,
    &podman::PROFILE,
    &nerdctl::PROFILE,
    &lxc::PROFILE,
    &runc::PROFILE,
    &crun::PROFILE,
];

/// Programs that make containers for one of the runtimes, and have no profile of their own.
pub const OTHER_PROGRAMS: &[&str] = &["youki", "runsc", "kata-runtime", "buildah"];

/// What is known of `runtime`.
#[must_use]
pub const fn of(runtime: Runtime) -> &'static Profile {
    match runtime {
        Runtime::Docker => &docker::PROFILE,
        Runtime::Containerd => &containerd::PROFILE,
        Runtime::Crio => &crio::PROFILE,
        Runtime::Podman => &podman::PROFILE,
        Runtime::Nerdctl => &nerdctl::PROFILE,
        Runtime::Lxc => &lxc::PROFILE,
        Runtime::Runc => &runc::PROFILE,
        Runtime::Crun => &crun::PROFILE,
    }
}

/// `docker update` and its like, which take the limit of swap along: Docker refuses one without the other.
fn engine_update(engine: fn(&Whose<'_>) -> Option<String>, update: &Update<'_>) -> Option<String> {
    let Update { mib, total, target, whose, .. } = update;
    let total = match total {
        Some(Total::Mib(total)) => format!("{total}m"),
        Some(Total::Unlimited) => "-1".to_owned(),
        None => format!("{mib}m"),
    };
    Some(format!("{} update --memory {mib}m --memory-swap {total} {target}", engine(whose)?))
}

/// What is known of a runtime that is used without an engine above it: its one program.
const fn by_itself(
    runtime: Runtime,
    program: &'static [&'static str],
    update: fn(&Update<'_>) -> Option<String>,
) -> Profile {
    Profile {
        runtime,
        cgroup_prefix: None,
        programs: program,
        daemons: &[],
        shims: &[],
        clients: &[],
        units: &[],
        sockets: &[],
        kept: None,
        limit_setting: "linux.resources.memory.limit in the container's config.json",
        engine: |_| None,
        update,
        updates_ended: false,
    }
}

/// `runc update` and its like, of the machine's containers.
fn oci_update(program: &str, update: &Update<'_>) -> Option<String> {
    let Update { mib, total, target, whose, .. } = update;
    let swap = match total {
        Some(Total::Mib(total)) => format!(" --memory-swap {}", total << 20),
        Some(Total::Unlimited) | None => String::new(),
    };
    whose.user.is_none().then(|| format!("{program} update --memory {}{swap} {target}", mib << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_has_one_profile_and_it_is_its_own() {
        for profile in ALL {
            assert_eq!(of(profile.runtime).runtime, profile.runtime);
            let same = ALL.iter().filter(|other| other.runtime == profile.runtime).count();
            assert_eq!(same, 1, "{}", profile.runtime.name());
            assert!(profile.shims.iter().all(|shim| profile.daemons.contains(shim)), "{}", profile.runtime.name());
        }
    }

    #[test]
    fn each_engine_has_its_own_command_and_a_users_container_is_no_one_elses() {
        for (runtime, user, command) in [
            (Runtime::Docker, None, Some("docker update --memory 768m --memory-swap 768m web")),
            (Runtime::Podman, None, Some("podman update --memory 768m --memory-swap 768m web")),
            (Runtime::Nerdctl, None, Some("nerdctl update --memory 768m --memory-swap 768m web")),
            (Runtime::Runc, None, Some("runc update --memory 805306368 web")),
            (Runtime::Crun, None, Some("crun update --memory 805306368 web")),
            (Runtime::Lxc, None, Some("lxc-cgroup -n web memory.max 768M")),
            (Runtime::Containerd, None, None),
            (Runtime::Crio, None, None),
            (
                Runtime::Docker,
                Some(7),
                Some(
                    "sudo -u '#7' docker --host unix:///run/user/7/docker.sock update --memory 768m --memory-swap 768m web",
                ),
            ),
            (
                Runtime::Podman,
                Some(7),
                Some("sudo -u '#7' XDG_RUNTIME_DIR=/run/user/7 podman update --memory 768m --memory-swap 768m web"),
            ),
            (Runtime::Nerdctl, Some(7), None),
            (Runtime::Runc, Some(7), None),
            (Runtime::Lxc, Some(7), None),
        ] {
            let update =
                Update { mib: 768, total: None, is_v1: false, target: "web", whose: Whose { user, url: None } };
            assert_eq!((of(runtime).update)(&update).as_deref(), command, "{} {user:?}", runtime.name());
        }
    }

    #[test]
    fn a_daemon_elsewhere_is_asked_by_its_socket() {
        for (runtime, user, engine) in [
            (Runtime::Docker, None, Some("docker --host unix:///srv/other.sock")),
            (Runtime::Docker, Some(7), Some("sudo -u '#7' docker --host unix:///run/user/7/docker.sock")),
            (Runtime::Podman, None, Some("podman")),
            (Runtime::Containerd, None, None),
        ] {
            let whose = Whose { user, url: Some("unix:///srv/other.sock".into()) };
            assert_eq!((of(runtime).engine)(&whose).as_deref(), engine, "{} {user:?}", runtime.name());
        }
    }

    #[test]
    fn what_a_container_may_swap_is_left_to_it() {
        for (runtime, total, is_v1, command) in [
            (Runtime::Docker, Total::Mib(1280), false, "docker update --memory 768m --memory-swap 1280m web"),
            (Runtime::Docker, Total::Unlimited, false, "docker update --memory 768m --memory-swap -1 web"),
            (Runtime::Runc, Total::Mib(1280), false, "runc update --memory 805306368 --memory-swap 1342177280 web"),
            (Runtime::Runc, Total::Unlimited, false, "runc update --memory 805306368 web"),
            (Runtime::Lxc, Total::Mib(1280), false, "lxc-cgroup -n web memory.max 768M"),
            (Runtime::Lxc, Total::Unlimited, true, "lxc-cgroup -n web memory.limit_in_bytes 768M"),
            (
                Runtime::Lxc,
                Total::Mib(1280),
                true,
                "lxc-cgroup -n web memory.memsw.limit_in_bytes 1280M && lxc-cgroup -n web memory.limit_in_bytes 768M",
            ),
        ] {
            let update = Update { mib: 768, total: Some(total), is_v1, target: "web", whose: Whose::default() };
            assert_eq!((of(runtime).update)(&update).as_deref(), Some(command), "{} {total:?}", runtime.name());
        }
    }
}
