//! OCI runtimes by themselves: `runc run web` without an engine above it makes a cgroup with a name of its own choice. What
//! tells such a container from any other cgroup is the state that the runtime keeps of it.
//!
//! | runtime | state |
//! |---|---|
//! | runc | `/run/runc/ID/state.json` (libcontainer, 1.0 to 1.3) |
//! | crun | `/run/crun/ID/status` (1.0 to 1.20) |
//!
//! For a user's own runtime the same below `/run/user/UID`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::metadata::Metadata;
use super::placement::Runtime;
use super::statement::{Statement, paths_of_oci};
use super::{bundle, is_file_name, read_bounded};

/// A state has some 10 KiB.
const MAX_STATE: u64 = 1 << 20;

/// Where runtimes keep their states.
#[derive(Clone, Debug)]
pub struct States {
    run: PathBuf,
}

impl Default for States {
    fn default() -> Self {
        Self { run: "/run".into() }
    }
}

const RUNTIMES: [(Runtime, &str); 2] = [(Runtime::Runc, "runc"), (Runtime::Crun, "crun")];

impl States {
    /// The runtime that keeps a state of a container that a cgroup of this name may be of, and the container's id: by
    /// itself, and as `runc-ID.scope` below systemd. The runtime makes the state's folder before the cgroup.
    #[must_use]
    pub fn runtime_of(&self, cgroup: &str, user: Option<u32>) -> Option<(Runtime, String)> {
        RUNTIMES.iter().find_map(|(runtime, name)| {
            let scope = cgroup.strip_suffix(".scope").and_then(|scope| scope.strip_prefix(name)?.strip_prefix('-'));
            let id = scope.unwrap_or(cgroup);
            (is_file_name(id) && self.folder(name, user).join(id).is_dir()).then(|| (*runtime, id.to_owned()))
        })
    }

    /// What the state of the container `id` says; its id is all the name it has.
    #[must_use]
    pub fn find(&self, runtime: Runtime, id: &str, user: Option<u32>) -> Option<Metadata> {
        if !is_file_name(id) {
            return None;
        }
        let folder = self.folder(runtime.name(), user).join(id);
        let State { bundle, init_pid, start, paths } = match runtime {
            Runtime::Runc => read::<RuncState>(&folder.join("state.json"))?.describe(),
            Runtime::Crun => read::<CrunState>(&folder.join("status"))?.describe(user),
            _ => return None,
        };
        let said = bundle.and_then(|bundle| bundle::read(&bundle.join("config.json"), user).ok()).unwrap_or_default();
        let stated = Statement { paths, init: None }.with_init(init_pid, start).bounded();
        let name = Some(id.to_owned());
        Some(Metadata { runtime: Some(runtime), name, init_pid, stated, ..Metadata::default() }.or(said))
    }

    fn folder(&self, name: &str, user: Option<u32>) -> PathBuf {
        match user {
            Some(uid) => self.run.join("user").join(uid.to_string()).join(name),
            None => self.run.join(name),
        }
    }

    /// There is a folder of states: somebody used the runtime by itself since boot.
    #[must_use]
    pub fn used(&self, runtime: Runtime) -> bool {
        fs::metadata(self.folder(runtime.name(), None)).is_ok()
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_bounded(path, MAX_STATE).ok()?).ok()
}

/// What either's state says.
struct State {
    bundle: Option<PathBuf>,
    init_pid: Option<u32>,
    /// Of the first process, in ticks.
    start: Option<u64>,
    /// Of the container's cgroups, from their hierarchies' roots.
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct RuncState {
    init_process_pid: Option<u32>,
    init_process_start: Option<u64>,
    /// By controller; by none on v2. With the mount point in front.
    #[serde(default)]
    cgroup_paths: HashMap<String, String>,
    config: Option<RuncConfig>,
}

#[derive(Deserialize)]
struct RuncConfig {
    /// `bundle=/path`, and the annotations.
    labels: Option<Vec<String>>,
}

impl RuncState {
    fn describe(self) -> State {
        let labels = self.config.and_then(|config| config.labels).unwrap_or_default();
        let bundle = labels.iter().find_map(|label| label.strip_prefix("bundle=")).map(PathBuf::from);
        let below = |controller: &str, mount: &str| self.cgroup_paths.get(controller)?.strip_prefix(mount);
        let path = below("memory", "/sys/fs/cgroup/memory").or_else(|| below("", "/sys/fs/cgroup"));
        State {
            bundle,
            init_pid: self.init_process_pid,
            start: self.init_process_start,
            paths: path.map(str::to_owned).into_iter().collect(),
        }
    }
}

#[derive(Deserialize)]
struct CrunState {
    pid: Option<u32>,
    #[serde(rename = "process-start-time")]
    start: Option<u64>,
    /// As an OCI `cgroupsPath`, or from the mount point.
    #[serde(rename = "cgroup-path")]
    cgroup_path: Option<String>,
    bundle: Option<PathBuf>,
}

impl CrunState {
    fn describe(self, user: Option<u32>) -> State {
        let paths = self.cgroup_path.map(|path| paths_of_oci(&path, user)).unwrap_or_default();
        State { bundle: self.bundle, init_pid: self.pid, start: self.start, paths }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::model::Limits;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn containers_of_a_runtime_by_itself_are_known_by_its_state() {
        let dir = tempfile::tempdir().unwrap();
        let states = States { run: dir.path().to_owned() };
        let bundle = dir.path().join("bundle");
        write(&bundle.join("config.json"), r#"{"linux":{"resources":{"memory":{"limit":1048576}}}}"#);
        let state = format!(r#"{{"init_process_pid":7,"config":{{"labels":["a=b","bundle={}"]}}}}"#, bundle.display());
        write(&dir.path().join("runc/web/state.json"), &state);
        write(&dir.path().join("user/1000/crun/job/status"), r#"{"pid":8,"bundle":"/nonexistent"}"#);
        assert_eq!(states.runtime_of("web", None), Some((Runtime::Runc, "web".to_owned())));
        assert_eq!(states.runtime_of("runc-web.scope", None), Some((Runtime::Runc, "web".to_owned())));
        assert_eq!(states.runtime_of("job", Some(1000)), Some((Runtime::Crun, "job".to_owned())));
        for (name, user) in [("job", None), ("web", Some(1000)), ("..", None), ("", None), ("a/b", None)] {
            assert_eq!(states.runtime_of(name, user), None, "{name:?}");
        }
        let found = states.find(Runtime::Runc, "web", None).unwrap();
        assert_eq!((found.name.as_deref(), found.init_pid), (Some("web"), Some(7)));
        assert_eq!(found.limits, Some(Limits { memory_bytes: Some(1 << 20), ..Limits::default() }));
        assert_eq!(states.find(Runtime::Crun, "job", Some(1000)).unwrap().init_pid, Some(8));
        assert_eq!(states.find(Runtime::Runc, "../user", None), None);
    }
}
