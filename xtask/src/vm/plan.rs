//! What is run on which kernel, and in what state of it.

use super::kernel;

/// What the machine's first process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// The tests themselves: they have the machine's memory to themselves.
    Tests,
    /// systemd, whose services, scopes and users the scenarios need.
    Systemd,
}

/// Which cgroup hierarchies are mounted. systemd decides for itself: v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroups {
    V2,
    /// Controllers on v1, and a v2 hierarchy without any.
    Hybrid,
    V1,
}

impl Cgroups {
    pub const ALL: [Self; 3] = [Self::V2, Self::Hybrid, Self::V1];

    pub fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
            Self::V1 => "v1",
        }
    }
}

/// How functions of the kernel are hooked, for the OOM killer's record and for connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// As oomtrace finds best.
    Best,
    Kprobe,
    Fentry,
    /// By neither: tracepoints alone.
    Neither,
}

impl Hooks {
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Kprobe => "kprobe",
            Self::Fentry => "fentry",
            Self::Neither => "neither",
        }
    }

    /// What oomtrace is told to do without.
    pub fn without(self) -> &'static str {
        match self {
            Self::Best => "",
            Self::Kprobe => "fentry",
            Self::Fentry => "kprobe",
            Self::Neither => "kprobe,fentry",
        }
    }
}

/// Scenarios in one state of a kernel: those whose names start with one of `only`, or all.
#[derive(Clone, Debug)]
pub struct Run {
    pub hooks: Hooks,
    pub only: Vec<String>,
}

/// A machine that is booted once.
#[derive(Clone, Debug)]
pub struct Boot {
    /// As `kernel::fetch` takes it.
    pub kernel: String,
    pub init: Init,
    pub cgroups: Cgroups,
    pub runs: Vec<Run>,
}

/// Scenarios that tell one way of hooking functions from another.
const HOOKED: [&str; 4] = ["host::a_kill", "oom::a_", "requester::docker_kill", "machine::it_runs_out_of"];
/// Scenarios that a kernel can change; the others are about runtimes, and are run on the kernel that boots with systemd.
const OF_KERNELS: [&str; 10] = [
    "host::",
    "paths::",
    "oom::",
    "machine::",
    "conditions::",
    "docker::a_container",
    "docker::docker_kill",
    "docker::docker_stop",
    "docker::an_init",
    "requester::docker_stop",
];
/// Scenarios that need systemd: units and users, and runtimes that put their containers below them.
const UNDER_SYSTEMD: [&str; 5] =
    ["systemd::", "podman::", "runtimes::", "requester::docker", "machine::it_runs_out_and_the_victim"];
/// The kernel that boots with systemd, besides the newest.
const SYSTEMD_KERNEL: &str = "6.1";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Every kernel of `kernels` in every state. Without `only`, and unless `all` are wanted, scenarios that no kernel changes are
/// run on one.
pub fn matrix(kernels: &[String], cgroups: &[Cgroups], only: &[String], all: bool) -> Vec<Boot> {
    let mut boots = Vec::new();
    for kernel in kernels {
        let is_complete = all || !only.is_empty() || kernel == SYSTEMD_KERNEL;
        for &cgroups in cgroups {
            let best = if is_complete { only.to_vec() } else { names(&OF_KERNELS) };
            let mut runs = vec![Run { hooks: Hooks::Best, only: best }];
            if cgroups == Cgroups::V2 {
                let hooked = if only.is_empty() { names(&HOOKED) } else { only.to_vec() };
                let forced = [Hooks::Kprobe, Hooks::Fentry, Hooks::Neither];
                runs.extend(forced.map(|hooks| Run { hooks, only: hooked.clone() }));
            }
            boots.push(Boot { kernel: kernel.clone(), init: Init::Tests, cgroups, runs });
        }
        let newest = kernel::MATRIX.last().copied();
        if only.is_empty() && cgroups.contains(&Cgroups::V2) && [Some(SYSTEMD_KERNEL), newest].contains(&Some(kernel)) {
            boots.push(systemd(kernel, only));
        }
    }
    boots
}

/// With systemd as the first process.
pub fn systemd(kernel: &str, only: &[String]) -> Boot {
    let only = if only.is_empty() { names(&UNDER_SYSTEMD) } else { only.to_vec() };
    let runs = vec![Run { hooks: Hooks::Best, only }];
    Boot { kernel: kernel.to_owned(), init: Init::Systemd, cgroups: Cgroups::V2, runs }
}

/// What every test run sees: what only a machine of its own shows, on 6.1; and on the other kernels what a kernel may change.
pub fn quick() -> Vec<Boot> {
    let boot = |kernel: &str, runs: Vec<Run>| Boot {
        kernel: kernel.to_owned(),
        init: Init::Tests,
        cgroups: Cgroups::V2,
        runs,
    };
    let mut boots = Vec::new();
    for kernel in kernel::QUICK {
        let is_main = kernel == SYSTEMD_KERNEL;
        let best: &[&str] =
            if is_main { &["machine::", "oom::", "requester::"] } else { &["host::", "oom::", "paths::"] };
        let mut runs = vec![Run { hooks: Hooks::Best, only: names(best) }];
        if !is_main {
            let hooks = [Hooks::Fentry, Hooks::Neither];
            runs.extend(hooks.map(|hooks| Run { hooks, only: names(&["oom::a_cgroup", "oom::trigger"]) }));
        }
        boots.push(boot(kernel, runs));
    }
    boots.push(systemd(SYSTEMD_KERNEL, &[]));
    boots
}
