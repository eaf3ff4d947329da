//! Whether a cgroup is the container's that its name says it is. A name proves nothing: whoever may make cgroups, as every user may
//! below a subtree of their own and every container's root below its own, may call one `docker-ID.scope` after somebody else's
//! container. A container is what its runtime says, and its runtime says where it is:
//!
//! | said by | what |
//! |---|---|
//! | the container's first process, which the runtime names | its cgroups in `/proc/PID/cgroup`, for each hierarchy |
//! | an OCI bundle | `linux.cgroupsPath` |
//! | runc's and crun's state | `cgroup_paths`, `cgroup-path` |
//! | Docker | the parent that it was given, or its default, with the id below |
//! | LXC | the default of `lxc.cgroup.pattern` with the container's name |
//!
//! Paths are compared whole, for each hierarchy by itself.

use std::fs::File;
use std::io::Read as _;

use serde::{Deserialize, Serialize};

use crate::node::namespaces;
use crate::placement::{ContainerPlace, On};

/// A process's cgroups take a line of a hundred bytes for each of a dozen hierarchies.
const MAX_CGROUPS: u64 = 64 << 10;
/// `/proc/PID/stat` is one line.
const MAX_STAT: u64 = 4096;
/// Paths that are kept.
const MAX_PATHS: usize = 16;
/// Bytes of one: the kernel has no longer ones (PATH_MAX).
const MAX_PATH: usize = 4096;

/// Where a runtime says that a container is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Whole paths from a hierarchy's root; of which hierarchy it does not say.
    pub paths: Vec<String>,
    /// The first process, which was there when the runtime was asked.
    pub init: Option<Init>,
}

/// A container's first process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    pub pid: u32,
    /// Its start, in ticks, as `/proc/PID/stat` has it.
    pub start: u64,
    /// Its cgroups: the hierarchy's controllers (none for v2), and the path.
    pub cgroups: Vec<(String, String)>,
}

/// What a statement says of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// It is the container's.
    Yes,
    /// The container's is another one.
    No,
    /// Nothing.
    Nothing,
}

impl Statement {
    /// Whether the container's own cgroup is that at `place`.
    #[must_use]
    pub fn of(&self, place: &ContainerPlace) -> Says {
        if self.paths.contains(&place.cgroup) || self.init_in(place).is_some() {
            return Says::Yes;
        }
        match &self.init {
            Some(_) => Says::No,
            None => Says::Nothing,
        }
    }

    /// The first process, when the container's cgroup at `place` has it.
    #[must_use]
    pub fn init_in(&self, place: &ContainerPlace) -> Option<&Init> {
        self.init.as_ref().filter(|init| init.on(place.on).is_some_and(|own| is_at_or_below(own, &place.cgroup)))
    }

    /// With the first process looked up in `/proc`; `start` is what the runtime says of its start, if it says so.
    #[must_use]
    pub fn with_init(mut self, pid: Option<u32>, start: Option<u64>) -> Self {
        self.init = pid.and_then(Init::read).filter(|init| start.is_none_or(|start| start == init.start));
        self
    }

    /// Bounded in size.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.paths.retain(|path| path.len() <= MAX_PATH);
        self.paths.truncate(MAX_PATHS);
        self
    }
}

impl Init {
    /// None when there is no such process, or its pid is another's here.
    fn read(pid: u32) -> Option<Self> {
        if !namespaces::sees_hosts_pids() || pid == 0 {
            return None;
        }
        let start = start_of(&read(&format!("/proc/{pid}/stat"), MAX_STAT)?)?;
        let mut cgroups = parse(&read(&format!("/proc/{pid}/cgroup"), MAX_CGROUPS)?);
        if !namespaces::sees_hosts_cgroups() {
            let first = parse(&read("/proc/1/cgroup", MAX_CGROUPS)?);
            for (controllers, path) in &mut cgroups {
                let (_, first) = first.iter().find(|(its, _)| its == controllers)?;
                *path = from_root(path, first);
            }
        }
        // Of a process that took the pid in between, the cgroups would be another's.
        let again = start_of(&read(&format!("/proc/{pid}/stat"), MAX_STAT)?)?;
        (start == again && !cgroups.is_empty()).then_some(Self { pid, start, cgroups })
    }

    /// It lives, and is the one that it was.
    #[must_use]
    pub fn is_there(&self) -> bool {
        read(&format!("/proc/{}/stat", self.pid), MAX_STAT).and_then(|stat| start_of(&stat)) == Some(self.start)
    }

    /// Its path on a hierarchy.
    fn on(&self, on: On) -> Option<&str> {
        let with = |wanted: &dyn Fn(&str) -> bool| {
            self.cgroups.iter().find(|(controllers, _)| wanted(controllers)).map(|(_, path)| path.as_str())
        };
        let default = || with(&str::is_empty);
        let memory = || with(&|controllers| controllers.split(',').any(|controller| controller == "memory"));
        match on {
            On::Default => default(),
            On::Memory => memory().or_else(default),
        }
    }
}

/// A name of a path that cannot be seen from here.
const UNSEEN: &str = "*";

/// `own` is the cgroup at `cgroup`, or is below it.
fn is_at_or_below(own: &str, cgroup: &str) -> bool {
    let mut own = own.split('/').skip(1);
    let mut seen = false;
    let is_on_the_way = cgroup.split('/').skip(1).all(|name| {
        let at = own.next();
        seen = at == Some(name);
        seen || at == Some(UNSEEN)
    });
    // The container's own name, which is the last one, must be seen.
    is_on_the_way && seen
}

/// In a cgroup namespace of its own, as in a container, a reader sees paths of others from its own root: `/../../docker/ID`. The
/// machine's first process, which is in none of the reader's cgroups, shows how far up the root is; what is between that and where
/// the path turns down is not seen.
fn from_root(path: &str, first: &str) -> String {
    let up = |path: &str| path.split('/').skip(1).take_while(|name| *name == "..").count();
    let between = up(first).saturating_sub(up(path));
    let down = path.split('/').skip(1 + up(path));
    std::iter::repeat_n(UNSEEN, between).chain(down).flat_map(|name| ["/", name]).collect()
}

fn read(path: &str, max: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// `4:memory:/docker/ID` a line (cgroups(7)); names are bytes, and none has a line break.
fn parse(cgroups: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(cgroups);
    let fields = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        // Its directory was removed while it was still ending.
        Some((controllers.to_owned(), path.strip_suffix(" (deleted)").unwrap_or(path).to_owned()))
    };
    text.lines().filter_map(fields).take(MAX_PATHS).collect()
}

/// The 22nd field; the name in parentheses may hold blanks and parentheses itself (proc(5)).
fn start_of(stat: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(stat);
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The whole paths that an OCI `linux.cgroupsPath` may mean: a path from the root, or `slice:prefix:name` for systemd (runc,
/// libcontainer/cgroups/systemd; crun, libcrun/cgroup-systemd.c). For a user's own systemd it is below that. A relative path is below the
/// runtime's own cgroup, which is not known here.
#[must_use]
pub fn paths_of_oci(text: &str, user: Option<u32>) -> Vec<String> {
    if text.starts_with('/') {
        return vec![text.to_owned()];
    }
    let parts: Vec<&str> = text.split(':').collect();
    let [slice, prefix, name] = parts[..] else { return Vec::new() };
    let unit = if name.ends_with(".slice") {
        name.to_owned()
    } else if prefix.is_empty() {
        format!("{name}.scope")
    } else {
        format!("{prefix}-{name}.scope")
    };
    let slice = match (slice, user) {
        ("", None) => "system.slice",
        ("", Some(_)) => "user.slice",
        (slice, _) => slice,
    };
    let Some(slice) = expand(slice) else { return Vec::new() };
    let above = user.map(|uid| format!("/user.slice/user-{uid}.slice/user@{uid}.service")).unwrap_or_default();
    vec![format!("{above}{slice}/{unit}")]
}

/// Where a slice is: `a-b.slice` is below `a.slice` (systemd.slice(5)).
fn expand(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(".slice")?;
    if name == "-" {
        return Some(String::new());
    }
    if name.is_empty() || name.contains('/') || name.split('-').any(str::is_empty) {
        return None;
    }
    let dashes = name.match_indices('-').map(|(at, _)| at).chain([name.len()]);
    Some(dashes.filter_map(|end| name.get(..end)).flat_map(|part| ["/", part, ".slice"]).collect())
}

/// Where Docker has a container: below the parent that it was given, or its own default, by either of its drivers (dockerd,
/// daemon/daemon_unix.go and daemon/oci_linux.go, 20.10 to 28).
#[must_use]
pub fn paths_of_docker(id: &str, parent: &str) -> Vec<String> {
    match parent {
        "" => vec![format!("/docker/{id}"), format!("/system.slice/docker-{id}.scope")],
        slice if slice.ends_with(".slice") && !slice.contains('/') => {
            expand(slice).map(|slice| format!("{slice}/docker-{id}.scope")).into_iter().collect()
        }
        path if path.starts_with('/') => vec![format!("{}/{id}", path.trim_end_matches('/'))],
        // Below the daemon's own cgroup.
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Placement;

    const ID: &str = "6c266caa8d7c1f0e9d8c7b6a59483726150403020100ffeeddccbbaa99887766";

    fn place(path: &str, on: On) -> ContainerPlace {
        ContainerPlace { on, ..Placement::parse(&path.replace("ID", ID)).container.unwrap() }
    }

    fn init(cgroups: &str) -> Statement {
        let cgroups = parse(cgroups.replace("ID", ID).as_bytes());
        Statement { init: Some(Init { pid: 7, start: 1, cgroups }), ..Statement::default() }
    }

    #[test]
    fn a_containers_cgroup_is_where_its_first_process_is() {
        let hybrid = init("9:name=systemd:/x\n4:memory:/docker/ID\n0::/docker/ID/sub\n");
        for (path, on, says) in [
            ("/docker/ID", On::Memory, Says::Yes),
            ("/docker/ID", On::Default, Says::Yes),
            ("/docker/ID/below", On::Default, Says::Yes),
            ("/user.slice/user-1000.slice/docker-ID.scope", On::Memory, Says::No),
            ("/x/docker/ID", On::Default, Says::No),
            (
                "/docker/1111111111111111111111111111111111111111111111111111111111111111/docker/ID",
                On::Default,
                Says::No,
            ),
        ] {
            assert_eq!(hybrid.of(&place(path, on)), says, "{path} {on:?}");
        }
        // Each hierarchy by itself: in the one it is there, in the other somebody has taken the place.
        let other = init("4:memory:/docker/ID\n0::/elsewhere\n");
        assert_eq!(other.of(&place("/docker/ID", On::Default)), Says::No);
        assert_eq!(other.of(&place("/docker/ID", On::Memory)), Says::Yes);
        // On v2 alone, the memory controller is there, too.
        assert_eq!(init("0::/docker/ID (deleted)\n").of(&place("/docker/ID", On::Memory)), Says::Yes);
    }

    #[test]
    fn paths_from_within_a_cgroup_namespace() {
        for (path, first, whole) in [
            ("/../../docker/ID", "/../../init.scope", "/docker/ID"),
            ("/../other", "/../../init.scope", "/*/other"),
            ("/own", "/../../init.scope", "/*/*/own"),
            ("/docker/ID", "/", "/docker/ID"),
        ] {
            assert_eq!(from_root(path, first), whole, "{path}");
        }
        assert!(is_at_or_below("/*/other", "/any/other") && is_at_or_below("/*/other/sub", "/any/other"));
        for not in ["/other", "/any/thing", "/a/b/other", "/any/other/sub"] {
            assert!(!is_at_or_below("/*/other", not), "{not}");
        }
    }

    #[test]
    fn without_the_process_paths_say_so_or_nothing() {
        let said = Statement { paths: vec![format!("/docker/{ID}")], ..Statement::default() };
        assert_eq!(said.of(&place("/docker/ID", On::Memory)), Says::Yes);
        assert_eq!(said.of(&place("/jobs/ID", On::Memory)), Says::Nothing);
        assert_eq!(Statement::default().of(&place("/docker/ID", On::Memory)), Says::Nothing);
    }

    #[test]
    fn paths_of_bundles_and_of_docker() {
        for (text, user, path) in [
            ("/kubepods/burstable/podX/ID", None, Some("/kubepods/burstable/podX/ID")),
            ("system.slice:docker:ID", None, Some("/system.slice/docker-ID.scope")),
            (":runc:web", None, Some("/system.slice/runc-web.scope")),
            ("-.slice:runc:web", None, Some("/runc-web.scope")),
            (
                "kubepods-burstable-podX.slice:cri-containerd:ID",
                None,
                Some("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podX.slice/cri-containerd-ID.scope"),
            ),
            (
                "user.slice:libpod:ID",
                Some(1000),
                Some("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope"),
            ),
            ("relative/ID", None, None),
            ("a/b.slice:x:ID", None, None),
            ("--.slice:x:ID", None, None),
            ("", None, None),
        ] {
            assert_eq!(paths_of_oci(text, user).first().map(String::as_str), path, "{text}");
        }
        for (parent, path) in [
            ("", Some("/docker/ID")),
            ("/ci/", Some("/ci/ID")),
            ("a-b.slice", Some("/a.slice/a-b.slice/docker-ID.scope")),
            ("relative", None),
        ] {
            assert_eq!(paths_of_docker("ID", parent).first().map(String::as_str), path, "{parent}");
        }
    }

    #[test]
    fn this_process_is_there_and_has_cgroups() {
        let found = Statement::default().with_init(Some(std::process::id()), None).init.unwrap();
        assert!(found.is_there());
        let later = Statement::default().with_init(Some(found.pid), Some(found.start + 1));
        assert_eq!(later.init, None);
    }
}
