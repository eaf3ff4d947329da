//! OCI runtimes by themselves: `runc run web` without an engine above it makes a cgroup with a name of its own choice. What
//! distinguishes such a container from any other cgroup is the state that the runtime keeps of it.
//!
//! | runtime | state |
//! |---|---|
//! | runc | `/run/runc/ID/state.json` (libcontainer, 1.0 to 1.3) |
//! | crun | `/run/crun/ID/status` (1.0 to 1.20) |
//!
//! For a user's own runtime the same below `/run/user/UID`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Formatter;
use std::path::{Path, PathBuf};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::container::is_file_name;
use crate::container::metadata::Metadata;
use crate::container::runtime::bundle;
use crate::container::statement::{Statement, paths_of_oci};
use crate::node::territory::Territory;
use crate::placement::Runtime;

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
    /// itself, and as `runc-ID.scope` below systemd. The runtime makes the state's directory before the cgroup.
    #[must_use]
    pub fn runtime_of(&self, cgroup: &str, user: Option<u32>) -> Option<(Runtime, String)> {
        RUNTIMES.iter().find_map(|(runtime, name)| {
            let scope = cgroup.strip_suffix(".scope").and_then(|scope| scope.strip_prefix(name)?.strip_prefix('-'));
            let id = scope.unwrap_or(cgroup);
            (is_file_name(id) && self.folder(name, user)?.has_directory(id)).then(|| (*runtime, id.to_owned()))
        })
    }

    /// What the state of the container `id` says; its id is all the name it has.
    #[must_use]
    pub fn find(&self, runtime: Runtime, id: &str, user: Option<u32>) -> Option<Metadata> {
        if !is_file_name(id) {
            return None;
        }
        let folder = self.folder(runtime.name(), user)?;
        let read = |name: &str| folder.read(Path::new(id).join(name), MAX_STATE).ok();
        let OciState { bundle, init_pid, start, paths } = match runtime {
            Runtime::Runc => parse_runc(&read("state.json")?)?,
            Runtime::Crun => parse_crun(&read("status")?, user)?,
            _ => return None,
        };
        // The bundle is wherever whoever made the container has it: a link there may lead anywhere.
        let said = bundle.and_then(|path| {
            let bundle = Territory::of_user(&path, user.unwrap_or(0)).ok()?;
            bundle::read(&bundle, &path, user).ok()
        });
        let stated = Statement { paths, init: None }.with_init(init_pid, start).bounded();
        let name = Some(id.to_owned());
        let known = Metadata { runtime: Some(runtime), name, init_pid, stated, ..Metadata::default() };
        Some(known.or(said.unwrap_or_default()))
    }

    /// Where the runtime keeps its states; none when it is not there, or not root's or the user's.
    fn folder(&self, name: &str, user: Option<u32>) -> Option<Territory> {
        match user {
            Some(uid) => Territory::of_user(&self.run.join("user").join(uid.to_string()).join(name), uid).ok(),
            None => Territory::of_system(&self.run.join(name)).ok(),
        }
    }

    /// There is a directory of states: somebody used the runtime by itself since boot.
    #[must_use]
    pub fn used(&self, runtime: Runtime) -> bool {
        self.folder(runtime.name(), None).is_some()
    }
}

/// What a runtime's state says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OciState {
    pub bundle: Option<PathBuf>,
    pub init_pid: Option<u32>,
    /// When the first process started, in ticks.
    pub start: Option<u64>,
    /// Of the container's cgroups, from their hierarchies' roots.
    pub paths: Vec<String>,
}

/// What runc's `state.json` says.
#[must_use]
pub fn parse_runc(state: &[u8]) -> Option<OciState> {
    #[derive(Deserialize)]
    struct Runc {
        init_process_pid: Option<u32>,
        init_process_start: Option<u64>,
        /// By controller; by none on v2. With the mount point in front.
        #[serde(default)]
        cgroup_paths: HashMap<String, String>,
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    struct Config {
        labels: Option<BundleLabel>,
    }
    let state: Runc = serde_json::from_slice(state).ok()?;
    let bundle = state.config.and_then(|config| config.labels?.0);
    let below = |controller: &str, mount: &str| state.cgroup_paths.get(controller)?.strip_prefix(mount);
    let path = below("memory", "/sys/fs/cgroup/memory").or_else(|| below("", "/sys/fs/cgroup"));
    let paths = path.map(str::to_owned).into_iter().collect();
    Some(OciState { bundle, init_pid: state.init_process_pid, start: state.init_process_start, paths })
}

/// What crun's `status` says; `user`: whose it is, none for the machine's.
#[must_use]
pub fn parse_crun(status: &[u8], user: Option<u32>) -> Option<OciState> {
    #[derive(Deserialize)]
    struct Crun {
        pid: Option<u32>,
        #[serde(rename = "process-start-time")]
        start: Option<u64>,
        /// As an OCI `cgroupsPath`, or from the mount point.
        #[serde(rename = "cgroup-path")]
        cgroup_path: Option<String>,
        bundle: Option<PathBuf>,
    }
    let Crun { pid, start, cgroup_path, bundle } = serde_json::from_slice(status).ok()?;
    let paths = cgroup_path.map(|path| paths_of_oci(&path, user)).unwrap_or_default();
    Some(OciState { bundle, init_pid: pid, start, paths })
}

/// `bundle=/path` of runc's labels, which hold the annotations too. The others are not kept: there may be any number.
struct BundleLabel(Option<PathBuf>);

impl<'de> Deserialize<'de> for BundleLabel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labels;
        impl<'de> Visitor<'de> for Labels {
            type Value = Option<PathBuf>;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of labels")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut labels: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                while let Some(label) = labels.next_element::<Cow<'de, str>>()? {
                    found = found.or_else(|| label.strip_prefix("bundle=").map(PathBuf::from));
                }
                Ok(found)
            }
        }
        deserializer.deserialize_seq(Labels).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Limits;
    use std::fs;

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
        let uid = nix::unistd::geteuid().as_raw();
        write(&dir.path().join(format!("user/{uid}/crun/job/status")), r#"{"pid":8,"bundle":"/nonexistent"}"#);
        assert_eq!(states.runtime_of("web", None), Some((Runtime::Runc, "web".to_owned())));
        assert_eq!(states.runtime_of("runc-web.scope", None), Some((Runtime::Runc, "web".to_owned())));
        assert_eq!(states.runtime_of("job", Some(uid)), Some((Runtime::Crun, "job".to_owned())));
        for (name, user) in
            [("job", None), ("web", Some(uid)), ("job", Some(uid + 1)), ("..", None), ("", None), ("a/b", None)]
        {
            assert_eq!(states.runtime_of(name, user), None, "{name:?}");
        }
        let found = states.find(Runtime::Runc, "web", None).unwrap();
        assert_eq!((found.name.as_deref(), found.init_pid), (Some("web"), Some(7)));
        assert_eq!(found.limits, Some(Limits { memory_bytes: Some(1 << 20), ..Limits::default() }));
        assert_eq!(states.find(Runtime::Crun, "job", Some(uid)).unwrap().init_pid, Some(8));
        assert_eq!(states.find(Runtime::Runc, "../user", None), None);
    }
}
