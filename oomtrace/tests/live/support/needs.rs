//! What a scenario needs of the machine.

use std::path::Path;
use std::sync::OnceLock;

use oomtrace::node::cgroups::{self, Mode, Version};
use oomtrace::node::mounts;
use oomtrace::probe::hook::{Absent, Hook};
use oomtrace::probe::load::{Options, Probe};

use super::docker;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// No other scenario at the same time: it floods the machine, or another one's kills and clients would be in its way.
    Alone,
    /// Root, a kernel that loads the programs, and pids that are the kernel's.
    Tracing,
    /// A memory controller on a hierarchy where cgroups can be made.
    MemoryCgroup,
    /// A memory controller on cgroup v2, which has memory.oom.group, and kills when a limit is lowered.
    MemoryV2,
    /// The OOM killer's own record, by fentry.
    Fentry,
    /// Processors that do not stand still for longer than an episode waits, as those of an emulated machine do.
    SteadyCpus,
    /// A machine that belongs to the tests alone, whose memory may run out: `cargo xtask vm` makes one.
    OwnMachine,
    /// A real-time policy for a process of the tests' own.
    RealTime,
    /// Two memory nodes.
    TwoNodes,
    /// earlyoom, which looks at the whole machine.
    Earlyoom,
    /// A hierarchy with the processors' controller, below whose root cgroups with shares of their own can be made.
    CpuCgroup,
    /// A v2 hierarchy with cgroup.kill (5.14).
    CgroupKill,
    /// The private Docker daemon.
    Docker,
    /// containerd and ctr.
    Containerd,
    /// The hook that shows who connects to a runtime.
    Connections,
    /// docker-compose.
    Compose,
    /// runc, used by itself.
    Runc,
    /// crun, which wants cgroup v2 or v1, and no mix.
    Crun,
    /// LXC's tools.
    Lxc,
    /// podman, which wants cgroup v2 or v1, and no mix.
    Podman,
    /// systemd as the machine's first process.
    Systemd,
    /// systemd-oomd.
    Oomd,
    /// A user of the tests' own, with a systemd of its own.
    User,
    /// `/` is a mount point, as it is not in a chroot: runtimes make mounts private from there on, and the kernel's paths start there.
    RootMount,
    /// The tests' root is the machine's: the kernel's paths of programs are those that the tests know.
    MachineRoot,
    /// User and mount namespaces of a process's own, as unshare(1) makes them: not in a chroot.
    OwnNamespaces,
    /// File systems of a process's own.
    Fuse,
    /// curl, which can ask on a Unix socket.
    Curl,
    /// The build context of oomtrace's image.
    Image,
    /// tmux, whose terminals scenarios look at.
    Tmux,
    /// gunicorn, and a Python that is the machine's own.
    Gunicorn,
    /// A static busybox, for images and odd names.
    Busybox,
}

impl Need {
    /// Why it is not there; none when it is.
    pub fn unmet(self) -> Option<String> {
        match self {
            // It waits for it.
            Self::Alone => None,
            Self::Tracing => {
                static WHY: OnceLock<Option<String>> = OnceLock::new();
                WHY.get_or_init(why_not_tracing).clone()
            }
            Self::MemoryCgroup => {
                let all = cgroups::hierarchies().unwrap_or_default();
                cgroups::memory(&all).is_none().then(|| "no cgroup hierarchy has the memory controller".to_owned())
            }
            Self::MemoryV2 => {
                let all = cgroups::hierarchies().unwrap_or_default();
                let is_v2 = cgroups::memory(&all).is_some_and(|memory| memory.version == Version::V2);
                (!is_v2).then(|| "the memory controller is not on cgroup v2".to_owned())
            }
            Self::Fentry => (!attached_without(&[Absent::Kprobe]).contains(&Hook::OomKillProcess))
                .then(|| "this kernel has no fentry".to_owned()),
            Self::SteadyCpus => std::env::var_os("OOMTRACE_TEST_OWN_MACHINE")
                .is_some()
                .then(|| "an emulated machine's processors stand still at times".to_owned()),
            Self::OwnMachine => std::env::var_os("OOMTRACE_TEST_OWN_MACHINE")
                .is_none()
                .then(|| "its memory must not run out (cargo xtask vm makes a machine for that)".to_owned()),
            Self::RealTime => super::victim::why_no_real_time(),
            Self::TwoNodes => (!Path::new("/sys/devices/system/node/node1").exists())
                .then(|| "this machine has one memory node".to_owned()),
            Self::Earlyoom => {
                (!Path::new("/usr/bin/earlyoom").exists()).then(|| "no /usr/bin/earlyoom (earlyoom)".to_owned())
            }
            Self::CpuCgroup => {
                let file = super::cgroup::cpu_mount().map(|_| super::cgroup::Cgroup::with_cpu_controller());
                let is_there = file.is_some_and(|cgroup| cgroup.has("cpu.shares") || cgroup.has("cpu.weight"));
                (!is_there).then(|| "no cgroup hierarchy divides the processors".to_owned())
            }
            Self::CgroupKill => match super::cgroup::v2_mount() {
                None => Some("no cgroup v2 hierarchy is mounted".to_owned()),
                // The root has none; a cgroup of the tests' own shows it.
                Some(_) => (!super::cgroup::Cgroup::v2().has("cgroup.kill"))
                    .then(|| "this kernel has no cgroup.kill".to_owned()),
            },
            Self::Tmux => (!Path::new("/usr/bin/tmux").exists()).then(|| "no /usr/bin/tmux (tmux)".to_owned()),
            Self::Docker => Self::RootMount.unmet().or_else(|| {
                docker::socket()
                    .is_none()
                    .then(|| "no private Docker daemon (cargo xtask test starts one where docker.io is)".to_owned())
            }),
            Self::Containerd => {
                let missing =
                    ["/usr/bin/containerd", "/usr/bin/ctr"].into_iter().find(|path| !Path::new(path).exists());
                missing.map(|path| format!("no {path} (containerd)")).or_else(|| Self::RootMount.unmet())
            }
            Self::MachineRoot => {
                // What is mounted at the root is a file system's own root, and not a directory in one.
                let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
                let mut roots = mounts.lines().map(|line| line.split(' ').skip(3).take(2).collect::<Vec<_>>());
                (!roots.any(|mount| mount == ["/", "/"]))
                    .then(|| "the kernel has other paths for programs here than the tests (a chroot)".to_owned())
            }
            Self::RootMount => {
                let mut is_mount = false;
                let looked = mounts::each(|mount| is_mount |= mount.point == Path::new("/"));
                (looked.is_err() || !is_mount)
                    .then(|| "/ is no mount point (a chroot? mount --bind its directory on itself before)".to_owned())
            }
            Self::Connections => (!attached().contains(&Hook::UnixConnect))
                .then(|| "this kernel does not let connections be seen".to_owned()),
            Self::Image => std::env::var_os(super::image::CONTEXT)
                .is_none()
                .then(|| "no static oomtrace (cargo xtask test builds one)".to_owned()),
            Self::Compose => program("docker-compose", "docker-compose"),
            Self::Runc => program("runc", "runc").or_else(|| Self::RootMount.unmet()),
            Self::Crun => program("crun", "crun").or_else(mixed).or_else(|| Self::RootMount.unmet()),
            Self::Podman => program("podman", "podman").or_else(mixed).or_else(|| Self::RootMount.unmet()),
            Self::Systemd => (!Path::new("/run/systemd/system").exists())
                .then(|| "systemd is not the first process (cargo xtask vm --systemd)".to_owned()),
            Self::Oomd => {
                let daemon = Path::new("/lib/systemd/systemd-oomd");
                (!daemon.exists()).then(|| format!("no {} (systemd-oomd)", daemon.display()))
            }
            Self::User => (!super::user::is_there())
                .then(|| "there is no user of the tests' own (cargo xtask vm --systemd)".to_owned()),
            Self::OwnNamespaces => {
                let is_there = std::process::Command::new("unshare").args(["-U", "-r", "-m", "true"]).output();
                (!is_there.is_ok_and(|output| output.status.success())).then(|| {
                    "unshare makes no user and mount namespace (in a chroot, or by user.max_user_namespaces)".to_owned()
                })
            }
            Self::Fuse => (!Path::new("/dev/fuse").exists()).then(|| "no /dev/fuse (the kernel's FUSE)".to_owned()),
            Self::Lxc => program("lxc-start", "lxc").or_else(|| Self::RootMount.unmet()),
            Self::Curl => program("curl", "curl"),
            Self::Gunicorn => {
                (!Path::new("/usr/bin/gunicorn").exists()).then(|| "no /usr/bin/gunicorn (gunicorn)".to_owned())
            }
            Self::Busybox => {
                (!Path::new(super::process::BUSYBOX).exists()).then(|| "no /bin/busybox (busybox-static)".to_owned())
            }
        }
    }
}

/// crun and podman refuse it.
fn mixed() -> Option<String> {
    let all = cgroups::hierarchies().unwrap_or_default();
    (cgroups::mode(&all) == Mode::Hybrid).then(|| "it wants no mix of cgroup v1 and v2".to_owned())
}

/// Why a program is not there.
fn program(name: &str, package: &str) -> Option<String> {
    let directories = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let is_there = directories.iter().any(|directory| Path::new(directory).join(name).exists());
    (!is_there).then(|| format!("no {name} ({package})"))
}

/// What every oomtrace of the tests does without: names of the option --without.
pub fn without() -> Vec<String> {
    let names = std::env::var("OOMTRACE_TEST_WITHOUT").unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The hooks that oomtrace attaches on this kernel.
pub fn attached() -> &'static [Hook] {
    static ATTACHED: OnceLock<Vec<Hook>> = OnceLock::new();
    ATTACHED.get_or_init(|| attached_without(&[]))
}

fn attached_without(more: &[Absent]) -> Vec<Hook> {
    let names = without();
    let named = Absent::ALL.into_iter().filter(|absent| names.iter().any(|name| name == absent.name()));
    let options = Options { without: named.chain(more.iter().copied()).collect(), ..Options::default() };
    Probe::load(&options).map(|probe| probe.attached.clone()).unwrap_or_default()
}

fn why_not_tracing() -> Option<String> {
    // The pids that scenarios know are those of their own namespace; the kernel's are the initial one's.
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if namespace != Path::new("pid:[4026531836]") {
        return Some("not in the host's pid namespace".to_owned());
    }
    Probe::load(&Options::default()).err().map(|e| e.to_string())
}
