//! What is run on which kernel, and in what state of it.

use std::time::Duration;

use super::accelerator::Accelerator;
use super::kernel;
use super::machine::Limits;

/// What the machine's first process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// The tests themselves: they have the machine's memory to themselves.
    Tests,
    /// systemd, whose services, scopes and users the scenarios need.
    Systemd,
    /// systemd, with a Kubernetes node beside it.
    Node,
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
    /// By neither: tracepoints alone, and these without the kernel's types.
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

    /// What oomtrace is to do without.
    pub fn without(self) -> &'static str {
        match self {
            Self::Best => "",
            Self::Kprobe => "fentry",
            Self::Fentry => "kprobe",
            Self::Neither => "kprobe,fentry,tp_btf",
        }
    }
}

/// Scenarios in one state of a kernel: those whose names start with one of `only`, or all.
#[derive(Clone, Debug)]
pub struct Run {
    pub hooks: Hooks,
    pub only: Vec<String>,
}

impl Run {
    /// How long it takes, in usual runs.
    fn weight(&self) -> u64 {
        let is_hostile = self.only.is_empty() || self.only.iter().any(|only| only.starts_with("hostile"));
        if is_hostile { 3 } else { 1 }
    }
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

impl Boot {
    /// For people: `Linux 6.1.176, cgroup v2, systemd`; `version` is the kernel's.
    pub fn describe(&self, version: &str) -> String {
        let under = match self.init {
            Init::Tests => "",
            Init::Systemd => ", systemd",
            Init::Node => ", systemd, a Kubernetes node",
        };
        format!("Linux {version}, cgroup {}{under}", self.cgroups.name())
    }

    /// MiB of the machine's first memory node.
    pub fn memory(&self) -> u32 {
        // Pods have a GiB, and the API server and its like take another one.
        if self.init == Init::Node { 3072 } else { 1024 }
    }

    /// Modules of the kernel that it needs besides.
    pub fn modules(&self) -> &'static [&'static str] {
        // Pods' networks, and their containers' layers.
        if self.init == Init::Node { &["veth", "overlay"] } else { &[] }
    }

    /// Where its kernel is kept: one with other modules is another one.
    pub fn kernels(&self) -> &'static str {
        if self.init == Init::Node { "kernels-of-nodes" } else { "kernels" }
    }

    /// How long the machine may take for what: some three times what was seen on two slow cores.
    pub fn limits(&self, accelerator: Accelerator) -> Limits {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        if self.init == Init::Node {
            // How many scenarios it runs is the run's own limit's.
            let (user_space, silence, whole) = match accelerator {
                Accelerator::Kvm => (1, 4, 60),
                Accelerator::Tcg => (5, 12, 240),
            };
            let [user_space, silence, whole] = [user_space, silence, whole].map(minutes);
            return Limits { user_space, silence, standstill: Duration::from_secs(30), whole };
        }
        // Each of its runs starts oomtrace some hundred times, and hostile ones flood it for long; systemd starts a whole userland before.
        let runs = self.runs.iter().map(Run::weight).sum::<u64>();
        let (boot, run, silence, user_space): (u64, u64, u64, Duration) = match accelerator {
            Accelerator::Kvm => (1, 4, 4, Duration::from_secs(60)),
            Accelerator::Tcg => (3, 10, 6, Duration::from_secs(300)),
        };
        let init = if self.init == Init::Tests { 1 } else { 2 };
        Limits {
            user_space,
            // A scenario may wait for its patience (`machine.sh`) without a word.
            silence: minutes(silence),
            standstill: Duration::from_secs(30),
            whole: minutes(boot * init + (run * init).saturating_mul(runs)),
        }
    }
}

/// Scenarios that tell one way of hooking functions from another.
const HOOKED: [&str; 4] = ["host::a_kill", "oom::a_cgroups", "oom::a_parents", "requester::docker_kill"];
/// Scenarios that a kernel can change. The others are about runtimes and about what oomtrace does by itself.
const OF_KERNELS: [&str; 9] = [
    "host::",
    "paths::",
    "oom::",
    "machine::it_runs_out_of",
    "machine::a_",
    "machine::somebody",
    "storm::the_machine",
    "docker::a_container_over",
    "requester::docker_stop",
];
/// Of those, what a cgroup hierarchy can change.
const OF_CGROUPS: [&str; 5] =
    ["host::a_kill", "host::cgroup", "oom::", "docker::a_container_over", "requester::docker_stop"];
/// Scenarios that need systemd: units and users, and runtimes that put their containers below them; and those of daemons that
/// live beside it on a node.
const UNDER_SYSTEMD: [&str; 7] = [
    "systemd::",
    "podman::",
    "containerd::",
    "runtimes::",
    "requester::docker",
    "machine::it_runs_out_and_the_victim",
    "machine::earlyoom",
];
/// The kernel that boots with systemd in every test run.
const SYSTEMD_KERNEL: &str = "6.1";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Every kernel of `kernels` in every state. Without `only`, and unless `all` are wanted, it is the scenarios that the state can
/// change.
pub fn matrix(kernels: &[String], cgroups: &[Cgroups], only: &[String], all: bool) -> Vec<Boot> {
    let mut boots = Vec::new();
    for kernel in kernels {
        for &cgroups in cgroups {
            let best = match cgroups {
                _ if all || !only.is_empty() => only.to_vec(),
                Cgroups::V2 => names(&OF_KERNELS),
                Cgroups::Hybrid | Cgroups::V1 => names(&OF_CGROUPS),
            };
            let mut runs = vec![Run { hooks: Hooks::Best, only: best }];
            if cgroups == Cgroups::V2 {
                let hooked = hooked(only, all);
                let forced =
                    [Hooks::Kprobe, Hooks::Fentry, Hooks::Neither].into_iter().filter(|_| all || !hooked.is_empty());
                runs.extend(forced.map(|hooks| Run { hooks, only: hooked.clone() }));
            }
            boots.push(Boot { kernel: kernel.clone(), init: Init::Tests, cgroups, runs });
        }
    }
    boots
}

/// Of the scenarios that are wanted, those that run in every way of hooking functions.
fn hooked(only: &[String], all: bool) -> Vec<String> {
    let narrower = |name: &&str| -> Vec<String> {
        let both = only.iter().filter(|wanted| name.starts_with(wanted.as_str()) || wanted.starts_with(*name));
        both.map(|wanted| if wanted.len() > name.len() { wanted.clone() } else { (*name).to_owned() }).collect()
    };
    match only {
        _ if all => only.to_vec(),
        [] => names(&HOOKED),
        _ => HOOKED.iter().flat_map(narrower).collect(),
    }
}

/// The kernels of the full matrix that boot with systemd, too.
pub fn under_systemd() -> Vec<Boot> {
    let newest = kernel::MATRIX.last().copied();
    [Some(SYSTEMD_KERNEL), newest].into_iter().flatten().map(|kernel| systemd(kernel, &[])).collect()
}

/// With systemd as the first process.
pub fn systemd(kernel: &str, only: &[String]) -> Boot {
    let only = if only.is_empty() { names(&UNDER_SYSTEMD) } else { only.to_vec() };
    let runs = vec![Run { hooks: Hooks::Best, only }];
    Boot { kernel: kernel.to_owned(), init: Init::Systemd, cgroups: Cgroups::V2, runs }
}

/// One that runs a Kubernetes node; what is run on that is the node's own.
pub fn node() -> Boot {
    Boot { kernel: SYSTEMD_KERNEL.to_owned(), init: Init::Node, cgroups: Cgroups::V2, runs: Vec::new() }
}

/// What every test run sees: what only a machine of its own shows, on 6.1, which comes first and must run; then systemd; and on
/// the other kernels what a kernel may change.
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
        let best: &[&str] = if is_main {
            &["machine::", "oom::", "requester::", "storm::the_machine"]
        } else {
            &["host::", "oom::", "paths::"]
        };
        let mut runs = vec![Run { hooks: Hooks::Best, only: names(best) }];
        if !is_main {
            let hooks = [Hooks::Fentry, Hooks::Neither];
            runs.extend(hooks.map(|hooks| Run { hooks, only: names(&["oom::a_cgroup", "oom::trigger"]) }));
        }
        if is_main {
            boots.insert(0, boot(kernel, runs));
        } else {
            boots.push(boot(kernel, runs));
        }
    }
    boots.insert(1, systemd(SYSTEMD_KERNEL, &[]));
    boots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_of_hooking_are_for_what_they_change() {
        let of = |only: &[&str], all| hooked(&names(only), all);
        assert_eq!(of(&[], false), names(&HOOKED));
        assert_eq!(of(&["hostile::"], false), Vec::<String>::new());
        assert_eq!(of(&["oom::"], false), ["oom::a_cgroups", "oom::a_parents"]);
        assert_eq!(of(&["host::a_kill_names"], false), ["host::a_kill_names"]);
        assert_eq!(of(&["hostile::"], true), ["hostile::"]);
        let boots = matrix(&names(&["6.1"]), &[Cgroups::V2], &names(&["hostile::"]), false);
        assert_eq!(boots[0].runs.len(), 1);
    }

    #[test]
    fn what_must_run_comes_first_and_a_limit_fits_the_machine() {
        let quick = quick();
        assert_eq!((quick[0].kernel.as_str(), quick[0].init), (SYSTEMD_KERNEL, Init::Tests));
        assert_eq!(quick[1].init, Init::Systemd);
        for boot in &quick {
            let [kvm, tcg] = [Accelerator::Kvm, Accelerator::Tcg].map(|accelerator| boot.limits(accelerator));
            assert!(kvm.whole < tcg.whole && kvm.user_space < tcg.user_space && kvm.silence < kvm.whole, "{boot:?}");
        }
    }
}
