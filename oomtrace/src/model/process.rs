//! A part of the contract: a process, and how it ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its pid on the host: the thread group's id.
    pub pid: u32,
    /// The thread that was seen, of those that it has.
    pub tid: Option<u32>,
    /// The parent's pid.
    pub ppid: Option<u32>,
    /// The name that the kernel has for it (comm): at most 15 bytes, and whatever the process chose.
    pub comm: String,
    /// Path of the executable in the process's own mount namespace.
    pub exe: Option<String>,
    /// Its arguments, the program's name first. Secrets of known shapes are masked unless --no-redact is given; --no-cmdline leaves
    /// all but the first out. Null: they could not be read.
    pub cmdline: Option<Vec<String>>,
    /// There were more arguments than are shown.
    pub cmdline_truncated: bool,
    /// Its user id in the host's user namespace.
    pub uid: Option<u32>,
    /// The host's name of that. Null for a process in a container, or in namespaces of its own: its users are not the host's.
    pub user: Option<String>,
    /// When the process started.
    pub started: Option<String>,
    /// Path of its cgroup: on the default hierarchy, or on that of the memory controller where only that one keeps
    /// processes apart.
    pub cgroup: Option<String>,
    /// Its pid in its innermost pid namespace.
    pub pid_in_namespace: Option<u32>,
    /// The namespaces that say what its executable's path and its uid are worth. Null: the kernel did not say.
    #[serde(default)]
    pub namespaces: Option<Namespaces>,
}

/// Namespaces of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// The inode number of its mount namespace, as in /proc/PID/ns/mnt. Null: it has given it up, as an ending process does.
    pub mount: Option<u32>,
    /// That is the mount namespace of the machine's first process. Null: either is not known.
    pub on_host: Option<bool>,
    /// Depth of its user namespace; 0 is the initial one.
    pub user_level: u32,
    /// The user who made that user namespace, by a uid of the host.
    pub user_owner: u32,
}

/// The process that was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Victim {
    #[serde(flatten)]
    pub process: Process,
    /// It was the first process of its container, which ends with it: the one that its runtime started, or where that is not known
    /// the first of the container's own pid namespace. Not the first of a namespace that was made within the container.
    pub container_init: bool,
    /// How it ended. Null: its end was not seen.
    pub exit: Option<Exit>,
    /// It was not the first process of its container, and that one ended right after it, as a shell does that passes its
    /// child's status on.
    pub container_exit: Option<Exit>,
}

impl Victim {
    /// It was the first process of a pid namespace, whoever made that: the kernel drops a signal that it has no handler for.
    #[must_use]
    pub fn is_pid_1(&self) -> bool {
        self.process.pid_in_namespace == Some(1) && self.process.pid != 1
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// The exit status as wait(2) gives it: code and signal in one number.
    pub status: u32,
    /// The exit code, when it exited by itself.
    pub code: Option<u32>,
    /// The signal, when one killed it.
    pub signal: Option<u32>,
    /// The time from the signal to the exit, in microseconds.
    pub after_us: Option<u64>,
}
