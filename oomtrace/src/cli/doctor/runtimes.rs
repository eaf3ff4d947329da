//! Which runtimes are here, how each is asked for names, and what of the host's is not mounted.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oomtrace::container::containerds::{Containerds, Place};
use oomtrace::container::runtime::docker::Docker;
use oomtrace::container::runtime::oci_state::States;
use oomtrace::placement::Runtime;
use oomtrace::profile::{self, Kept, Profile};

use super::super::options::Runtimes;
use super::{INITIAL_PID_NAMESPACE, Mark, Report};

/// The host's file system, as its first process sees it; another's when the pid namespace is not the host's.
const HOST: &str = "/proc/1/root";

pub fn report(report: &mut Report, options: &Runtimes) -> anyhow::Result<()> {
    docker(report, options)?;
    for Profile { runtime, kept, .. } in profile::ALL {
        let Some(Kept { owner, path, cost }) = kept else { continue };
        if *runtime == Runtime::Containerd {
            containerds(report, options, owner, cost)?;
            continue;
        }
        let path = PathBuf::from(path);
        if path.exists() {
            report.line(Mark::Good, owner, &format!("{}", path.display()))?;
        } else if elsewhere(&path) == Elsewhere::Hidden {
            report.line(Mark::Costs, owner, &not_mounted(&path, cost))?;
        }
    }
    let states = States::default();
    for runtime in [Runtime::Runc, Runtime::Crun].into_iter().filter(|runtime| states.used(*runtime)) {
        report.line(Mark::Good, runtime.name(), &format!("by itself, /run/{}", runtime.name()))?;
    }
    let users = Path::new("/etc/passwd");
    if !users.exists() {
        report.line(Mark::Costs, "users", "no /etc/passwd here: users go by their numbers (mount the host's)")?;
    }
    Ok(())
}

/// Each that is here: a state directory may be left over from one that is not.
fn containerds(report: &mut Report, options: &Runtimes, owner: &str, cost: &str) -> anyhow::Result<()> {
    for Place { state, socket } in Containerds::of_node(options.containerd_state.clone()).places() {
        let (state_shown, socket_shown) = (state.display(), socket.display());
        match UnixStream::connect(&socket) {
            Ok(_) if state.exists() => report.line(Mark::Good, owner, &state_shown.to_string())?,
            Err(why) if state.exists() => {
                let text = format!(
                    "{state_shown} is here, but nobody answers at {socket_shown} ({why}): left over, or not running"
                );
                report.line(Mark::Note, owner, &text)?;
            }
            Ok(_) => {
                let text = format!("{socket_shown} answers, but {state_shown} is not here; not seen: {cost}");
                report.line(Mark::Costs, owner, &text)?;
            }
            Err(_) if elsewhere(&state) == Elsewhere::Hidden => {
                report.line(Mark::Costs, owner, &not_mounted(&state, cost))?;
            }
            Err(_) => {}
        }
    }
    Ok(())
}

fn docker(report: &mut Report, options: &Runtimes) -> anyhow::Result<()> {
    let socket = &options.docker_socket();
    if let Some(why) = options.docker_host_unused() {
        report.line(Mark::Note, "Docker", &why)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    match runtime.block_on(Docker::new(socket.clone()).version()) {
        Ok(version) => report.line(Mark::Good, "Docker", &format!("{version}, {}", socket.display()))?,
        Err(why) if socket.exists() => {
            report.line(Mark::Costs, "Docker", &format!("{why}; its containers go by their ids"))?
        }
        Err(_) => match elsewhere(socket) {
            Elsewhere::Hidden => report.line(
                Mark::Costs,
                "Docker",
                &not_mounted(socket, "names, images and labels of its containers"),
            )?,
            Elsewhere::Unknown(mark) => {
                let text = format!(
                    "no {0} here; this looks like a container ({mark}): if the host has one, mount it (docker run -v {0}:{0})",
                    socket.display()
                );
                report.line(Mark::Note, "Docker", &text)?
            }
            Elsewhere::No => report.line(Mark::Note, "Docker", &format!("not here (no {})", socket.display()))?,
        },
    }
    Ok(())
}

/// Whether what is not here is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// The host has it.
    Hidden,
    /// This looks like a container, by that mark, and the host's file system cannot be looked at.
    Unknown(&'static str),
    No,
}

fn elsewhere(path: &Path) -> Elsewhere {
    let id = |path: &Path| std::fs::metadata(path).map(|root| (root.dev(), root.ino())).ok();
    let host = Path::new(HOST);
    match (id(host), id(Path::new("/"))) {
        (Some(host_root), own) if Some(host_root) != own => {
            let is_there = path.strip_prefix("/").is_ok_and(|path| host.join(path).exists());
            if is_there { Elsewhere::Hidden } else { Elsewhere::No }
        }
        (None, _) => mark(is_host(), |mark| Path::new(mark).exists()).map_or(Elsewhere::No, Elsewhere::Unknown),
        _ => Elsewhere::No,
    }
}

/// What Docker, Podman and Kubernetes leave in every container, if it is there. On the host itself it is somebody's left-over.
fn mark(is_host: bool, exists: impl Fn(&str) -> bool) -> Option<&'static str> {
    if is_host {
        return None;
    }
    let file = ["/.dockerenv", "/run/.containerenv"].into_iter().find(|mark| exists(mark));
    let variable = "KUBERNETES_SERVICE_HOST";
    file.or_else(|| std::env::var_os(variable).map(|_| variable))
}

/// In the host's pid namespace, with the mounts of its first process: their ids are of one mount namespace each, and anybody may read them.
fn is_host() -> bool {
    let own = std::fs::read_link("/proc/self/ns/pid").is_ok_and(|own| own == Path::new(INITIAL_PID_NAMESPACE));
    let mounts =
        |of: &str| std::fs::read_to_string(format!("/proc/{of}/mountinfo")).ok().filter(|text| !text.is_empty());
    own && mounts("1").is_some_and(|host| mounts("self") == Some(host))
}

fn not_mounted(path: &Path, cost: &str) -> String {
    let path = path.display();
    format!("the host has {path}, which is not mounted here; not seen: {cost} (docker run -v {path}:{path})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_no_container_whatever_was_left_there() {
        let docker = |path: &str| path == "/.dockerenv";
        assert_eq!(mark(true, docker), None);
        assert_eq!(mark(false, docker), Some("/.dockerenv"));
    }
}
