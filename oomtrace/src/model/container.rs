//! A part of the contract: a container.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Pod, Runtime};

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// Its id, as its runtime has it: mostly 64 hexadecimal digits, for LXC and `ctr` a name.
    pub id: String,
    /// Its name, as its runtime has it. Null: not known, or the runtime gives none.
    pub name: Option<String>,
    /// Its runtime. Null: several runtimes name cgroups so, and none of them knows it.
    pub runtime: Option<Runtime>,
    /// The socket of the very containerd that has it, for a node may have several; of Docker's daemon, where that is not the one that its
    /// client asks by itself. Null: another runtime, Docker's usual socket, or not known.
    #[serde(default)]
    pub runtime_socket: Option<String>,
    /// The image that it was made of.
    pub image: Option<String>,
    /// Pid of its first process, on the host.
    pub init_pid: Option<u32>,
    /// The Kubernetes pod that it belongs to.
    pub pod: Option<Pod>,
    /// Its labels, as its runtime has them; secrets of known shapes are masked. Null: not known.
    pub labels: Option<BTreeMap<String, String>>,
    /// Path of the container's own cgroup.
    pub cgroup: String,
    /// Its runtime says that the container has this cgroup. False: only the cgroup's name says so, which whoever made the cgroup
    /// chose.
    #[serde(default = "confirmed")]
    pub confirmed: bool,
    /// The user whose own runtime it is of, by a uid of the host; null: the machine's.
    #[serde(default)]
    pub user: Option<u32>,
    /// Its memory limits as its runtime has them; those of the kernel are in `memory.levels`.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// When its runtime starts it again, as that writes it: `always`, `on-failure:3`.
    #[serde(default)]
    pub restart_policy: Option<String>,
    /// How often its runtime had started it again by itself when this life of it began. Null: not known.
    #[serde(default)]
    pub restart_count: Option<u32>,
    /// Its runtime removes it when it ends (`docker run --rm`). Null: not known.
    #[serde(default)]
    pub auto_remove: Option<bool>,
    /// The signal that its runtime stops it by, as that has it; null: SIGTERM, or not known.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// How long its runtime then waits before it kills, in seconds, unless whoever asks says otherwise; null: not known.
    #[serde(default)]
    pub stop_timeout_s: Option<u64>,
    /// The container that this one runs in: Docker in Docker, kind.
    #[serde(default)]
    pub outer: Option<Box<Container>>,
}

/// Digits of the ids that most runtimes make; other ids are names, which are unique within one runtime's one namespace alone.
const ID_LEN: usize = 64;

/// Of what was written before it was asked.
const fn confirmed() -> bool {
    true
}

impl Container {
    /// Both are the same container: by its whole identity, never by its name or id alone, which somebody else's may have, too.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        // On a node with several hierarchies one container may have several paths; which of them it has, its runtime has confirmed.
        let same_place = self.cgroup == other.cgroup || (self.confirmed && other.confirmed && self.id.len() == ID_LEN);
        same_place && (&self.id, &self.runtime, self.user) == (&other.id, &other.runtime, other.user)
    }

    /// It, and those that it runs in, the innermost first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |container| container.outer.as_deref())
    }
}

/// The memory limits that a container's runtime was given. Null: none, or not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The limit of memory.
    pub memory_bytes: Option<u64>,
    /// The limit of memory and swap together.
    pub memory_and_swap_bytes: Option<u64>,
    /// The soft limit: Docker's --memory-reservation, memory.low or memory.soft_limit_in_bytes.
    pub reservation_bytes: Option<u64>,
}
